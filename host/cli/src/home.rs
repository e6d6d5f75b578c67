//! Where state lives: `$WARDIAN_HOME`, by default `$XDG_DATA_HOME/wardian`.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Bytes of a settings or lock file; larger ones are not what they should be.
pub const SMALL_FILE_BYTES_MAX: u64 = 1 << 20;

pub struct Home {
    pub folder: PathBuf,
}

/// A session's folder, locked for this process.
pub struct Locked {
    pub id: String,
    pub folder: PathBuf,
    _lock: File,
}

fn io(what: &str, path: &Path, error: std::io::Error) -> Failure {
    Failure::failed(format!("cannot {what} {}: {error}", path.display()))
}

impl Home {
    /// # Errors
    /// When no environment variable says where the user's home is.
    pub fn find() -> Result<Self, Failure> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = set("WARDIAN_HOME")
            .or_else(|| set("XDG_DATA_HOME").map(|data| data.join("wardian")))
            .or_else(|| set("HOME").map(|home| home.join(".local/share/wardian")))
            .or_else(|| set("LOCALAPPDATA").map(|data| data.join("wardian")));
        match folder {
            Some(folder) => Ok(Self { folder: std::path::absolute(&folder).unwrap_or(folder) }),
            None => Err(Failure::usage("cannot tell where to keep sessions").hint("set WARDIAN_HOME to a folder")),
        }
    }

    pub fn cache(&self) -> PathBuf {
        self.folder.join("cache")
    }

    fn sessions_folder(&self) -> PathBuf {
        self.folder.join("sessions")
    }

    pub fn session(&self, id: &str) -> PathBuf {
        self.sessions_folder().join(id)
    }

    /// The ids of all sessions, the newest first.
    pub fn sessions(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.sessions_folder()) else { return Vec::new() };
        let mut sessions: Vec<_> = entries
            .flatten()
            .filter_map(|entry| {
                let modified =
                    fs::metadata(entry.path().join("journal.jsonl")).and_then(|data| data.modified()).ok()?;
                Some((modified, entry.file_name().into_string().ok()?))
            })
            .collect();
        sessions.sort_by(|one, other| other.cmp(one));
        sessions.into_iter().map(|(_, id)| id).collect()
    }

    /// The session that is meant by `given`: an id, or a beginning that only one has. None is the newest.
    pub fn resolve(&self, given: Option<&str>) -> Result<String, Failure> {
        let sessions = self.sessions();
        let Some(given) = given else {
            return sessions
                .into_iter()
                .next()
                .ok_or_else(|| Failure::usage("there is no session yet").hint("begin one: wardian run \"…\""));
        };
        let mut fitting: Vec<_> = sessions.iter().filter(|id| id.starts_with(given)).collect();
        if let Some(exact) = sessions.iter().find(|id| *id == given) {
            fitting = vec![exact];
        }
        match fitting.as_slice() {
            [one] => Ok((*one).clone()),
            [] => Err(Failure::usage(format!("there is no session {given:?}")).hint("list them: wardian sessions")),
            several => {
                let names: Vec<_> = several.iter().take(5).map(|id| id.as_str()).collect();
                Err(Failure::usage(format!("{given:?} fits several sessions: {}", names.join(", "))))
            }
        }
    }

    pub fn create_session(&self) -> Result<Locked, Failure> {
        let now = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S").to_string();
        let mut random = [0_u8; 3];
        getrandom::fill(&mut random).map_err(|error| Failure::failed(format!("no random numbers: {error}")))?;
        let [a, b, c] = random;
        let id = format!("{now}-{a:02x}{b:02x}{c:02x}");
        let folder = self.session(&id);
        create_private(&folder).map_err(|error| io("create", &folder, error))?;
        self.lock_session(&id)
    }

    /// Makes sure that one process at a time works on a session.
    pub fn lock_session(&self, id: &str) -> Result<Locked, Failure> {
        let folder = self.session(id);
        let path = folder.join("lock");
        let mut lock = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|error| io("open", &path, error))?;
        if let Err(error) = lock.try_lock() {
            let fs::TryLockError::WouldBlock = error else {
                return Err(Failure::failed(format!("cannot lock {}: {error}", path.display())));
            };
            let mut owner = String::new();
            let _ = lock.take(32).read_to_string(&mut owner);
            let owner = if owner.trim().is_empty() { String::new() } else { format!(" (process {})", owner.trim()) };
            return Err(Failure::failed(format!("session {id} is in use by another wardian{owner}"))
                .hint("wait for it to end, or begin a session of your own: leave out --session and --continue"));
        }
        let written = lock.set_len(0).and_then(|()| write!(lock, "{}", std::process::id()));
        // Only for the message above.
        drop(written);
        Ok(Locked { id: id.to_owned(), folder, _lock: lock })
    }
}

#[cfg(unix)]
fn create_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn create_private(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)
}
