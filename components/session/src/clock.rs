//! The agent's clock and randomness. Both follow from the journal, so that a replay gives the same.
//!
//! The clock shows the time of the last event, in steps of a millisecond: between two events it stands still.

use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::Session;
use crate::exports::wasi::clocks::{monotonic_clock, wall_clock};
use crate::exports::wasi::random::random;
use crate::state;
use crate::wasi::clocks::monotonic_clock as host_clock;
use crate::wasi::io::poll::Pollable;

const NS_PER_MS: u64 = 1_000_000;
const MS_PER_SECOND: i64 = 1_000;

/// Random bytes that the agent may take at once.
const RANDOM_BYTES_MAX: u64 = 1 << 20;

/// The host's clock, in milliseconds since 1970.
pub fn wall_ms() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as i64
}

fn now_ns() -> u64 {
    let ms = state::with(|state| state.recorder.last_ms() - state.start_ms).unwrap_or_default();
    ms.max(0) as u64 * NS_PER_MS
}

impl monotonic_clock::Guest for Session {
    fn now() -> u64 {
        now_ns()
    }

    fn resolution() -> u64 {
        NS_PER_MS
    }

    fn subscribe_instant(when: u64) -> Pollable {
        Self::subscribe_duration(when.saturating_sub(now_ns()))
    }

    fn subscribe_duration(duration: u64) -> Pollable {
        let replay = state::with(|state| state.recorder.is_replay()).unwrap_or_default();
        host_clock::subscribe_duration(if replay { 0 } else { duration })
    }
}

impl wall_clock::Guest for Session {
    fn now() -> wall_clock::Datetime {
        let ms = state::with(|state| state.recorder.last_ms()).unwrap_or_default().max(0);
        let nanoseconds = (ms % MS_PER_SECOND) as u32 * NS_PER_MS as u32;
        wall_clock::Datetime { seconds: (ms / MS_PER_SECOND) as u64, nanoseconds }
    }

    fn resolution() -> wall_clock::Datetime {
        wall_clock::Datetime { seconds: 0, nanoseconds: NS_PER_MS as u32 }
    }
}

/// The next block of the session's own stream of random bytes.
fn draw() -> [u8; 32] {
    state::with(|state| {
        state.drawn += 1;
        Sha256::new()
            .chain_update(b"wardian agent random\0")
            .chain_update(state.options.session.as_bytes())
            .chain_update(state.recorder.events().to_le_bytes())
            .chain_update(state.drawn.to_le_bytes())
            .finalize()
            .into()
    })
    .unwrap_or_default()
}

impl random::Guest for Session {
    fn get_random_bytes(len: u64) -> Vec<u8> {
        let len = len.min(RANDOM_BYTES_MAX) as usize;
        let mut bytes = Vec::with_capacity(len + 32);
        while bytes.len() < len {
            bytes.extend(draw());
        }
        bytes.truncate(len);
        bytes
    }

    fn get_random_u64() -> u64 {
        let block = draw();
        u64::from_le_bytes([block[0], block[1], block[2], block[3], block[4], block[5], block[6], block[7]])
    }
}
