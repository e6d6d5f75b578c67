//! Diffs for people: colour, numbers, the words that changed.

use std::fmt::Write;
use std::io::IsTerminal;

use wardian_host::wit::{Content, Description, FileDiff, Hunk, Line, Side};

use crate::review::{letter, title};

/// Lines of one file's hunks that are shown, unless all are asked for.
pub const FILE_LINES_MAX: u32 = 400;

/// Lines of all files together.
pub const LINES_MAX: usize = 2_000;

/// Lines around a change.
pub const CONTEXT: u32 = 3;

const TAB: &str = "    ";

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    Always,
    Never,
}

impl Color {
    pub fn paint(self) -> Paint {
        Paint(match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        })
    }
}

/// Colours, or not.
#[derive(Debug, Clone, Copy)]
pub struct Paint(pub bool);

impl Paint {
    pub fn code(self, code: &str, text: &str) -> String {
        if self.0 && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A change's letter and title.
    pub fn headline(self, change: &wardian_host::wit::Change) -> String {
        format!("{} {}", self.letter(change), title(change))
    }

    /// The same above what was changed, where it has to stand out.
    pub fn heading(self, change: &wardian_host::wit::Change) -> String {
        format!("{} {}", self.letter(change), self.code("1", &title(change)))
    }

    fn letter(self, change: &wardian_host::wit::Change) -> String {
        let letter = letter(change);
        let code = match letter {
            'A' => "1;32",
            'D' | '!' => "1;31",
            _ => "1;33",
        };
        self.code(code, &letter.to_string())
    }
}

/// Makes what a terminal would act on visible.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\t' => shown.push_str(TAB),
            '\r' => shown.push('␍'),
            char if char.is_control() => {
                let picture = u32::from(char).checked_add(0x2400).filter(|code| *code < 0x2420);
                shown.push(picture.and_then(char::from_u32).unwrap_or('\u{fffd}'));
            }
            // Text that runs the other way could show a line as something else.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => shown.push('\u{fffd}'),
            char => shown.push(char),
        }
    }
    shown
}

/// One file: what happened to it, then how.
pub fn file(diff: &FileDiff, paint: Paint) -> String {
    let mut text = String::new();
    let counts = if diff.lines_added + diff.lines_removed > 0 {
        let added = paint.code("32", &format!("+{}", diff.lines_added));
        let removed = paint.code("31", &format!("−{}", diff.lines_removed));
        format!("  {added} {removed}")
    } else {
        String::new()
    };
    let _ = writeln!(text, "{}{counts}", paint.heading(&diff.change));
    match &diff.content {
        Content::Binary(description) => describe(&mut text, description),
        Content::Text(hunks) => {
            for hunk in hunks {
                self::hunk(&mut text, hunk, paint);
            }
        }
    }
    if diff.lines_cut > 0 {
        let more = format!("… {} more lines of {} (--full shows all)", diff.lines_cut, title(&diff.change));
        let _ = writeln!(text, "{}", paint.code("2", &more));
    }
    text
}

fn describe(text: &mut String, description: &Description) {
    let _ = match (&description.before, &description.after) {
        (Some(before), Some(after)) => writeln!(text, "  {} → {}", visible(before), visible(after)),
        (None, Some(after)) => writeln!(text, "  {}", visible(after)),
        (Some(before), None) => writeln!(text, "  was: {}", visible(before)),
        (None, None) => Ok(()),
    };
}

/// One hunk with the numbers of its lines.
pub fn hunk(text: &mut String, hunk: &Hunk, paint: Paint) {
    let head = format!("@@ -{},{} +{},{} @@", hunk.before_start, hunk.before_lines, hunk.after_start, hunk.after_lines);
    let heading = if hunk.heading.is_empty() { String::new() } else { format!(" {}", visible(&hunk.heading)) };
    let _ = writeln!(text, "{}{}", paint.code("36", &head), paint.code("2", &heading));
    // Where a side has no lines, its number is that of the line above.
    let first = |start: u32, lines: u32| if lines == 0 { start + 1 } else { start };
    let mut old = first(hunk.before_start, hunk.before_lines);
    let mut new = first(hunk.after_start, hunk.after_lines);
    let width = (hunk.before_start + hunk.before_lines).max(hunk.after_start + hunk.after_lines).to_string().len();
    for line in &hunk.lines {
        let number = |number: u32| format!("{number:>width$}");
        let none = " ".repeat(width);
        let (gutter, sign, code) = match line.side {
            Side::Context => (format!("{} {}", number(old), number(new)), ' ', ""),
            Side::Removed => (format!("{} {none}", number(old)), '-', "31"),
            Side::Added => (format!("{none} {}", number(new)), '+', "32"),
        };
        old += u32::from(line.side != Side::Added);
        new += u32::from(line.side != Side::Removed);
        let _ = writeln!(text, "{} {}", paint.code("2", &gutter), self::line(line, sign, code, paint));
        if line.unterminated {
            let _ =
                writeln!(text, "{}", paint.code("2", &format!("{none} {none} \\ no newline at the end of the file")));
        }
    }
}

fn line(line: &Line, sign: char, code: &str, paint: Paint) -> String {
    if !paint.0 || code.is_empty() {
        return format!("{sign}{}", visible(&line.text));
    }
    let mut shown = format!("\x1b[{code}m{sign}");
    let mut at = 0;
    for span in &line.emphasis {
        let (start, end) = (span.start as usize, span.end as usize);
        let (Some(before), Some(words)) = (line.text.get(at..start), line.text.get(start..end)) else { break };
        // Reversed: readable on every background.
        let _ = write!(shown, "{}\x1b[7m{}\x1b[27m", visible(before), visible(words));
        at = end;
    }
    let _ = write!(shown, "{}\x1b[0m", visible(line.text.get(at..).unwrap_or_default()));
    shown
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use wardian_host::wit::{Change, ChangeKind, Span};

    /// A change of a file that both sides have.
    pub fn modified(path: &str, content: Content, counts: (u64, u64)) -> FileDiff {
        let change = Change {
            path: path.to_owned(),
            kind: ChangeKind::Modified,
            from: None,
            before: None,
            after: None,
            conflict: None,
            merged: false,
            ignored: false,
        };
        FileDiff { change, content, lines_added: counts.0, lines_removed: counts.1, lines_cut: 0 }
    }

    pub fn line_of(side: Side, text: &str, block: u32) -> Line {
        Line { side, text: text.to_owned(), emphasis: Vec::new(), unterminated: false, block }
    }

    fn sample() -> FileDiff {
        let lines = vec![
            line_of(Side::Context, "one", 0),
            Line { emphasis: vec![Span { start: 4, end: 7 }], ..line_of(Side::Removed, "two\told", 0) },
            Line { emphasis: vec![Span { start: 4, end: 7 }], ..line_of(Side::Added, "two\tnew", 0) },
        ];
        let hunk = Hunk {
            before_start: 9,
            before_lines: 2,
            after_start: 9,
            after_lines: 2,
            heading: "fn main()".to_owned(),
            lines,
        };
        modified("a.txt", Content::Text(vec![hunk]), (1, 1))
    }

    #[test]
    fn lines_have_numbers_and_signs() {
        let expected = "M a.txt  +1 −1\n@@ -9,2 +9,2 @@ fn main()\n 9  9  one\n10    -two    old\n   10 +two    new\n";
        assert_eq!(file(&sample(), Paint(false)), expected);
    }

    #[test]
    fn words_that_changed_stand_out() {
        let shown = file(&sample(), Paint(true));
        assert!(shown.contains("\x1b[31m-two    \x1b[7mold\x1b[27m\x1b[0m"), "{shown}");
        assert!(shown.contains("\x1b[32m+two    \x1b[7mnew\x1b[27m\x1b[0m"), "{shown}");
    }

    #[test]
    fn nothing_in_a_file_steers_the_terminal() {
        assert_eq!(visible("a\x1b[2Jb\r\u{202e}c\u{7f}"), "a␛[2Jb␍\u{fffd}c\u{fffd}");
    }

    #[test]
    fn what_is_no_text_is_described() {
        let description = Description { before: None, after: Some("PNG image, 2 × 2, 70 B".to_owned()) };
        let shown = file(&modified("a.png", Content::Binary(description), (0, 0)), Paint(false));
        assert_eq!(shown, "M a.png\n  PNG image, 2 × 2, 70 B\n");
    }

    #[test]
    fn what_is_cut_is_counted() {
        let mut diff = sample();
        diff.lines_cut = 1234;
        assert!(file(&diff, Paint(false)).ends_with("… 1234 more lines of a.txt (--full shows all)\n"));
    }
}
