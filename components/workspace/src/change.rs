//! What programs do to the tree, as steps of the log.
//!
//! Each takes paths that are already resolved and looks at them again in its turn: another instance may have been faster.

use std::collections::HashSet;

use crate::index::{Base, Content, Kind, Op, Place, identity, is_within, join, split};
use crate::layer::{Copied, Workspace, now_ns};
use crate::resolve::{Located, PATH_BYTES_MAX, State, check_length};
use crate::wardian::host::modes;
use crate::wasi::filesystem::types::{
    Descriptor, DescriptorFlags, DescriptorType, ErrorCode, NewTimestamp, OpenFlags, PathFlags,
};

/// An entry of a directory, as both layers together have it.
pub struct Entry {
    pub name: String,
    pub file_type: DescriptorType,
}

impl Workspace {
    /// The state of a path with the project asked; never [`State::Project`].
    pub fn settled(&mut self, path: &str) -> Result<State, ErrorCode> {
        match self.state(path) {
            State::Project => Ok(self.resolve("", path, false)?.state),
            state => Ok(state),
        }
    }

    /// A new file at a path where nothing is. None: something is there by now.
    pub fn create_file(&mut self, path: &str, flags: DescriptorFlags) -> Result<Option<(u32, Descriptor)>, ErrorCode> {
        self.may_write(path)?;
        let mut created: Option<(u32, Descriptor)> = None;
        let made = self.step(|workspace| {
            if workspace.settled(path)? != State::Absent {
                return Ok((Vec::new(), false));
            }
            let base = workspace.base_op(path)?;
            if matches!(&base, Some(Op::Base(_, base)) if *base != Base::Absent) {
                return Ok((Vec::new(), false));
            }
            if created.is_none() {
                created = Some(workspace.create_data(flags)?);
            }
            let Some((data, _)) = &created else { return Err(ErrorCode::Io) };
            let file = Op::File {
                path: path.to_owned(),
                content: Content::Data(*data),
                identity: fresh_identity(path),
                mode: workspace.inherited_mode(path),
            };
            Ok((base.into_iter().chain([file]).collect(), true))
        })?;
        Ok(if made { created } else { None })
    }

    /// Moves a file's bytes into the layer, so that they can be written to.
    pub fn make_writable(&mut self, path: &str, keep_bytes: bool) -> Result<(), ErrorCode> {
        self.may_write(path)?;
        let mut copied: Option<Copied> = None;
        self.step(|workspace| Ok((workspace.copy_up(path, &mut copied, keep_bytes)?, ())))
    }

    pub fn create_directory(&mut self, at: &Located) -> Result<(), ErrorCode> {
        self.create_node(&at.path, |path| Op::Directory {
            identity: fresh_identity(&path),
            path,
            modified_ns: now_ns(),
        })
    }

    pub fn create_link(&mut self, target: &str, at: &Located) -> Result<(), ErrorCode> {
        if at.wants_directory {
            return Err(ErrorCode::NoEntry);
        }
        check_target(target, &at.path)?;
        self.create_node(&at.path, |path| Op::Link {
            identity: fresh_identity(&path),
            path,
            target: target.to_owned(),
            modified_ns: now_ns(),
        })
    }

    fn create_node(&mut self, path: &str, node: impl Fn(String) -> Op) -> Result<(), ErrorCode> {
        if !matches!(self.settled(path)?, State::Hidden | State::Absent) {
            return Err(ErrorCode::Exist);
        }
        self.may_write(path)?;
        self.step(|workspace| {
            if workspace.settled(path)? != State::Absent {
                return Err(ErrorCode::Exist);
            }
            let base = workspace.base_op(path)?;
            Ok((base.into_iter().chain([node(path.to_owned())]).collect(), ()))
        })
    }

    pub fn unlink(&mut self, at: &Located) -> Result<(), ErrorCode> {
        let path = &at.path;
        match self.settled(path)? {
            State::Absent | State::Hidden => return Err(ErrorCode::NoEntry),
            State::Directory { .. } => return Err(ErrorCode::IsDirectory),
            _ if at.wants_directory => return Err(ErrorCode::NotDirectory),
            _ => {}
        }
        self.may_write(path)?;
        self.step(|workspace| match workspace.settled(path)? {
            State::Absent | State::Hidden => Err(ErrorCode::NoEntry),
            State::Directory { .. } => Err(ErrorCode::IsDirectory),
            _ => {
                let base = workspace.base_op(path)?;
                Ok((base.into_iter().chain([Op::Remove(path.clone())]).collect(), ()))
            }
        })
    }

    pub fn remove_directory(&mut self, at: &Located) -> Result<(), ErrorCode> {
        let path = &at.path;
        if path.is_empty() {
            return Err(ErrorCode::Busy);
        }
        match self.settled(path)? {
            State::Absent | State::Hidden => return Err(ErrorCode::NoEntry),
            State::Directory { .. } => {}
            _ => return Err(ErrorCode::NotDirectory),
        }
        self.may_write(path)?;
        self.step(|workspace| {
            if !matches!(workspace.settled(path)?, State::Directory { .. }) {
                return Err(ErrorCode::NoEntry);
            }
            if !workspace.is_empty(path)? {
                return Err(ErrorCode::NotEmpty);
            }
            let base = workspace.base_op(path)?;
            Ok((base.into_iter().chain([Op::Remove(path.clone())]).collect(), ()))
        })
    }

    /// Whether a directory has nothing in it. What is hidden is something: removing it unseen would lose it.
    fn is_empty(&mut self, path: &str) -> Result<bool, ErrorCode> {
        let (mut merged, mut gone) = (true, HashSet::new());
        if let Some(directory) = self.index.directory(path) {
            merged = directory.merged;
            for (name, node) in &directory.children {
                if node.kind != Kind::Gone {
                    // A directory that only shows the project's may itself be gone from there.
                    return Ok(false);
                }
                gone.insert(name.clone());
            }
        }
        if !merged {
            return Ok(true);
        }
        let entries = self.project_entries(path)?;
        Ok(entries.iter().all(|entry| gone.contains(entry.name.as_str())))
    }

    /// What the project itself has in a directory; nothing where it has none.
    pub fn project_entries(&mut self, path: &str) -> Result<Vec<Entry>, ErrorCode> {
        let open = OpenFlags::DIRECTORY;
        let directory = match self.project.open_at(PathFlags::empty(), here(path), open, DescriptorFlags::READ) {
            Ok(directory) => directory,
            Err(ErrorCode::NoEntry | ErrorCode::NotDirectory | ErrorCode::Loop) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let stream = directory.read_directory()?;
        let mut entries = Vec::new();
        while let Some(entry) = stream.read_directory_entry()? {
            entries.push(Entry { name: entry.name, file_type: entry.type_ });
        }
        Ok(entries)
    }

    pub fn rename(&mut self, from: &Located, to: &Located) -> Result<(), ErrorCode> {
        let (source, target) = (&from.path, &to.path);
        let moved = self.settled(source)?;
        let is_directory = match &moved {
            State::Absent | State::Hidden => return Err(ErrorCode::NoEntry),
            State::Directory { .. } => true,
            _ if from.wants_directory => return Err(ErrorCode::NotDirectory),
            _ => false,
        };
        if source.is_empty() || target.is_empty() {
            return Err(ErrorCode::Busy);
        }
        if source == target {
            return Ok(());
        }
        if is_directory && is_within(target, source) {
            return Err(ErrorCode::Invalid);
        }
        if is_within(source, target) {
            // Whatever is moved is in it.
            return Err(ErrorCode::NotEmpty);
        }
        if to.wants_directory && !is_directory {
            return Err(ErrorCode::NotDirectory);
        }
        self.may_write(source)?;
        self.may_write(target)?;
        self.step(|workspace| {
            let moved = workspace.settled(source)?;
            let replaced = workspace.settled(target)?;
            let is_directory = matches!(moved, State::Directory { .. });
            match &replaced {
                State::Hidden => return Err(ErrorCode::NotPermitted),
                State::Absent => {}
                State::Directory { .. } if !is_directory => return Err(ErrorCode::IsDirectory),
                State::Directory { .. } if !workspace.is_empty(target)? => return Err(ErrorCode::NotEmpty),
                State::Directory { .. } => {}
                _ if is_directory => return Err(ErrorCode::NotDirectory),
                // Two names of the same file: POSIX leaves both.
                State::File { content, .. } if matches!(&moved, State::File { content: same, .. } if same == content) =>
                {
                    return Ok((Vec::new(), ()));
                }
                _ => {}
            }
            workspace.may_stand_below(source, target)?;
            let mut ops = Vec::new();
            ops.extend(workspace.base_op(target)?);
            let mode = workspace.inherited_mode(target);
            let in_layer = |workspace: &Self, path: &str| matches!(workspace.index.find(path), Place::Node(_));
            match moved {
                State::Absent | State::Hidden | State::Project => return Err(ErrorCode::NoEntry),
                State::Directory { merged: true, .. } => {
                    if replaced != State::Absent {
                        ops.push(Op::Remove(target.clone()));
                    }
                    workspace.move_directory(source, target, &mut ops)?;
                    ops.push(Op::Remove(source.clone()));
                    ops.push(Op::Moved { from: source.clone(), to: target.clone() });
                }
                _ if in_layer(workspace, source) => {
                    ops.push(Op::Move { from: source.clone(), to: target.clone() });
                    if let (State::File { mode: None, .. }, Some(mode)) = (&moved, mode) {
                        ops.push(Op::Mode(target.clone(), mode));
                    }
                }
                _ => {
                    workspace.move_from_project(source, target, &mut ops)?;
                    ops.push(Op::Remove(source.clone()));
                }
            }
            Ok((ops, ()))
        })
    }

    /// Fails if something that is moved could not have been made where it gets to.
    fn may_stand_below(&self, source: &str, target: &str) -> Result<(), ErrorCode> {
        let mut result = Ok(());
        self.index.walk_at(source, |path, node| {
            let to = format!("{target}{}", path.get(source.len()..).unwrap_or_default());
            let link = match &node.kind {
                Kind::Gone => return,
                Kind::Link { target } => Some(target.as_str()),
                _ => None,
            };
            if result.is_ok() {
                result = may_stand(&to, link);
            }
        });
        result
    }

    /// Moves what only the project has, with its bytes: what the user does to the old name from now on, removing it above
    /// all, is not done to what was moved.
    fn move_from_project(&mut self, from: &str, to: &str, ops: &mut Vec<Op>) -> Result<(), ErrorCode> {
        may_stand(to, None)?;
        let (base, data) = self.take_base(from, true)?;
        may_stand(to, if let Base::Link { target } = &base { Some(target) } else { None })?;
        let (path, identity) = (to.to_owned(), identity(from));
        ops.push(match (&base, data) {
            (Base::File { mode, .. }, Some(data)) => {
                Op::File { path, content: Content::Data(data), identity, mode: *mode }
            }
            (Base::Link { target }, _) => Op::Link { path, target: target.clone(), identity, modified_ns: now_ns() },
            (Base::File { .. } | Base::Absent | Base::Directory, _) => return Err(ErrorCode::NoEntry),
        });
        ops.push(Op::Base(from.to_owned(), base));
        Ok(())
    }

    /// Moves a directory through which the project shines, entry by entry.
    fn move_directory(&mut self, from: &str, to: &str, ops: &mut Vec<Op>) -> Result<(), ErrorCode> {
        may_stand(to, None)?;
        let modified_ns = match self.state(from) {
            State::Directory { modified_ns, .. } if modified_ns > 0 => modified_ns,
            _ => self.project.stat_at(PathFlags::empty(), from).map_or(0, |stat| modified_of(&stat)),
        };
        ops.extend(self.base_op(from)?);
        ops.push(Op::Directory { path: to.to_owned(), identity: identity(from), modified_ns });
        let own: Vec<(String, bool, bool)> = self.index.directory(from).map_or_else(Vec::new, |directory| {
            let mut own = Vec::new();
            for (name, node) in &directory.children {
                let merged = matches!(&node.kind, Kind::Directory(directory) if directory.merged);
                own.push((name.to_string(), node.kind == Kind::Gone, merged));
            }
            own
        });
        let known: HashSet<&str> = own.iter().map(|(name, ..)| name.as_str()).collect();
        let mut entries = self.project_entries(from)?;
        entries.retain(|entry| !known.contains(entry.name.as_str()));
        for entry in entries {
            let (old, new) = (join(from, &entry.name), join(to, &entry.name));
            if self.is_hidden(&old, Some(entry.file_type == DescriptorType::Directory)) || self.is_read_only(&old) {
                return Err(ErrorCode::NotPermitted);
            }
            match entry.file_type {
                DescriptorType::Directory => self.move_directory(&old, &new, ops)?,
                _ => self.move_from_project(&old, &new, ops)?,
            }
        }
        for (name, gone, merged) in own {
            let (old, new) = (join(from, &name), join(to, &name));
            if merged {
                self.move_directory(&old, &new, ops)?;
            } else if !gone {
                ops.push(Op::Move { from: old, to: new });
            }
        }
        Ok(())
    }

    /// A second name for a file.
    pub fn link(&mut self, from: &Located, to: &Located) -> Result<(), ErrorCode> {
        let linked = match self.settled(&from.path)? {
            State::Link { target, identity, modified_ns } => Some((target, identity, modified_ns)),
            State::Absent | State::Hidden => return Err(ErrorCode::NoEntry),
            _ => None,
        };
        match self.settled(&to.path)? {
            State::Absent => {}
            State::Hidden => return Err(ErrorCode::NotPermitted),
            _ => return Err(ErrorCode::Exist),
        }
        if to.wants_directory {
            return Err(ErrorCode::NoEntry);
        }
        if linked.is_none() && matches!(self.settled(&from.path)?, State::Directory { .. }) {
            return Err(ErrorCode::NotPermitted);
        }
        self.may_write(&to.path)?;
        if let Some((target, identity, modified_ns)) = linked {
            // A link cannot be written to, so that a second name for it is as good as a second link.
            check_target(&target, &to.path)?;
            return self.create_node(&to.path, |path| Op::Link { path, target: target.clone(), identity, modified_ns });
        }
        self.make_writable(&from.path, true)?;
        self.step(|workspace| {
            let State::File { content: content @ Content::Data(_), identity, mode } = workspace.state(&from.path)
            else {
                return Err(ErrorCode::NoEntry);
            };
            if workspace.settled(&to.path)? != State::Absent {
                return Err(ErrorCode::Exist);
            }
            let base = workspace.base_op(&to.path)?;
            let file = Op::File { path: to.path.clone(), content, identity, mode };
            Ok((base.into_iter().chain([file]).collect(), ()))
        })
    }

    pub fn set_times(&mut self, at: &Located, accessed: NewTimestamp, modified: NewTimestamp) -> Result<(), ErrorCode> {
        let path = &at.path;
        match self.settled(path)? {
            State::Absent | State::Hidden | State::Project => Err(ErrorCode::NoEntry),
            State::File { .. } => {
                self.make_writable(path, true)?;
                let State::File { content: Content::Data(data), .. } = self.state(path) else {
                    return Err(ErrorCode::NoEntry);
                };
                let name = data.to_string();
                self.data_directory()?.set_times_at(PathFlags::empty(), &name, accessed, modified)?;
                self.note_written(path)
            }
            State::Link { target, .. } => {
                self.may_write(path)?;
                let ns = in_ns(&modified);
                self.step(|workspace| {
                    let mut ops: Vec<Op> = workspace.base_op(path)?.into_iter().collect();
                    if !matches!(workspace.index.find(path), Place::Node(_)) {
                        let (identity, target) = (identity(path), target.clone());
                        ops.push(Op::Link { path: path.clone(), target, identity, modified_ns: 0 });
                    }
                    ops.extend(ns.map(|ns| Op::Modified(path.clone(), ns)));
                    Ok((ops, ()))
                })
            }
            State::Directory { .. } => {
                self.may_write(path)?;
                match in_ns(&modified) {
                    Some(ns) if !path.is_empty() => self.step(|_| Ok((vec![Op::Modified(path.clone(), ns)], ()))),
                    _ => Ok(()),
                }
            }
        }
    }

    /// A file's permission bits: those of the layer, else the project's, else those that new files have.
    pub fn mode(&mut self, at: &Located) -> Result<Option<u32>, ErrorCode> {
        match self.settled(&at.path)? {
            State::File { mode: Some(mode), .. } => Ok(Some(u32::from(mode))),
            State::File { content, .. } => modes::get(&self.open_content(&content)?),
            State::Absent | State::Hidden => Err(ErrorCode::NoEntry),
            _ => Ok(None),
        }
    }

    /// Sets a file's permission bits.
    pub fn set_mode(&mut self, at: &Located, mode: u16) -> Result<(), ErrorCode> {
        match self.settled(&at.path)? {
            State::File { .. } => {}
            State::Absent | State::Hidden => return Err(ErrorCode::NoEntry),
            _ => return Err(ErrorCode::Unsupported),
        }
        self.may_write(&at.path)?;
        self.step(|workspace| {
            let mut ops: Vec<Op> = workspace.base_op(&at.path)?.into_iter().collect();
            match workspace.settled(&at.path)? {
                State::File { content: content @ Content::Project(_), identity, .. } => {
                    ops.push(Op::File { path: at.path.clone(), content, identity, mode: Some(mode) });
                }
                _ => ops.push(Op::Mode(at.path.clone(), mode)),
            }
            Ok((ops, ()))
        })
    }
}

/// The path that means the directory itself to the host.
pub fn here(path: &str) -> &str {
    if path.is_empty() { "." } else { path }
}

/// Something new is never mistaken for what was at the same path before.
fn fresh_identity(path: &str) -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    identity(path) ^ now_ns().rotate_left(20) ^ count.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

pub fn modified_of(stat: &crate::wasi::filesystem::types::DescriptorStat) -> u64 {
    stat.data_modification_timestamp
        .map_or(0, |time| time.seconds.saturating_mul(1_000_000_000).saturating_add(u64::from(time.nanoseconds)))
}

fn in_ns(time: &NewTimestamp) -> Option<u64> {
    match time {
        NewTimestamp::NoChange => None,
        NewTimestamp::Now => Some(now_ns()),
        NewTimestamp::Timestamp(time) => {
            Some(time.seconds.saturating_mul(1_000_000_000).saturating_add(u64::from(time.nanoseconds)))
        }
    }
}

/// A link's target must be relative and must not lead out of the workspace: after a commit it is in the project, where
/// programs follow it that know no such rule.
fn check_target(target: &str, link: &str) -> Result<(), ErrorCode> {
    if target.is_empty() {
        return Err(ErrorCode::NoEntry);
    }
    if target.contains('\0') {
        return Err(ErrorCode::Invalid);
    }
    // With the zero at its end, which hosts count.
    if target.len() >= PATH_BYTES_MAX {
        return Err(ErrorCode::NameTooLong);
    }
    if target.starts_with('/') {
        return Err(ErrorCode::NotPermitted);
    }
    let mut depth = crate::index::names(split(link).0).count();
    let mut is_below = false;
    for name in target.split('/') {
        match name {
            "" | "." => {}
            // What is above a name depends on whether that is a link, and may change.
            ".." if is_below => return Err(ErrorCode::NotPermitted),
            ".." => depth = depth.checked_sub(1).ok_or(ErrorCode::NotPermitted)?,
            _ => is_below = true,
        }
    }
    Ok(())
}

/// Whether something may get to a path: a link with this target, or anything else.
fn may_stand(path: &str, link: Option<&str>) -> Result<(), ErrorCode> {
    check_length(path)?;
    link.map_or(Ok(()), |target| check_target(target, path))
}
