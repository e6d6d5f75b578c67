//! Symbolic links, as WASI can have them.

use std::io::Error;
use std::path::{Component, Path, PathBuf};

/// Creates one that leads to a target: under WASI, to an absolute one by a relative path, see [`relative`].
#[cfg(target_os = "wasi")]
pub fn create(target: &Path, link: &Path) -> Result<(), Error> {
    use std::ffi::{CString, c_char, c_int};
    unsafe extern "C" {
        fn symlink(target: *const c_char, link: *const c_char) -> c_int;
    }
    let text = |path: &Path| CString::new(path.as_os_str().as_encoded_bytes()).map_err(Error::other);
    let link = std::env::current_dir()?.join(link);
    let (target, link) = (text(&relative(target, &link))?, text(&link)?);
    // SAFETY: both are strings that end in a zero byte and outlive the call.
    match unsafe { symlink(target.as_ptr(), link.as_ptr()) } {
        0 => Ok(()),
        _ => Err(Error::last_os_error()),
    }
}

/// Creates one that leads to a target.
#[cfg(unix)]
pub fn create(target: &Path, link: &Path) -> Result<(), Error> {
    std::os::unix::fs::symlink(target, link)
}

/// Neither: components only ever run elsewhere to be tested.
#[cfg(not(any(unix, target_os = "wasi")))]
pub fn create(_: &Path, _: &Path) -> Result<(), Error> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// An absolute target as seen from the link's directory, if both are in the same tree: WASI knows no absolute links, and a
/// relative one leads to the same place wherever the tree is.
pub fn relative(target: &Path, link: &Path) -> PathBuf {
    let (from, to): (Vec<_>, Vec<_>) = (link.components().collect(), target.components().collect());
    // The root and the tree's name. The link's own name is no directory.
    let is_plain = |path: &[Component]| path[1..].iter().all(|part| matches!(part, Component::Normal(_)));
    let same_tree = from.len() > 2 && to.len() > 1 && from[..2] == to[..2] && from[0] == Component::RootDir;
    if !same_tree || !is_plain(&from) || !is_plain(&to) {
        return target.to_owned();
    }
    let directory = &from[..from.len() - 1];
    let shared = directory.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = directory[shared..].iter().map(|_| Component::ParentDir);
    let path: PathBuf = up.chain(to[shared..].iter().copied()).collect();
    if path.as_os_str().is_empty() { PathBuf::from(".") } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absolute_link_becomes_a_relative_one_in_its_tree() {
        for (target, link, expected) in [
            ("/workspace/a/b", "/workspace/l", "a/b"),
            ("/workspace/a/b", "/workspace/a/c/l", "../b"),
            ("/workspace/a", "/workspace/a/l", "."),
            ("/workspace", "/workspace/x/y/l", "../.."),
            ("a/b", "/workspace/l", "a/b"),
            ("/tmp/a", "/workspace/l", "/tmp/a"),
            ("/workspace/a/../b", "/workspace/l", "/workspace/a/../b"),
            ("/etc/passwd", "/l", "/etc/passwd"),
        ] {
            assert_eq!(relative(Path::new(target), Path::new(link)), Path::new(expected), "{target} {link}");
        }
    }
}
