use super::*;
use std::fs;

use tool_kit::Part;

struct Here {
    _directory: tempfile::TempDir,
    project: Project,
}

fn here(content: &str) -> Here {
    let directory = tempfile::tempdir().unwrap();
    let project = Project::within(directory.path());
    fs::write(project.workspace().join("a.txt"), content).unwrap();
    Here { _directory: directory, project }
}

impl Here {
    fn edit(&self, old: &str, new: &str, all: bool) -> Result {
        let input = EditInput {
            file_path: "a.txt".into(),
            old_string: old.into(),
            new_string: new.into(),
            replace_all: Some(all),
        };
        edit(&self.project, input)
    }

    fn edits(&self, edits: &[(&str, &str)]) -> Result {
        let edit = |(old, new): &(&str, &str)| Edit {
            old_string: (*old).into(),
            new_string: (*new).into(),
            replace_all: None,
        };
        let edits = edits.iter().map(edit).collect();
        multi_edit(&self.project, MultiEditInput { file_path: "a.txt".into(), edits })
    }

    fn content(&self) -> String {
        fs::read_to_string(self.project.workspace().join("a.txt")).unwrap()
    }
}

fn failed(result: Result) -> String {
    match result {
        Err(ToolError::Failed(message)) => message,
        other => panic!("{other:?}"),
    }
}

fn pointed(result: Result) -> String {
    match result {
        Err(ToolError::InvalidInput(error)) => error.pointer,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_edit_is_made_and_shown() {
    let here = here("1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    let outcome = here.edit("5\n", "five\nfünf\n", false).unwrap();
    assert_eq!(here.content(), "1\n2\n3\n4\nfive\nfünf\n6\n7\n8\n9\n");
    assert_eq!(outcome.data.as_deref(), Some(r#"{"path":"a.txt","replacements":1}"#));
    let numbered = |(number, line)| format!("\n{number:>6}\t{line}");
    let around: String = (2..).zip("2 3 4 five fünf 6 7 8 9".split(' ')).map(numbered).collect();
    assert_eq!(outcome.parts, [Part::Text(format!("made 1 replacement in `a.txt`{around}"))]);
}

#[test]
fn an_edit_must_be_unique_or_for_all() {
    let here = here("x\ny\nx\n");
    let message = failed(here.edit("x", "z", false));
    assert!(message.starts_with("`old_string` occurs 2 times in `a.txt`, on lines 1, 3: add"), "{message}");
    assert_eq!(here.content(), "x\ny\nx\n");
    let outcome = here.edit("x", "z", true).unwrap();
    assert_eq!(outcome.data.as_deref(), Some(r#"{"path":"a.txt","replacements":2}"#));
    assert_eq!(here.content(), "z\ny\nz\n");
}

#[test]
fn a_text_that_is_not_there_is_explained() {
    let here = here("fn a() {\n    run();\n}\n");
    let message = failed(here.edit("nothing", "x", false));
    assert!(message.contains("does not occur in `a.txt`: read the file again"), "{message}");
    let message = failed(here.edit("\trun();\n", "x", false));
    assert!(message.contains("white space around it, on line 2: read there"), "{message}");
}

#[test]
fn edits_that_change_nothing_are_pointed_at() {
    let here = here("x");
    assert_eq!(pointed(here.edit("x", "x", false)), "/new_string");
    assert_eq!(pointed(here.edit("", "x", false)), "/old_string");
    assert_eq!(pointed(here.edits(&[("x", "y"), ("y", "y")])), "/edits/1/new_string");
    assert_eq!(pointed(here.edits(&[("x", "y"), ("", "y")])), "/edits/1/old_string");
    assert_eq!(pointed(here.edits(&[])), "/edits");
    assert_eq!(pointed(here.edits(&vec![("x", "y"); EDITS_MAX + 1])), "/edits");
    assert_eq!(here.content(), "x");
}

#[test]
fn line_ends_and_byte_order_marks_stay() {
    let here = here("\u{feff}a\r\nb\r\n");
    here.edit("a\nb\n", "c\nd\ne\n", false).unwrap();
    assert_eq!(here.content(), "\u{feff}c\r\nd\r\ne\r\n");
}

#[test]
fn several_edits_build_on_each_other() {
    let here = here("a b");
    let outcome = here.edits(&[("a", "b c"), ("b c", "d")]).unwrap();
    assert_eq!(here.content(), "d b");
    assert_eq!(outcome.data.as_deref(), Some(r#"{"path":"a.txt","replacements":2}"#));
}

#[test]
fn several_edits_are_made_all_or_not_at_all() {
    let here = here("a b");
    let message = failed(here.edits(&[("a", "c"), ("a", "d")]));
    assert!(message.starts_with("edit 2 of 2, so none was made: `old_string` does not occur"), "{message}");
    assert_eq!(here.content(), "a b");
}

#[test]
fn what_cannot_be_edited_is_named() {
    let here = here("x");
    let at = |file_path: &str| {
        let input = EditInput {
            file_path: file_path.into(),
            old_string: "x".into(),
            new_string: "y".into(),
            replace_all: None,
        };
        edit(&here.project, input)
    };
    assert_eq!(pointed(at("../a.txt")), "/file_path");
    assert_eq!(failed(at("b.txt")), "there is no `b.txt`: did you mean `a.txt`?");
    assert_eq!(failed(at(".")), "`.` is a directory: name a file");
    fs::write(here.project.workspace().join("large"), vec![b'x'; FILE_BYTES_MAX + 1]).unwrap();
    assert!(failed(at("large")).contains("larger than the 16,777,216 bytes"));
}

#[test]
fn a_snippet_is_bounded() {
    let here = here("x");
    let outcome = here.edit("x", &"line\n".repeat(1000), false).unwrap();
    let [Part::Text(text)] = outcome.parts.as_slice() else { panic!("{outcome:?}") };
    assert_eq!(text.lines().count(), 1 + SNIPPET_LINES_MAX);
}
