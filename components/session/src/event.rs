//! The journal's events: the fields of each `type`, as `docs/journal.md` lists them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// The journal's format; a journal with a higher one was written by a later version.
pub const FORMAT: u64 = 1;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionStart {
    pub format: u64,
    pub session: String,
    pub wardian: String,
    pub project: String,
    pub agent: String,
    pub model: String,
    pub components: BTreeMap<String, String>,
    pub limits: Value,
    pub settings: Settings,
    pub approve: String,
    /// True where an earlier process began the session.
    pub resumed: bool,
}

/// What steers the agent's own decisions, so that a replay can decide the same.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Settings {
    pub instructions: String,
    pub context_bytes_max: u64,
    pub parallel_calls_max: u32,
    pub retries_max: u32,
    pub response_bytes_max: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UserMessage {
    pub text: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ModelRequest {
    pub call: u64,
    pub purpose: String,
    pub messages_sha256: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    pub input_tokens: u64,
    pub cached_tokens: u64,
    pub output_tokens: u64,
}

/// What went wrong, in a word and in a sentence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Error {
    pub kind: String,
    pub message: String,
    /// Of a limit: its value. Of a rate limit: the delay in milliseconds that the provider asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ToolCall {
    pub id: String,
    pub tool: String,
    pub input: Box<RawValue>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ModelResponse {
    pub call: u64,
    pub text: String,
    pub tool_calls: Vec<ToolCall>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub state: String,
    pub usage: Usage,
    /// Null when the answer did not end by itself: then there is an error.
    pub stop: Option<String>,
    pub error: Option<Error>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PermissionAsk {
    pub id: String,
    pub tool: String,
    pub powers: Vec<String>,
    pub summary: String,
    /// Of a question about a request of a call that runs: the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PermissionAnswer {
    pub id: String,
    pub allowed: bool,
    pub by: String,
    pub scope: String,
    /// As in the question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net: Option<String>,
}

/// Code was started.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ToolUse {
    pub id: String,
    pub tool: String,
    pub component: String,
    pub input: Box<RawValue>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Text(String),
    Image { media_type: String, base64: String },
    File { path: String, media_type: String, bytes: u64 },
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Output {
    /// All text of the result.
    pub text: String,
    /// Every part in order, where there is more than one text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ToolResult {
    pub id: String,
    pub tool: String,
    pub output: Option<Output>,
    pub error: Option<Error>,
    pub ms: u64,
    pub truncated: bool,
}

/// A request is over, or was refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetRequest {
    /// Of the tool call that made it; of one that the model's provider made, `call` is given instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<u64>,
    pub component: String,
    pub method: String,
    pub url: String,
    /// `allow` or `deny`.
    pub decision: String,
    pub rule: String,
    pub status: Option<u16>,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub ms: u64,
    pub error: Option<Error>,
}

/// A command was started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessStart {
    /// That of the tool call, and the number of the process in it: `call_1/2`.
    pub id: String,
    pub argv: Vec<String>,
    pub component: String,
    pub cwd: String,
}

/// A command ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessExit {
    pub id: String,
    /// None: it did not end by itself.
    pub status: Option<u8>,
    /// Why, then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub killed: Option<String>,
    pub ms: u64,
    pub memory_peak_bytes: u64,
}

/// A path that a call touched.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkspaceChange {
    /// Empty where `count` is given.
    pub path: String,
    pub kind: String,
    /// Of the tool call.
    pub id: String,
    /// Of the kind `more`: the number of paths that have no line of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// The project was changed: by a commit, or by an undo of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkspaceCommit {
    /// Counts commits and undos of the session from 1.
    pub commit: u64,
    /// Of an undo: the number of the commit that it took back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<u64>,
    pub paths: Vec<String>,
    /// Lowercase hex SHA-256 for each path; empty: nothing was there.
    pub before: Vec<String>,
    pub after: Vec<String>,
}

/// Changes of the workspace were dropped.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkspaceDiscard {
    pub paths: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ContextCompact {
    pub summary: String,
    pub keep: u32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct RunUsage {
    pub requests: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
}

/// How one run ended: the answer to one `user.message`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionEnd {
    pub stop: String,
    pub text: String,
    pub usage: RunUsage,
    pub error: Option<Error>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type")]
pub enum Event {
    #[serde(rename = "session.start")]
    SessionStart(SessionStart),
    #[serde(rename = "user.message")]
    UserMessage(UserMessage),
    #[serde(rename = "model.request")]
    ModelRequest(ModelRequest),
    #[serde(rename = "model.response")]
    ModelResponse(ModelResponse),
    #[serde(rename = "permission.ask")]
    PermissionAsk(PermissionAsk),
    #[serde(rename = "permission.answer")]
    PermissionAnswer(PermissionAnswer),
    #[serde(rename = "tool.use")]
    ToolUse(ToolUse),
    #[serde(rename = "tool.result")]
    ToolResult(ToolResult),
    #[serde(rename = "net.request")]
    NetRequest(NetRequest),
    #[serde(rename = "process.start")]
    ProcessStart(ProcessStart),
    #[serde(rename = "process.exit")]
    ProcessExit(ProcessExit),
    #[serde(rename = "workspace.change")]
    WorkspaceChange(WorkspaceChange),
    #[serde(rename = "workspace.commit")]
    WorkspaceCommit(WorkspaceCommit),
    #[serde(rename = "workspace.undo")]
    WorkspaceUndo(WorkspaceCommit),
    #[serde(rename = "workspace.discard")]
    WorkspaceDiscard(WorkspaceDiscard),
    #[serde(rename = "context.compact")]
    ContextCompact(ContextCompact),
    #[serde(rename = "session.end")]
    SessionEnd(SessionEnd),
}

/// JSON text that a model or a tool wrote, for embedding in a line.
///
/// An object on one line is embedded as it is; anything else, broken JSON included, becomes a JSON string.
/// [`embedded`] gives back the very same text.
pub fn embed(text: &str) -> Box<RawValue> {
    if text.starts_with('{')
        && text.ends_with('}')
        && !text.contains(['\n', '\r'])
        && let Ok(raw) = RawValue::from_string(text.to_owned())
    {
        return raw;
    }
    let quoted = serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned());
    RawValue::from_string(quoted).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// The text that [`embed`] was given.
pub fn embedded(raw: &RawValue) -> String {
    if raw.get().starts_with('{') { raw.get().to_owned() } else { serde_json::from_str(raw.get()).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_text_comes_back_unchanged() {
        for text in ["{\"a\": 1}", "{\"a\":\n1}", "\"quoted\"", "{broken", "", "[1]", "{\"nul\":\"\\u0000\"} "] {
            let raw = embed(text);
            assert!(!raw.get().contains('\n'), "{text:?} must stay on one line");
            assert_eq!(embedded(&raw), text);
        }
    }

    #[test]
    fn the_type_comes_first() {
        let event = Event::UserMessage(UserMessage { text: "hi".into() });
        assert_eq!(serde_json::to_string(&event).unwrap(), r#"{"type":"user.message","text":"hi"}"#);
    }
}
