//! Searches one file after the other, and writes what a model sees of it.

use std::io;
use std::path::Path;

use grep_matcher::{LineTerminator, Matcher};
use grep_regex::RegexMatcher;
use grep_searcher::{BinaryDetection, Searcher, SearcherBuilder, Sink, SinkContext, SinkFinish, SinkMatch};
use serde_json::{Value, json};

use crate::text::{Text, shorten};

/// Where a line of a match is cut: minified code has lines of megabytes.
const LINE_CHARS_MAX: usize = 500;

/// The most lines of a result's data.
pub const LINES_MAX: usize = 1_000;

/// The most of a file that is in memory at once: a line with its context, or all of it where matches span lines.
const HEAP_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What is written of a file that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The lines that match, with this context.
    Content { numbers: bool, before: usize, after: usize },
    /// The path.
    Files,
    /// The path and the number of matches.
    Count,
}

/// What is written of all files.
pub struct Output {
    mode: Mode,
    pub text: Text,
    /// The lines that match, for machines.
    pub lines: Vec<Value>,
    lines_max: usize,
    lines_cut: bool,
}

impl Output {
    pub fn new(mode: Mode, lines_max: usize) -> Self {
        let text = Text::new(lines_max);
        let lines_max = lines_max.min(LINES_MAX);
        Self { mode, text, lines: Vec::new(), lines_max, lines_cut: false }
    }

    /// Whether something was left out.
    pub fn is_cut(&self) -> bool {
        self.text.is_cut() || self.lines_cut
    }

    fn has_context(&self) -> bool {
        matches!(self.mode, Mode::Content { before, after, .. } if before + after > 0)
    }
}

/// A pattern, ready to search many files.
pub struct Search {
    matcher: RegexMatcher,
    searcher: Searcher,
}

impl Search {
    pub fn new(matcher: RegexMatcher, mode: Mode, multiline: bool) -> Self {
        let mut builder = SearcherBuilder::new();
        builder.binary_detection(BinaryDetection::quit(0)).heap_limit(Some(HEAP_BYTES_MAX)).multi_line(multiline);
        if !multiline {
            builder.line_terminator(LineTerminator::crlf());
        }
        if let Mode::Content { before, after, .. } = mode {
            builder.before_context(before).after_context(after);
        }
        Self { matcher, searcher: builder.build() }
    }

    /// Searches the file at `real` and writes about it under the name `shown`. How many matches: lines, or where
    /// matches may span lines, matches. None in a file that turns out to be binary.
    pub fn file(&mut self, real: &Path, shown: &str, output: &mut Output) -> io::Result<u64> {
        let text_before = output.text.mark();
        let (lines_before, lines_cut_before) = (output.lines.len(), output.lines_cut);
        let mut sink = FileSink {
            matcher: &self.matcher,
            shown,
            separate: output.has_context() && !output.text.is_empty(),
            output,
            matches: 0,
            binary: false,
        };
        let result = self.searcher.search_path(&self.matcher, real, &mut sink);
        let FileSink { output, matches, binary, .. } = sink;
        if binary || result.is_err() {
            output.text.reset(text_before);
            output.lines.truncate(lines_before);
            output.lines_cut = lines_cut_before;
            return result.map(|()| 0);
        }
        match output.mode {
            Mode::Files if matches > 0 => {
                output.text.line(shown);
            }
            Mode::Count if matches > 0 => {
                output.text.line(&format!("{shown}:{matches}"));
            }
            _ => {}
        }
        Ok(matches)
    }
}

/// What the searcher tells about one file.
struct FileSink<'a> {
    matcher: &'a RegexMatcher,
    shown: &'a str,
    output: &'a mut Output,
    matches: u64,
    binary: bool,
    /// A separator is due before the next line.
    separate: bool,
}

impl FileSink<'_> {
    /// Writes lines as grep does: `path:line:text` where it matches, `path-line-text` around it.
    fn write(&mut self, bytes: &[u8], number: Option<u64>, mark: char) {
        let Mode::Content { numbers, .. } = self.output.mode else {
            return;
        };
        let first = number.unwrap_or(0);
        for (number, line) in (first..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
            if self.separate {
                self.output.text.line("--");
                self.separate = false;
            }
            let (line, _) = shorten(line, line.len() as u64, LINE_CHARS_MAX);
            let shown = self.shown;
            let written = match numbers {
                true => format!("{shown}{mark}{number}{mark}{line}"),
                false => format!("{shown}{mark}{line}"),
            };
            self.output.text.line(&written);
            if mark != ':' {
                continue;
            }
            if self.output.lines.len() < self.output.lines_max {
                self.output.lines.push(json!({"path": shown, "line": number, "text": line}));
            } else {
                self.output.lines_cut = true;
            }
        }
    }
}

impl Sink for FileSink<'_> {
    type Error = io::Error;

    fn matched(&mut self, searcher: &Searcher, found: &SinkMatch<'_>) -> io::Result<bool> {
        let mut matches = 1;
        if searcher.multi_line_with_matcher(self.matcher) {
            // What is reported here are lines with one or more matches in them.
            let mut count = 0;
            let counted = self.matcher.find_iter(found.bytes(), |_| {
                count += 1;
                true
            });
            counted.map_err(io::Error::other)?;
            matches = count.max(1);
        }
        self.matches += matches;
        self.write(found.bytes(), found.line_number(), ':');
        Ok(true)
    }

    fn context(&mut self, _: &Searcher, around: &SinkContext<'_>) -> io::Result<bool> {
        self.write(around.bytes(), around.line_number(), '-');
        Ok(true)
    }

    fn context_break(&mut self, _: &Searcher) -> io::Result<bool> {
        self.separate = true;
        Ok(true)
    }

    fn binary_data(&mut self, _: &Searcher, _: u64) -> io::Result<bool> {
        self.binary = true;
        Ok(false)
    }

    fn finish(&mut self, _: &Searcher, finish: &SinkFinish) -> io::Result<()> {
        self.binary |= finish.binary_byte_offset().is_some();
        Ok(())
    }
}
