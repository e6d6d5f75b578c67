//! Merges two new versions of a text.

use std::ops::Range;

use super::is_compared;
use super::lines::{Block, Lines, Slide};

/// `base` with what was changed in `ours` and in `theirs`. None where the changes conflict: they touch each other without
/// being the same, or one of the three is not compared line by line.
pub fn merge(base: &[u8], ours: &[u8], theirs: &[u8]) -> Option<Vec<u8>> {
    if ours == theirs || base == theirs {
        return Some(ours.to_vec());
    }
    if base == ours {
        return Some(theirs.to_vec());
    }
    if ![base, ours, theirs].into_iter().all(is_compared) {
        return None;
    }
    let (ours, theirs) = (Version::new(base, ours), Version::new(base, theirs));
    let mut merged = Vec::with_capacity(base.len());
    let mut done = 0;
    let (mut our, mut their) = (ours.lines.blocks().iter().peekable(), theirs.lines.blocks().iter().peekable());
    while let Some(first) = earlier(our.peek().copied(), their.peek().copied()) {
        // All blocks of either version that touch each other, directly or by way of others, are decided as one.
        let mut region = first.before.clone();
        let (mut our_blocks, mut their_blocks) = (Vec::new(), Vec::new());
        loop {
            let touches = |block: &&Block| block.before.start <= region.end;
            let (our_block, their_block) = (our.next_if(touches), their.next_if(touches));
            if our_block.is_none() && their_block.is_none() {
                break;
            }
            for block in [our_block, their_block].into_iter().flatten() {
                region.end = region.end.max(block.before.end);
            }
            our_blocks.extend(our_block);
            their_blocks.extend(their_block);
        }
        (done..region.start).for_each(|number| merged.extend_from_slice(ours.lines.before(number)));
        let (our_text, their_text) = (ours.text(&region, &our_blocks), theirs.text(&region, &their_blocks));
        match (our_blocks.is_empty(), their_blocks.is_empty()) {
            (false, false) if our_text != their_text => return None,
            (true, _) => merged.extend_from_slice(&their_text),
            _ => merged.extend_from_slice(&our_text),
        }
        done = region.end;
    }
    (done..ours.lines.before_len()).for_each(|number| merged.extend_from_slice(ours.lines.before(number)));
    Some(merged)
}

fn earlier<'a>(one: Option<&'a Block>, other: Option<&'a Block>) -> Option<&'a Block> {
    [one, other].into_iter().flatten().min_by_key(|block| block.before.start)
}

struct Version<'a> {
    lines: Lines<'a>,
}

impl<'a> Version<'a> {
    fn new(base: &'a [u8], text: &'a [u8]) -> Self {
        Self { lines: Lines::compare(base, text, Slide::Down) }
    }

    /// What this version has in place of some lines of the base, in which it differs by these blocks.
    fn text(&self, region: &Range<u32>, blocks: &[&Block]) -> Vec<u8> {
        let mut text = Vec::new();
        let mut from = region.start;
        for block in blocks {
            (from..block.before.start).for_each(|number| text.extend_from_slice(self.lines.before(number)));
            block.after.clone().for_each(|number| text.extend_from_slice(self.lines.after(number)));
            from = block.before.end;
        }
        (from..region.end).for_each(|number| text.extend_from_slice(self.lines.before(number)));
        text
    }
}
