//! Rules that the protocols share, and the ways to insist on them.

use serde_json::{Value, json};

use super::{KEY, Protocol};
use crate::journal::sha256;

/// Status and body of a refusal.
pub type Refusal = (u16, Value);
pub type Checked = Result<(), Refusal>;

pub fn refuse<T>(message: impl Into<String>) -> Result<T, Refusal> {
    let error = json!({"type": "invalid_request_error", "message": message.into(), "param": null, "code": null});
    Err((400, json!({"type": "error", "error": error})))
}

/// What a service adds to reasoning, to know it again: whoever changes the one or the other is found out.
pub fn seal(reasoning: &str) -> String {
    format!("gAAAA{}==", &sha256(reasoning.as_bytes())[..24])
}

/// Key, version and kind of content.
pub fn check_head(protocol: Protocol, headers: &[(String, String)]) -> Checked {
    let header = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let key = match protocol {
        Protocol::OpenAi | Protocol::Chat => header("authorization").and_then(|value| value.strip_prefix("Bearer ")),
        Protocol::Anthropic => header("x-api-key"),
    };
    if key != Some(KEY) {
        // As the real one does: it repeats what it was given.
        let message =
            format!("Incorrect API key provided: {}. You can find your keys online.", key.unwrap_or_default());
        return Err((
            401,
            json!({"error": {"message": message, "type": "authentication_error", "code": "invalid_api_key"}}),
        ));
    }
    if header("content-type") != Some("application/json") {
        return refuse("the content type must be application/json");
    }
    if protocol == Protocol::Anthropic && header("anthropic-version") != Some("2023-06-01") {
        return refuse("anthropic-version: header is required");
    }
    if header("cookie").is_some() || header("x-api-key").is_some() && header("authorization").is_some() {
        return refuse("a header too many");
    }
    Ok(())
}

/// Only these fields; those with an exclamation mark must be there.
pub fn fields(place: &str, value: &Value, known: &[&str]) -> Checked {
    let Some(object) = value.as_object() else { return refuse(format!("{place}: must be an object")) };
    for key in object.keys() {
        if !known.iter().any(|name| name.trim_end_matches('!') == key) {
            return refuse(format!("{place}.{key}: Extra inputs are not permitted"));
        }
    }
    for name in known.iter().filter_map(|name| name.strip_suffix('!')) {
        if object.get(name).is_none_or(|value| value == "") {
            return refuse(format!("{place}.{name}: Field required"));
        }
    }
    Ok(())
}

pub fn list<'a>(place: &str, value: &'a Value) -> Result<&'a [Value], Refusal> {
    match value.as_array() {
        Some(list) if !list.is_empty() => Ok(list),
        _ => refuse(format!("{place}: must be a list that is not empty")),
    }
}

pub fn text<'a>(place: &str, value: &'a Value) -> Result<&'a str, Refusal> {
    match value.as_str() {
        Some(text) if !text.trim().is_empty() => Ok(text),
        _ => refuse(format!("{place}: must be text that is not empty")),
    }
}

/// A tool's name and schema.
pub fn tool(place: &str, name: &Value, schema: &Value) -> Checked {
    let name = text(place, name)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.len() > 64 || !name.chars().all(plain) {
        return refuse(format!("{place}.name: does not match ^[a-zA-Z0-9_-]{{1,64}}$"));
    }
    if schema["type"] != "object" {
        return refuse(format!("{place}: the schema must be of type object"));
    }
    Ok(())
}

/// An image as a URL with its bytes inside.
pub fn data_url(place: &str, value: &Value) -> Checked {
    let url = text(place, value)?;
    match url.strip_prefix("data:image/").and_then(|rest| rest.split_once(";base64,")) {
        Some((_, base64)) if !base64.is_empty() => Ok(()),
        _ => refuse(format!("{place}: no image")),
    }
}

/// The input of a call as JSON text.
pub fn arguments(place: &str, value: &Value) -> Checked {
    match serde_json::from_str::<Value>(text(place, value)?) {
        Ok(Value::Object(_)) => Ok(()),
        _ => refuse(format!("{place}: must be the JSON of an object")),
    }
}
