//! Write: a file as a whole.

use serde_json::json;
use tool_kit::{Outcome, ToolError};

use crate::project::{Project, Result};
use crate::store;
use crate::text::count;

pub const DESCRIPTION: &str = "Writes a file, replacing what was there, and makes the directories that it needs. \
To change a part of a file, use Edit. Data: {path, created, bytes}.";

tool_kit::input! {
    pub struct WriteInput {
        /// Relative to the project, or under /workspace or /tmp.
        pub file_path: String,
        /// All that the file shall contain.
        pub content: String,
    }
}

pub fn write(project: &Project, input: WriteInput) -> Result {
    let place = project.place("/file_path", &input.file_path)?;
    if input.file_path.ends_with('/') {
        let why = format!("`{}` names a directory: name a file", input.file_path);
        return Err(ToolError::invalid("/file_path", why));
    }
    let created = store::replace(project, &place, input.content.as_bytes())?;
    let bytes = input.content.len() as u64;
    let did = if created { "created" } else { "overwrote" };
    Outcome::text(format!("{did} `{}` with {}", place.shown, count(bytes, "byte", "bytes")))
        .with_data(&json!({"path": place.shown, "created": created, "bytes": bytes}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tool_kit::Part;

    fn write_to(project: &Project, file_path: &str, content: &str) -> Result {
        write(project, WriteInput { file_path: file_path.into(), content: content.into() })
    }

    #[test]
    fn a_file_is_created_then_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let project = Project::within(directory.path());
        let outcome = write_to(&project, "/workspace/a/b.txt", "one").unwrap();
        assert_eq!(outcome.parts, [Part::Text("created `a/b.txt` with 3 bytes".into())]);
        assert_eq!(outcome.data.unwrap(), r#"{"path":"a/b.txt","created":true,"bytes":3}"#);
        let outcome = write_to(&project, "a/b.txt", "é").unwrap();
        assert_eq!(outcome.parts, [Part::Text("overwrote `a/b.txt` with 2 bytes".into())]);
        assert_eq!(outcome.data.unwrap(), r#"{"path":"a/b.txt","created":false,"bytes":2}"#);
        assert_eq!(fs::read_to_string(project.workspace().join("a/b.txt")).unwrap(), "é");
    }

    #[test]
    fn scratch_files_go_to_tmp() {
        let directory = tempfile::tempdir().unwrap();
        let project = Project::within(directory.path());
        write_to(&project, "/tmp/x", "1").unwrap();
        assert_eq!(fs::read_to_string(directory.path().join("tmp/x")).unwrap(), "1");
    }

    #[test]
    fn paths_that_name_no_file_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let project = Project::within(directory.path());
        for path in ["a/", "../x", "/etc/x", ""] {
            match write_to(&project, path, "1") {
                Err(ToolError::InvalidInput(error)) => assert_eq!(error.pointer, "/file_path"),
                other => panic!("{path}: {other:?}"),
            }
        }
        assert!(matches!(write_to(&project, ".", "1"), Err(ToolError::Failed(_))));
        assert_eq!(fs::read_dir(project.workspace()).unwrap().count(), 0);
    }
}
