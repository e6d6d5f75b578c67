//! What a folder holds, to compare with what it held or should hold.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// One thing in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Directory,
    /// Permission bits, and bytes.
    File(u32, Vec<u8>),
    Link(String),
}

/// Everything below a folder, by path.
pub type Tree = BTreeMap<String, Entry>;

/// Reads a folder with all that is in it.
pub fn read(folder: &Path) -> Tree {
    let mut tree = Tree::new();
    gather(folder, "", &mut tree);
    tree
}

fn gather(folder: &Path, above: &str, tree: &mut Tree) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{above}{}", entry.file_name().to_str().unwrap());
        let kind = entry.file_type().unwrap();
        let found = if kind.is_symlink() {
            Entry::Link(fs::read_link(entry.path()).unwrap().to_str().unwrap().to_owned())
        } else if kind.is_dir() {
            gather(&entry.path(), &format!("{path}/"), tree);
            Entry::Directory
        } else {
            Entry::File(mode(&entry.path()), fs::read(entry.path()).unwrap())
        };
        tree.insert(path, found);
    }
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[cfg(not(unix))]
fn mode(_: &Path) -> u32 {
    0
}
