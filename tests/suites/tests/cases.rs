//! Runs `tests/cases/session` with the native host.

use std::fmt::Write;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use serde_json::{Map, Value};
use suites::compact::{blessed, compact, difference};
use suites::dist;
use suites::process::Done;
use suites::world::{World, copy};

/// Cases that run at once: they wait more than they compute.
const AT_ONCE: usize = 4;

const KEYS: [&str; 8] = ["what", "prompt", "approve", "args", "exit", "stdout_contains", "stderr_contains", "events"];

const HOW_TO_BLESS: &str = "if that is right: BLESS=1 cargo xtask test -- cases, then read the diff";

#[test]
fn session_cases() {
    let folder = dist::root().join("tests/cases/session");
    let only = std::env::var("CASE").ok();
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| only.as_ref().is_none_or(|only| only == name))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no case in {}", folder.display());
    let (waiting, failed) = (Mutex::new(names.into_iter()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(name) = waiting.lock().unwrap().next() else { break };
                    let run = || Case::read(folder.join(&name)).run();
                    let result = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
                        let message = panic.downcast::<String>().map_or("panicked, see above".to_owned(), |text| *text);
                        Err(message)
                    });
                    if let Err(problem) = result {
                        failed.lock().unwrap().push(format!("{name}: {problem}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} cases failed\n\n{}\n", failed.len(), failed.join("\n\n"));
}

struct Case {
    folder: PathBuf,
    case: Map<String, Value>,
}

impl Case {
    fn read(folder: PathBuf) -> Self {
        let text = fs::read_to_string(folder.join("case.json")).unwrap();
        let case: Map<String, Value> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let unknown = case.keys().find(|key| !KEYS.contains(&key.as_str()));
        assert_eq!(unknown, None, "{}: unknown key", folder.display());
        assert!(case.contains_key("what"), "{} does not say what it shows", folder.display());
        Self { folder, case }
    }

    fn texts(&self, key: &str) -> Vec<&str> {
        let list = self.case.get(key).and_then(Value::as_array);
        list.into_iter().flatten().map(|text| text.as_str().expect("a text")).collect()
    }

    fn text<'a>(&'a self, key: &str, default: &'a str) -> &'a str {
        self.case.get(key).and_then(Value::as_str).unwrap_or(default)
    }

    fn run(&self) -> Result<(), String> {
        let world = World::new();
        let project = self.folder.join("project");
        if project.is_dir() {
            copy(&project, &world.project());
        }
        let scenario = format!("script:{}", self.folder.join("scenario.json").display());
        let mut arguments = vec!["run", "-m", &scenario, "--approve", self.text("approve", "reads")];
        arguments.extend(self.texts("args"));
        arguments.push(self.text("prompt", "Go."));
        let done = world.wardian(&arguments);
        let session = world.session();
        let actual = compact(&session.events());
        let expected = self.case.get("events").and_then(Value::as_array).cloned().unwrap_or_default();
        if std::env::var_os("BLESS").is_some_and(|bless| !bless.is_empty()) {
            self.bless(&blessed(&expected, &actual));
        } else if let Some(difference) = difference(&expected, &actual) {
            return Err(format!("{difference}\n{HOW_TO_BLESS}\n{done}"));
        }
        if let Some(problem) = self.problem(&done) {
            return Err(format!("{problem}\n{done}"));
        }
        assert_unchanged(&project, &world.project());
        world.check(&session);
        Ok(())
    }

    fn problem(&self, done: &Done) -> Option<String> {
        let exit = self.case.get("exit").and_then(Value::as_i64);
        if done.code.map(i64::from) != exit {
            return Some(format!("exit {:?}, not {exit:?}", done.code));
        }
        let missing =
            |stream: &str, key| self.texts(key).into_iter().find(|text| !stream.contains(text)).map(str::to_owned);
        if let Some(text) = missing(&done.stdout, "stdout_contains") {
            return Some(format!("{text:?} is not on stdout"));
        }
        if let Some(text) = missing(&done.stderr, "stderr_contains") {
            return Some(format!("{text:?} is not on stderr"));
        }
        None
    }

    /// Rewrites the events, one on each line: so a diff shows what changed.
    fn bless(&self, events: &[Value]) {
        let mut text = String::from("{\n");
        for (key, value) in self.case.iter().filter(|(key, _)| *key != "events") {
            writeln!(text, "  {}: {value},", Value::from(key.as_str())).unwrap();
        }
        let events: Vec<_> = events.iter().map(|event| format!("    {event}")).collect();
        writeln!(text, "  \"events\": [\n{}\n  ]\n}}", events.join(",\n")).unwrap();
        fs::write(self.folder.join("case.json"), text).unwrap();
    }
}

/// No case may write to its project: there is no overlay yet, so nothing may.
fn assert_unchanged(before: &Path, after: &Path) {
    let list = |folder: &Path| -> Vec<(String, Vec<u8>)> {
        let mut list = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(&next).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(folder).unwrap().display().to_string();
                    list.push((name, fs::read(path).unwrap()));
                }
            }
        }
        list.sort();
        list
    };
    assert!(list(before) == list(after), "the project was changed");
}

#[test]
fn expectations_can_fail() {
    use serde_json::json;
    use suites::compact::matches;
    let fits = |expected: Value, actual: Value| matches(&expected, &actual);
    assert!(fits(json!({"a": ["x[..]z", 1]}), json!({"a": ["xyz", 1]})));
    assert!(fits(json!("[..]b[..]d"), json!("abcd")));
    assert!(!fits(json!("[..]b[..]d"), json!("adcb")));
    assert!(!fits(json!("a[..]a"), json!("a")), "one text is not two");
    assert!(!fits(json!({"a": 1}), json!({"a": 1, "b": 2})));
    assert!(!fits(json!({"a": 1, "b": 2}), json!({"a": 1})));
    assert!(!fits(json!([1, 2]), json!([1])));
    let (one, other) = (json!({"type": "a"}), json!({"type": "b"}));
    assert_eq!(difference(std::slice::from_ref(&one), std::slice::from_ref(&one)), None);
    for (expected, actual) in [(vec![one.clone()], vec![]), (vec![], vec![one.clone()]), (vec![one], vec![other])] {
        assert!(difference(&expected, &actual).is_some_and(|difference| difference.starts_with("event 0")));
    }
}

#[test]
fn compact_events_keep_what_matters_in_the_order_of_the_calls() {
    use serde_json::json;
    let call = |id: &str, tool: &str| json!({"id": id, "tool": tool, "input": {}});
    let events = [
        json!({"seq": 3, "type": "model.response", "text": "", "tool_calls": [call("1", "A"), call("2", "B")], "error": null}),
        json!({"seq": 4, "type": "tool.use", "id": "1", "tool": "A", "input": {}}),
        json!({"seq": 5, "type": "tool.use", "id": "2", "tool": "B", "input": {}}),
        json!({"seq": 6, "type": "tool.result", "id": "2", "tool": "B", "output": {"text": "b"}, "error": null, "ms": 1}),
        json!({"seq": 7, "type": "tool.result", "id": "1", "tool": "A", "output": {"text": "a"}, "error": null, "ms": 2}),
        json!({"seq": 8, "type": "permission.answer", "id": "1", "allowed": false, "by": "user", "scope": "once"}),
    ];
    let calls = json!([{"tool": "A", "input": {}}, {"tool": "B", "input": {}}]);
    let expected = json!([
        {"type": "model.response", "tool_calls": calls},
        {"type": "tool.use", "tool": "A", "input": {}},
        {"type": "tool.result", "tool": "A", "text": "a"},
        {"type": "permission.answer", "tool": "A", "allowed": false, "by": "user", "scope": "once"},
        {"type": "tool.use", "tool": "B", "input": {}},
        {"type": "tool.result", "tool": "B", "text": "b"},
    ]);
    assert_eq!(Value::from(compact(&events)), expected);
}
