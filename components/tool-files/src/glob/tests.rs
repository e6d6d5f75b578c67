use super::*;
use std::fs;
use std::time::Duration;

use serde_json::Value;
use tool_kit::Part;

struct Here {
    _directory: tempfile::TempDir,
    project: Project,
}

/// Files of one byte, each one second younger than the one before.
fn here(paths: &[&str]) -> Here {
    let directory = tempfile::tempdir().unwrap();
    let project = Project::within(directory.path());
    for (second, path) in (1_000_000_000..).zip(paths) {
        let path = project.workspace().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "x").unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(second)).unwrap();
    }
    Here { _directory: directory, project }
}

impl Here {
    fn glob(&self, pattern: &str, path: Option<&str>) -> Result {
        let input = GlobInput { pattern: pattern.into(), path: path.map(str::to_owned) };
        glob(&self.project, input)
    }

    fn found(&self, pattern: &str, path: Option<&str>) -> Vec<String> {
        let data = data_of(&self.glob(pattern, path).unwrap());
        let files = data["files"].as_array().unwrap();
        files.iter().map(|file| file["path"].as_str().unwrap().to_owned()).collect()
    }

    fn pointed(&self, pattern: &str, path: Option<&str>) -> String {
        match self.glob(pattern, path) {
            Err(ToolError::InvalidInput(error)) => error.pointer,
            other => panic!("{pattern} {path:?}: {other:?}"),
        }
    }
}

fn data_of(outcome: &Outcome) -> Value {
    serde_json::from_str(outcome.data.as_ref().unwrap()).unwrap()
}

#[test]
fn the_newest_come_first() {
    let here = here(&["old.RS", "src/mid.rs", "Makefile", "new.md"]);
    let outcome = here.glob("**", None).unwrap();
    assert_eq!(outcome.parts, [Part::Text("new.md\nMakefile\nsrc/mid.rs\nold.RS".into())]);
    assert_eq!(
        data_of(&outcome),
        json!({
            "total": 4,
            "truncated": false,
            "files": [
                {"path": "new.md", "bytes": 1, "modified": "2001-09-09T01:46:43Z"},
                {"path": "Makefile", "bytes": 1, "modified": "2001-09-09T01:46:42Z"},
                {"path": "src/mid.rs", "bytes": 1, "modified": "2001-09-09T01:46:41Z"},
                {"path": "old.RS", "bytes": 1, "modified": "2001-09-09T01:46:40Z"},
            ],
            "extensions": [
                {"extension": "rs", "files": 2, "bytes": 2},
                {"extension": "", "files": 1, "bytes": 1},
                {"extension": "md", "files": 1, "bytes": 1},
            ],
        })
    );
}

#[test]
fn patterns_mean_what_models_expect() {
    let here = here(&["a.rs", "src/b.rs", "src/in/c.rs", "src/in/d.ts", "web/e.tsx"]);
    for (pattern, path, expected) in [
        ("*.rs", None, "src/in/c.rs src/b.rs a.rs"),
        ("./*.rs", None, "src/in/c.rs src/b.rs a.rs"),
        ("**/*.rs", None, "src/in/c.rs src/b.rs a.rs"),
        ("src/*.rs", None, "src/b.rs"),
        ("src/**/*.rs", None, "src/in/c.rs src/b.rs"),
        ("src/", None, "src/in/d.ts src/in/c.rs src/b.rs"),
        ("src/b.rs", None, "src/b.rs"),
        ("s*/b.rs", None, "src/b.rs"),
        ("/workspace/src/*.rs", None, "src/b.rs"),
        ("*.{ts,tsx}", None, "web/e.tsx src/in/d.ts"),
        ("*.rs", Some("src/in"), "src/in/c.rs"),
        ("in/*.ts", Some("/workspace/src"), "src/in/d.ts"),
        ("*.py", None, ""),
        ("none/*.py", None, ""),
        ("a.rs/*.py", None, ""),
    ] {
        let expected: Vec<_> = expected.split_whitespace().collect();
        assert_eq!(here.found(pattern, path), expected, "{pattern} {path:?}");
    }
    let outcome = here.glob("*.py", None).unwrap();
    assert_eq!(outcome.parts, [Part::Text("no file matches `*.py`".into())]);
}

#[test]
fn hidden_and_ignored_files_come_when_named() {
    let here = here(&[".env", ".ci/x.yml", "out/x.yml", ".git/x.yml", "a/.git/x.yml", "x.yml"]);
    fs::write(here.project.workspace().join(".gitignore"), "/out\n").unwrap();
    assert_eq!(here.found("**/*.yml", None), ["x.yml"]);
    assert_eq!(here.found(".ci/*.yml", None), [".ci/x.yml"]);
    assert_eq!(here.found("{.ci,out}/*.yml", None), [".ci/x.yml"]);
    assert_eq!(here.found(".env", None), [".env"]);
    assert_eq!(here.found("out/*", None), ["out/x.yml"]);
    assert_eq!(here.pointed(".git/*", None), "/pattern");
    assert_eq!(here.pointed("*", Some("a/.git")), "/path");
}

#[test]
fn scratch_files_are_found_under_their_names() {
    let here = here(&[]);
    fs::write(here._directory.path().join("tmp/x.log"), "").unwrap();
    assert_eq!(here.found("*.log", Some("/tmp")), ["/tmp/x.log"]);
    assert_eq!(here.found("/tmp/*.log", None), ["/tmp/x.log"]);
}

#[test]
fn wrong_values_are_pointed_at() {
    let here = here(&["file"]);
    assert_eq!(here.pointed("", None), "/pattern");
    assert_eq!(here.pointed("[", None), "/pattern");
    assert_eq!(here.pointed("../*", None), "/pattern");
    assert_eq!(here.pointed("/etc/*", None), "/pattern");
    assert_eq!(here.pointed(&"a".repeat(PATTERN_BYTES_MAX + 1), None), "/pattern");
    assert_eq!(here.pointed("*", Some("/etc")), "/path");
    assert_eq!(here.pointed("*", Some("file")), "/path");
    assert!(matches!(here.glob("*", Some("none")), Err(ToolError::Failed(_))));
}

#[test]
fn only_the_newest_are_kept() {
    let mut found = Found::default();
    for number in 0..FILES_MAX as u64 + 2 {
        let modified = UNIX_EPOCH + Duration::from_secs(number % 7);
        found.add(File { path: format!("{number:04}.x{number}"), bytes: 2, modified });
    }
    let outcome = found.outcome("**", Vec::new()).unwrap();
    assert!(outcome.truncated);
    let data = data_of(&outcome);
    assert_eq!((&data["total"], &data["truncated"]), (&json!(1002), &json!(true)));
    let files = data["files"].as_array().unwrap();
    assert_eq!(files.len(), FILES_MAX);
    assert_eq!(files[0]["path"], "0006.x6");
    // Of those that are oldest, the last by name gave way.
    assert_eq!(files[FILES_MAX - 1]["path"], "0987.x987");
    assert_eq!(data["extensions"].as_array().unwrap().len(), EXTENSIONS_MAX);
}
