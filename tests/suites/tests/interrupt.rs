//! Ctrl-C and SIGTERM: at any point the run ends soon, the journal says so, and the session can go on.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use suites::dist::guests;
use suites::journal::of;
use suites::process::{Done, Running, until};
use suites::world::{Session, World};

/// What "soon" is at most, on a busy machine.
const SOON: Duration = Duration::from_secs(5);

/// Starts a run, waits until it is at the point that matters, interrupts it there.
#[track_caller]
fn interrupted(scenario: &Value, signal: Signal, at_the_point: impl Fn(&Session, &Running)) -> (World, Session, Done) {
    let world = World::new();
    let model = world.scenario(scenario);
    let mut running = world.start(&["run", "-m", &model, "--component", &guests(), "--approve", "all", "Go."]);
    let session = world.session();
    at_the_point(&session, &running);
    running.signal(signal);
    let since = Instant::now();
    let done = running.wait().exits(130).says(&["cancelled"]);
    assert!(since.elapsed() < SOON, "{:?} after the signal\n{done}", since.elapsed());
    (world, session, done)
}

/// The run has its end, the session is whole, and goes on.
#[track_caller]
fn is_whole_and_goes_on(world: &World, session: &Session) {
    let events = session.events();
    assert_eq!(events.last().unwrap()["stop"], "cancelled");
    world.check(session);
    let model = world.scenario(&json!({"turns": [{"text": "Going on."}]}));
    world.wardian(&["run", "-m", &model, "--continue", "Go on."]).exits(0).prints(&["Going on."]);
    world.check(session);
}

fn sleeping() -> Value {
    json!({"turns": [{"text": "I rest.", "calls": [
        {"tool": "Sleep", "input": {"ms": 60000}},
        {"tool": "Spin"},
        {"tool": "Echo", "input": {"text": "quick"}},
    ]}, {"text": "never reached"}]})
}

fn wait_for_sleep(session: &Session, _: &Running) {
    session.wait_for("tool.use", 3);
    session.wait_for("tool.result", 1);
}

#[test]
fn during_tool_calls() {
    let (world, session, _) = interrupted(&sleeping(), Signal::INT, wait_for_sleep);
    let events = session.events();
    let mut kinds: Vec<_> = of(&events, "tool.result").iter().map(|event| event["error"]["kind"].clone()).collect();
    kinds.sort_by_key(Value::to_string);
    assert_eq!(kinds, [json!("cancelled"), json!("cancelled"), Value::Null]);
    is_whole_and_goes_on(&world, &session);
}

#[test]
fn by_sigterm() {
    let (world, session, _) = interrupted(&sleeping(), Signal::TERM, wait_for_sleep);
    is_whole_and_goes_on(&world, &session);
}

#[test]
fn while_the_answer_streams() {
    let slow = json!({"turns": [{"text": "One word after another, and it takes its time.", "pace_ms": 100}]});
    let (world, session, _) = interrupted(&slow, Signal::INT, |_, running| {
        until("the first words", || running.stdout().contains("One").then_some(()));
    });
    let events = session.events();
    let response = of(&events, "model.response")[0];
    assert_eq!(response["error"]["kind"], "cancelled");
    let text = response["text"].as_str().unwrap();
    assert!("One word after another, and it takes its time.".starts_with(text) && !text.is_empty(), "{response}");
    is_whole_and_goes_on(&world, &session);
}

#[test]
fn before_the_answer_begins() {
    let slow = json!({"turns": [{"text": "Too late.", "delay_ms": 60000}]});
    let (world, session, _) = interrupted(&slow, Signal::INT, |session, _| session.wait_for("model.request", 1));
    is_whole_and_goes_on(&world, &session);
}

#[test]
fn during_the_pause_before_another_try() {
    let error = json!({"kind": "rate-limited", "message": "come back later", "retry_after_ms": 60000});
    let limited = json!({"turns": [{ "error": error }, {"text": "never asked for"}]});
    let (world, session, _) = interrupted(&limited, Signal::INT, |_, running| {
        until("the pause", || running.stderr().contains("trying again in 60.0 s").then_some(()));
    });
    assert_eq!(of(&session.events(), "model.request").len(), 1, "no further try after the interrupt");
    is_whole_and_goes_on(&world, &session);
}

#[test]
fn while_a_tool_hangs_in_a_system_call() {
    // Writing to a pipe without a reader: no epoch and no time-out of the engine reaches the call there.
    let world = World::new();
    let pipe = world.project().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let guests = guests();
    let write = r#"{"path": "/workspace/pipe", "text": "x"}"#;
    let mut running = world.start(&["call", "WriteFile", write, "--direct", "--component", &guests]);
    let session = world.session();
    session.wait_for("tool.use", 1);
    // The journal is ahead of the tool: let that get to where it hangs.
    std::thread::sleep(Duration::from_millis(200));
    running.signal(Signal::INT);
    let since = Instant::now();
    running.wait().exits(130);
    assert!(since.elapsed() < SOON);
}

/// Keeps the provider, and with it the agent, computing: conditions that take long to be false.
fn busy() -> Value {
    let turns = vec![json!({"when": "false", "text": "x"}); 2000];
    let prelude = "{% for i in range(90000) %}{% endfor %}";
    json!({"template": true, "prelude": prelude, "turns": turns})
}

fn start_busy(world: &World) -> (Running, Session) {
    let model = world.scenario(&busy());
    let running = world.start(&["run", "-m", &model, "Compute."]);
    let session = world.session();
    session.wait_for("model.request", 1);
    (running, session)
}

#[test]
fn an_agent_that_does_not_listen_is_ended() {
    let world = World::new();
    let (mut running, session) = start_busy(&world);
    running.signal(Signal::INT);
    let since = Instant::now();
    running.wait().exits(130).says(&["did not stop in time", "--continue"]);
    assert!(since.elapsed() >= Duration::from_secs(1), "it must be busy for this test to show anything");
    assert!(since.elapsed() < SOON);
    let model = world.scenario(&json!({"turns": [{"text": "Going on."}]}));
    world.wardian(&["run", "-m", &model, "--continue", "Go on."]).exits(0);
    world.check(&session);
}

#[test]
fn a_second_one_quits_at_once() {
    let world = World::new();
    let (mut running, session) = start_busy(&world);
    running.signal(Signal::INT);
    until("the first to be heard", || running.stderr().contains("cancelling").then_some(()));
    let since = Instant::now();
    running.signal(Signal::INT);
    running.wait().exits(130);
    // Less than the two seconds that an agent has to stop.
    assert!(since.elapsed() < Duration::from_millis(1500), "{:?}", since.elapsed());
    let model = world.scenario(&json!({"turns": [{"text": "Going on."}]}));
    world.wardian(&["run", "-m", &model, "--continue", "Go on."]).exits(0);
    world.check(&session);
}
