//! A strict model server for tests that are no Rust: the protocol as argument, answers on stdin, its address on stdout.
//!
//! Each line of stdin is an answer: `{"text"?, "calls"?: [[TOOL, INPUT]], "pause_ms"?}`; an empty line ends the list. Each
//! line after it asks what was wrong with the requests so far, and is answered with a JSON list. The server ends with stdin.

use std::io::BufRead;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;
use suites::models::{Answer, Protocol, Reply, Server, Shape};

/// Bytes that are sent at once where an answer is to take its time.
const PIECE_BYTES: usize = 48;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default)]
    text: String,
    #[serde(default)]
    calls: Vec<(String, Value)>,
    pause_ms: Option<u64>,
}

fn main() -> Result<()> {
    let protocol = match std::env::args().nth(1).as_deref() {
        Some("openai") => Protocol::OpenAi,
        Some("chat") => Protocol::Chat,
        Some("anthropic") => Protocol::Anthropic,
        _ => bail!("usage: model-server openai|chat|anthropic"),
    };
    let mut lines = std::io::stdin().lock().lines();
    let mut answers = Vec::new();
    for line in lines.by_ref() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        let Line { text, calls, pause_ms } = serde_json::from_str(&line).with_context(|| line.clone())?;
        let reply = calls.into_iter().fold(Reply::text(&text), |reply, (tool, input)| reply.call(&tool, input));
        let shape = match pause_ms {
            Some(ms) => Shape { piece_bytes: PIECE_BYTES, pause: Duration::from_millis(ms), ..Shape::default() },
            None => Shape::default(),
        };
        answers.push(Answer::Reply(reply, shape));
    }
    let server = Server::start(protocol, answers);
    println!("{}", server.base_url());
    for line in lines {
        line?;
        let refused: Vec<String> = server.seen().into_iter().filter_map(|seen| seen.refused).collect();
        println!("{}", serde_json::to_string(&refused)?);
    }
    Ok(())
}
