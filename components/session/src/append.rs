//! A file that grows: positioned writes, straight to the host.
//!
//! Through the standard library each write of a component would pass a stream, which costs the host a task and a thread
//! switch. `wasi:filesystem` has a plain positioned write; natively, for the tests, there is one in std.

use std::io;
use std::path::Path;

#[cfg(target_arch = "wasm32")]
pub use wasi_file::Append;

#[cfg(not(target_arch = "wasm32"))]
pub use std_file::Append;

#[cfg(target_arch = "wasm32")]
mod wasi_file {
    use super::{Path, io};
    use crate::wasi::filesystem::preopens::get_directories;
    use crate::wasi::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};

    pub struct Append(Descriptor);

    fn error(code: ErrorCode) -> io::Error {
        let kind = match code {
            ErrorCode::Exist => io::ErrorKind::AlreadyExists,
            ErrorCode::NoEntry => io::ErrorKind::NotFound,
            ErrorCode::InsufficientSpace => io::ErrorKind::StorageFull,
            ErrorCode::FileTooLarge => io::ErrorKind::FileTooLarge,
            ErrorCode::ReadOnly => io::ErrorKind::ReadOnlyFilesystem,
            ErrorCode::Access | ErrorCode::NotPermitted => io::ErrorKind::PermissionDenied,
            _ => return io::Error::other(code.name().to_owned()),
        };
        kind.into()
    }

    impl Append {
        pub fn open(folder: &Path, name: &str, create_new: bool) -> io::Result<Self> {
            let folder = folder.to_string_lossy();
            let directories = get_directories();
            let (directory, _) = directories
                .iter()
                .find(|(_, path)| *path == folder)
                .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
            let flags = if create_new { OpenFlags::CREATE | OpenFlags::EXCLUSIVE } else { OpenFlags::empty() };
            directory.open_at(PathFlags::empty(), name, flags, DescriptorFlags::WRITE).map(Self).map_err(error)
        }

        pub fn write_at(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
            while !bytes.is_empty() {
                let written = self.0.write(bytes, offset).map_err(error)?;
                if written == 0 {
                    return Err(io::ErrorKind::WriteZero.into());
                }
                offset += written;
                bytes = bytes.get(written as usize..).unwrap_or_default();
            }
            Ok(())
        }

        pub fn set_len(&self, bytes: u64) -> io::Result<()> {
            self.0.set_size(bytes).map_err(error)
        }

        pub fn sync_data(&self) -> io::Result<()> {
            self.0.sync_data().map_err(error)
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod std_file {
    use super::{Path, io};
    use std::fs::{File, OpenOptions};
    use std::io::{Seek, SeekFrom, Write};

    pub struct Append(File);

    impl Append {
        pub fn open(folder: &Path, name: &str, create_new: bool) -> io::Result<Self> {
            OpenOptions::new().write(true).create_new(create_new).open(folder.join(name)).map(Self)
        }

        pub fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
            let mut file = &self.0;
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(bytes)
        }

        pub fn set_len(&self, bytes: u64) -> io::Result<()> {
            self.0.set_len(bytes)
        }

        pub fn sync_data(&self) -> io::Result<()> {
            self.0.sync_data()
        }
    }
}
