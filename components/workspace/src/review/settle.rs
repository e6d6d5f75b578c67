//! What a commit, a discard and an undo mean for the layer, as operations of its log.

use crate::index::{Base, Content, Kind, Node, Op, Place, identity, is_within, join, split};
use crate::layer::{Workspace, now_ns};
use crate::resolve::State;
use crate::review::commit::{Action, Record, copy_back};
use crate::review::io;
use crate::review::side::Side;
use crate::wardian::workspace::types::Error;

/// Removals below a directory that would come undone when the project shines through it again.
fn still_gone(workspace: &Workspace, directory: &str, leaving: &[String]) -> Vec<Op> {
    let gone = |(path, base): &(&String, &Base)| {
        **base != Base::Absent
            && *path != directory
            && is_within(path, directory)
            && workspace.state(path) == State::Absent
            && !leaving.contains(path)
    };
    workspace.index.bases.iter().filter(gone).map(|(path, _)| Op::Remove(path.clone())).collect()
}

/// Whether the layer has a directory of its own in place of one of the project's.
fn replaces(workspace: &Workspace, directory: &str) -> bool {
    matches!(workspace.state(directory), State::Directory { merged: false, .. })
        && workspace.index.bases.get(directory) == Some(&Base::Directory)
}

/// The project has what the layer had at these paths; `directories` are among them.
pub fn committed(workspace: &Workspace, paths: &[String], directories: &[String]) -> Vec<Op> {
    let mut ops = Vec::new();
    let mut opened: Vec<&str> = Vec::new();
    for path in paths {
        let mut above = split(path).0;
        while !above.is_empty() {
            // What was committed into it is the project's, and has to shine through.
            if replaces(workspace, above) && !opened.contains(&above) {
                opened.push(above);
                ops.push(Op::Merge(above.to_owned()));
                ops.extend(still_gone(workspace, above, paths));
            }
            above = split(above).0;
        }
        if directories.contains(path) {
            ops.push(Op::Merge(path.clone()));
            ops.extend(still_gone(workspace, path, paths));
        } else {
            ops.push(Op::Forget(path.clone()));
        }
    }
    ops
}

/// The layer has no word on these paths any more.
pub fn discarded(workspace: &Workspace, paths: &[String]) -> Vec<Op> {
    let mut ops = Vec::new();
    let mut opened: Vec<&str> = Vec::new();
    for path in paths {
        // Something above may hide everything of the project: it hides only the rest from now on.
        let mut above = split(path).0;
        while !above.is_empty() {
            let is_gone = matches!(workspace.index.find(above), Place::Node(Node { kind: Kind::Gone, .. }));
            let hides = is_gone || replaces(workspace, above);
            if hides && !opened.contains(&above) && !paths.iter().any(|path| path == above) {
                opened.push(above);
                let above = above.to_owned();
                ops.push(if is_gone { Op::Forget(above.clone()) } else { Op::Merge(above.clone()) });
                ops.extend(still_gone(workspace, &above, paths));
            }
            above = split(above).0;
        }
        ops.push(Op::Forget(path.clone()));
    }
    ops
}

/// What was committed is a change again. Copies the bytes of files, which the project has until the undo takes place.
pub fn undone(workspace: &mut Workspace, record: &Record) -> Result<Vec<Op>, Error> {
    let mut ops = Vec::new();
    let known = |workspace: &Workspace, path: &str| {
        workspace.index.bases.contains_key(path) || matches!(workspace.index.find(path), Place::Node(_))
    };
    let is_directory = |action: &&Action| action.after == Side::Directory;
    let (directories, others): (Vec<&Action>, Vec<&Action>) = record.actions.iter().partition(is_directory);
    for action in directories {
        let path = action.path.clone();
        // One in which the user has something of their own stays in the project.
        let ours = |name: &str| record.actions.iter().any(|action| action.path == join(&path, name));
        let entries = workspace.project_entries(&path).map_err(|error| io(&path, error))?;
        if action.before == Side::Absent && entries.iter().any(|entry| !ours(&entry.name)) {
            continue;
        }
        ops.push(Op::Rebase(path.clone(), action.before.to_base()));
        if matches!(workspace.state(&path), State::Project | State::Directory { merged: true, .. }) {
            ops.push(Op::Directory { identity: identity(&path), path, modified_ns: now_ns() });
        }
    }
    let mut removed = Vec::new();
    for action in others {
        let path = action.path.clone();
        let base = action.before.to_base();
        if known(workspace, &path) {
            // The agent went on from the commit: what it has now stays, on what the project will have then.
            ops.push(Op::Rebase(path, base));
            continue;
        }
        ops.push(Op::Base(path.clone(), base));
        match &action.after {
            Side::File { mode, .. } => {
                let data = copy_back(workspace, &path).map_err(|error| io(&path, error))?;
                let (content, identity) = (Content::Data(data), identity(&path));
                ops.push(Op::File { path, content, identity, mode: *mode });
            }
            Side::Link { target } => {
                let (target, identity) = (target.clone(), identity(&path));
                ops.push(Op::Link { path, target, identity, modified_ns: now_ns() });
            }
            Side::Absent | Side::Directory | Side::Other => removed.push(path),
        }
    }
    // A directory goes after what is in it.
    removed.sort_by_key(|path| std::cmp::Reverse(path.matches('/').count()));
    ops.extend(removed.into_iter().map(Op::Remove));
    Ok(ops)
}
