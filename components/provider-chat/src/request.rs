//! A conversation, as messages with roles.

use provider_kit::content::{self, Block};
use provider_kit::state::{self, Piece};
use provider_kit::types::{self, AssistantMessage, Message, ModelError};
use provider_kit::{Config, Protocol, Request};
use serde_json::{Map, Value, json};

use crate::Chat;

/// Fields of the body in which the conversation is.
const OWN: [&str; 4] = ["model", "messages", "tools", "stream"];

pub fn request(request: &types::Request, config: &Config) -> Result<Request, ModelError> {
    let mut body = Map::new();
    body.insert("model".into(), config.model.as_str().into());
    body.insert("messages".into(), messages(request, &config.model).into());
    if !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            let parameters = content::schema(&tool.input_schema);
            let function = json!({"name": tool.name, "description": tool.description, "parameters": parameters});
            json!({"type": "function", "function": function})
        });
        body.insert("tools".into(), tools.collect());
    }
    body.insert("stream".into(), true.into());
    body.insert("stream_options".into(), json!({"include_usage": true}));
    if let Some(max) = request.output_tokens_max {
        body.insert("max_tokens".into(), max.into());
    }
    config.apply(&mut body, &OWN)?;
    Ok(Request {
        endpoint: "/chat/completions",
        headers: Vec::new(),
        body: Value::Object(body).to_string().into_bytes(),
    })
}

fn messages(request: &types::Request, model: &str) -> Vec<Value> {
    let mut messages = Vec::new();
    if !request.system.is_empty() {
        messages.push(json!({"role": "system", "content": request.system}));
    }
    // Reasoning is wanted back until the user speaks again.
    let newest_prompt = request.messages.iter().rposition(|message| matches!(message, Message::User(_)));
    // A result is text alone: images follow, once all results are there.
    let mut images: Vec<Value> = Vec::new();
    for (index, message) in request.messages.iter().enumerate() {
        if !matches!(message, Message::Tool(_)) {
            flush(&mut messages, &mut images);
        }
        match message {
            Message::User(text) => messages.push(json!({"role": "user", "content": text})),
            Message::Assistant(answer) => {
                messages.extend(assistant(answer, model, newest_prompt.is_none_or(|prompt| index > prompt)));
            }
            Message::Tool(tool) => {
                let mut text = Vec::new();
                for block in content::blocks(&tool.result) {
                    match block {
                        Block::Text(words) => text.push(words.into_owned()),
                        Block::Image(image) => {
                            text.push(format!("[{} in the next message]", image.media_type));
                            images.push(json!({"type": "text", "text": format!("Image from call {}:", tool.call_id)}));
                            let url = content::data_url(image);
                            images.push(json!({"type": "image_url", "image_url": {"url": url}}));
                        }
                    }
                }
                messages.push(json!({"role": "tool", "tool_call_id": tool.call_id, "content": text.join("\n")}));
            }
        }
    }
    flush(&mut messages, &mut images);
    messages
}

fn flush(messages: &mut Vec<Value>, images: &mut Vec<Value>) {
    if !images.is_empty() {
        messages.push(json!({"role": "user", "content": std::mem::take(images)}));
    }
}

/// None for an answer with nothing in it.
fn assistant(answer: &AssistantMessage, model: &str, is_current: bool) -> Option<Value> {
    if answer.text.is_empty() && answer.calls.is_empty() {
        return None;
    }
    let mut message = Map::new();
    message.insert("role".into(), "assistant".into());
    let content = if answer.text.is_empty() { Value::Null } else { answer.text.as_str().into() };
    message.insert("content".into(), content);
    if !answer.calls.is_empty() {
        let calls = answer.calls.iter().map(|call| {
            let arguments = Value::Object(content::input(&call.input)).to_string();
            json!({"id": call.id, "type": "function", "function": {"name": call.tool, "arguments": arguments}})
        });
        message.insert("tool_calls".into(), calls.collect());
    }
    if is_current {
        for piece in state::pieces(answer, Chat::NAME, model) {
            if let Piece::Opaque(Value::Object(fields)) = piece {
                message.extend(fields);
            }
        }
    }
    Some(Value::Object(message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use provider_kit::testing::{assistant, body, config, tool, user};
    use provider_kit::tool::{Image, Part};
    use provider_kit::types::{CallError, CallErrorKind, ToolMessage};

    fn text(text: &str) -> Part {
        Part::Text(text.to_owned())
    }

    #[test]
    fn a_first_prompt() {
        let body = body::<Chat>(vec![user("Hi.")], &config());
        assert_eq!(
            body,
            json!({
                "model": "m",
                "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi."}],
                "tools": [{"type": "function", "function": {
                    "name": "Read",
                    "description": "Reads a file.",
                    "parameters": {"type": "object", "properties": {"file_path": {"type": "string"}}},
                }}],
                "stream": true,
                "stream_options": {"include_usage": true},
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
            assistant("", &[("a", "{\"file_path\": \"x\"}"), ("b", "{\"file_pa")]),
            tool("a", vec![text("seen"), image]),
            failed,
            user("And?"),
        ];
        let body = body::<Chat>(messages, &config());
        let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "Read", "arguments": arguments}});
        assert_eq!(
            body["messages"].as_array().unwrap()[2..],
            [
                json!({"role": "assistant", "content": null, "tool_calls": [
                    call("a", r#"{"file_path":"x"}"#),
                    call("b", r#"{"not_a_json_object":"{\"file_pa"}"#),
                ]}),
                json!({"role": "tool", "tool_call_id": "a", "content": "seen\n[image/png in the next message]"}),
                json!({"role": "tool", "tool_call_id": "b", "content": "Error (failed): no such file"}),
                json!({"role": "user", "content": [
                    {"type": "text", "text": "Image from call a:"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AQID"}},
                ]}),
                json!({"role": "user", "content": "And?"}),
            ]
        );
    }

    #[test]
    fn reasoning_goes_back_until_the_user_speaks_again() {
        let thinking = || {
            let Message::Assistant(mut answer) = assistant("", &[("a", "{}")]) else { unreachable!() };
            let items = [state::Item::Opaque(json!({"reasoning_content": "hm"})), state::Item::Call(0)];
            answer.state = state::write(Chat::NAME, "m", &items);
            Message::Assistant(answer)
        };
        let body = body::<Chat>(
            vec![
                user("1"),
                thinking(),
                tool("a", vec![]),
                assistant("x", &[]),
                user("2"),
                thinking(),
                tool("a", vec![]),
            ],
            &config(),
        );
        assert_eq!(body["messages"][2]["reasoning_content"], Value::Null);
        assert_eq!(body["messages"][6]["reasoning_content"], "hm");
        assert_eq!(body["messages"][7]["content"], "(no output)");
    }

    #[test]
    fn options_go_along() {
        let mut config = config();
        config.options = json!({"temperature": 0, "stream_options": null}).as_object().unwrap().clone();
        let body = body::<Chat>(vec![user("Hi.")], &config);
        assert_eq!((&body["temperature"], body.get("stream_options")), (&json!(0), None));
    }
}
