//! Projects that exist only as results.

use serde_json::{Value, json};

/// Numbered as Read numbers them.
pub fn numbered(first: usize, lines: &[&str]) -> String {
    let lines: Vec<String> =
        lines.iter().enumerate().map(|(index, line)| format!("{:>6}\t{line}", first + index)).collect();
    lines.join("\n")
}

/// A file as Grep lists it.
pub fn file(path: &str, bytes: u64, modified: &str, matches: u64) -> Value {
    json!({"path": path, "bytes": bytes, "modified": modified, "matches": matches})
}

/// A script of the shell, which printed this.
fn script(printed: &str) -> (String, Value) {
    (printed.into(), json!({"status": 0, "killed": null}))
}

/// Which of the demo's two pipelines a call of Bash is: the one that counts lines, or that which looks for copies.
fn counts_lines(input: &Value) -> bool {
    let command = input["command"].as_str().expect("a command");
    assert_ne!(command.starts_with("rg --count "), command.starts_with("rg --files "), "{command}");
    command.starts_with("rg --count ")
}

/// A project of 101,234 files with markers in three of them.
pub fn normal(tool: &str, input: &Value) -> Result<(String, Value), String> {
    let text = |path: &str| input[path].as_str().unwrap_or_default().to_owned();
    Ok(match (tool, text("path").as_str(), text("file_path").as_str()) {
        ("Glob", ..) => (
            "…".into(),
            json!({
                "total": 101_234, "truncated": true,
                "files": [{"path": "src/new.rs", "bytes": 10, "modified": "2026-11-20T10:00:00Z"}],
                "extensions": [
                    {"extension": "js", "files": 100_000, "bytes": 512_000_000},
                    {"extension": "rs", "files": 1_000, "bytes": 4_000_000},
                    {"extension": "tsx", "files": 120, "bytes": 900_000},
                    {"extension": "mjs", "files": 80, "bytes": 8_000},
                    {"extension": "", "files": 30, "bytes": 3_000},
                    {"extension": "xyz", "files": 4, "bytes": 1_048_576},
                ],
            }),
        ),
        ("ListDir", ..) => (
            "…".into(),
            json!({"path": ".", "entries": [
                {"name": "README", "kind": "directory"}, {"name": "README.de.md", "kind": "file"},
                {"name": "README.md", "kind": "file"}, {"name": "src", "kind": "directory"}]}),
        ),
        ("Grep", "src/big \"one\".rs", _) => {
            assert_eq!((input["output_mode"].as_str(), input["head_limit"].as_u64()), (Some("content"), Some(1)));
            ("…".into(), json!({"lines": [{"path": "src/big \"one\".rs", "line": 42, "text": "// TODO: prune"}]}))
        }
        ("Grep", "old.py", _) => {
            ("…".into(), json!({"lines": [{"path": "old.py", "line": 2, "text": "    # FIXME: wilts"}]}))
        }
        ("Grep", ..) => {
            assert_eq!(input["pattern"], r"\b(TODO|FIXME)\b");
            let files = [
                file("new.rs", 700, "2026-01-03T00:00:00Z", 1),
                file("src/big \"one\".rs", 48_000, "2026-01-02T00:00:00Z", 7),
                file("old.py", 90, "2019-05-06T07:08:09Z", 2),
            ];
            ("…".into(), json!({"total_files": 1_300, "total_matches": 4_810, "truncated": true, "files": files}))
        }
        ("Read", _, "README.md") => {
            let text = numbered(1, &["# Ferns", "", "Grows\tthem."]) + "\n[lines 1 to 3 of 40: read on with offset 4]";
            (text, json!({"path": "README.md", "first_line": 1, "lines": 3, "total_lines": 40}))
        }
        ("Read", _, path) => {
            assert_eq!((path, &input["offset"], &input["limit"]), ("src/big \"one\".rs", &json!(39), &json!(7)));
            let lines = ["fn grow() {", "    water();", "    light();", "    // TODO: prune", "}"];
            (numbered(39, &lines), json!({"path": path, "first_line": 39, "lines": 5, "total_lines": 900}))
        }
        ("Bash", ..) if counts_lines(input) => script("1234567\t9000\tsrc/big \"one\".rs\n"),
        ("Bash", ..) => script("3\t2048\na.rs\tb.rs\tc d.rs\ne.md\tf.md\n"),
        other => panic!("{other:?}"),
    })
}

/// A project of so many files, with the given result of the first Grep.
pub fn small(tool: &str, input: &Value, files: u64, names: Value, markers: Value) -> Result<(String, Value), String> {
    let extensions = if files == 0 { json!([]) } else { json!([{"extension": "md", "files": files, "bytes": 100}]) };
    match tool {
        "Glob" => Ok(("…".into(), json!({"total": files, "files": [], "extensions": extensions}))),
        "ListDir" => Ok(("…".into(), json!({"path": ".", "entries": names}))),
        "Grep" => Ok(("…".into(), markers)),
        "Bash" => Ok(script(if counts_lines(input) { "0\t0\t\n" } else { "0\t0\n" })),
        other => panic!("{other} is not called here"),
    }
}

/// A Grep that found nothing.
pub fn none() -> Value {
    json!({"total_files": 0, "total_matches": 0, "truncated": false, "files": []})
}
