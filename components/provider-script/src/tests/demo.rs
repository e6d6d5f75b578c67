//! The demo scenario against projects that exist only here.

use serde_json::{Value, json};

use super::*;

mod projects;

use projects::{file, none, normal, numbered, small};

/// How the demo's scripts begin.
const SCRIPTS: &str = "Bash rg --count --sort path '' 2> /dev/null | awk -F: ', \
     Bash rg --files --sort path 2> /dev/null | python3 -c '";

const DEMO: &str = include_str!("../../../../bundles/default/demo.json");

/// What a run showed: a line of text for each turn, the calls as `Tool input`, the answer.
struct Run {
    said: Vec<String>,
    calls: Vec<Vec<(String, Value)>>,
    /// What was written to `REPORT.md`.
    written: Option<String>,
    answer: String,
}

type Tool<'a> = &'a dyn Fn(&str, &Value) -> Result<(String, Value), String>;

/// Plays one prompt to its end, as an agent would.
fn play(player: &mut Player, messages: &mut Vec<Message>, tool: Tool) -> Run {
    let mut run = Run { said: Vec::new(), calls: Vec::new(), written: None, answer: String::new() };
    messages.push(user("What is in this project?"));
    for _ in 0..10 {
        let answer = answer(player, &request(messages.clone())).expect("an answer");
        if answer.stop == Some(StopReason::EndTurn) {
            assert_eq!(answer.calls, []);
            messages.push(assistant(&[]));
            run.answer = answer.text;
            return run;
        }
        let ids: Vec<&str> = answer.calls.iter().map(|(id, ..)| id.as_str()).collect();
        messages.push(assistant(&ids));
        let mut calls = Vec::new();
        for (_, name, input) in &answer.calls {
            let input: Value = serde_json::from_str(input).unwrap_or_else(|error| panic!("{input}: {error}"));
            if name == "Write" {
                assert_eq!(input["file_path"], "REPORT.md");
                run.written = input["content"].as_str().map(str::to_owned);
                messages.push(result(name, "created", None));
                continue;
            }
            messages.push(match tool(name, &input) {
                Ok((text, data)) => result(name, &text, Some(&data.to_string())),
                Err(error) => failed(name, &error),
            });
            calls.push((name.clone(), input));
        }
        if !calls.is_empty() {
            run.calls.push(calls);
        }
        run.said.push(answer.text);
    }
    panic!("the demo does not end");
}

fn run(tool: Tool) -> Run {
    play(&mut player(DEMO), &mut Vec::new(), tool)
}

/// `Tool subject` of every call, a line for each turn.
fn calls(run: &Run) -> Vec<String> {
    let subject = |(tool, input): &(String, Value)| {
        let subject = ["file_path", "path", "pattern", "command"].iter().find_map(|key| input[*key].as_str());
        format!("{tool} {}", subject.and_then(|subject| subject.lines().next()).expect("a subject"))
    };
    run.calls.iter().map(|calls| calls.iter().map(subject).collect::<Vec<_>>().join(", ")).collect()
}

#[test]
fn a_normal_project() {
    let run = run(&normal);
    assert_eq!(
        calls(&run),
        [
            r"Glob **/*, ListDir ., Grep \b(TODO|FIXME)\b",
            "Grep src/big \"one\".rs, Grep old.py, Read README.md",
            "Read src/big \"one\".rs",
            SCRIPTS,
        ]
    );
    assert_eq!(
        run.said[1],
        "101,234 files, 4,810 markers. I look closer at the beginning of README.md and the largest and the oldest \
         marked files."
    );
    let expected = "\
# Project at a glance

101,234 files, 494.0 MiB, 3 languages and formats.

| Language     |     Files |       Size |
| :----------- | --------: | ---------: |
| JavaScript   |   100,080 |  488.3 MiB |
| Rust         |     1,000 |    3.8 MiB |
| TypeScript   |       120 |  878.9 KiB |
| Other        |        34 |    1.0 MiB |

1,234,567 lines of text. The longest file is `src/big \"one\".rs`, 9,000 lines.

Last changed: `src/new.rs` on 2026-11-20.

## TODO and FIXME

4,810 markers in 1,300 files. Of these files I compared 3.

- Largest: `src/big \"one\".rs`, 46.9 KiB, 7 markers, last changed 2026-01-02
- Oldest:  `old.py`, 90 B, 2 markers, last changed 2019-05-06

The first one in `src/big \"one\".rs`:

       39  fn grow() {
       40      water();
       41      light();
       42      // TODO: prune
       43  }

The first one in `old.py`:

        2  # FIXME: wilts

## Files that are the same

3 files are copies of another, 2.0 KiB.

- `a.rs`, `b.rs`, `c d.rs`
- `e.md`, `f.md`

## How README.md begins

> # Ferns
>
> Grows\tthem.

---
The same is in `REPORT.md`, in a layer over the project; the project itself is as it was until you commit it.
This was the demo: a scenario without a model, all from tool results.";
    assert_eq!(run.answer, expected, "\n{}", run.answer);
    let (report, _) = expected.split_once("\n\n---\n").expect("a report");
    assert_eq!(run.written, Some(format!("{report}\n")));
}

#[test]
fn an_empty_project() {
    let empty = run(&|tool, input| small(tool, input, 0, json!([]), none()));
    assert_eq!(empty.calls.len(), 1);
    let report = "# Project at a glance\n\nThere is no file here to look at.\n\n---\n";
    assert!(empty.answer.starts_with(report), "{}", empty.answer);
    let hidden = run(&|tool, input| small(tool, input, 0, json!([{"name": ".git", "kind": "directory"}]), none()));
    assert_eq!((empty.written, hidden.written.as_ref()), (None, None), "there is nothing to report");
    assert!(hidden.answer.contains("to look at, only hidden or ignored ones."), "{}", hidden.answer);
}

#[test]
fn a_project_without_markers_or_readme() {
    let run = run(&|tool, input| small(tool, input, 1, json!([{"name": "a.md", "kind": "file"}]), none()));
    assert_eq!(calls(&run)[1..], [SCRIPTS], "there is nothing more to look at");
    let report = "\
# Project at a glance

1 file, 100 B, 1 language or format.

| Language     |     Files |       Size |
| :----------- | --------: | ---------: |
| Markdown     |         1 |      100 B |

## TODO and FIXME

None. Either all is done, or it is written elsewhere.

## Files that are the same

None.

---
";
    assert!(run.answer.starts_with(report), "{}", run.answer);
}

#[test]
fn a_readme_that_is_the_only_marked_file() {
    let tool = |tool: &str, input: &Value| {
        let text = |lines: &[&str], first| {
            let data = json!({"path": "readme.txt", "first_line": first, "lines": lines.len(), "total_lines": 3});
            Ok((numbered(first, lines), data))
        };
        match (tool, &input["offset"]) {
            ("Read", Value::Null) => text(&["Hello", "TODO: write", "Bye"], 1),
            ("Read", offset) => text(&["Hello", "TODO: write", "Bye"], offset.as_u64().expect("a line") as usize),
            ("Grep", _) => {
                let files = [file("readme.txt", 30, "2026-01-02T00:00:00Z", 1)];
                let lines = [json!({"path": "readme.txt", "line": 2, "text": "TODO: write"})];
                Ok(("…".into(), json!({"total_files": 1, "total_matches": 1, "files": files, "lines": lines})))
            }
            _ => small(tool, input, 1, json!([{"name": "readme.txt", "kind": "file"}]), none()),
        }
    };
    let run = run(&tool);
    assert_eq!(calls(&run)[1..], ["Grep readme.txt, Read readme.txt", "Read readme.txt", SCRIPTS]);
    assert!(run.said[1].ends_with("the beginning of readme.txt and the largest marked file."), "{}", run.said[1]);
    let report = "\
1 marker in 1 file.

- Largest: `readme.txt`, 30 B, 1 marker, last changed 2026-01-02

The first one in `readme.txt`:

        1  Hello
        2  TODO: write
        3  Bye

## Files that are the same

None.

## How readme.txt begins

> Hello
> TODO: write
> Bye

---
";
    assert!(run.answer.contains(report), "{}", run.answer);
}

#[test]
fn refused_tools_are_reported_not_hidden() {
    let run = run(&|tool, _| Err(format!("{tool} needs files:read")));
    assert_eq!(run.calls.len(), 1);
    assert!(run.answer.contains("I could not list the files: Glob needs files:read.\n"), "{}", run.answer);
    assert!(run.answer.contains("I could not search for markers: Grep needs files:read.\n"), "{}", run.answer);
}

#[test]
fn scripts_that_fail_are_reported_not_hidden() {
    let run = run(&|tool, input| match tool {
        "Bash" => Ok(("python3: command not found\n".into(), json!({"status": 127, "killed": null}))),
        _ => small(tool, input, 1, json!([]), none()),
    });
    let written = run.written.expect("a report");
    assert!(written.contains("I could not count lines: the script ended with status 127.\n"), "{written}");
    assert!(written.contains("I could not look for copies: the script ended with status 127.\n"), "{written}");
}

#[test]
fn each_prompt_of_a_session_gets_its_own_report() {
    let (mut player, mut messages) = (player(DEMO), Vec::new());
    let first = play(&mut player, &mut messages, &normal);
    let second = play(&mut player, &mut messages, &|tool, input| small(tool, input, 0, json!([]), none()));
    assert!(second.answer.contains("There is no file here"), "{}", second.answer);
    assert_eq!(play(&mut player, &mut messages, &normal).answer, first.answer);
    let resumed = play(&mut self::player(DEMO), &mut messages, &normal);
    assert_eq!(resumed.answer, first.answer);
}

/// The largest results that the tools give.
#[test]
fn a_huge_project_stays_within_the_bounds() {
    let tool = |tool: &str, input: &Value| {
        let name = |number: u64| format!("a/rather/long/path/to/a/file/number/{number:06}.e{number}");
        let files: Vec<Value> = (0..1000).map(|n| file(&name(n), n, "2026-01-02T00:00:00Z", 1)).collect();
        match (tool, input["path"].as_str()) {
            ("Glob", _) => {
                let extensions: Vec<Value> =
                    (0..1000).map(|n| json!({"extension": format!("e{n}"), "files": 100, "bytes": 5})).collect();
                Ok(("…".into(), json!({"total": 100_000, "files": files, "extensions": extensions})))
            }
            ("ListDir", _) => {
                let entries: Vec<Value> = (0..2000).map(|n| json!({"name": name(n), "kind": "file"})).collect();
                Ok(("…".into(), json!({"entries": entries})))
            }
            ("Grep", None) => Ok(("…".into(), json!({"total_files": 1000, "total_matches": 1000, "files": files}))),
            _ => Err("gone".into()),
        }
    };
    let run = run(&tool);
    assert_eq!(calls(&run)[2..], [SCRIPTS], "no marker was read, so there are no lines around it");
    assert!(run.answer.contains("I could not count lines: gone.\n"), "{}", run.answer);
    assert!(run.answer.contains("I could not look for copies: gone.\n"), "{}", run.answer);
    assert!(run.answer.contains("| Other        |   100,000 |    4.9 KiB |"), "{}", run.answer);
    assert!(run.answer.contains("000999.e999`"), "{}", run.answer);
}
