//! The plain model of a workspace: a folder of the machine, on which the same steps are done.

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use suites::files::Step;

/// Permission bits of files, by path.
pub type Modes = BTreeMap<String, u32>;

/// A name as long as names may be.
pub fn long_name() -> String {
    "n".repeat(255)
}

/// A project with a bit of everything. Its files are old.
pub fn populate(folder: &Path) {
    let long = format!("deep/er/{}", long_name());
    let files = [
        ("a", "one\ntwo\nthree\n"),
        ("b", "eins\nzwei\ndrei\n"),
        ("empty", ""),
        ("script.sh", "#!/bin/sh\necho hi\n"),
        ("dir/x", "in dir\n"),
        ("dir/y", "also in dir\n"),
        ("dir/sub/z", "deeper\n"),
        ("dir/sub/deep/w", "deepest\n"),
        ("Dir/x", "another, but for case\n"),
        ("\u{e4}.txt", "composed\n"),
        ("a\u{308}.txt", "decomposed\n"),
        ("\u{540d}\u{524d}/\u{1f980} file", "not ASCII\n"),
        (&long, "long name\n"),
    ];
    for (path, text) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::write(folder.join("large"), "0123456789abcde\n".repeat(40_000)).unwrap();
    fs::create_dir(folder.join("hollow")).unwrap();
    for (path, target) in [
        ("link", "a"),
        ("dirlink", "dir"),
        ("dangling", "nowhere"),
        ("loop", "loop"),
        ("dir/up", "../b"),
        ("dir/sub/over", "../../dir/x"),
    ] {
        symlink(target, folder.join(path)).unwrap();
    }
    fs::set_permissions(folder.join("script.sh"), PermissionsExt::from_mode(0o755)).unwrap();
    fs::set_permissions(folder.join("b"), PermissionsExt::from_mode(0o600)).unwrap();
    for (number, path) in paths(folder).iter().enumerate() {
        if fs::symlink_metadata(folder.join(path)).unwrap().is_file() {
            set_time(&folder.join(path), UNIX_EPOCH + Duration::from_secs(1_000_000_000 + number as u64));
        }
    }
}

pub fn set_time(path: &Path, time: SystemTime) {
    File::open(path).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
}

/// Every path below a folder.
pub fn paths(folder: &Path) -> Vec<String> {
    fn step(folder: &Path, path: &str, paths: &mut Vec<String>) {
        for entry in fs::read_dir(folder.join(path)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let path = if path.is_empty() { name } else { format!("{path}/{name}") };
            if entry.file_type().unwrap().is_dir() {
                step(folder, &path, paths);
            }
            paths.push(path);
        }
    }
    let mut paths = Vec::new();
    step(folder, "", &mut paths);
    paths.sort();
    paths
}

/// Copies a tree with links, permission bits and times.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    // A directory stands before what is in it.
    for path in paths(from) {
        let (from, to) = (from.join(&path), to.join(&path));
        let data = fs::symlink_metadata(&from).unwrap();
        if data.is_dir() {
            fs::create_dir(&to).unwrap();
        } else if data.is_symlink() {
            symlink(fs::read_link(&from).unwrap(), &to).unwrap();
        } else {
            fs::copy(&from, &to).unwrap();
            set_time(&to, data.modified().unwrap());
        }
    }
}

pub fn modes(folder: &Path) -> Modes {
    let mode = |path: String| {
        let data = fs::symlink_metadata(folder.join(&path)).unwrap();
        data.is_file().then(|| (path, data.permissions().mode() & 0o777))
    };
    paths(folder).into_iter().filter_map(mode).collect()
}

/// Two names of one file become two files when one is committed.
pub fn split_names(folder: &Path, paths: &[String]) {
    for path in paths.iter().map(|path| folder.join(path)) {
        let Ok(data) = fs::symlink_metadata(&path) else { continue };
        if data.is_file() && data.nlink() > 1 {
            let bytes = fs::read(&path).unwrap();
            fs::remove_file(&path).unwrap();
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, data.permissions()).unwrap();
        }
    }
}

/// Whether the workspace refuses a step that a plain folder would take: making or moving a link that then leads out.
pub fn is_refused(folder: &Path, step: &Step) -> bool {
    let leads_out = |target: &str, path: &str| {
        let depth = path.split('/').count() - 1;
        target.split('/').take_while(|name| *name == "..").count() > depth
    };
    let (from, to) = match step {
        Step::Symlink { target, path } => return real(folder, path).is_some_and(|path| leads_out(target, &path)),
        Step::Rename { from, to } | Step::Link { from, to } => (from, to),
        _ => return false,
    };
    let (Some(from), Some(to)) = (real(folder, from), real(folder, to)) else { return false };
    let moved = if fs::symlink_metadata(folder.join(&from)).is_ok_and(|data| data.is_dir()) {
        paths(&folder.join(&from)).into_iter().map(|path| format!("/{path}")).collect()
    } else {
        vec![String::new()]
    };
    moved.iter().any(|below| {
        let target = fs::read_link(folder.join(format!("{from}{below}")));
        target.is_ok_and(|target| leads_out(target.to_str().unwrap(), &format!("{to}{below}")))
    })
}

/// A path without links on the way, relative to the folder; its last name may still be one.
fn real(folder: &Path, path: &str) -> Option<String> {
    let path = Path::new(path);
    let parent = fs::canonicalize(folder.join(path.parent()?)).ok()?;
    let parent = parent.strip_prefix(fs::canonicalize(folder).ok()?).ok()?.to_str()?.to_owned();
    let name = path.file_name()?.to_str()?;
    Some(if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") })
}
