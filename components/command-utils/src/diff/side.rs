//! Two files side by side, in GNU's columns.

use std::io::{self, Write};

use super::format::Pair;
use super::lines::Change;
use super::options::Options;

const TAB: usize = 8;
const GUTTER_MIN: usize = 3;

/// Where the halves stand.
struct Columns {
    half: usize,
    second: usize,
    expand: bool,
}

impl Columns {
    fn new(options: &Options) -> Self {
        let (width, tab) = (options.width, if options.expand_tabs { 1 } else { TAB });
        let both = tab + GUTTER_MIN;
        let offset = (width >> 1) + (both >> 1) + (width & both & 1);
        let offset = offset - offset % tab;
        let half = offset.saturating_sub(GUTTER_MIN).min(width.saturating_sub(offset));
        Self { half, second: if half > 0 { offset } else { width }, expand: options.expand_tabs }
    }

    /// Fills up from one column to another.
    fn fill(&self, mut from: usize, to: usize, out: &mut Vec<u8>) -> usize {
        if !self.expand {
            loop {
                let tab = from + TAB - from % TAB;
                if tab > to {
                    break;
                }
                out.push(b'\t');
                from = tab;
            }
        }
        out.extend(std::iter::repeat_n(b' ', to.saturating_sub(from)));
        to.max(from)
    }

    /// As much of a line as a half has room for. Gives the column after it.
    fn half(&self, line: &[u8], start: usize, out: &mut Vec<u8>) -> usize {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let (mut at, mut shown) = (0, 0);
        for c in String::from_utf8_lossy(text).chars() {
            match c {
                '\t' => {
                    let next = at + TAB - at % TAB;
                    if shown == at && next <= self.half {
                        if self.expand {
                            out.extend(std::iter::repeat_n(b' ', next - at));
                        } else {
                            out.push(b'\t');
                        }
                        shown = next;
                    }
                    at = next;
                }
                _ => {
                    at += 1;
                    if at <= self.half {
                        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                        shown = at;
                    }
                }
            }
        }
        start + shown
    }

    fn row(&self, left: Option<&[u8]>, mark: u8, right: Option<&[u8]>, to: &mut impl Write) -> io::Result<()> {
        let mut out = Vec::new();
        let mut column = left.map_or(0, |left| self.half(left, 0, &mut out));
        let has_end = [left, right].into_iter().flatten().any(|line| line.ends_with(b"\n"));
        if mark != b' ' {
            column = self.fill(column, (self.half + self.second - 1) / 2, &mut out) + 1;
            out.push(match (mark, left, right) {
                (b'|', Some(left), Some(right)) => match (left.ends_with(b"\n"), right.ends_with(b"\n")) {
                    (true, false) => b'/',
                    (false, true) => b'\\',
                    _ => b'|',
                },
                _ => mark,
            });
        }
        if let Some(right) = right.filter(|right| *right != b"\n") {
            self.fill(column, self.second, &mut out);
            self.half(right, self.second, &mut out);
        }
        if has_end {
            out.push(b'\n');
        }
        to.write_all(&out)
    }
}

/// # Errors
/// When they cannot be written.
pub fn show(pair: &Pair<'_>, changes: &[Change], options: &Options, to: &mut impl Write) -> io::Result<()> {
    let columns = Columns::new(options);
    let mut at = (0, 0);
    let common = |from: (usize, usize), until: usize, to: &mut _| -> io::Result<()> {
        if options.suppress_common {
            return Ok(());
        }
        let lines = pair.before.all[from.0..until].iter().zip(&pair.after.all[from.1..]);
        for (left, right) in lines {
            match options.left_column {
                true => columns.row(Some(left), b'(', None, to)?,
                false => columns.row(Some(left), b' ', Some(right), to)?,
            }
        }
        Ok(())
    };
    for change in changes {
        common(at, change.before.start, to)?;
        let (before, after) = (&pair.before.all[change.before.clone()], &pair.after.all[change.after.clone()]);
        for row in 0..before.len().max(after.len()) {
            let (left, right) = (before.get(row).copied(), after.get(row).copied());
            let mark = match (left, right) {
                (Some(_), Some(_)) => b'|',
                (Some(_), None) => b'<',
                (None, _) => b'>',
            };
            columns.row(left, mark, right, to)?;
        }
        at = (change.before.end, change.after.end);
    }
    common(at, pair.before.all.len(), to)
}
