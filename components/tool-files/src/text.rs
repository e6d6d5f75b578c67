//! Text for a model, never longer than it can use.

use std::borrow::Cow;
use std::time::SystemTime;

use jiff::Timestamp;

/// The most text that a result carries. More costs a model its context and helps it little.
pub const TEXT_BYTES_MAX: usize = 256 * 1024;

/// Lines, up to a number of lines and of bytes.
#[derive(Debug)]
pub struct Text {
    text: String,
    lines_left: usize,
    cut: bool,
}

/// A moment of a [`Text`] to which it can go back.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    bytes: usize,
    lines_left: usize,
    cut: bool,
}

impl Text {
    /// At most `lines_max` lines, and at most [`TEXT_BYTES_MAX`] bytes.
    pub fn new(lines_max: usize) -> Self {
        Self { text: String::new(), lines_left: lines_max, cut: false }
    }

    /// Adds a line. Once one did not fit, none is added any more.
    pub fn line(&mut self, line: &str) -> bool {
        self.cut |= self.lines_left == 0 || self.text.len() + line.len() + 1 > TEXT_BYTES_MAX;
        if !self.cut {
            self.lines_left -= 1;
            self.text.push_str(line);
            self.text.push('\n');
        }
        !self.cut
    }

    /// Whether a line was left out.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Remembers what is there.
    pub fn mark(&self) -> Mark {
        Mark { bytes: self.text.len(), lines_left: self.lines_left, cut: self.cut }
    }

    /// Forgets what came after `mark`.
    pub fn reset(&mut self, mark: Mark) {
        self.text.truncate(mark.bytes);
        self.lines_left = mark.lines_left;
        self.cut = mark.cut;
    }

    /// The text without its last line end, and notes in brackets below it, which always fit.
    pub fn finish(self, notes: &[String]) -> String {
        let mut text = self.text;
        for note in notes {
            text.push_str(&format!("[{note}]\n"));
        }
        text.truncate(text.trim_end_matches('\n').len());
        text
    }
}

/// A line as a model should see it: without its line end, and cut after `chars_max` characters. `bytes` may be only
/// the beginning of a line of `bytes_in_all`. Also says whether it was cut.
pub fn shorten(bytes: &[u8], bytes_in_all: u64, chars_max: usize) -> (String, bool) {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let line: Cow<str> = String::from_utf8_lossy(bytes);
    match line.char_indices().nth(chars_max) {
        None => (line.into_owned(), false),
        Some((end, _)) => (format!("{}… [cut: the line has {} bytes]", &line[..end], group(bytes_in_all)), true),
    }
}

/// A number as people read it: `1,234,567`.
pub fn group(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 line`, `2 lines`.
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", group(number), if number == 1 { one } else { many })
}

/// RFC 3339, UTC, whole seconds.
pub fn rfc3339(time: SystemTime) -> String {
    Timestamp::try_from(time)
        .and_then(|time| Timestamp::from_second(time.as_second()))
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn a_text_ends_at_its_lines_and_bytes() {
        let mut text = Text::new(2);
        assert!(text.line("a") && text.line("b") && !text.is_cut());
        assert!(!text.line("c") && text.is_cut());
        assert_eq!(text.finish(&["more".into()]), "a\nb\n[more]");

        let mut text = Text::new(usize::MAX);
        assert!(text.line(&"x".repeat(TEXT_BYTES_MAX - 2)));
        assert!(!text.line("y"));
        // Not even what would fit: a gap in the middle would mislead.
        assert!(!text.line(""));
        assert_eq!(text.finish(&[]).len(), TEXT_BYTES_MAX - 2);
    }

    #[test]
    fn a_text_goes_back_to_a_mark() {
        let mut text = Text::new(2);
        text.line("a");
        let mark = text.mark();
        text.line("b");
        text.line("c");
        text.reset(mark);
        assert!(!text.is_cut() && text.line("d"));
        assert_eq!(text.finish(&[]), "a\nd");
    }

    #[test]
    fn lines_are_cut_between_characters() {
        assert_eq!(shorten(b"ab\r\n", 4, 2), ("ab".into(), false));
        assert_eq!(shorten("äöü".as_bytes(), 6, 3), ("äöü".into(), false));
        assert_eq!(shorten("äöü".as_bytes(), 1234, 2), ("äö… [cut: the line has 1,234 bytes]".into(), true));
        assert_eq!(shorten(b"a\xffb", 3, 9).0, "a\u{fffd}b");
    }

    #[test]
    fn numbers_and_times_are_readable() {
        assert_eq!([0, 999, 1000, 1234567].map(group), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(count(1, "line", "lines"), "1 line");
        assert_eq!(count(2000, "line", "lines"), "2,000 lines");
        assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_millis(1_500)), "1970-01-01T00:00:01Z");
        assert_eq!(rfc3339(UNIX_EPOCH - Duration::from_secs(1)), "1969-12-31T23:59:59Z");
    }
}
