//! What a journal says about a session that goes on: the conversation so far, and what was left open.

use std::collections::{BTreeSet, HashSet};

use serde::de::DeserializeOwned;

use crate::activity;
use crate::convert;
use crate::event::{self, Event};
use crate::journal::{Contents, Header};
use crate::recorder::parse_ms;
use crate::wardian::agent::types::{AssistantMessage, Message, ToolMessage};
use crate::wardian::session::types::Damage;
use crate::wardian::tool::types::ToolCall;

const COMPACT: &str = "compact";

/// A call that the journal has no result of.
#[derive(Debug, Clone, PartialEq)]
pub struct Unanswered {
    pub id: String,
    pub tool: String,
    pub started: bool,
}

#[derive(Default)]
pub struct Found {
    pub transcript: Vec<Message>,
    /// The number of the next model request.
    pub calls: u64,
    pub used_ids: HashSet<String>,
    pub start_ms: i64,
    pub last_ms: i64,
    pub unanswered: Vec<Unanswered>,
    /// Number of the last commit or undo; 0 when there was none.
    pub commit: u64,
    /// The request without a response.
    open_request: Option<u64>,
    /// A prompt without an end.
    open_run: bool,
    /// The request under way is for a summary: its answer is no part of the conversation.
    compacting: bool,
    usage: event::RunUsage,
    /// Processes that calls had left running.
    background: BTreeSet<String>,
}

impl Found {
    /// Takes in one event.
    pub fn take(&mut self, event: Event) {
        match event {
            Event::SessionStart(_)
            | Event::PermissionAsk(_)
            | Event::PermissionAnswer(_)
            | Event::NetRequest(_)
            | Event::WorkspaceChange(_)
            | Event::WorkspaceDiscard(_) => {}
            Event::ProcessStart(start) => {
                if activity::is_background(&start.id) {
                    self.background.insert(start.id);
                }
            }
            Event::ProcessExit(exit) => {
                self.background.remove(&exit.id);
            }
            Event::UserMessage(message) => {
                self.open_run = true;
                self.usage = event::RunUsage::default();
                self.transcript.push(Message::User(message.text));
            }
            Event::ModelRequest(request) => {
                self.calls = request.call + 1;
                self.open_request = Some(request.call);
                self.compacting = request.purpose == COMPACT;
                self.usage.requests += 1;
            }
            Event::ModelResponse(response) => {
                self.open_request = None;
                self.calls = response.call + 1;
                self.usage.input_tokens += response.usage.input_tokens;
                self.usage.output_tokens += response.usage.output_tokens;
                if response.error.is_none() && !self.compacting {
                    self.answered(response);
                }
            }
            Event::ToolUse(tool_use) => {
                match self.unanswered.iter_mut().find(|call| call.id == tool_use.id) {
                    Some(call) => call.started = true,
                    // Called by hand.
                    None => self.unanswered.push(Unanswered { id: tool_use.id, tool: tool_use.tool, started: true }),
                }
            }
            Event::ToolResult(result) => {
                self.unanswered.retain(|call| call.id != result.id);
                // A call by hand is no part of the conversation.
                if self.used_ids.contains(&result.id) {
                    self.transcript.push(tool_message(result));
                }
            }
            Event::WorkspaceCommit(commit) | Event::WorkspaceUndo(commit) => self.commit = commit.commit,
            Event::ContextCompact(compact) => self.compact(&compact),
            Event::SessionEnd(_) => self.open_run = false,
        }
    }

    fn answered(&mut self, response: event::ModelResponse) {
        for call in &response.tool_calls {
            self.used_ids.insert(call.id.clone());
            self.unanswered.push(Unanswered { id: call.id.clone(), tool: call.tool.clone(), started: false });
        }
        self.transcript.push(assistant_message(response));
    }

    fn compact(&mut self, compact: &event::ContextCompact) {
        compact_transcript(&mut self.transcript, compact.summary.clone(), compact.keep);
    }
}

pub fn compact_transcript(transcript: &mut Vec<Message>, summary: String, keep: u32) {
    let skip = transcript.len().saturating_sub(keep as usize);
    transcript.splice(..skip, [Message::User(summary)]);
}

/// Puts the results of each step into the order of its calls: they are recorded as they came, and a provider's cache
/// wants the same conversation to read the same.
pub fn in_call_order(transcript: &mut [Message]) {
    let mut at = 0;
    while at < transcript.len() {
        let (before, after) = transcript.split_at_mut(at + 1);
        if let Some(Message::Assistant(assistant)) = before.last() {
            let results = after.iter().take_while(|message| matches!(message, Message::Tool(_))).count();
            let place = |message: &Message| match message {
                Message::Tool(tool) => assistant.calls.iter().position(|call| call.id == tool.call_id),
                Message::User(_) | Message::Assistant(_) => None,
            };
            after[..results].sort_by_key(place);
            at += results;
        }
        at += 1;
    }
}

pub fn assistant_message(response: event::ModelResponse) -> Message {
    let calls = response
        .tool_calls
        .into_iter()
        .map(|call| ToolCall { id: call.id, tool: call.tool, input: event::embedded(&call.input) })
        .collect();
    Message::Assistant(AssistantMessage { text: response.text, calls, state: response.state })
}

pub fn tool_message(result: event::ToolResult) -> Message {
    let (call_id, tool) = (result.id.clone(), result.tool.clone());
    Message::Tool(ToolMessage { call_id, tool, result: convert::recorded_result(result) })
}

fn parse<T: DeserializeOwned>(line: &str) -> Result<T, String> {
    serde_json::from_str(line).map_err(|error| error.to_string())
}

/// An event of a type that matters for going on; none for others.
fn event(kind: &str, line: &str) -> Result<Option<Event>, String> {
    Ok(Some(match kind {
        "user.message" => Event::UserMessage(parse(line)?),
        "model.request" => Event::ModelRequest(parse(line)?),
        "model.response" => Event::ModelResponse(parse(line)?),
        "tool.use" => Event::ToolUse(parse(line)?),
        "tool.result" => Event::ToolResult(parse(line)?),
        "process.start" if activity::is_background(line) => Event::ProcessStart(parse(line)?),
        "process.exit" if activity::is_background(line) => Event::ProcessExit(parse(line)?),
        "workspace.commit" => Event::WorkspaceCommit(parse(line)?),
        "workspace.undo" => Event::WorkspaceUndo(parse(line)?),
        "context.compact" => Event::ContextCompact(parse(line)?),
        "session.end" => Event::SessionEnd(parse(line)?),
        _ => return Ok(None),
    }))
}

pub fn read(contents: &Contents) -> Result<Found, Damage> {
    let mut found = Found::default();
    let ended = last_end(contents);
    for (index, line) in contents.lines().enumerate() {
        let damage = |reason: String| Damage { line: index as u64 + 1, reason };
        let header = Header::read(line).map_err(damage)?;
        if index == 0 {
            found.start_ms = parse_ms(header.ts).unwrap_or_default();
        }
        if index as u64 + 1 == contents.events() {
            found.last_ms = parse_ms(header.ts).unwrap_or_default();
        }
        // Of runs that ended nothing is open, so what only tells that is not read: half of a long journal.
        if index < ended {
            match header.kind {
                "tool.use" | "session.end" => continue,
                "model.request" if !line.contains(COMPACT) => {
                    found.compacting = false;
                    continue;
                }
                _ => {}
            }
        }
        if let Some(event) = event(header.kind, line).map_err(damage)? {
            found.take(event);
        }
    }
    Ok(found)
}

/// The line of the last `session.end`; 0 when there is none.
fn last_end(contents: &Contents) -> usize {
    let lines = contents.events() as usize;
    (0..lines)
        .rev()
        .find(|index| {
            let header = contents.line(*index).and_then(|line| Header::read(line).ok());
            header.is_some_and(|header| header.kind == "session.end")
        })
        .unwrap_or_default()
}

/// The kind of error of what a process that died has left open.
pub const INTERRUPTED: &str = "interrupted";

/// The events that close what a process left open when it died: nothing stays without an answer.
pub fn answers(found: &Found) -> Vec<Event> {
    let error = |message: &str| event::Error { kind: INTERRUPTED.to_owned(), message: message.to_owned(), at: None };
    let response = found.open_request.map(|call| {
        Event::ModelResponse(event::ModelResponse {
            call,
            text: String::new(),
            tool_calls: Vec::new(),
            state: String::new(),
            usage: event::Usage::default(),
            stop: None,
            error: Some(error("the process ended before the answer was complete")),
        })
    });
    let results = found.unanswered.iter().map(|call| {
        let message = if call.started {
            "the process ended during this call; whether it took effect is unknown"
        } else {
            "the process ended before this call was started; it had no effect"
        };
        Event::ToolResult(event::ToolResult {
            id: call.id.clone(),
            tool: call.tool.clone(),
            output: None,
            error: Some(error(message)),
            ms: 0,
            truncated: false,
        })
    });
    let end = found.open_run.then(|| {
        Event::SessionEnd(event::SessionEnd {
            stop: "error".to_owned(),
            text: String::new(),
            usage: found.usage,
            error: Some(error("the process ended during this run")),
        })
    });
    let killed = found.background.iter().map(|id| {
        let killed = Some("whoever ran the session ended".to_owned());
        Event::ProcessExit(event::ProcessExit { id: id.clone(), status: None, killed, ms: 0, memory_peak_bytes: 0 })
    });
    response.into_iter().chain(results).chain(killed).chain(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, change, request, response, tool_result as result, tool_use};

    fn after(events: Vec<Event>) -> Found {
        let mut found = Found::default();
        found.take(Event::UserMessage(event::UserMessage { text: "hi".into() }));
        events.into_iter().for_each(|event| found.take(event));
        found
    }

    fn close(mut found: Found) -> (Found, Vec<String>) {
        let events = answers(&found);
        let named = events
            .iter()
            .map(|event| match event {
                Event::ModelResponse(response) => format!("response {}", response.error.as_ref().unwrap().kind),
                Event::ToolResult(result) => {
                    let error = result.error.as_ref().unwrap();
                    format!("result {} {}", result.id, error.message.contains("unknown"))
                }
                Event::SessionEnd(end) => format!("end {}", end.stop),
                other => panic!("{other:?}"),
            })
            .collect();
        events.into_iter().for_each(|event| found.take(event));
        assert!(answers(&found).is_empty(), "closing once is enough");
        (found, named)
    }

    #[test]
    fn a_death_in_the_middle_of_tool_calls_leaves_none_unanswered() {
        let found = after(vec![request(0), response(0, &["a", "b"]), tool_use("a")]);
        let (found, named) = close(found);
        assert_eq!(named, ["result a true", "result b false", "end error"]);
        assert_eq!(found.transcript.len(), 4);
        assert_eq!(found.calls, 1);
        assert!(found.used_ids.contains("b"));
    }

    #[test]
    fn a_death_in_the_middle_of_an_answer_closes_the_request() {
        let (found, named) = close(after(vec![request(7)]));
        assert_eq!(named, ["response interrupted", "end error"]);
        assert_eq!(found.transcript.len(), 1, "half an answer is no part of the conversation");
    }

    #[test]
    fn results_stand_in_the_order_of_their_calls() {
        let mut found = after(vec![request(0), response(0, &["a", "b", "c"]), result("c"), result("a"), result("b")]);
        in_call_order(&mut found.transcript);
        let ids: Vec<_> = found
            .transcript
            .iter()
            .filter_map(|message| match message {
                Message::Tool(tool) => Some(tool.call_id.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(ids, ["a", "b", "c"]);
    }

    #[test]
    fn calls_by_hand_are_no_part_of_the_conversation() {
        let found = after(vec![request(0), response(0, &[]), tool_use("by hand"), result("by hand")]);
        assert_eq!(found.transcript.len(), 2);
    }

    #[test]
    fn compaction_replaces_the_older_part() {
        let summary = "sum".to_owned();
        let compact = Event::ContextCompact(event::ContextCompact { summary, keep: 1 });
        let found = after(vec![request(0), response(0, &[]), compact]);
        assert_eq!(found.transcript.len(), 2);
        assert_eq!(found.transcript[0], Message::User("sum".into()));
        assert!(matches!(found.transcript[1], Message::Assistant(_)));
    }
    #[test]
    fn a_death_between_change_and_result_leaves_the_call_interrupted() {
        let events = [testing::start(false), testing::says("hi"), request(0), response(0, &["a", "b"])];
        let died = [tool_use("a"), tool_use("b"), change("b", "one"), change("b", "two")];
        let (_folder, contents) = testing::journal(events.into_iter().chain(died));
        let (found, named) = close(read(&contents).unwrap());
        assert_eq!(named, ["result a true", "result b true", "end error"]);
        assert_eq!(found.transcript.len(), 4);
        assert_eq!(found.commit, 0);
    }

    #[test]
    fn commits_are_no_part_of_the_conversation_and_the_last_is_known() {
        let run = || {
            let ended = [tool_use("a"), change("a", "one"), result("a"), testing::end("done")];
            [testing::start(false), testing::says("hi"), request(0), response(0, &["a"])].into_iter().chain(ended)
        };
        let (_folder, without) = testing::journal(run());
        let without = read(&without).unwrap();
        assert_eq!(without.commit, 0);
        let commits = || [testing::commit(1, None), testing::commit(2, None), testing::commit(3, Some(2))];
        // Before the last end and after it: of runs that ended not all lines are read.
        for more in [vec![], vec![testing::start(true), testing::says("again"), testing::end("done")]] {
            let messages = without.transcript.len() + more.len() / 3;
            let (_folder, contents) = testing::journal(run().chain(commits()).chain([testing::discard()]).chain(more));
            let found = read(&contents).unwrap();
            assert_eq!((found.commit, found.transcript.len()), (3, messages));
            assert_eq!(found.transcript[..without.transcript.len()], without.transcript);
            assert!(answers(&found).is_empty());
        }
    }
}
