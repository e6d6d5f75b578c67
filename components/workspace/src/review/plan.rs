//! From a selection of changes to a commit; discarding and undoing.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::exports::wardian::workspace::review::GuestPlan;
use crate::index::{Content, Kind as NodeKind, Op, is_within, split};
use crate::layer::Workspace;
use crate::review::commit::{self, Action, Record, Source};
use crate::review::side::{Side, digest_of};
use crate::review::survey::{Item, Outcome, Survey, survey};
use crate::review::{io, settle, show, with};
use crate::text;
use crate::wardian::workspace::types::{Change, Commit, CommitOptions, Error, Selected};
use crate::wasi::filesystem::types::{ErrorCode, PathFlags};

/// A change that was chosen, whole or in part.
struct Chosen {
    item: Item,
    is_whole: bool,
}

/// A commit that is ready to take place.
pub struct Prepared(RefCell<State>);

struct State {
    changes: Vec<Change>,
    chosen: Vec<Chosen>,
    /// Of the layer, when it was prepared.
    position: u64,
}

impl GuestPlan for Prepared {
    fn changes(&self) -> Vec<Change> {
        self.0.borrow().changes.clone()
    }

    fn apply(&self) -> Result<Commit, Error> {
        let state = self.0.borrow();
        with(|workspace| apply(workspace, &state))
    }
}

/// Whether a path was chosen: itself, or with a directory that it is in.
fn is_in(item: &Item, path: &str) -> bool {
    is_within(&item.path, path) || item.from.as_ref().is_some_and(|from| is_within(&from.path, path))
}

/// Whether every change in a directory is among those that were chosen.
fn is_covered(directory: &str, items: &[Item], chosen: &[bool]) -> bool {
    let within = |item: &Item| is_in(item, directory) && item.path != directory;
    items.iter().zip(chosen).all(|(item, chosen)| *chosen || !within(item))
}

/// Which of the items are meant, and the error for a path that means none.
fn choose(items: &[Item], selection: Option<&[Selected]>, ignored: bool) -> Result<Vec<bool>, Error> {
    let Some(selection) = selection else {
        return Ok(items.iter().map(|item| ignored || !item.ignored).collect());
    };
    let mut chosen = vec![false; items.len()];
    for selected in selection {
        let mut any = false;
        for (item, chosen) in items.iter().zip(&mut chosen) {
            // Who names an ignored file means it; who names a directory does not mean the ignored ones in it.
            let means = is_in(item, &selected.path) && (ignored || !item.ignored || item.path == selected.path);
            *chosen |= means;
            any |= means;
        }
        if !any {
            return Err(Error::NoChange(selected.path.clone()));
        }
    }
    Ok(chosen)
}

pub fn prepare(workspace: &mut Workspace, options: &CommitOptions) -> Result<Prepared, Error> {
    let Survey { mut items, implied } = survey(workspace, &[])?;
    let selection = options.selection.as_deref();
    let mut chosen = choose(&items, selection, options.ignored)?;
    // What becomes of a directory that is no more one is one change with what was in it.
    for at in 0..items.len() {
        let Some(item) = items.get(at) else { continue };
        if chosen.get(at) == Some(&true) && item.now == Side::Directory && item.after != Side::Directory {
            let directory = item.path.clone();
            for (item, chosen) in items.iter().zip(&mut chosen) {
                *chosen |= is_within(&item.path, &directory);
            }
        }
    }
    // The directories that something comes into come with it, those that everything went from go with it.
    let mut more: Vec<Item> = Vec::new();
    for directory in &implied {
        let needed = if directory.after == Side::Directory {
            items
                .iter()
                .zip(&chosen)
                .any(|(item, chosen)| *chosen && item.after != Side::Absent && is_within(&item.path, &directory.path))
        } else {
            is_covered(&directory.path, &items, &chosen)
        };
        if needed {
            more.push(directory.clone());
        }
    }
    let wanted: Vec<String> = items
        .iter()
        .zip(&chosen)
        .filter(|(item, chosen)| **chosen && item.after != Side::Absent)
        .map(|(item, _)| item.path.clone())
        .collect();
    for (item, chosen) in items.iter().zip(&mut chosen) {
        let is_above = |path: &String| path != &item.path && is_within(path, &item.path);
        *chosen |= item.after == Side::Directory && item.now != Side::Directory && wanted.iter().any(is_above);
    }
    let mut picked = Vec::new();
    for (item, _) in items.iter_mut().zip(&chosen).filter(|(_, chosen)| **chosen) {
        if options.overwrite {
            item.overwrite();
        }
        let blocks = selection
            .and_then(|selection| selection.iter().find(|selected| selected.path == item.path))
            .and_then(|selected| selected.blocks.as_deref());
        picked.push(match blocks {
            Some(blocks) => in_part(workspace, item, blocks)?,
            None => Chosen { item: item.clone(), is_whole: true },
        });
    }
    if picked.is_empty() {
        return Err(Error::Nothing);
    }
    let conflicts: Vec<Change> =
        picked.iter().filter(|chosen| chosen.item.conflict.is_some()).map(|chosen| chosen.item.to_change()).collect();
    if !conflicts.is_empty() {
        return Err(Error::Conflict(conflicts));
    }
    let changes = picked.iter().map(|chosen| chosen.item.to_change()).collect();
    for path in missing_directories(workspace, &picked, &more)? {
        more.push(Item::directory(path));
    }
    picked.extend(more.into_iter().map(|item| Chosen { item, is_whole: true }));
    Ok(Prepared(RefCell::new(State { changes, chosen: picked, position: workspace.position() })))
}

/// Directories that neither the project nor the commit has and that something comes into: the user removed them, or an undo.
fn missing_directories(workspace: &Workspace, picked: &[Chosen], more: &[Item]) -> Result<BTreeSet<String>, Error> {
    let mut missing = BTreeSet::new();
    let comes = |path: &str| {
        let is_it = |item: &Item| item.path == path && item.after == Side::Directory;
        picked.iter().any(|chosen| is_it(&chosen.item)) || more.iter().any(is_it)
    };
    for chosen in picked.iter().filter(|chosen| chosen.item.after != Side::Absent) {
        let mut directory = split(&chosen.item.path).0;
        while !directory.is_empty() && !missing.contains(directory) && !comes(directory) {
            match workspace.project.stat_at(PathFlags::empty(), directory) {
                Ok(_) => break,
                Err(ErrorCode::NoEntry | ErrorCode::NotDirectory) => missing.insert(directory.to_owned()),
                Err(error) => return Err(io(directory, error)),
            };
            directory = split(directory).0;
        }
    }
    Ok(missing)
}

/// Only some blocks of a file's change.
fn in_part(workspace: &mut Workspace, item: &Item, blocks: &[u32]) -> Result<Chosen, Error> {
    let stale = || Error::Stale(item.path.clone());
    let (Side::File { .. }, Side::File { .. }, None) = (&item.now, &item.after, &item.from) else {
        return Err(stale());
    };
    let before = workspace.project_bytes(&item.path).map_err(|error| io(&item.path, error))?;
    let after = show::outcome_bytes(workspace, item)?;
    if !text::is_compared(&before) || !text::is_compared(&after) {
        return Err(stale());
    }
    let part = text::apply_blocks(&before, &after, blocks).map_err(|_| stale())?;
    if part == after {
        return Ok(Chosen { item: item.clone(), is_whole: true });
    }
    let mut item = item.clone();
    let mode = item.now.mode();
    item.after = Side::File { digest: digest_of(&part), size: part.len() as u64, mode };
    item.outcome = Outcome::Merged(part);
    Ok(Chosen { item, is_whole: false })
}

fn apply(workspace: &mut Workspace, state: &State) -> Result<Commit, Error> {
    if !commit::is_writable(workspace).map_err(|error| io("", error))? {
        return Err(Error::ReadOnly);
    }
    workspace.refresh().map_err(|error| io("log", error))?;
    if workspace.position() != state.position {
        let path = state.changes.first().map(|change| change.path.clone()).unwrap_or_default();
        return Err(Error::Stale(path));
    }
    let mut changed = Vec::new();
    for Chosen { item, .. } in &state.chosen {
        for item in [Some(item), item.from.as_deref()].into_iter().flatten() {
            let now = workspace.project_side(&item.path, None).map_err(|error| io(&item.path, error))?;
            if now != item.now {
                changed.push(item.path.clone());
            }
        }
    }
    if !changed.is_empty() {
        return Err(Error::ChangedSince(changed));
    }
    let (mut steps, mut forgotten, mut directories, mut ops) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for Chosen { item, is_whole } in &state.chosen {
        if let Some(from) = &item.from {
            forgotten.push(from.path.clone());
            steps.push((action(from, Side::Absent), None));
        }
        let (step, bytes) = match &item.outcome {
            Outcome::Own(Content::Data(data)) => (Source::Data(*data), None),
            Outcome::Own(content) => (Source::None, Some(content.clone())),
            Outcome::Merged(bytes) => {
                let digest = digest_of(bytes);
                commit::keep_bytes(workspace, &digest, bytes).map_err(|error| io(&item.path, error))?;
                (Source::Object(digest), None)
            }
            Outcome::None => (Source::None, None),
        };
        steps.push((Action { source: step, ..action(item, item.after.clone()) }, bytes));
        if !is_whole {
            ops.push(Op::Rebase(item.path.clone(), item.after.to_base()));
        } else {
            forgotten.push(item.path.clone());
            if item.after == Side::Directory {
                directories.push(item.path.clone());
            }
        }
    }
    steps.sort_by(|(one, _), (other, _)| one.path.cmp(&other.path));
    forgotten.sort();
    let (mut actions, bytes): (Vec<Action>, Vec<Option<Content>>) = steps.into_iter().unzip();
    keep_borrowed(workspace, &actions, &forgotten)?;
    ops.extend(settle::committed(workspace, &forgotten, &directories));
    let number = workspace.index.committed + 1;
    commit::prepare(workspace, number, &mut actions, &bytes)?;
    let record = Record { number, undoes: None, actions, ops };
    commit::carry_out(workspace, &record)?;
    Ok(record.to_commit())
}

fn action(item: &Item, after: Side) -> Action {
    let (path, before) = (item.path.clone(), item.now.clone());
    Action { path, before, after, source: Source::None, temporary: String::new() }
}

/// In a layer from before, files that were moved still have their bytes in the project: before those change there, they
/// are copied.
fn keep_borrowed(workspace: &mut Workspace, actions: &[Action], forgotten: &[String]) -> Result<(), Error> {
    let mut borrowed = Vec::new();
    workspace.index.walk(|path, node| {
        if let NodeKind::File { content: Content::Project(from), .. } = &node.kind
            && actions.iter().any(|action| action.path == *from)
            && !forgotten.iter().any(|gone| gone == path)
        {
            borrowed.push(path.to_owned());
        }
    });
    for path in borrowed {
        workspace.make_writable(&path, true).map_err(|error| io(&path, error))?;
    }
    Ok(())
}

pub fn discard(workspace: &mut Workspace, paths: &[String], ignored: bool) -> Result<Vec<String>, Error> {
    if !workspace.writable {
        return Err(Error::ReadOnly);
    }
    let Survey { items, implied } = survey(workspace, &[])?;
    let selection: Vec<Selected> = paths.iter().map(|path| Selected { path: path.clone(), blocks: None }).collect();
    let chosen = choose(&items, (!paths.is_empty()).then_some(&selection), ignored)?;
    let mut dropped: Vec<String> = Vec::new();
    for (item, _) in items.iter().zip(&chosen).filter(|(_, chosen)| **chosen) {
        dropped.push(item.path.clone());
        dropped.extend(item.from.as_ref().map(|from| from.path.clone()));
    }
    if dropped.is_empty() {
        return Err(Error::Nothing);
    }
    let covered = implied.iter().filter(|directory| is_covered(&directory.path, &items, &chosen));
    let mut forgotten = dropped.clone();
    forgotten.extend(covered.map(|directory| directory.path.clone()));
    forgotten.sort();
    workspace.step(|workspace| Ok((settle::discarded(workspace, &forgotten), ()))).map_err(|error| io("log", error))?;
    dropped.sort();
    Ok(dropped)
}

pub fn undo(workspace: &mut Workspace) -> Result<Commit, Error> {
    if !commit::is_writable(workspace).map_err(|error| io("", error))? {
        return Err(Error::ReadOnly);
    }
    workspace.refresh().map_err(|error| io("log", error))?;
    let Some(last) = commit::last(workspace)? else { return Err(Error::Nothing) };
    let mut changed = Vec::new();
    for action in &last.actions {
        let now = workspace.project_side(&action.path, None).map_err(|error| io(&action.path, error))?;
        // A directory that was to go, but in which the user has something of their own, is still there.
        let stayed = action.before == Side::Directory && now == Side::Directory;
        if !now.is_same(&action.after) && !stayed {
            changed.push(action.path.clone());
        }
    }
    if !changed.is_empty() {
        return Err(Error::ChangedSince(changed));
    }
    let mut actions = commit::inverted(&last);
    keep_borrowed(workspace, &actions, &[])?;
    // What the project has now, with the permission bits that the host gave to new files.
    for action in &mut actions {
        action.before = workspace.project_side(&action.path, None).map_err(|error| io(&action.path, error))?;
    }
    let number = workspace.index.committed + 1;
    let bytes = vec![None; actions.len()];
    commit::prepare(workspace, number, &mut actions, &bytes)?;
    let ops = settle::undone(workspace, &last)?;
    let record = Record { number, undoes: Some(last.number), actions, ops };
    commit::carry_out(workspace, &record)?;
    Ok(record.to_commit())
}
