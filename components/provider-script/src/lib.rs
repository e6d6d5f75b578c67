//! A model that plays a scenario: each request takes the next turn of a JSON file.
//!
//! `docs/scenario.md` is the format. Everything that can be decided without a host is plain Rust below this file; here
//! are only the world, the instance's state and the clock.

mod play;
mod player;
mod results;
mod scenario;
mod templates;
#[cfg(test)]
mod tests;

/// The component's powers: it reads the scenario and it can wait.
mod world {
    wit_bindgen::generate!({
        inline: "
            package wardian:provider-script;

            world provider-script {
                /// Key `scenario`: the text to play.
                import wasi:config/store@0.2.0-rc.1;
                /// For `delay_ms` and `pace_ms` only.
                import wasi:clocks/monotonic-clock@0.2.6;
                export wardian:agent/model@0.1.0;
            }
        ",
        path: [
            "../../wit/wasi-io",
            "../../wit/wasi-clocks",
            "../../wit/wasi-config",
            "../../wit/wardian-tool",
            "../../wit/wardian-agent",
        ],
        additional_derives: [PartialEq],
        generate_all,
    });

    export!(Component with_types_in self);

    use super::Component;
}

use std::cell::RefCell;

use world::exports::wardian::agent::model::{Completion, Guest, GuestCompletion, Pollable};
use world::wardian::agent::types::{Event, ModelError, Request};
use world::wasi::clocks::monotonic_clock;
use world::wasi::config::store;

use play::Play;
use player::Player;

const SCENARIO_KEY: &str = "scenario";

thread_local! {
    /// Where the scenario stands. Made by the first request, so that a bad scenario is that request's error.
    static PLAYER: RefCell<Option<Player>> = const { RefCell::new(None) };
}

struct Component;

impl Guest for Component {
    type Completion = Running;

    fn complete(request: Request) -> Result<Completion, ModelError> {
        PLAYER.with_borrow_mut(|slot| {
            let player = match slot {
                Some(player) => player,
                None => slot.insert(Player::new(&scenario_text()?)?),
            };
            let mut play = player.begin(&request)?;
            play.start(monotonic_clock::now);
            Ok(Completion::new(Running(RefCell::new(play))))
        })
    }
}

fn scenario_text() -> Result<String, ModelError> {
    let problem = match store::get(SCENARIO_KEY) {
        Ok(Some(text)) => return Ok(text),
        Ok(None) => format!("no scenario: the configuration has no key `{SCENARIO_KEY}`"),
        Err(store::Error::Upstream(message) | store::Error::Io(message)) => {
            format!("the scenario cannot be read from the configuration: {message}")
        }
    };
    Err(ModelError::InvalidRequest(problem))
}

struct Running(RefCell<Play>);

impl GuestCompletion for Running {
    fn subscribe(&self) -> Pollable {
        // A guest cannot make a pollable of its own: a timer of zero is one that is ready.
        monotonic_clock::subscribe_duration(self.0.borrow().wait_ns(monotonic_clock::now))
    }

    fn next(&self) -> Result<Option<Event>, ModelError> {
        self.0.borrow_mut().next(monotonic_clock::now)
    }
}
