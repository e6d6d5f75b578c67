//! The Responses API.

use serde_json::{Value, json};

use super::rules::{self, Checked, fields, list, refuse, text};
use super::{Rendered, Reply};

pub fn check(body: &Value) -> Checked {
    let known = [
        "model!",
        "input!",
        "instructions",
        "tools",
        "stream",
        "store",
        "include",
        "max_output_tokens",
        "reasoning",
        "temperature",
        "tool_choice",
        "parallel_tool_calls",
    ];
    fields("body", body, &known)?;
    if body.get("tools").is_some() {
        for tool in list("tools", &body["tools"])? {
            fields("tool", tool, &["type!", "name!", "description", "parameters!", "strict!"])?;
            rules::tool("tool", &tool["name"], &tool["parameters"])?;
        }
    }
    let mut open: Vec<&str> = Vec::new();
    let mut answered: Vec<&str> = Vec::new();
    let mut unled = false;
    for item in list("input", &body["input"])? {
        let kind = text("type", &item["type"])?;
        if unled && !matches!(kind, "message" | "function_call" | "reasoning") {
            return refuse("Item of type 'reasoning' was provided without its required following item.");
        }
        match kind {
            "message" => {
                fields("message", item, &["type", "role!", "content!", "phase"])?;
                message(item)?;
                if unled && item["role"] != "assistant" {
                    return refuse("Item of type 'reasoning' was provided without its required following item.");
                }
                unled = false;
            }
            "reasoning" => {
                if item.get("id").is_some() {
                    return refuse(format!(
                        "Item {} not found. Items are not persisted when `store` is false.",
                        item["id"]
                    ));
                }
                fields("reasoning", item, &["type", "summary", "encrypted_content!"])?;
                let content = text("encrypted_content", &item["encrypted_content"])?;
                let summary = item["summary"][0]["text"].as_str().unwrap_or_default();
                if !item["summary"].is_array() || content != rules::seal(summary) {
                    return refuse("The encrypted content could not be verified.");
                }
                unled = true;
            }
            "function_call" => {
                fields("function_call", item, &["type", "call_id!", "name!", "arguments!"])?;
                rules::arguments("arguments", &item["arguments"])?;
                open.push(text("call_id", &item["call_id"])?);
                unled = false;
            }
            "function_call_output" => {
                fields("function_call_output", item, &["type", "call_id!", "output!"])?;
                let id = text("call_id", &item["call_id"])?;
                if !open.contains(&id) || answered.contains(&id) {
                    return refuse(format!("No tool call found for function call output with call_id {id}."));
                }
                answered.push(id);
                output(&item["output"])?;
            }
            other => return refuse(format!("input: unknown type {other}")),
        }
    }
    if unled {
        return refuse("Item of type 'reasoning' was provided without its required following item.");
    }
    match open.iter().find(|id| !answered.contains(id)) {
        Some(id) => refuse(format!("No tool output found for function call {id}.")),
        None => Ok(()),
    }
}

fn message(item: &Value) -> Checked {
    for part in list("content", &item["content"])? {
        match (item["role"].as_str(), part["type"].as_str()) {
            (Some("user"), Some("input_text")) | (Some("assistant"), Some("output_text")) => {
                fields("part", part, &["type", "text!"])?;
            }
            (Some("assistant"), Some("refusal")) => fields("part", part, &["type", "refusal!"])?,
            _ => return refuse(format!("content: invalid value {}", part["type"])),
        }
    }
    Ok(())
}

fn output(output: &Value) -> Checked {
    if output.is_string() {
        return text("output", output).map(drop);
    }
    for part in list("output", output)? {
        match part["type"].as_str() {
            Some("input_text") => fields("part", part, &["type", "text!"])?,
            Some("input_image") => {
                fields("part", part, &["type", "image_url!"])?;
                rules::data_url("image_url", &part["image_url"])?;
            }
            _ => return refuse("output: unknown part"),
        }
    }
    Ok(())
}

pub fn render(reply: &Reply, number: usize) -> Rendered {
    let mut events: Vec<(&'static str, Value)> =
        vec![("response.created", json!({"response": {"id": "resp", "status": "in_progress", "output": []}}))];
    let mut output = Vec::new();
    if !reply.reasoning.is_empty() {
        let content = rules::seal(&reply.reasoning);
        let summary = json!([{"type": "summary_text", "text": reply.reasoning}]);
        let item = json!({"type": "reasoning", "id": "rs", "summary": summary, "encrypted_content": content});
        events.push((
            "response.output_item.added",
            json!({"output_index": 0, "item": {"type": "reasoning", "summary": []}}),
        ));
        events.push(("response.reasoning_summary_part.added", json!({"output_index": 0})));
        events.push(("response.reasoning_summary_text.delta", json!({"output_index": 0, "delta": reply.reasoning})));
        events.push(("response.output_item.done", json!({"output_index": 0, "item": item})));
        output.push(item);
    }
    if !reply.text.is_empty() {
        let index = output.len();
        let content = json!([{"type": "output_text", "text": reply.text.concat(), "annotations": []}]);
        let item =
            json!({"type": "message", "id": "msg", "status": "completed", "role": "assistant", "content": content});
        let start = json!({"type": "message", "id": "msg", "role": "assistant", "content": []});
        events.push(("response.output_item.added", json!({"output_index": index, "item": start})));
        for piece in &reply.text {
            let delta = json!({"output_index": index, "content_index": 0, "item_id": "msg", "delta": piece});
            events.push(("response.output_text.delta", delta));
        }
        events.push(("response.output_item.done", json!({"output_index": index, "item": item})));
        output.push(item);
    }
    for (call, (tool, input)) in reply.calls.iter().enumerate() {
        let index = output.len();
        let item = |arguments: &str| {
            json!({"type": "function_call", "id": "fc", "call_id": format!("call_{number}_{call}"), "name": tool,
                   "arguments": arguments})
        };
        let input = input.to_string();
        events.push(("response.output_item.added", json!({"output_index": index, "item": item("")})));
        for piece in input.split_inclusive(' ') {
            events.push(("response.function_call_arguments.delta", json!({"output_index": index, "delta": piece})));
        }
        events.push(("response.output_item.done", json!({"output_index": index, "item": item(&input)})));
        output.push(item(&input));
    }
    let usage = json!({"input_tokens": 100, "input_tokens_details": {"cached_tokens": 60}, "output_tokens": 20,
                       "output_tokens_details": {"reasoning_tokens": 5}, "total_tokens": 120});
    let document = json!({"id": "resp", "object": "response", "status": "completed", "error": null,
                          "incomplete_details": null, "output": output, "usage": usage});
    events.push(("response.completed", json!({"response": document})));
    let numbered = events.into_iter().enumerate().map(|(sequence, (name, mut event))| {
        event["type"] = name.into();
        event["sequence_number"] = sequence.into();
        (Some(name), event.to_string())
    });
    Rendered { events: numbered.collect(), document }
}
