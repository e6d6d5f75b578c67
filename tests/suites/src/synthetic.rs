//! Journals of any length, as a session would have written them.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::journal::{GENESIS, sha256};

/// Events of a run with one tool call, and of a run without.
const CALLING_EVENTS: u64 = 10;
const ANSWERING_EVENTS: u64 = 4;

/// When the session began, in milliseconds since 1970; each event takes a millisecond.
const START_MS: i64 = 1_767_225_600_000;

/// Writes a journal of exactly so many events, and the `head.json` that belongs to it.
///
/// It is the journal of finished runs with one tool call each: chained, with correct digests of the conversation, so
/// that it verifies, replays and resumes. What does not fill a run is filled with shorter runs and resumptions.
pub fn synthesize(path: &Path, events: u64) -> Result<()> {
    let folder = path.parent().context("a journal is in a folder")?;
    let session = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    let mut writer = Writer {
        out: BufWriter::new(file),
        session,
        seq: 0,
        prev: GENESIS.to_owned(),
        messages: 0,
        digest: Sha256::new(),
        requests: 0,
    };
    let left = |writer: &Writer| events.saturating_sub(writer.seq);
    while left(&writer) > 0 {
        match left(&writer) {
            _ if writer.seq == 0 => writer.start()?,
            CALLING_EVENTS.. => writer.run(true)?,
            ANSWERING_EVENTS.. => writer.run(false)?,
            _ => writer.start()?,
        }
    }
    writer.out.flush()?;
    let head = json!({"events": writer.seq, "sha256": writer.prev});
    fs::write(folder.join("head.json"), head.to_string()).context("cannot write head.json")
}

struct Writer {
    out: BufWriter<File>,
    session: String,
    seq: u64,
    prev: String,
    /// How many messages the conversation has, and the state of its digest.
    messages: u64,
    digest: Sha256,
    requests: u64,
}

impl Writer {
    fn event(&mut self, event: &Value) -> Result<()> {
        let ts = jiff::Timestamp::from_millisecond(START_MS + self.seq as i64)?;
        let body = event.to_string();
        let body = body.strip_prefix('{').unwrap_or_default();
        let line = format!("{{\"seq\":{},\"ts\":\"{ts:.3}\",\"prev\":\"{}\",{body}", self.seq, self.prev);
        self.prev = sha256(line.as_bytes());
        self.seq += 1;
        writeln!(self.out, "{line}")?;
        Ok(())
    }

    /// Takes a message into the conversation, in the form in which it is digested.
    fn message(&mut self, message: &Value) {
        self.digest.update(if self.messages == 0 { "[" } else { "," });
        self.digest.update(message.to_string());
        self.messages += 1;
    }

    fn start(&mut self) -> Result<()> {
        let settings = json!({
            "instructions": "", "context_bytes_max": 1_u64 << 40, "parallel_calls_max": 8, "retries_max": 5,
            "response_bytes_max": 4 << 20,
        });
        self.event(&json!({
            "type": "session.start", "format": 1, "session": self.session, "wardian": "0.1.0", "project": "/project",
            "agent": "0".repeat(64), "model": "synthetic", "components": {}, "limits": {}, "settings": settings, "approve": "reads",
            "resumed": self.seq > 0,
        }))
    }

    fn request(&mut self) -> Result<()> {
        let digest = self.digest.clone().chain_update("]").finalize();
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let call = self.requests;
        self.requests += 1;
        self.event(&json!({"type": "model.request", "call": call, "purpose": "turn", "messages_sha256": digest}))
    }

    fn response(&mut self, text: &str, id: Option<(&str, &Value)>) -> Result<()> {
        let calls: Vec<_> = id.iter().map(|(id, input)| json!({"id": id, "tool": "Read", "input": input})).collect();
        let stop = if calls.is_empty() { "end-turn" } else { "tool-calls" };
        self.event(&json!({
            "type": "model.response", "call": self.requests - 1, "text": text, "tool_calls": calls,
            "usage": {"input_tokens": 100, "cached_tokens": 0, "output_tokens": 10}, "stop": stop, "error": null,
        }))?;
        let calls: Vec<_> = id.iter().map(|(id, input)| json!([id, "Read", input.to_string()])).collect();
        self.message(&json!({"role": "assistant", "text": text, "calls": calls, "state": ""}));
        Ok(())
    }

    fn run(&mut self, calling: bool) -> Result<()> {
        let id = format!("call_{}", self.seq);
        let prompt = format!("Task {}.", self.seq);
        self.event(&json!({"type": "user.message", "text": prompt}))?;
        self.message(&json!({"role": "user", "text": prompt}));
        self.request()?;
        if calling {
            let input = json!({"file_path": "a.txt"});
            self.response("I look.", Some((&id, &input)))?;
            self.call(&id, &input)?;
            self.request()?;
        }
        self.response("Done.", None)?;
        let requests = 1 + u64::from(calling);
        self.event(&json!({
            "type": "session.end", "stop": "done", "text": "Done.",
            "usage": {"requests": requests, "input_tokens": 100 * requests, "output_tokens": 10 * requests},
            "error": null,
        }))
    }

    fn call(&mut self, id: &str, input: &Value) -> Result<()> {
        self.event(&json!({
            "type": "permission.ask", "id": id, "tool": "Read", "powers": ["files:read"], "summary": "a.txt",
        }))?;
        self.event(&json!({
            "type": "permission.answer", "id": id, "allowed": true, "by": "mode", "scope": "session",
        }))?;
        self.event(&json!({
            "type": "tool.use", "id": id, "tool": "Read", "component": "0".repeat(64), "input": input,
        }))?;
        let output = json!({"text": "     1\tone line\n"});
        self.event(&json!({
            "type": "tool.result", "id": id, "tool": "Read", "output": output, "error": null, "ms": 1,
            "truncated": false,
        }))?;
        self.message(&json!({"role": "tool", "id": id, "tool": "Read", "output": output, "truncated": false}));
        Ok(())
    }
}
