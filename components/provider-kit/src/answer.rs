//! An answer as it grows: what a protocol's reader finds becomes the contract's events, in an order that the contract
//! allows.

use std::collections::VecDeque;

use serde_json::{Map, Value};

use crate::state::{self, Item};
use crate::types::{CallDelta, CallStart, Event, StopReason, Usage};

/// Between two texts of one answer that are parts of their own.
const BETWEEN_TEXTS: &str = "\n\n";

#[derive(Debug)]
struct Call {
    id: String,
    has_input: bool,
    ended: bool,
}

/// The events of one answer that were not asked for yet, and what must be known to make further ones.
#[derive(Debug)]
pub struct Answer {
    provider: &'static str,
    model: String,
    queue: VecDeque<Event>,
    text_bytes: usize,
    /// What is written next belongs to the last item, if that is a text.
    in_text: bool,
    items: Vec<Item>,
    calls: Vec<Call>,
    usage: Option<Usage>,
    stopped: bool,
}

impl Answer {
    pub fn new(provider: &'static str, model: &str) -> Self {
        Self {
            provider,
            model: model.to_owned(),
            queue: VecDeque::new(),
            text_bytes: 0,
            in_text: false,
            items: Vec::new(),
            calls: Vec::new(),
            usage: None,
            stopped: false,
        }
    }

    /// The next event, if there is one.
    pub fn pop(&mut self) -> Option<Event> {
        self.queue.pop_front()
    }

    /// Whether the answer has its end.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Whether nothing is left but the end.
    pub fn is_at_stop(&self) -> bool {
        matches!(self.queue.front(), Some(Event::Stop(_)))
    }

    pub fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    pub fn has_text(&self) -> bool {
        self.text_bytes > 0
    }

    pub fn text(&mut self, piece: &str) {
        if piece.is_empty() {
            return;
        }
        if !self.in_text {
            if self.text_bytes > 0 {
                self.write(BETWEEN_TEXTS);
            }
            self.items.push(Item::Text { from: self.text_bytes, to: self.text_bytes, extra: Map::new() });
            self.in_text = true;
        }
        self.write(piece);
        if let Some(Item::Text { to, .. }) = self.items.last_mut() {
            *to = self.text_bytes;
        }
    }

    fn write(&mut self, piece: &str) {
        self.text_bytes += piece.len();
        self.queue.push_back(Event::Text(piece.to_owned()));
    }

    /// The text that follows is a part of its own.
    pub fn end_text(&mut self) {
        self.in_text = false;
    }

    /// What the service wants to be told about the text under way, when it is sent back.
    pub fn note_text(&mut self, key: &str, value: Value) {
        if let Some(Item::Text { extra, .. }) = self.items.last_mut()
            && self.in_text
        {
            extra.insert(key.to_owned(), value);
        }
    }

    pub fn reasoning(&mut self, piece: &str) {
        if !piece.is_empty() {
            self.queue.push_back(Event::Reasoning(piece.to_owned()));
        }
    }

    /// Keeps a part for the next request, at this place.
    pub fn opaque(&mut self, value: Value) {
        self.in_text = false;
        self.items.push(Item::Opaque(value));
    }

    /// Begins a call and returns its place. Some servers give no id, or one twice; the call has one of its own then.
    pub fn call(&mut self, id: Option<&str>, tool: &str) -> usize {
        self.in_text = false;
        let index = self.calls.len();
        let taken = |id: &str| self.calls.iter().any(|call| call.id == id);
        let id = match id.filter(|id| !id.is_empty() && !taken(id)) {
            Some(id) => id.to_owned(),
            None => (index..).map(|n| format!("call_{n}")).find(|id| !taken(id)).unwrap_or_default(),
        };
        self.queue.push_back(Event::CallStart(CallStart { id: id.clone(), tool: tool.to_owned() }));
        self.items.push(Item::Call(index));
        self.calls.push(Call { id, has_input: false, ended: false });
        index
    }

    /// The next piece of a call's input.
    pub fn input(&mut self, index: usize, piece: &str) {
        if piece.is_empty() {
            return;
        }
        if let Some(call) = self.calls.get_mut(index)
            && !call.ended
        {
            call.has_input = true;
            self.queue.push_back(Event::CallDelta(CallDelta { id: call.id.clone(), input: piece.to_owned() }));
        }
    }

    pub fn has_input(&self, index: usize) -> bool {
        self.calls.get(index).is_some_and(|call| call.has_input)
    }

    /// Ends a call. One without input takes none: an empty object.
    pub fn end_call(&mut self, index: usize) {
        if !self.has_input(index) {
            self.input(index, "{}");
        }
        if let Some(call) = self.calls.get_mut(index)
            && !call.ended
        {
            call.ended = true;
            self.queue.push_back(Event::CallEnd(call.id.clone()));
        }
    }

    /// Tokens as counted so far; the last word counts.
    pub fn usage(&mut self, usage: Usage) {
        self.usage = Some(usage);
    }

    /// Tokens as counted so far.
    pub fn usage_so_far(&self) -> Usage {
        self.usage.unwrap_or(Usage { input_tokens: 0, cached_tokens: 0, output_tokens: 0 })
    }

    /// Ends the answer. Nothing comes after it.
    pub fn stop(&mut self, reason: StopReason) {
        if self.stopped {
            return;
        }
        self.stopped = true;
        // An answer that was cut off may end inside a call.
        if reason != StopReason::MaxTokens {
            (0..self.calls.len()).for_each(|index| self.end_call(index));
        }
        let state = state::write(self.provider, &self.model, &self.items);
        if !state.is_empty() {
            self.queue.push_back(Event::State(state));
        }
        self.queue.extend(self.usage.map(Event::Usage));
        self.queue.push_back(Event::Stop(reason));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Gathered;
    use crate::types::AssistantMessage;
    use serde_json::json;

    fn gathered(answer: &mut Answer) -> Gathered {
        let mut gathered = Gathered::default();
        while let Some(event) = answer.pop() {
            gathered.take(event);
        }
        gathered
    }

    #[test]
    fn calls_have_ids_of_their_own_and_some_input() {
        let mut answer = Answer::new("p", "m");
        let calls = [None, Some(""), Some("x"), Some("x"), Some("call_9")].map(|id| answer.call(id, "T"));
        answer.input(calls[2], "{\"a\"");
        answer.input(calls[2], ":1}");
        answer.stop(StopReason::ToolCalls);
        let calls = gathered(&mut answer).calls;
        let ids: std::collections::BTreeSet<_> = calls.iter().map(|call| &call.id).collect();
        assert_eq!(ids.len(), 5, "{calls:?}");
        assert_eq!((calls[2].input.as_str(), calls[0].input.as_str()), ("{\"a\":1}", "{}"));
        assert!(calls.iter().all(|call| call.ended));
    }

    #[test]
    fn a_cut_off_call_stays_open() {
        let mut answer = Answer::new("p", "m");
        let call = answer.call(Some("a"), "T");
        answer.input(call, "{\"pa");
        answer.stop(StopReason::MaxTokens);
        assert!(!gathered(&mut answer).calls[0].ended);
    }

    #[test]
    fn texts_of_their_own_are_set_apart_and_found_again() {
        let mut answer = Answer::new("p", "m");
        answer.text("Zwölf");
        answer.text(" Boxkämpfer");
        answer.opaque(json!({"signature": "s"}));
        answer.text("jagen");
        answer.note_text("phase", json!("final"));
        answer.stop(StopReason::EndTurn);
        let Gathered { text, state, .. } = gathered(&mut answer);
        assert_eq!(text, "Zwölf Boxkämpfer\n\njagen");
        let message = AssistantMessage { text, calls: vec![], state };
        let pieces = state::pieces(&message, "p", "m");
        assert!(matches!(&pieces[0], state::Piece::Text { text: "Zwölf Boxkämpfer", .. }), "{pieces:?}");
        assert!(matches!(&pieces[2], state::Piece::Text { text: "jagen", extra } if extra["phase"] == "final"));
    }
}
