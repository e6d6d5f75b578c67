//! Which lines of two texts are the same.
//!
//! Myers' algorithm, with the heuristics of git, so that people see the hunks that they know from `git diff`. Where two texts
//! would keep it busy for too long, they are cut apart first, at lines that are unique in both.

use std::ops::Range;

use imara_diff::{Algorithm, Diff, IndentHeuristic, IndentLevel, InternedInput, NoSliderHeuristic, Token};

/// A run of lines that were replaced by others, either of which may be none. Between two blocks there is a common line.
pub type Block = imara_diff::Hunk;

/// Where a block goes that could as well begin some lines further up or down.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Slide {
    /// Where indentation suggests that it belongs together, as `git diff` does.
    Indent,
    /// As far down as it goes, as `git merge` does.
    Down,
}

/// Steps of the algorithm that may be spent on two texts: somewhat less than a second.
const STEPS_MAX: u64 = 1 << 28;

/// Blocks, times lines, up to which blocks are moved at all. Moving one can take as many steps as there are lines.
const SLIDES_MAX: u64 = 1 << 32;

/// The least number of steps after which Myers' algorithm, as git has it, stops looking for the best way across a stretch.
const STRETCH_STEPS_MIN: u64 = 256;

/// Two texts as lines, and how they differ.
pub struct Lines<'a> {
    input: InternedInput<&'a [u8]>,
    blocks: Vec<Block>,
}

impl<'a> Lines<'a> {
    /// Compares two texts.
    pub fn compare(before: &'a [u8], after: &'a [u8], slide: Slide) -> Self {
        Self::compare_within(before, after, slide, STEPS_MAX)
    }

    /// Compares two texts in about so many steps at most.
    pub fn compare_within(before: &'a [u8], after: &'a [u8], slide: Slide, steps_max: u64) -> Self {
        let mut input = InternedInput::default();
        input.update_before(split(before));
        input.update_after(split(after));
        let blocks = blocks(&input, slide, steps_max);
        Self { input, blocks }
    }

    /// What differs, in order.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Number of lines before.
    pub fn before_len(&self) -> u32 {
        length(&self.input.before)
    }

    /// Number of lines after.
    pub fn after_len(&self) -> u32 {
        length(&self.input.after)
    }

    /// The line of this number (from 0) before, with its end of line; empty where there is none.
    pub fn before(&self, number: u32) -> &'a [u8] {
        self.line(&self.input.before, number)
    }

    /// The line of this number (from 0) after, with its end of line; empty where there is none.
    pub fn after(&self, number: u32) -> &'a [u8] {
        self.line(&self.input.after, number)
    }

    fn line(&self, tokens: &[Token], number: u32) -> &'a [u8] {
        tokens.get(number as usize).map_or(&[], |&token| self.input.interner[token])
    }
}

/// Lines with their ends.
fn split(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|&byte| byte == b'\n')
}

fn length(tokens: &[Token]) -> u32 {
    u32::try_from(tokens.len()).unwrap_or(u32::MAX)
}

fn blocks(input: &InternedInput<&[u8]>, slide: Slide, steps_max: u64) -> Vec<Block> {
    let (before, after) = (&input.before, &input.after);
    let (start, end) = common_ends(before, after);
    let middle = before.len() + after.len() - 2 * (start + end);
    if steps(middle as u64) <= steps_max {
        return whole(input, slide);
    }
    let gaps = gaps(before, after, input.interner.num_tokens());
    let differing: u64 = gaps.iter().map(|gap| (gap.before.len() + gap.after.len()) as u64).sum();
    // No more lines can differ than lie in gaps, and there are at most as many steps as lines for each.
    if differing.saturating_mul(middle as u64) <= steps_max {
        return whole(input, slide);
    }
    piecewise(before, after, &gaps, steps_max)
}

/// Compares all at once.
fn whole(input: &InternedInput<&[u8]>, slide: Slide) -> Vec<Block> {
    let mut diff = Diff::compute(Algorithm::Myers, input);
    let lines = (input.before.len() + input.after.len()) as u64;
    if (diff.hunks().count() as u64).saturating_mul(lines) <= SLIDES_MAX {
        match slide {
            Slide::Indent => diff.postprocess_with_heuristic(
                input,
                IndentHeuristic::new(|token| {
                    IndentLevel::for_ascii_line(input.interner[token].iter().copied(), TAB_COLUMNS)
                }),
            ),
            Slide::Down => diff.postprocess_with_heuristic(input, NoSliderHeuristic),
        }
    }
    diff.hunks().collect()
}

/// Columns of a tab, where indentation counts.
const TAB_COLUMNS: u8 = 8;

/// Compares each gap for itself, as long as there are steps left; then a gap is one block.
fn piecewise(before: &[Token], after: &[Token], gaps: &[Block], mut steps_left: u64) -> Vec<Block> {
    let mut blocks = Vec::new();
    for gap in gaps {
        let lines = (gap.before.len() + gap.after.len()) as u64;
        let part = |tokens: &[Token], range: &Range<u32>| {
            tokens.get(range.start as usize..range.end as usize).unwrap_or_default().to_vec()
        };
        let (mut old, mut new) = (part(before, &gap.before), part(after, &gap.after));
        match steps_left.checked_sub(steps(lines)) {
            Some(left) if !old.is_empty() && !new.is_empty() => {
                steps_left = left;
                let distinct = renumber(&mut old, &mut new);
                let mut diff = Diff::default();
                diff.compute_with(Algorithm::Myers, &old, &new, distinct);
                blocks.extend(diff.hunks().map(|block| Block {
                    before: shifted(&block.before, gap.before.start),
                    after: shifted(&block.after, gap.after.start),
                }));
            }
            _ => blocks.push(gap.clone()),
        }
    }
    blocks
}

fn shifted(range: &Range<u32>, by: u32) -> Range<u32> {
    range.start + by..range.end + by
}

/// An upper bound of the steps that Myers' algorithm takes for this many lines, on both sides together. Each stretch is given
/// up after some multiple of the square root of their number.
fn steps(lines: u64) -> u64 {
    lines.saturating_mul(lines.min(lines.isqrt().saturating_mul(2).max(STRETCH_STEPS_MIN)))
}

/// Gives the tokens of two stretches numbers of their own, from 0, and says how many there are: the algorithm counts how
/// often each occurs.
fn renumber(before: &mut [Token], after: &mut [Token]) -> u32 {
    let mut tokens: Vec<u32> = before.iter().chain(after.iter()).map(|token| token.0).collect();
    tokens.sort_unstable();
    tokens.dedup();
    for token in before.iter_mut().chain(after) {
        token.0 = tokens.partition_point(|&other| other < token.0) as u32;
    }
    tokens.len() as u32
}

/// How many lines are the same at the start and, of the rest, at the end.
fn common_ends(before: &[Token], after: &[Token]) -> (usize, usize) {
    let start = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let most = before.len().min(after.len()) - start;
    let end = before.iter().rev().zip(after.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    (start, end)
}

/// What lies between lines that are certainly the same: those at both ends, those that are unique on both sides and in the
/// same order there, and their equal neighbours.
fn gaps(before: &[Token], after: &[Token], tokens: u32) -> Vec<Block> {
    let mut gaps = Vec::new();
    let mut from = (0, 0);
    let end = (before.len(), after.len());
    for anchor in anchors(before, after, tokens).into_iter().chain([end]) {
        let old = before.get(from.0..anchor.0).unwrap_or_default();
        let new = after.get(from.1..anchor.1).unwrap_or_default();
        let (same_start, same_end) = common_ends(old, new);
        let range = |from: usize, to: usize| (from + same_start) as u32..(to - same_end) as u32;
        let gap = Block { before: range(from.0, anchor.0), after: range(from.1, anchor.1) };
        if !gap.before.is_empty() || !gap.after.is_empty() {
            gaps.push(gap);
        }
        from = anchor;
    }
    gaps
}

/// Positions of lines that occur once on both sides: the longest sequence that is in order on both.
fn anchors(before: &[Token], after: &[Token], tokens: u32) -> Vec<(usize, usize)> {
    const NONE: u32 = u32::MAX;
    const MANY: u32 = u32::MAX - 1;
    let mut places = vec![NONE; tokens as usize];
    for (place, token) in after.iter().enumerate() {
        if let Some(known) = places.get_mut(token.0 as usize) {
            *known = if *known == NONE { place as u32 } else { MANY };
        }
    }
    let mut seen = vec![0u8; tokens as usize];
    for token in before {
        if let Some(count) = seen.get_mut(token.0 as usize) {
            *count = count.saturating_add(1);
        }
    }
    // The longest increasing subsequence: `ends` has, for each length, the pair that ends it earliest on the other side.
    let mut pairs: Vec<(u32, u32, Option<u32>)> = Vec::new();
    let mut ends: Vec<u32> = Vec::new();
    for (place, token) in before.iter().enumerate() {
        let other = places.get(token.0 as usize).copied().unwrap_or(NONE);
        if other >= MANY || seen.get(token.0 as usize) != Some(&1) {
            continue;
        }
        let length = ends.partition_point(|&end| pairs.get(end as usize).is_some_and(|pair| pair.1 < other));
        let previous = length.checked_sub(1).and_then(|shorter| ends.get(shorter)).copied();
        let number = pairs.len() as u32;
        pairs.push((place as u32, other, previous));
        match ends.get_mut(length) {
            Some(end) => *end = number,
            None => ends.push(number),
        }
    }
    let mut chosen = Vec::with_capacity(ends.len());
    let mut next = ends.last().copied();
    while let Some(&(place, other, previous)) = next.and_then(|number| pairs.get(number as usize)) {
        chosen.push((place as usize, other as usize));
        next = previous;
    }
    chosen.reverse();
    chosen
}
