use super::*;
use std::fs;

use tool_kit::Part;

struct Here {
    _directory: tempfile::TempDir,
    project: Project,
}

fn here(files: &[(&str, &[u8])]) -> Here {
    let directory = tempfile::tempdir().unwrap();
    let project = Project::within(directory.path());
    for (path, content) in files {
        let path = project.workspace().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    Here { _directory: directory, project }
}

const FILES: &[(&str, &[u8])] = &[
    ("a.rs", b"fn one() {}\nfn two() {}\n// end\n"),
    ("lib/b.py", b"def one():\n    pass\n"),
    ("lib/c.rs", b"fn three() {}\r\nlet x = 1;\r\n"),
    (".hidden", b"fn one\n"),
    ("binary", b"fn one\nfn \0"),
];

impl Here {
    fn grep(&self, input: Value) -> Result {
        grep(&self.project, tool_kit::parse(&input.to_string()).unwrap())
    }

    fn said(&self, input: Value) -> String {
        match self.grep(input.clone()).unwrap().parts.as_slice() {
            [Part::Text(text)] => text.clone(),
            other => panic!("{input}: {other:?}"),
        }
    }

    fn data(&self, input: Value) -> Value {
        serde_json::from_str(&self.grep(input).unwrap().data.unwrap()).unwrap()
    }

    fn pointed(&self, input: Value) -> (String, String) {
        match self.grep(input.clone()) {
            Err(ToolError::InvalidInput(error)) => (error.pointer, error.message),
            other => panic!("{input}: {other:?}"),
        }
    }
}

#[test]
fn files_with_matches_are_listed() {
    let here = here(FILES);
    assert_eq!(here.said(json!({"pattern": r"one\("})), "a.rs\nlib/b.py");
    assert_eq!(here.said(json!({"pattern": "nowhere"})), "no matches");
    let data = here.data(json!({"pattern": "^fn "}));
    assert_eq!((&data["total_files"], &data["total_matches"]), (&json!(2), &json!(3)));
    assert_eq!(data["truncated"], json!(false));
    assert_eq!(data["files"][0]["path"], "a.rs");
    assert_eq!(data["files"][0]["matches"], 2);
    assert_eq!(data["files"][0]["bytes"], 31);
    assert!(data["files"][0]["modified"].as_str().unwrap().ends_with('Z'));
    assert!(data.get("lines").is_none());
}

#[test]
fn matches_are_counted() {
    let here = here(FILES);
    let input = json!({"pattern": "^fn ", "output_mode": "count"});
    assert_eq!(here.said(input), "a.rs:2\nlib/c.rs:1");
}

#[test]
fn content_is_shown_with_its_context() {
    let here = here(FILES);
    let content = |mut input: Value| {
        input["output_mode"] = "content".into();
        here.said(input)
    };
    assert_eq!(content(json!({"pattern": "one"})), "a.rs:1:fn one() {}\nlib/b.py:1:def one():");
    assert_eq!(content(json!({"pattern": "two", "-n": false})), "a.rs:fn two() {}");
    assert_eq!(
        content(json!({"pattern": "one", "-A": 1})),
        "a.rs:1:fn one() {}\na.rs-2-fn two() {}\n--\nlib/b.py:1:def one():\nlib/b.py-2-    pass"
    );
    assert_eq!(content(json!({"pattern": "end", "-B": 1})), "a.rs-2-fn two() {}\na.rs:3:// end");
    assert_eq!(content(json!({"pattern": "two", "-C": 1})), "a.rs-1-fn one() {}\na.rs:2:fn two() {}\na.rs-3-// end");
    // The narrower word wins, as with ripgrep.
    assert_eq!(content(json!({"pattern": "two", "-C": 1, "-A": 0})), "a.rs-1-fn one() {}\na.rs:2:fn two() {}");
    let data = here.data(json!({"pattern": "t", "output_mode": "content", "-C": 1, "path": "lib"}));
    assert_eq!(
        data["lines"],
        json!([
            {"path": "lib/c.rs", "line": 1, "text": "fn three() {}"},
            {"path": "lib/c.rs", "line": 2, "text": "let x = 1;"},
        ])
    );
}

#[test]
fn a_search_is_narrowed() {
    let here = here(FILES);
    for (input, expected) in [
        (json!({"pattern": "ONE", "-i": true}), "a.rs\nlib/b.py"),
        (json!({"pattern": "ONE"}), "no matches"),
        (json!({"pattern": "one", "type": "rust"}), "a.rs"),
        (json!({"pattern": "one", "type": "py"}), "lib/b.py"),
        (json!({"pattern": "one", "glob": "*.py"}), "lib/b.py"),
        (json!({"pattern": "e", "glob": "lib/*.{py,rs}"}), "lib/b.py\nlib/c.rs"),
        (json!({"pattern": "e", "glob": "*.py, *.md"}), "lib/b.py"),
        (json!({"pattern": "e", "glob": "!*.rs"}), "lib/b.py"),
        (json!({"pattern": "e", "path": "lib"}), "lib/b.py\nlib/c.rs"),
        (json!({"pattern": "e", "path": "/workspace/lib", "glob": "lib/*.rs"}), "lib/c.rs"),
        (json!({"pattern": "one", "path": ".hidden"}), ".hidden"),
        // `$` matches before CRLF.
        (json!({"pattern": "1;$"}), "lib/c.rs"),
    ] {
        assert_eq!(here.said(input.clone()), expected, "{input}");
    }
}

#[test]
fn matches_span_lines_on_demand() {
    let here = here(FILES);
    let input = json!({"pattern": "one.*two", "multiline": true, "output_mode": "content"});
    assert_eq!(here.said(input), "a.rs:1:fn one() {}\na.rs:2:fn two() {}");
    let data = here.data(json!({"pattern": r"fn|\{\}\n//", "multiline": true, "path": "a.rs"}));
    assert_eq!(data["total_matches"], 3);
    assert_eq!(here.said(json!({"pattern": "one.*two"})), "no matches");
    let (pointer, message) = here.pointed(json!({"pattern": r"\}\nfn"}));
    assert_eq!(pointer, "/pattern");
    assert!(message.ends_with("set `multiline` to true"), "{message}");
}

#[test]
fn a_binary_file_leaves_no_trace() {
    let mut large = b"fn one\n".repeat(20_000);
    large.push(0);
    let here = here(&[("a", b"fn one\n"), ("large", &large), ("z", b"fn one\n")]);
    let input = json!({"pattern": "one", "output_mode": "content", "-A": 1});
    assert_eq!(here.said(input.clone()), "a:1:fn one\n--\nz:1:fn one");
    let data = here.data(input);
    assert_eq!((&data["total_matches"], data["lines"].as_array().unwrap().len()), (&json!(2), 2));
}

#[test]
fn long_results_are_cut() {
    let long = format!("{}\n", "x".repeat(600));
    let many = "x\n".repeat(search::LINES_MAX + 1);
    let here = here(&[("long", long.as_bytes()), ("many", many.as_bytes())]);
    let input = json!({"pattern": "x", "output_mode": "content", "head_limit": 2});
    let said = here.said(input.clone());
    assert!(said.starts_with("long:1:xxx") && said.contains("x… [cut: the line has 601 bytes]\nmany:1:x\n["));
    assert!(
        said.ends_with("[not all of the 1,002 matches in 2 files are shown: narrow the search, or raise `head_limit`]")
    );
    assert!(here.grep(input.clone()).unwrap().truncated);
    let data = here.data(input);
    assert_eq!((&data["total_matches"], &data["truncated"]), (&json!(1002), &json!(true)));
    assert_eq!(data["lines"].as_array().unwrap().len(), 2);
    let data = here.data(json!({"pattern": "x", "output_mode": "content"}));
    assert_eq!(data["lines"].as_array().unwrap().len(), search::LINES_MAX);
    assert_eq!(data["truncated"], true);
    assert_eq!(here.data(json!({"pattern": "x", "head_limit": 2}))["truncated"], false);
}

#[test]
fn wrong_values_are_pointed_at() {
    let here = here(FILES);
    for (input, pointer, why) in [
        (json!({"pattern": "("}), "/pattern", "unclosed group"),
        (json!({"pattern": r"\w{1000}{1000}"}), "/pattern", "no regular expression"),
        (json!({"pattern": "a".repeat(PATTERN_BYTES_MAX + 1)}), "/pattern", "longer"),
        (json!({"pattern": "x", "type": "rs"}), "/type", "`*.rs`"),
        (json!({"pattern": "x", "type": "rustt"}), "/type", "such as rust,"),
        (json!({"pattern": "x", "glob": "[a"}), "/glob", "no pattern"),
        (json!({"pattern": "x", "path": "../x"}), "/path", "climbs out"),
        (json!({"pattern": "x", "path": ".git"}), "/path", "not searched"),
        (json!({"pattern": "x", "head_limit": 0}), "/head_limit", "1 or more"),
        (json!({"pattern": "x", "output_mode": "content", "-A": 1001}), "/-A", "at most 1000"),
    ] {
        let (at, message) = here.pointed(input.clone());
        assert_eq!(at, pointer, "{input}: {message}");
        assert!(message.contains(why), "{input}: {message}");
    }
    let missing = here.grep(json!({"pattern": "x", "path": "lob"}));
    assert_eq!(missing, Err(ToolError::failed("there is no `lob`: did you mean `lib`?")));
    let mode = tool_kit::parse::<GrepInput>(r#"{"pattern": "x", "output_mode": "lines"}"#);
    assert!(matches!(mode, Err(ToolError::InvalidInput(error)) if error.pointer == "/output_mode"));
}
