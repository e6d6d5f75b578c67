//! Compiled code on disk, by digest and engine configuration.
//!
//! Compiled code runs with the host's full rights, so a changed file must never be loaded. Each file ends with a keyed
//! BLAKE3 digest of the rest; the key is in the same folder, readable by its owner alone. The bytes that were checked are
//! the bytes that are loaded: the file is not opened a second time. Writers write a file of their own and rename it, so
//! concurrent starts see whole files or none.
//!
//! To read and digest tens of megabytes would be most of a start. So a large file that passed is noted, under the same
//! key: its length, inode, and times of change. While these are what they were nobody has written to it, since the system
//! alone sets the time at which an inode changed, and it is mapped instead of read.
//!
//! Two programs that are started for the first time at once compile each component once: the second waits for the first.

use std::fs::{self, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use wasmtime::Engine;
use wasmtime::component::Component;

const KEY_FILE: &str = "key";
const KEY_BYTES: usize = 32;
const MAC_BYTES: usize = blake3::OUT_LEN;

/// Compiled code of one component; larger files are not read.
const COMPILED_BYTES_MAX: u64 = 1 << 30;

/// Smaller files are read and digested at each start: that takes a millisecond or two.
const NOTED_BYTES_MIN: u64 = 4 << 20;

/// How long another program is waited for that compiles the same. It may have been stopped halfway, not ended.
const OTHER_TIME_MAX: Duration = Duration::from_secs(120);
const OTHER_LOOK: Duration = Duration::from_millis(20);

pub(crate) struct Cache {
    folder: PathBuf,
    compatibility: String,
}

impl Cache {
    pub(crate) fn new(folder: PathBuf, compatibility: &str) -> Self {
        Self { folder, compatibility: compatibility.to_owned() }
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}-{}.cwasm", self.compatibility))
    }

    pub(crate) fn has(&self, digest: &str) -> bool {
        self.path(digest).exists()
    }

    /// The right to compile this component. While it is held nobody else gets it, in this program or another. None: it could
    /// not be had in time, or the folder cannot be written.
    ///
    /// Whoever gets it has to look for compiled code once more: the one before may have stored it.
    pub(crate) fn turn(&self, digest: &str) -> Option<Turn> {
        create_private(&self.folder).ok()?;
        let path = self.folder.join(format!("{digest}-{}.turn", self.compatibility));
        let file = fs::File::create(&path).ok()?;
        let since = Instant::now();
        // The system gives it back also for one that was killed.
        loop {
            match file.try_lock() {
                Ok(()) => return Some(Turn { path, _file: file }),
                Err(TryLockError::WouldBlock) if since.elapsed() < OTHER_TIME_MAX => std::thread::sleep(OTHER_LOOK),
                // A file system without locks is no reason to wait.
                Err(_) => return None,
            }
        }
    }

    /// None when there is nothing, or nothing that can be trusted.
    pub(crate) fn load(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let path = self.path(digest);
        let file = fs::metadata(&path).ok()?;
        if file.len() > COMPILED_BYTES_MAX {
            return None;
        }
        if self.is_noted(digest, &file) {
            // SAFETY: these bytes passed once, and nobody has written to the file since: so says the note. Whoever could
            // replace it between the look and this call may write in our folder, and could read the key there.
            return unsafe { Component::deserialize_file(engine, &path) }.ok();
        }
        let bytes = fs::read(&path).ok()?;
        let compiled = self.checked(digest, &bytes)?;
        // SAFETY: these very bytes were written by `store`, from `Component::serialize`: the keyed digest says so.
        let component = unsafe { Component::deserialize(engine, compiled) };
        // The file as it was before it was read: a change since then must not be taken for what was checked.
        self.note(digest, &file);
        component.ok()
    }

    fn checked<'a>(&self, digest: &str, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let (compiled, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
        let mac: [u8; MAC_BYTES] = mac.try_into().ok()?;
        // The comparison of `blake3::Hash` takes constant time.
        (self.mac(&read_key(&self.folder).ok()?, digest, compiled) == mac).then_some(compiled)
    }

    fn note_path(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}-{}.note", self.compatibility))
    }

    fn is_noted(&self, digest: &str, file: &fs::Metadata) -> bool {
        let noted = || {
            let note: [u8; MAC_BYTES] = fs::read(self.note_path(digest)).ok()?.try_into().ok()?;
            Some(self.mac(&read_key(&self.folder).ok()?, digest, &state(file)?) == note)
        };
        file.len() >= NOTED_BYTES_MIN && noted() == Some(true)
    }

    /// A note that cannot be written makes the next start slow, nothing worse.
    fn note(&self, digest: &str, file: &fs::Metadata) {
        let write = || {
            let state = state(file).ok_or(io::ErrorKind::Unsupported)?;
            let mac = self.mac(&read_key(&self.folder)?, digest, &state);
            let mut note = tempfile::NamedTempFile::new_in(&self.folder)?;
            note.write_all(mac.as_bytes())?;
            note.persist(self.note_path(digest)).map_err(|error| error.error)
        };
        if file.len() >= NOTED_BYTES_MIN {
            let _: io::Result<fs::File> = write();
        }
    }

    /// Covers the name as well: a file of one component must not pass for another's.
    fn mac(&self, key: &[u8; KEY_BYTES], digest: &str, compiled: &[u8]) -> blake3::Hash {
        blake3::Hasher::new_keyed(key)
            .update(digest.as_bytes())
            .update(self.compatibility.as_bytes())
            .update(compiled)
            .finalize()
    }

    pub(crate) fn store(&self, digest: &str, compiled: &[u8]) -> io::Result<()> {
        create_private(&self.folder)?;
        let key = read_key(&self.folder).or_else(|_| create_key(&self.folder))?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(compiled)?;
        file.write_all(self.mac(&key, digest, compiled).as_bytes())?;
        let file = file.persist(self.path(digest))?;
        self.note(digest, &file.metadata()?);
        Ok(())
    }
}

/// See [`Cache::turn`].
pub(crate) struct Turn {
    path: PathBuf,
    /// Locked until it is closed.
    _file: fs::File,
}

impl Drop for Turn {
    fn drop(&mut self) {
        // One who waits for this very file gets it all the same, and finds what was compiled; a new one likewise.
        let _ = fs::remove_file(&self.path);
    }
}

/// What tells whether somebody has written to a file since it was looked at. Not bytes of code, whatever they are.
#[cfg(unix)]
fn state(file: &fs::Metadata) -> Option<Vec<u8>> {
    use std::os::unix::fs::MetadataExt;
    let numbers = [file.ino() as i64, file.dev() as i64, file.len() as i64, file.mtime(), file.mtime_nsec()];
    let changed = [file.ctime(), file.ctime_nsec(), i64::from(file.uid()), i64::from(file.mode())];
    Some(numbers.iter().chain(&changed).flat_map(|number| number.to_le_bytes()).chain(*b"note").collect())
}

#[cfg(not(unix))]
fn state(_: &fs::Metadata) -> Option<Vec<u8>> {
    None
}

#[cfg(unix)]
fn create_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn create_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

/// A key that others may read or write is no key.
#[cfg(unix)]
fn is_private(file: &fs::File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(file.metadata()?.permissions().mode() & 0o077 == 0)
}

#[cfg(not(unix))]
fn is_private(_: &fs::File) -> io::Result<bool> {
    Ok(true)
}

fn read_key(folder: &Path) -> io::Result<[u8; KEY_BYTES]> {
    use std::io::Read;
    let mut file = fs::File::open(folder.join(KEY_FILE))?;
    if !is_private(&file)? {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the cache's key is readable by others"));
    }
    let mut key = [0; KEY_BYTES];
    file.read_exact(&mut key)?;
    Ok(key)
}

fn create_key(folder: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    // A temporary file is created for its owner alone.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&key)?;
    match file.persist_noclobber(folder.join(KEY_FILE)) {
        Ok(_) => Ok(key),
        // Another process was faster, or there is a key that cannot be trusted: then it is replaced.
        Err(_) => read_key(folder).or_else(|_| {
            fs::remove_file(folder.join(KEY_FILE))?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(&key)?;
            file.persist(folder.join(KEY_FILE))?;
            Ok(key)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "d1";

    fn cache() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("cache"), "c");
        cache.store(DIGEST, b"compiled code").unwrap();
        (folder, cache)
    }

    fn trusted(cache: &Cache) -> bool {
        let Ok(bytes) = fs::read(cache.path(DIGEST)) else { return false };
        cache.checked(DIGEST, &bytes) == Some(b"compiled code")
    }

    #[test]
    fn what_was_stored_is_trusted() {
        let (_folder, cache) = cache();
        assert!(trusted(&cache));
    }

    #[test]
    fn a_changed_cut_or_foreign_file_is_not() {
        let (_folder, cache) = cache();
        let path = cache.path(DIGEST);
        let good = fs::read(&path).unwrap();
        for at in [0, MAC_BYTES, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(cache.checked(DIGEST, &bad), None, "byte {at}");
        }
        assert_eq!(cache.checked(DIGEST, &good[..good.len() - 1]), None);
        assert_eq!(cache.checked(DIGEST, &good[..3]), None);
        assert_eq!(cache.checked("d2", &good), None, "another component's code");
    }

    #[test]
    fn one_compiles_at_a_time_and_the_next_finds_it() {
        let folder = tempfile::tempdir().unwrap();
        // As two programs: they share nothing but the folder.
        let caches = [0, 1].map(|_| Cache::new(folder.path().join("cache"), "c"));
        let turn = caches[0].turn(DIGEST).unwrap();
        assert!(caches[1].turn("another").is_some());
        std::thread::scope(|scope| {
            let second = scope.spawn(|| {
                let _turn = caches[1].turn(DIGEST).unwrap();
                trusted(&caches[1])
            });
            std::thread::sleep(OTHER_LOOK * 3);
            assert!(!second.is_finished());
            caches[0].store(DIGEST, b"compiled code").unwrap();
            drop(turn);
            assert!(second.join().unwrap());
        });
        let left: Vec<_> =
            fs::read_dir(folder.path().join("cache")).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".turn")), "{left:?}");
    }

    #[cfg(unix)]
    #[test]
    fn a_large_file_is_noted_until_it_changes_in_any_way() {
        let (_folder, cache) = cache();
        let compiled = vec![7; NOTED_BYTES_MIN as usize];
        cache.store("large", &compiled).unwrap();
        let path = cache.path("large");
        let noted = |digest: &str| cache.is_noted(digest, &fs::metadata(&path).unwrap());
        assert!(noted("large"));
        assert!(!noted(DIGEST), "another component's note");
        // Also where nothing but the time tells, and that is set back.
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all(&[8]).unwrap();
        file.set_modified(before).unwrap();
        assert!(!noted("large"));
        assert_eq!(cache.checked("large", &fs::read(&path).unwrap()), None);
        cache.store("large", &compiled).unwrap();
        assert!(noted("large"));
        fs::write(cache.note_path("large"), [0; MAC_BYTES]).unwrap();
        assert!(!noted("large"));
        cache.store("small", b"compiled code").unwrap();
        assert!(!cache.note_path("small").exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_replaced() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, cache) = cache();
        let key = cache.folder.join(KEY_FILE);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(!trusted(&cache));
        cache.store(DIGEST, b"compiled code").unwrap();
        assert!(trusted(&cache));
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
