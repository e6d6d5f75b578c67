//! The digest of a request's messages: what `messages_sha256` in the journal is.
//!
//! SHA-256 of the messages as one JSON array without spaces. A conversation only grows, so the state of the hash is kept
//! and each request costs what is new in it.

use serde::Serialize;
use serde::ser::SerializeMap;
use sha2::{Digest, Sha256};

use crate::convert;
use crate::journal::hex;
use crate::wardian::agent::types::Message;

#[derive(Default)]
pub struct Hasher {
    seen: Vec<Message>,
    state: Sha256,
}

impl Hasher {
    pub fn digest(&mut self, messages: &[Message]) -> String {
        if !messages.starts_with(&self.seen) {
            *self = Self::default();
        }
        for message in &messages[self.seen.len()..] {
            self.state.update(if self.seen.is_empty() { b"[" } else { b"," });
            self.state.update(serde_json::to_vec(&Json(message)).unwrap_or_default());
            self.seen.push(message.clone());
        }
        let mut state = self.state.clone();
        state.update(if self.seen.is_empty() { b"[]".as_slice() } else { b"]" });
        hex(&state.finalize())
    }
}

struct Json<'a>(&'a Message);

impl Serialize for Json<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.0 {
            Message::User(text) => {
                map.serialize_entry("role", "user")?;
                map.serialize_entry("text", text)?;
            }
            Message::Assistant(assistant) => {
                map.serialize_entry("role", "assistant")?;
                map.serialize_entry("text", &assistant.text)?;
                let calls: Vec<_> = assistant.calls.iter().map(|call| (&call.id, &call.tool, &call.input)).collect();
                map.serialize_entry("calls", &calls)?;
                map.serialize_entry("state", &assistant.state)?;
            }
            Message::Tool(tool) => {
                map.serialize_entry("role", "tool")?;
                map.serialize_entry("id", &tool.call_id)?;
                map.serialize_entry("tool", &tool.tool)?;
                match &tool.result {
                    Ok(outcome) => {
                        map.serialize_entry("output", &convert::output(outcome))?;
                        map.serialize_entry("truncated", &outcome.truncated)?;
                    }
                    Err(error) => {
                        map.serialize_entry("error", convert::call_error_name(error.kind))?;
                        map.serialize_entry("message", &error.message)?;
                    }
                }
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::sha256;

    fn user(text: &str) -> Message {
        Message::User(text.to_owned())
    }

    #[test]
    fn growing_and_whole_give_the_same_digest() {
        let messages = [user("a"), user("b"), user("c")];
        let mut growing = Hasher::default();
        assert_eq!(growing.digest(&[]), sha256(b"[]"));
        growing.digest(&messages[..1]);
        growing.digest(&messages[..2]);
        let digest = growing.digest(&messages);
        assert_eq!(digest, Hasher::default().digest(&messages));
        let json = r#"[{"role":"user","text":"a"},{"role":"user","text":"b"},{"role":"user","text":"c"}]"#;
        assert_eq!(digest, sha256(json.as_bytes()));
    }

    #[test]
    fn a_changed_beginning_starts_over() {
        let mut hasher = Hasher::default();
        hasher.digest(&[user("a"), user("b")]);
        assert_eq!(hasher.digest(&[user("x"), user("b")]), Hasher::default().digest(&[user("x"), user("b")]));
        assert_eq!(hasher.digest(&[user("x")]), Hasher::default().digest(&[user("x")]));
    }
}
