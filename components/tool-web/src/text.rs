//! Text for a model, never longer than it can use.

/// The most text of a page that a result carries: some 25,000 tokens.
pub const TEXT_BYTES_MAX: usize = 100_000;

/// The beginning of a text, up to so many bytes: whole lines, where one ends in the second half.
pub fn beginning(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let start = &text[..text.floor_char_boundary(bytes_max)];
    match start.rfind('\n') {
        Some(end) if end >= bytes_max / 2 => &start[..end],
        _ => start,
    }
}

/// One line of at most so many characters, without what is no character to read.
pub fn line(text: &str, chars_max: usize) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.retain(|c| !c.is_control());
    match line.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// A number as people read it: `1,234,567`.
pub fn group(number: usize) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_ends_between_lines_or_characters() {
        assert_eq!(beginning("abc", 3), "abc");
        assert_eq!(beginning("abcd\nefgh", 7), "abcd");
        assert_eq!(beginning("a\nbcdefgh", 7), "a\nbcdef");
        assert_eq!(beginning("äöü", 3), "ä");
    }

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(line(" a\n\tb\u{7} c ", 9), "a b c");
        assert_eq!(line("äöü", 2), "äö…");
        assert_eq!(group(1_234_567), "1,234,567");
    }
}
