// FIXME: rename
pub fn format_line(word: &str, count: usize) -> String {
    format!("{count:>5} {word}")
}

pub fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}
