//! What a commit, a discard and an undo mean for the layer, as operations of its log.

use crate::index::{Base, Content, Kind, Op, Place, identity, is_within, split};
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

/// The project has what the layer had at these paths; `directories` are among them.
pub fn committed(workspace: &Workspace, paths: &[String], directories: &[String]) -> Vec<Op> {
    let mut ops = Vec::new();
    for path in paths {
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
            let hides = match workspace.index.find(above) {
                Place::Node(node) => match &node.kind {
                    Kind::Gone => true,
                    Kind::Directory(directory) => {
                        !directory.merged && workspace.index.bases.get(above) == Some(&Base::Directory)
                    }
                    _ => false,
                },
                _ => false,
            };
            if hides && !opened.contains(&above) && !paths.iter().any(|path| path == above) {
                opened.push(above);
                let is_gone = workspace.state(above) == State::Absent;
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
        let has_more = others.iter().any(|other| is_within(&other.path, &action.path));
        if known(workspace, &action.path) || has_more {
            continue;
        }
        let path = action.path.clone();
        ops.push(Op::Base(path.clone(), action.before.to_base()));
        ops.push(Op::Directory { identity: identity(&path), path, modified_ns: now_ns() });
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
