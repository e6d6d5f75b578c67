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

/// Bytes at the end in which the last line is looked for.
const TAIL_BYTES: u64 = 256 * 1024;

/// Bytes of one line that are read for a summary.
const LINE_BYTES_MAX: u64 = 1 << 20;

const PROMPT_CHARS_MAX: usize = 200;

fn io(error: std::io::Error) -> OpenError {
    OpenError::Io(format!("cannot read {FILE}: {error}"))
}

fn summarize() -> Result<Summary, OpenError> {
    let mut reader = BufReader::new(File::open(Path::new(FOLDER).join(FILE)).map_err(io)?);
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
    let last = tail.lines().rev().find_map(|line| Header::read(line).ok().map(|header| (header, line)));
    let (updated, events, stop) = match last {
        Some((header, line)) => {
            let end = (header.kind == "session.end").then(|| serde_json::from_str::<event::SessionEnd>(line).ok());
            (header.ts.to_owned(), header.seq + 1, end.flatten().map(|end| end.stop))
        }
        None => (started.clone(), lines.len() as u64, None),
    };
    let prompt = prompt.map(|prompt| prompt.text.chars().take(PROMPT_CHARS_MAX).collect()).unwrap_or_default();
    let event::SessionStart { session, project, model, .. } = start;
    Ok(Summary { session, project, model, started, updated, events, prompt, stop })
}

fn tail(mut file: File) -> std::io::Result<String> {
    let size = file.seek(SeekFrom::End(0))?;
    let start = size.saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    Ok(String::from_utf8_lossy(&bytes[..whole]).into_owned())
}

impl Guest for Session {
    fn summarize() -> Result<Summary, OpenError> {
        summarize()
    }

    fn verify() -> Result<Report, OpenError> {
        let contents = read()?;
        let (events, torn_bytes) = (contents.events(), contents.torn_bytes);
        Ok(Report { events, torn_bytes, head: contents.head })
    }
}
