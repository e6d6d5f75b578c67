//! The parts of an answer that only their provider understands, and their places between text and calls.
//!
//! Reasoning comes back encrypted or signed. A service wants it back unchanged and in its old place with the next request,
//! so an answer that has such parts also has a state, which the session keeps and nobody else reads: the order of its
//! parts. Text and calls are in it as places in the message, so that nothing is kept twice.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::tool::ToolCall;
use crate::types::AssistantMessage;

/// One part of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    Opaque(Value),
    /// Bytes of the message's text, and what else the service wants to be told about them.
    Text {
        from: usize,
        to: usize,
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        extra: Map<String, Value>,
    },
    /// The call's place among the message's calls. Its id may have been changed since.
    Call(usize),
}

#[derive(Serialize, Deserialize)]
struct State {
    provider: String,
    model: String,
    items: Vec<Item>,
}

/// One part of an earlier answer, to be sent again.
#[derive(Debug, PartialEq)]
pub enum Piece<'a> {
    Opaque(Value),
    Text { text: &'a str, extra: Map<String, Value> },
    Call(&'a ToolCall),
}

/// The state of an answer with these parts; empty where text and calls alone say it all.
pub fn write(provider: &str, model: &str, items: &[Item]) -> String {
    let plain = |item: &Item| match item {
        Item::Opaque(_) => false,
        Item::Text { extra, .. } => extra.is_empty(),
        Item::Call(_) => true,
    };
    if items.iter().all(plain) {
        return String::new();
    }
    let state = State { provider: provider.to_owned(), model: model.to_owned(), items: items.to_vec() };
    serde_json::to_string(&state).unwrap_or_default()
}

/// The parts of an earlier answer, in order.
///
/// A state of another provider or model, or one that does not fit the message, is left out: what remains is the text and
/// the calls.
pub fn pieces<'a>(message: &'a AssistantMessage, provider: &str, model: &str) -> Vec<Piece<'a>> {
    let state = serde_json::from_str::<State>(&message.state).ok();
    let state = state.filter(|state| state.provider == provider && state.model == model);
    state.and_then(|state| placed(message, state.items)).unwrap_or_else(|| plain(message))
}

fn plain(message: &AssistantMessage) -> Vec<Piece<'_>> {
    let text = (!message.text.is_empty()).then_some(Piece::Text { text: &message.text, extra: Map::new() });
    text.into_iter().chain(message.calls.iter().map(Piece::Call)).collect()
}

/// None if not every call has its place exactly once.
fn placed(message: &AssistantMessage, items: Vec<Item>) -> Option<Vec<Piece<'_>>> {
    let mut pieces = Vec::with_capacity(items.len());
    let mut calls = 0;
    for item in items {
        pieces.push(match item {
            Item::Opaque(value) => Piece::Opaque(value),
            Item::Text { from, to, extra } => Piece::Text { text: message.text.get(from..to)?, extra },
            Item::Call(index) => {
                if index != calls {
                    return None;
                }
                calls += 1;
                Piece::Call(message.calls.get(index)?)
            }
        });
    }
    (calls == message.calls.len()).then_some(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message(state: String) -> AssistantMessage {
        let call = |id: &str| ToolCall { id: id.into(), tool: "T".into(), input: "{}".into() };
        AssistantMessage { text: "one\n\ntwo".into(), calls: vec![call("a"), call("b")], state }
    }

    fn items() -> Vec<Item> {
        let extra = json!({"refusal": true}).as_object().unwrap().clone();
        vec![
            Item::Text { from: 0, to: 3, extra: Map::new() },
            Item::Opaque(json!({"signature": "s"})),
            Item::Call(0),
            Item::Text { from: 5, to: 8, extra },
            Item::Call(1),
        ]
    }

    fn order(pieces: &[Piece]) -> String {
        let name = |piece: &Piece| match piece {
            Piece::Opaque(value) => value.to_string(),
            Piece::Text { text, extra } => format!("{text}{}", extra.len()),
            Piece::Call(call) => call.id.clone(),
        };
        pieces.iter().map(name).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn parts_come_back_in_their_places() {
        let message = message(write("p", "m", &items()));
        assert_eq!(order(&pieces(&message, "p", "m")), r#"one0|{"signature":"s"}|a|two1|b"#);
    }

    #[test]
    fn what_is_not_ours_or_does_not_fit_is_left_out() {
        let plain = "one\n\ntwo0|a|b";
        let state = write("p", "m", &items());
        assert_eq!(order(&pieces(&message(state.clone()), "p", "other")), plain);
        assert_eq!(order(&pieces(&message(state), "other", "m")), plain);
        assert_eq!(order(&pieces(&message("{broken".into()), "p", "m")), plain);
        let text = |from, to| Item::Text { from, to, extra: Map::new() };
        for items in [
            vec![Item::Opaque(json!(1)), Item::Call(0)],
            vec![Item::Opaque(json!(1)), Item::Call(0), Item::Call(0)],
            vec![Item::Opaque(json!(1)), Item::Call(1), Item::Call(0)],
            vec![Item::Opaque(json!(1)), text(2, 99), Item::Call(0), Item::Call(1)],
            vec![Item::Opaque(json!(1)), text(3, 2), Item::Call(0), Item::Call(1)],
        ] {
            assert_eq!(order(&pieces(&message(write("p", "m", &items)), "p", "m")), plain, "{items:?}");
        }
    }

    #[test]
    fn text_and_calls_alone_need_no_state() {
        let items = [Item::Text { from: 0, to: 3, extra: Map::new() }, Item::Call(0)];
        assert_eq!(write("p", "m", &items), "");
    }
}
