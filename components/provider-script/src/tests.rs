//! The rules of `docs/scenario.md`, one test each.

mod demo;
mod format;
mod misbehave;
mod play;
mod templates;

use crate::player::Player;
use crate::world::wardian::agent::types::{
    AssistantMessage, CallError, CallErrorKind, Event, Message, ModelError, Purpose, Request, StopReason, ToolCall,
    ToolMessage,
};
use crate::world::wardian::tool::types::{FileAccess, Outcome, Part, Powers, Tool};

/// A clock for plays that have no delay: reading it is a mistake.
fn no_clock() -> u64 {
    panic!("a play without delay must not read the clock")
}

fn player(scenario: &str) -> Player {
    Player::new(scenario).expect("a valid scenario")
}

fn request(messages: Vec<Message>) -> Request {
    let powers = Powers { files: FileAccess::Read, net: Vec::new(), process: Vec::new(), env: Vec::new() };
    let tool = |name: &str| Tool {
        name: name.into(),
        description: String::new(),
        input_schema: "{}".into(),
        powers: powers.clone(),
    };
    Request {
        purpose: Purpose::Turn,
        system: String::new(),
        messages,
        tools: vec![tool("Glob"), tool("Read")],
        output_tokens_max: None,
    }
}

fn user(text: &str) -> Message {
    Message::User(text.into())
}

fn assistant(ids: &[&str]) -> Message {
    let calls = ids.iter().map(|id| ToolCall { id: (*id).into(), tool: "Read".into(), input: "{}".into() });
    Message::Assistant(AssistantMessage { text: String::new(), calls: calls.collect(), state: String::new() })
}

fn result(tool: &str, text: &str, data: Option<&str>) -> Message {
    let outcome = Outcome { parts: vec![Part::Text(text.into())], data: data.map(Into::into), truncated: false };
    Message::Tool(ToolMessage { call_id: "call_9_9".into(), tool: tool.into(), result: Ok(outcome) })
}

fn failed(tool: &str, message: &str) -> Message {
    let error = CallError { kind: CallErrorKind::NotPermitted, message: message.into() };
    Message::Tool(ToolMessage { call_id: "call_9_9".into(), tool: tool.into(), result: Err(error) })
}

/// All events of the next turn.
fn events(player: &mut Player, request: &Request) -> Result<Vec<Event>, ModelError> {
    let mut play = player.begin(request)?;
    play.start(no_clock);
    let mut events = Vec::new();
    loop {
        let event = play.next(no_clock)?.expect("no delay");
        let stop = matches!(event, Event::Stop(_));
        events.push(event);
        if stop {
            return Ok(events);
        }
    }
}

/// What the next turn amounts to.
#[derive(Debug, Default, PartialEq)]
struct Answer {
    reasoning: String,
    text: String,
    /// Id, tool, input.
    calls: Vec<(String, String, String)>,
    stop: Option<StopReason>,
}

/// Plays a turn as an agent would, and insists on the contract's order.
fn answer(player: &mut Player, request: &Request) -> Result<Answer, ModelError> {
    let mut answer = Answer::default();
    let (mut open, mut usages) = (None, 0);
    for event in events(player, request)? {
        assert!(usages == 0 || matches!(event, Event::Stop(_)), "only stop follows usage, not {event:?}");
        match event {
            Event::Reasoning(text) => answer.reasoning.push_str(&text),
            Event::Text(text) => answer.text.push_str(&text),
            Event::CallStart(start) => {
                assert_eq!(open, None, "one call at a time");
                open = Some(start.id.clone());
                answer.calls.push((start.id, start.tool, String::new()));
            }
            Event::CallDelta(delta) => {
                assert_eq!(open.as_ref(), Some(&delta.id));
                answer.calls.last_mut().expect("started").2.push_str(&delta.input);
            }
            Event::CallEnd(id) => assert_eq!(open.take(), Some(id)),
            Event::State(_) => panic!("a scenario keeps no state"),
            Event::Usage(_) => usages += 1,
            Event::Stop(stop) => answer.stop = Some(stop),
        }
    }
    assert_eq!((open, usages), (None, 1));
    Ok(answer)
}

fn text(player: &mut Player, request: &Request) -> String {
    answer(player, request).expect("an answer").text
}

/// The text of an error of the expected case.
fn protocol(result: Result<Answer, ModelError>) -> String {
    match result {
        Err(ModelError::Protocol(message)) => message,
        other => panic!("not a protocol error: {other:?}"),
    }
}

fn invalid(result: Result<Answer, ModelError>) -> String {
    match result {
        Err(ModelError::InvalidRequest(message)) => message,
        other => panic!("not an invalid request: {other:?}"),
    }
}

/// Why a scenario is refused.
fn refused(scenario: &str) -> String {
    match Player::new(scenario) {
        Err(ModelError::InvalidRequest(message)) => message,
        Err(other) => panic!("not an invalid request: {other:?}"),
        Ok(_) => panic!("accepted: {scenario}"),
    }
}
