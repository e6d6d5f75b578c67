//! Journals for readers: what one is about, and whether it is whole.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use crate::Session;
use crate::event;
use crate::exports::wardian::session::journal::{Guest, Report, Summary};
use crate::journal::{FILE, Header};
use crate::state::{FOLDER, read};
use crate::wardian::session::types::{Damage, OpenError};

/// Lines at the beginning among which the first prompt is looked for.
const FIRST_LINES_MAX: usize = 16;

/// Bytes at the end in which the last line, and what tells how the last run ended, are looked for first.
const TAIL_BYTES: u64 = 256 * 1024;

/// Bytes at the end in which they are looked for at most: the line about a commit of many files is long.
const TAIL_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Bytes of one line that are read for a summary.
const LINE_BYTES_MAX: u64 = 1 << 20;

const PROMPT_CHARS_MAX: usize = 200;

fn io(error: std::io::Error) -> OpenError {
    OpenError::Io(format!("cannot read {FILE}: {error}"))
}

fn summarize(folder: &Path) -> Result<Summary, OpenError> {
    let mut reader = BufReader::new(File::open(folder.join(FILE)).map_err(io)?);
    let mut lines = Vec::new();
    while lines.len() < FIRST_LINES_MAX {
        let mut line = String::new();
        let read = reader.by_ref().take(LINE_BYTES_MAX).read_line(&mut line).map_err(io)?;
        if read == 0 || !line.ends_with('\n') {
            break;
        }
        line.pop();
        lines.push(line);
    }
    let first = |reason: &str| OpenError::Damaged(Damage { line: 1, reason: reason.to_owned() });
    let line = lines.first().ok_or_else(|| first("the journal is empty"))?;
    let started = Header::read(line).map_err(|reason| first(&reason))?.ts.to_owned();
    let start: event::SessionStart = serde_json::from_str(line).map_err(|error| first(&error.to_string()))?;
    if start.format > event::FORMAT {
        return Err(OpenError::Newer(start.format));
    }
    let prompt = lines.iter().skip(1).find_map(|line| {
        (Header::read(line).ok()?.kind == "user.message")
            .then(|| serde_json::from_str::<event::UserMessage>(line).ok())
            .flatten()
    });
    let tail = tail(reader.into_inner()).map_err(io)?;
    let (updated, events) = match tail.lines().rev().find_map(|line| Header::read(line).ok()) {
        Some(header) => (header.ts.to_owned(), header.seq + 1),
        None => (started.clone(), lines.len() as u64),
    };
    let stop = last_of_a_run(&tail)
        .filter(|(header, _)| header.kind == "session.end")
        .and_then(|(_, line)| serde_json::from_str::<event::SessionEnd>(line).ok())
        .map(|end| end.stop);
    let prompt = prompt.map(|prompt| prompt.text.chars().take(PROMPT_CHARS_MAX).collect()).unwrap_or_default();
    let event::SessionStart { session, project, model, .. } = start;
    Ok(Summary { session, project, model, started, updated, events, prompt, stop })
}

/// The last line that only a run writes. After it there may be calls by hand, what the user did with the changes, and
/// processes that opened the session.
fn last_of_a_run(tail: &str) -> Option<(Header<'_>, &str)> {
    tail.lines().rev().filter_map(|line| Header::read(line).ok().map(|header| (header, line))).find(|(header, _)| {
        matches!(header.kind, "user.message" | "model.request" | "model.response" | "context.compact" | "session.end")
    })
}

/// Whole lines at the end: as many as it takes to find one of a run, or as may be read.
fn tail(mut file: File) -> std::io::Result<String> {
    let size = file.seek(SeekFrom::End(0))?;
    let mut length = TAIL_BYTES;
    loop {
        let start = size.saturating_sub(length);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.by_ref().take(length).read_to_end(&mut bytes)?;
        let newline = |byte: &u8| *byte == b'\n';
        let whole = bytes.iter().rposition(newline).map_or(0, |at| at + 1);
        let first = if start == 0 { 0 } else { bytes[..whole].iter().position(newline).map_or(whole, |at| at + 1) };
        let lines = String::from_utf8_lossy(&bytes[first..whole]).into_owned();
        if start == 0 || length >= TAIL_BYTES_MAX || last_of_a_run(&lines).is_some() {
            return Ok(lines);
        }
        length *= 4;
    }
}

impl Guest for Session {
    fn summarize() -> Result<Summary, OpenError> {
        summarize(Path::new(FOLDER))
    }

    fn verify() -> Result<Report, OpenError> {
        let contents = read()?;
        let (events, torn_bytes) = (contents.events(), contents.torn_bytes);
        Ok(Report { events, torn_bytes, head: contents.head })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn what_a_run_ended_with_is_told_whatever_came_after_it() {
        let ended = || vec![testing::start(false), testing::says("hi"), testing::end("done")];
        let stop = |more: Vec<event::Event>| {
            let (folder, _) = testing::journal(ended().into_iter().chain(more));
            summarize(folder.path()).unwrap().stop
        };
        let commit = || testing::commit(1, None);
        assert_eq!(stop(vec![]).as_deref(), Some("done"));
        assert_eq!(stop(vec![testing::start(true), commit(), testing::discard()]).as_deref(), Some("done"));
        let by_hand = [testing::tool_use("by hand"), testing::change("by hand", "a"), testing::tool_result("by hand")];
        assert_eq!(stop(by_hand.into()).as_deref(), Some("done"));
        assert_eq!(stop(vec![testing::start(true), testing::says("again")]), None);
        assert_eq!(stop(vec![testing::says("again"), testing::tool_use("a"), testing::change("a", "p")]), None);
    }

    #[test]
    fn the_line_of_a_large_commit_hides_nothing() {
        let paths = (0..20_000).map(|n| format!("folder/file-{n}.txt")).collect();
        let event = testing::commit_of(1, None, paths);
        let (folder, contents) =
            testing::journal([testing::start(false), testing::says("hi"), testing::end("done"), event]);
        assert!(contents.bytes() > TAIL_BYTES);
        let summary = summarize(folder.path()).unwrap();
        assert_eq!((summary.events, summary.stop.as_deref()), (4, Some("done")));
        assert_eq!(summary.updated, testing::ts(3));
    }
}
