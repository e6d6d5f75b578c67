//! What a server says when it refuses, and which of the contract's errors that is.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::transport::Head;
use crate::types::{ModelError, RateLimited};

/// Characters of a server's message that are passed on.
const MESSAGE_CHARS_MAX: usize = 1_000;

/// Characters from which a word in a message about keys may be one.
const SECRET_CHARS_MIN: usize = 16;

/// A refusal in the server's words. Every service has a shape of its own; what is common to them is found here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerError {
    pub message: String,
    /// For instance `invalid_request_error`; may be empty.
    pub kind: String,
    /// For instance `insufficient_quota`; may be empty.
    pub code: String,
}

impl ServerError {
    /// From the JSON that has the error, or has it in its field `error`.
    pub fn from_json(value: &Value) -> Self {
        let error = value.get("error").filter(|error| !error.is_null()).unwrap_or(value);
        let text = |key: &str| match &error[key] {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        let mut message = text("message");
        if message.is_empty() {
            message = match (error, &value["detail"]) {
                (Value::String(text), _) | (_, Value::String(text)) => text.clone(),
                // A list of what is wrong with which field.
                (_, Value::Array(list)) => list.iter().map(detail).collect::<Vec<_>>().join("; "),
                _ => String::new(),
            };
        }
        Self { message: tidy(&message), kind: text("type"), code: text("code") }
    }

    /// From the body of a response, which may be anything.
    pub fn from_body(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            let error = Self::from_json(&value);
            if error != Self::default() {
                return error;
            }
        }
        // A page for people says less than the status does.
        let message = if text.trim_start().starts_with('<') { String::new() } else { tidy(&text) };
        Self { message, ..Self::default() }
    }

    /// Whether kind or code is one of these.
    pub fn is(&self, names: &[&str]) -> bool {
        names.contains(&self.kind.as_str()) || names.contains(&self.code.as_str())
    }

    /// An error that came in the middle of an answer, where there is no status.
    pub fn into_stream_error(self) -> ModelError {
        if let Some(status) = self.code.parse().ok().filter(|status| (400..600).contains(status)) {
            return self.into_model_error(&Head { status, headers: Vec::new() });
        }
        let is_part = |part: &str| self.kind.contains(part) || self.code.contains(part);
        let status = if is_part("rate_limit") {
            429
        } else if is_part("authentication") || is_part("permission") {
            401
        } else if ["overloaded", "server_error", "api_error", "timeout", "unavailable"].into_iter().any(is_part) {
            503
        } else {
            400
        };
        // What names no cause is no fault of the request.
        let status = if self.kind.is_empty() && self.code.is_empty() { 503 } else { status };
        let error = self.clone().into_model_error(&Head { status, headers: Vec::new() });
        let message = if self.message.is_empty() { self.name() } else { self.message.clone() };
        match error {
            ModelError::Auth(_) => ModelError::Auth(without_secrets(&message)),
            ModelError::Quota(_) => ModelError::Quota(message),
            ModelError::RateLimited(_) => ModelError::RateLimited(RateLimited { message, retry_after_ms: None }),
            ModelError::Overloaded(_) => ModelError::Overloaded(message),
            _ => ModelError::InvalidRequest(message),
        }
    }

    /// Code or kind, where there are no words.
    fn name(&self) -> String {
        let name = if self.code.is_empty() { &self.kind } else { &self.code };
        if name.is_empty() { "the server gives no reason".to_owned() } else { name.clone() }
    }

    /// What a status means, for services that have nothing special about it.
    pub fn into_model_error(self, head: &Head) -> ModelError {
        let status = head.status;
        let message = match self.message.as_str() {
            "" => format!("HTTP status {status}"),
            message => format!("{message} (HTTP status {status})"),
        };
        match status {
            _ if self.is(&["insufficient_quota", "billing_error", "billing_hard_limit_reached"]) => {
                ModelError::Quota(message)
            }
            402 => ModelError::Quota(message),
            401 | 403 | 407 => ModelError::Auth(without_secrets(&message)),
            429 => ModelError::RateLimited(RateLimited { message, retry_after_ms: retry_after_ms(head) }),
            300..=399 => ModelError::InvalidRequest(format!(
                "{message}: the server sends the request elsewhere; is the base URL right?"
            )),
            408 | 500.. => ModelError::Overloaded(message),
            404 | 405 if self.message.is_empty() => ModelError::InvalidRequest(format!(
                "{message}: the server knows no such address; is the base URL right?"
            )),
            _ => ModelError::InvalidRequest(message),
        }
    }
}

/// One entry of a list of what is wrong.
fn detail(value: &Value) -> String {
    let message = value["msg"].as_str().unwrap_or_default();
    let place: Vec<String> = value["loc"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned))
        .collect();
    if place.is_empty() { message.to_owned() } else { format!("{}: {message}", place.join(".")) }
}

/// One line of bounded length.
fn tidy(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.retain(|c| !c.is_control());
    match line.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Servers repeat keys that they do not accept. What looks like one is cut: a message ends up in journals.
fn without_secrets(message: &str) -> String {
    let is_secret = |word: &&str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '/' | '=' | '*');
        let chars = word.chars().filter(|&c| plain(c)).count();
        chars >= SECRET_CHARS_MIN && word.chars().any(|c| c.is_ascii_digit() || c == '*')
    };
    let words = message.split(' ').map(|word| if is_secret(&word) { "…" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// How long the server asks to wait.
pub fn retry_after_ms(head: &Head) -> Option<u64> {
    let positive = |number: f64| (number.is_finite() && number >= 0.0).then_some(number);
    if let Some(ms) = head.header("retry-after-ms").and_then(|text| text.parse().ok()).and_then(positive) {
        return Some(ms.ceil() as u64);
    }
    let text = head.header("retry-after")?;
    if let Some(seconds) = text.parse().ok().and_then(positive) {
        return Some((seconds * 1_000.0).ceil() as u64);
    }
    // A date counts from the server's own clock: whose clock is right does not matter.
    let until = httpdate::parse_http_date(text).ok()?;
    let now: SystemTime = httpdate::parse_http_date(head.header("date")?).ok()?;
    let wait = until.duration_since(now).unwrap_or(Duration::ZERO);
    u64::try_from(wait.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(status: u16, headers: &[(&str, &str)]) -> Head {
        Head { status, headers: headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect() }
    }

    fn message(body: &str) -> String {
        ServerError::from_body(body.as_bytes()).message
    }

    #[test]
    fn every_server_s_words_are_found() {
        assert_eq!(message(r#"{"error":{"message":"No such\nmodel","type":"t","code":404}}"#), "No such model");
        assert_eq!(message(r#"{"object":"error","message":"too long","code":400}"#), "too long");
        assert_eq!(message(r#"{"error":"model is loading"}"#), "model is loading");
        assert_eq!(message(r#"{"detail":"Not Found"}"#), "Not Found");
        assert_eq!(
            message(r#"{"detail":[{"loc":["body","n",0],"msg":"field required"}]}"#),
            "body.n.0: field required"
        );
        assert_eq!(message("plain words"), "plain words");
        assert_eq!(message("<html><body>502</body></html>"), "");
        assert_eq!(message(""), "");
        assert_eq!(message(&"x".repeat(5_000)).chars().count(), MESSAGE_CHARS_MAX + 1);
        assert_eq!(ServerError::from_body(br#"{"error":{"message":"m","code":"c"}}"#).code, "c");
    }

    #[test]
    fn statuses_become_the_contract_s_errors() {
        let error = |status, body: &str| ServerError::from_body(body.as_bytes()).into_model_error(&head(status, &[]));
        assert!(matches!(error(401, ""), ModelError::Auth(_)));
        assert!(matches!(error(403, ""), ModelError::Auth(_)));
        assert!(matches!(error(402, ""), ModelError::Quota(_)));
        let quota = r#"{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}"#;
        assert!(matches!(error(429, quota), ModelError::Quota(_)));
        assert!(matches!(error(429, ""), ModelError::RateLimited(_)));
        assert!(matches!(error(500, ""), ModelError::Overloaded(_)));
        assert!(matches!(error(529, ""), ModelError::Overloaded(_)));
        for (status, words) in [(302, "base URL"), (404, "base URL"), (400, "HTTP status 400")] {
            let ModelError::InvalidRequest(message) = error(status, "") else { panic!("{status}") };
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn errors_in_a_stream_go_by_their_names() {
        let error = |body: &str| ServerError::from_body(body.as_bytes()).into_stream_error();
        assert!(matches!(
            error(r#"{"error":{"message":"m","type":"overloaded_error"}}"#),
            ModelError::Overloaded(message) if message == "m"
        ));
        assert!(matches!(error(r#"{"error":{"message":"m","code":429}}"#), ModelError::RateLimited(_)));
        assert!(matches!(
            error(r#"{"error":{"message":"m","code":"rate_limit_exceeded"}}"#),
            ModelError::RateLimited(_)
        ));
        assert!(matches!(error(r#"{"error":{"message":"m","code":"insufficient_quota"}}"#), ModelError::Quota(_)));
        assert!(matches!(
            error(r#"{"error":{"message":"m","type":"invalid_request_error"}}"#),
            ModelError::InvalidRequest(_)
        ));
        assert!(matches!(error(r#"{"error":"out of memory"}"#), ModelError::Overloaded(_)));
        assert!(
            matches!(error(r#"{"error":{"code":"server_error"}}"#), ModelError::Overloaded(m) if m == "server_error")
        );
    }

    #[test]
    fn a_key_that_the_server_repeats_is_cut() {
        let body = r#"{"error":{"message":"Incorrect API key provided: sk-proj-abcdef0123456789. See https://x.example/keys"}}"#;
        let ModelError::Auth(message) = ServerError::from_body(body.as_bytes()).into_model_error(&head(401, &[]))
        else {
            panic!("not auth")
        };
        assert_eq!(message, "Incorrect API key provided: … See https://x.example/keys (HTTP status 401)");
    }

    #[test]
    fn delays_are_understood_in_every_form() {
        let delay = |headers: &[(&str, &str)]| retry_after_ms(&head(429, headers));
        assert_eq!(delay(&[("retry-after", "2")]), Some(2_000));
        assert_eq!(delay(&[("retry-after", "0.25")]), Some(250));
        assert_eq!(delay(&[("retry-after", "7"), ("retry-after-ms", "1500.5")]), Some(1_501));
        let date = ("date", "Tue, 24 Nov 2026 10:00:00 GMT");
        assert_eq!(delay(&[date, ("retry-after", "Tue, 24 Nov 2026 10:01:30 GMT")]), Some(90_000));
        assert_eq!(delay(&[date, ("retry-after", "Tue, 24 Nov 2026 09:00:00 GMT")]), Some(0));
        for nonsense in ["", "soon", "-3", "inf", "Tue, 24 Nov 2026 10:01:30 GMT"] {
            assert_eq!(delay(&[("retry-after", nonsense)]), None, "{nonsense}");
        }
    }
}
