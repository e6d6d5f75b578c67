//! Which words of a line differ from the line that it replaced.

use std::ops::Range;

use imara_diff::{Algorithm, Diff, InternedInput};

use super::diff::{Line, Side};

/// Longer lines, in bytes, are not compared word by word.
const LINE_BYTES_MAX: usize = 2_000;

/// Blocks of more lines are not compared word by word.
const BLOCK_LINES_MAX: usize = 100;

/// How much of two lines has to be the same, in percent of their words' bytes, for one to be a new version of the other.
const SIMILAR_PERCENT: usize = 40;

/// What is still spent on comparing words, in bytes of lines. Nobody reads so many hunks that it is missed.
pub struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(1024 * 1024)
    }
}

impl Budget {
    /// Whether two lines may be compared.
    fn take(&mut self, one: &Words, other: &Words) -> bool {
        let cost = one.text.len() + other.text.len();
        let left = self.0.checked_sub(cost);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}

/// Marks the words that differ in each block of a hunk's lines.
pub fn emphasise(lines: &mut [Line], budget: &mut Budget) {
    for block in lines.chunk_by_mut(|a, b| a.block == b.block && a.side != Side::Context && b.side != Side::Context) {
        let removed = block.iter().take_while(|line| line.side == Side::Removed).count();
        let long = |line: &Line| line.text.len() > LINE_BYTES_MAX;
        if block.len() > BLOCK_LINES_MAX || block.iter().any(long) {
            continue;
        }
        let (removed, added) = block.split_at_mut(removed);
        for (old, new) in pairs(removed, added, budget) {
            if let (Some(old), Some(new)) = (removed.get_mut(old), added.get_mut(new)) {
                (old.emphasis, new.emphasis) = differing(&old.text, &new.text);
            }
        }
    }
}

/// A line's words, to be compared regardless of their order.
struct Words<'a> {
    text: &'a str,
    /// Sorted; without white space.
    words: Vec<&'a str>,
    bytes: usize,
}

impl<'a> Words<'a> {
    fn new(line: &'a Line) -> Self {
        let mut words: Vec<_> = tokens(&line.text).filter(|token| !is_blank(token)).collect();
        words.sort_unstable();
        Self { text: &line.text, bytes: words.iter().map(|word| word.len()).sum(), words }
    }

    /// How much is the same, in percent; 0 if that is too little.
    fn similarity(&self, other: &Self, budget: &mut Budget) -> usize {
        let bytes = self.bytes + other.bytes;
        let percent = |common: usize| (200 * common).checked_div(bytes).filter(|&percent| percent >= SIMILAR_PERCENT);
        if percent(self.bytes.min(other.bytes)).is_none() || !budget.take(self, other) {
            return 0;
        }
        let (mut ours, mut theirs) = (self.words.iter().peekable(), other.words.iter().peekable());
        let mut common = 0;
        while let (Some(our), Some(their)) = (ours.peek(), theirs.peek()) {
            let order = our.cmp(their);
            if order.is_eq() {
                common += our.len();
            }
            if order.is_le() {
                ours.next();
            }
            if order.is_ge() {
                theirs.next();
            }
        }
        percent(common).unwrap_or(0)
    }
}

/// Which lines are versions of each other: line by line if there are as many, else those that have most in common and are
/// in order.
fn pairs(removed: &[Line], added: &[Line], budget: &mut Budget) -> Vec<(usize, usize)> {
    let olds: Vec<_> = removed.iter().map(Words::new).collect();
    let news: Vec<_> = added.iter().map(Words::new).collect();
    if olds.len() == news.len() {
        let similar = |(number, (old, new)): (usize, (&Words, &Words))| {
            (old.similarity(new, budget) > 0).then_some((number, number))
        };
        return olds.iter().zip(&news).enumerate().filter_map(similar).collect();
    }
    // The best sum for what comes from each pair of lines on, and whether that pair is part of it.
    let width = news.len() + 1;
    let mut best = vec![(0usize, false); (olds.len() + 1) * width];
    let sum = |best: &[(usize, bool)], old: usize, new: usize| best.get(old * width + new).map_or(0, |cell| cell.0);
    for (o, old) in olds.iter().enumerate().rev() {
        for (n, new) in news.iter().enumerate().rev() {
            let similarity = old.similarity(new, budget);
            let paired = if similarity > 0 { similarity + sum(&best, o + 1, n + 1) } else { 0 };
            let unpaired = sum(&best, o + 1, n).max(sum(&best, o, n + 1));
            if let Some(cell) = best.get_mut(o * width + n) {
                *cell = (paired.max(unpaired), paired > unpaired);
            }
        }
    }
    let (mut o, mut n) = (0, 0);
    let mut pairs = Vec::new();
    while o < olds.len() && n < news.len() {
        if best.get(o * width + n).is_some_and(|cell| cell.1) {
            pairs.push((o, n));
            (o, n) = (o + 1, n + 1);
        } else if sum(&best, o + 1, n) >= sum(&best, o, n + 1) {
            o += 1;
        } else {
            n += 1;
        }
    }
    pairs
}

type Spans = Vec<Range<u32>>;

/// Where two lines differ, as ranges of bytes of each.
fn differing(old: &str, new: &str) -> (Spans, Spans) {
    let mut input = InternedInput::default();
    input.update_before(tokens(old));
    input.update_after(tokens(new));
    let mut diff = Diff::compute(Algorithm::Myers, &input);
    diff.postprocess_no_heuristic(&input);
    (spans(old, |number| diff.is_removed(number)), spans(new, |number| diff.is_added(number)))
}

/// Joins what differs, also across white space: words that follow each other are one change.
fn spans(line: &str, differs: impl Fn(u32) -> bool) -> Spans {
    let mut spans: Spans = Vec::new();
    let mut start = 0;
    let mut joins = false;
    for (token, number) in tokens(line).zip(0..) {
        let end = start + token.len() as u32;
        if differs(number) {
            match spans.last_mut().filter(|_| joins) {
                Some(span) => span.end = end,
                None => spans.push(start..end),
            }
            joins = true;
        } else {
            joins &= is_blank(token);
        }
        start = end;
    }
    spans
}

fn is_blank(token: &str) -> bool {
    token.starts_with(char::is_whitespace)
}

/// The parts of a line: words, runs of white space, and every other character by itself.
fn tokens(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let mut chars = rest.char_indices();
        let kind = Kind::of(chars.next()?.1);
        let same = |&(_, char): &(usize, char)| kind == Kind::of(char) && kind != Kind::Single;
        let end = chars.find(|next| !same(next)).map_or(rest.len(), |(at, _)| at);
        let (token, left) = rest.split_at_checked(end)?;
        rest = left;
        Some(token)
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Word,
    Blank,
    Single,
}

impl Kind {
    fn of(char: char) -> Self {
        // From here on are scripts that write words without space between them: there, each character counts.
        const IDEOGRAPHS: char = '\u{2e80}';
        match char {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => Self::Word,
            ' ' | '\t' => Self::Blank,
            _ if char.is_whitespace() => Self::Blank,
            _ if char < IDEOGRAPHS && char.is_alphanumeric() => Self::Word,
            _ => Self::Single,
        }
    }
}
