use provider_kit::testing::{Gathered, Played, body, config, read, read_in_every_way, tool, user};
use provider_kit::types::NetworkKind;

use super::*;
use crate::Chat;

fn stream(chunks: &[Value]) -> String {
    chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect()
}

fn delta(delta: Value) -> Value {
    json!({"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

fn finish(reason: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

fn calls(gathered: &Gathered) -> Vec<(&str, &str, &str)> {
    gathered.calls.iter().map(|call| (call.id.as_str(), call.tool.as_str(), call.input.as_str())).collect()
}

fn error(body: &str) -> ModelError {
    read::<Chat>(Played::new(200, "text/event-stream", body.as_bytes(), 3)).unwrap_err().0
}

#[test]
fn text_and_usage() {
    let usage = json!({"choices": [], "usage": {
        "prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 5},
    }});
    let chunks = [
        delta(json!({"role": "assistant", "content": ""})),
        delta(json!({"content": "Grüße, "})),
        delta(json!({"content": "世界 🌍"})),
        finish("stop"),
        usage,
    ];
    let gathered = read_in_every_way::<Chat>(&(stream(&chunks) + "data: [DONE]\n\n"));
    assert_eq!((gathered.text.as_str(), gathered.stop), ("Grüße, 世界 🌍", Some(StopReason::EndTurn)));
    assert_eq!(gathered.usage, Some(Usage { input_tokens: 9, cached_tokens: 5, output_tokens: 4 }));
    assert_eq!(gathered.state, "");
    // Without a last word, and without usage.
    let gathered = read_in_every_way::<Chat>(&stream(&chunks[..4]));
    assert_eq!((gathered.text.as_str(), gathered.usage), ("Grüße, 世界 🌍", None));
}

#[test]
fn parallel_calls_as_openai_streams_them() {
    let call = |index: u64, id: &str, name: &str| json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}]});
    let input = |index: u64, text: &str| json!({"tool_calls": [{"index": index, "function": {"arguments": text}}]});
    let chunks = [
        delta(call(0, "a", "Read")),
        delta(input(0, "{\"file")),
        delta(call(1, "b", "Grep")),
        // Not in order: by index they still find their call.
        delta(input(0, "_path\":\"x\"}")),
        delta(input(1, "{\"pattern\":\"ü\"}")),
        delta(call(2, "c", "List")),
        finish("tool_calls"),
    ];
    let gathered = read_in_every_way::<Chat>(&stream(&chunks));
    assert_eq!(
        calls(&gathered),
        [("a", "Read", "{\"file_path\":\"x\"}"), ("b", "Grep", "{\"pattern\":\"ü\"}"), ("c", "List", "{}")]
    );
    assert_eq!(gathered.stop, Some(StopReason::ToolCalls));
}

#[test]
fn calls_as_other_servers_send_them() {
    // Whole calls under one index, with the finish of a text (Ollama).
    let whole = |id: &str, name: &str| {
        json!({"tool_calls": [
            {"index": 0, "id": id, "type": "function", "function": {"name": name, "arguments": "{\"a\":1}"}}
        ]})
    };
    let gathered =
        read_in_every_way::<Chat>(&stream(&[delta(whole("x", "A")), delta(whole("y", "B")), finish("stop")]));
    assert_eq!(calls(&gathered), [("x", "A", "{\"a\":1}"), ("y", "B", "{\"a\":1}")]);
    assert_eq!(gathered.stop, Some(StopReason::ToolCalls));
    // No index, no id, the input as an object.
    let bare = |name: &str| json!({"tool_calls": [{"function": {"name": name, "arguments": {"a": 1}}}]});
    let gathered = read_in_every_way::<Chat>(&stream(&[delta(bare("A")), delta(bare("B")), finish("tool_calls")]));
    assert_eq!(calls(&gathered), [("call_0", "A", "{\"a\":1}"), ("call_1", "B", "{\"a\":1}")]);
    // The name with every piece, and the id too.
    let piece =
        |text: &str| json!({"tool_calls": [{"index": 0, "id": "x", "function": {"name": "A", "arguments": text}}]});
    let gathered =
        read_in_every_way::<Chat>(&stream(&[delta(piece("{\"a\"")), delta(piece(":1}")), finish("tool_calls")]));
    assert_eq!(calls(&gathered), [("x", "A", "{\"a\":1}")]);
    // Input before the name.
    let early = json!({"tool_calls": [{"index": 0, "id": "x", "function": {"arguments": "{\"a\""}}]});
    let late = json!({"tool_calls": [{"index": 0, "function": {"name": "A", "arguments": ":1}"}}]});
    let gathered = read_in_every_way::<Chat>(&stream(&[delta(early), delta(late), finish("tool_calls")]));
    assert_eq!(calls(&gathered), [("x", "A", "{\"a\":1}")]);
}

#[test]
fn a_whole_answer_as_json() {
    let document = json!({"choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
        "role": "assistant", "content": "I look.", "refusal": null,
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "Read", "arguments": "{}"}}],
    }}], "usage": {"prompt_tokens": 1, "completion_tokens": 2}})
    .to_string();
    let gathered = read::<Chat>(Played::new(200, "application/json", document.as_bytes(), 3)).unwrap();
    assert_eq!((gathered.text.as_str(), calls(&gathered)), ("I look.", vec![("a", "Read", "{}")]));
    assert_eq!(gathered.usage.unwrap().output_tokens, 2);
}

#[test]
fn reasoning_is_shown_and_goes_back_with_the_calls_it_led_to() {
    let chunks = [
        delta(json!({"reasoning_content": "Let me ", "reasoning": "Let me "})),
        delta(json!({"reasoning_content": "see."})),
        delta(json!({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "Read", "arguments": "{}"}}]})),
        finish("tool_calls"),
    ];
    let gathered = read_in_every_way::<Chat>(&stream(&chunks));
    assert_eq!(gathered.reasoning, "Let me see.");
    let body = body::<Chat>(vec![user("Go."), gathered.message(), tool("a", vec![])], &config());
    assert_eq!(body["messages"][2]["reasoning_content"], "Let me see.");
    assert_eq!(body["messages"][2].get("reasoning"), None);
}

#[test]
fn how_answers_end() {
    let end = |reason: &str| read_in_every_way::<Chat>(&stream(&[delta(json!({"content": "a"})), finish(reason)])).stop;
    assert_eq!(end("length"), Some(StopReason::MaxTokens));
    assert_eq!(end("stop"), Some(StopReason::EndTurn));
    assert_eq!(end("eos"), Some(StopReason::EndTurn));
    let refused = read_in_every_way::<Chat>(&stream(&[delta(json!({"refusal": "No."})), finish("stop")]));
    assert_eq!((refused.text.as_str(), refused.stop), ("No.", Some(StopReason::Refusal)));
    assert!(matches!(error(&stream(&[finish("content_filter")])), ModelError::ContentFilter(_)));
    // Only the last word, no reason.
    let gathered = read_in_every_way::<Chat>(&(stream(&[delta(json!({"content": "a"}))]) + "data: [DONE]\n\n"));
    assert_eq!(gathered.stop, Some(StopReason::EndTurn));
}

#[test]
fn what_breaks_an_answer() {
    let ModelError::Network(broken) = error(&stream(&[delta(json!({"content": "a"}))])) else { panic!("not broken") };
    assert_eq!(broken.kind, NetworkKind::Reset);
    let ModelError::Protocol(message) = error("data: {\"choices\": [\n\n") else { panic!("not malformed") };
    assert!(message.contains("{\"choices\": ["), "{message}");
    let overloaded = r#"data: {"error": {"message": "out of slots", "type": "server_error", "code": 503}}"#;
    assert!(matches!(error(&format!("{overloaded}\n\n")), ModelError::Overloaded(m) if m.contains("out of slots")));
    let rejected = r#"data: {"object": "error", "message": "too long", "type": "BadRequestError", "code": 400}"#;
    assert!(matches!(error(&format!("{rejected}\n\n")), ModelError::InvalidRequest(m) if m.contains("too long")));
    let nameless = delta(json!({"tool_calls": [{"index": 0, "id": "x", "function": {"arguments": "{}"}}]}));
    assert!(matches!(error(&stream(&[nameless, finish("tool_calls")])), ModelError::Protocol(_)));
}
