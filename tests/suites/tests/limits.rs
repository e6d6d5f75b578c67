//! Every limit ends the call that reaches it, by its name, and nothing else.

use std::time::Duration;

use serde_json::{Value, json};
use suites::dist::guests;
use suites::journal::of;
use suites::process::Done;
use suites::world::World;

/// Low enough that reaching any of them takes no time worth mentioning.
const LOW: &str = "\
[limits]
wall_ms_max = 3000
cpu_ms_max = 300
memory_bytes_max = 33554432
output_bytes_max = 1048576
hostcalls_max = 20000
";

/// Calls a misbehaving tool with low limits.
fn call(tool: &str, input: &str) -> (World, Done) {
    let world = World::new();
    world.settings(LOW);
    let done = world.wardian(&["call", tool, input, "--component", &guests(), "--json"]);
    (world, done)
}

/// The error's kind and message, which are on stdout and on stderr.
#[track_caller]
fn error(done: &Done) -> (String, String) {
    let printed = done.json();
    let text = |name: &str| printed["error"][name].as_str().unwrap_or_default().to_owned();
    assert!(done.stderr.contains(&text("message")), "{done}");
    assert_eq!(printed["output"], Value::Null);
    (text("kind"), text("message"))
}

#[track_caller]
fn reaches(tool: &str, input: &str, limit: &str) {
    let (world, done) = call(tool, input);
    let done = done.exits(1);
    let (kind, message) = error(&done);
    assert_eq!(kind, "limit", "{message}");
    assert!(message.starts_with(&format!("{limit} reached (")), "{message}");
    assert!(done.took < Duration::from_secs(20), "{done}");
    assert!(world.sessions().is_empty(), "a call by hand leaves no session behind");
}

#[track_caller]
fn traps(tool: &str, input: &str, with: &str) {
    let (_world, done) = call(tool, input);
    let (kind, message) = error(&done.exits(1));
    assert_eq!(kind, "trapped", "{message}");
    assert!(message.contains(with), "{message}");
}

#[test]
fn time_on_the_processor() {
    reaches("Spin", "{}", "cpu_ms_max");
}

#[test]
fn time_on_the_clock() {
    let world = World::new();
    world.settings("[limits]\nwall_ms_max = 200\n");
    let arguments = ["call", "Sleep", r#"{"ms": 60000}"#, "--component", &guests(), "--json"];
    let done = world.wardian(&arguments).exits(1);
    assert_eq!(error(&done), ("limit".into(), "wall_ms_max reached (200); the call was ended".into()));
    assert!(done.took < Duration::from_secs(10), "{done}");
}

#[test]
fn time_on_the_clock_by_flag() {
    let world = World::new();
    let arguments = ["call", "Sleep", r#"{"ms": 60000}"#, "--component", &guests(), "--max-seconds", "1"];
    world.wardian(&arguments).exits(1).says(&["Sleep: wall_ms_max reached (1000)"]);
}

#[test]
fn memory() {
    reaches("Allocate", "{}", "memory_bytes_max");
}

#[test]
fn memory_by_flag() {
    let world = World::new();
    let arguments = ["call", "Allocate", "{}", "--component", &guests(), "--max-memory", "16"];
    world.wardian(&arguments).exits(1).says(&["memory_bytes_max reached (16777216)"]);
}

#[test]
fn output_on_stdout() {
    reaches("FloodStdout", "{}", "output_bytes_max");
}

#[test]
fn output_on_stderr() {
    reaches("FloodStderr", "{}", "output_bytes_max");
}

#[test]
fn output_as_progress() {
    let world = World::new();
    // No other limit is near: it must be this one that ends the call.
    world.settings("[limits]\noutput_bytes_max = 10000\nhostcalls_max = 1000000000000\n");
    let done = world.wardian(&["call", "FloodProgress", "{}", "--component", &guests(), "--json"]).exits(1);
    assert_eq!(error(&done), ("limit".into(), "output_bytes_max reached (10000); the call was ended".into()));
}

#[test]
fn output_as_a_result() {
    // A hundred megabytes, which the tool must be able to make before it can try to hand them over.
    let world = World::new();
    world.settings("[limits]\noutput_bytes_max = 1048576\n");
    let arguments = ["call", "Big", r#"{"bytes": 100000000}"#, "--component", &guests(), "--json"];
    let (kind, message) = error(&world.wardian(&arguments).exits(1));
    assert_eq!((kind.as_str(), message.as_str()), ("limit", "output_bytes_max reached (1048576); the call was ended"));
}

#[test]
fn output_at_its_very_limit_passes() {
    let world = World::new();
    world.settings("[limits]\noutput_bytes_max = 1000\n");
    let big = |bytes: u64| {
        let input = json!({ "bytes": bytes }).to_string();
        world.wardian(&["call", "Big", &input, "--component", &guests(), "--json"])
    };
    assert_eq!(big(1000).exits(0).json()["output"]["text"].as_str().unwrap().len(), 1000);
    assert_eq!(error(&big(1001).exits(1)).0, "limit");
}

#[test]
fn host_calls() {
    reaches("Hostcalls", "{}", "hostcalls_max");
}

#[test]
fn the_stack() {
    // Rust keeps its frames in memory: there the overflow shows, unless the engine's own stack is the smaller one.
    traps("Recurse", "{}", "wasm trap: ");
}

#[test]
fn a_panic_is_told_with_its_message() {
    traps("Trap", r#"{"text": "no such thing as luck"}"#, "no such thing as luck");
}

#[test]
fn an_exit_is_not_a_return() {
    // Not 3: in this version of WASI an exit is good or bad, nothing more.
    traps("Exit", "{}", "exit(1)");
}

#[test]
fn data_that_is_no_json() {
    let (_world, done) = call("BadData", "{}");
    let (kind, message) = error(&done.exits(1));
    assert_eq!(kind, "failed");
    assert!(message.contains("no JSON"), "{message}");
}

#[test]
fn a_tool_s_own_failure() {
    let (_world, done) = call("Stderr", "{}");
    assert_eq!(error(&done.exits(1)), ("failed".into(), "complained on stderr".into()));
}

#[test]
fn a_project_lowers_a_limit_and_cannot_raise_it() {
    let world = World::new();
    world.settings("[limits]\noutput_bytes_max = 1000\n");
    let big = || world.wardian(&["call", "Big", r#"{"bytes": 600}"#, "--component", &guests()]);
    world.file("wardian.toml", "[limits]\noutput_bytes_max = 500\n");
    big().exits(1).says(&["output_bytes_max reached (500)"]);
    world.file("wardian.toml", "[limits]\noutput_bytes_max = 500000\n");
    big().exits(0);
    let bigger = world.wardian(&["call", "Big", r#"{"bytes": 1600}"#, "--component", &guests()]);
    bigger.exits(1).says(&["output_bytes_max reached (1000)"]);
}

#[test]
fn what_one_call_does_to_itself_harms_no_other() {
    let world = World::new();
    world.settings(LOW);
    let calls = [
        ("Spin", json!({}), Some("limit")),
        ("Echo", json!({"text": "one"}), None),
        ("Trap", json!({"text": "alone"}), Some("trapped")),
        ("Big", json!({"bytes": 20_000_000}), Some("limit")),
        ("Echo", json!({"text": "two"}), None),
        ("Exit", json!({}), Some("trapped")),
        ("Allocate", json!({}), Some("limit")),
        ("FloodStdout", json!({}), Some("limit")),
        ("Sleep", json!({"ms": 500}), None),
        ("Recurse", json!({}), Some("trapped")),
        ("Echo", json!({"text": "three"}), None),
    ];
    let list: Vec<_> = calls.iter().map(|(tool, input, _)| json!({"tool": tool, "input": input})).collect();
    let model = world.scenario(&json!({"turns": [
        {"text": "All of them.", "calls": list},
        {"expect": "three", "text": "Still here.", "calls": [{"tool": "Echo", "input": {"text": "four"}}]},
        {"expect": "four", "text": "And done."},
    ]}));
    let done = world.wardian(&["run", "-m", &model, "--component", &guests(), "Misbehave."]).exits(0);
    done.prints(&["Still here.", "And done."]);
    let session = world.session();
    let events = session.events();
    for (number, (tool, _, error)) in calls.iter().enumerate() {
        let id = format!("call_1_{}", number + 1);
        let results = of(&events, "tool.result");
        let result = results.iter().find(|event| event["id"] == id.as_str()).unwrap();
        assert_eq!(result["error"]["kind"].as_str(), *error, "{tool}: {result}");
    }
    world.check(&session);
}

#[test]
fn the_whole_run_has_a_limit_in_seconds() {
    let world = World::new();
    let model = world.scenario(&json!({"turns": [{"calls": [{"tool": "Sleep", "input": {"ms": 60000}}]}]}));
    let arguments = ["run", "-m", &model, "--component", &guests(), "--max-seconds", "1", "Sleep."];
    let done = world.wardian(&arguments).exits(1).says(&["seconds_max reached (1)"]);
    assert!(done.took < Duration::from_secs(20), "{done}");
    let session = world.session();
    let events = session.events();
    assert_eq!(of(&events, "tool.result")[0]["error"]["kind"], "limit");
    let end = events.last().unwrap();
    assert_eq!((&end["stop"], &end["error"]["message"]), (&json!("budget"), &json!("seconds_max")));
    world.check(&session);
}
