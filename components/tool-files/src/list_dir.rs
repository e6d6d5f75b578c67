//! ListDir: what is in a directory.

use std::fs;

use serde_json::json;
use tool_kit::{Outcome, ToolError};

use crate::project::{Project, Result, cannot};
use crate::text::{Text, count, group, rfc3339};

pub const DESCRIPTION: &str = "Lists a directory, one level: hidden and ignored entries too, directories with a slash \
at the end, files with their size. To find files by name in the whole project, use Glob. \
Data: {path, entries: [{name, kind: file | directory | link | other, bytes, modified}]}.";

/// The most entries of a result.
const ENTRIES_MAX: usize = 2_000;

/// The most names that are sorted; what a directory has beyond them is not seen.
const NAMES_MAX: usize = 200_000;

tool_kit::input! {
    pub struct ListDirInput {
        /// The directory: relative to the project (`.` is the project itself), or under /workspace or /tmp.
        pub path: String,
    }
}

pub fn list_dir(project: &Project, input: ListDirInput) -> Result {
    let place = project.place("/path", &input.path)?;
    let metadata = project.metadata(&place)?;
    if metadata.is_file() {
        return Err(ToolError::failed(format!("`{}` is a file: use Read", place.shown)));
    }
    if !metadata.is_dir() {
        return Err(ToolError::failed(format!("`{}` is not a directory", place.shown)));
    }
    let mut names = Vec::new();
    let directory = fs::read_dir(&place.real).map_err(|error| cannot("list", &place, &error))?;
    for entry in directory.take(NAMES_MAX) {
        names.push(entry.map_err(|error| cannot("list", &place, &error))?.file_name());
    }
    names.sort_unstable();
    let mut text = Text::new(ENTRIES_MAX);
    let mut entries = Vec::new();
    for name in names.iter().take(ENTRIES_MAX) {
        let path = place.real.join(name);
        // Gone since it was listed.
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            continue;
        };
        let name = name.to_string_lossy();
        let bytes = if metadata.is_file() { metadata.len() } else { 0 };
        let (kind, line) = if metadata.is_dir() {
            ("directory", format!("{name}/"))
        } else if metadata.is_symlink() {
            match fs::read_link(&path) {
                Ok(target) => ("link", format!("{name} -> {}", target.display())),
                // Hosts do not show where such a link leads.
                Err(_) => ("link", format!("{name} -> out of the project")),
            }
        } else if metadata.is_file() {
            ("file", format!("{name}  {}", count(bytes, "byte", "bytes")))
        } else {
            ("other", format!("{name}  not a regular file"))
        };
        text.line(&line);
        let modified = metadata.modified().ok().map(rfc3339);
        entries.push(json!({"name": name, "kind": kind, "bytes": bytes, "modified": modified}));
    }
    let data = json!({"path": place.shown, "entries": entries});
    if names.is_empty() {
        return Outcome::text(format!("`{}` is empty", place.shown)).with_data(&data);
    }
    let truncated = names.len() > ENTRIES_MAX || text.is_cut();
    let mut notes = Vec::new();
    if truncated {
        let all = group(names.len() as u64);
        notes.push(format!("not all of {all} entries are shown: find the others with Glob"));
    }
    Outcome::text(text.finish(&notes)).truncated(truncated).with_data(&data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::os::unix::fs::symlink;
    use tool_kit::Part;

    fn list(project: &Project, path: &str) -> Result {
        list_dir(project, ListDirInput { path: path.into() })
    }

    fn said(outcome: &Outcome) -> &str {
        match outcome.parts.as_slice() {
            [Part::Text(text)] => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn entries_are_sorted_and_described() {
        let directory = tempfile::tempdir().unwrap();
        let project = Project::within(directory.path());
        let path = |path: &str| project.workspace().join(path);
        fs::create_dir_all(path("src/inner")).unwrap();
        fs::write(path("src/b.rs"), "12345").unwrap();
        fs::write(path("src/.hidden"), "1").unwrap();
        symlink("b.rs", path("src/a")).unwrap();
        let outcome = list(&project, "src").unwrap();
        assert_eq!(said(&outcome), ".hidden  1 byte\na -> b.rs\nb.rs  5 bytes\ninner/");
        let data: Value = serde_json::from_str(outcome.data.as_ref().unwrap()).unwrap();
        assert_eq!(data["path"], "src");
        let kinds: Vec<_> = data["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| (entry["kind"].as_str().unwrap(), entry["bytes"].as_u64().unwrap()))
            .collect();
        assert_eq!(kinds, [("file", 1), ("link", 0), ("file", 5), ("directory", 0)]);
        let modified = data["entries"][0]["modified"].as_str().unwrap();
        assert!(modified.ends_with('Z') && modified.len() == 20, "{modified}");
    }

    #[test]
    fn what_is_no_directory_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let project = Project::within(directory.path());
        fs::write(project.workspace().join("file"), "").unwrap();
        assert_eq!(list(&project, "file"), Err(ToolError::failed("`file` is a file: use Read")));
        assert!(matches!(list(&project, "none"), Err(ToolError::Failed(_))));
        assert!(matches!(list(&project, "/etc"), Err(ToolError::InvalidInput(_))));
        assert_eq!(said(&list(&project, "/tmp").unwrap()), "`/tmp` is empty");
    }

    #[test]
    fn a_large_directory_is_cut() {
        let directory = tempfile::tempdir().unwrap();
        let project = Project::within(directory.path());
        for number in 0..=ENTRIES_MAX {
            fs::write(project.workspace().join(format!("{number:05}")), "").unwrap();
        }
        let outcome = list(&project, ".").unwrap();
        assert!(outcome.truncated);
        assert!(said(&outcome).ends_with("\n[not all of 2,001 entries are shown: find the others with Glob]"));
        assert_eq!(said(&outcome).lines().count(), ENTRIES_MAX + 1);
    }
}
