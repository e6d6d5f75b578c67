//! Scripts in the background: started by one call, looked at and ended by others.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tool_kit::{Outcome, ToolError};

use crate::run::bindings::wardian::process::jobs::{self, Job};
use crate::run::bindings::wardian::process::process::{Command, Input, Output};
use crate::run::bindings::wasi::filesystem::preopens::get_directories;
use crate::run::bindings::wasi::filesystem::types::{DescriptorFlags, OpenFlags, PathFlags};
use crate::run::bindings::wasi::io::streams::OutputStream;
use crate::run::{self, Call};

/// Bytes that a job may print: they are all kept.
const OUTPUT_BYTES_MAX: u64 = 64 << 20;

/// Bytes that are shown of the end.
const SHOWN_BYTES: u64 = 15_000;

/// Between two looks at a job that is waited for.
const LOOK: Duration = Duration::from_millis(20);

/// Where the session keeps what is not the project's.
const SCRATCH: &str = "/tmp";

pub fn start(call: Call, timeout_ms: Option<u64>, id: &str) -> Result<Outcome, ToolError> {
    let path = format!("{SCRATCH}/background-{}.txt", run::plain(id));
    let stdout = create(&path).map_err(|error| format!("its output cannot be kept in {path}: {error}"))?;
    let stdin = match &call.stdin {
        Some(_) => return Err(ToolError::invalid("/stdin", "in the background there is nobody to read from")),
        None => Input::Null,
    };
    let command = Command {
        argv: call.argv,
        env: call.env,
        cwd: call.cwd,
        stdin,
        stdout: Output::To(stdout),
        stderr: Output::Stdout,
        limits: run::limits(timeout_ms, Some(OUTPUT_BYTES_MAX)),
    };
    let job = jobs::start(command, &path).map_err(|error| run::refused("sh", error))?;
    let text =
        format!("[job {job} runs in the background; what it prints goes to {path}; Jobs looks at it and ends it]");
    Outcome::text(text).with_data(&json!({"job": job, "output_path": path}))
}

/// A file that the host itself writes to, also after this call.
fn create(path: &str) -> Result<OutputStream, String> {
    let directories = get_directories();
    // The folder that is lent may be the scratch itself, or a root that it is in.
    let place = directories.iter().find_map(|(directory, at)| {
        let name = path.strip_prefix(at.as_str())?.trim_start_matches('/');
        (at == SCRATCH || at == "/").then_some((directory, name))
    });
    let (scratch, name) = place.ok_or_else(|| format!("there is no {SCRATCH}"))?;
    let opened = scratch
        .open_at(PathFlags::empty(), name, OpenFlags::CREATE | OpenFlags::TRUNCATE, DescriptorFlags::WRITE)
        .and_then(|file| file.append_via_stream());
    opened.map_err(|error| error.to_string())
}

pub fn list() -> Result<Outcome, ToolError> {
    let jobs = jobs::jobs();
    let lines: Vec<String> = jobs.iter().map(|job| format!("job {}: {}", job.id, state(job))).collect();
    let text = if lines.is_empty() { "[no jobs]".to_owned() } else { lines.join("\n") };
    Outcome::text(text).with_data(&json!({ "jobs": jobs.iter().map(data).collect::<Vec<_>>() }))
}

pub fn look(id: u32, wait_ms: u64, kill: bool) -> Result<Outcome, ToolError> {
    let find = || jobs::jobs().into_iter().find(|job| job.id == id);
    let nowhere = || ToolError::invalid("/job", format!("there is no job {id}: Jobs without it lists them"));
    let mut job = find().ok_or_else(nowhere)?;
    if kill {
        jobs::kill(id);
    }
    // What is killed ends at once; what hangs in the machine is given up after half a second.
    let wait = if kill { wait_ms.max(2_000) } else { wait_ms };
    let begin = Instant::now();
    while job.exit.is_none() && begin.elapsed() < Duration::from_millis(wait) {
        std::thread::sleep(LOOK);
        job = find().ok_or_else(nowhere)?;
    }
    let (mut text, bytes) = tail(&job.label).map_err(|error| format!("{} cannot be read: {error}", job.label))?;
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&format!("[job {id}: {}]", state(&job)));
    let mut data = data(&job);
    data["output_bytes"] = json!(bytes);
    Outcome::text(text).truncated(bytes > SHOWN_BYTES).with_data(&data)
}

/// The end of what it has printed, and how much that is in all.
fn tail(path: &str) -> std::io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let bytes = file.seek(SeekFrom::End(0))?;
    let skipped = bytes.saturating_sub(SHOWN_BYTES);
    file.seek(SeekFrom::Start(skipped))?;
    let mut end = Vec::new();
    file.take(SHOWN_BYTES).read_to_end(&mut end)?;
    let text = String::from_utf8_lossy(&end).into_owned();
    let cut = if skipped > 0 { format!("[{skipped} bytes before this: {path}]\n") } else { String::new() };
    Ok((cut + &text, bytes))
}

fn state(job: &Job) -> String {
    match &job.exit {
        None => "runs".to_owned(),
        Some(exit) => match run::ended(exit) {
            (_, Some(why)) => format!("ended after {} ms: {why}", exit.wall_ms),
            (status, None) => format!("exit status {status} after {} ms", exit.wall_ms),
        },
    }
}

fn data(job: &Job) -> Value {
    let ended = job.exit.as_ref().map(|exit| (run::ended(exit), exit.wall_ms));
    json!({
        "job": job.id,
        "running": ended.is_none(),
        "status": ended.as_ref().map(|((status, _), _)| status),
        "killed": ended.as_ref().and_then(|((_, killed), _)| killed.clone()),
        "wall_ms": ended.as_ref().map(|(_, wall_ms)| wall_ms),
        "output_path": job.label,
    })
}
