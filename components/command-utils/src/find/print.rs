//! What find prints of a file.

use std::fs::Metadata;
use std::io::{self, Write};
use std::time::SystemTime;

use super::Entry;
use super::expression::USER;

/// Bytes of what `%b` counts.
const BLOCK_BYTES: u64 = 512;

const DIRECTIVES: &str = "%pPfhsdymMuUgGlTtACkbYHinD";

/// # Errors
/// What of a form is not known.
pub fn check(form: &str) -> Result<(), String> {
    let mut chars = form.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '%' => {
                let directive = chars.find(|c| !c.is_ascii_digit() && !matches!(c, '-' | '.' | '+' | '#' | ' '));
                match directive {
                    Some('T' | 'A' | 'C') if chars.next().is_none() => {
                        return Err("format directive at the end of -printf".to_owned());
                    }
                    Some(c) if DIRECTIVES.contains(c) && !"inD".contains(c) => {}
                    // There are no inodes and devices to tell.
                    Some(c) => return Err(format!("-printf: `%{c}' is not supported in this sandbox")),
                    None => return Err("-printf: a `%' at the end".to_owned()),
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// # Errors
/// When it cannot be written.
pub fn printf(form: &str, entry: &Entry, to: &mut impl Write) -> io::Result<()> {
    let mut chars = form.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => to.write_all(b"\n")?,
                Some('t') => to.write_all(b"\t")?,
                Some('r') => to.write_all(b"\r")?,
                Some('a') => to.write_all(b"\x07")?,
                Some('b') => to.write_all(b"\x08")?,
                Some('f') => to.write_all(b"\x0c")?,
                Some('v') => to.write_all(b"\x0b")?,
                Some('c') => return to.flush(),
                Some(digit @ '0'..='7') => {
                    let mut value = digit.to_digit(8).unwrap_or(0);
                    for _ in 0..2 {
                        let Some(digit) = chars.peek().and_then(|c| c.to_digit(8)) else { break };
                        value = value * 8 + digit;
                        chars.next();
                    }
                    to.write_all(&[value as u8])?;
                }
                Some('\\') | None => to.write_all(b"\\")?,
                Some(other) => write!(to, "\\{other}")?,
            },
            '%' => {
                let mut flags = String::new();
                while let Some(c) = chars.next_if(|c| c.is_ascii_digit() || matches!(c, '-' | '.' | '+' | '#' | ' ')) {
                    flags.push(c);
                }
                let Some(directive) = chars.next() else { return Ok(()) };
                let time = if matches!(directive, 'T' | 'A' | 'C') { chars.next() } else { None };
                let value = value(directive, time, entry);
                write!(to, "{}", padded(&value, &flags))?;
            }
            other => write!(to, "{other}")?,
        }
    }
    Ok(())
}

fn padded(value: &str, flags: &str) -> String {
    let is_left = flags.starts_with('-');
    let flags = flags.trim_start_matches(['-', '+', '#', ' ']);
    let (width, precision) = flags.split_once('.').map_or((flags, None), |(width, rest)| (width, Some(rest)));
    let width = width.parse::<usize>().unwrap_or(0).min(10_000);
    let value: String = match precision.and_then(|precision| precision.parse().ok()) {
        Some(precision) => value.chars().take(precision).collect(),
        None => value.to_owned(),
    };
    if is_left { format!("{value:<width$}") } else { format!("{value:>width$}") }
}

fn value(directive: char, time: Option<char>, entry: &Entry) -> String {
    let bytes = || entry.data().map_or(0, Metadata::len);
    match directive {
        '%' => "%".to_owned(),
        'p' => entry.shown.clone(),
        'P' => entry.shown[entry.root..].trim_start_matches('/').to_owned(),
        'f' => entry.name().to_owned(),
        'h' => match entry.shown.trim_end_matches('/').rsplit_once('/') {
            Some(("", _)) => String::new(),
            Some((folder, _)) => folder.to_owned(),
            None => ".".to_owned(),
        },
        'H' => entry.shown[..entry.root].to_owned(),
        's' => bytes().to_string(),
        'b' => bytes().div_ceil(BLOCK_BYTES).to_string(),
        'k' => bytes().div_ceil(1024).to_string(),
        'd' => entry.depth.to_string(),
        'y' => entry.letter().to_string(),
        'Y' => match entry.kind.is_symlink() {
            true => {
                std::fs::metadata(entry.path()).map_or('N', |data| if data.is_dir() { 'd' } else { 'f' }).to_string()
            }
            false => entry.letter().to_string(),
        },
        'm' => format!("{:o}", super::permission(entry)),
        'M' => {
            let kind = if entry.letter() == 'f' { '-' } else { entry.letter() };
            let mode = super::permission(entry);
            let bit = |at: u32| if mode >> at & 1 == 1 { ['x', 'w', 'r'][at as usize % 3] } else { '-' };
            std::iter::once(kind).chain((0..9).rev().map(bit)).collect()
        }
        'u' | 'g' => USER.0.to_owned(),
        'U' | 'G' => USER.1.to_owned(),
        'l' if entry.kind.is_symlink() => {
            std::fs::read_link(entry.path()).map(|target| target.to_string_lossy().into_owned()).unwrap_or_default()
        }
        't' => format_time(entry, "%a %b %e %H:%M:%S.%9f0 %Y"),
        'T' | 'A' | 'C' => match time {
            Some('@') => {
                let since = modified(entry).duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                format!("{}.{:09}0", since.as_secs(), since.subsec_nanos())
            }
            Some('+') => format_time(entry, "%Y-%m-%d+%H:%M:%S.%9f0"),
            Some('T' | 'X') => format_time(entry, "%H:%M:%S.%9f0"),
            Some('S') => format_time(entry, "%S.%9f0"),
            Some('c') => format_time(entry, "%a %b %e %H:%M:%S %Y"),
            Some(other) => format_time(entry, &format!("%{other}")),
            None => String::new(),
        },
        _ => String::new(),
    }
}

fn modified(entry: &Entry) -> SystemTime {
    super::modified(entry).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn format_time(entry: &Entry, form: &str) -> String {
    let time = jiff::Timestamp::try_from(modified(entry)).unwrap_or_default();
    jiff::fmt::strtime::format(form, &time.to_zoned(jiff::tz::TimeZone::UTC)).unwrap_or_default()
}

/// A line as `ls -dils` has it, without what files do not have here.
///
/// # Errors
/// When it cannot be written.
pub fn list(entry: &Entry, to: &mut impl Write) -> io::Result<()> {
    let bytes = entry.data().map_or(0, Metadata::len);
    let time = format_time(entry, "%b %e %H:%M");
    write!(to, "{:6} {}", bytes.div_ceil(1024), value('M', None, entry))?;
    write!(to, " {} {} {bytes:8} {time} {}", USER.0, USER.0, entry.shown)?;
    match value('l', None, entry) {
        target if target.is_empty() => writeln!(to),
        target => writeln!(to, " -> {target}"),
    }
}
