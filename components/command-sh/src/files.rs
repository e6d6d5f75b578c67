//! The file system, as the interpreter wants to have it.

use std::fs;
use std::io::{Error, ErrorKind, Write};
#[cfg(any(target_os = "wasi", test))]
use std::path::Component;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use bashkit::{DirEntry, FileType, FsBackend, Metadata, Result, async_trait};

/// Bytes of a file that is read whole, as the interpreter reads all of them. Larger ones belong to commands that are processes.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// Files as std has them.
pub struct Files;

#[async_trait]
impl FsBackend for Files {
    async fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let bytes = fs::metadata(path)?.len();
        if bytes > FILE_BYTES_MAX {
            let message = format!("file has {bytes} bytes, more than the shell reads itself ({FILE_BYTES_MAX})");
            return Err(Error::new(ErrorKind::FileTooLarge, message).into());
        }
        Ok(fs::read(path)?)
    }

    async fn write(&self, path: &Path, content: &[u8]) -> Result<()> {
        Ok(fs::write(path, content)?)
    }

    async fn append(&self, path: &Path, content: &[u8]) -> Result<()> {
        Ok(fs::OpenOptions::new().create(true).append(true).open(path)?.write_all(content)?)
    }

    async fn mkdir(&self, path: &Path, recursive: bool) -> Result<()> {
        Ok(if recursive { fs::create_dir_all(path) } else { fs::create_dir(path) }?)
    }

    async fn remove(&self, path: &Path, recursive: bool) -> Result<()> {
        Ok(match fs::symlink_metadata(path)?.is_dir() {
            true if recursive => fs::remove_dir_all(path),
            true => fs::remove_dir(path),
            false => fs::remove_file(path),
        }?)
    }

    async fn stat(&self, path: &Path) -> Result<Metadata> {
        Ok(metadata(&fs::symlink_metadata(path)?))
    }

    async fn read_dir(&self, path: &Path) -> Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // One that went meanwhile is no error of the directory's.
            if let Ok(data) = fs::symlink_metadata(path.join(&name)) {
                entries.push(DirEntry { name, metadata: metadata(&data) });
            }
        }
        Ok(entries)
    }

    async fn exists(&self, path: &Path) -> Result<bool> {
        Ok(fs::symlink_metadata(path).is_ok())
    }

    async fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        Ok(fs::rename(from, to)?)
    }

    async fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        fs::copy(from, to)?;
        Ok(())
    }

    async fn symlink(&self, target: &Path, link: &Path) -> Result<()> {
        Ok(link_to(target, link)?)
    }

    async fn read_link(&self, path: &Path) -> Result<PathBuf> {
        Ok(fs::read_link(path)?)
    }

    async fn chmod(&self, path: &Path, mode: u32) -> Result<()> {
        Ok(set_mode(path, mode)?)
    }

    async fn set_modified_time(&self, path: &Path, time: SystemTime) -> Result<()> {
        Ok(fs::OpenOptions::new().write(true).open(path)?.set_modified(time)?)
    }
}

fn metadata(data: &fs::Metadata) -> Metadata {
    let kind = data.file_type();
    let (file_type, mode) = if kind.is_dir() {
        (FileType::Directory, 0o755)
    } else if kind.is_symlink() {
        (FileType::Symlink, 0o777)
    } else {
        (FileType::File, mode(data))
    };
    let modified = data.modified().unwrap_or(UNIX_EPOCH);
    Metadata { file_type, size: data.len(), mode, modified, created: data.created().unwrap_or(modified) }
}

/// WASI 0.2 has no bits. Scripts that are called by their names are executable, then, and so is everything.
#[cfg(not(unix))]
fn mode(_: &fs::Metadata) -> u32 {
    0o755
}

#[cfg(unix)]
fn mode(data: &fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    data.permissions().mode() & 0o7777
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// It must be there; the rest cannot be said.
#[cfg(not(unix))]
fn set_mode(path: &Path, _: u32) -> std::io::Result<()> {
    fs::metadata(path).map(drop)
}

#[cfg(unix)]
fn link_to(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

/// An absolute target as seen from the link's directory, if both are in the same tree: WASI knows no absolute links, and a
/// relative one leads to the same place wherever the tree is.
#[cfg(any(target_os = "wasi", test))]
fn relative(target: &Path, link: &Path) -> PathBuf {
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

#[cfg(target_os = "wasi")]
fn link_to(target: &Path, link: &Path) -> std::io::Result<()> {
    use std::ffi::CString;
    unsafe extern "C" {
        fn symlink(target: *const std::ffi::c_char, link: *const std::ffi::c_char) -> std::ffi::c_int;
    }
    let text = |path: &Path| CString::new(path.as_os_str().as_encoded_bytes()).map_err(Error::other);
    let (target, link) = (text(&relative(target, link))?, text(link)?);
    // SAFETY: both are strings that end in a zero byte and outlive the call.
    match unsafe { symlink(target.as_ptr(), link.as_ptr()) } {
        0 => Ok(()),
        _ => Err(Error::last_os_error()),
    }
}

#[cfg(not(any(unix, target_os = "wasi")))]
fn link_to(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(ErrorKind::Unsupported.into())
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
