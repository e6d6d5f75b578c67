//! `wardian log`: a session's journal for people, as it is for machines, or verified.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};

use serde_json::{Value, json};

use crate::failure::{Failure, code, open_failure};
use crate::home::Home;
use crate::show::{self, Show, Style};
use crate::{Outcome, block_on, case};

/// Bytes of one line; a longer one is no event of ours.
const LINE_BYTES_MAX: u64 = 1 << 30;

const TEXT_CHARS_MAX: usize = 100;

#[derive(clap::Args)]
#[command(
    after_help = "Example: wardian log --verify\n         wardian log 2026 --json | jq 'select(.type == \"tool.use\")'"
)]
pub struct Arguments {
    /// The session: its id or the beginning of it. Left out: the newest
    id: Option<String>,
    /// Check every line: form, order, hash chain
    #[arg(long)]
    verify: bool,
    /// Print the journal's own lines; with --verify one JSON document
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Outcome {
    let home = Home::find()?;
    let id = home.resolve(arguments.id.as_deref())?;
    if arguments.verify {
        return verify(&home, &id, arguments.json);
    }
    let path = home.session(&id).join("journal.jsonl");
    let file =
        File::open(&path).map_err(|error| Failure::failed(format!("cannot read {}: {error}", path.display())))?;
    let mut reader = BufReader::new(file);
    let mut out = std::io::stdout().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        let read = read.map_err(|error| Failure::failed(format!("cannot read {}: {error}", path.display())))?;
        if read == 0 {
            return Ok(code::DONE);
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches('\n');
        let shown = if arguments.json { text.to_owned() } else { describe(text) };
        if writeln!(out, "{shown}").is_err() {
            return Ok(code::DONE); // whoever reads has enough
        }
    }
}

fn verify(home: &Home, id: &str, as_json: bool) -> Outcome {
    let host = case::host(home)?;
    let report = block_on(async {
        let mut reader = case::reader(&host, &home.session(id), Show::new(Style::Quiet), Vec::new()).await?;
        Ok(reader.verify().await?)
    })?;
    match report {
        Ok(report) => {
            if as_json {
                let torn = report.torn_bytes;
                show::print_json(&json!({
                    "session": id, "ok": true, "events": report.events, "head": report.head, "torn_bytes": torn,
                }));
            } else {
                say!("{id}: {} events, whole; last line {}", report.events, report.head);
                if report.torn_bytes > 0 {
                    say!("a torn line of {} bytes at the end will be cut when the session goes on", report.torn_bytes);
                }
            }
            Ok(code::DONE)
        }
        Err(error) => {
            if as_json {
                let (line, reason) = match &error {
                    wardian_host::wit::OpenError::Damaged(damage) => (Some(damage.line), damage.reason.clone()),
                    other => (None, super::sessions::reason(other)),
                };
                show::print_json(&json!({"session": id, "ok": false, "line": line, "reason": reason}));
            }
            Err(open_failure(id, error))
        }
    }
}

fn short(text: &str) -> String {
    let clean = show::clean(text);
    let mut shown: String = clean.chars().take(TEXT_CHARS_MAX).collect();
    if shown.len() < clean.len() {
        shown.push('…');
    }
    shown
}

/// One event on one line.
fn describe(line: &str) -> String {
    let Ok(event) = serde_json::from_str::<Value>(line) else { return format!("?? {}", short(line)) };
    let text = |name: &str| short(event[name].as_str().unwrap_or_default());
    let error = || short(event["error"]["message"].as_str().unwrap_or_default());
    let kind = event["type"].as_str().unwrap_or("?");
    let what = match kind {
        "session.start" => format!("{} · model {} · approve {}", text("project"), text("model"), text("approve")),
        "user.message" => text("text"),
        "model.request" => format!("#{} {}", event["call"], text("purpose")),
        "model.response" if event["error"].is_object() => format!("#{} failed: {}", event["call"], error()),
        "model.response" => {
            let calls = event["tool_calls"].as_array().map_or(0, Vec::len);
            format!("#{} {} ({calls} calls) {}", event["call"], text("stop"), text("text"))
        }
        "permission.ask" => format!("{} {} {}", text("tool"), event["powers"], text("summary")),
        "permission.answer" => {
            let allowed = if event["allowed"] == true { "allowed" } else { "refused" };
            format!("{allowed} by {} ({})", text("by"), text("scope"))
        }
        "tool.use" => format!("{} {}", text("tool"), short(&event["input"].to_string())),
        "tool.result" if event["error"].is_object() => format!("{}: {}", text("tool"), error()),
        "tool.result" => {
            let output = event["output"]["text"].as_str().unwrap_or_default();
            format!("{} {} ms: {}", text("tool"), event["ms"], short(output))
        }
        "process.start" => {
            let words = event["argv"].as_array().into_iter().flatten().filter_map(Value::as_str);
            format!("{} {}", text("id"), short(&words.collect::<Vec<_>>().join(" ")))
        }
        "process.exit" => {
            let how = event["status"].as_u64().map_or_else(|| text("killed"), |status| status.to_string());
            format!("{} {how}, {} ms", text("id"), event["ms"])
        }
        "net.request" => {
            let what = match (event["status"].as_u64(), event["error"].is_object()) {
                (Some(status), false) => status.to_string(),
                (Some(status), true) => format!("{status}, {}", error()),
                (None, _) => error(),
            };
            let (decision, bytes, ms) = (text("decision"), &event["bytes_in"], &event["ms"]);
            let rule = text("rule");
            format!("{} {} · {decision} by {rule} · {what} · {bytes} bytes, {ms} ms", text("method"), text("url"))
        }
        "context.compact" => format!("keeps {} messages after: {}", event["keep"], text("summary")),
        "session.end" if event["error"].is_object() => format!("{}: {}", text("stop"), error()),
        "session.end" => format!("{}: {}", text("stop"), text("text")),
        _ => String::new(),
    };
    let time = event["ts"].as_str().and_then(|ts| ts.get(11..23)).unwrap_or_default();
    format!("{:>5}  {time}  {kind:<17}  {what}", event["seq"].to_string())
}
