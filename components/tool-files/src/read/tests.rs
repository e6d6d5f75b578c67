use super::*;
use std::fs;
use std::os::unix::net::UnixListener;

use serde_json::Value;
use tool_kit::{Image, Part};

struct Here {
    _directory: tempfile::TempDir,
    project: Project,
}

fn here(files: &[(&str, &[u8])]) -> Here {
    let directory = tempfile::tempdir().unwrap();
    let project = Project::within(directory.path());
    for (path, content) in files {
        fs::write(project.workspace().join(path), content).unwrap();
    }
    Here { _directory: directory, project }
}

impl Here {
    fn read(&self, path: &str, offset: Option<u64>, limit: Option<u64>) -> Result {
        read(&self.project, ReadInput { file_path: path.into(), offset, limit })
    }

    fn refused(&self, path: &str) -> String {
        match self.read(path, None, None) {
            Err(ToolError::Failed(message)) => message,
            other => panic!("{other:?}"),
        }
    }
}

fn said(outcome: &Outcome) -> &str {
    match outcome.parts.as_slice() {
        [Part::Text(text)] => text,
        other => panic!("{other:?}"),
    }
}

fn data_of(outcome: &Outcome) -> Value {
    serde_json::from_str(outcome.data.as_ref().unwrap()).unwrap()
}

#[test]
fn lines_are_numbered() {
    let here = here(&[("a", b"one\r\ntwo\n\nfour"), ("bom", b"\xef\xbb\xbfx\n")]);
    let outcome = here.read("a", None, None).unwrap();
    assert_eq!(said(&outcome), "     1\tone\n     2\ttwo\n     3\t\n     4\tfour");
    assert!(!outcome.truncated);
    assert_eq!(outcome.data.unwrap(), r#"{"path":"a","first_line":1,"lines":4,"total_lines":4,"bytes":14}"#);
    assert_eq!(said(&here.read("bom", None, None).unwrap()), "     1\tx");
}

#[test]
fn a_part_is_read_and_the_rest_is_announced() {
    let here = here(&[("a", b"1\n2\n3\n4\n5\n")]);
    let outcome = here.read("/workspace/a", Some(2), Some(2)).unwrap();
    assert_eq!(said(&outcome), "     2\t2\n     3\t3\n[lines 2 to 3 of 5: read on with offset 4]");
    // It is what was asked for.
    assert!(!outcome.truncated);
    assert_eq!(data_of(&outcome)["total_lines"], 5);
    let outcome = here.read("a", Some(5), Some(9)).unwrap();
    assert_eq!(said(&outcome), "     5\t5");
}

#[test]
fn the_first_lines_come_by_themselves() {
    let content = "x\n".repeat(LINES_DEFAULT as usize + 1);
    let here = here(&[("a", content.as_bytes())]);
    let outcome = here.read("a", None, None).unwrap();
    assert!(said(&outcome).ends_with("2000\tx\n[lines 1 to 2,000 of 2,001: read on with offset 2001]"));
    assert!(outcome.truncated);
    assert_eq!(data_of(&outcome)["lines"], LINES_DEFAULT);
}

#[test]
fn long_lines_and_large_texts_are_cut() {
    let line = "é".repeat(LINE_CHARS_MAX + 1);
    let many = format!("{}\n", "y".repeat(LINE_CHARS_MAX)).repeat(300);
    let here = here(&[("line", line.as_bytes()), ("many", many.as_bytes())]);
    let outcome = here.read("line", None, None).unwrap();
    assert!(said(&outcome).ends_with("é… [cut: the line has 4,002 bytes]"));
    assert!(outcome.truncated);
    let outcome = here.read("many", None, Some(300)).unwrap();
    let data = data_of(&outcome);
    let shown = data["lines"].as_u64().unwrap();
    assert!(outcome.truncated && shown < 300 && said(&outcome).len() < TEXT_BYTES_MAX + 100);
    assert_eq!(data["total_lines"], 300);
    assert!(said(&outcome).ends_with(&format!("read on with offset {}]", shown + 1)));
}

/// Lines that end where buffers do, and lines longer than buffers, are counted once.
#[test]
fn lines_are_counted_across_buffers() {
    for size in [1, 2, 3, 7, 64] {
        for content in ["a\nbb\nccc\n", "a\nbb\nccc", "\n\n\n", "aaaaaaaa", "aaaaaaaa\n\nb"] {
            for first in 1..=3 {
                let source = BufReader::with_capacity(size, content.as_bytes());
                let page = Page::read(source, first, 1).unwrap();
                let lines: Vec<&str> = content.lines().collect();
                assert_eq!(page.total, lines.len() as u64, "{content:?} in {size}");
                let expected =
                    lines.get(first as usize - 1).map(|line| format!("{first:>6}\t{line}")).unwrap_or_default();
                assert_eq!(page.text.finish(&[]), expected, "{content:?} in {size}");
            }
        }
    }
}

#[test]
fn what_is_kept_of_a_line_is_bounded() {
    let mut line = Line::default();
    for _ in 0..100 {
        line.push(&[b'x'; 1000], true);
    }
    assert_eq!((line.start.len(), line.bytes), (LINE_BYTES_MAX, 100_000));
}

#[test]
fn an_empty_file_says_so() {
    let here = here(&[("a", b"")]);
    let outcome = here.read("a", None, None).unwrap();
    assert_eq!(said(&outcome), "`a` is empty");
    assert_eq!(data_of(&outcome)["total_lines"], 0);
}

#[test]
fn wrong_numbers_are_pointed_at() {
    let here = here(&[("a", b"1\n2\n"), ("empty", b"")]);
    for (path, offset, limit, pointer) in [
        ("a", Some(0), None, "/offset"),
        ("a", None, Some(0), "/limit"),
        ("a", Some(3), None, "/offset"),
        ("a", Some(u64::MAX), Some(u64::MAX), "/offset"),
        ("empty", Some(2), None, "/offset"),
        ("/etc/hosts", None, None, "/file_path"),
    ] {
        match here.read(path, offset, limit) {
            Err(ToolError::InvalidInput(error)) => assert_eq!(error.pointer, pointer, "{error:?}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(said(&here.read("a", Some(2), Some(u64::MAX)).unwrap()), "     2\t2");
}

#[test]
fn images_are_shown_up_to_a_size() {
    let png = b"\x89PNG\r\n\x1a\n and so on";
    let mut large = png.to_vec();
    large.resize(IMAGE_BYTES_MAX as usize, 0);
    let here = here(&[("a.txt", png), ("fits.png", &large)]);
    let outcome = here.read("a.txt", None, None).unwrap();
    let image = Image { media_type: "image/png".into(), bytes: png.to_vec() };
    assert_eq!(outcome.parts, [Part::Text("`a.txt`: image/png, 18 bytes".into()), Part::Image(image)]);
    assert!(here.read("fits.png", None, None).is_ok());
    large.push(0);
    fs::write(here.project.workspace().join("large.png"), large).unwrap();
    assert!(here.refused("large.png").contains("larger than the 5,242,880 bytes"));
}

#[test]
fn other_binaries_are_refused_in_a_sentence() {
    let here = here(&[("a.bin", b"ab\0c"), ("b.txt", b"\xff\xfea\0"), ("c.pdf", b"%PDF-1.7")]);
    assert!(here.refused("a.bin").starts_with("`a.bin` is a binary file (4 bytes), which"));
    assert!(here.refused("b.txt").starts_with("`b.txt` is UTF-16 text"));
    assert!(here.refused("c.pdf").starts_with("`c.pdf` is a PDF document"));
}

#[test]
fn what_is_no_file_is_named() {
    let here = here(&[("main.rs", b"")]);
    assert_eq!(here.refused("."), "`.` is a directory: use ListDir");
    assert_eq!(here.refused("mian.rs"), "there is no `mian.rs`: did you mean `main.rs`?");
    let _socket = UnixListener::bind(here.project.workspace().join("socket")).unwrap();
    assert_eq!(here.refused("socket"), "`socket` is not a regular file");
}
