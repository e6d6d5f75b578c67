//! Glob: files by name, the newest first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use globset::{GlobBuilder, GlobMatcher};
use serde_json::json;
use tool_kit::{Outcome, ToolError};

use crate::project::{Project, Result};
use crate::text::{Text, group, rfc3339};
use crate::walk::{Files, Filter, refuse_git};

pub const DESCRIPTION: &str = "Finds files by name, the newest first. `**` crosses directories (`src/**/*.rs`), `*` \
does not; a pattern without a slash finds names at any depth (`*.rs`); `{a,b}` means either. Hidden files, and what \
.gitignore names, are left out unless the pattern names them. To search in files, use Grep. \
Data: {total, truncated, files: [{path, bytes, modified}], extensions: [{extension, files, bytes}]}.";

/// The most files of a result.
pub const FILES_MAX: usize = 1_000;

/// The longest pattern.
const PATTERN_BYTES_MAX: usize = 4096;

/// The most extensions that are counted.
const EXTENSIONS_MAX: usize = 1_000;

tool_kit::input! {
    pub struct GlobInput {
        /// Which files: `**/*.rs`, `src/*.{ts,tsx}`, `Cargo.toml`.
        pub pattern: String,
        /// The directory to search, and to which the pattern is relative. Without it, the project.
        pub path: Option<String>,
    }
}

pub fn glob(project: &Project, input: GlobInput) -> Result {
    let base = input.path.as_deref().unwrap_or(".");
    let pattern = Pattern::new(&input.pattern, base)?;
    let place = project.place(pattern.base_pointer, &pattern.base)?;
    refuse_git(pattern.base_pointer, &place)?;
    // A pattern's own directory that is not there is no error: it matches nothing.
    let metadata = match project.metadata(&place) {
        Err(ToolError::Failed(_)) if !pattern.base_is_given => None,
        metadata => Some(metadata?),
    };
    let mut found = Found::default();
    let mut notes = Vec::new();
    match metadata {
        Some(metadata) if metadata.is_dir() => {
            let filter = Filter { hidden: pattern.hidden, ..Filter::default() };
            let mut files = Files::below(project, &place.real, filter);
            while let Some(entry) = files.next() {
                let path = entry.path();
                if !pattern.matches(path.strip_prefix(&place.real).unwrap_or(path)) {
                    continue;
                }
                match entry.metadata() {
                    Ok(metadata) => found.add(File {
                        path: project.shown(path),
                        bytes: metadata.len(),
                        modified: metadata.modified().unwrap_or(UNIX_EPOCH),
                    }),
                    Err(error) => files.failed(error),
                }
            }
            notes.extend(files.note());
        }
        Some(_) if pattern.base_is_given => {
            let why = format!("`{}` is not a directory", place.shown);
            return Err(ToolError::invalid(pattern.base_pointer, why));
        }
        _ => {}
    }
    found.outcome(&input.pattern, notes)
}

/// A pattern, split into the directory that it names outright and the rest, so that only that directory is walked.
struct Pattern {
    base: String,
    /// Which value of the input the base came from.
    base_pointer: &'static str,
    /// Whether the base is just the `path` of the input.
    base_is_given: bool,
    matcher: GlobMatcher,
    hidden: bool,
}

impl Pattern {
    fn new(pattern: &str, path: &str) -> Result<Self> {
        let refuse = |why: String| Err(ToolError::invalid("/pattern", why));
        if pattern.is_empty() {
            return refuse("the pattern is empty: use `**` for all files".into());
        }
        if pattern.len() > PATTERN_BYTES_MAX {
            return refuse(format!("the pattern is longer than {PATTERN_BYTES_MAX} bytes"));
        }
        let (mut base, mut base_pointer) = match pattern.starts_with('/') {
            true => (String::new(), "/pattern"),
            false => (path.to_owned(), "/path"),
        };
        let mut base_is_given = base_pointer == "/path";
        let mut rest = pattern.trim_start_matches("./");
        let at_any_depth = !rest.contains('/');
        while let Some((directory, after)) = rest.split_once('/') {
            if directory.contains(['*', '?', '[', ']', '{', '}', '\\', '!']) {
                break;
            }
            // Also a leading slash, which leaves an absolute base.
            base = format!("{base}/{directory}");
            (base_pointer, base_is_given, rest) = ("/pattern", false, after);
        }
        if base_pointer == "/pattern" && pattern.starts_with('/') {
            base = base.trim_start_matches('/').to_owned();
            base.insert(0, '/');
        }
        // `src/` means what is in it.
        let whole = match rest {
            "" => "**".to_owned(),
            rest if at_any_depth => format!("**/{rest}"),
            rest => rest.to_owned(),
        };
        let glob = GlobBuilder::new(&whole).literal_separator(true).backslash_escape(true).build();
        let matcher = match glob {
            Ok(glob) => glob.compile_matcher(),
            Err(error) => return refuse(format!("`{pattern}` is no pattern: {}", error.kind())),
        };
        let hidden = whole.split(['/', '{', ',']).any(|part| part.starts_with('.'));
        Ok(Self { base, base_pointer, base_is_given, matcher, hidden })
    }

    fn matches(&self, path: &Path) -> bool {
        self.matcher.is_match(path)
    }
}

/// A file that matches. Ordered by age, so that the newest come first and equal ones by name.
#[derive(Debug, PartialEq, Eq)]
struct File {
    path: String,
    bytes: u64,
    modified: SystemTime,
}

impl File {
    fn rank(&self) -> (Reverse<SystemTime>, &str) {
        (Reverse(self.modified), &self.path)
    }
}

impl Ord for File {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for File {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The newest matches, and sums over all of them.
#[derive(Default)]
struct Found {
    total: u64,
    /// The oldest on top, to give way to a newer one.
    newest: BinaryHeap<File>,
    extensions: BTreeMap<String, (u64, u64)>,
    extensions_cut: bool,
}

impl Found {
    fn add(&mut self, file: File) {
        self.total += 1;
        let extension = Path::new(&file.path).extension().unwrap_or_default();
        let extension = extension.to_string_lossy().to_lowercase();
        if self.extensions.len() < EXTENSIONS_MAX || self.extensions.contains_key(&extension) {
            let (files, bytes) = self.extensions.entry(extension).or_default();
            *files += 1;
            *bytes += file.bytes;
        } else {
            self.extensions_cut = true;
        }
        self.newest.push(file);
        if self.newest.len() > FILES_MAX {
            self.newest.pop();
        }
    }

    fn outcome(self, pattern: &str, mut notes: Vec<String>) -> Result {
        let files = self.newest.into_sorted_vec();
        let mut extensions: Vec<_> = self.extensions.into_iter().collect();
        extensions.sort_by_key(|(_, (files, _))| Reverse(*files));
        let mut text = Text::new(FILES_MAX);
        for file in &files {
            text.line(&file.path);
        }
        if files.is_empty() {
            text.line(&format!("no file matches `{pattern}`"));
        }
        let truncated = self.total > FILES_MAX as u64 || self.extensions_cut || text.is_cut();
        if truncated {
            let all = group(self.total);
            notes.push(format!("only the newest of {all} files are shown: narrow the pattern"));
        }
        let file = |file: &File| {
            let modified = rfc3339(file.modified);
            json!({"path": file.path, "bytes": file.bytes, "modified": modified})
        };
        let extension = |(extension, (files, bytes)): &(String, (u64, u64))| json!({"extension": extension, "files": files, "bytes": bytes});
        Outcome::text(text.finish(&notes)).truncated(truncated).with_data(&json!({
            "total": self.total,
            "truncated": truncated,
            "files": files.iter().map(file).collect::<Vec<_>>(),
            "extensions": extensions.iter().map(extension).collect::<Vec<_>>(),
        }))
    }
}

#[cfg(test)]
mod tests;
