//! Chat Completions, as strict as the strictest server that offers them.

use serde_json::{Value, json};

use super::rules::{self, Checked, fields, list, refuse, text};
use super::{Rendered, Reply};

pub fn check(body: &Value) -> Checked {
    let known = [
        "model!",
        "messages!",
        "tools",
        "stream",
        "stream_options",
        "max_tokens",
        "temperature",
        "tool_choice",
        "reasoning_effort",
    ];
    fields("body", body, &known)?;
    if body.get("stream_options").is_some() && body["stream"] != true {
        return refuse("stream_options: only allowed with stream");
    }
    if body.get("tools").is_some() {
        for tool in list("tools", &body["tools"])? {
            fields("tool", tool, &["type!", "function!"])?;
            fields("tool.function", &tool["function"], &["name!", "description", "parameters", "strict"])?;
            rules::tool("tool.function", &tool["function"]["name"], &tool["function"]["parameters"])?;
        }
    }
    // Ids of calls that were not answered yet.
    let mut open: Vec<&str> = Vec::new();
    for message in list("messages", &body["messages"])? {
        let role = text("role", &message["role"])?;
        if role != "tool" && !open.is_empty() {
            return refuse(format!(
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each \
                 'tool_call_id': {open:?}"
            ));
        }
        match role {
            "system" => {
                fields("system", message, &["role", "content!"])?;
                text("content", &message["content"])?;
            }
            "user" => {
                fields("user", message, &["role", "content!"])?;
                user(&message["content"])?;
            }
            "assistant" => {
                let known = ["role", "content", "tool_calls", "reasoning_content", "reasoning", "refusal"];
                fields("assistant", message, &known)?;
                if message.get("tool_calls").is_none() {
                    text("content", &message["content"])?;
                    continue;
                }
                for call in list("tool_calls", &message["tool_calls"])? {
                    fields("call", call, &["id!", "type!", "function!"])?;
                    fields("call.function", &call["function"], &["name!", "arguments!"])?;
                    rules::arguments("arguments", &call["function"]["arguments"])?;
                    open.push(text("id", &call["id"])?);
                }
            }
            "tool" => {
                fields("tool", message, &["role", "tool_call_id!", "content!"])?;
                text("content", &message["content"])?;
                let id = text("tool_call_id", &message["tool_call_id"])?;
                let Some(place) = open.iter().position(|open| *open == id) else {
                    return refuse(format!("messages with role 'tool' must be a response to a call: {id}"));
                };
                open.remove(place);
            }
            other => return refuse(format!("role: {other}")),
        }
    }
    if open.is_empty() { Ok(()) } else { refuse(format!("calls without a response: {open:?}")) }
}

fn user(content: &Value) -> Checked {
    if content.is_string() {
        return text("content", content).map(drop);
    }
    for part in list("content", content)? {
        match part["type"].as_str() {
            Some("text") => {
                fields("part", part, &["type", "text!"])?;
                text("text", &part["text"])?;
            }
            Some("image_url") => {
                fields("part", part, &["type", "image_url!"])?;
                rules::data_url("image_url", &part["image_url"]["url"])?;
            }
            _ => return refuse("content: unknown part"),
        }
    }
    Ok(())
}

pub fn render(reply: &Reply, number: usize) -> Rendered {
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
        json!({"id": format!("chatcmpl-{number}"), "object": "chat.completion.chunk", "model": "test", "choices": [choice]})
    };
    let mut events = vec![chunk(json!({"role": "assistant", "content": ""}), Value::Null)];
    if !reply.reasoning.is_empty() {
        events.push(chunk(json!({"reasoning_content": reply.reasoning}), Value::Null));
    }
    events.extend(reply.text.iter().map(|piece| chunk(json!({"content": piece}), Value::Null)));
    let mut calls = Vec::new();
    for (index, (tool, input)) in reply.calls.iter().enumerate() {
        let (id, input) = (format!("call_{number}_{index}"), input.to_string());
        let half = input.char_indices().nth(input.chars().count() / 2).map_or(0, |(at, _)| at);
        let start = json!({"index": index, "id": id, "type": "function", "function": {"name": tool, "arguments": ""}});
        events.push(chunk(json!({"tool_calls": [start]}), Value::Null));
        for piece in [&input[..half], &input[half..]] {
            let delta = json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]});
            events.push(chunk(delta, Value::Null));
        }
        calls.push(json!({"id": id, "type": "function", "function": {"name": tool, "arguments": input}}));
    }
    let finish = if calls.is_empty() { "stop" } else { "tool_calls" };
    events.push(chunk(json!({}), finish.into()));
    let usage = json!({"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
                       "prompt_tokens_details": {"cached_tokens": 60}});
    events.push(json!({"id": "x", "object": "chat.completion.chunk", "choices": [], "usage": usage}));
    let mut message = json!({"role": "assistant", "content": reply.text.concat()});
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    let choice = json!({"index": 0, "message": message, "finish_reason": finish});
    let document = json!({"id": "x", "object": "chat.completion", "choices": [choice], "usage": usage});
    let done = (None, "[DONE]".to_owned());
    let events = events.into_iter().map(|event| (None, event.to_string())).chain([done]).collect();
    Rendered { events, document }
}
