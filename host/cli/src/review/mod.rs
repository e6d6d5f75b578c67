//! Reviewing on the command line: which session and which paths are meant, and the words for what cannot be done.

pub mod diff;
pub mod pager;
pub mod patch;

use std::path::{Component, Path, PathBuf};

use serde_json::{Value, json};
use wardian_host::Agent;
use wardian_host::wit::{
    Change, ChangeKind, ChangeList, Commit, Conflict, Entry, FileType, ReviewError, ReviewOptions,
};

use crate::case::{self, Case, How, Which};
use crate::failure::{Failure, code};
use crate::home::Home;
use crate::pending;
use crate::settings::Flags;
use crate::show::{Show, Style, clean};

/// Characters of an id from which on an argument may be the beginning of one.
const ID_CHARS_MIN: usize = 4;

/// Paths that an error names; the rest is counted.
const NAMED_MAX: usize = 10;

/// A session, its project, and the paths of it that are meant.
pub struct Target {
    pub home: Home,
    pub id: String,
    pub project: PathBuf,
    /// Relative to the project, with `/` between names; empty: all.
    pub paths: Vec<String>,
}

impl Target {
    /// `words` are an id, or the beginning of one, and paths; both may be left out. Without an id: the newest session of the
    /// project that `directory` (default: the current folder) is in.
    pub fn find(directory: Option<&Path>, words: &[String]) -> Result<Self, Failure> {
        let home = Home::find()?;
        let here = case::project(directory)?;
        let sessions = home.sessions();
        let is_id =
            |word: &&String| word.len() >= ID_CHARS_MIN && sessions.iter().any(|id| id.starts_with(word.as_str()));
        let (id, words) = match words.split_first() {
            Some((word, rest)) if is_id(&word) => (Some(word), rest),
            _ => (None, words),
        };
        let id = match id {
            Some(id) => home.resolve(Some(id))?,
            None => sessions
                .into_iter()
                .find(|id| case::recorded_project(&home.session(id)).is_some_and(|project| here.starts_with(project)))
                .ok_or_else(|| {
                    Failure::usage(format!("there is no session of {}", here.display()))
                        .hint("begin one: wardian run \"…\", or name one: wardian sessions")
                })?,
        };
        let project = case::recorded_project(&home.session(&id))
            .ok_or_else(|| Failure::integrity(format!("the journal of {id} does not say what project it is of")))?;
        if !project.is_dir() {
            return Err(Failure::failed(format!("the project {} of session {id} is gone", project.display())));
        }
        if pending::is_interrupted(&home, &project) {
            // What a crash left half done is finished before anybody looks at it.
            Case::new(Some(&project), &Flags::default())?;
        }
        let base = if here.starts_with(&project) { here } else { project.clone() };
        let paths = words.iter().map(|word| relative(&project, &base, word)).collect::<Result<_, _>>()?;
        Ok(Self { home, id, project, paths })
    }

    /// For looking: nothing is locked, nothing can be changed.
    pub async fn reader(&self) -> Result<Agent, Failure> {
        let host = case::host(&self.home)?;
        case::reader(&host, &self.home.session(&self.id), Show::new(Style::Quiet), Vec::new()).await
    }

    /// What is to be reviewed, at the paths that are meant.
    pub async fn changes(&self, agent: &mut Agent, ignored: bool) -> Result<ChangeList, Failure> {
        let options = ReviewOptions { paths: self.paths.clone(), ignored };
        agent.changes(&options).await?.map_err(|error| failure(&self.id, &error))
    }

    /// Does something that changes the project or the session's layer, which nobody else does meanwhile.
    pub fn change<R>(
        &self,
        work: impl AsyncFnOnce(&mut Agent) -> Result<Result<R, ReviewError>, Failure>,
    ) -> Result<R, Failure> {
        let case = Case::new(Some(&self.project), &Flags::default())?;
        let session = case.session(&Which::Existing(self.id.clone()))?;
        let pending = case.begin_commit(&session)?;
        let result = crate::block_on(async {
            let mut open = case.open(session, How::Commit, Show::new(Style::Quiet)).await?;
            work(&mut open.agent).await
        });
        match result {
            // What failed half-way is finished by the next process that finds the marker.
            Err(failure) => Err(failure),
            Ok(Err(error @ ReviewError::Io(_))) => Err(failure(&self.id, &error)),
            Ok(result) => {
                pending.end()?;
                result.map_err(|error| failure(&self.id, &error))
            }
        }
    }
}

/// A path as the workspace knows it.
fn relative(project: &Path, base: &Path, word: &str) -> Result<String, Failure> {
    let outside = || {
        Failure::usage(format!("{word} is not in the project {}", project.display()))
            .hint("paths are relative to the current folder, or to the project where you are not in it")
    };
    let mut names: Vec<String> = Vec::new();
    // Not as the system knows it: what was removed, or is only in the session, has no canonical path.
    for component in base.join(word).components() {
        match component {
            Component::ParentDir => drop(names.pop()),
            Component::Normal(name) => names.push(name.to_str().ok_or_else(outside)?.to_owned()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    let above = project.components().filter(|component| matches!(component, Component::Normal(_)));
    let mut names = names.into_iter();
    for component in above {
        if names.next().as_deref() != component.as_os_str().to_str() {
            return Err(outside());
        }
    }
    Ok(names.collect::<Vec<_>>().join("/"))
}

/// A path that selects all is no path.
pub fn selecting(paths: &[String]) -> Vec<String> {
    if paths.iter().any(String::is_empty) { Vec::new() } else { paths.to_vec() }
}

/// `1 file`, `3 files`.
pub fn some(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn named(paths: &[String]) -> String {
    let mut names: Vec<String> = paths.iter().take(NAMED_MAX).map(|path| clean(path)).collect();
    if paths.len() > NAMED_MAX {
        names.push(format!("{} more", paths.len() - NAMED_MAX));
    }
    names.join(", ")
}

/// Why a change cannot be committed.
pub fn reason(conflict: Conflict) -> &'static str {
    match conflict {
        Conflict::BothChanged => "changed here and in the project, in the same place",
        Conflict::BothAdded => "added here and in the project, with different content",
        Conflict::DeletedInProject => "changed here, deleted in the project",
        Conflict::ChangedInProject => "deleted or moved here, changed in the project",
        Conflict::InTheWay => "something else stands in its place in the project",
    }
}

/// An answer that is none, in words.
pub fn failure(id: &str, error: &ReviewError) -> Failure {
    match error {
        ReviewError::Nothing => Failure::failed("there is nothing to do"),
        ReviewError::NoChange(path) => Failure::usage(format!("nothing was changed at {}", clean(path)))
            .hint(format!("what was: wardian changes {id}")),
        ReviewError::Conflict(changes) => {
            let mut lines: Vec<String> = changes
                .iter()
                .take(NAMED_MAX)
                .map(|change| format!("\n  {}: {}", clean(&change.path), change.conflict.map_or("", reason)))
                .collect();
            if changes.len() > NAMED_MAX {
                lines.push(format!("\n  and {} more", changes.len() - NAMED_MAX));
            }
            Failure::conflict(format!("{}; nothing was committed{}", some(changes.len(), "conflict", "conflicts"), lines.concat()))
                .hint("look: wardian diff PATH · yours: wardian discard PATH · the session's: wardian commit --overwrite PATH")
        }
        ReviewError::ChangedSince(paths) => {
            Failure::conflict(format!("the project was changed since, nothing was done: {}", named(paths)))
                .hint("put these back as they were, or change them by hand")
        }
        ReviewError::Stale(path) => {
            Failure::conflict(format!("{} changed while it was looked at; nothing was done", clean(path)))
                .hint("try again")
        }
        ReviewError::ReadOnly => Failure::refused("the project or the session cannot be written to"),
        ReviewError::Io(error) if error.path.is_empty() => Failure::failed(clean(&error.message)),
        ReviewError::Io(error) => Failure::failed(format!("{}: {}", clean(&error.path), clean(&error.message))),
        ReviewError::Damaged(what) => Failure::integrity(format!("session {id}: {}", clean(what))),
    }
}

/// One letter, as git has it; a conflict has its own.
pub fn letter(change: &Change) -> char {
    match (change.conflict, change.kind) {
        (Some(_), _) => '!',
        (None, ChangeKind::Added) => 'A',
        (None, ChangeKind::Modified) => 'M',
        (None, ChangeKind::Deleted) => 'D',
        (None, ChangeKind::Renamed) => 'R',
        (None, ChangeKind::Mode) => 'm',
        (None, ChangeKind::Type) => 'T',
    }
}

/// What a change is about, on one line.
pub fn title(change: &Change) -> String {
    let slash = |entry: &Option<Entry>| entry.as_ref().is_some_and(|entry| entry.file_type == FileType::Directory);
    let path = clean(&change.path) + if slash(&change.after) || slash(&change.before) { "/" } else { "" };
    let mut title = match &change.from {
        Some(from) => format!("{} → {path}", clean(from)),
        None => path,
    };
    let mode = |entry: &Option<Entry>| entry.as_ref().and_then(|entry| entry.mode);
    if let (Some(before), Some(after)) = (mode(&change.before), mode(&change.after))
        && before != after
    {
        title.push_str(&format!("  mode {before:03o} → {after:03o}"));
    }
    if let Some(conflict) = change.conflict {
        title.push_str(&format!("  conflict: {}", reason(conflict)));
    } else if change.merged {
        title.push_str("  merged with the project's changes");
    }
    title
}

fn kind_name(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Added => "added",
        ChangeKind::Modified => "modified",
        ChangeKind::Deleted => "deleted",
        ChangeKind::Renamed => "renamed",
        ChangeKind::Mode => "mode",
        ChangeKind::Type => "type",
    }
}

fn entry_json(entry: &Entry) -> Value {
    let kind = match entry.file_type {
        FileType::File => "file",
        FileType::Directory => "directory",
        FileType::Symlink => "symlink",
    };
    json!({"type": kind, "size": entry.size, "sha256": entry.digest, "mode": entry.mode.map(|mode| format!("{mode:03o}"))})
}

/// A change as `--json` prints it.
pub fn change_json(change: &Change) -> Value {
    let conflict = change.conflict.map(|conflict| match conflict {
        Conflict::BothChanged => "both-changed",
        Conflict::BothAdded => "both-added",
        Conflict::DeletedInProject => "deleted-in-project",
        Conflict::ChangedInProject => "changed-in-project",
        Conflict::InTheWay => "in-the-way",
    });
    json!({
        "path": change.path,
        "kind": kind_name(change.kind),
        "from": change.from,
        "before": change.before.as_ref().map(entry_json),
        "after": change.after.as_ref().map(entry_json),
        "conflict": conflict,
        "merged": change.merged,
        "ignored": change.ignored,
    })
}

/// A commit or an undo as `--json` prints it.
pub fn commit_json(id: &str, commit: &Commit) -> Value {
    json!({
        "session": id,
        "commit": commit.number,
        "undoes": commit.undoes,
        "paths": commit.paths,
        "before": commit.before,
        "after": commit.after,
    })
}

/// Asks on the terminal. None: there is no more input.
pub fn ask(prompt: &str) -> Option<String> {
    use std::io::Write;
    eprint!("{prompt}");
    let _ = std::io::stderr().flush();
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line).ok()?;
    (read > 0).then(|| line.trim().to_owned())
}

/// The exit status where there was nothing to do, which is no mistake.
pub fn nothing(what: &str) -> u8 {
    eprintln!("{what}");
    code::DONE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(base: &str, word: &str) -> Option<String> {
        relative(Path::new("/srv/p"), Path::new(base), word).ok()
    }

    #[test]
    fn paths_are_of_the_project() {
        assert_eq!(path("/srv/p", "a/b").as_deref(), Some("a/b"));
        assert_eq!(path("/srv/p/a", "b").as_deref(), Some("a/b"));
        assert_eq!(path("/srv/p/a", "../b/./c/").as_deref(), Some("b/c"));
        assert_eq!(path("/srv/p", "/srv/p/x").as_deref(), Some("x"));
        assert_eq!(path("/srv/p/a", "..").as_deref(), Some(""));
        assert_eq!(path("/srv/p", "../q"), None);
        assert_eq!(path("/srv/p", "/etc/passwd"), None);
        assert_eq!(path("/srv/p", "/srv/pp"), None);
    }

    #[test]
    fn no_path_is_all() {
        assert_eq!(selecting(&["a".to_owned(), String::new()]), Vec::<String>::new());
        assert_eq!(selecting(&["a".to_owned()]), ["a"]);
    }
}
