//! Chunks of an answer.

use provider_kit::types::{ModelError, StopReason, Usage};
use provider_kit::{Answer, Reader, ServerError, parse};
use serde::Deserialize;
use serde_json::{Value, json};

/// What ends a stream, where a server says so.
const DONE: &str = "[DONE]";

/// Fields under which servers send reasoning; they want it back under the same name.
const REASONING: [&str; 2] = ["reasoning_content", "reasoning"];

/// A chunk of a stream, or a whole answer: they differ in a name.
#[derive(Deserialize)]
struct Chunk {
    choices: Option<Vec<Choice>>,
    usage: Option<Counted>,
    error: Option<Value>,
    object: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    index: Option<u64>,
    #[serde(alias = "message")]
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<Value>,
    reasoning_content: Option<String>,
    reasoning: Option<String>,
    refusal: Option<String>,
    tool_calls: Option<Vec<CallPiece>>,
}

#[derive(Deserialize)]
struct CallPiece {
    index: Option<u64>,
    id: Option<String>,
    function: Option<FunctionPiece>,
}

#[derive(Deserialize)]
struct FunctionPiece {
    name: Option<String>,
    arguments: Option<Value>,
}

#[derive(Deserialize)]
struct Counted {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<Details>,
    prompt_cache_hit_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Details {
    cached_tokens: Option<u64>,
}

/// A call as far as it has come.
struct Slot {
    index: Option<u64>,
    id: String,
    /// In the answer, once its name is known.
    call: Option<usize>,
    /// Input that came before the name.
    early: String,
}

#[derive(Default)]
pub struct ChatReader {
    slots: Vec<Slot>,
    finish: Option<String>,
    refused: bool,
    /// As it came, and under which name.
    reasoning: String,
    reasoning_field: Option<&'static str>,
}

impl Reader for ChatReader {
    fn event(&mut self, _: &str, data: &str, answer: &mut Answer) -> Result<(), ModelError> {
        if data.trim() == DONE {
            self.stop(answer);
            return Ok(());
        }
        self.chunk(parse(data)?, data, answer)
    }

    fn document(&mut self, document: &str, answer: &mut Answer) -> Result<(), ModelError> {
        self.chunk(parse(document)?, document, answer)?;
        if self.finish.is_some() || answer.has_text() || answer.has_calls() {
            self.stop(answer);
        }
        Ok(())
    }

    /// Some servers just close the connection.
    fn end(&mut self, answer: &mut Answer) {
        if self.finish.is_some() {
            self.stop(answer);
        }
    }
}

impl ChatReader {
    fn chunk(&mut self, chunk: Chunk, text: &str, answer: &mut Answer) -> Result<(), ModelError> {
        let is_error = chunk.object.is_some_and(|object| object == "error");
        if is_error || chunk.error.is_some_and(|error| !error.is_null()) {
            return Err(ServerError::from_json(&parse(text)?).into_stream_error());
        }
        if let Some(usage) = chunk.usage {
            let cached = usage.prompt_tokens_details.and_then(|details| details.cached_tokens);
            answer.usage(Usage {
                input_tokens: usage.prompt_tokens.unwrap_or_default(),
                cached_tokens: cached.or(usage.prompt_cache_hit_tokens).unwrap_or_default(),
                output_tokens: usage.completion_tokens.unwrap_or_default(),
            });
        }
        // Of several answers the first is taken; there are several only if the user's options say so.
        for choice in chunk.choices.into_iter().flatten().filter(|choice| choice.index.unwrap_or_default() == 0) {
            if let Some(delta) = choice.delta {
                self.delta(delta, answer);
            }
            match choice.finish_reason.as_deref() {
                None | Some("") => {}
                Some("content_filter") => {
                    return Err(ModelError::ContentFilter("the service's filter ended the answer".to_owned()));
                }
                Some(_) => self.finish = choice.finish_reason,
            }
        }
        if self.finish.is_some() && self.slots.iter().any(|slot| slot.call.is_none()) {
            return Err(ModelError::Protocol("a tool call has no name".to_owned()));
        }
        Ok(())
    }

    fn delta(&mut self, delta: Delta, answer: &mut Answer) {
        for (field, piece) in REASONING.into_iter().zip([delta.reasoning_content, delta.reasoning]) {
            // Some servers send the same under both names.
            if let Some(piece) = piece
                && *self.reasoning_field.get_or_insert(field) == field
            {
                self.reasoning.push_str(&piece);
                answer.reasoning(&piece);
            }
        }
        match delta.content {
            Some(Value::String(piece)) => answer.text(&piece),
            Some(Value::Array(parts)) => {
                parts.iter().filter_map(|part| part["text"].as_str()).for_each(|piece| answer.text(piece));
            }
            _ => {}
        }
        if let Some(piece) = delta.refusal.filter(|piece| !piece.is_empty()) {
            self.refused = true;
            answer.text(&piece);
        }
        for piece in delta.tool_calls.into_iter().flatten() {
            self.call(piece, answer);
        }
    }

    fn call(&mut self, piece: CallPiece, answer: &mut Answer) {
        let id = piece.id.unwrap_or_default();
        let (name, arguments) = match piece.function {
            Some(function) => (function.name.unwrap_or_default(), function.arguments),
            None => (String::new(), None),
        };
        let place = self.place(piece.index, &id, &name);
        let slot = &mut self.slots[place];
        if slot.call.is_none() && !name.is_empty() {
            let call = answer.call(Some(&slot.id), &name);
            answer.input(call, &std::mem::take(&mut slot.early));
            slot.call = Some(call);
        }
        let input = match arguments {
            Some(Value::String(text)) => text,
            None | Some(Value::Null) => String::new(),
            // Ready-made, from a server that does not stream inputs.
            Some(value) => value.to_string(),
        };
        match slot.call {
            Some(call) => answer.input(call, &input),
            None => slot.early.push_str(&input),
        }
    }

    /// Which call a piece belongs to: by index, or by id where a server gives none or the same for all.
    fn place(&mut self, index: Option<u64>, id: &str, name: &str) -> usize {
        let known = match index {
            Some(_) => self.slots.iter().rposition(|slot| slot.index == index),
            None if !id.is_empty() => self.slots.iter().rposition(|slot| slot.id == id),
            None if name.is_empty() => self.slots.len().checked_sub(1),
            None => None,
        };
        let is_another = |slot: &Slot| !name.is_empty() && !id.is_empty() && !slot.id.is_empty() && slot.id != id;
        if let Some(place) = known.filter(|&place| !is_another(&self.slots[place])) {
            return place;
        }
        self.slots.push(Slot { index, id: id.to_owned(), call: None, early: String::new() });
        self.slots.len() - 1
    }

    fn stop(&mut self, answer: &mut Answer) {
        if let Some(field) = self.reasoning_field
            && answer.has_calls()
            && !self.reasoning.is_empty()
        {
            answer.opaque(json!({ field: self.reasoning }));
        }
        answer.stop(match self.finish.as_deref() {
            Some("length") => StopReason::MaxTokens,
            _ if answer.has_calls() => StopReason::ToolCalls,
            _ if self.refused => StopReason::Refusal,
            _ => StopReason::EndTurn,
        });
    }
}

#[cfg(test)]
mod tests;
