//! `wardian:host/modes`: permission bits, where the system has them. And `wardian:workspace/modes`, for commands that work on
//! the project itself: there is no workspace between them and the host that would offer it.

use std::fs::File;
use std::path::Path;

use wasmtime::component::Resource;
use wasmtime_wasi::FsPerms;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::FsError;
use wasmtime_wasi::p2::bindings::filesystem::types::{ErrorCode, PathFlags};

use super::Lent;
use super::direct::wardian::workspace::modes as workspace;
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

impl workspace::Host for Lent<'_> {
    fn get(
        &mut self,
        directory: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
    ) -> wasmtime::Result<Result<Option<u32>, ErrorCode>> {
        match self.table.get(&directory)? {
            Descriptor::File(_) => Ok(Err(ErrorCode::NotDirectory)),
            Descriptor::Dir(dir) => {
                answer(read_at(&dir.dir, Path::new(&path), flags.contains(PathFlags::SYMLINK_FOLLOW)))
            }
        }
    }

    fn set(
        &mut self,
        directory: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
        mode: u32,
    ) -> wasmtime::Result<Result<(), ErrorCode>> {
        match self.table.get(&directory)? {
            Descriptor::File(_) => Ok(Err(ErrorCode::NotDirectory)),
            Descriptor::Dir(dir) if dir.perms.write_not_permitted() => Ok(Err(ErrorCode::NotPermitted)),
            Descriptor::Dir(_) if mode & !BITS != 0 => Ok(Err(ErrorCode::Invalid)),
            Descriptor::Dir(dir) => {
                answer(write_at(&dir.dir, Path::new(&path), flags.contains(PathFlags::SYMLINK_FOLLOW), mode))
            }
        }
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
        // The one of std's own that has no number of the system.
        Err(error) if error.kind() == std::io::ErrorKind::Unsupported => Ok(Err(ErrorCode::Unsupported)),
        Err(error) => FsError::from(error).downcast().map(Err),
    }
}

#[cfg(unix)]
pub(super) fn read(file: &File) -> std::io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt;
    Ok(Some(file.metadata()?.permissions().mode() & BITS))
}

/// Of a directory that is shared by a group, these make it so, and are not the guest's business. Those of a file
/// lend it rights of its owner, and do not outlast a change.
#[cfg(unix)]
const KEPT_OF_DIRECTORIES: u32 = 0o3000;

#[cfg(unix)]
fn write(file: &File, mode: u32) -> std::io::Result<()> {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    let metadata = file.metadata()?;
    let kept = if metadata.is_dir() { metadata.permissions().mode() & KEPT_OF_DIRECTORIES } else { 0 };
    file.set_permissions(Permissions::from_mode(mode | kept))
}

/// Neither leaves the directory, whatever the path and the links in it say. And neither has to open the file, which a mode
/// of 0 forbids.
#[cfg(unix)]
fn read_at(directory: &File, path: &Path, follow: bool) -> std::io::Result<Option<u32>> {
    use cap_primitives::fs::{FollowSymlinks, PermissionsExt, stat};
    let follow = if follow { FollowSymlinks::Yes } else { FollowSymlinks::No };
    Ok(Some(stat(directory, path, follow)?.permissions().mode() & BITS))
}

#[cfg(unix)]
fn write_at(directory: &File, path: &Path, follow: bool, mode: u32) -> std::io::Result<()> {
    use cap_primitives::fs::{FollowSymlinks, Permissions, PermissionsExt, set_permissions, stat};
    let at = stat(directory, path, if follow { FollowSymlinks::Yes } else { FollowSymlinks::No })?;
    if at.is_symlink() {
        return Err(std::io::ErrorKind::Unsupported.into());
    }
    let kept = if at.is_dir() { at.permissions().mode() & KEPT_OF_DIRECTORIES } else { 0 };
    set_permissions(directory, path, Permissions::from_mode(mode | kept))
}

#[cfg(not(unix))]
pub(super) fn read(_: &File) -> std::io::Result<Option<u32>> {
    Ok(None)
}

#[cfg(not(unix))]
fn read_at(_: &File, _: &Path, _: bool) -> std::io::Result<Option<u32>> {
    Ok(None)
}

#[cfg(not(unix))]
fn write_at(_: &File, _: &Path, _: bool, _: u32) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
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

    #[test]
    fn what_is_below_a_directory_has_bits_and_nothing_else() {
        let mut setup = Setup::new();
        let lent = |setup: &mut Setup, perms| {
            let folder = File::open(setup.folder.path().join("d")).unwrap();
            setup.table.push(Descriptor::Dir(Dir::new(folder, perms, OpenMode::READ, true))).unwrap()
        };
        std::fs::create_dir(setup.folder.path().join("d")).unwrap();
        std::fs::write(setup.folder.path().join("out"), "").unwrap();
        std::fs::write(setup.folder.path().join("d/f"), "").unwrap();
        std::os::unix::fs::symlink("f", setup.folder.path().join("d/in")).unwrap();
        std::os::unix::fs::symlink("../out", setup.folder.path().join("d/away")).unwrap();
        setup.set_mode("d/f", 0o4640);
        let (writing, reading) = (lent(&mut setup, FsPerms::ReadWrite), lent(&mut setup, FsPerms::ReadOnly));
        let mut table = ResourceTable::new();
        std::mem::swap(&mut table, &mut setup.table);
        let mut modes = Lent { table: &mut table, turns: &Arc::default(), directory: None };
        let (follow, stay) = (PathFlags::SYMLINK_FOLLOW, PathFlags::empty());
        let at = |directory: &Resource<Descriptor>| Resource::new_borrow(directory.rep());
        let mut get = |directory, flags, path: &str| {
            workspace::Host::get(&mut modes, at(directory), flags, path.to_owned()).unwrap()
        };
        assert_eq!(get(&reading, stay, "f"), Ok(Some(0o640)));
        assert_eq!(get(&reading, follow, "in"), Ok(Some(0o640)));
        assert_eq!(get(&reading, follow, "missing"), Err(ErrorCode::NoEntry));
        for outside in ["away", "../out", "/etc/passwd"] {
            assert!(get(&writing, follow, outside).is_err(), "{outside}");
        }
        let mut set = |directory, flags, path: &str, mode| {
            workspace::Host::set(&mut modes, at(directory), flags, path.to_owned(), mode).unwrap()
        };
        assert_eq!(set(&writing, follow, "in", 0o000), Ok(()));
        assert_eq!(set(&writing, stay, "f", 0o755), Ok(()), "what may not be opened can be changed");
        assert_eq!(set(&writing, stay, "in", 0o600), Err(ErrorCode::Unsupported));
        assert_eq!(set(&writing, stay, "f", 0o4755), Err(ErrorCode::Invalid));
        assert_eq!(set(&reading, stay, "f", 0o600), Err(ErrorCode::NotPermitted));
        assert!(set(&writing, follow, "away", 0o600).is_err());
        assert_eq!((setup.mode("d/f"), setup.mode("out") & 0o100), (0o755, 0));
    }
}
