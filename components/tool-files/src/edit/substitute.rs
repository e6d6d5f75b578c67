//! Finds a text and puts another in its place, bytes for bytes: what is not replaced stays as it was, whatever its
//! encoding, its byte order mark and its line ends.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem;

/// What came of a substitution.
#[derive(Debug, PartialEq, Eq)]
pub struct Substitution {
    /// All of the new content.
    pub content: Vec<u8>,
    /// How many occurrences were replaced.
    pub count: u64,
    /// Where the first replacement is, in the new content.
    pub first: Range<usize>,
}

/// Why nothing was replaced. Lines are counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub enum Miss {
    /// No occurrence; the lines that contain at least the first line of the text, if it says anything.
    None { near: Vec<usize> },
    /// Several, and not all were asked for; the lines on which the first of them begin.
    Many { count: u64, on: Vec<usize> },
    /// The content would grow beyond what is allowed.
    TooLarge,
}

/// How many lines a miss names.
const LINES_NAMED_MAX: usize = 10;

/// Replaces the only occurrence of `old`, or `all`, as long as the result has at most `bytes_max`.
///
/// Models write `\n` whatever the file has. Where each line of the file ends in CRLF, both texts are taken to mean
/// CRLF. Elsewhere they are taken as they are, and with the other line end only if that finds nothing.
pub fn substitute(content: &[u8], old: &str, new: &str, all: bool, bytes_max: usize) -> Result<Substitution, Miss> {
    let line_ends = memchr::memchr_iter(b'\n', content).count();
    let crlf_ends = memmem::find_iter(content, b"\r\n").count();
    let as_crlf = || (to_crlf(old), to_crlf(new));
    let as_lf = || (Cow::Owned(to_lf(old)), Cow::Owned(to_lf(new)));
    let mut readings: Vec<(Cow<str>, Cow<str>)> = Vec::new();
    if line_ends > 0 && crlf_ends == line_ends {
        readings.push(as_crlf());
    } else {
        readings.push((old.into(), new.into()));
        if old.contains("\r\n") {
            readings.push(as_lf());
        } else if old.contains('\n') && crlf_ends > 0 {
            readings.push(as_crlf());
        }
    }
    for (old, new) in &readings {
        let (old, new) = (old.as_bytes(), new.as_bytes());
        let Some(at) = memmem::find(content, old) else {
            continue;
        };
        // Also where it overlaps: `aa` is not unique in `aaa`.
        let second = memmem::find(&content[at + 1..], old).map(|after| at + 1 + after);
        let count = match second {
            None => 1,
            Some(_) => memmem::find_iter(content, old).count(),
        };
        if let (Some(second), false) = (second, all) {
            let on = match count {
                1 => vec![at, second],
                _ => memmem::find_iter(content, old).take(LINES_NAMED_MAX).collect(),
            };
            let on = on.into_iter().map(|at| line(content, at)).collect();
            return Err(Miss::Many { count: count.max(2) as u64, on });
        }
        let growth = new.len().saturating_sub(old.len()).checked_mul(count);
        if growth.and_then(|growth| growth.checked_add(content.len())).is_none_or(|bytes| bytes > bytes_max) {
            return Err(Miss::TooLarge);
        }
        return Ok(replace(content, old, new));
    }
    Err(Miss::None { near: near(content, old) })
}

fn to_lf(text: &str) -> String {
    text.replace("\r\n", "\n")
}

fn to_crlf(text: &str) -> Cow<'_, str> {
    if text.contains('\n') { to_lf(text).replace('\n', "\r\n").into() } else { text.into() }
}

fn replace(content: &[u8], old: &[u8], new: &[u8]) -> Substitution {
    let mut after = Vec::with_capacity(content.len() + new.len());
    let mut count = 0;
    let mut first = 0..0;
    let mut from = 0;
    for at in memmem::find_iter(content, old) {
        after.extend_from_slice(&content[from..at]);
        if count == 0 {
            first = after.len()..after.len() + new.len();
        }
        after.extend_from_slice(new);
        from = at + old.len();
        count += 1;
    }
    after.extend_from_slice(&content[from..]);
    Substitution { content: after, count, first }
}

/// The line of an offset.
fn line(content: &[u8], at: usize) -> usize {
    memchr::memchr_iter(b'\n', &content[..at]).count() + 1
}

/// The lines that contain the first line of `old` that is not blank, without the white space around it. One letter or
/// two (`}`) would say nothing.
fn near(content: &[u8], old: &str) -> Vec<usize> {
    const TELLING_BYTES_MIN: usize = 3;
    let first = old.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("");
    if first.len() < TELLING_BYTES_MIN {
        return Vec::new();
    }
    let mut lines: Vec<usize> =
        memmem::find_iter(content, first).take(LINES_NAMED_MAX).map(|at| line(content, at)).collect();
    lines.dedup();
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(content: &str, old: &str, new: &str, all: bool) -> Result<(String, u64), Miss> {
        substitute(content.as_bytes(), old, new, all, 100)
            .map(|done| (String::from_utf8(done.content).unwrap(), done.count))
    }

    #[test]
    fn the_only_occurrence_is_replaced() {
        assert_eq!(after("a b c", "b", "x", false), Ok(("a x c".into(), 1)));
        assert_eq!(after("a b c", "b ", "", false), Ok(("a c".into(), 1)));
        let done = substitute(b"one two", "two", "three", false, 100).unwrap();
        assert_eq!(&done.content[done.first], b"three");
    }

    #[test]
    fn several_occurrences_need_a_word() {
        assert_eq!(after("b\na\nb b", "b", "x", false), Err(Miss::Many { count: 3, on: vec![1, 3, 3] }));
        assert_eq!(after("b\na\nb b", "b", "x", true), Ok(("x\na\nx x".into(), 3)));
        assert_eq!(after("aaa", "aa", "x", false), Err(Miss::Many { count: 2, on: vec![1, 1] }));
        assert_eq!(after("aaa", "aa", "x", true), Ok(("xa".into(), 1)));
    }

    #[test]
    fn many_occurrences_are_counted_not_listed() {
        let content = "x\n".repeat(50);
        let on = (1..=LINES_NAMED_MAX).collect();
        assert_eq!(after(&content, "x", "y", false), Err(Miss::Many { count: 50, on }));
    }

    #[test]
    fn growth_is_bounded() {
        let content = "x".repeat(10);
        assert_eq!(after(&content, "x", &"y".repeat(10), true), Ok(("y".repeat(100), 10)));
        assert_eq!(after(&content, "x", &"y".repeat(11), true), Err(Miss::TooLarge));
    }

    #[test]
    fn a_near_miss_names_its_lines() {
        let content = "fn a() {\n    run();\n}\nfn b() {\n\trun();\n}\n";
        assert_eq!(after(content, "  run();\n  }", "", false), Err(Miss::None { near: vec![2, 5] }));
        assert_eq!(after(content, "}}", "", false), Err(Miss::None { near: vec![] }));
        assert_eq!(after(content, "walk();", "", false), Err(Miss::None { near: vec![] }));
    }

    #[test]
    fn crlf_stays_crlf() {
        let file = "a\r\nb\r\nc\r\n";
        assert_eq!(after(file, "a\nb", "x\ny", false), Ok(("x\r\ny\r\nc\r\n".into(), 1)));
        assert_eq!(after(file, "a\r\nb", "x\r\ny", false), Ok(("x\r\ny\r\nc\r\n".into(), 1)));
        assert_eq!(after(file, "b", "x\ny", false), Ok(("a\r\nx\r\ny\r\nc\r\n".into(), 1)));
    }

    #[test]
    fn lf_stays_lf() {
        assert_eq!(after("a\nb\n", "a\r\nb", "x\r\ny", false), Ok(("x\ny\n".into(), 1)));
        assert_eq!(after("a\nb\n", "b", "x\ny", false), Ok(("a\nx\ny\n".into(), 1)));
    }

    #[test]
    fn mixed_line_ends_are_matched_as_they_are_first() {
        let file = "a\nb\r\nc\r\nd\n";
        assert_eq!(after(file, "a\nb", "x\ny", false), Ok(("x\ny\r\nc\r\nd\n".into(), 1)));
        assert_eq!(after(file, "b\nc", "x\ny", false), Ok(("a\nx\r\ny\r\nd\n".into(), 1)));
    }

    #[test]
    fn other_bytes_stay_as_they_are() {
        let done = substitute(b"\xef\xbb\xbfcaf\xe9 one", "one", "two", false, 100).unwrap();
        assert_eq!(done.content, b"\xef\xbb\xbfcaf\xe9 two");
    }
}
