//! One process, from its start to an outcome.

use serde_json::json;
use tool_kit::{Outcome, ToolError};

use crate::output::Output;
use bindings::wardian::process::process::{self, Child, Exit, Killed, SpawnError, Status};
use bindings::wasi::io::poll::poll;
use bindings::wasi::io::streams::{InputStream, OutputStream, StreamError};

#[allow(clippy::all)]
pub mod bindings {
    wit_bindgen::generate!({
        inline: "
            package wardian:tool-shell;
            world tool-shell {
                import wardian:process/process@0.1.0;
                import wardian:process/jobs@0.1.0;
                import wasi:filesystem/preopens@0.2.6;
            }
        ",
        path: ["../../wit/wasi-io", "../../wit/wasi-clocks", "../../wit/wasi-filesystem", "../../wit/wardian-process"],
        world: "wardian:tool-shell/tool-shell",
        generate_all,
    });
}

/// Bytes that are taken from a stream at once.
const PIECE_BYTES_MAX: u64 = 64 << 10;

/// What is to be run.
pub struct Call {
    pub argv: Vec<String>,
    pub env: Vec<(String, String)>,
    /// Absolute.
    pub cwd: String,
    pub stdin: Option<String>,
    pub timeout_ms: u64,
}

pub fn run(call: Call, id: &str) -> Result<Outcome, ToolError> {
    let name = call.argv.first().cloned().unwrap_or_default();
    let limits = limits(Some(call.timeout_ms), None);
    let stdin = if call.stdin.is_some() { process::Input::Pipe } else { process::Input::Null };
    let child = process::spawn(process::Command {
        argv: call.argv,
        env: call.env,
        cwd: call.cwd,
        stdin,
        stdout: process::Output::Pipe,
        // Together, as on a terminal: what belongs to what is in their order.
        stderr: process::Output::Stdout,
        limits,
    })
    .map_err(|error| refused(&name, error))?;
    let mut output = Output::new(format!("/tmp/output-{}.txt", plain(id)));
    carry(&child, call.stdin.unwrap_or_default().as_bytes(), &mut output);
    child.subscribe().block();
    let exit = child.exit().ok_or("the process has no end: try again")?;
    outcome(&exit, &output)
}

pub fn limits(wall_ms_max: Option<u64>, output_bytes_max: Option<u64>) -> process::Limits {
    process::Limits { wall_ms_max, cpu_ms_max: None, memory_bytes_max: None, output_bytes_max }
}

/// An id as part of a file's name.
pub fn plain(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' }).take(64).collect()
}

pub fn refused(name: &str, error: SpawnError) -> ToolError {
    match error {
        SpawnError::NotFound => ToolError::failed(format!(
            "there is no command `{name}` here; to see which there are, run `compgen -c` with Bash"
        )),
        SpawnError::NotPermitted(name) => ToolError::not_permitted(format!("process:{name}"), name),
        SpawnError::TooMany(max) => ToolError::failed(format!("{max} processes run already: wait for one to end")),
        SpawnError::Invalid(why) | SpawnError::Broken(why) => ToolError::failed(format!("{name}: {why}")),
    }
}

/// Brings `input` to the process and collects what it prints, until it prints no more.
fn carry(child: &Child, mut input: &[u8], output: &mut Output) {
    let Some(from) = child.stdout() else { return };
    let mut to = child.stdin();
    loop {
        if let Some(stream) = &to
            && (input.is_empty() || !feed(stream, &mut input))
        {
            // All is said, or nobody listens: the input ends.
            to = None;
        }
        if !collect(&from, output) {
            return;
        }
        let readable = from.subscribe();
        match &to {
            Some(to) => drop(poll(&[&readable, &to.subscribe()])),
            None => readable.block(),
        }
    }
}

/// Writes what there is room for. False: nobody reads any more.
fn feed(stream: &OutputStream, input: &mut &[u8]) -> bool {
    let Ok(room) = stream.check_write() else { return false };
    let (piece, rest) = input.split_at(input.len().min(room as usize));
    *input = rest;
    piece.is_empty() || stream.write(piece).is_ok()
}

/// Takes what there is. False: that was all.
fn collect(stream: &InputStream, output: &mut Output) -> bool {
    loop {
        match stream.read(PIECE_BYTES_MAX) {
            Ok(bytes) if bytes.is_empty() => return true,
            Ok(bytes) => output.put(&bytes),
            Err(StreamError::Closed | StreamError::LastOperationFailed(_)) => return false,
        }
    }
}

/// The exit status, and why it did not end by itself.
pub fn ended(exit: &Exit) -> (u8, Option<String>) {
    match &exit.status {
        Status::Exited(code) => (*code, None),
        Status::Killed(Killed::Pipe) => (141, Some("nobody read its output".to_owned())),
        Status::Killed(Killed::Killed) => (137, Some("it was killed".to_owned())),
        Status::Killed(Killed::Limit(limit)) => {
            (137, Some(format!("{} reached ({})", limit.name.replace('-', "_"), limit.at)))
        }
        Status::Killed(Killed::Trapped(what)) => (134, Some(format!("its code broke: {what}"))),
        Status::Killed(Killed::Host(what)) => (137, Some(what.clone())),
    }
}

fn outcome(exit: &Exit, output: &Output) -> Result<Outcome, ToolError> {
    let (status, killed) = ended(exit);
    let mut text = output.text();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    match &killed {
        Some(why) => text.push_str(&format!("[ended after {} ms: {why}]", exit.wall_ms)),
        None if status != 0 => text.push_str(&format!("[exit status {status}]")),
        None if text.is_empty() => text.push_str("[no output]"),
        None => {}
    }
    Outcome::text(text).truncated(output.is_cut()).with_data(&json!({
        "status": status,
        "killed": killed,
        "wall_ms": exit.wall_ms,
        "output_bytes": output.bytes(),
        "output_path": output.path(),
    }))
}
