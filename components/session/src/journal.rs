//! The journal's file: an append-only chain of lines.
//!
//! A line is `{"seq":N,"ts":"…","prev":"…","type":"…",…}`; `prev` is the SHA-256 of the line before it. The chain says
//! nothing about its own end, so each finished run also leaves `head.json` beside the journal: the number of lines and
//! the last line's digest, which make a changed or cut-off end visible.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::append::Append;
use crate::event::{Event, FORMAT};

pub const FILE: &str = "journal.jsonl";
const HEAD_FILE: &str = "head.json";
const HEAD_FILE_NEW: &str = "head.json.new";

/// What is read at most; a session of this size should have been ended long before.
const JOURNAL_BYTES_MAX: u64 = 1 << 30;

/// 64 zeros: what line 0 has for `prev`.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[derive(Debug, thiserror::Error, PartialEq)]
pub enum Error {
    #[error("line {line}: {reason}")]
    Damaged { line: u64, reason: String },
    #[error("journal format {0} is from a later version")]
    Newer(u64),
    #[error("{0}")]
    Io(String),
}

fn io(what: &str, path: &Path, error: std::io::Error) -> Error {
    Error::Io(format!("cannot {what} {}: {error}", path.file_name().unwrap_or_default().to_string_lossy()))
}

/// Lowercase hex SHA-256.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)] as char);
        text.push(DIGITS[usize::from(byte & 15)] as char);
    }
    text
}

/// The last line of a finished run.
#[derive(Serialize, Deserialize)]
struct Head {
    events: u64,
    sha256: String,
}

/// The fields that every line begins with.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Header<'a> {
    pub seq: u64,
    #[serde(borrow)]
    pub ts: &'a str,
    #[serde(borrow)]
    pub prev: &'a str,
    #[serde(borrow, rename = "type")]
    pub kind: &'a str,
}

impl<'a> Header<'a> {
    /// Reads the fields in the order in which [`line`] writes them, without looking at the rest.
    fn fast(line: &'a str) -> Option<Self> {
        let rest = line.strip_prefix("{\"seq\":")?;
        let (seq, rest) = rest.split_once(",\"ts\":\"")?;
        let (ts, rest) = rest.split_once("\",\"prev\":\"")?;
        let (prev, rest) = rest.split_at_checked(64)?;
        let rest = rest.strip_prefix("\",\"type\":\"")?;
        let (kind, _) = rest.split_once('"')?;
        Some(Self { seq: seq.parse().ok()?, ts, prev, kind })
    }

    pub fn read(line: &'a str) -> Result<Self, String> {
        match Self::fast(line) {
            Some(header) if line.ends_with('}') => Ok(header),
            _ => serde_json::from_str(line).map_err(|error| format!("no event: {error}")),
        }
    }
}

/// Builds a line, without its newline.
pub fn line(seq: u64, ts: &str, prev: &str, event: &Event) -> Result<String, String> {
    let body = serde_json::to_string(event).map_err(|error| format!("cannot write an event: {error}"))?;
    let body = body.strip_prefix('{').unwrap_or(&body);
    Ok(format!("{{\"seq\":{seq},\"ts\":\"{ts}\",\"prev\":\"{prev}\",{body}"))
}

/// A journal as it was found.
pub struct Contents {
    text: String,
    /// Where each line begins; one more entry for the end.
    starts: Vec<usize>,
    /// Bytes of a last line without a newline.
    pub torn_bytes: u64,
    /// Digest of the last whole line.
    pub head: String,
}

impl Contents {
    /// Reads and checks the whole journal in `folder`.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let mut file = File::open(&path).map_err(|error| io("open", &path, error))?;
        let size = file.metadata().map_err(|error| io("read", &path, error))?.len();
        if size > JOURNAL_BYTES_MAX {
            return Err(Error::Io(format!("{FILE} has {size} bytes, more than {JOURNAL_BYTES_MAX}")));
        }
        let mut bytes = Vec::with_capacity(size as usize + 1);
        file.read_to_end(&mut bytes).map_err(|error| io("read", &path, error))?;
        let contents = Self::check(bytes)?;
        contents.check_head(folder)?;
        Ok(contents)
    }

    fn check(mut bytes: Vec<u8>) -> Result<Self, Error> {
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let torn_bytes = (bytes.len() - whole) as u64;
        bytes.truncate(whole);
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = valid.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
                return Err(Error::Damaged { line, reason: "not UTF-8".to_owned() });
            }
        };
        let mut starts = vec![0];
        let mut prev = GENESIS.to_owned();
        let mut at = 0;
        for (seq, line) in text.split_terminator('\n').enumerate() {
            let seq = seq as u64;
            let damaged = |reason: String| Error::Damaged { line: seq + 1, reason };
            let header = Header::read(line).map_err(damaged)?;
            if header.seq != seq {
                return Err(damaged(format!("seq is {}, not {seq}", header.seq)));
            }
            if header.prev != prev {
                let reason =
                    if seq == 0 { "prev is not 64 zeros" } else { "prev is not the digest of the line before" };
                return Err(damaged(reason.to_owned()));
            }
            if seq == 0 {
                check_format(line).map_err(|error| match error {
                    Ok(newer) => newer,
                    Err(reason) => damaged(reason),
                })?;
            }
            prev = sha256(line.as_bytes());
            at += line.len() + 1;
            starts.push(at);
        }
        let contents = Self { starts, torn_bytes, head: prev, text };
        if let Some(last) = contents.lines().last()
            && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(last)
        {
            return Err(Error::Damaged { line: contents.events(), reason: format!("no JSON: {error}") });
        }
        Ok(contents)
    }

    fn check_head(&self, folder: &Path) -> Result<(), Error> {
        let Ok(bytes) = std::fs::read(folder.join(HEAD_FILE)) else { return Ok(()) };
        let Ok(head) = serde_json::from_slice::<Head>(&bytes) else {
            return Err(Error::Damaged { line: self.events(), reason: format!("{HEAD_FILE} cannot be read") });
        };
        let damaged = |line, reason: String| Err(Error::Damaged { line, reason });
        if self.events() < head.events {
            return damaged(self.events() + 1, format!("it is missing: the journal had {} lines", head.events));
        }
        match head.events.checked_sub(1).and_then(|index| self.line(index as usize)) {
            Some(line) if sha256(line.as_bytes()) != head.sha256 => {
                damaged(head.events, "the line is not the one that was written last".to_owned())
            }
            _ => Ok(()),
        }
    }

    pub fn events(&self) -> u64 {
        self.starts.len() as u64 - 1
    }

    /// Bytes of all whole lines.
    pub fn bytes(&self) -> u64 {
        self.text.len() as u64
    }

    pub fn line(&self, index: usize) -> Option<&str> {
        let (start, end) = (*self.starts.get(index)?, *self.starts.get(index + 1)?);
        self.text.get(start..end - 1)
    }

    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.starts.windows(2).map(|bounds| &self.text[bounds[0]..bounds[1] - 1])
    }
}

/// `Err(Ok(_))` is a newer journal, `Err(Err(_))` a damaged one.
fn check_format(line: &str) -> Result<(), Result<Error, String>> {
    #[derive(Deserialize)]
    struct Start {
        #[serde(rename = "type")]
        kind: String,
        format: u64,
    }
    let start: Start = serde_json::from_str(line).map_err(|error| Err(format!("no session.start: {error}")))?;
    if start.format > FORMAT {
        return Err(Ok(Error::Newer(start.format)));
    }
    if start.kind != "session.start" {
        return Err(Err(format!("the first event is {}, not session.start", start.kind)));
    }
    Ok(())
}

/// A journal open for appending. The host makes sure that there is one at a time.
pub struct Journal {
    folder: PathBuf,
    file: Append,
    seq: u64,
    prev: String,
    /// Length of the file when the last append had succeeded.
    bytes: u64,
    /// Why nothing can be appended any more.
    broken: Option<String>,
}

impl Journal {
    pub fn create(folder: &Path) -> Result<Self, Error> {
        let file = Append::open(folder, FILE, true).map_err(|error| io("create", Path::new(FILE), error))?;
        Ok(Self { folder: folder.to_owned(), file, seq: 0, prev: GENESIS.to_owned(), bytes: 0, broken: None })
    }

    /// Goes on after `contents`, cutting off a torn last line.
    pub fn resume(folder: &Path, contents: &Contents) -> Result<Self, Error> {
        let file = Append::open(folder, FILE, false).map_err(|error| io("open", Path::new(FILE), error))?;
        let bytes = contents.bytes();
        if contents.torn_bytes > 0 {
            file.set_len(bytes).map_err(|error| io("cut", Path::new(FILE), error))?;
        }
        let (seq, prev) = (contents.events(), contents.head.clone());
        Ok(Self { folder: folder.to_owned(), file, seq, prev, bytes, broken: None })
    }

    pub fn events(&self) -> u64 {
        self.seq
    }

    /// Appends one event. When it returns, the line is with the operating system: it outlives this process.
    ///
    /// After a failure nothing more is appended: what happened next would not be recorded.
    pub fn append(&mut self, ts: &str, event: &Event) -> Result<(), String> {
        if let Some(reason) = &self.broken {
            return Err(reason.clone());
        }
        let mut text = line(self.seq, ts, &self.prev, event)?;
        let digest = sha256(text.as_bytes());
        text.push('\n');
        if let Err(error) = self.file.write_at(text.as_bytes(), self.bytes) {
            // Leave no half line where it can be helped; the next start cuts off what is left.
            let _ = self.file.set_len(self.bytes);
            let reason = format!("cannot append to {FILE}: {error}");
            self.broken = Some(reason.clone());
            return Err(reason);
        }
        self.bytes += text.len() as u64;
        self.seq += 1;
        self.prev = digest;
        Ok(())
    }

    /// Fails, with the reason, after an append that failed: there will be no further line.
    pub fn appendable(&self) -> Result<(), String> {
        self.broken.clone().map_or(Ok(()), Err)
    }

    /// Makes everything appended so far outlive a power failure.
    pub fn sync(&mut self) -> Result<(), String> {
        self.file.sync_data().map_err(|error| format!("cannot make {FILE} durable: {error}"))
    }

    /// Notes the present end, so that a later change of it can be seen.
    pub fn seal(&mut self) -> Result<(), String> {
        self.sync()?;
        let head = serde_json::to_vec(&Head { events: self.seq, sha256: self.prev.clone() })
            .map_err(|error| format!("cannot write {HEAD_FILE}: {error}"))?;
        let new = self.folder.join(HEAD_FILE_NEW);
        std::fs::write(&new, head)
            .and_then(|()| std::fs::rename(&new, self.folder.join(HEAD_FILE)))
            .map_err(|error| format!("cannot write {HEAD_FILE}: {error}"))
    }
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
