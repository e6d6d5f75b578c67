//! A conversation, as turns of content blocks.

use provider_kit::content::{self, Block};
use provider_kit::state::{self, Piece};
use provider_kit::types::{self, AssistantMessage, Message, ModelError};
use provider_kit::{Config, Protocol, Request};
use serde_json::{Map, Value, json};

use crate::Anthropic;

const VERSION: &str = "2023-06-01";

/// The service insists on a bound. This one is what every model that it still has allows; the option `max_tokens` wins.
const OUTPUT_TOKENS_MAX: u32 = 8_192;

/// Fields of the body in which the conversation is.
const OWN: [&str; 5] = ["model", "system", "messages", "tools", "stream"];

/// Headers that the user sets as if they were options.
const BETA: &str = "anthropic_beta";

pub fn request(request: &types::Request, config: &Config) -> Result<Request, ModelError> {
    let mut body = Map::new();
    body.insert("model".into(), config.model.as_str().into());
    body.insert("max_tokens".into(), request.output_tokens_max.unwrap_or(OUTPUT_TOKENS_MAX).into());
    let mut tools: Vec<Value> = request
        .tools
        .iter()
        .map(|tool| {
            let schema = content::schema(&tool.input_schema);
            json!({"name": tool.name, "description": tool.description, "input_schema": schema})
        })
        .collect();
    if tools.is_empty() {
        tools = past_tools(request);
        if !tools.is_empty() {
            body.insert("tool_choice".into(), json!({"type": "none"}));
        }
    }
    if request.system.is_empty() {
        // What comes before a mark is kept with it: tools, system, messages, in this order.
        tools.last_mut().map(mark);
    } else {
        let mut system = json!({"type": "text", "text": request.system});
        mark(&mut system);
        body.insert("system".into(), json!([system]));
    }
    if !tools.is_empty() {
        body.insert("tools".into(), tools.into());
    }
    let mut turns = turns(request, &config.model);
    // The newest prompt or results, and those before: there the last request's mark is found.
    turns
        .iter_mut()
        .rev()
        .filter(|turn| turn.is_user)
        .take(2)
        .filter_map(|turn| turn.content.last_mut())
        .for_each(mark);
    let messages = turns.into_iter().map(|turn| {
        let role = if turn.is_user { "user" } else { "assistant" };
        json!({"role": role, "content": turn.content})
    });
    body.insert("messages".into(), messages.collect());
    body.insert("stream".into(), true.into());
    config.apply(&mut body, &OWN)?;
    let mut headers = vec![("anthropic-version", VERSION.to_owned())];
    if let Some(beta) = body.shift_remove(BETA) {
        let beta =
            beta.as_str().ok_or_else(|| ModelError::InvalidRequest(format!("the option `{BETA}` must be text")))?;
        headers.push(("anthropic-beta", beta.to_owned()));
    }
    Ok(Request { endpoint: "/v1/messages", headers, body: Value::Object(body).to_string().into_bytes() })
}

fn mark(block: &mut Value) {
    block["cache_control"] = json!({"type": "ephemeral"});
}

/// A conversation with calls in it is refused when no tools are defined, even if none is to be called any more.
fn past_tools(request: &types::Request) -> Vec<Value> {
    let mut names: Vec<&str> = request
        .messages
        .iter()
        .flat_map(|message| match message {
            Message::Assistant(answer) => answer.calls.as_slice(),
            Message::User(_) | Message::Tool(_) => &[],
        })
        .map(|call| call.tool.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| json!({"name": name, "input_schema": {"type": "object"}})).collect()
}

struct Turn {
    is_user: bool,
    content: Vec<Value>,
}

/// The two take turns: what one says in several messages is one turn.
fn turns(request: &types::Request, model: &str) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    let mut add = |is_user: bool, content: Vec<Value>| match turns.last_mut() {
        _ if content.is_empty() => {}
        Some(turn) if turn.is_user == is_user => turn.content.extend(content),
        _ => turns.push(Turn { is_user, content }),
    };
    for message in &request.messages {
        match message {
            Message::User(text) => add(true, vec![json!({"type": "text", "text": text})]),
            Message::Assistant(answer) => add(false, assistant(answer, model)),
            Message::Tool(tool) => {
                let content: Vec<Value> = content::blocks(&tool.result).iter().map(block).collect();
                let mut result = json!({"type": "tool_result", "tool_use_id": tool.call_id, "content": content});
                if tool.result.is_err() {
                    result["is_error"] = true.into();
                }
                add(true, vec![result]);
            }
        }
    }
    turns
}

fn block(block: &Block) -> Value {
    match block {
        Block::Text(text) => json!({"type": "text", "text": text}),
        Block::Image(image) => {
            let source = json!({"type": "base64", "media_type": image.media_type, "data": content::base64(image)});
            json!({"type": "image", "source": source})
        }
    }
}

fn assistant(answer: &AssistantMessage, model: &str) -> Vec<Value> {
    let pieces = state::pieces(answer, Anthropic::NAME, model);
    pieces
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Opaque(block) => Some(block),
            // The service refuses text without anything in it.
            Piece::Text { text, .. } => (!text.trim().is_empty()).then(|| json!({"type": "text", "text": text})),
            Piece::Call(call) => Some(json!({
                "type": "tool_use", "id": call.id, "name": call.tool, "input": content::input(&call.input),
            })),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use provider_kit::testing::{assistant, body, config, tool, user};
    use provider_kit::tool::{Image, Part};
    use provider_kit::types::{CallError, CallErrorKind, ToolMessage};

    fn marked(mut block: Value) -> Value {
        mark(&mut block);
        block
    }

    #[test]
    fn a_first_prompt() {
        assert_eq!(
            body::<Anthropic>(vec![user("Hi.")], &config()),
            json!({
                "model": "m",
                "max_tokens": 8192,
                "system": [marked(json!({"type": "text", "text": "Be brief."}))],
                "tools": [{
                    "name": "Read",
                    "description": "Reads a file.",
                    "input_schema": {"type": "object", "properties": {"file_path": {"type": "string"}}},
                }],
                "messages": [{"role": "user", "content": [marked(json!({"type": "text", "text": "Hi."}))]}],
                "stream": true,
            })
        );
    }

    #[test]
    fn calls_and_results() {
        let failed = Message::Tool(ToolMessage {
            call_id: "b".into(),
            tool: "Read".into(),
            result: Err(CallError { kind: CallErrorKind::Failed, message: "no such file".into() }),
        });
        let image = Part::Image(Image { media_type: "image/png".into(), bytes: vec![1, 2, 3] });
        let messages = vec![
            user("Look."),
            assistant("I look.", &[("a", "{\"file_path\": \"x\"}"), ("b", "{\"cut")]),
            tool("a", vec![Part::Text("seen".into()), image]),
            failed,
            user("And?"),
            assistant(" ", &[]),
            user("Well?"),
        ];
        let body = body::<Anthropic>(messages, &config());
        let text = |text: &str| json!({"type": "text", "text": text});
        let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AQID"}});
        assert_eq!(
            body["messages"],
            json!([
                {"role": "user", "content": [marked(text("Look."))]},
                {"role": "assistant", "content": [
                    text("I look."),
                    {"type": "tool_use", "id": "a", "name": "Read", "input": {"file_path": "x"}},
                    {"type": "tool_use", "id": "b", "name": "Read", "input": {"not_a_json_object": "{\"cut"}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "a", "content": [text("seen"), image]},
                    {"type": "tool_result", "tool_use_id": "b", "is_error": true,
                     "content": [text("Error (failed): no such file")]},
                    text("And?"),
                    marked(text("Well?")),
                ]},
            ])
        );
    }

    #[test]
    fn a_summary_defines_the_tools_that_were_used() {
        let messages = vec![user("Look."), assistant("", &[("a", "{}")]), tool("a", vec![]), user("Summarize.")];
        let mut request = provider_kit::testing::request(messages);
        request.tools.clear();
        request.system.clear();
        let body = Anthropic::request(&request, &config()).unwrap().body;
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["tools"], json!([marked(json!({"name": "Read", "input_schema": {"type": "object"}}))]));
        assert_eq!((&body["tool_choice"]["type"], body.get("system")), (&json!("none"), None));
    }

    #[test]
    fn options_go_along_some_of_them_as_headers() {
        let mut config = config();
        let options = json!({"max_tokens": 100, "thinking": {"type": "adaptive"}, "anthropic_beta": "x-2026"});
        config.options = options.as_object().unwrap().clone();
        let request = Anthropic::request(&provider_kit::testing::request(vec![user("Hi.")]), &config).unwrap();
        assert_eq!(request.headers[1], ("anthropic-beta", "x-2026".to_owned()));
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!((&body["max_tokens"], body.get(BETA)), (&json!(100), None));
    }
}
