//! From a path to what it leads to, through links, never out of the tree.
//!
//! Links are followed here and nowhere else. The host would follow a link of the project within the project, where what it
//! points at may since have been changed or removed in the layer.

use crate::index::{Content, Kind, Node, Place, identity, join, split};
use crate::layer::Workspace;
use crate::wasi::filesystem::types::{DescriptorType, ErrorCode, PathFlags};

/// As Linux has it.
const LINKS_MAX: u32 = 40;

/// Bytes of one name.
pub const NAME_BYTES_MAX: usize = 255;

/// Bytes of a whole path.
pub const PATH_BYTES_MAX: usize = 4096;

/// Names of a whole path. Whoever makes deeper trees means harm: each name on the way is looked up.
const PATH_NAMES_MAX: usize = 512;

/// What the layer knows about a path.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// Nothing: it is what the project has there, if it has anything.
    Project,
    Absent,
    /// Kept from programs: not there, and cannot be made.
    Hidden,
    File {
        content: Content,
        identity: u64,
        mode: Option<u16>,
    },
    Link {
        target: String,
        identity: u64,
        modified_ns: u64,
    },
    /// `merged`: with what the project has there.
    Directory {
        merged: bool,
        identity: u64,
        modified_ns: u64,
    },
}

/// A path without links on the way; its last name may still be one.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    /// From the project's root; empty for the root itself.
    pub path: String,
    pub state: State,
    /// It was written in a way that only a directory has: `name/`, `.`, `..`.
    pub wants_directory: bool,
}

impl State {
    pub fn of(node: &Node) -> Self {
        let (identity, modified_ns) = (node.identity, node.modified_ns);
        match &node.kind {
            Kind::Gone => Self::Absent,
            Kind::File { content, mode } => Self::File { content: content.clone(), identity, mode: *mode },
            Kind::Link { target } => Self::Link { target: target.clone(), identity, modified_ns },
            Kind::Directory(directory) => Self::Directory { merged: directory.merged, identity, modified_ns },
        }
    }
}

impl Workspace {
    /// What the layer knows about a path that has no links on the way.
    pub fn state(&self, path: &str) -> State {
        self.state_as(path, None)
    }

    /// The same where it is known whether the path has to be a directory, which rules may ask for.
    fn state_as(&self, path: &str, is_directory: Option<bool>) -> State {
        if path.is_empty() {
            return State::Directory { merged: true, identity: identity(""), modified_ns: 0 };
        }
        match self.index.find(path) {
            Place::Node(node) => State::of(node),
            Place::Absent | Place::NotDirectory => State::Absent,
            Place::Project if self.is_hidden(path, is_directory) => State::Hidden,
            Place::Project => State::Project,
        }
    }
}

/// A path on its way.
pub struct Walk {
    /// Where it is: a directory.
    at: String,
    /// Names to go, the next one last.
    pending: Vec<String>,
    /// `..` may not lead above this many names.
    floor: usize,
    links: u32,
    wants_directory: bool,
}

fn depth(path: &str) -> usize {
    if path.is_empty() { 0 } else { path.split('/').count() }
}

/// Fails for a path that is longer or deeper than any may be.
pub fn check_length(path: &str) -> Result<(), ErrorCode> {
    let is_deep = path.len() >= 2 * PATH_NAMES_MAX && depth(path) > PATH_NAMES_MAX;
    if path.len() > PATH_BYTES_MAX || is_deep { Err(ErrorCode::NameTooLong) } else { Ok(()) }
}

/// Whether a path has nothing in it that needs care.
fn is_plain(path: &str) -> bool {
    path.len() <= PATH_BYTES_MAX
        && !path.contains('\0')
        && path.split('/').all(|name| !name.is_empty() && name != "." && name != ".." && name.len() <= NAME_BYTES_MAX)
}

impl Walk {
    /// `path` as a program gave it, relative to the directory `base`.
    pub fn new(base: &str, path: &str) -> Result<Self, ErrorCode> {
        let mut walk =
            Self { at: base.to_owned(), pending: Vec::new(), floor: depth(base), links: 0, wants_directory: false };
        walk.push(path)?;
        Ok(walk)
    }

    fn push(&mut self, path: &str) -> Result<(), ErrorCode> {
        if path.is_empty() {
            return Err(ErrorCode::NoEntry);
        }
        if path.starts_with('/') {
            return Err(ErrorCode::NotPermitted);
        }
        if path.contains('\0') {
            return Err(ErrorCode::Invalid);
        }
        if path.len() > PATH_BYTES_MAX {
            return Err(ErrorCode::NameTooLong);
        }
        let last = path.rsplit('/').next().unwrap_or_default();
        // With names still to come a link's form says nothing about the end of the path.
        if self.pending.is_empty() && matches!(last, "" | "." | "..") {
            self.wants_directory = true;
        }
        self.pending.extend(path.split('/').filter(|name| !name.is_empty() && *name != ".").rev().map(str::to_owned));
        Ok(())
    }

    /// Goes on with the target of the link that was found at the end of the way.
    pub fn follow(&mut self, link: &str, target: &str) -> Result<(), ErrorCode> {
        self.links += 1;
        if self.links > LINKS_MAX {
            return Err(ErrorCode::Loop);
        }
        self.at = split(link).0.to_owned();
        // A link may lead anywhere in its tree, but a handle on a directory is a root to whoever holds it.
        self.push(target)
    }

    /// Goes to the last name, following links before it.
    pub fn locate(&mut self, workspace: &mut Workspace) -> Result<Located, ErrorCode> {
        while let Some(name) = self.pending.pop() {
            if name == ".." {
                if depth(&self.at) <= self.floor {
                    return Err(ErrorCode::NotPermitted);
                }
                self.at = split(&self.at).0.to_owned();
                continue;
            }
            if name.len() > NAME_BYTES_MAX {
                return Err(ErrorCode::NameTooLong);
            }
            let path = join(&self.at, &name);
            // Also where it was reached in several steps, from one directory to the next.
            check_length(&path)?;
            if self.pending.is_empty() {
                let state = workspace.state(&path);
                return Ok(Located { path, state, wants_directory: self.wants_directory });
            }
            match workspace.state_as(&path, Some(true)) {
                State::Directory { .. } => self.at = path,
                State::Link { target, .. } => self.follow(&path, &target)?,
                State::File { .. } => return Err(ErrorCode::NotDirectory),
                State::Absent | State::Hidden => return Err(ErrorCode::NoEntry),
                State::Project if workspace.is_real(&path) => self.at = path,
                State::Project => match workspace.project.stat_at(PathFlags::empty(), &path)?.type_ {
                    DescriptorType::Directory => {
                        workspace.set_real(path.clone());
                        self.at = path;
                    }
                    DescriptorType::SymbolicLink => {
                        let target = workspace.project.readlink_at(&path)?;
                        self.follow(&path, &target)?;
                    }
                    _ => return Err(ErrorCode::NotDirectory),
                },
            }
        }
        let state = workspace.state_as(&self.at, Some(true));
        let state = match state {
            // On the way it was seen to be one.
            State::Project => State::Directory { merged: true, identity: identity(&self.at), modified_ns: 0 },
            other => other,
        };
        Ok(Located { path: self.at.clone(), state, wants_directory: true })
    }
}

impl Workspace {
    /// Resolves `path`, following a link at its end only if `follow`. A path that the project decides may turn out to be a
    /// link only when it is used: see [`Workspace::settle`].
    pub fn walk(&mut self, base: &str, path: &str) -> Result<(Walk, Located), ErrorCode> {
        self.refresh()?;
        if is_plain(path) {
            let whole = join(base, path);
            check_length(&whole)?;
            if let Some(state) = self.known_state(&whole, !path.contains('/')) {
                let (at, floor) = (split(&whole).0.to_owned(), depth(base));
                let walk = Walk { at, pending: Vec::new(), floor, links: 0, wants_directory: false };
                return Ok((walk, Located { path: whole, state, wants_directory: false }));
            }
        }
        let mut walk = Walk::new(base, path)?;
        self.still_there(base)?;
        let located = walk.locate(self)?;
        Ok((walk, located))
    }

    /// The common case: what is at a path can be told without walking there, since nothing on the way can be a link.
    /// `is_entry` says that its directory is one that a program has open, or the root.
    fn known_state(&self, path: &str, is_entry: bool) -> Option<State> {
        let is_hidden = match self.index.find(path) {
            // There are only directories of the layer above it.
            Place::Node(node) => return Some(State::of(node)),
            Place::Project if is_entry || self.is_real(split(path).0) => self.is_hidden_entry(path, None),
            Place::Project if self.index.directory(split(path).0).is_some() => self.is_hidden(path, None),
            _ => return None,
        };
        Some(if is_hidden { State::Hidden } else { State::Project })
    }

    /// Fails where a directory was removed while a handle on it was open: nothing comes into it any more.
    fn still_there(&mut self, directory: &str) -> Result<(), ErrorCode> {
        match self.state_as(directory, Some(true)) {
            State::Directory { .. } => Ok(()),
            State::Project if self.is_real(directory) => Ok(()),
            State::Project => {
                let stat = self.project.stat_at(PathFlags::empty(), directory)?;
                if stat.type_ != DescriptorType::Directory {
                    return Err(ErrorCode::NotDirectory);
                }
                self.set_real(directory.to_owned());
                Ok(())
            }
            State::File { .. } | State::Link { .. } => Err(ErrorCode::NotDirectory),
            State::Absent | State::Hidden => Err(ErrorCode::NoEntry),
        }
    }

    /// Follows links at the end until something else is there.
    pub fn settle(&mut self, walk: &mut Walk, mut located: Located) -> Result<Located, ErrorCode> {
        while let State::Link { target, .. } = &located.state {
            let target = target.clone();
            walk.follow(&located.path, &target)?;
            located = walk.locate(self)?;
        }
        Ok(located)
    }

    /// The project has a link at the end: follows it.
    pub fn through(&mut self, walk: &mut Walk, located: &Located) -> Result<Located, ErrorCode> {
        let target = self.project.readlink_at(&located.path)?;
        walk.follow(&located.path, &target)?;
        let next = walk.locate(self)?;
        self.settle(walk, next)
    }

    /// What is at a path in the end, with the project asked where it decides.
    pub fn resolve(&mut self, base: &str, path: &str, follow: bool) -> Result<Located, ErrorCode> {
        let (mut walk, mut located) = self.walk(base, path)?;
        loop {
            if follow || located.wants_directory {
                located = self.settle(&mut walk, located)?;
            }
            if located.state != State::Project {
                return Ok(located);
            }
            let stat = match self.project.stat_at(PathFlags::empty(), &located.path) {
                Ok(stat) => stat,
                Err(ErrorCode::NoEntry | ErrorCode::NotDirectory) => {
                    located.state = State::Absent;
                    return Ok(located);
                }
                Err(error) => return Err(error),
            };
            let (identity, modified_ns) = (identity(&located.path), 0);
            located.state = match stat.type_ {
                DescriptorType::Directory => State::Directory { merged: true, identity, modified_ns },
                DescriptorType::SymbolicLink if follow || located.wants_directory => {
                    located = self.through(&mut walk, &located)?;
                    continue;
                }
                DescriptorType::SymbolicLink => {
                    let target = self.project.readlink_at(&located.path)?;
                    State::Link { target, identity, modified_ns }
                }
                _ => {
                    let content = Content::Project(located.path.clone());
                    State::File { content, identity, mode: None }
                }
            };
            return Ok(located);
        }
    }
}
