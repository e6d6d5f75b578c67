use provider_kit::testing::{Gathered, Played, body, config, read, read_in_every_way, tool, user};
use provider_kit::types::NetworkKind;

use super::*;
use crate::OpenAi;

fn stream(events: &[Value]) -> String {
    events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())).collect()
}

fn completed(output: Value) -> Value {
    json!({"type": "response.completed", "response": {"id": "r", "status": "completed", "output": output, "error": null,
        "usage": {"input_tokens": 20, "input_tokens_details": {"cached_tokens": 16}, "output_tokens": 7,
                  "output_tokens_details": {"reasoning_tokens": 3}, "total_tokens": 27}}})
}

fn message(index: usize, text: &str) -> Vec<Value> {
    let item = |content: Value| json!({"type": "message", "id": "msg", "role": "assistant", "content": content});
    let (one, two) = text.split_at(text.char_indices().nth(3).map_or(text.len(), |(at, _)| at));
    let delta = |text: &str| json!({"type": "response.output_text.delta", "output_index": index, "content_index": 0, "delta": text, "logprobs": []});
    vec![
        json!({"type": "response.output_item.added", "output_index": index, "item": item(json!([]))}),
        json!({"type": "response.content_part.added", "output_index": index, "part": {"type": "output_text", "text": ""}}),
        delta(one),
        delta(two),
        json!({"type": "response.output_text.done", "output_index": index, "text": text}),
        json!({"type": "response.output_item.done", "output_index": index,
               "item": item(json!([{"type": "output_text", "text": text, "annotations": []}]))}),
    ]
}

fn call(index: usize, id: &str, pieces: &[&str]) -> Vec<Value> {
    let item = |arguments: &str| json!({"type": "function_call", "id": "fc", "call_id": id, "name": "Read", "arguments": arguments});
    let delta =
        |piece: &&str| json!({"type": "response.function_call_arguments.delta", "output_index": index, "delta": piece});
    let mut events = vec![json!({"type": "response.output_item.added", "output_index": index, "item": item("")})];
    events.extend(pieces.iter().map(delta));
    events.push(
        json!({"type": "response.function_call_arguments.done", "output_index": index, "arguments": pieces.concat()}),
    );
    events.push(json!({"type": "response.output_item.done", "output_index": index, "item": item(&pieces.concat())}));
    events
}

fn reasoning(index: usize) -> Vec<Value> {
    let item = json!({"type": "reasoning", "id": "rs", "status": "completed", "encrypted_content": "gAAA",
        "summary": [{"type": "summary_text", "text": "Thinking."}]});
    vec![
        json!({"type": "response.output_item.added", "output_index": index, "item": {"type": "reasoning", "summary": []}}),
        json!({"type": "response.reasoning_summary_part.added", "output_index": index}),
        json!({"type": "response.reasoning_summary_text.delta", "output_index": index, "delta": "Thinking."}),
        json!({"type": "response.output_item.done", "output_index": index, "item": item}),
    ]
}

fn answer(parts: &[Vec<Value>], end: Value) -> String {
    let start = json!({"type": "response.created", "response": {"status": "in_progress", "output": []}});
    let events: Vec<Value> = [start].into_iter().chain(parts.concat()).chain([end]).collect();
    stream(&events)
}

fn error(body: &str) -> ModelError {
    read::<OpenAi>(Played::new(200, "text/event-stream", body.as_bytes(), 7)).unwrap_err().0
}

fn calls(gathered: &Gathered) -> Vec<(&str, &str)> {
    gathered.calls.iter().map(|call| (call.id.as_str(), call.input.as_str())).collect()
}

#[test]
fn text_and_usage() {
    let gathered = read_in_every_way::<OpenAi>(&answer(&[message(0, "Grüße, 世界 🌍")], completed(json!([]))));
    assert_eq!((gathered.text.as_str(), gathered.stop), ("Grüße, 世界 🌍", Some(StopReason::EndTurn)));
    assert_eq!(gathered.usage, Some(Usage { input_tokens: 20, cached_tokens: 16, output_tokens: 7 }));
    assert_eq!(gathered.state, "");
}

#[test]
fn parallel_calls_and_reasoning_go_back_in_order() {
    let parts = [reasoning(0), message(1, "I look."), call(2, "a", &["{\"file_path\"", ":\"x\"}"]), call(3, "b", &[])];
    let gathered = read_in_every_way::<OpenAi>(&answer(&parts, completed(json!([]))));
    assert_eq!(calls(&gathered), [("a", "{\"file_path\":\"x\"}"), ("b", "{}")]);
    assert_eq!((gathered.reasoning.as_str(), gathered.stop), ("Thinking.", Some(StopReason::ToolCalls)));
    let body = body::<OpenAi>(vec![user("Go."), gathered.message(), tool("a", vec![]), tool("b", vec![])], &config());
    let kinds: Vec<_> = body["input"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "message",
            "reasoning",
            "message",
            "function_call",
            "function_call",
            "function_call_output",
            "function_call_output"
        ]
    );
    let summary = json!([{"type": "summary_text", "text": "Thinking."}]);
    assert_eq!(body["input"][1], json!({"type": "reasoning", "summary": summary, "encrypted_content": "gAAA"}));
    // Another model could not read it.
    let other = provider_kit::Config { model: "other".into(), ..config() };
    let body = provider_kit::testing::body::<OpenAi>(vec![user("Go."), gathered.message(), tool("a", vec![])], &other);
    assert_eq!(body["input"][1]["type"], "message");
}

#[test]
fn several_messages_keep_their_places_and_their_phase() {
    let mut remark = message(0, "On it.");
    remark.last_mut().unwrap()["item"]["phase"] = "commentary".into();
    let gathered = read_in_every_way::<OpenAi>(&answer(&[remark, message(1, "Done.")], completed(json!([]))));
    assert_eq!(gathered.text, "On it.\n\nDone.");
    let body = body::<OpenAi>(vec![user("Go."), gathered.message()], &config());
    assert_eq!(
        (&body["input"][1]["phase"], &body["input"][1]["content"][0]["text"]),
        (&json!("commentary"), &json!("On it."))
    );
    assert_eq!(body["input"][2]["content"][0]["text"], "Done.");
}

#[test]
fn what_did_not_come_in_pieces_comes_at_the_end() {
    let output = json!([
        {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": null},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
        {"type": "function_call", "call_id": "a", "name": "Read", "arguments": "{\"a\":1}"},
    ]);
    let document = completed(output.clone())["response"].to_string();
    let gathered = read::<OpenAi>(Played::new(200, "application/json", document.as_bytes(), 5)).unwrap();
    assert_eq!((gathered.text.as_str(), calls(&gathered)), ("I look.", vec![("a", "{\"a\":1}")]));
    assert_eq!(read_in_every_way::<OpenAi>(&answer(&[], completed(output.clone()))), gathered);
    // Nothing comes twice where it did.
    let parts = [message(1, "I look."), call(2, "a", &["{\"a\"", ":1}"])];
    assert_eq!(read_in_every_way::<OpenAi>(&answer(&parts, completed(output))), gathered);
}

#[test]
fn refusals() {
    let refusal = vec![
        json!({"type": "response.refusal.delta", "output_index": 0, "delta": "I can"}),
        json!({"type": "response.refusal.delta", "output_index": 0, "delta": "not."}),
    ];
    let gathered = read_in_every_way::<OpenAi>(&answer(&[refusal], completed(json!([]))));
    assert_eq!((gathered.text.as_str(), gathered.stop), ("I cannot.", Some(StopReason::Refusal)));
    let body = body::<OpenAi>(vec![user("Go."), gathered.message()], &config());
    assert_eq!(body["input"][1]["content"], json!([{"type": "refusal", "refusal": "I cannot."}]));
}

#[test]
fn incomplete_answers() {
    let incomplete = |reason: &str| {
        json!({"type": "response.incomplete", "response": {
            "status": "incomplete", "output": [], "incomplete_details": {"reason": reason}, "usage": null,
        }})
    };
    let gathered = read_in_every_way::<OpenAi>(&answer(&[message(0, "Half an")], incomplete("max_output_tokens")));
    assert_eq!((gathered.text.as_str(), gathered.stop), ("Half an", Some(StopReason::MaxTokens)));
    // Reasoning that led to nothing does not go back.
    let gathered = read_in_every_way::<OpenAi>(&answer(&[reasoning(0)], incomplete("max_output_tokens")));
    let body = body::<OpenAi>(vec![user("Go."), gathered.message(), user("On.")], &config());
    assert_eq!(body["input"].as_array().unwrap().len(), 2);
    let filtered = answer(&[message(0, "Half an")], incomplete("content_filter"));
    assert!(matches!(error(&filtered), ModelError::ContentFilter(_)));
}

#[test]
fn failures() {
    let failed = |code: &str| {
        let response = json!({"status": "failed", "output": [], "error": {"code": code, "message": "m"}});
        error(&answer(&[], json!({"type": "response.failed", "response": response})))
    };
    assert!(matches!(failed("server_error"), ModelError::Overloaded(_)));
    assert!(matches!(failed("rate_limit_exceeded"), ModelError::RateLimited(_)));
    assert!(matches!(failed("insufficient_quota"), ModelError::Quota(_)));
    assert!(matches!(failed("context_length_exceeded"), ModelError::InvalidRequest(m) if m == "m"));
    assert!(matches!(failed("image_content_policy_violation"), ModelError::ContentFilter(_)));
    let flat = json!({"type": "error", "code": "server_error", "message": "gone", "param": null, "sequence_number": 3});
    assert!(matches!(error(&answer(&[], flat)), ModelError::Overloaded(m) if m == "gone"));
    let nested = json!({"type": "error", "error": {"type": "invalid_request_error", "code": "x", "message": "bad"}});
    assert!(matches!(error(&answer(&[], nested)), ModelError::InvalidRequest(m) if m == "bad"));
}

#[test]
fn what_breaks_an_answer() {
    let whole = answer(&[message(0, "Half an answer")], completed(json!([])));
    let cut = &whole[..whole.find("event: response.completed").unwrap()];
    assert!(matches!(error(cut), ModelError::Network(error) if error.kind == NetworkKind::Reset));
    assert!(matches!(error("data: {\"type\": 3}\n\n"), ModelError::Protocol(_)));
    assert!(matches!(error("data: {\"type\": \"response.completed\"}\n\n"), ModelError::Protocol(_)));
    for nothing in ["{}", "[1]", "3"] {
        let played = Played::new(200, "application/json", nothing.as_bytes(), 9);
        assert!(matches!(read::<OpenAi>(played).unwrap_err().0, ModelError::Protocol(_)), "{nothing}");
    }
    let far = json!({"type": "response.output_text.delta", "output_index": 4_000_000_000_u64, "delta": "x"});
    assert!(matches!(error(&stream(&[far])), ModelError::Protocol(_)));
}
