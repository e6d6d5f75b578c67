//! Edit and MultiEdit: texts of a file for others.

use std::fs::File;
use std::io::Read;

use serde_json::json;
use tool_kit::{Outcome, ToolError};

use crate::project::{Place, Project, Result, cannot};
use crate::store;
use crate::text::{Text, count, group, shorten};

mod substitute;

use substitute::{Miss, Substitution, substitute};

pub const EDIT_DESCRIPTION: &str = "Replaces a text in a file. `old_string` must be exactly as in the file (without \
the line numbers that Read shows) and occur once: give enough lines around it, or set `replace_all`. Line ends (LF or \
CRLF) stay as they are in the file. Data: {path, replacements}.";

pub const MULTI_EDIT_DESCRIPTION: &str = "Makes several edits to one file, in order, each on the result of the one \
before, under the rules of Edit. All are made, or none. Data: {path, replacements}.";

/// The largest file that is edited; it is held in memory a few times over.
const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The most edits of one call.
const EDITS_MAX: usize = 1_000;

/// How many lines around a replacement are shown.
const AROUND_LINES: usize = 3;

/// The most lines that are shown of the result.
const SNIPPET_LINES_MAX: usize = 30;

/// Where a shown line is cut.
const SNIPPET_CHARS_MAX: usize = 500;

tool_kit::input! {
    pub struct EditInput {
        /// Relative to the project, or under /workspace or /tmp.
        pub file_path: String,
        /// The text to replace.
        pub old_string: String,
        /// The text to put there.
        pub new_string: String,
        /// Replace each occurrence, not a single one.
        pub replace_all: Option<bool>,
    }

    pub struct MultiEditInput {
        /// Relative to the project, or under /workspace or /tmp.
        pub file_path: String,
        /// What to replace, in order.
        #[schemars(length(min = 1, max = 1000))]
        pub edits: Vec<Edit>,
    }

    pub struct Edit {
        /// The text to replace.
        pub old_string: String,
        /// The text to put there.
        pub new_string: String,
        /// Replace each occurrence, not a single one.
        pub replace_all: Option<bool>,
    }
}

pub fn edit(project: &Project, input: EditInput) -> Result {
    let EditInput { file_path, old_string, new_string, replace_all } = input;
    let edits = [Edit { old_string, new_string, replace_all }];
    run(project, &file_path, &edits, |_| String::new())
}

pub fn multi_edit(project: &Project, input: MultiEditInput) -> Result {
    if input.edits.is_empty() || input.edits.len() > EDITS_MAX {
        let why = format!("give from 1 to {EDITS_MAX} edits, not {}", input.edits.len());
        return Err(ToolError::invalid("/edits", why));
    }
    run(project, &input.file_path, &input.edits, |index| format!("/edits/{index}"))
}

/// Makes all edits in memory, then writes the file once.
fn run(project: &Project, file_path: &str, edits: &[Edit], pointer: impl Fn(usize) -> String) -> Result {
    let place = project.place("/file_path", file_path)?;
    for (index, edit) in edits.iter().enumerate() {
        let refuse = |field: &str, why: &str| Err(ToolError::invalid(format!("{}/{field}", pointer(index)), why));
        if edit.old_string.is_empty() {
            return refuse("old_string", "the text to replace is empty: to make a file, use Write");
        }
        if edit.old_string == edit.new_string {
            return refuse("new_string", "it equals `old_string`, so nothing would change");
        }
    }
    let mut content = load(project, &place)?;
    let mut replacements = 0;
    let mut last = 0..0;
    for (index, edit) in edits.iter().enumerate() {
        let all = edit.replace_all.unwrap_or(false);
        match substitute(&content, &edit.old_string, &edit.new_string, all, FILE_BYTES_MAX) {
            Ok(Substitution { content: after, count, first }) => {
                content = after;
                replacements += count;
                last = first;
            }
            Err(miss) => return Err(explain(&place, edits.len(), index, miss)),
        }
    }
    store::replace(project, &place, &content)?;
    let did = format!("made {} in `{}`", count(replacements, "replacement", "replacements"), place.shown);
    Outcome::text(format!("{did}\n{}", snippet(&content, last)))
        .with_data(&json!({"path": place.shown, "replacements": replacements}))
}

fn load(project: &Project, place: &Place) -> Result<Vec<u8>> {
    let metadata = project.metadata(place)?;
    if metadata.is_dir() {
        return Err(ToolError::failed(format!("`{}` is a directory: name a file", place.shown)));
    }
    if !metadata.is_file() {
        return Err(ToolError::failed(format!("`{}` is not a regular file", place.shown)));
    }
    let mut content = Vec::new();
    File::open(&place.real)
        .and_then(|file| file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut content))
        .map_err(|error| cannot("read", place, &error))?;
    if content.len() > FILE_BYTES_MAX {
        return Err(ToolError::failed(format!(
            "`{}` is larger than the {} bytes that can be edited: use a command such as sed",
            place.shown,
            group(FILE_BYTES_MAX as u64)
        )));
    }
    Ok(content)
}

/// Why an edit could not be made, and what to do.
fn explain(place: &Place, edits: usize, index: usize, miss: Miss) -> ToolError {
    let shown = &place.shown;
    let edit = match edits {
        1 => String::new(),
        _ => format!("edit {} of {edits}, so none was made: ", index + 1),
    };
    let why = match miss {
        Miss::None { near } if near.is_empty() => {
            format!("`old_string` does not occur in `{shown}`: read the file again and copy it exactly")
        }
        Miss::None { near } => format!(
            "`old_string` does not occur in `{shown}`, but its first line does, with other text or white space around \
             it, on {}: read there and copy it exactly",
            lines(&near)
        ),
        Miss::Many { count: times, on } => {
            let more = if times > on.len() as u64 { " and others" } else { "" };
            format!(
                "`old_string` occurs {} in `{shown}`, on {}{more}: add lines around it until it is unique, or set \
                 `replace_all`",
                count(times, "time", "times"),
                lines(&on)
            )
        }
        Miss::TooLarge => {
            format!("`{shown}` would grow beyond the {} bytes that can be edited", group(FILE_BYTES_MAX as u64))
        }
    };
    ToolError::failed(format!("{edit}{why}"))
}

/// `line 3`, `lines 3, 7`.
fn lines(numbers: &[usize]) -> String {
    let word = if numbers.len() == 1 { "line" } else { "lines" };
    let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
    format!("{word} {}", numbers.join(", "))
}

/// The lines around a place of the new content, numbered as Read does it.
fn snippet(content: &[u8], at: std::ops::Range<usize>) -> String {
    let line_of = |offset: usize| memchr::memchr_iter(b'\n', &content[..offset]).count();
    let first = line_of(at.start).saturating_sub(AROUND_LINES);
    let last = line_of(at.end) + AROUND_LINES;
    let mut text = Text::new(SNIPPET_LINES_MAX);
    let numbered = content.split_inclusive(|byte| *byte == b'\n').enumerate();
    for (index, line) in numbered.skip(first).take(last + 1 - first) {
        let (line, _) = shorten(line, line.len() as u64, SNIPPET_CHARS_MAX);
        text.line(&format!("{:>6}\t{line}", index + 1));
    }
    text.finish(&[])
}

#[cfg(test)]
mod tests;
