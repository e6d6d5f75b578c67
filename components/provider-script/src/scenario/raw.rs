//! Events and failures as a scenario writes them, and what they are in the contract.

use serde::Deserialize;

use super::json::Entry;
use crate::world::wardian::agent::types::{
    CallDelta, CallStart, Event, ModelError, NetworkError, NetworkKind, RateLimited, StopReason, Usage,
};

/// One event, as a provider that nobody checked might send it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RawEvent {
    /// A piece of the answer.
    Text(String),
    /// A piece of the reasoning.
    Reasoning(String),
    /// Opens a call.
    CallStart(RawStart),
    /// A piece of a call's input.
    CallDelta(RawDelta),
    /// Closes the call of this id.
    CallEnd(String),
    /// What the provider wants back.
    State(String),
    /// Tokens.
    Usage(RawUsage),
    /// The end of the answer.
    Stop(RawStop),
    /// One event many times.
    Repeat(RawRepeat),
}

/// Of `call-start`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawStart {
    /// Of the call.
    pub id: String,
    /// The tool's name.
    pub tool: String,
}

/// Of `call-delta`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawDelta {
    /// Of the call, or of none.
    pub id: String,
    /// Need not be JSON.
    pub input: String,
}

/// Of `usage`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawUsage {
    /// Tokens in.
    pub input_tokens: u64,
    /// Those of them that were cached.
    pub cached_tokens: u64,
    /// Tokens out.
    pub output_tokens: u64,
}

/// Of `stop`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum RawStop {
    /// The answer is complete.
    EndTurn,
    /// Waits for results.
    ToolCalls,
    /// Cut.
    MaxTokens,
    /// Declined.
    Refusal,
}

/// Of `repeat`: exactly one of the events, `times` times or without end.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawRepeat {
    /// None is endless.
    #[serde(default)]
    pub times: Option<u64>,
    /// A piece of the answer.
    #[serde(default)]
    pub text: Option<String>,
    /// A piece of the reasoning.
    #[serde(default)]
    pub reasoning: Option<String>,
    /// A piece of a call's input.
    #[serde(default, rename = "call-delta")]
    pub call_delta: Option<RawDelta>,
}

/// Why a request fails: the cases of `model-error` that a provider can have.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Failure {
    /// No key, or a wrong one.
    Auth { message: String },
    /// Nothing left to spend.
    Quota { message: String },
    /// Too many requests.
    RateLimited { message: String, retry_after_ms: Option<u64> },
    /// Too busy.
    Overloaded { message: String },
    /// Rejected.
    InvalidRequest { message: String },
    /// Filtered.
    ContentFilter { message: String },
    /// No connection, or a broken one.
    Network { message: String, network: Option<NetworkFailure> },
    /// Not what the protocol allows.
    Protocol { message: String },
}

/// Of `network`; `other` where it is absent.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkFailure {
    /// No such host.
    Dns,
    /// Nobody answers there.
    Connect,
    /// No trust.
    Tls,
    /// Cut in the middle.
    Reset,
    /// Silent for too long.
    Timeout,
    /// Not allowed.
    RefusedByPolicy,
    /// Anything else.
    Other,
}

impl Entry for RawEvent {
    const NAME: &'static str = "raw event";
}

impl RawRepeat {
    /// What is repeated; none unless the scenario names exactly one event.
    pub fn event(&self) -> Option<Event> {
        match (&self.text, &self.reasoning, &self.call_delta) {
            (Some(text), None, None) => Some(Event::Text(text.clone())),
            (None, Some(text), None) => Some(Event::Reasoning(text.clone())),
            (None, None, Some(delta)) => Some(delta.event()),
            _ => None,
        }
    }
}

impl RawDelta {
    fn event(&self) -> Event {
        Event::CallDelta(CallDelta { id: self.id.clone(), input: self.input.clone() })
    }
}

impl RawEvent {
    /// The event and how often it comes, where none is for ever.
    pub fn event(&self) -> Option<(Event, Option<u64>)> {
        let event = match self {
            RawEvent::Text(text) => Event::Text(text.clone()),
            RawEvent::Reasoning(text) => Event::Reasoning(text.clone()),
            RawEvent::CallStart(start) => {
                Event::CallStart(CallStart { id: start.id.clone(), tool: start.tool.clone() })
            }
            RawEvent::CallDelta(delta) => delta.event(),
            RawEvent::CallEnd(id) => Event::CallEnd(id.clone()),
            RawEvent::State(state) => Event::State(state.clone()),
            RawEvent::Usage(usage) => Event::Usage(Usage {
                input_tokens: usage.input_tokens,
                cached_tokens: usage.cached_tokens,
                output_tokens: usage.output_tokens,
            }),
            RawEvent::Stop(stop) => Event::Stop(match stop {
                RawStop::EndTurn => StopReason::EndTurn,
                RawStop::ToolCalls => StopReason::ToolCalls,
                RawStop::MaxTokens => StopReason::MaxTokens,
                RawStop::Refusal => StopReason::Refusal,
            }),
            RawEvent::Repeat(repeat) => return repeat.event().map(|event| (event, repeat.times)),
        };
        Some((event, Some(1)))
    }
}

impl Failure {
    /// The same in the contract's words.
    pub fn model_error(&self) -> ModelError {
        match self.clone() {
            Failure::Auth { message } => ModelError::Auth(message),
            Failure::Quota { message } => ModelError::Quota(message),
            Failure::RateLimited { message, retry_after_ms } => {
                ModelError::RateLimited(RateLimited { message, retry_after_ms })
            }
            Failure::Overloaded { message } => ModelError::Overloaded(message),
            Failure::InvalidRequest { message } => ModelError::InvalidRequest(message),
            Failure::ContentFilter { message } => ModelError::ContentFilter(message),
            Failure::Network { message, network } => {
                let kind = match network.unwrap_or(NetworkFailure::Other) {
                    NetworkFailure::Dns => NetworkKind::Dns,
                    NetworkFailure::Connect => NetworkKind::Connect,
                    NetworkFailure::Tls => NetworkKind::Tls,
                    NetworkFailure::Reset => NetworkKind::Reset,
                    NetworkFailure::Timeout => NetworkKind::Timeout,
                    NetworkFailure::RefusedByPolicy => NetworkKind::RefusedByPolicy,
                    NetworkFailure::Other => NetworkKind::Other,
                };
                ModelError::Network(NetworkError { kind, message })
            }
            Failure::Protocol { message } => ModelError::Protocol(message),
        }
    }
}
