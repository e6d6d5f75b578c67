//! The Messages API.

use serde_json::{Value, json};

use super::rules::{self, Checked, fields, list, refuse, text};
use super::{Rendered, Reply};

/// Marks for the cache in one request.
const MARKS_MAX: usize = 4;

pub fn check(body: &Value) -> Checked {
    let known =
        ["model!", "max_tokens!", "messages!", "system", "tools", "tool_choice", "stream", "thinking", "temperature"];
    fields("body", body, &known)?;
    let marks = body.to_string().matches("\"cache_control\"").count();
    if marks > MARKS_MAX {
        return refuse(format!("A maximum of {MARKS_MAX} blocks with cache_control may be provided. Found {marks}."));
    }
    if body.get("system").is_some() {
        for block in list("system", &body["system"])? {
            fields("system", block, &["type!", "text!", "cache_control"])?;
            text("system", &block["text"])?;
        }
    }
    if body.get("tools").is_some() {
        for tool in list("tools", &body["tools"])? {
            fields("tool", tool, &["name!", "description", "input_schema!", "cache_control"])?;
            rules::tool("tool", &tool["name"], &tool["input_schema"])?;
        }
    }
    let messages = list("messages", &body["messages"])?;
    if messages[0]["role"] != "user" {
        return refuse("messages: first message must use the \"user\" role");
    }
    // Ids that the next message must answer.
    let mut open: Vec<&str> = Vec::new();
    for message in messages {
        fields("message", message, &["role!", "content!"])?;
        let (asked, is_user) = (std::mem::take(&mut open), message["role"] == "user");
        let mut answered = Vec::new();
        let mut other = false;
        for block in list("content", &message["content"])? {
            match (block["type"].as_str(), is_user) {
                (Some("text"), _) => {
                    fields("text", block, &["type", "text!", "cache_control"])?;
                    if block["text"].as_str().is_none_or(|text| text.trim().is_empty()) {
                        return refuse("messages: text content blocks must contain non-whitespace text");
                    }
                    other = true;
                }
                (Some("tool_result"), true) => {
                    fields("tool_result", block, &["type", "tool_use_id!", "content", "is_error", "cache_control"])?;
                    if other {
                        return refuse("tool_result blocks must come first");
                    }
                    result(&block["content"])?;
                    answered.push(text("tool_use_id", &block["tool_use_id"])?);
                }
                (Some("tool_use"), false) => {
                    fields("tool_use", block, &["type", "id!", "name!", "input!"])?;
                    let id = text("id", &block["id"])?;
                    if !block["input"].is_object() {
                        return refuse("tool_use.input: Input should be a valid dictionary");
                    }
                    if !id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
                        return refuse("tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'");
                    }
                    if body.get("tools").is_none() {
                        return refuse("Requests which include `tool_use` or `tool_result` blocks must define tools");
                    }
                    open.push(id);
                }
                (Some("thinking"), false) => {
                    fields("thinking", block, &["type", "thinking!", "signature!"])?;
                    if block["signature"] != rules::seal(block["thinking"].as_str().unwrap_or_default()) {
                        return refuse("Invalid `signature` in `thinking` block");
                    }
                }
                _ => return refuse(format!("content: unexpected block {block}")),
            }
        }
        if let Some(id) = asked.iter().find(|id| !answered.contains(id)) {
            return refuse(format!("`tool_use` ids were found without `tool_result` blocks immediately after: {id}"));
        }
        if let Some(id) = answered.iter().find(|id| !asked.contains(id)) {
            return refuse(format!("unexpected `tool_use_id` found in `tool_result` blocks: {id}"));
        }
    }
    if open.is_empty() { Ok(()) } else { refuse(format!("`tool_use` without `tool_result`: {open:?}")) }
}

fn result(content: &Value) -> Checked {
    for part in list("content", content)? {
        match part["type"].as_str() {
            Some("text") => {
                fields("part", part, &["type", "text!"])?;
                text("text", &part["text"])?;
            }
            Some("image") => {
                fields("part", part, &["type", "source!"])?;
                fields("source", &part["source"], &["type!", "media_type!", "data!"])?;
            }
            _ => return refuse("tool_result: unknown part"),
        }
    }
    Ok(())
}

pub fn render(reply: &Reply, number: usize) -> Rendered {
    let usage = json!({"input_tokens": 30, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 60, "output_tokens": 1});
    let start =
        json!({"message": {"id": "msg", "type": "message", "role": "assistant", "content": [], "usage": usage}});
    let mut events: Vec<(&'static str, Value)> = vec![("message_start", start), ("ping", json!({}))];
    let mut content = Vec::new();
    let mut block = |start: Value, deltas: Vec<Value>, whole: Value| {
        let index = content.len();
        events.push(("content_block_start", json!({"index": index, "content_block": start})));
        events.extend(deltas.into_iter().map(|delta| ("content_block_delta", json!({"index": index, "delta": delta}))));
        events.push(("content_block_stop", json!({"index": index})));
        content.push(whole);
    };
    if !reply.reasoning.is_empty() {
        let signature = rules::seal(&reply.reasoning);
        let whole = json!({"type": "thinking", "thinking": reply.reasoning, "signature": signature});
        let deltas = vec![
            json!({"type": "thinking_delta", "thinking": reply.reasoning}),
            json!({"type": "signature_delta", "signature": signature}),
        ];
        block(json!({"type": "thinking", "thinking": "", "signature": ""}), deltas, whole);
    }
    if !reply.text.is_empty() {
        let deltas = reply.text.iter().map(|piece| json!({"type": "text_delta", "text": piece})).collect();
        block(json!({"type": "text", "text": ""}), deltas, json!({"type": "text", "text": reply.text.concat()}));
    }
    for (index, (tool, input)) in reply.calls.iter().enumerate() {
        let call = |input: Value| json!({"type": "tool_use", "id": format!("toolu_{number}_{index}"), "name": tool, "input": input});
        let json = input.to_string();
        let pieces = [""].into_iter().chain(json.split_inclusive(' '));
        let deltas = pieces.map(|piece| json!({"type": "input_json_delta", "partial_json": piece})).collect();
        block(call(json!({})), deltas, call(input.clone()));
    }
    let stop = if reply.calls.is_empty() { "end_turn" } else { "tool_use" };
    let delta = json!({"stop_reason": stop, "stop_sequence": null});
    events.push(("message_delta", json!({"delta": delta, "usage": {"output_tokens": 20}})));
    events.push(("message_stop", json!({})));
    let usage = json!({"input_tokens": 30, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 60, "output_tokens": 20});
    let document = json!({"id": "msg", "type": "message", "role": "assistant", "content": content, "stop_reason": stop,
                          "usage": usage});
    let events = events.into_iter().map(|(name, mut event)| {
        event["type"] = name.into();
        (Some(name), event.to_string())
    });
    Rendered { events: events.collect(), document }
}
