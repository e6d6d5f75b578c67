//! Names as file systems understand them.

use std::borrow::Cow;

use super::{HIDDEN, Rule, SHOWN};

/// The rule of [`HIDDEN`] that hides what has this name, and all that is below.
pub fn hidden_name(name: &str) -> Option<&'static Rule> {
    spellings(name, |name, find| find(HIDDEN, name).filter(|_| find(SHOWN, name).is_none()))
}

/// The first of some rules that a name falls under, however it is spelled.
pub fn find(rules: &'static [Rule], name: &str) -> Option<&'static Rule> {
    spellings(name, |name, find| find(rules, name))
}

type Find = fn(&'static [Rule], &str) -> Option<&'static Rule>;

/// Looks at a name as file systems may understand it.
fn spellings(name: &str, look: impl Fn(&str, Find) -> Option<&'static Rule>) -> Option<&'static Rule> {
    if is_plain(name) {
        return look(name, |rules, name| rules.iter().find(|rule| rule.matches(name)));
    }
    // To some hosts, a backslash separates names as well.
    name.split('\\').find_map(|name| {
        look(&plain(name), |rules, name| {
            let short = name.contains('~');
            rules.iter().find(|rule| rule.matches(name) || (short && rule.matches_short(name)))
        })
    })
}

/// A path with the [plain](plain) form of its names, where that is another one.
pub fn plain_path(path: &str) -> Option<String> {
    let is_separator = |char| matches!(char, '/' | '\\');
    if path.split(is_separator).all(|name| plain(name) == name) && !path.contains('\\') {
        return None;
    }
    let names: Vec<_> = path.split(is_separator).map(plain).collect();
    Some(names.join("/"))
}

/// Whether all file systems understand a name alike, but for case.
fn is_plain(name: &str) -> bool {
    let special = |byte: u8| !byte.is_ascii() | (byte == b':') | (byte == b'\\') | (byte == b'~');
    // Without a branch for each byte, for this is asked of each name of each path.
    !name.bytes().fold(false, |found, byte| found | special(byte)) && !name.ends_with(['.', ' '])
}

/// What a name may mean: HFS+ leaves out characters that are not seen, NTFS points and spaces at the end and what follows a
/// colon, and some fold letters to ASCII ones. What an editor keeps as a backup, with `~`, counts as the file itself.
fn plain(name: &str) -> Cow<'_, str> {
    if is_plain(name) {
        return Cow::Borrowed(name);
    }
    let name = name.split(':').next().unwrap_or(name);
    let unseen = |char: char| matches!(char, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    let end = ['.', ' ', '~'];
    if !name.contains(|char| unseen(char) || matches!(char, LONG_S | KELVIN)) {
        return Cow::Borrowed(name.trim_end_matches(end));
    }
    let folded = |char| match char {
        LONG_S => 's',
        KELVIN => 'k',
        char => char,
    };
    let name: String = name.chars().filter(|&char| !unseen(char)).map(folded).collect();
    Cow::Owned(name.trim_end_matches(end).to_owned())
}

const LONG_S: char = '\u{17f}';
const KELVIN: char = '\u{212a}';

impl Rule {
    fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.pattern.as_bytes(), name.as_bytes());
        let Some(star) = self.star else { return name.eq_ignore_ascii_case(pattern) };
        let same = |part: Option<&[u8]>, of: Option<&[u8]>| {
            part.zip(of).is_some_and(|(part, of)| part.eq_ignore_ascii_case(of))
        };
        // The last byte first: it tells most names apart.
        let last = |bytes: &[u8]| bytes.last().map(u8::to_ascii_lowercase);
        (last(name) == last(pattern) || pattern.ends_with(b"*"))
            && name.len() + 1 >= pattern.len()
            && same(name.get(..star), pattern.get(..star))
            && same(name.get(name.len() + star + 1 - pattern.len()..), pattern.get(star + 1..))
    }

    /// Whether it is the second name that Windows may give a file whose name is not of the form that DOS knew: `GIT~1`.
    fn matches_short(&self, name: &str) -> bool {
        const KEPT: usize = 6;
        let Some((kept, number)) = name.split_once('~') else { return false };
        let pattern = self.pattern.bytes().filter(|&byte| byte != b'.').take(KEPT);
        self.star.is_none()
            && number.starts_with(|char: char| char.is_ascii_digit())
            && pattern.eq(kept.bytes().map(|byte| byte.to_ascii_lowercase()))
    }
}
