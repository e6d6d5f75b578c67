//! Events of a message.

use provider_kit::transport::Head;
use provider_kit::types::{ModelError, StopReason, Usage};
use provider_kit::{Answer, Reader, ServerError, parse};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// One event of the stream. What an event means is in its `type`; most fields belong to some types only.
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    index: u64,
    message: Option<Value>,
    content_block: Option<Value>,
    delta: Option<Map<String, Value>>,
    usage: Option<Counted>,
}

#[derive(Deserialize, Default)]
struct Counted {
    input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

/// The block under way. Blocks come one after the other.
enum Block {
    Text,
    Call(usize),
    /// With text and signature as far as they have come.
    Thinking(Map<String, Value>),
    /// One that is known by its place only.
    Other,
}

#[derive(Default)]
pub struct AnthropicReader {
    block: Option<(u64, Block)>,
    counted: Counted,
    stop: Option<String>,
}

impl Reader for AnthropicReader {
    fn event(&mut self, _: &str, data: &str, answer: &mut Answer) -> Result<(), ModelError> {
        let event: Event = parse(data)?;
        match event.kind.as_str() {
            "message_start" => {
                if let Some(usage) = event.message.and_then(|mut message| message.get_mut("usage").map(Value::take)) {
                    self.count(serde_json::from_value(usage).unwrap_or_default(), answer);
                }
            }
            "content_block_start" => {
                let block = event.content_block.ok_or_else(|| missing(&event.kind, "content_block"))?;
                self.close(answer);
                self.block = Some((event.index, start(block, answer)));
            }
            "content_block_delta" => {
                let delta = event.delta.ok_or_else(|| missing(&event.kind, "delta"))?;
                match &mut self.block {
                    Some((index, block)) if *index == event.index => go_on(block, &delta, answer),
                    _ => {
                        return Err(ModelError::Protocol(format!(
                            "a piece of block {}, which has no start",
                            event.index
                        )));
                    }
                }
            }
            "content_block_stop" => self.close(answer),
            "message_delta" => {
                if let Some(usage) = event.usage {
                    self.count(usage, answer);
                }
                let reason = event.delta.as_ref().and_then(|delta| delta.get("stop_reason")?.as_str());
                self.stop = reason.map(str::to_owned).or_else(|| self.stop.take());
            }
            "message_stop" => self.finish(answer),
            "error" => return Err(failure(&parse(data)?)),
            // Signs of life, and what is to come.
            _ => {}
        }
        Ok(())
    }

    fn document(&mut self, document: &str, answer: &mut Answer) -> Result<(), ModelError> {
        let mut message: Value = parse(document)?;
        if message["type"] == "error" {
            return Err(failure(&message));
        }
        let Value::Array(blocks) = message["content"].take() else {
            return Err(ModelError::Protocol("the answer has no content".to_owned()));
        };
        for (index, mut block) in (0..).zip(blocks) {
            let whole = match block["type"].as_str() {
                Some("tool_use") => Some(block["input"].take().to_string()),
                _ => None,
            };
            self.block = Some((index, start(block, answer)));
            if let (Some((_, Block::Call(call))), Some(input)) = (&self.block, whole) {
                answer.input(*call, &input);
            }
            self.close(answer);
        }
        self.count(serde_json::from_value(message["usage"].take()).unwrap_or_default(), answer);
        self.stop = message["stop_reason"].as_str().map(str::to_owned);
        self.finish(answer);
        Ok(())
    }

    /// Everything is said once there is a reason to stop.
    fn end(&mut self, answer: &mut Answer) {
        if self.stop.is_some() {
            self.finish(answer);
        }
    }

    fn refusal(error: &ServerError, head: &Head) -> Option<ModelError> {
        // Told with the status of a request that is wrong.
        let no_credit = head.status == 400 && error.message.contains("credit balance");
        no_credit.then(|| ModelError::Quota(error.message.clone()))
    }
}

fn missing(kind: &str, field: &str) -> ModelError {
    ModelError::Protocol(format!("the event {kind} has no {field}"))
}

fn failure(value: &Value) -> ModelError {
    ServerError::from_json(value).into_stream_error()
}

/// Begins a block. What it has from the beginning is taken: whole answers have all of it.
fn start(block: Value, answer: &mut Answer) -> Block {
    match block["type"].as_str() {
        Some("text") => {
            answer.end_text();
            answer.text(block["text"].as_str().unwrap_or_default());
            Block::Text
        }
        Some("tool_use") => Block::Call(answer.call(block["id"].as_str(), block["name"].as_str().unwrap_or_default())),
        Some("thinking") => {
            answer.reasoning(block["thinking"].as_str().unwrap_or_default());
            Block::Thinking(into_map(block))
        }
        // Encrypted whole: there is nothing to be shown.
        Some("redacted_thinking") => Block::Thinking(into_map(block)),
        _ => Block::Other,
    }
}

fn into_map(block: Value) -> Map<String, Value> {
    match block {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn go_on(block: &mut Block, delta: &Map<String, Value>, answer: &mut Answer) {
    let text = |key: &str| delta.get(key).and_then(Value::as_str).unwrap_or_default();
    match block {
        Block::Text => answer.text(text("text")),
        Block::Call(call) => answer.input(*call, text("partial_json")),
        Block::Thinking(thinking) => {
            for key in ["thinking", "signature"] {
                let piece = text(key);
                if piece.is_empty() {
                    continue;
                }
                match thinking.entry(key).or_insert_with(|| json!("")) {
                    Value::String(whole) => whole.push_str(piece),
                    other => *other = piece.into(),
                }
            }
            answer.reasoning(text("thinking"));
        }
        Block::Other => {}
    }
}

impl AnthropicReader {
    fn close(&mut self, answer: &mut Answer) {
        match self.block.take() {
            Some((_, Block::Call(call))) => answer.end_call(call),
            // Without its signature the service would not take it back.
            Some((_, Block::Thinking(block))) if block.get("signature").is_none_or(|signature| signature == "") => {
                if block.contains_key("data") {
                    answer.opaque(block.into());
                }
            }
            Some((_, Block::Thinking(block))) => answer.opaque(block.into()),
            Some((_, Block::Text)) => answer.end_text(),
            Some((_, Block::Other)) | None => {}
        }
    }

    fn count(&mut self, usage: Counted, answer: &mut Answer) {
        let counted = &mut self.counted;
        counted.input_tokens = usage.input_tokens.or(counted.input_tokens);
        counted.cache_read_input_tokens = usage.cache_read_input_tokens.or(counted.cache_read_input_tokens);
        counted.cache_creation_input_tokens = usage.cache_creation_input_tokens.or(counted.cache_creation_input_tokens);
        counted.output_tokens = usage.output_tokens.or(counted.output_tokens);
        let cached = counted.cache_read_input_tokens.unwrap_or_default();
        let fresh = counted.input_tokens.unwrap_or_default();
        let written = counted.cache_creation_input_tokens.unwrap_or_default();
        answer.usage(Usage {
            input_tokens: fresh.saturating_add(cached).saturating_add(written),
            cached_tokens: cached,
            output_tokens: counted.output_tokens.unwrap_or_default(),
        });
    }

    fn finish(&mut self, answer: &mut Answer) {
        let stop = match self.stop.as_deref() {
            Some("max_tokens" | "model_context_window_exceeded") => StopReason::MaxTokens,
            Some("refusal") => StopReason::Refusal,
            _ if answer.has_calls() => StopReason::ToolCalls,
            _ => StopReason::EndTurn,
        };
        // A call that was cut off stays open, so that its input is not taken for whole.
        if stop != StopReason::MaxTokens {
            self.close(answer);
        }
        answer.stop(stop);
    }
}

#[cfg(test)]
mod tests;
