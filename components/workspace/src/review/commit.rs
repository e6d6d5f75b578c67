//! Commits and undos: written down as a whole first, then carried out, then settled in the layer.
//!
//! The order makes them atomic. Everything that is needed is put aside in the layer (`objects/`, `data/`), durably; then the
//! record is written to `pending`, which is the moment from which the commit will take place whatever happens; then the
//! project is changed; then the layer's log takes the changes over; then the record becomes `commits/N`. Each step after
//! `pending` can be done again, so after a crash [`recover`] does them all again. What fails without a crash is taken back.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::index::{Content, Digest, Op, join, split};
use crate::layer::{self, OBJECTS, Workspace, hex};
use crate::resolve::NAME_BYTES_MAX;
use crate::review::io;
use crate::review::side::{Side, digest_file};
use crate::wardian::host::modes;
use crate::wardian::workspace::types::{Commit, Error, IoError};
use crate::wasi::filesystem::types::{Descriptor, DescriptorFlags, DescriptorType, ErrorCode, OpenFlags, PathFlags};

const PENDING: &str = "pending";
const COMMITS: &str = "commits";

/// First bytes of a record; the digit is the format.
const MAGIC: &[u8] = b"wardian commit 1\n";

/// Where the bytes of a file are put aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    Data(u32),
    Object(Digest),
    /// No file, or one whose bytes stay.
    None,
}

/// What is done to one path of the project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    pub path: String,
    pub before: Side,
    pub after: Side,
    pub source: Source,
    /// Where a file is written before it takes its place; empty for what is none.
    pub temporary: String,
}

/// A commit or an undo, as it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub number: u64,
    pub undoes: Option<u64>,
    /// In the order of paths.
    pub actions: Vec<Action>,
    /// What it means for the layer.
    pub ops: Vec<Op>,
}

impl Record {
    pub fn to_commit(&self) -> Commit {
        let of = |part: fn(&Action) -> String| self.actions.iter().map(part).collect();
        Commit {
            number: self.number,
            undoes: self.undoes,
            paths: of(|action| action.path.clone()),
            before: of(|action| action.before.digest()),
            after: of(|action| action.after.digest()),
        }
    }

    fn encode(&self) -> Option<Vec<u8>> {
        let body = postcard::to_stdvec(self).ok()?;
        Some([MAGIC, &crc32fast::hash(&body).to_le_bytes(), &body].concat())
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (crc, body) = rest.split_first_chunk::<4>()?;
        if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
            return None;
        }
        postcard::from_bytes(body).ok()
    }
}

fn damaged(path: &str) -> Error {
    Error::Damaged(format!("the session's file upper/{path} cannot be read"))
}

fn read_record(workspace: &Workspace, path: &str) -> Result<Option<Record>, Error> {
    let Some(upper) = workspace.upper() else { return Ok(None) };
    let file = match upper.open_at(PathFlags::empty(), path, OpenFlags::empty(), DescriptorFlags::READ) {
        Ok(file) => file,
        Err(ErrorCode::NoEntry) => return Ok(None),
        Err(error) => return Err(io(path, error)),
    };
    let bytes = layer::read_from(&file, 0).map_err(|error| io(path, error))?;
    Record::decode(&bytes).map(Some).ok_or_else(|| damaged(path))
}

/// The record of a commit or an undo that took place.
pub fn record(workspace: &Workspace, number: u64) -> Result<Record, Error> {
    let path = format!("{COMMITS}/{number}");
    read_record(workspace, &path)?.ok_or_else(|| damaged(&path))
}

/// The commit that an undo would take back.
pub fn last(workspace: &Workspace) -> Result<Option<Record>, Error> {
    let mut undone = Vec::new();
    for number in (1..=workspace.index.committed).rev() {
        let record = record(workspace, number)?;
        match record.undoes {
            Some(other) => undone.push(other),
            None if !undone.contains(&number) => return Ok(Some(record)),
            None => {}
        }
    }
    Ok(None)
}

/// Whether the project can be changed at all.
pub fn is_writable(workspace: &Workspace) -> Result<bool, ErrorCode> {
    Ok(workspace.writable && workspace.project.get_flags()?.contains(DescriptorFlags::MUTATE_DIRECTORY))
}

/// Puts content aside under its digest. Returns whether it was a file.
fn put_aside(workspace: &mut Workspace, content: &Content) -> Result<Digest, ErrorCode> {
    let file = workspace.open_content(content)?;
    let upper = workspace.upper().ok_or(ErrorCode::ReadOnly)?;
    layer::create_directory(upper, OBJECTS)?;
    let fresh = format!("{OBJECTS}/new");
    let open = OpenFlags::CREATE | OpenFlags::TRUNCATE;
    let copy = upper.open_at(PathFlags::empty(), &fresh, open, DescriptorFlags::WRITE)?;
    let (digest, _) = digest_file(&file, Some(&copy))?;
    copy.sync()?;
    upper.rename_at(&fresh, upper, &join(OBJECTS, &hex(&digest)))?;
    Ok(digest)
}

/// Puts aside what an action needs and what taking it back would need.
pub fn prepare(
    workspace: &mut Workspace,
    number: u64,
    actions: &mut [Action],
    bytes: &[Option<Content>],
) -> Result<(), Error> {
    let taken: BTreeSet<String> = actions.iter().map(|action| action.path.clone()).collect();
    for (at, action) in actions.iter_mut().enumerate() {
        let failed = |path: &str| {
            let path = path.to_owned();
            move |error| io(&path, error)
        };
        if let Side::File { digest, size, .. } = &action.before {
            let kept = join(OBJECTS, &hex(digest));
            let stat = workspace.upper().map(|upper| upper.stat_at(PathFlags::empty(), &kept));
            if !matches!(stat, Some(Ok(stat)) if stat.size == *size) {
                let found =
                    put_aside(workspace, &Content::Project(action.path.clone())).map_err(failed(&action.path))?;
                if found != *digest {
                    return Err(Error::ChangedSince(vec![action.path.clone()]));
                }
            }
        }
        if let Some(content @ Content::Project(from)) = bytes.get(at).and_then(Option::as_ref) {
            let found = put_aside(workspace, content).map_err(failed(from))?;
            if hex(&found) != action.after.digest() {
                return Err(Error::ChangedSince(vec![from.clone()]));
            }
            action.source = Source::Object(found);
        }
        if let Source::Data(data) = &action.source {
            let flags = DescriptorFlags::READ | DescriptorFlags::WRITE;
            let file = workspace.open_data(*data, OpenFlags::empty(), flags).map_err(failed(&action.path))?;
            file.sync_data().map_err(failed(&action.path))?;
        }
        if [&action.before, &action.after].iter().any(|side| matches!(side, Side::File { .. } | Side::Link { .. })) {
            let directory = nearest(workspace, unchanged(&action.path, &taken)).map_err(failed(&action.path))?;
            action.temporary = temporary(workspace, &directory, &format!("{number}-{at}"), &taken);
        }
    }
    Ok(())
}

/// A name that nobody has, and nobody is going to have.
fn temporary(workspace: &Workspace, directory: &str, number: &str, taken: &BTreeSet<String>) -> String {
    let mut name = format!(".wardian-{number}.tmp");
    loop {
        let path = join(directory, &name);
        let is_there = !matches!(workspace.project.stat_at(PathFlags::empty(), &path), Err(ErrorCode::NoEntry));
        if !taken.contains(&path) && (!is_there || name.len() > NAME_BYTES_MAX) {
            return path;
        }
        name.insert(0, '.');
    }
}

/// The directory of a path, or the nearest above it that is there whether the actions are done or not.
fn unchanged<'a>(path: &'a str, taken: &BTreeSet<String>) -> &'a str {
    let above = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
    let first = above.into_iter().find(|directory| taken.contains(*directory));
    split(first.unwrap_or(path)).0
}

/// The nearest directory above that the project has.
fn nearest(workspace: &Workspace, directory: &str) -> Result<String, ErrorCode> {
    let mut path = directory;
    while !path.is_empty() {
        match workspace.project.stat_at(PathFlags::empty(), path) {
            Ok(stat) if stat.type_ == DescriptorType::Directory => break,
            Ok(_) | Err(ErrorCode::NoEntry | ErrorCode::NotDirectory) => path = split(path).0,
            Err(error) => return Err(error),
        }
    }
    Ok(path.to_owned())
}

/// Carries out what was prepared: all of it or, where that fails, nothing.
pub fn carry_out(workspace: &mut Workspace, record: &Record) -> Result<(), Error> {
    let upper = workspace.upper().ok_or(Error::ReadOnly)?;
    let in_upper = |error| io(PENDING, error);
    let bytes = record.encode().ok_or_else(|| damaged(PENDING))?;
    layer::create_directory(upper, COMMITS).map_err(in_upper)?;
    for directory in [OBJECTS, "data"] {
        sync_directory(upper, directory).map_err(in_upper)?;
    }
    layer::replace(upper, PENDING, &bytes).map_err(in_upper)?;
    if let Err(error) = change_project(workspace, &record.actions) {
        let back: Vec<Action> = record.actions.iter().rev().map(inverse).collect();
        return Err(match change_project(workspace, &back) {
            Ok(()) => {
                drop_pending(workspace)?;
                error
            }
            Err(second) => Error::Io(IoError {
                path: path_of(&error),
                message: format!(
                    "{}; taking back what was begun failed as well ({}): it is finished at the next start",
                    message_of(&error),
                    message_of(&second)
                ),
            }),
        });
    }
    settle(workspace, record)
}

/// The last steps: the layer takes over what the project now has.
fn settle(workspace: &mut Workspace, record: &Record) -> Result<(), Error> {
    if workspace.index.committed < record.number {
        let mut ops = record.ops.clone();
        ops.push(Op::Committed(record.number));
        workspace.step(|_| Ok((ops.clone(), ()))).map_err(|error| io("log", error))?;
    }
    workspace.sync_log().map_err(|error| io("log", error))?;
    let upper = workspace.upper().ok_or(Error::ReadOnly)?;
    let done = format!("{COMMITS}/{}", record.number);
    upper.rename_at(PENDING, upper, &done).map_err(|error| io(&done, error))?;
    sync_directory(upper, COMMITS).and_then(|()| upper.sync()).map_err(|error| io(&done, error))
}

/// Finishes a commit that a crash interrupted. What the user has changed since the crash stays as the user left it, and is
/// no part of the commit any more.
pub fn recover(workspace: &mut Workspace) -> Result<Option<Record>, Error> {
    let Some(mut record) = read_record(workspace, PENDING)? else { return Ok(None) };
    if !is_writable(workspace).map_err(|error| io("", error))? {
        return Err(Error::ReadOnly);
    }
    let mut theirs = Vec::new();
    for action in &record.actions {
        let now = workspace.project_side(&action.path, None).map_err(|error| io(&action.path, error))?;
        // Nothing: a step on the way from one to the other.
        if now != Side::Absent && !now.is_same(&action.before) && !now.is_same(&action.after) {
            theirs.push(action.path.clone());
        }
    }
    if !theirs.is_empty() && workspace.index.committed < record.number {
        record.actions.retain(|action| !theirs.contains(&action.path));
        record.ops.retain(|op| !op.path().is_some_and(|path| theirs.iter().any(|own| own == path)));
        let upper = workspace.upper().ok_or(Error::ReadOnly)?;
        let bytes = record.encode().ok_or_else(|| damaged(PENDING))?;
        layer::replace(upper, PENDING, &bytes).map_err(|error| io(PENDING, error))?;
    }
    change_project(workspace, &record.actions)?;
    settle(workspace, &record)?;
    Ok(Some(record))
}

fn drop_pending(workspace: &Workspace) -> Result<(), Error> {
    let upper = workspace.upper().ok_or(Error::ReadOnly)?;
    upper.unlink_file_at(PENDING).and_then(|()| upper.sync()).map_err(|error| io(PENDING, error))
}

fn inverse(action: &Action) -> Action {
    let source = match &action.before {
        Side::File { digest, .. } => Source::Object(*digest),
        _ => Source::None,
    };
    Action {
        path: action.path.clone(),
        before: action.after.clone(),
        after: action.before.clone(),
        source,
        temporary: action.temporary.clone(),
    }
}

/// The actions that take a record back, without their temporary names.
pub fn inverted(record: &Record) -> Vec<Action> {
    record.actions.iter().map(|action| Action { temporary: String::new(), ..inverse(action) }).collect()
}

fn sync_directory(parent: &Descriptor, name: &str) -> Result<(), ErrorCode> {
    match parent.open_at(PathFlags::empty(), name, OpenFlags::DIRECTORY, DescriptorFlags::READ) {
        Ok(directory) => directory.sync(),
        // It went, or a file has taken its place: that is so for whoever looks at the directory above.
        Err(ErrorCode::NoEntry | ErrorCode::NotDirectory) => Ok(()),
        Err(error) => Err(error),
    }
}

fn path_of(error: &Error) -> String {
    match error {
        Error::Io(error) => error.path.clone(),
        _ => String::new(),
    }
}

fn message_of(error: &Error) -> String {
    match error {
        Error::Io(error) => format!("{}: {}", error.path, error.message),
        other => format!("{other:?}"),
    }
}

/// Brings every path to its `after`. What is already there is left alone, so that it can be done again.
fn change_project(workspace: &mut Workspace, actions: &[Action]) -> Result<(), Error> {
    let mut open = Vec::new();
    for action in actions {
        let now = workspace.project_side(&action.path, None).map_err(|error| io(&action.path, error))?;
        if !now.is_same(&action.after) {
            open.push((action, now));
        }
    }
    let written = write_temporaries(workspace, &open);
    let result = written.and_then(|()| put_in_place(workspace, &open));
    // All but those that took their place.
    for action in actions.iter().filter(|action| !action.temporary.is_empty()) {
        let _ = workspace.project.unlink_file_at(&action.temporary);
    }
    result
}

/// Everything that may fail for want of space or rights, before anything is changed.
fn write_temporaries(workspace: &mut Workspace, open: &[(&Action, Side)]) -> Result<(), Error> {
    for (action, now) in open {
        write_temporary(workspace, action, now).map_err(|error| io(&action.path, error))?;
    }
    Ok(())
}

fn write_temporary(workspace: &mut Workspace, action: &Action, now: &Side) -> Result<(), ErrorCode> {
    match &action.after {
        Side::File { mode, digest, .. } => {
            let source = match &action.source {
                Source::Data(data) => workspace.open_data(*data, OpenFlags::empty(), DescriptorFlags::READ)?,
                Source::Object(digest) => open_object(workspace, digest)?,
                Source::None => return Err(ErrorCode::NotRecoverable),
            };
            let open = OpenFlags::CREATE | OpenFlags::TRUNCATE;
            let file =
                workspace.project.open_at(PathFlags::empty(), &action.temporary, open, DescriptorFlags::WRITE)?;
            if digest_file(&source, Some(&file))?.0 != *digest {
                return Err(ErrorCode::NotRecoverable);
            }
            // New files have the permission bits that the host gives new files.
            if let Some(mode) = mode.or(now.mode()) {
                modes::set(&file, u32::from(mode))?;
            }
            file.sync()
        }
        Side::Link { target } => {
            match workspace.project.unlink_file_at(&action.temporary) {
                Ok(()) | Err(ErrorCode::NoEntry) => {}
                Err(error) => return Err(error),
            }
            workspace.project.symlink_at(target, &action.temporary)
        }
        _ => Ok(()),
    }
}

fn open_object(workspace: &Workspace, digest: &Digest) -> Result<Descriptor, ErrorCode> {
    let upper = workspace.upper().ok_or(ErrorCode::ReadOnly)?;
    upper.open_at(PathFlags::empty(), &join(OBJECTS, &hex(digest)), OpenFlags::empty(), DescriptorFlags::READ)
}

fn put_in_place(workspace: &mut Workspace, open: &[(&Action, Side)]) -> Result<(), Error> {
    let project = &workspace.project;
    let failed = |action: &Action, error| io(&action.path, error);
    let depth = |action: &Action| action.path.matches('/').count();
    // What is in the way of something else goes first, the deepest first.
    let mut going: Vec<&(&Action, Side)> = open
        .iter()
        .filter(|(action, now)| {
            let directory = |side: &Side| *side == Side::Directory;
            action.after == Side::Absent || directory(now) != directory(&action.after)
        })
        .filter(|(_, now)| *now != Side::Absent)
        .collect();
    going.sort_by_key(|(action, now)| (*now == Side::Directory, std::cmp::Reverse(depth(action))));
    for (action, now) in going {
        match now {
            Side::Directory => match project.remove_directory_at(&action.path) {
                // The user has put something there, which is not ours to remove.
                Ok(()) | Err(ErrorCode::NoEntry) => {}
                Err(ErrorCode::NotEmpty) if action.after == Side::Absent => {}
                Err(error) => return Err(failed(action, error)),
            },
            _ => match project.unlink_file_at(&action.path) {
                Ok(()) | Err(ErrorCode::NoEntry) => {}
                Err(error) => return Err(failed(action, error)),
            },
        }
    }
    let mut directories: Vec<&Action> =
        open.iter().map(|(action, _)| *action).filter(|action| action.after == Side::Directory).collect();
    directories.sort_by_key(|action| depth(action));
    for action in directories {
        layer::create_directory(project, &action.path).map_err(|error| failed(action, error))?;
    }
    for (action, _) in open.iter().filter(|(action, _)| !action.temporary.is_empty()) {
        if matches!(action.after, Side::File { .. } | Side::Link { .. }) {
            project.rename_at(&action.temporary, project, &action.path).map_err(|error| failed(action, error))?;
        }
    }
    let mut parents: Vec<&str> = open.iter().map(|(action, _)| split(&action.path).0).collect();
    parents.sort_unstable();
    parents.dedup();
    for parent in parents {
        match sync_directory(project, crate::change::here(parent)) {
            Ok(()) => {}
            Err(error) => return Err(io(parent, error)),
        }
    }
    Ok(())
}

/// Keeps content that is nowhere yet.
pub fn keep_bytes(workspace: &Workspace, digest: &Digest, bytes: &[u8]) -> Result<(), ErrorCode> {
    workspace.keep(digest, bytes)?;
    open_object(workspace, digest)?.sync_data()
}

/// Copies a file of the project into the layer, for an undo that makes it a change again.
pub fn copy_back(workspace: &mut Workspace, path: &str) -> Result<u32, ErrorCode> {
    let file = workspace.open_content(&Content::Project(path.to_owned()))?;
    let (data, copy) = workspace.create_data(DescriptorFlags::WRITE)?;
    digest_file(&file, Some(&copy))?;
    copy.sync()?;
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_temporary_is_where_nothing_comes_or_goes() {
        let taken: BTreeSet<String> = ["a/b", "a/b/c/d", "x"].map(str::to_owned).into();
        for (path, directory) in [("a/b/c/d", "a"), ("a/b", "a"), ("a/c/d", "a/c"), ("x", ""), ("x/y", ""), ("z", "")] {
            assert_eq!(unchanged(path, &taken), directory, "{path}");
        }
    }

    #[test]
    fn a_record_comes_back_or_not_at_all() {
        let action = Action {
            path: "a/b".into(),
            before: Side::Absent,
            after: Side::File { digest: [7; 32], size: 3, mode: Some(0o755) },
            source: Source::Data(4),
            temporary: "a/.wardian-1-0.tmp".into(),
        };
        let record = Record { number: 1, undoes: None, actions: vec![action], ops: vec![Op::Forget("a/b".into())] };
        let bytes = record.encode().unwrap();
        assert_eq!(Record::decode(&bytes), Some(record));
        for cut in 0..bytes.len() {
            assert_eq!(Record::decode(&bytes[..cut]), None);
        }
    }
}
