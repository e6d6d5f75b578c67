use provider_kit::testing::{Gathered, Played, body, config, read, read_in_every_way, tool, user};
use provider_kit::types::NetworkKind;

use super::*;
use crate::Anthropic;

fn stream(events: &[Value]) -> String {
    events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())).collect()
}

fn block(index: u64, start: Value, deltas: &[Value]) -> Vec<Value> {
    let mut events = vec![json!({"type": "content_block_start", "index": index, "content_block": start})];
    events.extend(deltas.iter().map(|delta| json!({"type": "content_block_delta", "index": index, "delta": delta})));
    events.push(json!({"type": "content_block_stop", "index": index}));
    events
}

fn text(index: u64, pieces: &[&str]) -> Vec<Value> {
    let deltas: Vec<Value> = pieces.iter().map(|piece| json!({"type": "text_delta", "text": piece})).collect();
    block(index, json!({"type": "text", "text": ""}), &deltas)
}

fn call(index: u64, id: &str, pieces: &[&str]) -> Vec<Value> {
    let deltas: Vec<Value> =
        pieces.iter().map(|piece| json!({"type": "input_json_delta", "partial_json": piece})).collect();
    block(index, json!({"type": "tool_use", "id": id, "name": "Read", "input": {}}), &deltas)
}

fn thinking(index: u64) -> Vec<Value> {
    let deltas = [
        json!({"type": "thinking_delta", "thinking": "Let me "}),
        json!({"type": "thinking_delta", "thinking": "see."}),
        json!({"type": "signature_delta", "signature": "Eq=="}),
    ];
    block(index, json!({"type": "thinking", "thinking": "", "signature": ""}), &deltas)
}

fn answer(blocks: &[Vec<Value>], stop_reason: &str) -> String {
    let mut events = vec![
        json!({"type": "message_start", "message": {"id": "msg", "role": "assistant", "content": [], "usage": {
            "input_tokens": 3, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 100, "output_tokens": 1,
        }}}),
        json!({"type": "ping"}),
    ];
    events.extend(blocks.concat());
    events.push(json!({"type": "message_delta", "delta": {"stop_reason": stop_reason, "stop_sequence": null},
                       "usage": {"output_tokens": 42}}));
    events.push(json!({"type": "message_stop"}));
    stream(&events)
}

fn calls(gathered: &Gathered) -> Vec<(&str, &str)> {
    gathered.calls.iter().map(|call| (call.id.as_str(), call.input.as_str())).collect()
}

fn error(body: &str) -> ModelError {
    read::<Anthropic>(Played::new(200, "text/event-stream", body.as_bytes(), 7)).unwrap_err().0
}

#[test]
fn text_and_usage() {
    let gathered = read_in_every_way::<Anthropic>(&answer(&[text(0, &["Grüße, ", "世界 🌍"])], "end_turn"));
    assert_eq!((gathered.text.as_str(), gathered.stop), ("Grüße, 世界 🌍", Some(StopReason::EndTurn)));
    assert_eq!(gathered.usage, Some(Usage { input_tokens: 113, cached_tokens: 100, output_tokens: 42 }));
    assert_eq!(gathered.state, "");
}

#[test]
fn thinking_goes_back_signed_and_in_its_place() {
    let redacted = block(2, json!({"type": "redacted_thinking", "data": "secret"}), &[]);
    let blocks = [
        thinking(0),
        text(1, &["I look."]),
        redacted,
        call(3, "toolu_a", &["", "{\"file_path\"", ": \"x\"}"]),
        call(4, "toolu_b", &[]),
    ];
    let gathered = read_in_every_way::<Anthropic>(&answer(&blocks, "tool_use"));
    assert_eq!((gathered.reasoning.as_str(), gathered.stop), ("Let me see.", Some(StopReason::ToolCalls)));
    assert_eq!(calls(&gathered), [("toolu_a", "{\"file_path\": \"x\"}"), ("toolu_b", "{}")]);
    let results = vec![user("Go."), gathered.message(), tool("toolu_a", vec![]), tool("toolu_b", vec![])];
    let body = body::<Anthropic>(results, &config());
    assert_eq!(
        body["messages"][1]["content"],
        json!([
            {"type": "thinking", "thinking": "Let me see.", "signature": "Eq=="},
            {"type": "text", "text": "I look."},
            {"type": "redacted_thinking", "data": "secret"},
            {"type": "tool_use", "id": "toolu_a", "name": "Read", "input": {"file_path": "x"}},
            {"type": "tool_use", "id": "toolu_b", "name": "Read", "input": {}},
        ])
    );
}

#[test]
fn thinking_without_a_signature_does_not_go_back() {
    let unsigned = block(0, json!({"type": "thinking", "thinking": "Hm."}), &[]);
    let gathered = read_in_every_way::<Anthropic>(&answer(&[unsigned, text(1, &["a"])], "end_turn"));
    assert_eq!((gathered.reasoning.as_str(), gathered.state.as_str()), ("Hm.", ""));
}

#[test]
fn a_whole_answer_as_json() {
    let document = json!({"type": "message", "role": "assistant", "content": [
        {"type": "thinking", "thinking": "Let me see.", "signature": "Eq=="},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "a", "name": "Read", "input": {"n": 1}},
    ], "stop_reason": "tool_use", "usage": {"input_tokens": 3, "output_tokens": 42}})
    .to_string();
    let gathered = read::<Anthropic>(Played::new(200, "application/json", document.as_bytes(), 5)).unwrap();
    assert_eq!((gathered.text.as_str(), calls(&gathered)), ("I look.", vec![("a", "{\"n\":1}")]));
    assert_eq!((gathered.reasoning.as_str(), gathered.usage.unwrap().input_tokens), ("Let me see.", 3));
    assert!(gathered.state.contains("Eq=="));
}

#[test]
fn how_answers_end() {
    let end = |reason: &str| read_in_every_way::<Anthropic>(&answer(&[text(0, &["a"])], reason)).stop;
    assert_eq!(end("stop_sequence"), Some(StopReason::EndTurn));
    assert_eq!(end("max_tokens"), Some(StopReason::MaxTokens));
    assert_eq!(end("model_context_window_exceeded"), Some(StopReason::MaxTokens));
    assert_eq!(end("refusal"), Some(StopReason::Refusal));
    // A call that the bound cut off is no whole call.
    let mut cut = call(0, "a", &["{\"file"]);
    cut.pop();
    let gathered = read_in_every_way::<Anthropic>(&answer(&[cut], "max_tokens"));
    assert_eq!((gathered.calls[0].input.as_str(), gathered.calls[0].ended), ("{\"file", false));
    // The last word is missing, the reason is there.
    let whole = answer(&[text(0, &["a"])], "end_turn");
    let cut = &whole[..whole.find("event: message_stop").unwrap()];
    assert_eq!(read_in_every_way::<Anthropic>(cut).stop, Some(StopReason::EndTurn));
}

#[test]
fn what_breaks_an_answer() {
    let whole = answer(&[text(0, &["a", "b"])], "end_turn");
    let cut = &whole[..whole.find("event: message_delta").unwrap()];
    assert!(matches!(error(cut), ModelError::Network(error) if error.kind == NetworkKind::Reset));
    let failed = |kind: &str| error(&stream(&[json!({"type": "error", "error": {"type": kind, "message": "m"}})]));
    assert!(matches!(failed("overloaded_error"), ModelError::Overloaded(_)));
    assert!(matches!(failed("api_error"), ModelError::Overloaded(_)));
    assert!(matches!(failed("rate_limit_error"), ModelError::RateLimited(_)));
    assert!(matches!(failed("invalid_request_error"), ModelError::InvalidRequest(m) if m == "m"));
    assert!(matches!(failed("authentication_error"), ModelError::Auth(_)));
    let lost = json!({"type": "content_block_delta", "index": 7, "delta": {"type": "text_delta", "text": "a"}});
    assert!(matches!(error(&stream(&[lost])), ModelError::Protocol(_)));
}

#[test]
fn an_account_without_credit_is_told_from_a_wrong_request() {
    let refused = |message: &str| {
        let body = json!({"type": "error", "error": {"type": "invalid_request_error", "message": message}}).to_string();
        read::<Anthropic>(Played::new(400, "application/json", body.as_bytes(), 9)).unwrap_err().0
    };
    assert!(matches!(refused("Your credit balance is too low to access the API."), ModelError::Quota(_)));
    assert!(matches!(refused("max_tokens: too large"), ModelError::InvalidRequest(_)));
}
