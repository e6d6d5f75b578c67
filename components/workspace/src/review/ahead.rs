//! Many paths at once: what can be told of them from the listings of directories, and by the host in one call.
//!
//! A host asks its own system for each file, and some systems are far away: a browser's storage is in another process. Names
//! that a listing does not have need no question, and small files are read many at once.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::change::here;
use crate::index::{Content, Digest, join, split};
use crate::layer::Workspace;
use crate::resolve::State;
use crate::review::side::{Side, digest_of};
use crate::wardian::host::small_files::{self, SmallFile};
use crate::wasi::filesystem::types::{
    Descriptor, DescriptorFlags, DescriptorType, DirectoryEntry, ErrorCode, OpenFlags, PathFlags,
};

/// Files that one call asks for, and the most bytes of each.
const FILES_AT_ONCE: usize = 64;
const BYTES_MAX: u64 = 16 << 10;

/// Fewer files of one directory are asked for one by one.
const FILES_MIN: usize = 8;

/// A listing is given up where it has far more than what is asked for: looking at changes costs what there is of them.
const ENTRIES_PER_FILE: usize = 4;

/// What was found out.
#[derive(Default)]
pub struct Ahead {
    project: BTreeMap<String, Side>,
    data: HashMap<u32, (Digest, u64)>,
}

impl Ahead {
    /// Looks at what is needed of `paths`. Whatever cannot be told here is left to those who look at one path, with its error.
    pub fn look(workspace: &mut Workspace, paths: &[String]) -> Self {
        let mut ahead = Self::default();
        let data: BTreeSet<u32> = paths.iter().filter_map(|path| data_of(workspace, path)).collect();
        ahead.look_at_data(workspace, &data);
        let mut directories: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for path in paths {
            let (directory, name) = split(path);
            if !matches!(workspace.state(path), State::Hidden | State::Project) {
                directories.entry(directory).or_default().insert(name);
            }
        }
        for (directory, names) in directories {
            ahead.look_at_project(workspace, directory, &names);
        }
        ahead
    }

    /// What the project has at a path now, as [`Workspace::project_side`] says it with what it had there before.
    pub fn project(&mut self, path: &str) -> Option<Side> {
        self.project.remove(path)
    }

    /// Digest and size of a file of the layer.
    pub fn data(&self, content: &Content) -> Option<(Digest, u64)> {
        match content {
            Content::Data(data) => self.data.get(data).copied(),
            Content::Project(_) => None,
        }
    }

    fn look_at_data(&mut self, workspace: &mut Workspace, wanted: &BTreeSet<u32>) {
        if wanted.len() < FILES_MIN {
            return;
        }
        let Ok(directory) = workspace.data_directory() else { return };
        let names: Vec<String> = wanted.iter().map(u32::to_string).collect();
        for (data, file) in wanted.iter().zip(small_files(directory, &names)) {
            if let Some(SmallFile { size, bytes: Some(bytes), .. }) = file {
                self.data.insert(*data, (digest_of(&bytes), size));
            }
        }
    }

    fn look_at_project(&mut self, workspace: &mut Workspace, directory: &str, names: &BTreeSet<&str>) {
        if names.len() < FILES_MIN {
            return;
        }
        let open = OpenFlags::DIRECTORY;
        let opened = workspace.project.open_at(PathFlags::empty(), here(directory), open, DescriptorFlags::READ);
        let (listed, opened) = match opened {
            Ok(opened) => (listed(&opened, names.len()), Some(opened)),
            Err(ErrorCode::NoEntry) => (Listed { entries: Vec::new(), is_whole: true }, None),
            // A link, for instance, which only the host can follow.
            Err(_) => return,
        };
        // A pipe, for instance, is not even opened.
        let is_file = |entry: &&DirectoryEntry| entry.type_ == DescriptorType::RegularFile;
        let wanted = listed.entries.iter().filter(is_file).filter(|entry| names.contains(entry.name.as_str()));
        let files: Vec<String> = wanted.map(|entry| entry.name.clone()).collect();
        for (name, file) in files.iter().zip(opened.iter().flat_map(|opened| small_files(opened, &files))) {
            // All else is asked for alone.
            if let Some(SmallFile { size, mode, bytes: Some(bytes) }) = file {
                let mode = mode.map(|mode| mode as u16);
                self.project.insert(join(directory, name), Side::File { digest: digest_of(&bytes), size, mode });
            }
        }
        if !listed.is_whole {
            return;
        }
        let folded: HashSet<String> = listed.entries.iter().map(|entry| fold(&entry.name)).collect();
        for name in names {
            // Some systems know a file by other spellings of its name, too.
            if name.is_ascii() && !folded.contains(&fold(name)) {
                self.project.insert(join(directory, name), Side::Absent);
            }
        }
    }
}

/// The file of the layer that is at a path.
fn data_of(workspace: &Workspace, path: &str) -> Option<u32> {
    match workspace.state(path) {
        State::File { content: Content::Data(data), .. } => Some(data),
        _ => None,
    }
}

/// A name as file systems compare it that do not tell cases apart.
fn fold(name: &str) -> String {
    name.to_uppercase().to_lowercase()
}

/// Files of a directory in the order of their names. What is large, or cannot be read, is left to who asks for it alone.
fn small_files(directory: &Descriptor, names: &[String]) -> impl Iterator<Item = Option<SmallFile>> {
    names.chunks(FILES_AT_ONCE).flat_map(|names| {
        let found = small_files::read(directory, names, BYTES_MAX).unwrap_or_default();
        // None is taken for another.
        if found.len() == names.len() { found } else { names.iter().map(|_| None).collect() }
    })
}

struct Listed {
    entries: Vec<DirectoryEntry>,
    /// There are no others.
    is_whole: bool,
}

/// What is in a directory, where `wanted` entries are asked for.
fn listed(directory: &Descriptor, wanted: usize) -> Listed {
    let mut entries = Vec::new();
    let Ok(stream) = directory.read_directory() else { return Listed { entries, is_whole: false } };
    while entries.len() < wanted.saturating_mul(ENTRIES_PER_FILE) {
        match stream.read_directory_entry() {
            Ok(Some(entry)) => entries.push(entry),
            Ok(None) => return Listed { entries, is_whole: true },
            Err(_) => break,
        }
    }
    Listed { entries, is_whole: false }
}
