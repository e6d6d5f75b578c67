//! Grep: files by what is in them.

use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use ignore::overrides::{Override, OverrideBuilder};
use ignore::types::{Types, TypesBuilder};
use serde_json::{Value, json};
use tool_kit::{Outcome, ToolError};

use crate::project::{Project, Result};
use crate::text::{Text, group, rfc3339};
use crate::walk::{Files, Filter, refuse_git};

mod search;

use search::{Mode, Output, Search};

pub const DESCRIPTION: &str = "Searches file contents with a regular expression (Rust syntax: escape literal braces, \
as in `interface\\{\\}`), as ripgrep does: hidden, ignored and binary files are left out. `output_mode` is \
`files_with_matches` (default), `content` (path:line:text, with context by -A, -B, -C) or `count` (path:matches). \
Data: {total_files, total_matches, truncated, files: [{path, matches, bytes, modified}]}, with `content` also \
lines: [{path, line, text}].";

/// The most files of a result's data.
const FILES_MAX: usize = 1_000;

/// The most lines before or after a match.
const CONTEXT_LINES_MAX: u64 = 1_000;

/// The longest pattern.
const PATTERN_BYTES_MAX: usize = 64 * 1024;

/// What a compiled pattern may take.
const REGEX_BYTES_MAX: usize = 10 * 1024 * 1024;

/// What is remembered of a pattern's states while searching.
const REGEX_CACHE_BYTES_MAX: usize = 10 * 1024 * 1024;

/// How many names of types an error proposes.
const SIMILAR_TYPES_MAX: usize = 8;

tool_kit::input! {
    pub struct GrepInput {
        /// The regular expression.
        pub pattern: String,
        /// The file or directory to search. Without it, the project.
        pub path: Option<String>,
        /// Only files like this: `*.js`, `src/**/*.{ts,tsx}`, `!*.min.js`.
        pub glob: Option<String>,
        /// Only files of this type: `rust`, `py`, `js`, `ts`, `go`, `java`, `md`.
        pub r#type: Option<String>,
        /// What to return. Default: files_with_matches.
        pub output_mode: Option<OutputMode>,
        /// With content: how many lines to show after each match.
        #[serde(rename = "-A")]
        pub after: Option<u64>,
        /// With content: how many lines to show before each match.
        #[serde(rename = "-B")]
        pub before: Option<u64>,
        /// With content: how many lines to show before and after each match.
        #[serde(rename = "-C")]
        pub context: Option<u64>,
        /// Ignore case.
        #[serde(rename = "-i")]
        pub ignore_case: Option<bool>,
        /// With content: show line numbers. Default: true.
        #[serde(rename = "-n")]
        pub line_numbers: Option<bool>,
        /// Let a match span lines, and let `.` match line ends.
        pub multiline: Option<bool>,
        /// Show only so many lines of the result.
        #[schemars(range(min = 1))]
        pub head_limit: Option<u64>,
    }

    #[derive(Clone, Copy, PartialEq, Eq)]
    #[serde(rename_all = "snake_case")]
    pub enum OutputMode {
        Content,
        FilesWithMatches,
        Count,
    }
}

pub fn grep(project: &Project, input: GrepInput) -> Result {
    if input.head_limit == Some(0) {
        return Err(ToolError::invalid("/head_limit", "no line is asked for: use 1 or more"));
    }
    let matcher = matcher(&input)?;
    let given = input.path.as_deref().unwrap_or(".");
    let place = project.place("/path", given)?;
    refuse_git("/path", &place)?;
    let metadata = project.metadata(&place)?;
    if !metadata.is_dir() && !metadata.is_file() {
        return Err(ToolError::failed(format!("`{}` is not a regular file", place.shown)));
    }
    let filter = Filter {
        hidden: false,
        types: input.r#type.as_deref().map(types).transpose()?,
        globs: input.glob.as_deref().map(|glob| globs(project, glob)).transpose()?,
    };
    let mode = match input.output_mode.unwrap_or(OutputMode::FilesWithMatches) {
        OutputMode::Content => Mode::Content {
            numbers: input.line_numbers.unwrap_or(true),
            before: context("/-B", input.before.or(input.context))?,
            after: context("/-A", input.after.or(input.context))?,
        },
        OutputMode::FilesWithMatches => Mode::Files,
        OutputMode::Count => Mode::Count,
    };
    let lines_max = input.head_limit.unwrap_or(u64::MAX).try_into().unwrap_or(usize::MAX);
    let mut output = Output::new(mode, lines_max);
    let mut search = Search::new(matcher, mode, input.multiline.unwrap_or(false));
    let mut total_matches = 0;
    let mut total_files = 0_u64;
    let mut listed = Vec::new();
    let mut files = Files::below(project, &place.real, filter);
    while let Some(entry) = files.next() {
        let path = project.shown(entry.path());
        let matches = match search.file(entry.path(), &path, &mut output) {
            Ok(0) => continue,
            Ok(matches) => matches,
            Err(error) => {
                files.failed(format!("{path}: {error}"));
                continue;
            }
        };
        total_matches += matches;
        total_files += 1;
        if listed.len() < FILES_MAX {
            let metadata = entry.metadata().ok();
            let bytes = metadata.as_ref().map_or(0, |metadata| metadata.len());
            let modified = metadata.and_then(|metadata| metadata.modified().ok()).map(rfc3339);
            listed.push(json!({"path": path, "matches": matches, "bytes": bytes, "modified": modified}));
        }
    }
    let mut notes: Vec<String> = files.note().into_iter().collect();
    let truncated = output.is_cut() || total_files > FILES_MAX as u64;
    if truncated {
        notes.push(format!(
            "not all of the {} matches in {} files are shown: narrow the search, or raise `head_limit`",
            group(total_matches),
            group(total_files)
        ));
    }
    let mut data = json!({
        "total_files": total_files,
        "total_matches": total_matches,
        "truncated": truncated,
        "files": listed,
    });
    let Output { mut text, lines, .. } = output;
    if let (Mode::Content { .. }, Value::Object(data)) = (mode, &mut data) {
        data.insert("lines".to_owned(), lines.into());
    }
    if text.is_empty() && total_files == 0 {
        text = Text::new(1);
        text.line("no matches");
    }
    Outcome::text(text.finish(&notes)).truncated(truncated).with_data(&data)
}

fn matcher(input: &GrepInput) -> Result<RegexMatcher> {
    let refuse = |why: String| ToolError::invalid("/pattern", why);
    if input.pattern.len() > PATTERN_BYTES_MAX {
        return Err(refuse(format!("the pattern is longer than {PATTERN_BYTES_MAX} bytes")));
    }
    let multiline = input.multiline.unwrap_or(false);
    let mut builder = RegexMatcherBuilder::new();
    builder
        .case_insensitive(input.ignore_case.unwrap_or(false))
        .multi_line(true)
        .dot_matches_new_line(multiline)
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_CACHE_BYTES_MAX);
    if !multiline {
        // Searches line by line, and lets `$` match before CRLF as well.
        builder.line_terminator(Some(b'\n')).crlf(true);
    }
    builder.build(&input.pattern).map_err(|error| match error.kind() {
        grep_regex::ErrorKind::NotAllowed(_) => {
            refuse("the pattern matches a line end: set `multiline` to true".to_owned())
        }
        _ => {
            // The last line says what; those before it draw the pattern.
            let message = error.to_string();
            let what = message.lines().last().unwrap_or_default().trim();
            refuse(format!("no regular expression: {}", what.trim_start_matches("error: ")))
        }
    })
}

fn context(pointer: &str, lines: Option<u64>) -> Result<usize> {
    match lines.unwrap_or(0) {
        lines if lines <= CONTEXT_LINES_MAX => Ok(lines as usize),
        _ => Err(ToolError::invalid(pointer, format!("at most {CONTEXT_LINES_MAX} lines"))),
    }
}

/// The files of a type, under the names that ripgrep gives them.
fn types(name: &str) -> Result<Types> {
    let mut builder = TypesBuilder::new();
    builder.add_defaults().select(name);
    builder.build().map_err(|_| {
        let mut names: Vec<(f64, String)> = builder
            .definitions()
            .iter()
            .map(|known| (strsim::jaro_winkler(known.name(), name), known.name().to_owned()))
            .collect();
        names.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let names: Vec<_> = names.into_iter().take(SIMILAR_TYPES_MAX).map(|(_, name)| name).collect();
        let names = names.join(", ");
        let why = format!("no type is called `{name}`: use `glob` (such as `*.{name}`), or a type such as {names}");
        ToolError::invalid("/type", why)
    })
}

/// ripgrep's `--glob`; several are split at white space, and at commas outside of braces.
fn globs(project: &Project, text: &str) -> Result<Override> {
    let refuse = |error: &dyn std::fmt::Display| ToolError::invalid("/glob", format!("no pattern: {error}"));
    let mut builder = OverrideBuilder::new(project.workspace());
    for word in text.split_whitespace() {
        let split: Vec<&str> = if word.contains('{') { vec![word] } else { word.split(',').collect() };
        for glob in split.into_iter().filter(|glob| !glob.is_empty()) {
            let glob = glob.strip_prefix("/workspace").unwrap_or(glob);
            builder.add(glob.trim_start_matches("./")).map_err(|error| refuse(&error))?;
        }
    }
    builder.build().map_err(|error| refuse(&error))
}

#[cfg(test)]
mod tests;
