//! The scenario file: its shape, and what is wrong with one that does not have it.

mod json;
mod raw;

use serde::Deserialize;
use serde_json::Value;

use json::{Entry, Lines, list, some_list};
pub use raw::{Failure, RawEvent};

/// Far above any scenario that a person keeps, far below what an instance may hold once it is parsed.
pub const SCENARIO_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A whole scenario.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Played one per request, from the first.
    #[serde(deserialize_with = "list")]
    pub turns: Vec<Turn>,
    /// Strings are Jinja templates.
    #[serde(default)]
    pub template: bool,
    /// Template code in front of every template: macros and variables.
    #[serde(default)]
    pub prelude: Option<Lines>,
    /// A new prompt begins again with the first turn.
    #[serde(default)]
    pub restart: bool,
    /// Answers each request for a summary, which then takes no turn.
    #[serde(default)]
    pub compact: Option<Lines>,
}

/// What the model does with one request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// A Jinja expression; where it is false, the turn is passed over.
    #[serde(default)]
    pub when: Option<Lines>,
    /// Must occur in a result that came since the model's last message.
    #[serde(default)]
    pub expect: Option<String>,
    /// Streamed before the text.
    #[serde(default)]
    pub reasoning: Option<Lines>,
    /// Streamed in small deltas.
    #[serde(default)]
    pub text: Option<Lines>,
    /// Follow the text.
    #[serde(default, deserialize_with = "list")]
    pub calls: Vec<Call>,
    /// Replaces everything that would be streamed, usage and stop included.
    #[serde(default, deserialize_with = "some_list")]
    pub raw: Option<Vec<RawEvent>>,
    /// Fails the request, after what is streamed.
    #[serde(default)]
    pub error: Option<Failure>,
    /// Waited before the first event.
    #[serde(default)]
    pub delay_ms: u64,
    /// Waited between events.
    #[serde(default)]
    pub pace_ms: u64,
}

/// A tool call.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// A Jinja expression; where it is false, the call is left out.
    #[serde(default)]
    pub when: Option<Lines>,
    /// The tool's name, which need not exist.
    pub tool: String,
    /// A string is the input's text as it is, anything else is written as JSON.
    #[serde(default = "empty_object")]
    pub input: Value,
}

fn empty_object() -> Value {
    Value::Object(serde_json::Map::new())
}

impl Scenario {
    /// Parses and checks a scenario. The error names the turn and, where the file has it, line and column.
    pub fn parse(text: &str) -> Result<Scenario, String> {
        if text.len() > SCENARIO_BYTES_MAX {
            return Err(format!("the scenario has {} bytes, scenario-bytes-max is {SCENARIO_BYTES_MAX}", text.len()));
        }
        let scenario: Scenario = json::parse(text).map_err(|error| format!("the scenario is not valid: {error}"))?;
        for (index, turn) in scenario.turns.iter().enumerate() {
            turn.check().map_err(|problem| format!("the scenario is not valid: turn {}: {problem}", index + 1))?;
        }
        Ok(scenario)
    }
}

impl Turn {
    fn check(&self) -> Result<(), String> {
        let Some(raw) = &self.raw else { return Ok(()) };
        if self.text.is_some() || self.reasoning.is_some() || !self.calls.is_empty() {
            return Err("`raw` stands in the place of `reasoning`, `text` and `calls`: use one or the other".into());
        }
        for (index, event) in raw.iter().enumerate() {
            let (number, last) = (index + 1, index + 1 == raw.len());
            match event {
                RawEvent::Stop(_) if !last || self.error.is_some() => {
                    return Err(format!("raw event {number}: what comes after `stop` would never be played"));
                }
                RawEvent::Repeat(repeat) if repeat.event().is_none() => {
                    return Err(format!(
                        "raw event {number}: `repeat` takes exactly one of `text`, `reasoning` and `call-delta`"
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Entry for Turn {
    const NAME: &'static str = "turn";
}

impl Entry for Call {
    const NAME: &'static str = "call";
}
