//! Events of a response.

use provider_kit::types::{ModelError, StopReason, Usage};
use provider_kit::{Answer, Reader, ServerError, parse};
use serde::Deserialize;
use serde_json::{Value, json};

/// One event of the stream. What an event means is in its `type`; most fields belong to some types only.
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    output_index: usize,
    delta: Option<Value>,
    item: Option<Value>,
    response: Option<Value>,
    error: Option<Value>,
}

/// What is known of one item of the output.
#[derive(Default, Clone)]
struct Slot {
    /// The call's place in the answer.
    call: Option<usize>,
    /// Something of its text was shown.
    has_text: bool,
    done: bool,
}

#[derive(Default)]
pub struct OpenAiReader {
    /// By index of output.
    slots: Vec<Slot>,
    /// Whose text is under way.
    text_of: Option<usize>,
    refused: bool,
    has_reasoning: bool,
}

/// Items of one response. More is no answer of a model.
const ITEMS_MAX: usize = 10_000;

impl Reader for OpenAiReader {
    fn event(&mut self, _: &str, data: &str, answer: &mut Answer) -> Result<(), ModelError> {
        // Compatible servers end as the older API does.
        if data.trim() == "[DONE]" {
            return Ok(());
        }
        let event: Event = parse(data)?;
        let index = event.output_index;
        if index >= ITEMS_MAX {
            return Err(ModelError::Protocol(format!("output {index} is beyond the {ITEMS_MAX} that are followed")));
        }
        let delta = || event.delta.as_ref().and_then(Value::as_str).unwrap_or_default();
        match event.kind.as_str() {
            "response.output_item.added" => {
                if let Some(item) = &event.item {
                    self.added(index, item, answer);
                }
            }
            "response.output_text.delta" => self.text(index, delta(), false, answer),
            "response.refusal.delta" => self.text(index, delta(), true, answer),
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.has_reasoning = true;
                answer.reasoning(delta());
            }
            "response.reasoning_summary_part.added" if self.has_reasoning => answer.reasoning("\n\n"),
            "response.function_call_arguments.delta" => {
                if let Some(call) = self.slot(index).call {
                    answer.input(call, delta());
                }
            }
            "response.output_item.done" => {
                if let Some(item) = event.item {
                    self.done(index, item, answer);
                }
            }
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
                let response = event.response.ok_or_else(|| missing(&event.kind, "response"))?;
                return self.response(response, answer);
            }
            // Either an error by itself or an object that has it.
            "error" => return Err(failure(event.error.as_ref().unwrap_or(&parse(data)?))),
            "" if event.error.is_some() => return Err(failure(&parse(data)?)),
            // Others repeat what came piece by piece, or say how far the service is.
            _ => {}
        }
        Ok(())
    }

    fn document(&mut self, document: &str, answer: &mut Answer) -> Result<(), ModelError> {
        self.response(parse(document)?, answer)
    }

    /// A response has a last word; without it there is more to come.
    fn end(&mut self, _: &mut Answer) {}
}

fn missing(kind: &str, field: &str) -> ModelError {
    ModelError::Protocol(format!("the event {kind} has no {field}"))
}

fn failure(error: &Value) -> ModelError {
    let error = ServerError::from_json(error);
    if error.is(&["content_filter", "image_content_policy_violation", "content_policy_violation"]) {
        return ModelError::ContentFilter(error.message);
    }
    error.into_stream_error()
}

impl OpenAiReader {
    fn slot(&mut self, index: usize) -> &mut Slot {
        if self.slots.len() <= index {
            self.slots.resize(index + 1, Slot::default());
        }
        &mut self.slots[index]
    }

    fn added(&mut self, index: usize, item: &Value, answer: &mut Answer) {
        if item["type"] == "function_call" && self.slot(index).call.is_none() && !self.slot(index).done {
            let call = answer.call(item["call_id"].as_str(), item["name"].as_str().unwrap_or_default());
            self.slot(index).call = Some(call);
        }
    }

    fn text(&mut self, index: usize, piece: &str, is_refusal: bool, answer: &mut Answer) {
        if piece.is_empty() {
            return;
        }
        if self.text_of != Some(index) {
            answer.end_text();
            self.text_of = Some(index);
        }
        self.slot(index).has_text = true;
        answer.text(piece);
        if is_refusal {
            self.refused = true;
            answer.note_text("refusal", true.into());
        }
    }

    /// An item as a whole: what did not come piece by piece comes now.
    fn done(&mut self, index: usize, item: Value, answer: &mut Answer) {
        if self.slot(index).done {
            return;
        }
        match item["type"].as_str() {
            Some("message") => {
                if !self.slot(index).has_text {
                    for part in item["content"].as_array().into_iter().flatten() {
                        match (&part["text"], &part["refusal"]) {
                            (Value::String(text), _) => self.text(index, text, false, answer),
                            (_, Value::String(text)) => self.text(index, text, true, answer),
                            _ => {}
                        }
                    }
                }
                // Whether it is a remark on the way or the answer: newer models want to be told again.
                if self.text_of == Some(index)
                    && let Some(phase) = item.get("phase").filter(|phase| !phase.is_null())
                {
                    answer.note_text("phase", phase.clone());
                }
            }
            Some("function_call") => {
                self.added(index, &item, answer);
                if let Some(call) = self.slot(index).call {
                    if !answer.has_input(call) {
                        answer.input(call, item["arguments"].as_str().unwrap_or_default());
                    }
                    answer.end_call(call);
                }
            }
            // Unencrypted, it is a reference to what the service does not keep.
            Some("reasoning") if item["encrypted_content"].is_string() => answer.opaque(sendable(item)),
            // Of the service's own tools there are none, unless the user's options say so; they leave no trace here.
            _ => {}
        }
        self.slot(index).done = true;
        self.text_of = None;
        answer.end_text();
    }

    /// The response as a whole, which is the last word.
    fn response(&mut self, mut response: Value, answer: &mut Answer) -> Result<(), ModelError> {
        if let Some(error) = response.get("error").filter(|error| !error.is_null()) {
            return Err(failure(error));
        }
        if !response.is_object() || response.get("status").is_none() && response.get("output").is_none() {
            return Err(ModelError::Protocol("what the server sent is no response".to_owned()));
        }
        if let Value::Array(output) = response["output"].take() {
            for (index, item) in output.into_iter().enumerate().take(ITEMS_MAX) {
                self.done(index, item, answer);
            }
        }
        if let Some(usage) = response["usage"].as_object() {
            let count = |value: Option<&Value>| value.and_then(Value::as_u64).unwrap_or_default();
            let details = usage.get("input_tokens_details").and_then(|details| details.get("cached_tokens"));
            answer.usage(Usage {
                input_tokens: count(usage.get("input_tokens")),
                cached_tokens: count(details),
                output_tokens: count(usage.get("output_tokens")),
            });
        }
        let stop = match response["status"].as_str() {
            Some("incomplete") => match response["incomplete_details"]["reason"].as_str() {
                Some("content_filter") => {
                    return Err(ModelError::ContentFilter("the service's filter ended the answer".to_owned()));
                }
                _ => StopReason::MaxTokens,
            },
            Some("failed") => return Err(ModelError::Overloaded("the service failed without a reason".to_owned())),
            Some("cancelled") => return Err(ModelError::Protocol("the service cancelled the response".to_owned())),
            Some("queued" | "in_progress") => {
                return Err(ModelError::Protocol("the service answered before it was done".to_owned()));
            }
            _ if answer.has_calls() => StopReason::ToolCalls,
            _ if self.refused => StopReason::Refusal,
            _ => StopReason::EndTurn,
        };
        answer.stop(stop);
        Ok(())
    }
}

/// What of a reasoning item may be sent back. Its status may not, and its id names something that is not kept.
fn sendable(item: Value) -> Value {
    let summary = item.get("summary").filter(|summary| summary.is_array()).cloned().unwrap_or_else(|| json!([]));
    json!({"type": "reasoning", "summary": summary, "encrypted_content": item["encrypted_content"]})
}

#[cfg(test)]
mod tests;
