//! Which of the files that went and came are the same file under another name.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Larger files, in bytes, are only taken for renamed if their content is the same.
const INEXACT_BYTES_MAX: u64 = 1024 * 1024;

/// With more files on either side, only those with the same content are found.
const INEXACT_FILES_MAX: usize = 1_000;

/// Bytes of files that are read in all.
const READ_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Chunks that are compared in all: some tenths of a second.
const CHUNKS_MAX: usize = 50_000_000;

/// Below this, in percent, it is another file.
const SIMILAR_PERCENT: u8 = 50;

/// From this on, in percent, a file of the same name is taken without looking further.
const SAME_NAME_PERCENT: u8 = 75;

/// A file that went or came.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Relative to the project, with `/` between names.
    pub path: &'a str,
    /// Of its content; equal if and only if the content is.
    pub digest: &'a str,
    /// In bytes.
    pub size: u64,
}

impl<'a> Candidate<'a> {
    fn name(&self) -> &'a str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }
}

/// Which list a candidate is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// What went.
    Deleted,
    /// What came.
    Added,
}

/// A file that has another name now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rename {
    /// Its place in the list of what went.
    pub deleted: usize,
    /// Its place in the list of what came.
    pub added: usize,
    /// How much of the content is the same, in percent: from 50 to 100.
    pub similarity: u8,
}

/// How much of two contents is the same, in percent: the bytes of lines (of chunks of 64 bytes, where lines are longer) that
/// both have, of the bytes of the longer one. 100 only for what has the same lines, if perhaps in another order.
pub fn similarity(one: &[u8], other: &[u8]) -> u8 {
    Chunks::new(one).similarity(&Chunks::new(other))
}

/// Pairs what went with what came. Files with the same content first, those with the same name before others; then those that
/// have most in common. Empty files are none of these. `read` gives the content of a candidate by its place, at most once
/// each; None where it cannot be read.
pub fn renames(
    deleted: &[Candidate<'_>],
    added: &[Candidate<'_>],
    read: impl FnMut(Which, usize) -> Option<Vec<u8>>,
) -> Vec<Rename> {
    let mut pairing = Pairing {
        deleted: Pool::new(deleted),
        added: Pool::new(added),
        read,
        read_left: READ_BYTES_MAX,
        chunks_left: CHUNKS_MAX,
        renames: Vec::new(),
    };
    pairing.exact();
    if pairing.deleted.open().count().max(pairing.added.open().count()) <= INEXACT_FILES_MAX {
        pairing.same_name();
        pairing.similar();
    }
    pairing.renames.sort_unstable_by_key(|rename| rename.added);
    pairing.renames
}

struct Pool<'a> {
    files: &'a [Candidate<'a>],
    paired: Vec<bool>,
    /// None: not read yet. Chunks of nothing: not to be compared.
    chunks: Vec<Option<Chunks>>,
}

impl<'a> Pool<'a> {
    fn new(files: &'a [Candidate<'a>]) -> Self {
        let paired = files.iter().map(|file| file.size == 0).collect();
        Self { files, paired, chunks: files.iter().map(|_| None).collect() }
    }

    /// What is not paired yet.
    fn open(&self) -> impl Iterator<Item = (usize, &'a Candidate<'a>)> {
        self.files.iter().enumerate().filter(|&(place, _)| self.is_open(place))
    }

    fn is_open(&self, place: usize) -> bool {
        self.paired.get(place) == Some(&false)
    }

    fn close(&mut self, place: usize) {
        if let Some(paired) = self.paired.get_mut(place) {
            *paired = true;
        }
    }
}

struct Pairing<'a, R> {
    deleted: Pool<'a>,
    added: Pool<'a>,
    read: R,
    read_left: u64,
    chunks_left: usize,
    renames: Vec<Rename>,
}

impl<R: FnMut(Which, usize) -> Option<Vec<u8>>> Pairing<'_, R> {
    fn pair(&mut self, deleted: usize, added: usize, similarity: u8) {
        if self.deleted.is_open(deleted) && self.added.is_open(added) {
            self.deleted.close(deleted);
            self.added.close(added);
            self.renames.push(Rename { deleted, added, similarity });
        }
    }

    fn exact(&mut self) {
        let mut by_name: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
        let mut by_digest: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, file) in self.deleted.open() {
            by_name.entry((file.digest, file.name())).or_default().push(place);
            by_digest.entry(file.digest).or_default().push(place);
        }
        // From the end of a list, which shall be its start.
        by_name.values_mut().chain(by_digest.values_mut()).for_each(|places| places.reverse());
        let added: Vec<_> = self.added.open().collect();
        for &(place, file) in &added {
            if let Some(from) = by_name.get_mut(&(file.digest, file.name())).and_then(Vec::pop) {
                self.pair(from, place, 100);
            }
        }
        for (place, file) in added {
            let Some(places) = by_digest.get_mut(file.digest).filter(|_| self.added.is_open(place)) else { continue };
            while let Some(from) = places.pop() {
                if self.deleted.is_open(from) {
                    self.pair(from, place, 100);
                    break;
                }
            }
        }
    }

    /// Files that were moved to another directory: those whose name is unique on both sides.
    fn same_name(&mut self) {
        let mut names: BTreeMap<&str, [Vec<usize>; 2]> = BTreeMap::new();
        for (place, file) in self.deleted.open() {
            names.entry(file.name()).or_default()[0].push(place);
        }
        for (place, file) in self.added.open() {
            names.entry(file.name()).or_default()[1].push(place);
        }
        for places in names.into_values() {
            if let [[from], [to]] = places.each_ref().map(Vec::as_slice) {
                let similarity = self.compare(*from, *to);
                if similarity >= SAME_NAME_PERCENT {
                    self.pair(*from, *to, similarity);
                }
            }
        }
    }

    fn similar(&mut self) {
        let mut found = Vec::new();
        let deleted: Vec<_> = self.deleted.open().collect();
        let added: Vec<_> = self.added.open().collect();
        for &(to, new) in &added {
            for &(from, old) in &deleted {
                let similarity = self.compare(from, to);
                if similarity >= SIMILAR_PERCENT {
                    found.push((similarity, old.name() == new.name(), from, to));
                }
            }
        }
        // The most similar first; of those, the same name; then by place.
        found.sort_by_key(|&(similarity, same_name, ..)| Reverse((similarity, same_name)));
        for (similarity, _, from, to) in found {
            self.pair(from, to, similarity);
        }
    }

    /// The similarity of two files; 0 where it cannot be enough, or would cost too much to find out.
    fn compare(&mut self, deleted: usize, added: usize) -> u8 {
        let (Some(old), Some(new)) = (self.deleted.files.get(deleted), self.added.files.get(added)) else { return 0 };
        let (smaller, larger) = (old.size.min(new.size), old.size.max(new.size));
        if larger > INEXACT_BYTES_MAX || smaller * 100 < larger * u64::from(SIMILAR_PERCENT) {
            return 0;
        }
        self.load(Which::Deleted, deleted);
        self.load(Which::Added, added);
        let (Some(Some(old)), Some(Some(new))) = (self.deleted.chunks.get(deleted), self.added.chunks.get(added))
        else {
            return 0;
        };
        let Some(left) = self.chunks_left.checked_sub(old.0.len() + new.0.len()) else { return 0 };
        self.chunks_left = left;
        old.similarity(new)
    }

    fn load(&mut self, which: Which, place: usize) {
        let pool = match which {
            Which::Deleted => &mut self.deleted,
            Which::Added => &mut self.added,
        };
        let (Some(chunks @ None), Some(file)) = (pool.chunks.get_mut(place), pool.files.get(place)) else { return };
        let left = self.read_left.checked_sub(file.size);
        let content = left.and_then(|_| (self.read)(which, place));
        self.read_left = left.unwrap_or(self.read_left);
        *chunks = Some(content.map_or_else(Chunks::default, |content| Chunks::new(&content)));
    }
}

/// Lines or parts of lines, by hash, with the bytes of each.
#[derive(Default)]
struct Chunks(Vec<(u64, u32)>);

impl Chunks {
    fn new(content: &[u8]) -> Self {
        const CHUNK_BYTES_MAX: usize = 64;
        let lines = content.split_inclusive(|&byte| byte == b'\n');
        let hashed = lines.flat_map(|line| line.chunks(CHUNK_BYTES_MAX)).map(|chunk| {
            let mut hasher = DefaultHasher::new();
            chunk.hash(&mut hasher);
            (hasher.finish(), chunk.len() as u32)
        });
        let mut chunks: Vec<_> = hashed.collect();
        chunks.sort_unstable();
        Self(chunks)
    }

    fn similarity(&self, other: &Self) -> u8 {
        let bytes = |chunks: &Self| chunks.0.iter().map(|chunk| u64::from(chunk.1)).sum::<u64>();
        let longer = bytes(self).max(bytes(other));
        let mut common = 0;
        let (mut ours, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(our), Some(their)) = (ours.peek(), theirs.peek()) {
            let order = our.cmp(their);
            if order.is_eq() {
                common += u64::from(our.1);
            }
            if order.is_le() {
                ours.next();
            }
            if order.is_ge() {
                theirs.next();
            }
        }
        (common * 100).checked_div(longer).map_or(100, |percent| percent as u8)
    }
}
