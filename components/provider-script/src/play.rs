//! One answer, cut into events as they are asked for.

use std::collections::VecDeque;

use crate::world::wardian::agent::types::{CallDelta, CallStart, Event, ModelError};

/// A few words, as a model that types would send them.
const TEXT_DELTA_WORDS_MAX: usize = 3;
/// Cuts what has no spaces.
const TEXT_DELTA_BYTES_MAX: usize = 80;
/// Larger than a text delta, because nobody watches an input being typed.
const INPUT_DELTA_BYTES_MAX: usize = 256;

const NS_PER_MS: u64 = 1_000_000;

/// A part of an answer.
#[derive(Debug)]
pub enum Step {
    /// Becomes text deltas.
    Text(String),
    /// Becomes reasoning deltas.
    Reasoning(String),
    /// Becomes start, deltas and end.
    Call { id: String, tool: String, input: String },
    /// Becomes itself, so many times; none is for ever.
    Event(Event, Option<u64>),
    /// The answer breaks off.
    Fail(ModelError),
}

/// Where in the first step an answer stands.
#[derive(Debug, Default)]
struct Cursor {
    /// Of a call.
    started: bool,
    /// Of a text, a reasoning or an input.
    bytes: usize,
}

/// An answer under way.
#[derive(Debug)]
pub struct Play {
    steps: VecDeque<Step>,
    cursor: Cursor,
    delay_ns: u64,
    pace_ns: u64,
    /// On the host's clock: nothing comes before.
    due_ns: Option<u64>,
    over: bool,
}

impl Play {
    /// An answer that waits `delay_ms` before its first event and `pace_ms` between two.
    pub fn new(steps: impl Into<VecDeque<Step>>, delay_ms: u64, pace_ms: u64) -> Play {
        Play {
            steps: steps.into(),
            cursor: Cursor::default(),
            delay_ns: delay_ms.saturating_mul(NS_PER_MS),
            pace_ns: pace_ms.saturating_mul(NS_PER_MS),
            due_ns: None,
            over: false,
        }
    }

    /// Starts the delay. The clock is read only if there is one to wait for.
    pub fn start(&mut self, clock_ns: impl Fn() -> u64) {
        self.wait(self.delay_ns, clock_ns);
    }

    fn wait(&mut self, duration_ns: u64, clock_ns: impl Fn() -> u64) {
        self.due_ns = (duration_ns > 0).then(|| clock_ns().saturating_add(duration_ns));
    }

    /// How long nothing will come.
    pub fn wait_ns(&self, clock_ns: impl Fn() -> u64) -> u64 {
        self.due_ns.map_or(0, |due| due.saturating_sub(clock_ns()))
    }

    /// As the contract's `next`.
    pub fn next(&mut self, clock_ns: impl Fn() -> u64) -> Result<Option<Event>, ModelError> {
        if self.over {
            return Err(ModelError::Protocol("the answer is over".into()));
        }
        if self.wait_ns(&clock_ns) > 0 {
            return Ok(None);
        }
        let event = self.event();
        if matches!(event, Err(_) | Ok(Event::Stop(_))) {
            self.over = true;
            self.steps.clear();
        } else {
            self.wait(self.pace_ns, clock_ns);
        }
        event.map(Some)
    }

    fn event(&mut self) -> Result<Event, ModelError> {
        loop {
            let Some(step) = self.steps.front_mut() else {
                return Err(ModelError::Protocol("the answer ended without a stop".into()));
            };
            let cursor = &mut self.cursor;
            let event = match step {
                Step::Text(text) => piece(text, cursor, text_delta_bytes).map(Event::Text),
                Step::Reasoning(text) => piece(text, cursor, text_delta_bytes).map(Event::Reasoning),
                Step::Call { id, tool, .. } if !cursor.started => {
                    cursor.started = true;
                    Some(Event::CallStart(CallStart { id: id.clone(), tool: tool.clone() }))
                }
                Step::Call { id, input, .. } => match piece(input, cursor, input_delta_bytes) {
                    Some(input) => Some(Event::CallDelta(CallDelta { id: id.clone(), input })),
                    None => {
                        let end = Event::CallEnd(std::mem::take(id));
                        self.pop();
                        return Ok(end);
                    }
                },
                Step::Event(_, Some(0)) => None,
                Step::Event(event, times) => {
                    *times = times.map(|times| times - 1);
                    Some(event.clone())
                }
                Step::Fail(error) => return Err(error.clone()),
            };
            match event {
                Some(event) => return Ok(event),
                None => self.pop(),
            }
        }
    }

    fn pop(&mut self) {
        self.steps.pop_front();
        self.cursor = Cursor::default();
    }
}

/// The next piece of a text, none at its end.
fn piece(text: &str, cursor: &mut Cursor, delta_bytes: fn(&str) -> usize) -> Option<String> {
    let rest = text.get(cursor.bytes..).filter(|rest| !rest.is_empty())?;
    let bytes = delta_bytes(rest);
    cursor.bytes += bytes;
    rest.get(..bytes).map(str::to_owned)
}

/// Some words with the white space after them. Never nothing, unless of nothing.
fn text_delta_bytes(rest: &str) -> usize {
    let (mut words, mut in_word) = (0, false);
    for (at, char) in rest.char_indices() {
        let begins_word = !char.is_whitespace() && !in_word;
        if begins_word && words == TEXT_DELTA_WORDS_MAX || at > 0 && at + char.len_utf8() > TEXT_DELTA_BYTES_MAX {
            return at;
        }
        words += usize::from(begins_word);
        in_word = !char.is_whitespace();
    }
    rest.len()
}

fn input_delta_bytes(rest: &str) -> usize {
    rest.floor_char_boundary(INPUT_DELTA_BYTES_MAX)
}
