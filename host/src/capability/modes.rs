//! `wardian:host/modes`: permission bits, where the system has them.

use std::fs::File;

use wasmtime::component::Resource;
use wasmtime_wasi::FsPerms;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::FsError;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use super::Lent;
use super::lent::wardian::host::modes::Host;

/// The bits that guests can see and change.
const BITS: u32 = 0o777;

impl Host for Lent<'_> {
    fn get(&mut self, file: Resource<Descriptor>) -> wasmtime::Result<Result<Option<u32>, ErrorCode>> {
        let (file, _) = opened(self.table.get(&file)?);
        answer(read(file))
    }

    fn set(&mut self, file: Resource<Descriptor>, mode: u32) -> wasmtime::Result<Result<(), ErrorCode>> {
        let (file, perms) = opened(self.table.get(&file)?);
        if perms.write_not_permitted() {
            return Ok(Err(ErrorCode::NotPermitted));
        }
        if mode & !BITS != 0 {
            return Ok(Err(ErrorCode::Invalid));
        }
        answer(write(file, mode))
    }
}

fn opened(descriptor: &Descriptor) -> (&File, FsPerms) {
    match descriptor {
        Descriptor::File(file) => (&file.file, file.perms),
        Descriptor::Dir(dir) => (&dir.dir, dir.perms),
    }
}

/// A system's error as the guest's.
fn answer<T>(result: std::io::Result<T>) -> wasmtime::Result<Result<T, ErrorCode>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) => FsError::from(error).downcast().map(Err),
    }
}

#[cfg(unix)]
fn read(file: &File) -> std::io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt;
    Ok(Some(file.metadata()?.permissions().mode() & BITS))
}

#[cfg(unix)]
fn write(file: &File, mode: u32) -> std::io::Result<()> {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    /// Of a directory that is shared by a group, these make it so, and are not the guest's business. Those of a file
    /// lend it rights of its owner, and do not outlast a change.
    const KEPT_OF_DIRECTORIES: u32 = 0o3000;
    let metadata = file.metadata()?;
    let kept = if metadata.is_dir() { metadata.permissions().mode() & KEPT_OF_DIRECTORIES } else { 0 };
    file.set_permissions(Permissions::from_mode(mode | kept))
}

#[cfg(not(unix))]
fn read(_: &File) -> std::io::Result<Option<u32>> {
    Ok(None)
}

#[cfg(not(unix))]
fn write(_: &File, _: u32) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;
    use wasmtime::component::ResourceTable;
    use wasmtime_wasi::filesystem::{Dir, OpenMode};

    struct Setup {
        table: ResourceTable,
        folder: tempfile::TempDir,
    }

    impl Setup {
        fn new() -> Self {
            Self { table: ResourceTable::new(), folder: tempfile::tempdir().unwrap() }
        }

        fn mode(&self, name: &str) -> u32 {
            std::fs::metadata(self.folder.path().join(name)).unwrap().permissions().mode() & 0o7777
        }

        fn set_mode(&self, name: &str, mode: u32) {
            std::fs::set_permissions(self.folder.path().join(name), PermissionsExt::from_mode(mode)).unwrap();
        }

        fn file(&mut self, perms: FsPerms) -> Resource<Descriptor> {
            let file = File::create(self.folder.path().join("f")).unwrap();
            let file = wasmtime_wasi::filesystem::File::new(file, perms, OpenMode::READ, true);
            self.table.push(Descriptor::File(file)).unwrap()
        }

        fn set(&mut self, descriptor: &Resource<Descriptor>, mode: u32) -> Result<(), ErrorCode> {
            let descriptor = Resource::new_borrow(descriptor.rep());
            Lent { table: &mut self.table, turns: &Arc::default(), directory: None }.set(descriptor, mode).unwrap()
        }

        fn get(&mut self, descriptor: &Resource<Descriptor>) -> Result<Option<u32>, ErrorCode> {
            let descriptor = Resource::new_borrow(descriptor.rep());
            Lent { table: &mut self.table, turns: &Arc::default(), directory: None }.get(descriptor).unwrap()
        }
    }

    #[test]
    fn files_and_directories_have_bits_to_get_and_set() {
        let mut setup = Setup::new();
        let file = setup.file(FsPerms::ReadWrite);
        setup.set_mode("f", 0o4755);
        assert_eq!(setup.get(&file), Ok(Some(0o755)), "no more than nine bits are seen");
        assert_eq!(setup.set(&file, 0o640), Ok(()));
        assert_eq!(setup.mode("f"), 0o640, "and a file keeps none beyond them");
        assert_eq!(setup.set(&file, 0o4755), Err(ErrorCode::Invalid));

        std::fs::create_dir(setup.folder.path().join("d")).unwrap();
        setup.set_mode("d", 0o2775);
        let folder = File::open(setup.folder.path().join("d")).unwrap();
        let folder = Dir::new(folder, FsPerms::ReadWrite, OpenMode::READ, true);
        let folder = setup.table.push(Descriptor::Dir(folder)).unwrap();
        assert_eq!(setup.set(&folder, 0o700), Ok(()));
        assert_eq!(setup.mode("d"), 0o2700);
    }

    #[test]
    fn what_is_lent_for_reading_keeps_its_bits() {
        let mut setup = Setup::new();
        let file = setup.file(FsPerms::ReadOnly);
        setup.set_mode("f", 0o644);
        assert_eq!(setup.get(&file), Ok(Some(0o644)));
        assert_eq!(setup.set(&file, 0o600), Err(ErrorCode::NotPermitted));
        assert_eq!(setup.mode("f"), 0o644);
    }
}
