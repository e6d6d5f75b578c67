//! Processes that die, get in each other's way, or run out of room.

use rustix::process::Signal;
use serde_json::{Value, json};
use suites::dist::{guests, wardian};
use suites::journal::of;
use suites::process::{Running, until};
use suites::world::World;

fn done() -> Value {
    json!({"turns": [{"text": "Going on."}]})
}

fn sleeps() -> Value {
    json!({"turns": [
        {"text": "I rest.", "calls": [
            {"tool": "Sleep", "input": {"ms": 60000}},
            {"tool": "Echo", "input": {"text": "quick"}},
        ]},
        {"text": "never reached"},
    ]})
}

#[test]
fn killed_in_the_middle_of_a_tool_call() {
    let world = World::new();
    let model = world.scenario(&sleeps());
    let running = world.start(&["run", "-m", &model, "--component", &guests(), "Rest."]);
    let session = world.session();
    session.wait_for("tool.use", 2);
    session.wait_for("tool.result", 1);
    running.kill();
    let before = session.events();
    assert_eq!(of(&before, "session.end").len(), 0);

    let model = world.scenario(&done());
    let resumed = world.wardian(&["run", "-m", &model, "--continue", "Go on."]).exits(0);
    resumed.prints(&["Going on."]).says(&["answered as interrupted: call_1_1"]);
    let events = session.events();
    assert_eq!(events[..before.len()], before);
    let results = of(&events, "tool.result");
    let result = |id: &str| results.iter().find(|result| result["id"] == id).unwrap();
    assert_eq!(result("call_1_1")["error"]["kind"], "interrupted");
    assert!(result("call_1_1")["error"]["message"].as_str().unwrap().contains("whether it took effect is unknown"));
    assert_eq!(result("call_1_2")["error"], Value::Null, "what was answered stays answered");
    let ends: Vec<_> = of(&events, "session.end").iter().map(|end| end["stop"].clone()).collect();
    assert_eq!(ends, ["error", "done"]);
    world.check(&session);
}

#[test]
fn killed_in_the_middle_of_an_answer() {
    let world = World::new();
    let model = world.scenario(&json!({"turns": [
        {"text": "A first answer that is whole.", "calls": [{"tool": "Echo", "input": {"text": "x"}}]},
        {"text": "A second one that comes slowly, piece by piece.", "pace_ms": 500},
    ]}));
    let running = world.start(&["run", "-m", &model, "--component", &guests(), "Talk."]);
    let session = world.session();
    session.wait_for("model.request", 2);
    until("a piece of the second answer", || running.stdout().contains("A sec").then_some(()));
    running.kill();
    let model = world.scenario(&json!({"template": true, "turns": [{"text": "{{ results|length }} result."}]}));
    world.wardian(&["run", "-m", &model, "--continue", "Go on."]).exits(0).prints(&["1 result."]);
    let events = session.events();
    let responses = of(&events, "model.response");
    assert_eq!(responses.len(), 3);
    assert_eq!(responses[1]["error"]["kind"], "interrupted");
    assert_eq!(responses[1]["stop"], Value::Null);
    world.check(&session);
}

#[test]
fn killed_before_the_answer_begins_and_once_more_when_going_on() {
    let world = World::new();
    let slow = json!({"turns": [{"delay_ms": 60000, "text": "never said"}]});
    let model = world.scenario(&slow);
    for run in 1..=3 {
        let arguments = ["run", "-m", &model, "--continue", "Think."];
        // There is nothing to continue the first time.
        let arguments = if run == 1 { [&arguments[..3], &arguments[4..]].concat() } else { arguments.to_vec() };
        let running = world.start(&arguments);
        let session = world.session();
        session.wait_for("model.request", run);
        running.kill();
    }
    let model = world.scenario(&done());
    world.wardian(&["run", "-m", &model, "--continue", "Go on."]).exits(0);
    let session = world.session();
    assert_eq!(of(&session.events(), "user.message").len(), 4);
    world.check(&session);
}

#[test]
fn two_processes_on_one_session() {
    let world = World::new();
    let model = world.scenario(&sleeps());
    let mut first = world.start(&["run", "-m", &model, "--component", &guests(), "Rest."]);
    let session = world.session();
    session.wait_for("tool.use", 2);
    session.wait_for("tool.result", 1);
    let before = session.events();
    let process = format!("process {}", first.id());
    for arguments in [["--session", &session.id].as_slice(), &["--continue"]] {
        let arguments = [&["run", "-m", &model], arguments, &["Me too."]].concat();
        let second = world.wardian(&arguments).exits(1);
        second.says(&[&session.id, "in use", &process]);
    }
    world.wardian(&["call", "Glob", r#"{"pattern": "*"}"#, "--session", &session.id]).exits(1).says(&["in use"]);
    // Who only looks is not in the way.
    world.wardian(&["log", &session.id]).exits(0);
    world.wardian(&["log", &session.id, "--verify"]).exits(0);
    world.wardian(&["sessions"]).exits(0).prints(&[&session.id]);
    assert_eq!(session.events(), before, "the second process wrote into the journal");
    first.signal(Signal::INT);
    first.wait().exits(130);
    world.check(&session);
    // The lock went with its process.
    let model = world.scenario(&done());
    world.wardian(&["run", "-m", &model, "--continue", "Now?"]).exits(0);
}

#[test]
fn no_room_for_the_journal() {
    // The limit holds for the files in which the engine keeps a component's initial memory, too. The journal must
    // be larger than those, so that it is the first to reach it.
    let world = World::new();
    world.settings("[session]\ncontext_bytes_max = 100000000\n");
    let model = world.scenario(&done());
    world.wardian_with(&"long ".repeat(800_000), &["run", "-m", &model, "-"]).exits(0);
    let session = world.session();
    let before = std::fs::read(session.journal()).unwrap();
    // In blocks of 512 bytes: there is room for the first few events.
    let blocks = before.len() / 512 + 8;

    let write = json!({"tool": "WriteFile", "input": {"path": "/workspace/f", "text": ""}});
    let model = world.scenario(&json!({"turns": [
        {"text": "x".repeat(20_000), "calls": [write]}, {"text": "never reached"},
    ]}));
    let mut command = world.clean("sh");
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let arguments = ["run", "-m", &model, "--continue", "--approve", "all", "--component", &guests(), "Two."];
    command.arg("-c").arg(script).arg(wardian()).args(arguments);
    let full = Running::new(command).wait().exits(1);
    full.says(&["journal.jsonl", "free some space"]);
    let after = std::fs::read(session.journal()).unwrap();
    assert!(after.starts_with(&before), "what was there is still there");
    assert!(after.len() > before.len() && after.len() <= blocks * 512 && after.ends_with(b"\n"), "and no half line");
    let last = session.events().pop().unwrap();
    assert_eq!(last["type"], "model.request", "nothing is done that is not recorded");

    let model = world.scenario(&done());
    world.wardian(&["run", "-m", &model, "--continue", "Three."]).exits(0).prints(&["Going on."]);
    world.check(&session);
}
