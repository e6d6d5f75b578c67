//! Read: the lines of a file, or an image.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use serde_json::json;
use tool_kit::{Outcome, ToolError};

use crate::image;
use crate::project::{Place, Project, Result, cannot};
use crate::text::{TEXT_BYTES_MAX, Text, count, group, shorten};

pub const DESCRIPTION: &str = "Reads a file. Text comes as numbered lines (the number, a tab, the line), the first \
2,000 unless `offset` and `limit` say otherwise; lines longer than 2,000 characters are cut. PNG, JPEG, GIF and WebP \
images are shown. Read several files in one turn where you can. \
Data: {path, first_line, lines, total_lines, bytes}.";

/// How many lines come without a `limit`.
const LINES_DEFAULT: u64 = 2_000;

/// Where a line is cut.
const LINE_CHARS_MAX: usize = 2_000;

/// What is kept of a line: enough for its characters, whatever their encoding, and one more.
const LINE_BYTES_MAX: usize = 4 * (LINE_CHARS_MAX + 1);

/// How much is looked at to tell text from what is none.
const SNIFF_BYTES: u64 = 8 * 1024;

/// What the file is read through.
const BUFFER_BYTES: usize = 64 * 1024;

/// The largest image; model servers refuse larger ones.
const IMAGE_BYTES_MAX: u64 = 5 * 1024 * 1024;

tool_kit::input! {
    pub struct ReadInput {
        /// Relative to the project, or under /workspace or /tmp.
        pub file_path: String,
        /// The first line to read, counted from 1.
        #[schemars(range(min = 1))]
        pub offset: Option<u64>,
        /// How many lines to read.
        #[schemars(range(min = 1))]
        pub limit: Option<u64>,
    }
}

pub fn read(project: &Project, input: ReadInput) -> Result {
    if input.offset == Some(0) {
        return Err(ToolError::invalid("/offset", "lines are counted from 1"));
    }
    if input.limit == Some(0) {
        return Err(ToolError::invalid("/limit", "no line is asked for: use 1 or more"));
    }
    let place = project.place("/file_path", &input.file_path)?;
    let metadata = project.metadata(&place)?;
    if metadata.is_dir() {
        return Err(ToolError::failed(format!("`{}` is a directory: use ListDir", place.shown)));
    }
    // Looked at before it is opened: opening a pipe would wait for its other end.
    if !metadata.is_file() {
        return Err(ToolError::failed(format!("`{}` is not a regular file", place.shown)));
    }
    let failed = |error: io::Error| cannot("read", &place, &error);
    let mut file = File::open(&place.real).map_err(failed)?;
    let mut head = Vec::new();
    file.by_ref().take(SNIFF_BYTES).read_to_end(&mut head).map_err(failed)?;
    if let Some(media_type) = image::media_type(&head) {
        return read_image(&place, media_type, head, file);
    }
    if let Some(what) = binary(&head) {
        let bytes = count(metadata.len(), "byte", "bytes");
        return Err(ToolError::failed(format!(
            "`{}` is {what} ({bytes}), which Read cannot show: use a command that understands it",
            place.shown
        )));
    }
    let bytes = metadata.len();
    let first = input.offset.unwrap_or(1);
    let limit = input.limit.unwrap_or(LINES_DEFAULT);
    let source = BufReader::with_capacity(BUFFER_BYTES, head.as_slice().chain(file));
    let page = Page::read(source, first, limit).map_err(failed)?;
    if page.total == 0 && first == 1 {
        return Outcome::text(format!("`{}` is empty", place.shown)).with_data(&data(&place, 1, 0, 0, bytes));
    }
    if first > page.total {
        let lines = count(page.total, "line", "lines");
        return Err(ToolError::invalid("/offset", format!("`{}` has {lines}", place.shown)));
    }
    let next = first + page.shown;
    let mut notes = Vec::new();
    if next <= page.total {
        notes.push(format!(
            "lines {} to {} of {}: read on with offset {next}",
            group(first),
            group(next - 1),
            group(page.total)
        ));
    }
    // What was not asked for is not left out.
    let ended_early = next <= page.total && page.shown < input.limit.unwrap_or(u64::MAX);
    let truncated = page.cut_line || ended_early;
    let data = data(&place, first, page.shown, page.total, bytes);
    Outcome::text(page.text.finish(&notes)).truncated(truncated).with_data(&data)
}

fn data(place: &Place, first: u64, lines: u64, total: u64, bytes: u64) -> serde_json::Value {
    json!({
        "path": place.shown,
        "first_line": first,
        "lines": lines,
        "total_lines": total,
        "bytes": bytes,
    })
}

/// What a file is, if it is no text.
fn binary(head: &[u8]) -> Option<&'static str> {
    match head {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16 text"),
        _ if head.starts_with(b"%PDF-") => Some("a PDF document"),
        _ if head.contains(&0) => Some("a binary file"),
        _ => None,
    }
}

fn read_image(place: &Place, media_type: &str, head: Vec<u8>, file: File) -> Result {
    let mut bytes = head;
    // One more than allowed, to see whether there is more: the size may have changed since it was asked.
    let rest = (IMAGE_BYTES_MAX + 1).saturating_sub(bytes.len() as u64);
    file.take(rest).read_to_end(&mut bytes).map_err(|error| cannot("read", place, &error))?;
    let size = bytes.len() as u64;
    if size > IMAGE_BYTES_MAX {
        return Err(ToolError::failed(format!(
            "the image `{}` is larger than the {} bytes that a model can be shown: make it smaller first",
            place.shown,
            group(IMAGE_BYTES_MAX)
        )));
    }
    let text = format!("`{}`: {media_type}, {}", place.shown, count(size, "byte", "bytes"));
    Outcome::text(text).with_image(media_type, bytes).with_data(&data(place, 0, 0, 0, size))
}

/// Some lines of a file, numbered, and how many it has.
struct Page {
    text: Text,
    shown: u64,
    total: u64,
    cut_line: bool,
}

impl Page {
    /// Goes through all of `source`, keeping one line at a time and of it no more than can be shown.
    fn read(mut source: impl BufRead, first: u64, limit: u64) -> io::Result<Self> {
        let mut page = Self { text: Text::new(usize::MAX), shown: 0, total: 0, cut_line: false };
        let mut line = Line::default();
        loop {
            let buffer = source.fill_buf()?;
            if buffer.is_empty() {
                break;
            }
            let length = buffer.len();
            let mut rest = buffer;
            while !rest.is_empty() {
                // Line by line only where they are shown; elsewhere they are only counted.
                if !page.is_wanted(first, limit) && page.total + 1 >= first {
                    page.total += memchr::memchr_iter(b'\n', rest).count() as u64;
                    line.bytes = u64::from(rest.last() != Some(&b'\n'));
                    break;
                }
                let end = memchr::memchr(b'\n', rest).map(|end| end + 1);
                let (piece, after) = rest.split_at(end.unwrap_or(rest.len()));
                rest = after;
                line.push(piece, page.is_wanted(first, limit));
                if end.is_some() {
                    page.end_line(&mut line, first, limit);
                }
            }
            source.consume(length);
        }
        // The last line may lack its end.
        if line.bytes > 0 {
            page.end_line(&mut line, first, limit);
        }
        Ok(page)
    }

    fn is_wanted(&self, first: u64, limit: u64) -> bool {
        let number = self.total + 1;
        number >= first && number - first < limit && !self.text.is_cut()
    }

    fn end_line(&mut self, line: &mut Line, first: u64, limit: u64) {
        if self.is_wanted(first, limit) {
            let number = self.total + 1;
            let start: &[u8] = match number {
                // A byte order mark belongs to the file, not to its text.
                1 => line.start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line.start),
                _ => &line.start,
            };
            let (text, cut) = shorten(start, line.bytes, LINE_CHARS_MAX);
            if self.text.line(&format!("{number:>6}\t{text}")) {
                self.shown += 1;
                self.cut_line |= cut;
            }
        }
        self.total += 1;
        line.start.clear();
        line.bytes = 0;
    }
}

/// The line that is being read: what is kept of it, and how long it is.
#[derive(Default)]
struct Line {
    start: Vec<u8>,
    bytes: u64,
}

impl Line {
    fn push(&mut self, piece: &[u8], keep: bool) {
        self.bytes += piece.len() as u64;
        let room = LINE_BYTES_MAX - self.start.len();
        if keep {
            self.start.extend_from_slice(&piece[..piece.len().min(room)]);
        }
    }
}

// One line must always fit, or a page could end before it begins.
const _: () = assert!(LINE_BYTES_MAX + 100 < TEXT_BYTES_MAX);

#[cfg(test)]
mod tests;
