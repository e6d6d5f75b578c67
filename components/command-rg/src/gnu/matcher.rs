//! What the patterns of a command line are matched with.

use std::io;

use fancy_regex::{Regex, RegexBuilder};
use grep::matcher::{LineTerminator, Match, Matcher, NoCaptures};
use grep::regex::{RegexMatcher, RegexMatcherBuilder};

use super::options::{Options, Syntax};
use super::pattern::{escape, translate};

/// Steps back that a pattern with references may take in one line.
const BACKTRACKS_MAX: usize = 10_000_000;

pub enum AnyMatcher {
    /// In linear time.
    Regex(RegexMatcher),
    /// One that looks back or around, and backtracks.
    Backtracking(Backtracking),
}

/// # Errors
/// What grep says of a pattern.
pub fn build(options: &Options) -> Result<AnyMatcher, String> {
    let mut regexes = Vec::new();
    let mut needs_backtracking = false;
    for pattern in &options.patterns {
        let regex = match options.syntax {
            Syntax::Fixed => escape(pattern),
            Syntax::Basic | Syntax::Extended => {
                let translated = translate(pattern, options.syntax == Syntax::Extended)?;
                needs_backtracking |= translated.has_references;
                translated.regex
            }
            Syntax::Perl => pattern.clone(),
        };
        regexes.push(regex);
    }
    if !needs_backtracking {
        let mut builder = RegexMatcherBuilder::new();
        builder
            .multi_line(true)
            .unicode(true)
            .case_insensitive(options.ignore_case)
            .word(options.word && !options.whole_line)
            .whole_line(options.whole_line)
            .size_limit(256 << 20)
            .line_terminator(Some(if options.null_data { 0 } else { b'\n' }));
        match builder.build_many(&regexes) {
            Ok(matcher) => return Ok(AnyMatcher::Regex(matcher)),
            Err(error) if options.syntax != Syntax::Perl => return Err(short(&error.to_string())),
            // Perl's may look around or refer back.
            Err(_) => {}
        }
    }
    let mut all = regexes.iter().map(|regex| format!("(?:{regex})")).collect::<Vec<_>>().join("|");
    if regexes.len() == 1 {
        // Groups keep their numbers, and what is matched its beginning (`\K`).
        all.clone_from(&regexes[0]);
    }
    if options.whole_line {
        all = format!("^(?:{all})$");
    } else if options.word {
        all = format!(r"(?<!\w)(?:{all})(?!\w)");
    }
    let regex = RegexBuilder::new(&all)
        .case_insensitive(options.ignore_case)
        .backtrack_limit(BACKTRACKS_MAX)
        .build()
        .map_err(|error| short(&error.to_string()))?;
    Ok(AnyMatcher::Backtracking(Backtracking(regex)))
}

/// The last line of an error, without the picture above it.
fn short(error: &str) -> String {
    let last = error.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// Gets each line by itself, because it names no line terminator.
pub struct Backtracking(Regex);

impl Matcher for Backtracking {
    type Captures = NoCaptures;
    type Error = io::Error;

    fn find_at(&self, line: &[u8], at: usize) -> Result<Option<Match>, io::Error> {
        let end = line.strip_suffix(b"\n").map_or(line.len(), <[u8]>::len);
        // What is no text has no match: positions in it would be those of another text.
        let Ok(text) = std::str::from_utf8(&line[..end]) else { return Ok(None) };
        if at > end || !text.is_char_boundary(at) {
            return Ok(None);
        }
        let found = self.0.find_from_pos(text, at).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(found.map(|found| Match::new(found.start(), found.end())))
    }

    fn new_captures(&self) -> Result<NoCaptures, io::Error> {
        Ok(NoCaptures::new())
    }
}

impl Matcher for AnyMatcher {
    type Captures = NoCaptures;
    type Error = io::Error;

    fn find_at(&self, text: &[u8], at: usize) -> Result<Option<Match>, io::Error> {
        match self {
            Self::Regex(matcher) => matcher.find_at(text, at).map_err(|error| io::Error::other(error.to_string())),
            Self::Backtracking(matcher) => matcher.find_at(text, at),
        }
    }

    fn new_captures(&self) -> Result<NoCaptures, io::Error> {
        Ok(NoCaptures::new())
    }

    fn line_terminator(&self) -> Option<LineTerminator> {
        match self {
            Self::Regex(matcher) => matcher.line_terminator(),
            Self::Backtracking(_) => None,
        }
    }

    fn non_matching_bytes(&self) -> Option<&grep::matcher::ByteSet> {
        match self {
            Self::Regex(matcher) => matcher.non_matching_bytes(),
            Self::Backtracking(_) => None,
        }
    }

    fn find_candidate_line(&self, text: &[u8]) -> Result<Option<grep::matcher::LineMatchKind>, io::Error> {
        match self {
            Self::Regex(matcher) => {
                matcher.find_candidate_line(text).map_err(|error| io::Error::other(error.to_string()))
            }
            Self::Backtracking(matcher) => {
                Ok(matcher.shortest_match(text)?.map(grep::matcher::LineMatchKind::Confirmed))
            }
        }
    }
}
