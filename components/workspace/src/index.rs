//! What the session changed, in memory: a tree of what lies over the project, and what the project had there before.
//!
//! The index is made of operations and nothing else, so whoever applies the same operations has the same index.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use serde::{Deserialize, Serialize};

/// SHA-256.
pub type Digest = [u8; 32];

/// What the project had at a path when the path was first changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Base {
    Absent,
    File { digest: Digest, size: u64, mode: Option<u16> },
    Link { target: String },
    Directory,
}

/// Where a file's bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// In the project, at this path: a file that the layer has no bytes of. No operation says so any more; layers from before
    /// may have it of files that were moved.
    Project(String),
    /// In the layer, under this number.
    Data(u32),
}

/// One step. `identity` is what programs see as a file's number: it stays with the file when it is copied up or moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// The first one for a path holds.
    Base(String, Base),
    /// The project has changed by our own hand: replaces what `Base` said.
    Rebase(String, Base),
    File {
        path: String,
        content: Content,
        identity: u64,
        mode: Option<u16>,
    },
    /// A directory of the layer alone: nothing of the project shines through any more.
    Directory {
        path: String,
        identity: u64,
        modified_ns: u64,
    },
    Link {
        path: String,
        target: String,
        identity: u64,
        modified_ns: u64,
    },
    Remove(String),
    /// Moves what is in the layer as a whole.
    Move {
        from: String,
        to: String,
    },
    /// A directory with content of the project was moved entry by entry, in the other operations of the same record.
    Moved {
        from: String,
        to: String,
    },
    Mode(String, u16),
    /// Of a directory or a link; a file's times are with its bytes.
    Modified(String, u64),
    /// Opened for writing.
    Written(String),
    /// The project's again, with everything below.
    Forget(String),
    /// A directory of the layer's own is the project's as well by now: the project shines through again.
    Merge(String),
    /// A commit or an undo with this number was done with the operations of the same record.
    Committed(u64),
}

impl Op {
    /// The one path that it is about.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Base(path, _) | Self::Rebase(path, _) | Self::Remove(path) | Self::Mode(path, _) => Some(path),
            Self::Modified(path, _) | Self::Written(path) | Self::Forget(path) | Self::Merge(path) => Some(path),
            Self::File { path, .. } | Self::Directory { path, .. } | Self::Link { path, .. } => Some(path),
            Self::Move { .. } | Self::Moved { .. } | Self::Committed(_) => None,
        }
    }

    /// The paths whose content or name it changes.
    pub fn touches(&self) -> [Option<&str>; 2] {
        match self {
            Self::Base(..) | Self::Rebase(..) | Self::Committed(_) | Self::Forget(_) => [None, None],
            Self::Merge(_) | Self::Moved { .. } => [None, None],
            Self::File { path, .. } | Self::Directory { path, .. } | Self::Link { path, .. } => [Some(path), None],
            Self::Remove(path) | Self::Mode(path, _) | Self::Modified(path, _) | Self::Written(path) => {
                [Some(path), None]
            }
            Self::Move { from, to } => [Some(from), Some(to)],
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Not there, whatever the project has.
    Gone,
    File {
        content: Content,
        mode: Option<u16>,
    },
    Link {
        target: String,
    },
    Directory(Directory),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub kind: Kind,
    pub identity: u64,
    /// Of directories and links; 0 is unknown.
    pub modified_ns: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Directory {
    /// What is not among the children may be in the project, at the same path.
    pub merged: bool,
    pub children: BTreeMap<Box<str>, Node>,
}

/// Where a path leads.
pub enum Place<'a> {
    Node(&'a Node),
    /// Nothing in the layer; the project decides.
    Project,
    Absent,
    /// Something on the way is no directory.
    NotDirectory,
}

#[derive(Debug, Default)]
pub struct Index {
    root: Directory,
    pub bases: BTreeMap<String, Base>,
    /// Uses of each data file.
    uses: HashMap<u32, u32>,
    /// Data files without a use left, since the last time somebody took them.
    pub unused: Vec<u32>,
    /// Above every number in use.
    pub next_data: u32,
    pub committed: u64,
}

/// A number for what is at this path of the project.
pub fn identity(path: &str) -> u64 {
    hashed(0xcbf2_9ce4_8422_2325, path)
}

/// The same for `name` in `directory`.
pub fn identity_in(directory: &str, name: &str) -> u64 {
    if directory.is_empty() { identity(name) } else { hashed(hashed(identity(directory), "/"), name) }
}

/// FNV-1a: stable in every process, unlike the standard library's.
fn hashed(start: u64, text: &str) -> u64 {
    text.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The names of a path. The empty path is the root and has none.
pub fn names(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty())
}

/// A directory's path and the name in it.
pub fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// `name` in `directory`.
pub fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}

/// Whether `path` is `directory` or below it; the empty directory has everything.
pub fn is_within(path: &str, directory: &str) -> bool {
    directory.is_empty() || path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The data files of a node and of everything in it.
fn data(node: &Node, files: &mut Vec<u32>) {
    match &node.kind {
        Kind::File { content: Content::Data(file), .. } => files.push(*file),
        Kind::Directory(directory) => directory.children.values().for_each(|child| data(child, files)),
        _ => {}
    }
}

fn walk(path: &mut String, directory: &Directory, visit: &mut impl FnMut(&str, &Node)) {
    for (name, node) in &directory.children {
        let length = path.len();
        if length > 0 {
            path.push('/');
        }
        path.push_str(name);
        visit(path, node);
        if let Kind::Directory(inner) = &node.kind {
            walk(path, inner, visit);
        }
        path.truncate(length);
    }
}

impl Index {
    pub fn new() -> Self {
        let root = Directory { merged: true, children: BTreeMap::new() };
        Self { root, next_data: 1, ..Self::default() }
    }

    pub fn find(&self, path: &str) -> Place<'_> {
        let mut directory = &self.root;
        let mut names = names(path).peekable();
        while let Some(name) = names.next() {
            let Some(node) = directory.children.get(name) else {
                return if directory.merged { Place::Project } else { Place::Absent };
            };
            if names.peek().is_none() {
                return Place::Node(node);
            }
            match &node.kind {
                Kind::Directory(next) => directory = next,
                Kind::Gone => return Place::Absent,
                Kind::File { .. } | Kind::Link { .. } => return Place::NotDirectory,
            }
        }
        // The root itself.
        Place::Project
    }

    pub fn node(&self, path: &str) -> Option<&Node> {
        match self.find(path) {
            Place::Node(node) => Some(node),
            _ => None,
        }
    }

    /// The directory at a path, if the layer has anything to say about it.
    pub fn directory(&self, path: &str) -> Option<&Directory> {
        if path.is_empty() {
            return Some(&self.root);
        }
        match &self.node(path)?.kind {
            Kind::Directory(directory) => Some(directory),
            _ => None,
        }
    }

    pub fn uses(&self, data: u32) -> u32 {
        self.uses.get(&data).copied().unwrap_or_default()
    }

    /// Whether anything of the project may shine through right below this path.
    fn is_merged(&self, directory: &str) -> bool {
        if directory.is_empty() {
            return true;
        }
        match self.find(directory) {
            Place::Project => true,
            Place::Node(Node { kind: Kind::Directory(directory), .. }) => directory.merged,
            _ => false,
        }
    }

    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::Base(path, base) => {
                self.bases.entry(path.clone()).or_insert_with(|| base.clone());
            }
            Op::Rebase(path, base) => {
                self.bases.insert(path.clone(), base.clone());
            }
            Op::File { path, content, identity, mode } => {
                let kind = Kind::File { content: content.clone(), mode: *mode };
                self.put(path, Node { kind, identity: *identity, modified_ns: 0 });
            }
            Op::Directory { path, identity, modified_ns } => {
                let mut directory = Directory::default();
                // A directory that was the project's as well keeps what the layer has in it.
                if let Some(Node { kind: Kind::Directory(merged), .. }) = self.node(path)
                    && merged.merged
                {
                    directory.children.clone_from(&merged.children);
                    directory.children.retain(|_, node| node.kind != Kind::Gone);
                }
                let kind = Kind::Directory(directory);
                self.put(path, Node { kind, identity: *identity, modified_ns: *modified_ns });
            }
            Op::Link { path, target, identity, modified_ns } => {
                let kind = Kind::Link { target: target.clone() };
                self.put(path, Node { kind, identity: *identity, modified_ns: *modified_ns });
            }
            Op::Remove(path) => {
                self.take(path);
                self.leave_gone(path);
            }
            Op::Move { from, to } => {
                if let Some(node) = self.take(from) {
                    self.leave_gone(from);
                    self.put(to, node);
                    self.move_bases(from, to);
                }
            }
            Op::Mode(path, bits) => {
                if let Some(Kind::File { mode, .. }) = self.node_mut(path).map(|node| &mut node.kind) {
                    *mode = Some(*bits);
                }
            }
            Op::Modified(path, ns) => {
                if let Some(node) = self.node_mut(path) {
                    node.modified_ns = *ns;
                } else if let Place::Project = self.find(path)
                    && !path.is_empty()
                {
                    let kind = Kind::Directory(Directory { merged: true, children: BTreeMap::new() });
                    self.put(path, Node { kind, identity: identity(path), modified_ns: *ns });
                }
            }
            Op::Moved { .. } | Op::Written(_) => {}
            Op::Forget(path) => {
                self.take(path);
                self.prune(split(path).0);
                self.bases.remove(path);
            }
            Op::Merge(path) => {
                if let Some(Kind::Directory(directory)) = self.node_mut(path).map(|node| &mut node.kind) {
                    directory.merged = true;
                }
                self.bases.remove(path);
                self.prune(path);
            }
            Op::Committed(number) => self.committed = self.committed.max(*number),
        }
    }

    /// What was new at the old place is new at the new one, unless the project had something there.
    fn move_bases(&mut self, from: &str, to: &str) {
        let below = self
            .bases
            .range::<str, _>((Bound::Included(from), Bound::Unbounded))
            .take_while(|(path, _)| path.starts_with(from));
        let new: Vec<String> = below
            .filter(|(path, base)| is_within(path, from) && **base == Base::Absent)
            .map(|(path, _)| path.clone())
            .collect();
        for path in new {
            self.bases.remove(&path);
            let moved = format!("{to}{}", path.get(from.len()..).unwrap_or_default());
            self.bases.entry(moved).or_insert(Base::Absent);
        }
    }

    fn node_mut(&mut self, path: &str) -> Option<&mut Node> {
        let (parent, name) = split(path);
        self.children(parent)?.get_mut(name)
    }

    fn children(&mut self, path: &str) -> Option<&mut BTreeMap<Box<str>, Node>> {
        let mut directory = &mut self.root;
        for name in names(path) {
            match &mut directory.children.get_mut(name)?.kind {
                Kind::Directory(next) => directory = next,
                _ => return None,
            }
        }
        Some(&mut directory.children)
    }

    /// Puts a node, in place of what is there. Directories on the way become known, with the project shining through.
    fn put(&mut self, path: &str, node: Node) {
        let (parent, name) = split(path);
        if name.is_empty() {
            return;
        }
        self.take(path);
        self.count(&node, true);
        let mut directory = &mut self.root;
        let mut at = 0;
        for step in names(parent) {
            at += step.len() + 1;
            let merged = directory.merged;
            let next = directory.children.entry(step.into()).or_insert_with(|| Node {
                kind: Kind::Directory(Directory { merged, children: BTreeMap::new() }),
                identity: identity(parent.get(..at - 1).unwrap_or(parent)),
                modified_ns: 0,
            });
            if !matches!(next.kind, Kind::Directory(_)) {
                // Only a record that nobody has checked leads here.
                next.kind = Kind::Directory(Directory::default());
            }
            let Kind::Directory(inner) = &mut next.kind else { return };
            directory = inner;
        }
        directory.children.insert(name.into(), node);
    }

    fn take(&mut self, path: &str) -> Option<Node> {
        let (parent, name) = split(path);
        let node = self.children(parent)?.remove(name)?;
        self.count(&node, false);
        Some(node)
    }

    /// Hides what the project has at a path; where it has nothing, or cannot shine through, there is nothing to hide.
    fn leave_gone(&mut self, path: &str) {
        let (parent, _) = split(path);
        let never_there = matches!(self.bases.get(path), Some(Base::Absent));
        if self.is_merged(parent) && !never_there {
            self.put(path, Node { kind: Kind::Gone, identity: 0, modified_ns: 0 });
        } else {
            if never_there {
                self.bases.remove(path);
            }
            self.prune(parent);
        }
    }

    /// Forgets directories that say nothing more than the project does.
    fn prune(&mut self, mut path: &str) {
        while !path.is_empty() {
            let idle = |node: &Node| {
                node.modified_ns == 0
                    && matches!(&node.kind, Kind::Directory(inner) if inner.merged && inner.children.is_empty())
            };
            if !self.node(path).is_some_and(idle) {
                return;
            }
            self.take(path);
            path = split(path).0;
        }
    }

    fn count(&mut self, node: &Node, more: bool) {
        let mut files = Vec::new();
        data(node, &mut files);
        for file in files {
            let uses = self.uses.entry(file).or_default();
            *uses = if more { *uses + 1 } else { uses.saturating_sub(1) };
            if *uses == 0 {
                self.uses.remove(&file);
                self.unused.push(file);
            }
            self.next_data = self.next_data.max(file.saturating_add(1));
        }
    }

    /// Every file, link, directory of the layer's own and gone path, with its path, in order.
    pub fn walk(&self, mut visit: impl FnMut(&str, &Node)) {
        walk(&mut String::new(), &self.root, &mut visit);
    }

    /// The same of one path and what is below it.
    pub fn walk_at(&self, path: &str, mut visit: impl FnMut(&str, &Node)) {
        let Some(node) = self.node(path) else { return };
        visit(path, node);
        if let Kind::Directory(directory) = &node.kind {
            walk(&mut path.to_owned(), directory, &mut visit);
        }
    }

    /// Operations that make this index from an empty one.
    pub fn snapshot(&self) -> Vec<Op> {
        let mut ops: Vec<Op> = self.bases.iter().map(|(path, base)| Op::Base(path.clone(), base.clone())).collect();
        self.walk(|path, node| {
            let path = path.to_owned();
            let (identity, modified_ns) = (node.identity, node.modified_ns);
            ops.push(match &node.kind {
                Kind::Gone => Op::Remove(path),
                Kind::File { content, mode } => Op::File { path, content: content.clone(), identity, mode: *mode },
                Kind::Link { target } => Op::Link { path, target: target.clone(), identity, modified_ns },
                Kind::Directory(directory) if directory.merged => Op::Modified(path, modified_ns),
                Kind::Directory(_) => Op::Directory { path, identity, modified_ns },
            });
        });
        ops.push(Op::Committed(self.committed));
        ops
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, data: u32) -> Op {
        Op::File { path: path.to_owned(), content: Content::Data(data), identity: 1, mode: None }
    }

    fn base(path: &str) -> Op {
        Op::Base(path.to_owned(), Base::File { digest: [1; 32], size: 1, mode: None })
    }

    fn index(ops: &[Op]) -> Index {
        let mut index = Index::new();
        ops.iter().for_each(|op| index.apply(op));
        index
    }

    fn gone(index: &Index, path: &str) -> bool {
        matches!(index.node(path), Some(Node { kind: Kind::Gone, .. }))
    }

    #[test]
    fn an_entry_has_the_number_of_its_path() {
        for (directory, name) in [("", "a"), ("a", "b"), ("a/b", "c.txt"), ("ä", "ö ü")] {
            assert_eq!(identity_in(directory, name), identity(&join(directory, name)), "{name} in {directory:?}");
        }
        assert_ne!(identity_in("a", "b"), identity_in("", "ab"));
    }

    #[test]
    fn what_is_new_and_removed_again_leaves_no_trace() {
        let index = index(&[Op::Base("a/b".into(), Base::Absent), file("a/b", 1), Op::Remove("a/b".into())]);
        assert!(matches!(index.find("a/b"), Place::Project));
        assert!(index.root.children.is_empty() && index.bases.is_empty());
        assert_eq!(index.unused, [1]);
    }

    #[test]
    fn what_the_project_has_is_hidden_when_removed() {
        let index = index(&[base("a/b"), Op::Remove("a/b".into())]);
        assert!(gone(&index, "a/b"));
        assert!(matches!(index.find("a/b/c"), Place::Absent));
        assert!(matches!(index.find("a/c"), Place::Project));
    }

    #[test]
    fn a_directory_of_the_layer_hides_the_projects() {
        let directory = Op::Directory { path: "a".into(), identity: 2, modified_ns: 0 };
        let index = index(&[Op::Base("a".into(), Base::Directory), Op::Remove("a".into()), directory, file("a/x", 1)]);
        assert!(matches!(index.find("a/b"), Place::Absent));
        assert!(matches!(index.find("a/x"), Place::Node(_)));
    }

    #[test]
    fn a_directory_moves_with_what_is_in_it() {
        let directory = Op::Directory { path: "a".into(), identity: 2, modified_ns: 0 };
        let ops = [Op::Base("a".into(), Base::Absent), directory, file("a/x", 7)];
        let mut index = index(&ops);
        index.apply(&Op::Move { from: "a".into(), to: "b/c".into() });
        assert!(matches!(index.find("b/c/x"), Place::Node(_)));
        assert!(matches!(index.find("a"), Place::Project));
        assert_eq!(index.uses(7), 1);
    }

    #[test]
    fn a_directory_that_the_project_no_longer_has_keeps_what_the_layer_has_in_it() {
        let directory = Op::Directory { path: "a".into(), identity: 2, modified_ns: 0 };
        let index = index(&[file("a/x", 1), base("a/y"), Op::Remove("a/y".into()), directory]);
        assert!(matches!(index.find("a/x"), Place::Node(_)));
        assert!(matches!(index.find("a/y"), Place::Absent));
        assert!(index.directory("a").is_some_and(|directory| directory.children.len() == 1 && !directory.merged));
        assert_eq!(index.uses(1), 1);
    }

    #[test]
    fn bytes_are_unused_when_their_last_name_goes() {
        let mut index = index(&[file("a", 3), file("b", 3), Op::Remove("a".into())]);
        assert_eq!((index.uses(3), index.unused.len()), (1, 0));
        index.apply(&Op::Forget("b".into()));
        assert_eq!(index.unused, [3]);
        assert_eq!(index.next_data, 4);
    }

    #[test]
    fn a_snapshot_makes_the_same_index() {
        let ops = [
            base("d/gone"),
            Op::Remove("d/gone".into()),
            Op::Base("n".into(), Base::Absent),
            Op::Directory { path: "n".into(), identity: 5, modified_ns: 9 },
            file("n/x", 4),
            Op::Link { path: "l".into(), target: "n".into(), identity: 6, modified_ns: 1 },
            Op::Modified("t".into(), 77),
            Op::Committed(3),
        ];
        let one = index(&ops);
        let other = index(&one.snapshot());
        assert_eq!(one.root, other.root);
        assert_eq!((one.bases, one.committed, one.next_data), (other.bases, other.committed, other.next_data));
    }

    #[test]
    fn records_that_make_no_sense_break_nothing() {
        let ops = [
            file("a", 1),
            file("a/b/c", 2),
            Op::Remove(String::new()),
            Op::Move { from: "none".into(), to: "x".into() },
            Op::Forget("q/r".into()),
            Op::Mode("a".into(), 0o755),
            Op::Modified(String::new(), 1),
        ];
        let index = index(&ops);
        assert!(matches!(index.find("a/b/c"), Place::Node(_)));
    }
}
