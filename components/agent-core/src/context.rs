//! How large a conversation is, and what of it to keep when it grows too large.

use alloc::vec::Vec;

use crate::wardian::agent::types::Message;
use crate::wardian::tool::types::Part;

/// An image costs a model about this much context, whatever its bytes.
const IMAGE_BYTES: usize = 6_000;

/// Share of the context that the newest messages may keep after compaction.
const KEEP_PERCENT: u64 = 25;

/// Bytes of text that a message adds to the context.
pub fn bytes(message: &Message) -> u64 {
    let bytes = match message {
        Message::User(text) => text.len(),
        Message::Assistant(assistant) => {
            assistant.text.len()
                + assistant.state.len()
                + assistant.calls.iter().map(|call| call.tool.len() + call.input.len()).sum::<usize>()
        }
        Message::Tool(tool) => match &tool.result {
            Ok(outcome) => outcome
                .parts
                .iter()
                .map(|part| match part {
                    Part::Text(text) => text.len(),
                    Part::Image(_) => IMAGE_BYTES,
                    Part::File(file) => file.path.len(),
                })
                .sum(),
            Err(error) => error.message.len(),
        },
    };
    bytes as u64
}

/// How many of the newest messages stay as they are when the rest is summarized.
///
/// A tool's answer is never kept without the assistant message that asked for it: providers reject that. The newest
/// exchange stays even when it is large, so that the model can go on with what it was doing.
pub fn keep(messages: &[Message], context_bytes_max: u64) -> usize {
    let room = context_bytes_max * KEEP_PERCENT / 100;
    let mut kept = 0;
    let mut used = 0;
    for (index, message) in messages.iter().enumerate().rev() {
        used += bytes(message);
        if used > room && kept > 0 {
            break;
        }
        if !matches!(message, Message::Tool(_)) {
            kept = messages.len() - index;
        }
    }
    kept
}

/// The whole conversation in bytes of text.
pub fn total(messages: &[Message]) -> u64 {
    messages.iter().map(bytes).sum()
}

/// `summary` followed by the newest `keep` messages.
pub fn compacted(summary: Message, messages: Vec<Message>, keep: usize) -> Vec<Message> {
    let skip = messages.len() - keep;
    core::iter::once(summary).chain(messages.into_iter().skip(skip)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wardian::agent::types::{AssistantMessage, ToolMessage};
    use crate::wardian::tool::types::{Outcome, ToolCall};

    fn user(bytes: usize) -> Message {
        Message::User("u".repeat(bytes))
    }

    fn asks(bytes: usize) -> Message {
        let call = ToolCall { id: "1".into(), tool: "T".into(), input: "i".repeat(bytes - 1) };
        Message::Assistant(AssistantMessage { text: String::new(), calls: vec![call], state: String::new() })
    }

    fn answers(bytes: usize) -> Message {
        let outcome = Outcome { parts: vec![Part::Text("t".repeat(bytes))], data: None, truncated: false };
        Message::Tool(ToolMessage { call_id: "1".into(), tool: "T".into(), result: Ok(outcome) })
    }

    #[test]
    fn keeps_whole_exchanges_that_fit() {
        let messages = [user(50), asks(10), answers(5), asks(5), answers(5)];
        assert_eq!(total(&messages), 75);
        assert_eq!(keep(&messages, 40), 2, "room for ten bytes: the last exchange");
        assert_eq!(keep(&messages, 100), 4, "room for twenty-five: both exchanges");
    }

    #[test]
    fn never_separates_an_answer_from_its_question() {
        let messages = [user(1), asks(2), answers(900), answers(900)];
        let kept = keep(&messages, 100);
        assert_eq!(kept, 3);
        assert!(matches!(messages[messages.len() - kept], Message::Assistant(_)));
    }

    #[test]
    fn compacted_begins_with_the_summary() {
        let after = compacted(user(3), vec![user(1), asks(2), answers(2)], 2);
        assert_eq!(after, [user(3), asks(2), answers(2)]);
    }
}
