//! Permission bits, which std does not have under WASI: `wardian:workspace/modes`, by path.

use std::fs::FileType;
use std::io::{Error, ErrorKind};
use std::path::Path;

#[cfg(target_os = "wasi")]
pub use wasi::{get, set};

/// What is shown of files whose bits nobody knows: all can be run, as nothing forbids it.
pub const OF_FILES: u32 = 0o755;

/// The nine bits to show of what is at a path, which has this type: a link's own, not those of what it leads to.
pub fn shown(path: &Path, kind: FileType) -> u32 {
    if kind.is_symlink() {
        return 0o777;
    }
    // What went meanwhile is shown as what it was.
    get(path, true).ok().flatten().unwrap_or(match kind {
        kind if kind.is_dir() || kind.is_file() => OF_FILES,
        _ => 0o666,
    })
}

/// Gives one file the bits of another, where anybody knows them.
///
/// # Errors
/// When bits that are known can be read or set no more. `Unsupported` is none.
pub fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    match (get(from, true)?, get(to, true)?) {
        (Some(mode), at) if at != Some(mode) => match set(to, mode) {
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(()),
            result => result,
        },
        _ => Ok(()),
    }
}

#[cfg(target_os = "wasi")]
mod wasi {
    use std::io::{Error, ErrorKind};
    use std::path::{Path, PathBuf};

    use super::within;

    mod bindings {
        wit_bindgen::generate!({
            inline: "
            package wardian:command-kit;
            world modes {
                import wasi:filesystem/preopens@0.2.6;
                import wardian:workspace/modes@0.1.0;
            }
        ",
            path: [
                "../../wit/wasi-io",
                "../../wit/wasi-clocks",
                "../../wit/wasi-filesystem",
                "../../wit/wardian-workspace",
            ],
            world: "wardian:command-kit/modes",
            generate_all,
        });
    }

    use bindings::wardian::workspace::modes;
    use bindings::wasi::filesystem::preopens::get_directories;
    use bindings::wasi::filesystem::types::{Descriptor, ErrorCode, PathFlags};

    thread_local! {
        /// They stay the same as long as a program runs.
        static DIRECTORIES: Vec<(Descriptor, PathBuf)> =
            get_directories().into_iter().map(|(directory, name)| (directory, PathBuf::from(name))).collect();
    }

    /// The nine bits of what is at a path; of a link itself unless it is followed. None: the host has none for it.
    pub fn get(path: &Path, follow: bool) -> Result<Option<u32>, Error> {
        let flags = if follow { PathFlags::SYMLINK_FOLLOW } else { PathFlags::empty() };
        at(path, |directory, path| modes::get(directory, flags, path))
    }

    /// Sets them, of what a link leads to. `Unsupported` where there is nothing to set: the host has none, or none for directories.
    pub fn set(path: &Path, mode: u32) -> Result<(), Error> {
        at(path, |directory, path| modes::set(directory, PathFlags::SYMLINK_FOLLOW, path, mode))
    }

    fn at<T>(path: &Path, call: impl Fn(&Descriptor, &str) -> Result<T, ErrorCode>) -> Result<T, Error> {
        let path = if path.is_absolute() { path.to_owned() } else { std::env::current_dir()?.join(path) };
        DIRECTORIES.with(|directories| {
            let names = directories.iter().map(|(_, name)| name.as_path());
            let (number, rest) = within(names, &path).ok_or(ErrorKind::NotFound)?;
            call(&directories[number].0, &rest).map_err(told)
        })
    }

    fn told(error: ErrorCode) -> Error {
        match error {
            ErrorCode::NoEntry => ErrorKind::NotFound.into(),
            ErrorCode::Access | ErrorCode::NotPermitted => ErrorKind::PermissionDenied.into(),
            ErrorCode::ReadOnly => ErrorKind::ReadOnlyFilesystem.into(),
            ErrorCode::NotDirectory => ErrorKind::NotADirectory.into(),
            ErrorCode::Unsupported => ErrorKind::Unsupported.into(),
            ErrorCode::Invalid => ErrorKind::InvalidInput.into(),
            other => Error::other(other.message()),
        }
    }
}

/// The nine bits of what is at a path; of a link itself unless it is followed.
#[cfg(unix)]
pub fn get(path: &Path, follow: bool) -> Result<Option<u32>, Error> {
    use std::os::unix::fs::PermissionsExt;
    let data = if follow { std::fs::metadata(path) } else { std::fs::symlink_metadata(path) }?;
    Ok(Some(data.permissions().mode() & 0o777))
}

/// Sets them, of what a link leads to.
#[cfg(unix)]
pub fn set(path: &Path, mode: u32) -> Result<(), Error> {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
}

/// There are none.
#[cfg(not(any(unix, target_os = "wasi")))]
pub fn get(_: &Path, _: bool) -> Result<Option<u32>, Error> {
    Ok(None)
}

/// There are none.
#[cfg(not(any(unix, target_os = "wasi")))]
pub fn set(_: &Path, _: u32) -> Result<(), Error> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// Which of the directories the path is in, the innermost, and what the path is from there.
#[cfg(any(target_os = "wasi", test))]
fn within<'a>(directories: impl Iterator<Item = &'a Path>, path: &Path) -> Option<(usize, String)> {
    let path: std::path::PathBuf = path.components().filter(|part| *part != std::path::Component::CurDir).collect();
    let (number, rest) = directories
        .enumerate()
        .filter_map(|(number, directory)| Some((number, path.strip_prefix(directory).ok()?)))
        .min_by_key(|(_, rest)| rest.components().count())?;
    let rest = if rest.as_os_str().is_empty() { Path::new(".") } else { rest };
    Some((number, rest.to_str()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_belongs_to_the_innermost_directory() {
        let directories = ["/workspace", "/tmp", "/tmp/x"];
        let at = |path: &str| within(directories.iter().map(Path::new), Path::new(path));
        let found = |number, rest: &str| Some((number, rest.to_owned()));
        assert_eq!(at("/workspace/a/./b"), found(0, "a/b"));
        assert_eq!(at("/workspace"), found(0, "."));
        assert_eq!(at("/tmp/y/../x"), found(1, "y/../x"));
        assert_eq!(at("/tmp/x/y"), found(2, "y"));
        assert_eq!(at("/workspaces"), None);
        assert_eq!(within([Path::new("/")].into_iter(), Path::new("/a")), found(0, "a"));
    }
}
