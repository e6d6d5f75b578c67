//! Patterns in the syntax of `.gitignore`.

use gix_glob::Pattern;
use gix_glob::pattern::Mode;
use gix_glob::wildmatch::Mode as Wildmatch;

use super::{IGNORE_BYTES_MAX, IGNORE_PATTERNS_MAX};

/// Matching takes twice as long for each `**`, so a pattern may have this many.
const DOUBLE_STARS_MAX: usize = 4;

/// With more `*`, matching would give up.
const STARS_MAX: usize = 16;

/// Whether `A` matches `a`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Case {
    /// It does not.
    #[default]
    Sensitive,
    /// It does, where the pattern is not a `!` that takes others back.
    FoldHiding,
}

/// The patterns of one file.
#[derive(Debug, Default)]
pub struct Patterns {
    patterns: Vec<Pattern>,
    case: Case,
}

impl Patterns {
    /// Reads a file. Fails, and says why, where matching it could take too long.
    pub fn parse(text: &[u8], case: Case) -> Result<Self, String> {
        if text.len() > IGNORE_BYTES_MAX {
            return Err(format!("it has {} bytes, more than {IGNORE_BYTES_MAX}", text.len()));
        }
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mut patterns = Vec::new();
        for (line, number) in text.split(|&byte| byte == b'\n').zip(1..) {
            let Some(pattern) = pattern(line) else { continue };
            let stars = pattern.text.iter().filter(|&&byte| byte == b'*').count();
            let double = pattern.text.windows(2).filter(|pair| pair == b"**").count();
            if stars > STARS_MAX || double > DOUBLE_STARS_MAX {
                return Err(format!("line {number}: a pattern with so many `*`"));
            }
            if patterns.len() == IGNORE_PATTERNS_MAX {
                return Err(format!("line {number}: more than {IGNORE_PATTERNS_MAX} patterns"));
            }
            patterns.push(pattern);
        }
        Ok(Self { patterns, case })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// What the last pattern that matches says of a path, relative to where the file is: true, or false if it takes back what
    /// others say. None where none matches. What is said of directories above is another question.
    pub fn verdict(&self, path: &str, is_directory: bool) -> Option<bool> {
        let matching = self.patterns.iter().rev().find(|pattern| self.matches(pattern, path, is_directory));
        matching.map(|pattern| !pattern.is_negative())
    }

    fn matches(&self, pattern: &Pattern, path: &str, is_directory: bool) -> bool {
        if pattern.mode.contains(Mode::MUST_BE_DIR) && !is_directory {
            return false;
        }
        let fold = self.case == Case::FoldHiding && !pattern.is_negative();
        let case = if fold { Wildmatch::IGNORE_CASE } else { Wildmatch::empty() };
        if pattern.mode.contains(Mode::NO_SUB_DIR) && !pattern.mode.contains(Mode::ABSOLUTE) {
            let name = path.rsplit('/').next().unwrap_or(path);
            return pattern.matches(name.into(), case);
        }
        // As git does, and unlike the crate's method, which would be the same but for `a**/b`: what comes before the first
        // wildcard is compared, and what is left is a pattern of its own.
        let text = pattern.text.as_slice();
        let literal = pattern.first_wildcard_pos.unwrap_or(text.len());
        let (Some((start, path)), Some((literal, text))) =
            (path.as_bytes().split_at_checked(literal), text.split_at_checked(literal))
        else {
            return false;
        };
        let same = if fold { start.eq_ignore_ascii_case(literal) } else { start == literal };
        same && gix_glob::wildmatch(text.into(), path.into(), case | Wildmatch::NO_MATCH_SLASH_LITERAL)
    }
}

/// The pattern in a line, if there is one.
fn pattern(line: &[u8]) -> Option<Pattern> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.starts_with(b"#") {
        return None;
    }
    Pattern::from_bytes(trim(line))
}

/// Without the spaces at the end, but for an escaped one.
fn trim(line: &[u8]) -> &[u8] {
    let mut end = 0;
    let mut bytes = line.iter().zip(1..);
    while let Some((&byte, at)) = bytes.next() {
        match byte {
            b' ' => {}
            b'\\' => end = bytes.next().map_or(at, |(_, at)| at),
            _ => end = at,
        }
    }
    line.get(..end).unwrap_or(line)
}
