//! The journal, read independently of the code that writes it.

use std::fs;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

pub const FILE: &str = "journal.jsonl";

pub use crate::synthetic::synthesize;

/// What line 0 has for `prev`.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Lowercase hex SHA-256.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The whole lines of a journal; none while it is not there yet.
pub fn lines(path: &Path) -> Vec<String> {
    let bytes = fs::read(path).unwrap_or_default();
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let text = String::from_utf8(bytes[..whole].to_vec()).expect("the journal is UTF-8");
    text.lines().map(str::to_owned).collect()
}

/// The events of a journal, as far as it has been written.
pub fn events(path: &Path) -> Vec<Value> {
    let parse = |line: &String| serde_json::from_str(line).expect("a line of the journal is JSON");
    lines(path).iter().map(parse).collect()
}

/// The events of one type.
pub fn of<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["type"] == kind).collect()
}

/// The types of all events.
pub fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap_or("?")).collect()
}

/// Checks what `cli.md` promises of every line: order, time, chain.
#[track_caller]
pub fn check_chain(path: &Path) {
    let mut prev = GENESIS.to_owned();
    let mut before = String::new();
    let lines = lines(path);
    assert!(!lines.is_empty(), "{} has no line", path.display());
    for (seq, line) in lines.iter().enumerate() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("line {seq}: {error}"));
        assert_eq!(event["seq"], seq, "{line}");
        assert_eq!(event["prev"], prev.as_str(), "{line}");
        assert!(event["type"].is_string(), "{line}");
        let ts = event["ts"].as_str().expect("ts is text");
        // Digits and signs in their places: 2026-01-02T03:04:05.670Z; and a time that exists.
        let form: String = ts.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(form, "0000-00-00T00:00:00.000Z", "{line}");
        ts.parse::<jiff::Timestamp>().unwrap_or_else(|error| panic!("{error}: {line}"));
        // In this form, order of text is order of time.
        assert!(ts >= before.as_str(), "time runs backwards: {line}");
        before = ts.to_owned();
        prev = sha256(line.as_bytes());
    }
}
