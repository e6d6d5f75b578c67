//! What a request brings: the results, the newest prompt, its size.

use crate::world::wardian::agent::types::{CallErrorKind, Message, Request, ToolMessage};
use crate::world::wardian::tool::types::{Outcome, Part};

/// How much of the results an error shows.
const EXCERPT_BYTES_MAX: usize = 200;
/// Used to estimate tokens.
const BYTES_PER_TOKEN: usize = 4;

/// The results since the model spoke last.
pub fn last(messages: &[Message]) -> impl Iterator<Item = &ToolMessage> {
    let after = messages.iter().rposition(|message| matches!(message, Message::Assistant(_)));
    tools(&messages[after.map_or(0, |at| at + 1)..])
}

/// The results since the newest prompt.
pub fn run(messages: &[Message]) -> impl Iterator<Item = &ToolMessage> {
    let after = messages.iter().rposition(|message| matches!(message, Message::User(_)));
    tools(&messages[after.map_or(0, |at| at + 1)..])
}

/// All tool messages, oldest first.
pub fn tools(messages: &[Message]) -> impl Iterator<Item = &ToolMessage> {
    messages.iter().filter_map(|message| match message {
        Message::Tool(tool) => Some(tool),
        Message::User(_) | Message::Assistant(_) => None,
    })
}

/// The newest prompt; empty where there is none.
pub fn prompt(messages: &[Message]) -> &str {
    messages
        .iter()
        .rev()
        .find_map(|message| match message {
            Message::User(text) => Some(text.as_str()),
            Message::Assistant(_) | Message::Tool(_) => None,
        })
        .unwrap_or_default()
}

/// The text parts, one after the other.
pub fn text(outcome: &Outcome) -> String {
    let texts: Vec<&str> = outcome.parts.iter().filter_map(part_text).collect();
    texts.join("\n")
}

/// Their length.
pub fn text_bytes(outcome: &Outcome) -> usize {
    outcome.parts.iter().filter_map(part_text).map(str::len).sum()
}

fn part_text(part: &Part) -> Option<&str> {
    match part {
        Part::Text(text) => Some(text),
        Part::Image(_) | Part::File(_) => None,
    }
}

/// Whether a result has `needle` in its text, its data or its error.
pub fn contains(message: &ToolMessage, needle: &str) -> bool {
    match &message.result {
        Ok(outcome) => {
            text(outcome).contains(needle) || outcome.data.as_ref().is_some_and(|data| data.contains(needle))
        }
        Err(error) => error.message.contains(needle),
    }
}

/// The beginning of what `last` has, for an error message.
pub fn excerpt(messages: &[Message]) -> String {
    let mut shown = String::new();
    for message in last(messages) {
        if !shown.is_empty() {
            shown.push('\n');
        }
        match &message.result {
            Ok(outcome) => shown.push_str(&text(outcome)),
            Err(error) => shown.push_str(&format!("{}: {}", kind_name(error.kind), error.message)),
        }
        if shown.len() > EXCERPT_BYTES_MAX {
            shown.truncate(shown.floor_char_boundary(EXCERPT_BYTES_MAX));
            shown.push('…');
            break;
        }
    }
    shown
}

/// The kind of an error as the contract spells it.
pub fn kind_name(kind: CallErrorKind) -> &'static str {
    match kind {
        CallErrorKind::UnknownTool => "unknown-tool",
        CallErrorKind::InvalidInput => "invalid-input",
        CallErrorKind::NotPermitted => "not-permitted",
        CallErrorKind::Limit => "limit",
        CallErrorKind::Trapped => "trapped",
        CallErrorKind::Failed => "failed",
        CallErrorKind::Cancelled => "cancelled",
        CallErrorKind::Interrupted => "interrupted",
        CallErrorKind::Host => "host",
    }
}

/// Tokens of so much text: an estimate, there is no tokenizer here.
pub fn tokens(bytes: usize) -> u64 {
    bytes.div_ceil(BYTES_PER_TOKEN) as u64
}

/// The text of a whole request, as a model would be sent it. Images count nothing.
pub fn request_bytes(request: &Request) -> usize {
    let messages = request.messages.iter().map(|message| match message {
        Message::User(text) => text.len(),
        Message::Assistant(said) => {
            said.text.len() + said.calls.iter().map(|call| call.tool.len() + call.input.len()).sum::<usize>()
        }
        Message::Tool(message) => match &message.result {
            Ok(outcome) => text_bytes(outcome),
            Err(error) => error.message.len(),
        },
    });
    let tools = request.tools.iter().map(|tool| tool.name.len() + tool.description.len() + tool.input_schema.len());
    request.system.len() + messages.sum::<usize>() + tools.sum::<usize>()
}
