use super::*;
use crate::event::Event;
use crate::testing;

/// Opens a replay of a run in which these events follow on two calls, `a` and `b`, and brings it to the calls.
fn replay(events: impl IntoIterator<Item = Event>) -> (Call, Call) {
    let before = [testing::start(false), testing::says("hi"), testing::request(0), testing::response(0, &["a", "b"])];
    let lines = before.len();
    let (_folder, contents) = testing::journal(before.into_iter().chain(events));
    state::set_replay(contents, Vec::new()).unwrap();
    let call = |id: &str| {
        state::with(|state| state.recorder.replay().unwrap().opened(tool_owner(id))).unwrap();
        let call = ToolCall { id: id.into(), tool: "T".into(), input: "{}".into() };
        Call { call, stage: Stage::Replaying }
    };
    state::with(|state| (0..lines).for_each(|_| state.recorder.replay().unwrap().skip())).unwrap();
    (call("a"), call("b"))
}

fn advance(call: &mut Call) -> Option<Ended> {
    state::with(|state| call.advance(state)).unwrap()
}

/// Number of events that were replayed, time of the last one, and whether it differed.
fn reached() -> (u64, i64, bool) {
    state::with(|state| {
        let differs = state.recorder.replay().unwrap().divergence.is_some();
        (state.recorder.events(), state.recorder.last_ms(), differs)
    })
    .unwrap()
}

fn at(events: u64) -> (u64, i64, bool) {
    (events, crate::recorder::parse_ms(&testing::ts(events - 1)).unwrap(), false)
}

#[test]
fn a_replayed_call_passes_over_what_it_touched() {
    let (mut a, mut b) = replay([
        testing::tool_use("a"),
        testing::tool_use("b"),
        testing::change("b", "one"),
        testing::change("b", "two"),
        testing::tool_result("b"),
        testing::change("a", "three"),
        testing::tool_result("a"),
    ]);
    assert_eq!(advance(&mut a), None);
    assert_eq!(reached(), at(5));
    assert!(matches!(advance(&mut b), Some(Ok(_))));
    assert_eq!(reached(), at(9));
    assert!(matches!(advance(&mut a), Some(Ok(_))));
    assert_eq!(reached(), at(11));
}

#[test]
fn a_call_that_the_agent_drops_is_replayed_with_what_it_touched() {
    let error = event::Error { kind: "cancelled".into(), message: "the agent dropped this call".into(), at: None };
    let dropped = Event::ToolResult(event::ToolResult {
        id: "a".into(),
        tool: "T".into(),
        output: None,
        error: Some(error),
        ms: 0,
        truncated: false,
    });
    let (a, mut b) = replay([testing::change("a", "one"), dropped, testing::tool_result("b")]);
    drop(a);
    assert_eq!(reached(), at(6));
    assert!(matches!(advance(&mut b), Some(Ok(_))));
    assert_eq!(reached(), at(7));
}

#[test]
fn a_journal_that_ends_between_change_and_result_is_cut_off_there() {
    let (mut a, b) = replay([testing::tool_use("a"), testing::change("a", "one")]);
    assert!(matches!(advance(&mut a), Some(Err(_))));
    assert_eq!(reached(), at(6));
    let cut_off = state::with(|state| state.recorder.replay().unwrap().cut_off);
    assert_eq!(cut_off, Some(true));
    drop((a, b));
}

#[test]
fn what_a_call_that_never_was_touched_is_a_difference() {
    let (mut a, b) = replay([testing::change("c", "one"), testing::tool_result("a")]);
    assert!(matches!(advance(&mut a), Some(Err(_))));
    assert!(reached().2);
    drop((a, b));
}

#[test]
fn a_replayed_call_passes_over_what_its_code_did_and_the_questions_about_it() {
    let (mut a, mut b) = replay([
        testing::tool_use("a"),
        testing::tool_use("b"),
        testing::net_ask("a"),
        testing::net_request(Some("b"), None),
        testing::process_start("b/1"),
        testing::net_answer("a"),
        testing::process_exit("b/1"),
        testing::net_request(Some("a"), None),
        testing::change("a", "one"),
        testing::tool_result("a"),
        testing::tool_result("b"),
        // What the provider was cut off from comes to light late.
        testing::net_request(None, Some(0)),
        testing::request(1),
    ]);
    assert_eq!((advance(&mut a), advance(&mut b)), (None, None));
    assert_eq!(reached(), at(12));
    assert!(matches!(advance(&mut a), Some(Ok(_))));
    assert_eq!(reached(), at(14));
    assert!(matches!(advance(&mut b), Some(Ok(_))));
    assert_eq!(reached(), at(15), "not before a later line is looked for");
    state::with(|state| state.record(testing::request(1))).unwrap().unwrap();
    assert_eq!(reached(), at(17));
}

#[test]
fn a_question_of_the_gate_is_no_activity() {
    let mut ask = testing::net_ask("a");
    if let Event::PermissionAsk(ask) = &mut ask {
        ask.net = None;
    }
    let (mut a, b) = replay([ask, testing::tool_result("a")]);
    assert!(matches!(advance(&mut a), Some(Err(_))), "this agent's call has another summary");
    assert!(reached().2);
    drop((a, b));
}
