//! The file system, as the interpreter wants to have it.

use std::fs;
use std::io::{Error, ErrorKind, Write};
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
        Ok(metadata(&fs::symlink_metadata(path)?, mode(path)))
    }

    async fn read_dir(&self, path: &Path) -> Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // One that went meanwhile is no error of the directory's.
            // Nor are its bits asked for: for patterns and completion, names and types are enough.
            if let Ok(data) = fs::symlink_metadata(path.join(&name)) {
                entries.push(DirEntry { name, metadata: metadata(&data, None) });
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
        Ok(command_kit::modes::copy(from, to)?)
    }

    async fn symlink(&self, target: &Path, link: &Path) -> Result<()> {
        Ok(command_kit::links::create(target, link)?)
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

fn metadata(data: &fs::Metadata, mode: Option<u32>) -> Metadata {
    let kind = data.file_type();
    let (file_type, mode) = if kind.is_dir() {
        (FileType::Directory, mode.unwrap_or(0o755))
    } else if kind.is_symlink() {
        (FileType::Symlink, 0o777)
    } else {
        (FileType::File, mode.unwrap_or(command_kit::modes::OF_FILES))
    };
    let modified = data.modified().unwrap_or(UNIX_EPOCH);
    Metadata { file_type, size: data.len(), mode, modified, created: data.created().unwrap_or(modified) }
}

/// None: nobody knows, or the file went meanwhile.
fn mode(path: &Path) -> Option<u32> {
    command_kit::modes::get(path, false).ok().flatten()
}

/// Where there are no bits, what has to be there is the file.
fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    match command_kit::modes::set(path, mode & 0o777) {
        Err(error) if error.kind() == ErrorKind::Unsupported => fs::metadata(path).map(drop),
        result => result,
    }
}
