//! Tools that never return: they end the instance, or the host has to.

use std::hint::black_box;
use std::io::{self, Write};
use std::process;
use std::time::Instant;

use tool_kit::{Context, Outcome, ToolError};

use crate::{Nothing, Text};

type Result = std::result::Result<Outcome, ToolError>;

/// What `Allocate` takes at a time.
const STEP_BYTES: usize = 1 << 20;

/// What one step of a flood writes.
const FLOOD: &[u8] = &[b'x'; 4096];

pub fn trap(input: Text, _: &Context) -> Result {
    panic!("{}", input.text)
}

pub fn exit(_: Nothing, _: &Context) -> Result {
    process::exit(3)
}

pub fn recurse(_: Nothing, _: &Context) -> Result {
    Ok(Outcome::text(descend(0).to_string()))
}

/// Uses the result after the call and a frame that must be kept, so that no optimiser makes a loop of it.
fn descend(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    if frame[0] == u64::MAX { 0 } else { descend(depth + 1) + black_box(frame)[15] }
}

pub fn spin(_: Nothing, _: &Context) -> Result {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

pub fn allocate(_: Nothing, _: &Context) -> Result {
    let mut kept = Vec::new();
    loop {
        kept.push(vec![1_u8; STEP_BYTES]);
        black_box(&kept);
    }
}

pub fn hostcalls(_: Nothing, _: &Context) -> Result {
    loop {
        black_box(Instant::now());
    }
}

pub fn flood_stdout(_: Nothing, _: &Context) -> Result {
    flood(io::stdout())
}

pub fn flood_stderr(_: Nothing, _: &Context) -> Result {
    flood(io::stderr())
}

fn flood(mut stream: impl Write) -> Result {
    loop {
        // Goes on when the stream is closed: that is the misbehaviour.
        let _ = stream.write_all(FLOOD);
    }
}

pub fn flood_progress(_: Nothing, _: &Context) -> Result {
    let mut done = 0;
    loop {
        done += 1;
        tool_kit::progress("still at it", Some((done, u64::MAX)));
    }
}
