//! What changed: every path that the layer has a word on, against the project as it is now.

use std::collections::{BTreeMap, BTreeSet};

use crate::index::{Base, Content, Kind as NodeKind, is_within, split};
use crate::layer::Workspace;
use crate::review::ahead::Ahead;
use crate::review::io;
use crate::review::side::{Side, digest_of};
use crate::rules::{IGNORE_BYTES_MAX, Ignores};
use crate::text::{self, Candidate, Which};
use crate::wardian::workspace::types::{Change, Conflict, Entry, Error, FileType, Kind};
use crate::wasi::filesystem::types::{DescriptorType, ErrorCode, PathFlags};

/// Where the bytes of a change's outcome are.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// In the workspace.
    Own(Content),
    /// Made from both sides.
    Merged(Vec<u8>),
    /// It is no file.
    None,
}

/// A change, with what is needed to look at it or to commit it.
#[derive(Debug, Clone)]
pub struct Item {
    pub path: String,
    /// In the project when it was first changed.
    pub base: Side,
    /// In the project now.
    pub now: Side,
    /// As a commit would leave it.
    pub after: Side,
    pub outcome: Outcome,
    /// What the workspace has, where that is not `after`.
    pub own: Option<(Side, Outcome)>,
    pub from: Option<Box<Item>>,
    pub conflict: Option<Conflict>,
    pub ignored: bool,
}

impl Item {
    /// A directory that has to be made for what comes into it.
    pub fn directory(path: String) -> Self {
        let (base, now, after) = (Side::Absent, Side::Absent, Side::Directory);
        Self { path, base, now, after, outcome: Outcome::None, own: None, from: None, conflict: None, ignored: false }
    }

    pub fn kind(&self) -> Kind {
        if self.from.is_some() {
            return Kind::Renamed;
        }
        match (&self.now, &self.after) {
            (Side::Absent, _) => Kind::Added,
            (_, Side::Absent) => Kind::Deleted,
            (Side::File { .. }, Side::File { .. }) if self.now.is_like(&self.after) => Kind::Mode,
            (Side::File { .. }, Side::File { .. }) | (Side::Link { .. }, Side::Link { .. }) => Kind::Modified,
            _ => Kind::Type,
        }
    }

    pub fn is_merged(&self) -> bool {
        matches!(self.outcome, Outcome::Merged(_))
    }

    pub fn to_change(&self) -> Change {
        let before = self.from.as_ref().map_or(&self.now, |from| &from.now);
        Change {
            path: self.path.clone(),
            kind: self.kind(),
            from: self.from.as_ref().map(|from| from.path.clone()),
            before: entry(before),
            after: entry(&self.after),
            conflict: self.conflict,
            merged: self.is_merged(),
            ignored: self.ignored,
        }
    }

    /// Takes the workspace's version, whatever the project has.
    pub fn overwrite(&mut self) {
        if self.conflict.is_some_and(|conflict| conflict != Conflict::InTheWay) {
            self.conflict = None;
            if let Some((side, outcome)) = self.own.take() {
                (self.after, self.outcome) = (side, outcome);
            }
        }
    }
}

fn entry(side: &Side) -> Option<Entry> {
    let file_type = match side {
        Side::Absent => return None,
        Side::File { .. } | Side::Other => FileType::File,
        Side::Link { .. } => FileType::Symlink,
        Side::Directory => FileType::Directory,
    };
    Some(Entry { file_type, size: side.size(), digest: side.digest(), mode: side.mode().map(u32::from) })
}

/// All changes, by path.
pub struct Survey {
    pub items: Vec<Item>,
    /// Directories that come or go with what is in them, and are no news of their own.
    pub implied: Vec<Item>,
}

/// Every path that the layer has a word on.
fn paths(workspace: &Workspace) -> BTreeSet<String> {
    let mut paths: BTreeSet<String> = workspace.index.bases.keys().cloned().collect();
    workspace.index.walk(|path, node| {
        if !matches!(&node.kind, NodeKind::Directory(directory) if directory.merged) {
            paths.insert(path.to_owned());
        }
    });
    paths
}

/// Looks at everything that changed below one of `filter`; none is all.
pub fn survey(workspace: &mut Workspace, filter: &[String]) -> Result<Survey, Error> {
    workspace.refresh().map_err(|error| io("", error))?;
    let mut ignores = Ignores::default();
    let mut items = Vec::new();
    let mut paths: Vec<String> = paths(workspace).into_iter().collect();
    paths.retain(|path| filter.is_empty() || filter.iter().any(|chosen| is_within(path, chosen)));
    let mut ahead = Ahead::look(workspace, &paths);
    for path in paths {
        if let Some(mut item) = examine(workspace, &mut ahead, &path).map_err(|error| io(&path, error))? {
            let is_directory = item.after == Side::Directory || item.now == Side::Directory;
            item.ignored = is_ignored(workspace, &mut ignores, &path, is_directory)?;
            items.push(item);
        }
    }
    pair(workspace, &mut items);
    block(workspace, &mut items).map_err(|error| io("", error))?;
    Ok(without_implied(items))
}

/// Whether a path is build output, by the `.gitignore` files that programs see.
pub fn is_ignored(
    workspace: &mut Workspace,
    ignores: &mut Ignores,
    path: &str,
    is_directory: bool,
) -> Result<bool, Error> {
    let read = |file: &str| workspace.small_file(file, IGNORE_BYTES_MAX);
    ignores.is_ignored(path, is_directory, read).map_err(|error| io(path, error))
}

/// Looks at one path. None: the workspace has there what the project has.
fn examine(workspace: &mut Workspace, ahead: &mut Ahead, path: &str) -> Result<Option<Item>, ErrorCode> {
    let Some((own, content)) = workspace.own_side(path, |content| ahead.data(content))? else { return Ok(None) };
    let base = workspace.index.bases.get(path).map_or(Side::Absent, Side::of_base);
    if own.is_same(&base) {
        return Ok(None);
    }
    let mut now = match ahead.project(path) {
        Some(now) => now,
        None => workspace.project_side(path, Some(&base))?,
    };
    let mut item = Item {
        path: path.to_owned(),
        base,
        now: now.clone(),
        after: own.clone(),
        outcome: content.map_or(Outcome::None, Outcome::Own),
        own: None,
        from: None,
        conflict: None,
        ignored: false,
    };
    if now.is_same(&item.base) {
        return Ok(Some(item));
    }
    // The project is no longer what it was: its digest counts, whatever its size.
    now = workspace.project_side(path, None)?;
    item.now = now.clone();
    if now.is_same(&own) {
        return Ok(None);
    }
    item.conflict = Some(match (&item.base, &own, &now) {
        (_, _, Side::Directory | Side::Other) => Conflict::InTheWay,
        (_, Side::Absent, _) => Conflict::ChangedInProject,
        (Side::Absent, ..) => Conflict::BothAdded,
        (_, _, Side::Absent) => Conflict::DeletedInProject,
        _ => Conflict::BothChanged,
    });
    if item.conflict == Some(Conflict::BothChanged)
        && let Some(merged) = merge(workspace, &item)?
    {
        let (digest, size) = (digest_of(&merged), merged.len() as u64);
        // Permission bits merge like content: whoever changed them wins.
        let mode = if own.mode() == item.base.mode() { now.mode() } else { own.mode() };
        let side = Side::File { digest, size, mode };
        item.conflict = None;
        if side.is_same(&now) {
            return Ok(None);
        }
        item.own = Some((own, item.outcome));
        (item.after, item.outcome) = (side, Outcome::Merged(merged));
    }
    Ok(Some(item))
}

fn merge(workspace: &mut Workspace, item: &Item) -> Result<Option<Vec<u8>>, ErrorCode> {
    let limit = text::COMPARED_BYTES_MAX as u64;
    let (Side::File { digest, .. }, Side::File { size, .. }, Side::File { size: own_size, .. }, Outcome::Own(content)) =
        (&item.base, &item.now, &item.after, &item.outcome)
    else {
        return Ok(None);
    };
    if *size > limit || *own_size > limit {
        return Ok(None);
    }
    let Some(base) = workspace.kept(digest) else { return Ok(None) };
    let theirs = workspace.project_bytes(&item.path)?;
    let own = workspace.content_bytes(content)?;
    Ok(text::merge(&base, &own, &theirs))
}

/// Finds out what was moved: what went is paired with what came.
fn pair(workspace: &mut Workspace, items: &mut Vec<Item>) {
    let is_file = |side: &Side| matches!(side, Side::File { .. });
    let clean = |item: &&Item| item.conflict.is_none() && !item.ignored;
    let gone: Vec<Item> =
        items.iter().filter(clean).filter(|item| item.after == Side::Absent && is_file(&item.now)).cloned().collect();
    let come: Vec<Item> =
        items.iter().filter(clean).filter(|item| item.now == Side::Absent && is_file(&item.after)).cloned().collect();
    if gone.is_empty() || come.is_empty() {
        return;
    }
    let digests = |items: &[Item], after: bool| -> Vec<String> {
        items.iter().map(|item| if after { item.after.digest() } else { item.now.digest() }).collect()
    };
    let (gone_digests, come_digests) = (digests(&gone, false), digests(&come, true));
    let deleted: Vec<Candidate<'_>> = gone
        .iter()
        .zip(&gone_digests)
        .map(|(item, digest)| Candidate { path: &item.path, digest, size: item.now.size() })
        .collect();
    let added: Vec<Candidate<'_>> = come
        .iter()
        .zip(&come_digests)
        .map(|(item, digest)| Candidate { path: &item.path, digest, size: item.after.size() })
        .collect();
    let renames = text::renames(&deleted, &added, |which, at| match which {
        Which::Deleted => workspace.project_bytes(&gone.get(at)?.path).ok(),
        Which::Added => match &come.get(at)?.outcome {
            Outcome::Own(content) => workspace.content_bytes(content).ok(),
            _ => None,
        },
    });
    let mut moved: BTreeMap<&str, &Item> = BTreeMap::new();
    let mut gone_away: BTreeSet<&str> = BTreeSet::new();
    for rename in renames {
        if let (Some(from), Some(to)) = (gone.get(rename.deleted), come.get(rename.added)) {
            moved.insert(&to.path, from);
            gone_away.insert(&from.path);
        }
    }
    items.retain(|item| !gone_away.contains(item.path.as_str()));
    for item in items {
        item.from = moved.get(item.path.as_str()).map(|from| Box::new((*from).clone()));
    }
}

/// Finds what cannot be put where it belongs, because something else stands in the way there.
fn block(workspace: &mut Workspace, items: &mut [Item]) -> Result<(), ErrorCode> {
    let after: BTreeMap<String, Side> = items.iter().map(|item| (item.path.clone(), item.after.clone())).collect();
    let mut known: BTreeMap<String, bool> = BTreeMap::new();
    for item in items.iter_mut().filter(|item| item.after != Side::Absent && item.conflict.is_none()) {
        let mut parent = split(&item.path).0.to_owned();
        while !parent.is_empty() {
            let fits = match (known.get(&parent), after.get(&parent)) {
                (Some(fits), _) => *fits,
                (None, Some(side)) => *side == Side::Directory,
                (None, None) => match workspace.project.stat_at(PathFlags::empty(), &parent) {
                    Ok(stat) => stat.type_ == DescriptorType::Directory,
                    Err(ErrorCode::NoEntry | ErrorCode::NotDirectory) => true,
                    Err(error) => return Err(error),
                },
            };
            known.insert(parent.clone(), fits);
            if !fits {
                item.conflict = Some(Conflict::InTheWay);
                break;
            }
            parent = split(&parent).0.to_owned();
        }
    }
    // What is to go must be what it was: behind a link that the user has put in the way is something else.
    let mut links: BTreeMap<String, bool> = BTreeMap::new();
    for item in items.iter_mut().filter(|item| item.after == Side::Absent && item.conflict.is_none()) {
        for parent in above(item).into_iter().filter(|parent| !after.contains_key(parent)) {
            let is_link = *links.entry(parent).or_insert_with_key(|parent| {
                let stat = workspace.project.stat_at(PathFlags::empty(), parent);
                stat.is_ok_and(|stat| stat.type_ == DescriptorType::SymbolicLink)
            });
            if is_link {
                item.conflict = Some(Conflict::InTheWay);
            }
        }
    }
    Ok(())
}

/// A directory that came is no news where something came in it, one that went none where something went with it.
fn without_implied(items: Vec<Item>) -> Survey {
    let (mut news, mut implied) = (Vec::new(), Vec::new());
    let came: BTreeSet<String> = items.iter().filter(|item| item.after != Side::Absent).flat_map(above).collect();
    let went: BTreeSet<String> = items
        .iter()
        .flat_map(|item| {
            let from = item.from.as_ref().map(|from| above(from)).unwrap_or_default();
            let own = if item.after == Side::Absent { above(item) } else { Vec::new() };
            from.into_iter().chain(own)
        })
        .collect();
    for item in items {
        let is_implied = match (&item.now, &item.after) {
            (Side::Absent, Side::Directory) => came.contains(&item.path),
            (Side::Directory, Side::Absent) => went.contains(&item.path),
            _ => false,
        };
        if is_implied { implied.push(item) } else { news.push(item) }
    }
    Survey { items: news, implied }
}

/// The directories that an item is in.
fn above(item: &Item) -> Vec<String> {
    let mut directories = Vec::new();
    let mut path = split(&item.path).0;
    while !path.is_empty() {
        directories.push(path.to_owned());
        path = split(path).0;
    }
    directories
}

/// What happened to a path, without a look at content. None: nothing that lasted, or nothing that is a file's.
pub fn rough_kind(workspace: &Workspace, path: &str) -> Option<Kind> {
    use crate::resolve::State;
    let base = workspace.index.bases.get(path);
    let was_there = !matches!(base, None | Some(Base::Absent));
    match workspace.state(path) {
        State::Hidden | State::Project | State::Directory { .. } => None,
        State::Absent => matches!(base, Some(Base::File { .. } | Base::Link { .. })).then_some(Kind::Deleted),
        State::File { .. } | State::Link { .. } if was_there => Some(Kind::Modified),
        State::File { .. } | State::Link { .. } => Some(Kind::Added),
    }
}
