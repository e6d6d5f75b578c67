//! A program under way: its input is written and its output read as either goes on.

use tool_kit::ToolError;

use self::bindings::wardian::process::process::{
    Child, Command, Input, Killed, Limits, Output, SpawnError, Status, spawn, spawn_kept,
};
use self::bindings::wasi::io::poll::{Pollable, poll};
use self::bindings::wasi::io::streams::{InputStream, OutputStream, StreamError};
use crate::output::{Ended, KEPT_BYTES_MAX};
use crate::program::{DIRECTORY, Program};

#[allow(missing_docs, clippy::all)]
mod bindings {
    wit_bindgen::generate!({
        path: ["../../wit/wasi-io", "../../wit/wardian-process"],
        inline: "
            package wardian:tool-python;
            world starts {
                import wardian:process/process@0.1.0;
            }
        ",
        world: "wardian:tool-python/starts",
        generate_all,
    });
}

/// What the interpreter of calls with `session` is kept as.
const KEPT: &str = "session";

const READ_BYTES: u64 = 64 << 10;

/// Runs the program to its end.
pub fn start(program: &Program) -> Result<Ended, ToolError> {
    let command = Command {
        argv: program.argv.clone(),
        env: program.env.clone(),
        cwd: DIRECTORY.to_owned(),
        stdin: if program.stdin.is_empty() { Input::Null } else { Input::Pipe },
        stdout: Output::Pipe,
        // In the order in which it is written, as on a terminal.
        stderr: Output::Stdout,
        limits: Limits {
            wall_ms_max: program.wall_ms_max,
            cpu_ms_max: None,
            memory_bytes_max: None,
            output_bytes_max: None,
        },
    };
    // An interpreter that lives on has all variables; what it writes down is for the one after it.
    let spawned = if program.is_kept { spawn_kept(command, KEPT) } else { spawn(command) };
    let child = spawned.map_err(not_started)?;
    let stdout = child.stdout().ok_or_else(|| ToolError::failed("the program has no output"))?;
    let (output, dropped_bytes) = exchange(&child, stdout, program.stdin.as_bytes());
    let exited = child.subscribe();
    let exit = loop {
        if let Some(exit) = child.exit() {
            break exit;
        }
        exited.block();
    };
    let (status, killed) = match exit.status {
        Status::Exited(status) => (status, None),
        Status::Killed(killed) => why(killed),
    };
    Ok(Ended { output, dropped_bytes, status, killed, wall_ms: exit.wall_ms })
}

/// Until the program's output ends, which it does at the latest when the program does.
fn exchange(child: &Child, stdout: InputStream, input: &[u8]) -> (Vec<u8>, u64) {
    let mut writer =
        child.stdin().map(|stream| Writer { ready: Some(stream.subscribe()), stream: Some(stream), left: input });
    let readable = stdout.subscribe();
    let (mut output, mut dropped) = (Vec::new(), 0);
    loop {
        let waits_to_write = writer.as_ref().and_then(|writer| writer.ready.as_ref());
        let ready = match waits_to_write {
            Some(writable) => poll(&[&readable, writable]),
            None => poll(&[&readable]),
        };
        if ready.contains(&1)
            && let Some(writer) = &mut writer
        {
            writer.go_on();
        }
        if ready.contains(&0) {
            match stdout.read(READ_BYTES) {
                Ok(bytes) => {
                    let room = KEPT_BYTES_MAX - output.len();
                    dropped += bytes.len().saturating_sub(room) as u64;
                    output.extend_from_slice(&bytes[..bytes.len().min(room)]);
                }
                Err(StreamError::Closed | StreamError::LastOperationFailed(_)) => return (output, dropped),
            }
        }
    }
}

/// What is still to be written to the program. Its end of the pipe is closed when that is done.
struct Writer<'a> {
    // Before the stream that it belongs to, in the order of their ends.
    ready: Option<Pollable>,
    stream: Option<OutputStream>,
    left: &'a [u8],
}

impl Writer<'_> {
    fn go_on(&mut self) {
        let Some(stream) = &self.stream else { return };
        let written = stream.check_write().and_then(|room| {
            let (now, later) = self.left.split_at(self.left.len().min(room as usize));
            if !now.is_empty() {
                stream.write(now)?;
            }
            self.left = later;
            Ok(())
        });
        if written.is_err() || self.left.is_empty() {
            if written.is_ok() {
                // A program that reads no more is no failure.
                let _ = stream.blocking_flush();
            }
            self.ready = None;
            self.stream = None;
        }
    }
}

fn why(killed: Killed) -> (u8, Option<String>) {
    let (status, text) = match killed {
        Killed::Pipe => (141, "it wrote to a pipe that nobody reads".to_owned()),
        Killed::Killed => (137, "it was ended".to_owned()),
        Killed::Limit(limit) => (137, format!("{} reached ({}): it was ended", limit.name.replace('-', "_"), limit.at)),
        Killed::Trapped(what) => (134, format!("the interpreter broke: {what}")),
        Killed::Host(what) => (137, format!("the host failed: {what}")),
    };
    (status, Some(text))
}

fn not_started(error: SpawnError) -> ToolError {
    match error {
        SpawnError::NotFound => ToolError::failed("there is no command python3: this Wardian was built without Python"),
        SpawnError::NotPermitted(name) => ToolError::not_permitted(format!("process:{name}"), name),
        SpawnError::TooMany(count) => ToolError::failed(format!("{count} processes run already: try again later")),
        SpawnError::Invalid(what) => ToolError::failed(format!("python3 cannot be started so: {what}")),
        SpawnError::Broken(why) => ToolError::failed(format!("python3 cannot be used: {why}")),
    }
}
