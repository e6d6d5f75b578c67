//! A conversation, as items.

use provider_kit::content::{self, Block};
use provider_kit::state::{self, Piece};
use provider_kit::types::{self, AssistantMessage, CallError, Message, ModelError};
use provider_kit::{Config, Protocol, Request, tool::Outcome};
use serde_json::{Map, Value, json};

use crate::OpenAi;

/// Fields of the body in which the conversation is, and what depends on how we keep it.
const OWN: [&str; 7] = ["model", "instructions", "input", "tools", "stream", "previous_response_id", "conversation"];

pub fn request(request: &types::Request, config: &Config) -> Result<Request, ModelError> {
    let mut body = Map::new();
    body.insert("model".into(), config.model.as_str().into());
    if !request.system.is_empty() {
        body.insert("instructions".into(), request.system.as_str().into());
    }
    let mut input = Vec::new();
    for message in &request.messages {
        match message {
            Message::User(text) => input.push(said("user", "input_text", text)),
            Message::Assistant(answer) => assistant(&mut input, answer, &config.model),
            Message::Tool(tool) => {
                let output = output(&tool.result);
                input.push(json!({"type": "function_call_output", "call_id": tool.call_id, "output": output}));
            }
        }
    }
    body.insert("input".into(), input.into());
    if !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            let parameters = content::schema(&tool.input_schema);
            json!({
                "type": "function", "name": tool.name, "description": tool.description, "parameters": parameters,
                // Strict schemas have every field required; ours have optional ones.
                "strict": false,
            })
        });
        body.insert("tools".into(), tools.collect());
    }
    body.insert("stream".into(), true.into());
    body.insert("store".into(), false.into());
    if reasons(config) {
        body.insert("include".into(), json!(["reasoning.encrypted_content"]));
    }
    if let Some(max) = request.output_tokens_max {
        body.insert("max_output_tokens".into(), max.into());
    }
    config.apply(&mut body, &OWN)?;
    Ok(Request { endpoint: "/responses", headers: Vec::new(), body: Value::Object(body).to_string().into_bytes() })
}

/// Whether the model can be asked for its encrypted reasoning; others answer with an error. The option `include` has the
/// last word.
fn reasons(config: &Config) -> bool {
    let name = config.model.rsplit('/').next().unwrap_or_default();
    let is_o = name.strip_prefix('o').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let generation = name.strip_prefix("gpt-").and_then(|rest| rest.split(['.', '-']).next()?.parse::<u32>().ok());
    let is_gpt = generation.is_some_and(|generation| generation >= 5) && !name.contains("-chat");
    is_o || is_gpt || name.starts_with("codex-") || config.options.contains_key("reasoning")
}

fn said(role: &str, kind: &str, text: &str) -> Value {
    json!({"type": "message", "role": role, "content": [{"type": kind, "text": text}]})
}

fn assistant(input: &mut Vec<Value>, answer: &AssistantMessage, model: &str) {
    let mut pieces = state::pieces(answer, OpenAi::NAME, model);
    // An answer that was cut off may have reasoning that led to nothing; the service refuses it alone.
    while matches!(pieces.last(), Some(Piece::Opaque(_))) {
        pieces.pop();
    }
    for piece in pieces {
        input.push(match piece {
            Piece::Opaque(item) => item,
            Piece::Text { text, mut extra } => {
                let mut message = match extra.remove("refusal") {
                    Some(_) => {
                        let content = json!([{"type": "refusal", "refusal": text}]);
                        json!({"type": "message", "role": "assistant", "content": content})
                    }
                    None => said("assistant", "output_text", text),
                };
                if let Value::Object(message) = &mut message {
                    message.extend(extra);
                }
                message
            }
            Piece::Call(call) => json!({
                "type": "function_call", "call_id": call.id, "name": call.tool,
                "arguments": Value::Object(content::input(&call.input)).to_string(),
            }),
        });
    }
}

/// Text, or a list of parts where there are images.
fn output(result: &Result<Outcome, CallError>) -> Value {
    let blocks = content::blocks(result);
    if let [Block::Text(text)] = &blocks[..] {
        return text.as_ref().into();
    }
    blocks
        .iter()
        .map(|block| match block {
            Block::Text(text) => json!({"type": "input_text", "text": text}),
            Block::Image(image) => json!({"type": "input_image", "image_url": content::data_url(image)}),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use provider_kit::testing::{assistant, body, config, tool, user};
    use provider_kit::tool::{Image, Part};

    #[test]
    fn a_first_prompt() {
        assert_eq!(
            body::<OpenAi>(vec![user("Hi.")], &config()),
            json!({
                "model": "m",
                "instructions": "Be brief.",
                "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi."}]}],
                "tools": [{
                    "type": "function",
                    "name": "Read",
                    "description": "Reads a file.",
                    "parameters": {"type": "object", "properties": {"file_path": {"type": "string"}}},
                    "strict": false,
                }],
                "stream": true,
                "store": false,
            })
        );
    }

    #[test]
    fn calls_and_results() {
        let image = Part::Image(Image { media_type: "image/png".into(), bytes: vec![1, 2, 3] });
        let body = body::<OpenAi>(
            vec![
                user("Look."),
                assistant("I look.", &[("a", "{\"file_path\": \"x\"}"), ("b", "")]),
                tool("a", vec![Part::Text("seen".into()), image]),
                tool("b", vec![]),
            ],
            &config(),
        );
        assert_eq!(
            body["input"].as_array().unwrap()[1..],
            [
                json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]}),
                json!({"type": "function_call", "call_id": "a", "name": "Read", "arguments": "{\"file_path\":\"x\"}"}),
                json!({"type": "function_call", "call_id": "b", "name": "Read", "arguments": "{}"}),
                json!({"type": "function_call_output", "call_id": "a", "output": [
                    {"type": "input_text", "text": "seen"},
                    {"type": "input_image", "image_url": "data:image/png;base64,AQID"},
                ]}),
                json!({"type": "function_call_output", "call_id": "b", "output": "(no output)"}),
            ]
        );
    }

    #[test]
    fn reasoning_is_asked_for_where_there_is_some() {
        let include = |model: &str| {
            let config = Config { model: model.to_owned(), ..config() };
            body::<OpenAi>(vec![user("Hi.")], &config).get("include").is_some()
        };
        for model in ["o3", "o4-mini", "gpt-5", "gpt-5.2-codex", "gpt-10-mini", "codex-mini-latest", "openai/gpt-5"] {
            assert!(include(model), "{model}");
        }
        for model in ["gpt-4o", "gpt-4.1", "gpt-5-chat-latest", "omni", "gpt-oss", "m"] {
            assert!(!include(model), "{model}");
        }
        let mut config = config();
        config.options = json!({"reasoning": {"effort": "low"}}).as_object().unwrap().clone();
        assert!(body::<OpenAi>(vec![user("Hi.")], &config).get("include").is_some());
        config.options.insert("store".into(), true.into());
        assert_eq!(body::<OpenAi>(vec![user("Hi.")], &config)["store"], true);
        config.options.insert("previous_response_id".into(), "x".into());
        assert!(OpenAi::request(&provider_kit::testing::request(vec![]), &config).is_err());
    }
}
