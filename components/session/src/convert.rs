//! Between the contracts' types and the journal's.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::value::RawValue;

use crate::event;
use crate::wardian::agent::types::{
    CallError, CallErrorKind, LimitReached, ModelError, NetworkError, NetworkKind, Purpose, RateLimited, StopReason,
};
use crate::wardian::host::types::Fault;
use crate::wardian::tool::types::{Attachment, FileAccess, Image, Outcome, Part, Powers, ToolError};

/// A closed set of cases and their names in the journal: both directions from one table.
macro_rules! names {
    ($to:ident, $from:ident, $type:ident, $($case:ident = $name:literal),+ $(,)?) => {
        pub fn $to(value: $type) -> &'static str {
            match value { $($type::$case => $name),+ }
        }
        pub fn $from(name: &str) -> Option<$type> {
            match name { $($name => Some($type::$case),)+ _ => None }
        }
    };
}

names!(
    stop_name,
    stop_named,
    StopReason,
    EndTurn = "end-turn",
    ToolCalls = "tool-calls",
    MaxTokens = "max-tokens",
    Refusal = "refusal"
);
names!(
    call_error_name,
    call_error_named,
    CallErrorKind,
    UnknownTool = "unknown-tool",
    InvalidInput = "invalid-input",
    NotPermitted = "not-permitted",
    Limit = "limit",
    Trapped = "trapped",
    Failed = "failed",
    Cancelled = "cancelled",
    Interrupted = "interrupted",
    Host = "host"
);
names!(
    network_name,
    network_named,
    NetworkKind,
    Dns = "network-dns",
    Connect = "network-connect",
    Tls = "network-tls",
    Reset = "network-reset",
    Timeout = "network-timeout",
    RefusedByPolicy = "network-refused-by-policy",
    Other = "network-other"
);

pub fn purpose_name(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Turn => "turn",
        Purpose::Compact => "compact",
    }
}

/// For instance `["files:read", "net:example.org"]`; empty when nothing is needed.
pub fn power_names(powers: &Powers) -> Vec<String> {
    let files = match powers.files {
        FileAccess::None => None,
        FileAccess::Read => Some("files:read".to_owned()),
        FileAccess::Write => Some("files:write".to_owned()),
    };
    let named = |kind: &'static str, names: &[String]| -> Vec<String> {
        names.iter().map(|name| format!("{kind}:{name}")).collect()
    };
    files
        .into_iter()
        .chain(named("net", &powers.net))
        .chain(named("process", &powers.process))
        .chain(named("env", &powers.env))
        .collect()
}

pub fn model_error(error: &ModelError) -> event::Error {
    let (kind, message, at) = match error {
        ModelError::Auth(message) => ("auth", message.clone(), None),
        ModelError::Quota(message) => ("quota", message.clone(), None),
        ModelError::RateLimited(limited) => ("rate-limited", limited.message.clone(), limited.retry_after_ms),
        ModelError::Overloaded(message) => ("overloaded", message.clone(), None),
        ModelError::InvalidRequest(message) => ("invalid-request", message.clone(), None),
        ModelError::ContentFilter(message) => ("content-filter", message.clone(), None),
        ModelError::Network(error) => (network_name(error.kind), error.message.clone(), None),
        ModelError::Protocol(message) => ("protocol", message.clone(), None),
        ModelError::Limit(limit) => ("limit", limit.name.clone(), Some(limit.at)),
        ModelError::Cancelled => ("cancelled", "the run was cancelled".to_owned(), None),
        ModelError::Journal(message) => ("journal", message.clone(), None),
    };
    event::Error { kind: kind.to_owned(), message, at }
}

pub fn recorded_model_error(error: event::Error) -> ModelError {
    let event::Error { kind, message, at } = error;
    match kind.as_str() {
        "auth" => ModelError::Auth(message),
        "quota" => ModelError::Quota(message),
        "rate-limited" => ModelError::RateLimited(RateLimited { message, retry_after_ms: at }),
        "overloaded" => ModelError::Overloaded(message),
        "invalid-request" => ModelError::InvalidRequest(message),
        "content-filter" => ModelError::ContentFilter(message),
        "limit" => ModelError::Limit(LimitReached { name: message, at: at.unwrap_or_default() }),
        "cancelled" | "interrupted" => ModelError::Cancelled,
        "journal" => ModelError::Journal(message),
        network => match network_named(network) {
            Some(kind) => ModelError::Network(NetworkError { kind, message }),
            None => ModelError::Protocol(message),
        },
    }
}

pub fn call_error(kind: CallErrorKind, message: impl Into<String>) -> CallError {
    CallError { kind, message: message.into() }
}

pub fn tool_error(error: ToolError) -> CallError {
    match error {
        ToolError::UnknownTool(name) => {
            call_error(CallErrorKind::UnknownTool, format!("the component has no tool {name}"))
        }
        ToolError::InvalidInput(invalid) => {
            let at = if invalid.pointer.is_empty() { String::new() } else { format!("{}: ", invalid.pointer) };
            call_error(CallErrorKind::InvalidInput, format!("{at}{}", invalid.message))
        }
        ToolError::NotPermitted(refused) => call_error(
            CallErrorKind::NotPermitted,
            format!("{} is not permitted for {}; nothing was done", refused.power, refused.subject),
        ),
        ToolError::Failed(message) => call_error(CallErrorKind::Failed, message),
    }
}

pub fn fault(fault: Fault) -> CallError {
    match fault {
        Fault::NotFound(digest) => call_error(CallErrorKind::Host, format!("no component {digest} is installed")),
        Fault::Integrity(message) => call_error(CallErrorKind::Host, format!("the component is damaged: {message}")),
        Fault::Refused(message) => call_error(CallErrorKind::NotPermitted, message),
        Fault::Limit(limit) => {
            let name = limit.name.replace('-', "_");
            call_error(CallErrorKind::Limit, format!("{name} reached ({}); the call was ended", limit.at))
        }
        Fault::Trapped(message) => call_error(CallErrorKind::Trapped, message),
        Fault::Host(message) => call_error(CallErrorKind::Host, message),
    }
}

/// Brings a tool's answer into the form in which it is journaled: machine data on one line.
pub fn outcome(mut outcome: Outcome) -> Result<Outcome, CallError> {
    if let Some(data) = &outcome.data {
        let compact = match serde_json::from_str::<&RawValue>(data) {
            // In the journal null says that there is no data.
            Ok(raw) if raw.get() == "null" => return Ok(Outcome { data: None, ..outcome }),
            Ok(raw) if !raw.get().contains(['\n', '\r']) => raw.get().to_owned(),
            Ok(raw) => {
                serde_json::from_str::<serde_json::Value>(raw.get()).map(|value| value.to_string()).unwrap_or_default()
            }
            Err(error) => {
                let message = format!("the tool returned data that is no JSON: {error}");
                return Err(call_error(CallErrorKind::Failed, message));
            }
        };
        outcome.data = Some(compact);
    }
    Ok(outcome)
}

fn text_of(parts: &[Part]) -> String {
    let texts: Vec<&str> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Image(_) | Part::File(_) => None,
        })
        .collect();
    texts.join("\n")
}

pub fn output(outcome: &Outcome) -> event::Output {
    let text = text_of(&outcome.parts);
    let parts = match outcome.parts.as_slice() {
        [Part::Text(text)] if !text.is_empty() => Vec::new(),
        parts => parts.iter().map(recorded_part).collect(),
    };
    let data = outcome.data.clone().and_then(|data| RawValue::from_string(data).ok());
    event::Output { text, parts, data }
}

fn recorded_part(part: &Part) -> event::Part {
    match part {
        Part::Text(text) => event::Part::Text(text.clone()),
        Part::Image(image) => {
            event::Part::Image { media_type: image.media_type.clone(), base64: BASE64.encode(&image.bytes) }
        }
        Part::File(file) => {
            event::Part::File { path: file.path.clone(), media_type: file.media_type.clone(), bytes: file.bytes }
        }
    }
}

pub fn recorded_outcome(output: event::Output, truncated: bool) -> Outcome {
    let event::Output { text, parts, data } = output;
    let parts = if parts.is_empty() && !text.is_empty() {
        vec![Part::Text(text)]
    } else {
        parts
            .into_iter()
            .map(|part| match part {
                event::Part::Text(text) => Part::Text(text),
                event::Part::Image { media_type, base64 } => {
                    Part::Image(Image { media_type, bytes: BASE64.decode(base64).unwrap_or_default() })
                }
                event::Part::File { path, media_type, bytes } => Part::File(Attachment { path, media_type, bytes }),
            })
            .collect()
    };
    Outcome { parts, data: data.map(|raw| raw.get().to_owned()), truncated }
}

pub fn recorded_result(result: event::ToolResult) -> Result<Outcome, CallError> {
    match result.error {
        Some(error) => {
            let kind = call_error_named(&error.kind).unwrap_or(CallErrorKind::Failed);
            Err(call_error(kind, error.message))
        }
        None => Ok(recorded_outcome(result.output.unwrap_or_default(), result.truncated)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(parts: Vec<Part>, data: Option<&str>) {
        let before = Outcome { parts, data: data.map(str::to_owned), truncated: true };
        let json = serde_json::to_string(&output(&before)).unwrap();
        assert_eq!(recorded_outcome(serde_json::from_str(&json).unwrap(), true), before, "{json}");
    }

    #[test]
    fn outcomes_come_back_unchanged() {
        let text = |text: &str| Part::Text(text.to_owned());
        same(vec![text("one")], Some("{\"a\":[1,2]}"));
        same(vec![text("one"), text("two")], None);
        same(vec![], None);
        same(vec![text("")], None);
        let image = Image { media_type: "image/png".into(), bytes: vec![0, 255, 7] };
        let file = Attachment { path: "a/b".into(), media_type: "text/plain".into(), bytes: 3 };
        same(vec![Part::Image(image), text("caption"), Part::File(file)], Some("[null]"));
    }

    #[test]
    fn data_must_be_json_and_is_kept_on_one_line() {
        let with = |data: &str| outcome(Outcome { parts: vec![], data: Some(data.into()), truncated: false });
        assert_eq!(with("{\n \"b\": 1, \"a\": 2\n}").unwrap().data.unwrap(), "{\"b\":1,\"a\":2}");
        assert_eq!(with("null").unwrap().data, None);
        assert_eq!(with("{broken").unwrap_err().kind, CallErrorKind::Failed);
    }

    #[test]
    fn model_errors_come_back_unchanged() {
        let errors = [
            ModelError::Auth("a".into()),
            ModelError::Quota("q".into()),
            ModelError::RateLimited(RateLimited { message: "r".into(), retry_after_ms: Some(5) }),
            ModelError::Network(NetworkError { kind: NetworkKind::Tls, message: "t".into() }),
            ModelError::Limit(LimitReached { name: "steps_max".into(), at: 3 }),
            ModelError::Protocol("p".into()),
        ];
        for error in errors {
            assert_eq!(recorded_model_error(model_error(&error)), error);
        }
    }
}
