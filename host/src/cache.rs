//! Compiled code on disk, by digest and engine configuration.
//!
//! Compiled code runs with the host's full rights, so a changed file must never be loaded. Each file begins with a keyed
//! BLAKE3 digest of the rest; the key is in the same folder, readable by its owner alone. The bytes that were checked are
//! the bytes that are loaded: the file is not opened a second time. Writers write a file of their own and rename it, so
//! concurrent starts see whole files or none.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use wasmtime::Engine;
use wasmtime::component::Component;

const KEY_FILE: &str = "key";
const KEY_BYTES: usize = 32;
const MAC_BYTES: usize = blake3::OUT_LEN;

/// Compiled code of one component; larger files are not read.
const COMPILED_BYTES_MAX: u64 = 1 << 30;

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

    /// None when there is nothing, or nothing that can be trusted.
    pub(crate) fn load(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let path = self.path(digest);
        if fs::metadata(&path).ok()?.len() > COMPILED_BYTES_MAX {
            return None;
        }
        let bytes = fs::read(&path).ok()?;
        let compiled = self.checked(digest, &bytes)?;
        // SAFETY: these very bytes were written by `store`, from `Component::serialize`: the keyed digest says so.
        let component = unsafe { Component::deserialize(engine, compiled) };
        component.ok()
    }

    fn checked<'a>(&self, digest: &str, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let (mac, compiled) = bytes.split_at_checked(MAC_BYTES)?;
        let mac: [u8; MAC_BYTES] = mac.try_into().ok()?;
        // The comparison of `blake3::Hash` takes constant time.
        (self.mac(&read_key(&self.folder).ok()?, digest, compiled) == mac).then_some(compiled)
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
        file.write_all(self.mac(&key, digest, compiled).as_bytes())?;
        file.write_all(compiled)?;
        file.persist(self.path(digest))?;
        Ok(())
    }
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
        let bytes = fs::read(cache.path(DIGEST)).unwrap();
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
