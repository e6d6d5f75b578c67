//! Two files as lines, and how they differ.

use std::ops::Range;

use imara_diff::{Algorithm, Diff, InternedInput};

use super::options::{Options, Space};

/// Above so many lines, the smallest difference would take too long to find.
const MINIMAL_LINES_MAX: usize = 20_000;

/// A file's lines, each with its end.
pub struct Lines<'a> {
    pub all: Vec<&'a [u8]>,
}

impl<'a> Lines<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { all: bytes.split_inclusive(|byte| *byte == b'\n').collect() }
    }
}

/// Lines of the first that lines of the second stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub before: Range<usize>,
    pub after: Range<usize>,
}

/// What counts of a line.
fn key(line: &[u8], options: &Options) -> Vec<u8> {
    let mut line = line.to_vec();
    let had_end = line.last() == Some(&b'\n');
    if had_end {
        line.pop();
    }
    if options.strip_carriage_return && line.last() == Some(&b'\r') {
        line.pop();
    }
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | 0x0b | 0x0c);
    match options.space {
        Space::Counts => {}
        Space::TrailingIgnored => {
            line.truncate(line.len() - line.iter().rev().take_while(|byte| is_space(byte)).count())
        }
        Space::AmountIgnored => {
            let mut out = Vec::with_capacity(line.len());
            for byte in line {
                match is_space(&byte) {
                    true if out.last() == Some(&b' ') => {}
                    true => out.push(b' '),
                    false => out.push(byte),
                }
            }
            if out.last() == Some(&b' ') {
                out.pop();
            }
            line = out;
        }
        Space::Ignored => line.retain(|byte| !is_space(byte)),
    }
    if options.ignore_case {
        line = String::from_utf8_lossy(&line).to_lowercase().into_bytes();
    }
    // A last line without an end differs from one with it, unless white space does not count.
    if had_end || options.space != Space::Counts {
        line.push(b'\n');
    }
    line
}

/// The changes that make the second of the first.
pub fn changes(before: &Lines<'_>, after: &Lines<'_>, options: &Options) -> Vec<Change> {
    let mut input: InternedInput<Vec<u8>> = InternedInput::default();
    input.update_before(before.all.iter().map(|line| key(line, options)));
    input.update_after(after.all.iter().map(|line| key(line, options)));
    let is_small = before.all.len() + after.all.len() <= MINIMAL_LINES_MAX;
    let algorithm = if is_small { Algorithm::MyersMinimal } else { Algorithm::Myers };
    let mut diff = Diff::compute(algorithm, &input);
    diff.postprocess_no_heuristic(&input);
    let range = |range: &Range<u32>| range.start as usize..range.end as usize;
    let mut changes: Vec<Change> =
        diff.hunks().map(|hunk| Change { before: range(&hunk.before), after: range(&hunk.after) }).collect();
    if options.ignore_blank_lines {
        let is_blank = |line: &[u8]| key(line, options).iter().all(|byte| *byte == b'\n');
        changes.retain(|change| {
            let mut lines = before.all[change.before.clone()].iter().chain(&after.all[change.after.clone()]);
            !lines.all(|line| is_blank(line))
        });
    }
    changes
}

/// Changes with so few lines between them that their contexts touch.
pub fn groups(changes: &[Change], context: usize) -> Vec<&[Change]> {
    changes.chunk_by(|one, next| next.before.start - one.before.end <= 2 * context).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::options::{Parsed, parse};

    fn options(arguments: &[&str]) -> Options {
        let arguments = arguments.iter().chain(&["a", "b"]).map(std::ffi::OsString::from).collect();
        match parse(arguments) {
            Ok(Parsed::Options(options)) => *options,
            _ => panic!("options"),
        }
    }

    fn changed(before: &str, after: &str, arguments: &[&str]) -> usize {
        changes(&Lines::new(before.as_bytes()), &Lines::new(after.as_bytes()), &options(arguments)).len()
    }

    #[test]
    fn what_does_not_count_is_no_change() {
        assert_eq!(changed("a\n", "a\n", &[]), 0);
        assert_eq!(changed("a\n", "a", &[]), 1);
        assert_eq!(changed("a  b \n", "a b\n", &["-b"]), 0);
        assert_eq!(changed("ab\n", "a b\n", &["-b"]), 1);
        assert_eq!(changed("ab\n", "a b\n", &["-w"]), 0);
        assert_eq!(changed("a\n\nb\n", "a\nb\n", &["-B"]), 0);
        assert_eq!(changed("A\n", "a\n", &["-i"]), 0);
        assert_eq!(changed("a\r\n", "a\n", &["--strip-trailing-cr"]), 0);
        assert_eq!(changed("a \n", "a\n", &["-Z"]), 0);
    }

    #[test]
    fn changes_stand_as_late_as_they_can() {
        let (before, after) = (Lines::new(b"a\nb\n"), Lines::new(b"a\na\nb\n"));
        let changes = changes(&before, &after, &options(&[]));
        assert_eq!(changes, [Change { before: 1..1, after: 1..2 }]);
    }

    #[test]
    fn near_changes_are_one_group() {
        let change = |at: usize| Change { before: at..at + 1, after: at..at + 1 };
        let changes = [change(0), change(7), change(20)];
        assert_eq!(groups(&changes, 3).iter().map(|group| group.len()).collect::<Vec<_>>(), [2, 1]);
    }
}
