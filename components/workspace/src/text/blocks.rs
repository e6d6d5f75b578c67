//! Takes some of the blocks in which two texts differ.

use std::fmt;

use super::lines::{Lines, Slide};

/// There is no block of this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoBlock(pub u32);

impl fmt::Display for NoBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no block {}", self.0)
    }
}

/// The text before with only these blocks of [`diff`](super::diff()) taken from the text after, in whatever order they are
/// named. Fails if one does not exist.
pub fn apply_blocks(before: &[u8], after: &[u8], blocks: &[u32]) -> Result<Vec<u8>, NoBlock> {
    let lines = Lines::compare(before, after, Slide::Indent);
    let mut taken = vec![false; lines.blocks().len()];
    for &block in blocks {
        *taken.get_mut(block as usize).ok_or(NoBlock(block))? = true;
    }
    let mut text = Vec::with_capacity(before.len().max(after.len()));
    let mut from = 0;
    for (block, taken) in lines.blocks().iter().zip(taken) {
        (from..block.before.start).for_each(|number| text.extend_from_slice(lines.before(number)));
        if taken {
            block.after.clone().for_each(|number| text.extend_from_slice(lines.after(number)));
        } else {
            block.before.clone().for_each(|number| text.extend_from_slice(lines.before(number)));
        }
        from = block.before.end;
    }
    (from..lines.before_len()).for_each(|number| text.extend_from_slice(lines.before(number)));
    Ok(text)
}
