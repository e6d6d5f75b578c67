//! Which turn a request gets, and what that turn says.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::play::{Play, Step};
use crate::results;
use crate::scenario::{Call, Scenario, Turn};
use crate::templates::{Scene, Templates};
use crate::world::wardian::agent::types::{Event, Message, ModelError, Purpose, Request, StopReason, Usage};

/// A scenario and where it stands.
pub struct Player {
    scenario: Scenario,
    templates: Templates,
    /// Index of the turn that the next request tries first.
    next_turn: usize,
    /// Messages of the newest request, if it opened a prompt: one more just like it is a retry.
    opened: Option<usize>,
}

impl Player {
    /// At the first turn of the scenario in `text`.
    pub fn new(text: &str) -> Result<Player, ModelError> {
        let scenario = Scenario::parse(text).map_err(ModelError::InvalidRequest)?;
        let templates = Templates::new(&scenario).map_err(ModelError::InvalidRequest)?;
        Ok(Player { scenario, templates, next_turn: 0, opened: None })
    }

    /// Takes the next turn and says what it plays. A turn is taken whatever comes of it.
    pub fn begin(&mut self, request: &Request) -> Result<Play, ModelError> {
        let scene = self.templates.scene(request);
        let before = std::mem::replace(&mut self.opened, opens_prompt(request));
        if let (Purpose::Compact, Some(text)) = (request.purpose, &self.scenario.compact) {
            let text = scene.text(&text.0).map_err(|problem| invalid("compact", problem))?;
            let mut steps = vec![Step::Text(text)];
            close(&mut steps, request, StopReason::EndTurn);
            return Ok(Play::new(steps, 0, 0));
        }
        if self.scenario.restart && self.opened.is_some() && self.opened != before {
            self.next_turn = 0;
        }
        while let Some(turn) = self.scenario.turns.get(self.next_turn) {
            self.next_turn += 1;
            if let Some(play) = play(turn, self.next_turn, request, &scene)? {
                return Ok(play);
            }
        }
        Err(ModelError::Protocol(match self.scenario.turns.len() {
            1 => "the scenario is over: it has 1 turn".into(),
            turns => format!("the scenario is over: it has {turns} turns"),
        }))
    }
}

/// How many messages a request has that opens a prompt; none for any other request.
fn opens_prompt(request: &Request) -> Option<usize> {
    let prompted = matches!(request.messages.last(), Some(Message::User(_)));
    (prompted && request.purpose == Purpose::Turn).then_some(request.messages.len())
}

fn invalid(place: impl std::fmt::Display, problem: String) -> ModelError {
    ModelError::InvalidRequest(format!("{place}: {problem}"))
}

/// What turn `number` plays; none if it is passed over.
fn play(turn: &Turn, number: usize, request: &Request, scene: &Scene) -> Result<Option<Play>, ModelError> {
    let place = |key: &str, problem| invalid(format_args!("turn {number}, {key}"), problem);
    if let Some(when) = &turn.when
        && !scene.is_true(&when.0).map_err(|problem| place("when", problem))?
    {
        return Ok(None);
    }
    let mut steps = Vec::new();
    if let Some(raw) = &turn.raw {
        steps.extend(raw.iter().filter_map(|event| event.event()).map(|(event, times)| Step::Event(event, times)));
    }
    let calls = calls(turn, number, request, scene)?;
    if calls.is_empty() && !turn.calls.is_empty() {
        // It is there for its calls: without them it would end the run.
        return Ok(None);
    }
    check_expect(turn, number, request)?;
    if let Some(reasoning) = &turn.reasoning {
        steps.push(Step::Reasoning(scene.text(&reasoning.0).map_err(|problem| place("reasoning", problem))?));
    }
    if let Some(text) = &turn.text {
        steps.push(Step::Text(scene.text(&text.0).map_err(|problem| place("text", problem))?));
    }
    let stop = if calls.is_empty() { StopReason::EndTurn } else { StopReason::ToolCalls };
    steps.extend(calls);
    match (&turn.error, &turn.raw) {
        (Some(failure), _) if steps.is_empty() && turn.delay_ms == 0 => {
            return Err(failure.model_error());
        }
        (Some(failure), _) => steps.push(Step::Fail(failure.model_error())),
        (None, Some(_)) => {}
        (None, None) => close(&mut steps, request, stop),
    }
    Ok(Some(Play::new(steps, turn.delay_ms, turn.pace_ms)))
}

/// The end of an answer that is not raw: tokens, as estimated, and the stop.
fn close(steps: &mut Vec<Step>, request: &Request, stop: StopReason) {
    let output_bytes = steps.iter().map(|step| match step {
        Step::Text(text) | Step::Reasoning(text) => text.len(),
        Step::Call { tool, input, .. } => tool.len() + input.len(),
        Step::Event(..) | Step::Fail(_) => 0,
    });
    let usage = Usage {
        input_tokens: results::tokens(results::request_bytes(request)),
        cached_tokens: 0,
        output_tokens: results::tokens(output_bytes.sum()),
    };
    steps.push(Step::Event(Event::Usage(usage), Some(1)));
    steps.push(Step::Event(Event::Stop(stop), Some(1)));
}

fn check_expect(turn: &Turn, number: usize, request: &Request) -> Result<(), ModelError> {
    let Some(expect) = &turn.expect else {
        return Ok(());
    };
    if results::last(&request.messages).any(|message| results::contains(message, expect)) {
        return Ok(());
    }
    let there = match results::last(&request.messages).next() {
        None => "there are none".to_owned(),
        Some(_) => format!("they begin with {:?}", results::excerpt(&request.messages)),
    };
    Err(ModelError::Protocol(format!("turn {number} expects {expect:?} in the newest results, but {there}")))
}

fn calls(turn: &Turn, number: usize, request: &Request, scene: &Scene) -> Result<Vec<Step>, ModelError> {
    let mut steps = Vec::new();
    let mut ids = Ids::of(request);
    for (index, call) in turn.calls.iter().enumerate() {
        let place = |key: &str, problem| invalid(format_args!("turn {number}, call {}, {key}", index + 1), problem);
        let Call { when, tool, input } = call;
        if let Some(when) = when
            && !scene.is_true(&when.0).map_err(|problem| place("when", problem))?
        {
            continue;
        }
        let input = match scene.value(input).map_err(|problem| place("input", problem))? {
            Value::String(text) => text,
            value => value.to_string(),
        };
        steps.push(Step::Call { id: ids.take(number, index + 1), tool: tool.clone(), input });
    }
    Ok(steps)
}

/// The ids that a conversation has used up. Those of an earlier run of the same scenario look like this one's.
struct Ids<'a>(BTreeSet<&'a str>);

impl Ids<'_> {
    fn of(request: &Request) -> Ids<'_> {
        let ids = request.messages.iter().flat_map(|message| match message {
            Message::Assistant(said) => said.calls.iter().map(|call| call.id.as_str()).collect(),
            Message::Tool(message) => vec![message.call_id.as_str()],
            Message::User(_) => Vec::new(),
        });
        Ids(ids.filter(|id| id.starts_with("call_")).collect())
    }

    /// `call_TURN_N`, with a further number where that is taken. It cannot meet another call of this turn.
    fn take(&mut self, turn: usize, call: usize) -> String {
        let mut id = format!("call_{turn}_{call}");
        let mut repetition = 2_u64;
        while self.0.contains(id.as_str()) {
            id = format!("call_{turn}_{call}_{repetition}");
            repetition += 1;
        }
        id
    }
}
