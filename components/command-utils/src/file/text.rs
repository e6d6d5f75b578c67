//! Text: its encoding, its lines, and what it looks like.

use super::Kind;

/// Longer lines are very long.
const LINE_BYTES: usize = 300;

/// Programs that scripts are for.
const PROGRAMS: &[(&str, &str, &str)] = &[
    ("bash", "Bourne-Again shell", "text/x-shellscript"),
    ("dash", "POSIX shell", "text/x-shellscript"),
    ("sh", "POSIX shell", "text/x-shellscript"),
    ("zsh", "Paul Falstad's zsh", "text/x-shellscript"),
    ("ksh", "Korn shell", "text/x-shellscript"),
    ("python", "Python", "text/x-script.python"),
    ("perl", "Perl", "text/x-perl"),
    ("ruby", "Ruby", "text/x-ruby"),
    ("node", "Node.js", "application/javascript"),
    ("php", "PHP", "text/x-php"),
    ("awk", "awk", "text/x-awk"),
    ("lua", "Lua", "text/x-lua"),
    ("make", "makefile", "text/x-makefile"),
];

/// None: it is no text.
pub fn kind(bytes: &[u8], is_whole: bool) -> Option<Kind> {
    let (words, encoding) = encoding(bytes, is_whole)?;
    let lines = terminators(bytes);
    let finish = |what: &str, mime, is_executable: bool| {
        let before = if what.is_empty() { String::new() } else { format!("{what}, ") };
        let executable = if is_executable { " executable" } else { "" };
        Kind { words: format!("{before}{words}{executable}{lines}"), mime, encoding }
    };
    let text = String::from_utf8_lossy(bytes);
    let begin = text.trim_start_matches('\u{feff}').trim_start();
    if let Some(line) = text.strip_prefix("#!") {
        let line = line.lines().next().unwrap_or_default().trim();
        return Some(script(line, &finish));
    }
    if is_whole && matches!(begin.as_bytes().first(), Some(b'{' | b'[')) && is_json(begin) {
        return Some(Kind { words: "JSON text data".to_owned(), mime: "application/json", encoding });
    }
    if let Some(rest) = begin.strip_prefix("<?xml") {
        let version = rest.split(['"', '\'']).nth(1).unwrap_or("1.0");
        let is_image = begin.contains("<svg");
        let what =
            if is_image { "SVG Scalable Vector Graphics image".to_owned() } else { format!("XML {version} document") };
        return Some(finish(&what, if is_image { "image/svg+xml" } else { "text/xml" }, false));
    }
    let lower: String = begin.chars().take(200).collect::<String>().to_ascii_lowercase();
    if lower.starts_with("<svg") {
        return Some(finish("SVG Scalable Vector Graphics image", "image/svg+xml", false));
    }
    if lower.starts_with("<!doctype html") || lower.starts_with("<html") || lower.starts_with("<head") {
        return Some(finish("HTML document", "text/html", false));
    }
    if text.starts_with("-----BEGIN CERTIFICATE") {
        return Some(finish("PEM certificate", "text/plain", false));
    }
    if text.starts_with("diff --git ") || (text.starts_with("--- ") && text.contains("\n+++ ")) {
        return Some(finish("unified diff output", "text/x-diff", false));
    }
    let first = |words: &[&str]| text.lines().take(50).any(|line| words.iter().any(|word| line.starts_with(word)));
    if first(&["#include <", "#include \""]) {
        return Some(finish("C source", "text/x-c", false));
    }
    if first(&["def ", "class "]) && text.lines().any(|line| line.starts_with("import ") || line.starts_with("from ")) {
        return Some(finish("Python script", "text/x-script.python", true));
    }
    Some(finish("", "text/plain", false))
}

fn script(line: &str, finish: &dyn Fn(&str, &'static str, bool) -> Kind) -> Kind {
    let mut words = line.split_whitespace();
    let mut program = words.next().unwrap_or_default();
    if program.ends_with("/env") {
        program = words.find(|word| !word.starts_with('-')).unwrap_or(program);
    }
    let name =
        program.rsplit('/').next().unwrap_or_default().trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    match PROGRAMS.iter().find(|(known, ..)| *known == name) {
        Some((_, what, mime)) => finish(&format!("{what} script"), mime, true),
        None => finish(&format!("a {line} script"), "text/plain", true),
    }
}

fn encoding(bytes: &[u8], is_whole: bool) -> Option<(&'static str, &'static str)> {
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] if std::str::from_utf8(rest).is_ok() => {
            return Some(("Unicode text, UTF-8 (with BOM) text", "utf-8"));
        }
        [0xff, 0xfe, ..] => return Some(("Unicode text, UTF-16, little-endian text", "utf-16le")),
        [0xfe, 0xff, ..] => return Some(("Unicode text, UTF-16, big-endian text", "utf-16be")),
        _ => {}
    }
    let is_control = |byte: &u8| matches!(byte, 0..=6 | 0x0e..=0x1a | 0x1c..=0x1f | 0x7f);
    if bytes.iter().any(is_control) {
        return None;
    }
    if bytes.is_ascii() {
        return Some(("ASCII text", "us-ascii"));
    }
    match std::str::from_utf8(bytes) {
        Ok(_) => Some(("Unicode text, UTF-8 text", "utf-8")),
        // The last character may be cut.
        Err(error) if !is_whole && error.error_len().is_none() => Some(("Unicode text, UTF-8 text", "utf-8")),
        Err(_) if bytes.iter().any(|byte| (0x80..0xa0).contains(byte)) => {
            Some(("Non-ISO extended-ASCII text", "unknown-8bit"))
        }
        Err(_) => Some(("ISO-8859 text", "iso-8859-1")),
    }
}

fn terminators(bytes: &[u8]) -> String {
    let (mut ends, mut both, mut alone) = (0, 0, 0);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\n' if at > 0 && bytes[at - 1] == b'\r' => both += 1,
            b'\n' => ends += 1,
            b'\r' if bytes.get(at + 1) != Some(&b'\n') => alone += 1,
            _ => {}
        }
    }
    let longest = bytes.split(|byte| *byte == b'\n').map(<[u8]>::len).max().unwrap_or(0);
    let mut words = String::new();
    if longest > LINE_BYTES {
        words.push_str(&format!(", with very long lines ({longest})"));
    }
    let kinds: Vec<&str> = [(both, "CRLF"), (alone, "CR"), (ends, "LF")]
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(_, name)| *name)
        .collect();
    match kinds[..] {
        ["LF"] => {}
        [] => words.push_str(", with no line terminators"),
        _ => words.push_str(&format!(", with {} line terminators", kinds.join(", "))),
    }
    words
}

/// Whether it is one whole value of JSON: brackets and strings that go together, and nothing after them.
fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}
