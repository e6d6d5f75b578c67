//! How changes are shown.

use std::io::{self, Write};
use std::ops::Range;

use super::lines::{Change, Lines, groups};
use super::options::{Format, Options};

/// The two files of a comparison.
pub struct Pair<'a> {
    pub before: Lines<'a>,
    pub after: Lines<'a>,
    /// What stands in their headers: a label, or name and time.
    pub headers: [String; 2],
}

/// # Errors
/// When they cannot be written.
pub fn show(pair: &Pair<'_>, changes: &[Change], options: &Options, to: &mut impl Write) -> io::Result<()> {
    let mut out = Out { to, color: options.color };
    match options.format {
        Format::Normal => normal(pair, changes, &mut out),
        Format::Unified(lines) => unified(pair, changes, lines, options, &mut out),
        Format::Context(lines) => context(pair, changes, lines, options, &mut out),
        Format::SideBySide => super::side::show(pair, changes, options, out.to),
        Format::Lines => every_line(pair, changes, options, out.to),
        Format::Brief => Ok(()),
    }
}

/// # Errors
/// What of a format of lines is not known.
pub fn check_line(form: &str) -> Result<(), String> {
    let mut rest = form;
    while let Some(at) = rest.find('%') {
        rest = &rest[at + 1..];
        rest = match rest.chars().next() {
            Some('%' | 'l' | 'L') => &rest[1..],
            Some('c') if rest[1..].starts_with('\'') => {
                let end = rest[2..].find('\'').filter(|end| *end > 0);
                &rest[2 + end.ok_or_else(|| format!("invalid line format '{form}'"))? + 1..]
            }
            _ if rest.starts_with("dn") => &rest[2..],
            _ => {
                return Err(format!(
                    "line format '{form}': only %l, %L, %%, %c'C' and %dn are supported in this sandbox"
                ));
            }
        };
    }
    Ok(())
}

/// A line as its format says, which was checked.
fn formed(form: &str, line: &[u8], number: usize, to: &mut impl Write) -> io::Result<()> {
    let bare = line.strip_suffix(b"\n").unwrap_or(line);
    let mut rest = form;
    while let Some(at) = rest.find('%') {
        to.write_all(&rest.as_bytes()[..at])?;
        rest = &rest[at + 1..];
        let taken = match rest.as_bytes().first() {
            Some(b'l') => {
                to.write_all(bare)?;
                1
            }
            Some(b'L') => {
                to.write_all(line)?;
                1
            }
            Some(b'd') => {
                write!(to, "{number}")?;
                2
            }
            Some(b'c') => {
                let inside = rest[2..].split('\'').next().unwrap_or_default();
                match inside.strip_prefix('\\').and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
                    Some(byte) => to.write_all(&[byte])?,
                    None => to.write_all(inside.as_bytes())?,
                }
                inside.len() + 3
            }
            _ => {
                to.write_all(b"%")?;
                1
            }
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    to.write_all(rest.as_bytes())
}

fn every_line(pair: &Pair<'_>, changes: &[Change], options: &Options, to: &mut impl Write) -> io::Result<()> {
    let forms = &options.lines;
    let [old, new, both] = [&forms.old, &forms.new, &forms.unchanged].map(|form| form.as_deref().unwrap_or("%L"));
    let mut at = 0;
    let end = Change { before: pair.before.all.len()..pair.before.all.len(), after: 0..0 };
    for change in changes.iter().chain([&end]) {
        for number in at..change.before.start {
            formed(both, pair.before.all[number], number + 1, to)?;
        }
        for number in change.before.clone() {
            formed(old, pair.before.all[number], number + 1, to)?;
        }
        for number in change.after.clone() {
            formed(new, pair.after.all[number], number + 1, to)?;
        }
        at = change.before.end;
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Color {
    None,
    Header,
    Place,
    Removed,
    Added,
}

struct Out<'w, W> {
    to: &'w mut W,
    color: bool,
}

impl<W: Write> Out<'_, W> {
    fn text(&mut self, color: Color, text: &str) -> io::Result<()> {
        self.line(color, text, b"\n")
    }

    /// A line of a file after a mark, and that its end is missing if it is.
    fn line(&mut self, color: Color, mark: &str, line: &[u8]) -> io::Result<()> {
        let code = match color {
            Color::None => "",
            Color::Header => "\x1b[1m",
            Color::Place => "\x1b[36m",
            Color::Removed => "\x1b[31m",
            Color::Added => "\x1b[32m",
        };
        let is_colored = self.color && !code.is_empty();
        let text = line.strip_suffix(b"\n");
        if is_colored {
            self.to.write_all(code.as_bytes())?;
        }
        self.to.write_all(mark.as_bytes())?;
        self.to.write_all(text.unwrap_or(line))?;
        if is_colored {
            self.to.write_all(b"\x1b[0m")?;
        }
        self.to.write_all(b"\n")?;
        if text.is_none() {
            self.to.write_all(b"\\ No newline at end of file\n")?;
        }
        Ok(())
    }
}

fn normal<W: Write>(pair: &Pair<'_>, changes: &[Change], out: &mut Out<'_, W>) -> io::Result<()> {
    // Of nothing, the line before it.
    let place = |range: &Range<usize>| match range.len() {
        0 => range.start.to_string(),
        1 => (range.start + 1).to_string(),
        _ => format!("{},{}", range.start + 1, range.end),
    };
    for change in changes {
        let letter = match (change.before.is_empty(), change.after.is_empty()) {
            (true, _) => 'a',
            (_, true) => 'd',
            _ => 'c',
        };
        out.text(Color::Place, &format!("{}{letter}{}", place(&change.before), place(&change.after)))?;
        for line in &pair.before.all[change.before.clone()] {
            out.line(Color::Removed, "< ", line)?;
        }
        if letter == 'c' {
            out.text(Color::None, "---")?;
        }
        for line in &pair.after.all[change.after.clone()] {
            out.line(Color::Added, "> ", line)?;
        }
    }
    Ok(())
}

/// What a group of changes covers, with its context.
fn extent(pair: &Pair<'_>, group: &[Change], lines: usize) -> (Range<usize>, Range<usize>) {
    let (first, last) = (&group[0], &group[group.len() - 1]);
    let before = lines.min(first.before.start).min(first.after.start);
    let rest = (pair.before.all.len() - last.before.end).min(pair.after.all.len() - last.after.end);
    let after = lines.min(rest);
    (first.before.start - before..last.before.end + after, first.after.start - before..last.after.end + after)
}

/// The last line before a group that looks like the beginning of a function, as GNU has it.
fn function(pair: &Pair<'_>, until: usize, options: &Options) -> String {
    let begins = |line: &&&[u8]| match &options.function_line {
        Some(regex) => regex.is_match(line.strip_suffix(b"\n").unwrap_or(line)),
        None => {
            options.show_function
                && line.first().is_some_and(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'$'))
        }
    };
    if !options.show_function && options.function_line.is_none() {
        return String::new();
    }
    let Some(line) = pair.before.all[..until].iter().rev().find(begins) else { return String::new() };
    let line = String::from_utf8_lossy(line);
    let line: String = line.trim_end().chars().take(40).collect();
    format!(" {}", line.trim_end())
}

fn unified<W: Write>(
    pair: &Pair<'_>,
    changes: &[Change],
    lines: usize,
    options: &Options,
    out: &mut Out<'_, W>,
) -> io::Result<()> {
    out.text(Color::Header, &format!("--- {}", pair.headers[0]))?;
    out.text(Color::Header, &format!("+++ {}", pair.headers[1]))?;
    let place = |range: &Range<usize>| match range.len() {
        0 => format!("{},0", range.start),
        1 => (range.start + 1).to_string(),
        length => format!("{},{length}", range.start + 1),
    };
    for group in groups(changes, lines) {
        let (before, after) = extent(pair, group, lines);
        let function = function(pair, before.start, options);
        out.text(Color::Place, &format!("@@ -{} +{} @@{function}", place(&before), place(&after)))?;
        let mut at = before.start;
        for change in group {
            for line in &pair.before.all[at..change.before.start] {
                out.line(Color::None, " ", line)?;
            }
            for line in &pair.before.all[change.before.clone()] {
                out.line(Color::Removed, "-", line)?;
            }
            for line in &pair.after.all[change.after.clone()] {
                out.line(Color::Added, "+", line)?;
            }
            at = change.before.end;
        }
        for line in &pair.before.all[at..before.end] {
            out.line(Color::None, " ", line)?;
        }
    }
    Ok(())
}

/// One file's half of a group of changes; nothing, where the group changes nothing in this file. A change is the file's own lines,
/// and whether the other file has none in their place.
fn side<W: Write>(
    all: &[&[u8]],
    extent: Range<usize>,
    changes: impl Iterator<Item = (Range<usize>, bool)>,
    (color, alone): (Color, &str),
    out: &mut Out<'_, W>,
) -> io::Result<()> {
    let mut changes = changes.filter(|(own, _)| !own.is_empty()).peekable();
    if changes.peek().is_none() {
        return Ok(());
    }
    let mut at = extent.start;
    for (own, is_alone) in changes {
        for line in &all[at..own.start] {
            out.line(Color::None, "  ", line)?;
        }
        let mark = if is_alone { alone } else { "! " };
        for line in &all[own.clone()] {
            out.line(color, mark, line)?;
        }
        at = own.end;
    }
    for line in &all[at..extent.end] {
        out.line(Color::None, "  ", line)?;
    }
    Ok(())
}

fn context<W: Write>(
    pair: &Pair<'_>,
    changes: &[Change],
    lines: usize,
    options: &Options,
    out: &mut Out<'_, W>,
) -> io::Result<()> {
    out.text(Color::Header, &format!("*** {}", pair.headers[0]))?;
    out.text(Color::Header, &format!("--- {}", pair.headers[1]))?;
    let place = |range: &Range<usize>| match range.len() {
        0 => range.start.to_string(),
        1 => (range.start + 1).to_string(),
        _ => format!("{},{}", range.start + 1, range.end),
    };
    for group in groups(changes, lines) {
        let (before, after) = extent(pair, group, lines);
        out.text(Color::None, &format!("***************{}", function(pair, before.start, options)))?;
        out.text(Color::Place, &format!("*** {} ****", place(&before)))?;
        let removed = group.iter().map(|change| (change.before.clone(), change.after.is_empty()));
        side(&pair.before.all, before, removed, (Color::Removed, "- "), out)?;
        out.text(Color::Place, &format!("--- {} ----", place(&after)))?;
        let added = group.iter().map(|change| (change.after.clone(), change.before.is_empty()));
        side(&pair.after.all, after, added, (Color::Added, "+ "), out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_formats() {
        let said = |form: &str| {
            check_line(form).unwrap();
            let mut out = Vec::new();
            formed(form, b"text\n", 7, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(said("D%l"), "Dtext");
        assert_eq!(said("%dn:%L%%"), "7:text\n%");
        assert_eq!(said("%c'x'%c'\\12'|"), "x\n|");
        for wrong in ["%", "%q", "%c''", "%c'x", "%(A=B?C:D)"] {
            assert!(check_line(wrong).is_err(), "{wrong}");
        }
    }
}
