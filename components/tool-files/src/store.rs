//! Replaces a file as a whole: whoever looks sees the old one or the new one.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use tool_kit::ToolError;

use crate::project::{Place, Project, Result, cannot_write, is_link, leads_out};

/// How many links from one to the next are followed.
const LINKS_MAX: usize = 16;

/// How many names are tried for the temporary file.
const NAMES_MAX: usize = 8;

/// Puts `bytes` at `place`, making its directory first. Says whether there was no file before.
pub fn replace(project: &Project, place: &Place, bytes: &[u8]) -> Result<bool> {
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            ToolError::failed(format!("cannot write `{}`: a part of its path is a file, not a directory", place.shown))
        }
        _ => cannot_write(place, &error),
    };
    if !project.is_lent(place) {
        return Err(ToolError::not_permitted("files:write", &place.shown));
    }
    let target = follow(place)?;
    let before = match fs::metadata(&target) {
        Ok(before) if before.is_dir() => {
            return Err(ToolError::failed(format!("`{}` is a directory: name a file in it", place.shown)));
        }
        Ok(before) if !before.is_file() => {
            return Err(ToolError::failed(format!("`{}` is not a regular file", place.shown)));
        }
        Ok(before) => Some(before),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(failed(error)),
    };
    let directory = target.parent().unwrap_or(project.workspace());
    fs::create_dir_all(directory).map_err(failed)?;
    let (temporary, mut file) = create_beside(directory).map_err(failed)?;
    let done = file.write_all(bytes).and_then(|()| {
        drop(file);
        if let Some(before) = &before {
            // WASI has no permissions to keep; elsewhere an executable stays one.
            let _ = fs::set_permissions(&temporary, before.permissions());
        }
        // Not made durable here: that is the business of whoever commits the workspace to the project.
        fs::rename(&temporary, &target)
    });
    done.map_err(|error| {
        let _ = fs::remove_file(&temporary);
        failed(error)
    })?;
    Ok(before.is_none())
}

/// Where a chain of links ends, so that the links stay. An absolute one leads out: its path means another file on the
/// user's machine than it does here.
fn follow(place: &Place) -> Result<PathBuf> {
    let mut path = place.real.clone();
    for _ in 0..LINKS_MAX {
        match fs::read_link(&path) {
            Ok(next) if next.is_relative() => {
                path.pop();
                path.push(next);
            }
            // Hosts do not even show where it leads.
            _ if is_link(&path) => return Err(leads_out(place)),
            // What is no link, or is not there at all, is where the chain ends.
            _ => return Ok(path),
        }
    }
    Err(ToolError::failed(format!("`{}` is a link that leads to itself", place.shown)))
}

fn create_beside(directory: &Path) -> io::Result<(PathBuf, File)> {
    let mut result = Err(io::Error::from(ErrorKind::AlreadyExists));
    for _ in 0..NAMES_MAX {
        // Each state hashes nothing to another number: as random as the host makes it.
        let number = RandomState::new().build_hasher().finish();
        let path = directory.join(format!(".wardian-{number:016x}.tmp"));
        result = OpenOptions::new().write(true).create_new(true).open(&path);
        match result {
            Ok(file) => return Ok((path, file)),
            Err(ref error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(_) => break,
        }
    }
    result.map(|file| (PathBuf::new(), file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    struct Here {
        _directory: tempfile::TempDir,
        project: Project,
    }

    impl Here {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let project = Project::within(directory.path());
            Self { _directory: directory, project }
        }

        fn path(&self, path: &str) -> PathBuf {
            self.project.workspace().join(path)
        }

        fn replace(&self, path: &str) -> Result<bool> {
            let place = self.project.place("/file_path", path).unwrap();
            replace(&self.project, &place, b"new")
        }
    }

    #[test]
    fn a_file_is_replaced_and_keeps_its_mode() {
        let here = Here::new();
        fs::write(here.path("run.sh"), "old").unwrap();
        fs::set_permissions(here.path("run.sh"), fs::Permissions::from_mode(0o750)).unwrap();
        // A second name shows that the file was replaced, not written into.
        fs::hard_link(here.path("run.sh"), here.path("second")).unwrap();
        assert_eq!(here.replace("run.sh"), Ok(false));
        assert_eq!(fs::read(here.path("run.sh")).unwrap(), b"new");
        assert_eq!(fs::read(here.path("second")).unwrap(), b"old");
        let mode = fs::metadata(here.path("run.sh")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o750);
        let left: Vec<_> = fs::read_dir(here.path("")).unwrap().collect();
        assert_eq!(left.len(), 2, "a temporary file is left: {left:?}");
    }

    #[test]
    fn a_tree_that_is_not_lent_is_a_missing_power() {
        let here = Here::new();
        fs::remove_dir(here.path("")).unwrap();
        assert_eq!(here.replace("a/b"), Err(ToolError::not_permitted("files:write", "a/b")));
        assert!(!here.path("").exists());
    }

    #[test]
    fn directories_are_made() {
        let here = Here::new();
        assert_eq!(here.replace("a/b/c.txt"), Ok(true));
        assert_eq!(fs::read(here.path("a/b/c.txt")).unwrap(), b"new");
    }

    #[test]
    fn a_link_stays_and_its_target_is_written() {
        let here = Here::new();
        fs::create_dir(here.path("real")).unwrap();
        fs::write(here.path("real/file"), "old").unwrap();
        symlink("real/file", here.path("one")).unwrap();
        symlink("one", here.path("two")).unwrap();
        assert_eq!(here.replace("two"), Ok(false));
        assert_eq!(fs::read(here.path("real/file")).unwrap(), b"new");
        assert!(fs::symlink_metadata(here.path("two")).unwrap().is_symlink());
    }

    #[test]
    fn links_that_lead_out_or_round_are_refused() {
        let here = Here::new();
        symlink("/etc/hosts", here.path("out")).unwrap();
        symlink("round", here.path("round")).unwrap();
        for (path, why) in [("out", "leads out of the project"), ("round", "leads to itself")] {
            match here.replace(path) {
                Err(ToolError::Failed(message)) => assert!(message.contains(why), "{message}"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let here = Here::new();
        fs::write(here.path("file"), "").unwrap();
        fs::create_dir(here.path("dir")).unwrap();
        for (path, why) in
            [("file/x", "not a directory"), ("file/x/y", "not a directory"), ("dir", "`dir` is a directory")]
        {
            match here.replace(path) {
                Err(ToolError::Failed(message)) => assert!(message.contains(why), "{message}"),
                other => panic!("{path}: {other:?}"),
            }
        }
    }
}
