//! `wardian:host/small-files`: many small files in one call.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path};

use cap_fs_ext::{OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_primitives::fs::{FollowSymlinks, OpenOptions};
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use super::Lent;
use super::lent::wardian::host::small_files::{Host, SmallFile};
use super::modes;

/// What one call may ask for.
const FILES_MAX: usize = 256;
const BYTES_MAX: u64 = 64 << 10;

impl Host for Lent<'_> {
    fn read(
        &mut self,
        directory: Resource<Descriptor>,
        names: Vec<String>,
        bytes_max: u64,
    ) -> wasmtime::Result<Result<Vec<Option<SmallFile>>, ErrorCode>> {
        let directory = match self.table.get(&directory)? {
            Descriptor::File(_) => return Ok(Err(ErrorCode::NotDirectory)),
            Descriptor::Dir(directory) => &directory.dir,
        };
        if names.len() > FILES_MAX || bytes_max > BYTES_MAX || !names.iter().all(|name| is_entry(name)) {
            return Ok(Err(ErrorCode::Invalid));
        }
        Ok(Ok(names.iter().map(|name| small_file(directory, name, bytes_max).ok().flatten()).collect()))
    }
}

/// Whether this is the name of something in a directory, not a way to somewhere else.
fn is_entry(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let is_name = matches!(parts.next(), Some(Component::Normal(part)) if part == name);
    is_name && parts.next().is_none() && !name.contains('\0')
}

fn small_file(directory: &File, name: &str, bytes_max: u64) -> std::io::Result<Option<SmallFile>> {
    let mut options = OpenOptions::new();
    // A pipe is not waited for: nobody may ever write to it.
    options.read(true).follow(FollowSymlinks::No).nonblock(true);
    let file = cap_primitives::fs::open(directory, Path::new(name), &options)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let (size, mode) = (metadata.len(), modes::read(&file)?);
    if size > bytes_max {
        return Ok(Some(SmallFile { size, mode, bytes: None }));
    }
    let mut bytes = Vec::with_capacity(size as usize);
    file.take(size + 1).read_to_end(&mut bytes)?;
    // Otherwise it changed meanwhile.
    Ok((bytes.len() as u64 == size).then_some(SmallFile { size, mode, bytes: Some(bytes) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_entries_are_asked_for() {
        for name in ["a", "a b", "...", "ä"] {
            assert!(is_entry(name), "{name}");
        }
        for name in ["", ".", "..", "/", "/a", "a/", "a/b", "./a", "a/.", "../a", "a\0b"] {
            assert!(!is_entry(name), "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_read_and_nothing_else_waited_for_or_followed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("small"), "12345").unwrap();
        std::fs::write(at("large"), "123456").unwrap();
        std::fs::create_dir(at("directory")).unwrap();
        std::os::unix::fs::symlink("small", at("link")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
        let directory = File::open(folder.path()).unwrap();
        let read = |name: &str| small_file(&directory, name, 5).ok().flatten().map(|file| (file.size, file.bytes));
        assert_eq!(read("small"), Some((5, Some(b"12345".to_vec()))));
        assert_eq!(read("large"), Some((6, None)));
        for name in ["directory", "link", "pipe", "none"] {
            assert_eq!(read(name), None, "{name}");
        }
    }
}
