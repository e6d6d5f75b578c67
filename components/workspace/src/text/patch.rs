//! Patches in git's format.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::diff::{Area, Side, areas, start};
use super::lines::{Lines, Slide};
use super::{is_compared, similarity};

/// What git knows of a file's type and permission bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A file.
    File,
    /// A file that may be executed.
    Executable,
    /// A symbolic link; its content is its target.
    Symlink,
}

impl Mode {
    fn digits(self) -> &'static str {
        match self {
            Self::File => "100644",
            Self::Executable => "100755",
            Self::Symlink => "120000",
        }
    }
}

/// One side of a change.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    /// Relative to the project, with `/` between names.
    pub path: &'a str,
    /// What it is.
    pub mode: Mode,
    /// All of it.
    pub bytes: &'a [u8],
}

/// A change as a patch that `git apply` takes, with `context` lines around what differs. Content that is not compared line by
/// line, or is no UTF-8 and could not be in the patch as it is, is left out: the patch only says that it differs. Empty where
/// nothing changed.
pub fn unified(before: Option<Content<'_>>, after: Option<Content<'_>>, context: u32) -> String {
    let mut patch = String::new();
    match (before, after) {
        (Some(old), Some(new)) if (old.mode == Mode::Symlink) != (new.mode == Mode::Symlink) => {
            // To git, what is of another type is another thing.
            one(&mut patch, Some(old), None, context);
            one(&mut patch, None, Some(new), context);
        }
        _ => one(&mut patch, before, after, context),
    }
    patch
}

fn one(patch: &mut String, before: Option<Content<'_>>, after: Option<Content<'_>>, context: u32) {
    let (Some(old), Some(new)) = (before.or(after), after.or(before)) else { return };
    let (a, b) = (quoted("a/", old.path), quoted("b/", new.path));
    let same_bytes = before.is_some() && after.is_some() && old.bytes == new.bytes;
    if same_bytes && old.mode == new.mode && old.path == new.path {
        return;
    }
    let mut line = |text: std::fmt::Arguments<'_>| {
        // Writing to a string cannot fail.
        let _ = patch.write_fmt(text);
        patch.push('\n');
    };
    line(format_args!("diff --git {a} {b}"));
    match (before, after) {
        (None, _) => line(format_args!("new file mode {}", new.mode.digits())),
        (_, None) => line(format_args!("deleted file mode {}", old.mode.digits())),
        _ => {
            if old.mode != new.mode {
                line(format_args!("old mode {}", old.mode.digits()));
                line(format_args!("new mode {}", new.mode.digits()));
            }
            if old.path != new.path {
                let percent = if same_bytes { 100 } else { similarity(old.bytes, new.bytes) };
                line(format_args!("similarity index {percent}%"));
                line(format_args!("rename from {}", quoted("", old.path)));
                line(format_args!("rename to {}", quoted("", new.path)));
            }
        }
    }
    let (old_bytes, new_bytes) = (before.map_or(&[][..], |old| old.bytes), after.map_or(&[][..], |new| new.bytes));
    if old_bytes == new_bytes {
        return;
    }
    let a = if before.is_some() { a } else { Cow::Borrowed("/dev/null") };
    let b = if after.is_some() { b } else { Cow::Borrowed("/dev/null") };
    let shown = |bytes: &[u8]| is_compared(bytes) && std::str::from_utf8(bytes).is_ok();
    if !shown(old_bytes) || !shown(new_bytes) {
        line(format_args!("Binary files {a} and {b} differ"));
        return;
    }
    // The tab says where a name with spaces ends.
    let tab = |name: &str| if name.contains(' ') { "\t" } else { "" };
    line(format_args!("--- {a}{}", tab(&a)));
    line(format_args!("+++ {b}{}", tab(&b)));
    let lines = Lines::compare(old_bytes, new_bytes, Slide::Indent);
    for area in areas(&lines, context) {
        hunk(patch, &area, &lines);
    }
}

fn hunk(patch: &mut String, area: &Area<'_>, lines: &Lines<'_>) {
    patch.push_str("@@ ");
    for (sign, range) in [('-', &area.before), ('+', &area.after)] {
        let count = range.end - range.start;
        let _ = write!(patch, "{sign}{}", start(range));
        if count != 1 {
            let _ = write!(patch, ",{count}");
        }
        patch.push(' ');
    }
    patch.push_str("@@");
    if !area.heading.is_empty() {
        patch.push(' ');
        patch.push_str(&String::from_utf8_lossy(area.heading));
    }
    patch.push('\n');
    for piece in area.lines(lines) {
        patch.push(match piece.side {
            Side::Context => ' ',
            Side::Removed => '-',
            Side::Added => '+',
        });
        patch.push_str(&String::from_utf8_lossy(piece.line));
        if !piece.line.ends_with(b"\n") {
            patch.push_str("\n\\ No newline at end of file\n");
        }
    }
}

/// A name as git writes it: in quotation marks and with escapes where it has bytes other than printable ASCII.
fn quoted<'a>(prefix: &'static str, path: &'a str) -> Cow<'a, str> {
    if path.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')) {
        return if prefix.is_empty() { Cow::Borrowed(path) } else { Cow::Owned(format!("{prefix}{path}")) };
    }
    let mut quoted = format!("\"{prefix}");
    for byte in path.bytes() {
        let escape = match byte {
            b'"' | b'\\' => byte,
            0x07 => b'a',
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0b => b'v',
            0x0c => b'f',
            b'\r' => b'r',
            b' '..=b'~' => {
                quoted.push(char::from(byte));
                continue;
            }
            _ => {
                let _ = write!(quoted, "\\{byte:03o}");
                continue;
            }
        };
        quoted.push('\\');
        quoted.push(char::from(escape));
    }
    quoted.push('"');
    Cow::Owned(quoted)
}
