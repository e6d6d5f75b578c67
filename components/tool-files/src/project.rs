//! Where paths lead, and what to say when they lead nowhere.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tool_kit::{Outcome, ToolError};

/// What every tool here returns.
pub type Result<T = Outcome> = std::result::Result<T, ToolError>;

/// The longest path that is looked at: what Linux opens.
const PATH_BYTES_MAX: usize = 4096;

/// How many names of a directory are compared with one that does not exist.
const SIMILAR_ENTRIES_MAX: usize = 10_000;

/// How many similar names an error proposes.
const SIMILAR_NAMES_MAX: usize = 3;

/// From this similarity on (1 is equal) a name is worth proposing: about one letter in three may differ.
const SIMILAR_MIN: f64 = 0.65;

/// The two trees that tools see.
#[derive(Clone, Debug)]
pub struct Project {
    workspace: PathBuf,
    tmp: PathBuf,
}

/// A path of an input, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where it is.
    pub real: PathBuf,
    /// How results name it: relative to the project, `.` for the project itself, or under `/tmp`.
    pub shown: String,
}

impl Project {
    /// Where the host mounts them.
    pub fn mounted() -> Self {
        Self { workspace: "/workspace".into(), tmp: "/tmp".into() }
    }

    /// Both in a directory of a test.
    #[cfg(test)]
    pub fn within(directory: &Path) -> Self {
        let project = Self { workspace: directory.join("workspace"), tmp: directory.join("tmp") };
        fs::create_dir(&project.workspace).unwrap();
        fs::create_dir(&project.tmp).unwrap();
        project
    }

    /// The project's own directory.
    pub fn workspace(&self) -> &Path {
        &self.workspace
    }

    /// Understands a path of the input; `pointer` says which value it was.
    pub fn place(&self, pointer: &str, path: &str) -> Result<Place> {
        let refuse = |why: &str| Err(ToolError::invalid(pointer, why));
        if path.is_empty() {
            return refuse("the path is empty: use `.` for the project itself");
        }
        if path.len() > PATH_BYTES_MAX {
            return refuse(&format!("the path is longer than {PATH_BYTES_MAX} bytes"));
        }
        if path.contains('\0') {
            return refuse("the path contains a NUL character");
        }
        let (root, prefix, rest) = match path.strip_prefix('/') {
            None => (&self.workspace, "", path),
            Some(absolute) => match split(absolute.trim_start_matches('/')) {
                ("workspace", rest) => (&self.workspace, "", rest),
                ("tmp", rest) => (&self.tmp, "/tmp", rest),
                _ => {
                    return refuse(&format!(
                        "`{path}` is out of reach: use a path relative to the project, or one under /workspace or /tmp"
                    ));
                }
            },
        };
        let mut parts = Vec::new();
        for part in rest.split('/') {
            match part {
                "" | "." => {}
                ".." if parts.pop().is_some() => {}
                ".." => {
                    return refuse(&format!("`{path}` climbs out of the project: take a `..` away"));
                }
                part => parts.push(part),
            }
        }
        let inner = parts.join("/");
        let shown = match (prefix, inner.as_str()) {
            ("", "") => ".".to_owned(),
            ("", inner) => inner.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, inner) => format!("{prefix}/{inner}"),
        };
        let real = if inner.is_empty() { root.clone() } else { root.join(inner) };
        Ok(Place { real, shown })
    }

    /// How results name a file that a walk found.
    pub fn shown(&self, real: &Path) -> String {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        match (real.strip_prefix(&self.workspace), real.strip_prefix(&self.tmp)) {
            (Ok(path), _) if path.as_os_str().is_empty() => ".".to_owned(),
            (Ok(path), _) => text(path),
            (_, Ok(path)) if path.as_os_str().is_empty() => "/tmp".to_owned(),
            (_, Ok(path)) => format!("/tmp/{}", text(path)),
            _ => text(real),
        }
    }

    /// Whether the host lends the tree that a place is in. Without a grant nothing is mounted, and all that a tool
    /// sees is that nothing is there.
    pub fn is_lent(&self, place: &Place) -> bool {
        let root = if place.real.starts_with(&self.tmp) { &self.tmp } else { &self.workspace };
        fs::metadata(root).is_ok()
    }

    /// What is there. A missing file is answered with the names that it may have meant.
    pub fn metadata(&self, place: &Place) -> Result<Metadata> {
        fs::metadata(&place.real).map_err(|error| match error.kind() {
            _ if !self.is_lent(place) => ToolError::not_permitted("files:read", &place.shown),
            ErrorKind::NotFound | ErrorKind::NotADirectory => self.missing(place),
            _ if is_link(&place.real) => leads_out(place),
            _ => cannot("read", place, &error),
        })
    }

    fn missing(&self, place: &Place) -> ToolError {
        let shown = &place.shown;
        let (Some(parent), Some(name)) = (place.real.parent(), place.real.file_name()) else {
            return ToolError::failed(format!("there is no `{shown}`"));
        };
        let name = name.to_string_lossy();
        match fs::metadata(parent) {
            Ok(there) if there.is_dir() => {}
            Ok(_) => {
                let parent = self.shown(parent);
                return ToolError::failed(format!("there is no `{shown}`: `{parent}` is a file, not a directory"));
            }
            Err(_) => {
                let parent = self.shown(parent);
                return ToolError::failed(format!(
                    "there is no `{shown}`: its directory `{parent}` does not exist either, find it with Glob or ListDir"
                ));
            }
        }
        let names = similar(parent, &name);
        let hint = match names.as_slice() {
            [] => "find it with Glob or ListDir".to_owned(),
            names => {
                let beside = |name: &String| format!("`{}`", self.shown(&parent.join(name)));
                let names: Vec<_> = names.iter().map(beside).collect();
                format!("did you mean {}?", names.join(" or "))
            }
        };
        ToolError::failed(format!("there is no `{shown}`: {hint}"))
    }
}

fn split(path: &str) -> (&str, &str) {
    path.split_once('/').unwrap_or((path, ""))
}

/// The names in a directory that are most like one that is not there, best first.
fn similar(directory: &Path, name: &str) -> Vec<String> {
    let wanted = name.to_lowercase();
    let stem = |name: &str| name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned();
    let likeness = |name: String| {
        let lower = name.to_lowercase();
        let score =
            if stem(&lower) == stem(&wanted) { 1.0 } else { strsim::normalized_damerau_levenshtein(&lower, &wanted) };
        (score, name)
    };
    let mut names: Vec<(f64, String)> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .take(SIMILAR_ENTRIES_MAX)
        .flatten()
        .map(|entry| likeness(entry.file_name().to_string_lossy().into_owned()))
        .filter(|(score, _)| *score >= SIMILAR_MIN)
        .collect();
    names.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    names.into_iter().map(|(_, name)| name).take(SIMILAR_NAMES_MAX).collect()
}

/// Whether there is a link at a path, wherever it leads.
pub fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|there| there.is_symlink())
}

/// The error for a link that the host does not follow: no power would change that.
pub fn leads_out(place: &Place) -> ToolError {
    let shown = &place.shown;
    ToolError::failed(format!("`{shown}` is a link that leads out of the project: name another file"))
}

/// An error of reading or listing.
pub fn cannot(what: &str, place: &Place, error: &io::Error) -> ToolError {
    // A file's own mode (`EACCES`) is no power that a grant could add; a refusal by the host (`EPERM`) is.
    if is_refusal(error) && error.raw_os_error() != Some(ACCES) {
        return ToolError::not_permitted("files:read", &place.shown);
    }
    ToolError::failed(format!("cannot {what} `{}`: {error}", place.shown))
}

/// An error of writing: where the host lends the files read-only, the missing power is named.
pub fn cannot_write(place: &Place, error: &io::Error) -> ToolError {
    if is_refusal(error) {
        return ToolError::not_permitted("files:write", &place.shown);
    }
    ToolError::failed(format!("cannot write `{}`: {error}", place.shown))
}

/// `EACCES`, in the numbers of the C library that std stands on.
const ACCES: i32 = if cfg!(target_os = "wasi") { 2 } else { 13 };

fn is_refusal(error: &io::Error) -> bool {
    // `ENOTCAPABLE` of wasi-libc, which std has no kind for.
    const NOTCAPABLE: Option<i32> = if cfg!(target_os = "wasi") { Some(76) } else { None };
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
        || (NOTCAPABLE.is_some() && error.raw_os_error() == NOTCAPABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str) -> Result<Place> {
        Project::mounted().place("/p", path)
    }

    #[test]
    fn paths_lead_into_the_project_or_tmp() {
        for (path, real, shown) in [
            ("a/b", "/workspace/a/b", "a/b"),
            ("./a//b/", "/workspace/a/b", "a/b"),
            ("a/../b", "/workspace/b", "b"),
            (".", "/workspace", "."),
            ("/workspace", "/workspace", "."),
            ("/workspace/a", "/workspace/a", "a"),
            ("//workspace//a", "/workspace/a", "a"),
            ("/tmp", "/tmp", "/tmp"),
            ("/tmp/a/./b", "/tmp/a/b", "/tmp/a/b"),
            ("...", "/workspace/...", "..."),
        ] {
            let expected = Place { real: real.into(), shown: shown.into() };
            assert_eq!(place(path).unwrap(), expected, "{path}");
        }
    }

    #[test]
    fn other_paths_are_refused_where_they_stand() {
        let long = "a".repeat(PATH_BYTES_MAX + 1);
        for path in
            ["", "..", "a/../../b", "/", "/etc/passwd", "/workspaces/a", "/workspace/../etc", "/tmp/..", "a\0b", &long]
        {
            match place(path) {
                Err(ToolError::InvalidInput(error)) => assert_eq!(error.pointer, "/p"),
                other => panic!("{path}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_missing_file_proposes_similar_ones() {
        let directory = tempfile::tempdir().unwrap();
        let project = Project::within(directory.path());
        for name in ["config.toml", "Readme.md", "main.rs", "zebra"] {
            fs::write(project.workspace().join(name), "").unwrap();
        }
        let said = |path: &str| {
            let place = project.place("/p", path).unwrap();
            match project.metadata(&place) {
                Err(ToolError::Failed(message)) => message,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(said("confg.toml"), "there is no `confg.toml`: did you mean `config.toml`?");
        assert_eq!(said("README.txt"), "there is no `README.txt`: did you mean `Readme.md`?");
        assert_eq!(said("qqqqq"), "there is no `qqqqq`: find it with Glob or ListDir");
        assert_eq!(said("main.rs/x"), "there is no `main.rs/x`: `main.rs` is a file, not a directory");
        assert!(said("no/x").contains("its directory `no` does not exist"));
    }

    #[test]
    fn a_tree_that_is_not_lent_is_a_missing_power() {
        let directory = tempfile::tempdir().unwrap();
        let project = Project::within(directory.path());
        fs::remove_dir(project.workspace()).unwrap();
        for path in [".", "a", "a/b"] {
            let place = project.place("/p", path).unwrap();
            let refused = ToolError::not_permitted("files:read", path);
            assert_eq!(project.metadata(&place).unwrap_err(), refused);
        }
        assert!(project.metadata(&project.place("/p", "/tmp").unwrap()).is_ok());
    }

    #[test]
    fn the_trees_themselves_have_names() {
        let project = Project::mounted();
        let shown = ["/workspace", "/workspace/a", "/tmp", "/tmp/a/b"].map(|path| project.shown(Path::new(path)));
        assert_eq!(shown, [".", "a", "/tmp", "/tmp/a/b"]);
    }

    #[test]
    fn refusals_of_the_host_name_the_power() {
        let place = place("a").unwrap();
        let write = Err::<(), _>(ToolError::not_permitted("files:write", "a"));
        for error in [
            io::Error::from(ErrorKind::PermissionDenied),
            io::Error::from(ErrorKind::ReadOnlyFilesystem),
            // EROFS, EPERM, EACCES of Linux.
            io::Error::from_raw_os_error(30),
            io::Error::from_raw_os_error(1),
            io::Error::from_raw_os_error(13),
        ] {
            assert_eq!(Err::<(), _>(cannot_write(&place, &error)), write);
        }
        let eperm = io::Error::from_raw_os_error(1);
        assert_eq!(cannot("read", &place, &eperm), ToolError::not_permitted("files:read", "a"));
        let eacces = io::Error::from_raw_os_error(13);
        assert!(matches!(cannot("read", &place, &eacces), ToolError::Failed(_)));
        let full = io::Error::from(ErrorKind::StorageFull);
        assert!(matches!(cannot_write(&place, &full), ToolError::Failed(_)));
    }
}
