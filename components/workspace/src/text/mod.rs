//! Text: how two contents differ, line by line; patches, merges, descriptions, renames. Plain functions over bytes, without
//! any state, that end within about a second whatever they are given.

mod blocks;
mod describe;
mod diff;
mod lines;
mod merge;
mod patch;
mod renames;
#[cfg(test)]
mod tests;
mod words;

pub use blocks::apply_blocks;
pub use describe::{HEAD_BYTES, describe};
pub use diff::{Hunk, Line, Side, diff};
pub use merge::merge;
pub use patch::{Content, Mode, unified};
use renames::similarity;
pub use renames::{Candidate, Which, renames};

/// Content above this is not compared line by line.
pub const COMPARED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How much of a file's head decides whether it is text, as in git.
const TEXT_HEAD_BYTES: usize = 8_000;

/// Whether content counts as text: it has no NUL in its first 8,000 bytes, which is git's rule. It need not be UTF-8.
pub fn is_text(content: &[u8]) -> bool {
    !content.iter().take(TEXT_HEAD_BYTES).any(|&byte| byte == 0)
}

/// Whether content is compared line by line: it is text, and of at most [`COMPARED_BYTES_MAX`].
pub fn is_compared(content: &[u8]) -> bool {
    content.len() <= COMPARED_BYTES_MAX && is_text(content)
}
