//! Commits and undos that are under way: one at a time for each project, and none that a crash leaves half done.
//!
//! What is written to the project, and how it is taken back, is the workspace's to know. Here is only which session it
//! was: a marker in `projects/` of Wardian's own state that is there for as long as the project may be half changed.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use wardian_host::wit::ReviewError;

use crate::block_on;
use crate::case::{Case, How};
use crate::failure::Failure;
use crate::home::{Home, Locked};
use crate::show::{Show, Style};

/// Digits of the digest of a project's path that name its folder.
const NAME_DIGITS: usize = 16;

/// Bytes of a marker: a session's id.
const MARKER_BYTES_MAX: u64 = 256;

/// The right to change the project. No other process has it.
#[must_use]
pub struct Pending {
    marker: PathBuf,
    _lock: File,
}

impl Case {
    /// Takes the project for a commit or undo of `session`, which is on record from here on: if the process dies, the next
    /// one on this project finishes it. Also for whoever only wants `recover`.
    ///
    /// Call [`Pending::end`] once the workspace has answered, also with an error. Not if its code broke, and not if the
    /// error is [`ReviewError::Io`], after which something may be left to take back: then just drop this.
    ///
    /// # Errors
    /// When another process has the project, or left something half done that could not be finished.
    pub fn begin_commit(&self, session: &Locked) -> Result<Pending, Failure> {
        let folder = folder(&self.home, &self.project);
        begin(&folder, &session.id).map_err(|why| {
            let project = self.project.display();
            match why {
                Why::Busy => Failure::failed(format!("another wardian is changing the project {project} right now"))
                    .hint("wait for it to end"),
                Why::Interrupted(other) => {
                    let session = self.home.session(&other);
                    Failure::failed(format!("{project} may be half changed: session {other} was interrupted"))
                        .hint(format!("it has to be finished first, or given up by removing {}", session.display()))
                }
                Why::Io(error) => Failure::failed(format!("cannot write to {}: {error}", folder.display())),
            }
        })
    }
}

/// Why a project cannot be taken.
#[derive(Debug)]
enum Why {
    /// Somebody has it.
    Busy,
    /// What this session began is not finished.
    Interrupted(String),
    Io(std::io::Error),
}

fn begin(folder: &Path, id: &str) -> Result<Pending, Why> {
    create_private(folder).map_err(Why::Io)?;
    let lock = lock(folder).map_err(Why::Io)?.ok_or(Why::Busy)?;
    let marker = marker(folder);
    match read(&marker) {
        Some(other) if other != id => return Err(Why::Interrupted(other)),
        _ => write(folder, &marker, id).map_err(Why::Io)?,
    }
    Ok(Pending { marker, _lock: lock })
}

impl Pending {
    /// The project is whole: changed or unchanged.
    ///
    /// # Errors
    /// When that cannot be noted. The next process then looks once more, and finds nothing to do.
    pub fn end(self) -> Result<(), Failure> {
        remove(&self.marker)
            .map_err(|error| Failure::failed(format!("cannot remove {}: {error}", self.marker.display())))
    }
}

/// Whether a commit or undo on this project was begun and not ended: it is under way, or its process died.
pub fn is_interrupted(home: &Home, project: &Path) -> bool {
    marker(&folder(home, project)).exists()
}

/// Finishes what a process that died had begun on this project. What cannot be finished now is said, and is no reason not
/// to go on: the next process tries again, and until then there is no other commit.
pub fn recover(case: &Case) {
    let folder = folder(&case.home, &case.project);
    let marker = marker(&folder);
    // Nearly always this is all there is to do.
    if !marker.exists() {
        return;
    }
    // A lock that is held: what is under way is not over. One that cannot be had: it is said where a commit begins.
    let Ok(Some(_lock)) = lock(&folder) else { return };
    let Some(id) = read(&marker) else { return };
    match finish(case, &id) {
        Ok(finished) => {
            eprintln!("note: {finished}");
            let _ = remove(&marker);
        }
        Err(failure) => {
            eprintln!(
                "note: a commit or undo of session {id} was interrupted and cannot be finished: {}",
                failure.text()
            );
        }
    }
}

fn finish(case: &Case, id: &str) -> Result<String, Failure> {
    if !case.home.session(id).is_dir() {
        return Ok(format!(
            "a commit or undo of session {id} was interrupted; the session is gone, so it stays as it is"
        ));
    }
    let session = case.home.lock_session(id)?;
    let finished = block_on(async {
        let mut open = case.open(session, How::Commit, Show::new(Style::Quiet)).await?;
        Ok(open.agent.recover().await?)
    })?;
    match finished {
        Ok(Some(commit)) => {
            let what = if commit.undoes.is_some() { "undo" } else { "commit" };
            let (number, paths) = (commit.number, commit.paths.len());
            Ok(format!("{what} {number} of session {id} was interrupted and is finished now: {paths} paths"))
        }
        Ok(None) => Ok(format!("session {id} ended during a commit or undo; nothing of it is left to finish")),
        Err(error) => Err(Failure::failed(reason(&error))),
    }
}

/// Of the errors, the ones that a recovery can have.
fn reason(error: &ReviewError) -> String {
    match error {
        ReviewError::Io(error) => format!("{}: {}", error.path, error.message),
        ReviewError::Damaged(what) => format!("the record of its changes is damaged: {what}"),
        ReviewError::ReadOnly => "its files are read-only".to_owned(),
        ReviewError::ChangedSince(paths) => format!("the project was changed since: {}", paths.join(", ")),
        other => format!("{other:?}"),
    }
}

/// Every project has a folder, which is the same for all that call it by other names: the path is canonical.
fn folder(home: &Home, project: &Path) -> PathBuf {
    let mut name = wardian_bundle::digest(project.as_os_str().as_encoded_bytes());
    name.truncate(NAME_DIGITS);
    home.folder.join("projects").join(name)
}

fn marker(folder: &Path) -> PathBuf {
    folder.join("pending")
}

/// None: somebody has it.
fn lock(folder: &Path) -> std::io::Result<Option<File>> {
    let lock = File::options().create(true).truncate(false).read(true).write(true).open(folder.join("lock"))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// The session that the marker names. None: there is no marker, or none that was written here.
fn read(marker: &Path) -> Option<String> {
    if fs::metadata(marker).ok()?.len() > MARKER_BYTES_MAX {
        return None;
    }
    let id = fs::read_to_string(marker).ok()?;
    // An id becomes a path.
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    (!id.is_empty() && id.chars().all(plain)).then_some(id)
}

/// Whole or not at all, and for good before it returns: the project is changed only afterwards.
fn write(folder: &Path, marker: &Path, id: &str) -> std::io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(id.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(marker)?;
    sync(folder)
}

fn remove(marker: &Path) -> std::io::Result<()> {
    fs::remove_file(marker)?;
    // Should it come back with the system, it only costs a look.
    Ok(())
}

#[cfg(unix)]
fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_: &Path) -> std::io::Result<()> {
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "20261124-022502-b3708c";

    #[test]
    fn one_at_a_time_and_on_record_from_begin_to_end() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("projects/p");
        let pending = begin(&folder, ID).unwrap();
        assert_eq!(read(&marker(&folder)).as_deref(), Some(ID));
        assert!(matches!(begin(&folder, "other"), Err(Why::Busy)));
        assert!(lock(&folder).unwrap().is_none());
        pending.end().unwrap();
        assert_eq!(read(&marker(&folder)), None);
        begin(&folder, "other").unwrap().end().unwrap();
    }

    #[test]
    fn what_was_not_ended_is_for_its_session_to_finish() {
        let home = tempfile::tempdir().unwrap();
        drop(begin(home.path(), ID).unwrap());
        assert_eq!(read(&marker(home.path())).as_deref(), Some(ID));
        assert!(matches!(begin(home.path(), "other"), Err(Why::Interrupted(session)) if session == ID));
        begin(home.path(), ID).unwrap().end().unwrap();
        begin(home.path(), "other").unwrap().end().unwrap();
    }

    #[test]
    fn a_marker_that_names_no_session_is_none() {
        let home = tempfile::tempdir().unwrap();
        let marker = marker(home.path());
        for text in ["", "../x", "a/b", "a b", &"x".repeat(300)] {
            fs::write(&marker, text).unwrap();
            assert_eq!(read(&marker), None, "{text}");
        }
    }

    #[test]
    fn each_project_has_a_folder() {
        let home = Home { folder: PathBuf::from("home") };
        let one = folder(&home, Path::new("one"));
        assert_eq!(one, folder(&home, Path::new("one")));
        assert_ne!(one, folder(&home, Path::new("other")));
        assert_eq!(one.file_name().unwrap().len(), NAME_DIGITS);
    }
}
