//! What differs between two texts, as it is shown.

use std::ops::Range;

use super::lines::{Block, Lines, Slide};
use super::words;

/// The most of a heading that is shown, in bytes, as in git.
const HEADING_BYTES_MAX: usize = 80;

/// What differs between two texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Runs of differing lines with the lines around them, in order.
    pub hunks: Vec<Hunk>,
    /// Lines that are only in the text after, cut or not.
    pub lines_added: u64,
    /// Lines that are only in the text before, cut or not.
    pub lines_removed: u64,
    /// Lines that hunks would have in addition, were there no `lines_max`.
    pub lines_cut: u64,
}

/// Differing lines that are near each other. Its numbers are of the whole hunk, even where the last of its lines are cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// Number of the first line before, from 1. Of the line above where there is none before: 0 at the top.
    pub before_start: u32,
    /// Lines before.
    pub before_lines: u32,
    /// Number of the first line after, as in `before_start`.
    pub after_start: u32,
    /// Lines after.
    pub after_lines: u32,
    /// The nearest line above, of the text before, that begins with a letter, `_` or `$`; at most 80 bytes, perhaps empty.
    pub heading: String,
    /// Removed before added ones in each block.
    pub lines: Vec<Line>,
}

/// One line of a hunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it is.
    pub side: Side,
    /// Without `\n`, which other ends of lines keep their `\r` of. Bytes that are no UTF-8 are replaced.
    pub text: String,
    /// The words that differ from the line's counterpart, as ranges of bytes of `text`.
    pub emphasis: Vec<Range<u32>>,
    /// It is the last of its text and has no end of line.
    pub unterminated: bool,
    /// The block that it belongs to, from 0 through the whole text; 0 in a line of context.
    pub block: u32,
}

/// Which text has a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Both.
    Context,
    /// The one before.
    Removed,
    /// The one after.
    Added,
}

/// Compares two texts, with `context` lines around what differs and at most `lines_max` lines in all hunks together.
pub fn diff(before: &[u8], after: &[u8], context: u32, lines_max: u32) -> Diff {
    let lines = Lines::compare(before, after, Slide::Indent);
    let mut left = lines_max as usize;
    let mut words = words::Budget::default();
    let mut diff = Diff::default();
    for block in lines.blocks() {
        diff.lines_removed += u64::from(block.before.end - block.before.start);
        diff.lines_added += u64::from(block.after.end - block.after.start);
    }
    for area in areas(&lines, context) {
        let shown = area.lines(&lines).take(left);
        let mut hunk = Hunk {
            before_start: start(&area.before),
            before_lines: area.before.end - area.before.start,
            after_start: start(&area.after),
            after_lines: area.after.end - area.after.start,
            heading: String::from_utf8_lossy(area.heading).into_owned(),
            lines: shown.map(Line::from).collect(),
        };
        left -= hunk.lines.len();
        diff.lines_cut += area.lines_len() - hunk.lines.len() as u64;
        if !hunk.lines.is_empty() {
            words::emphasise(&mut hunk.lines, &mut words);
            diff.hunks.push(hunk);
        }
    }
    diff
}

impl From<Piece<'_>> for Line {
    fn from(piece: Piece<'_>) -> Self {
        let text = piece.line.strip_suffix(b"\n");
        Self {
            side: piece.side,
            text: String::from_utf8_lossy(text.unwrap_or(piece.line)).into_owned(),
            emphasis: Vec::new(),
            unterminated: text.is_none(),
            block: piece.block,
        }
    }
}

/// What a hunk's header says of where a range begins: its first line, from 1, or the line above if it is empty.
pub fn start(range: &Range<u32>) -> u32 {
    range.start + u32::from(!range.is_empty())
}

/// The extent of a hunk.
pub struct Area<'a> {
    /// Its lines before, from 0.
    pub before: Range<u32>,
    /// Its lines after, from 0.
    pub after: Range<u32>,
    /// As in [`Hunk::heading`].
    pub heading: &'a [u8],
    first_block: u32,
    blocks: &'a [Block],
}

/// A line of a hunk as it is in a text.
pub struct Piece<'a> {
    /// Where it is.
    pub side: Side,
    /// With its end of line.
    pub line: &'a [u8],
    block: u32,
}

/// Where hunks are: blocks with at most twice `context` lines between them share one.
pub fn areas<'a>(lines: &'a Lines<'a>, context: u32) -> impl Iterator<Item = Area<'a>> {
    let mut headings = Headings { lines, heading: &[], seen: 0 };
    let mut first_block = 0;
    let near = move |a: &Block, b: &Block| b.before.start - a.before.end <= context.saturating_mul(2);
    lines.blocks().chunk_by(near).filter_map(move |blocks| {
        let (first, last) = (blocks.first()?, blocks.last()?);
        let above = context.min(first.before.start).min(first.after.start);
        let below = context.min(lines.before_len() - last.before.end).min(lines.after_len() - last.after.end);
        let before = first.before.start - above..last.before.end + below;
        let area = Area {
            heading: headings.above(before.start),
            before,
            after: first.after.start - above..last.after.end + below,
            first_block,
            blocks,
        };
        first_block += blocks.len() as u32;
        Some(area)
    })
}

impl<'a> Area<'a> {
    /// How many lines it has.
    fn lines_len(&self) -> u64 {
        let added = self.blocks.iter().map(|block| u64::from(block.after.end - block.after.start));
        u64::from(self.before.end - self.before.start) + added.sum::<u64>()
    }

    /// Its lines, in order.
    pub fn lines(&self, lines: &'a Lines<'a>) -> impl Iterator<Item = Piece<'a>> {
        let context =
            |range: Range<u32>| range.map(|number| Piece { side: Side::Context, line: lines.before(number), block: 0 });
        let mut from = self.before.start;
        let end = self.before.end;
        let blocks = self.blocks.iter().zip(self.first_block..).flat_map(move |(changed, block)| {
            let above = from..changed.before.start;
            from = changed.before.end;
            let removed = changed.before.clone();
            let removed = removed.map(move |number| Piece { side: Side::Removed, line: lines.before(number), block });
            let added = changed.after.clone();
            let added = added.map(move |number| Piece { side: Side::Added, line: lines.after(number), block });
            context(above).chain(removed).chain(added)
        });
        let below = self.blocks.last().map_or(end, |last| last.before.end);
        blocks.chain(context(below..end))
    }
}

/// Finds headings from top to bottom, looking at each line once.
struct Headings<'a> {
    lines: &'a Lines<'a>,
    heading: &'a [u8],
    seen: u32,
}

impl<'a> Headings<'a> {
    fn above(&mut self, number: u32) -> &'a [u8] {
        let mut above = (self.seen..number).rev().map(|number| self.lines.before(number));
        let heads =
            |line: &&[u8]| line.first().is_some_and(|&byte| byte.is_ascii_alphabetic() || byte == b'_' || byte == b'$');
        if let Some(line) = above.find(heads) {
            self.heading = cut(line).trim_ascii_end();
        }
        self.seen = self.seen.max(number);
        self.heading
    }
}

/// The start of a line, without half a character at its end.
fn cut(line: &[u8]) -> &[u8] {
    let Some((start, [next, ..])) = line.split_at_checked(HEADING_BYTES_MAX) else { return line };
    if *next & 0xc0 != 0x80 {
        return start;
    }
    let whole = start.iter().rposition(|byte| byte & 0xc0 != 0x80).unwrap_or(start.len());
    start.get(..whole).unwrap_or(start)
}
