//! The run around the agent, and the conversation it works on.

use crate::Session;
use crate::event::{self, Event};
use crate::exports::wardian::agent::control::{Guest, Notice, Settings};
use crate::exports::wardian::agent::transcript;
use crate::resume::{compact_transcript, in_call_order};
use crate::state::{self, ready};
use crate::wardian::agent::types::Message;
use crate::wardian::host::{control, observer};
use crate::wasi::io::poll::Pollable;

impl Guest for Session {
    fn configuration() -> Settings {
        state::with(|state| {
            let options = &state.options;
            Settings {
                instructions: options.instructions.clone(),
                context_bytes_max: options.context_bytes_max,
                parallel_calls_max: options.parallel_calls_max,
                retries_max: options.retries_max,
            }
        })
        .unwrap_or(Settings {
            instructions: String::new(),
            context_bytes_max: 0,
            parallel_calls_max: 1,
            retries_max: 0,
        })
    }

    fn interrupted() -> Pollable {
        match state::with(|state| state.recorder.is_replay()) {
            Some(false) => control::interrupted(),
            Some(true) => ready(false),
            None => ready(true),
        }
    }

    fn notify(notice: Notice) {
        if state::with(|state| state.recorder.is_replay()).unwrap_or(true) {
            return;
        }
        observer::notify(&match notice {
            Notice::Retrying(retry) => observer::Event::Retrying(retry),
            Notice::Compacting => observer::Event::Compacting,
        });
    }
}

impl transcript::Guest for Session {
    fn load() -> Vec<Message> {
        state::with(|state| {
            in_call_order(&mut state.transcript);
            state.transcript.clone()
        })
        .unwrap_or_default()
    }

    fn compact(summary: String, keep: u32) {
        state::with(|state| {
            // A journal that cannot be written is reported by the model request that follows.
            let event = Event::ContextCompact(event::ContextCompact { summary: summary.clone(), keep });
            if state.record(event).is_ok() {
                compact_transcript(&mut state.transcript, summary, keep);
            }
        });
    }
}
