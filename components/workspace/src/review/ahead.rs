//! Many paths at once: what can be told of them from the listings of directories, and in their order.
//!
//! A host asks its own system for each file, and some systems are far away: a browser's storage is in another process. Names
//! that a listing does not have need no question, and files that are looked at in the order of a listing can be read ahead.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::change::here;
use crate::index::{Content, Digest, join, split};
use crate::layer::Workspace;
use crate::resolve::State;
use crate::review::side::{Side, digest_file};
use crate::wasi::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};

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
        let data: HashSet<u32> = paths.iter().filter_map(|path| data_of(workspace, path)).collect();
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

    fn look_at_data(&mut self, workspace: &mut Workspace, wanted: &HashSet<u32>) {
        if wanted.len() < FILES_MIN {
            return;
        }
        let Ok(directory) = workspace.data_directory() else { return };
        let listed = entries(directory, wanted.len());
        for data in listed.names.iter().filter_map(|name| name.parse().ok()).filter(|data| wanted.contains(data)) {
            let file = workspace.open_content(&Content::Data(data));
            if let Ok(found) = file.and_then(|file| digest_file(&file, None)) {
                self.data.insert(data, found);
            }
        }
    }

    fn look_at_project(&mut self, workspace: &mut Workspace, directory: &str, names: &BTreeSet<&str>) {
        if names.len() < FILES_MIN {
            return;
        }
        let open = OpenFlags::DIRECTORY;
        let listed = match workspace.project.open_at(PathFlags::empty(), here(directory), open, DescriptorFlags::READ) {
            Ok(opened) => entries(&opened, names.len()),
            Err(ErrorCode::NoEntry) => Listed { names: Vec::new(), is_whole: true },
            // A link, for instance, which only the host can follow.
            Err(_) => return,
        };
        let mut present: HashSet<&str> = HashSet::new();
        for name in listed.names.iter().filter(|name| names.contains(name.as_str())) {
            present.insert(name);
            let path = join(directory, name);
            let base = workspace.index.bases.get(&path).map_or(Side::Absent, Side::of_base);
            if let Ok(side) = workspace.project_side(&path, Some(&base)) {
                self.project.insert(path, side);
            }
        }
        if !listed.is_whole {
            return;
        }
        let folded: HashSet<String> = listed.names.iter().map(|name| fold(name)).collect();
        for name in names.iter().filter(|name| !present.contains(**name)) {
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

struct Listed {
    names: Vec<String>,
    /// There are no others.
    is_whole: bool,
}

/// Names in a directory, where `wanted` of them are asked for.
fn entries(directory: &Descriptor, wanted: usize) -> Listed {
    let mut names = Vec::new();
    let Ok(stream) = directory.read_directory() else { return Listed { names, is_whole: false } };
    while names.len() < wanted.saturating_mul(ENTRIES_PER_FILE) {
        match stream.read_directory_entry() {
            Ok(Some(entry)) => names.push(entry.name),
            Ok(None) => return Listed { names, is_whole: true },
            Err(_) => break,
        }
    }
    Listed { names, is_whole: false }
}
