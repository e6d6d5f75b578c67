//! What grep shows.

use std::io::{self, Write};
use std::path::Path;

use grep::matcher::Matcher;
use grep::searcher::{Searcher, Sink, SinkContext, SinkMatch};

use super::matcher::AnyMatcher;
use super::options::{Options, Shown};

/// What stdin is called where a name is shown.
pub const STDIN: &str = "(standard input)";

/// GNU's default colours.
const FILE: &str = "35";
const NUMBER: &str = "32";
const SEPARATOR: &str = "36";
const MATCH: &str = "01;31";

/// All output of a run.
pub struct Output<'a, W> {
    options: &'a Options,
    to: W,
    /// A group of lines was shown, so that the next is separated from it.
    has_shown: bool,
}

impl<'a, W: Write> Output<'a, W> {
    pub fn new(options: &'a Options, to: W) -> Self {
        Self { options, to, has_shown: false }
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    fn colored(&mut self, color: &str, text: &[u8]) -> io::Result<()> {
        if !self.options.color {
            return self.to.write_all(text);
        }
        write!(self.to, "\x1b[{color}m\x1b[K")?;
        self.to.write_all(text)?;
        self.to.write_all(b"\x1b[m\x1b[K")
    }
}

/// What one file gives.
pub struct Report<'r, 'a, W> {
    output: &'r mut Output<'a, W>,
    matcher: &'r AnyMatcher,
    name: String,
    /// Lines that were selected.
    count: u64,
    is_binary: bool,
    /// A line of a file that is no text was found: that is all that is said of it.
    is_binary_found: bool,
    /// Nothing of it was shown yet.
    is_first: bool,
}

impl<'r, 'a, W: Write> Report<'r, 'a, W> {
    pub fn new(output: &'r mut Output<'a, W>, matcher: &'r AnyMatcher, path: Option<&Path>) -> Self {
        let name = path.map_or_else(|| output.options.label.clone(), |path| path.display().to_string());
        Self { output, matcher, name, count: 0, is_binary: false, is_binary_found: false, is_first: true }
    }

    pub fn is_found(&self) -> bool {
        self.count > 0
    }

    /// What is shown once a file is done.
    pub fn end(mut self) -> io::Result<()> {
        let options = self.output.options;
        if options.quiet {
            return Ok(());
        }
        match options.shown {
            Shown::Lines if self.is_binary_found && !options.skips_binary => {
                writeln!(self.output.to, "grep: {}: binary file matches", self.name)
            }
            Shown::Count => {
                if options.with_filename {
                    self.name(b":")?;
                }
                let count = if self.is_binary && options.skips_binary { 0 } else { self.count };
                writeln!(self.output.to, "{count}")
            }
            Shown::With if self.count > 0 => self.only_name(),
            Shown::Without if self.count == 0 => self.only_name(),
            _ => Ok(()),
        }
    }

    fn only_name(&mut self) -> io::Result<()> {
        self.output.colored(FILE, self.name.as_bytes())?;
        self.output.to.write_all(if self.output.options.null { b"\0" } else { b"\n" })
    }

    fn name(&mut self, separator: &[u8]) -> io::Result<()> {
        self.output.colored(FILE, self.name.as_bytes())?;
        if self.output.options.null {
            self.output.to.write_all(b"\0")
        } else {
            self.output.colored(SEPARATOR, separator)
        }
    }

    /// What stands before a line or a match.
    fn prefix(&mut self, separator: &[u8], number: Option<u64>, offset: u64) -> io::Result<()> {
        let options = self.output.options;
        let mut is_any = false;
        if options.with_filename {
            self.name(separator)?;
            is_any = true;
        }
        for value in [number, options.byte_offset.then_some(offset)].into_iter().flatten() {
            let text = if options.initial_tab { format!("{value:3}") } else { value.to_string() };
            self.output.colored(NUMBER, text.as_bytes())?;
            self.output.colored(SEPARATOR, separator)?;
            is_any = true;
        }
        if options.initial_tab && is_any {
            self.output.to.write_all(b"\t")?;
        }
        Ok(())
    }

    fn separate(&mut self) -> io::Result<()> {
        let options = self.output.options;
        if options.before + options.after > 0
            && !options.only_matching
            && let Some(separator) = &options.separator
        {
            self.output.colored(SEPARATOR, separator.as_bytes())?;
            self.output.to.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Before the first line of a file: is it apart from the one before?
    fn begin_group(&mut self) -> io::Result<()> {
        if self.is_first && self.output.has_shown {
            self.separate()?;
        }
        self.is_first = false;
        self.output.has_shown = true;
        Ok(())
    }

    fn end_line(&mut self, line: &[u8]) -> io::Result<()> {
        let end = if self.output.options.null_data { b'\0' } else { b'\n' };
        // The last line of a file may have no end.
        if line.last() != Some(&end) {
            self.output.to.write_all(&[end])?;
        }
        if self.output.options.line_buffered {
            self.output.to.flush()?;
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], is_colored: bool) -> io::Result<()> {
        if is_colored && self.output.options.color {
            let mut at = 0;
            for (start, end) in self.matches(line)? {
                self.output.to.write_all(&line[at..start])?;
                self.output.colored(MATCH, &line[start..end])?;
                at = end;
            }
            self.output.to.write_all(&line[at..])?;
        } else {
            self.output.to.write_all(line)?;
        }
        self.end_line(line)
    }

    /// Where the pattern matches in a line, but for nothing.
    fn matches(&self, line: &[u8]) -> io::Result<Vec<(usize, usize)>> {
        let mut matches = Vec::new();
        let end = if self.output.options.null_data { b'\0' } else { b'\n' };
        let text = line.strip_suffix(&[end]).unwrap_or(line);
        self.matcher.find_iter(text, |found| {
            if !found.is_empty() {
                matches.push((found.start(), found.end()));
            }
            true
        })?;
        Ok(matches)
    }

    fn is_enough(&self) -> bool {
        let options = self.output.options;
        options.quiet
            || matches!(options.shown, Shown::With | Shown::Without)
            || (self.is_binary && self.is_binary_found)
    }
}

impl<W: Write> Sink for Report<'_, '_, W> {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> io::Result<bool> {
        let options = self.output.options;
        let is_text = !self.is_binary && std::str::from_utf8(found.bytes()).is_ok();
        if !is_text && !options.text && options.skips_binary {
            return Ok(false);
        }
        self.count += 1;
        if options.shows_lines() {
            if is_text || options.text || options.null_data {
                if options.only_matching {
                    if !options.invert {
                        let line = found.bytes();
                        for (start, end) in self.matches(line)? {
                            self.begin_group()?;
                            self.prefix(b":", found.line_number(), found.absolute_byte_offset() + start as u64)?;
                            self.output.colored(MATCH, &line[start..end])?;
                            self.end_line(&line[start..end])?;
                        }
                    }
                } else {
                    self.begin_group()?;
                    self.prefix(b":", found.line_number(), found.absolute_byte_offset())?;
                    self.line(found.bytes(), !options.invert)?;
                }
            } else {
                self.is_binary_found = true;
            }
        }
        Ok(!self.is_enough())
    }

    fn context(&mut self, _: &Searcher, context: &SinkContext<'_>) -> io::Result<bool> {
        let options = self.output.options;
        if options.only_matching || (self.is_binary && self.is_binary_found) {
            return Ok(true);
        }
        self.begin_group()?;
        self.prefix(b"-", context.line_number(), context.absolute_byte_offset())?;
        self.line(context.bytes(), options.invert)?;
        Ok(true)
    }

    fn context_break(&mut self, _: &Searcher) -> io::Result<bool> {
        self.separate()?;
        Ok(true)
    }

    fn binary_data(&mut self, _: &Searcher, _: u64) -> io::Result<bool> {
        self.is_binary = true;
        Ok(!self.output.options.skips_binary)
    }
}
