//! Walks a tree as ripgrep does: hidden and ignored entries are left out, links are not followed.

use std::ffi::OsStr;
use std::path::Path;

use ignore::overrides::Override;
use ignore::types::Types;
use ignore::{DirEntry, Walk, WalkBuilder};
use tool_kit::ToolError;

use crate::project::{Place, Project, Result};
use crate::text::count;

/// After how many entries the user hears of it again.
const PROGRESS_ENTRIES: u64 = 5_000;

/// What is never walked: the history, which is large and says nothing about the files.
const GIT: &str = ".git";

/// Which files of a tree are wanted.
#[derive(Default)]
pub struct Filter {
    /// Hidden files too.
    pub hidden: bool,
    /// Only of these types.
    pub types: Option<Types>,
    /// What ripgrep's `--glob` says.
    pub globs: Option<Override>,
}

/// The regular files of a tree, in the order of their paths.
pub struct Files {
    walk: Walk,
    seen: u64,
    trouble: Trouble,
}

/// What could not be read on the way.
#[derive(Debug, Default)]
pub struct Trouble {
    count: u64,
    first: Option<String>,
}

impl Files {
    /// The files below `base`, or `base` itself.
    pub fn below(project: &Project, base: &Path, filter: Filter) -> Self {
        let mut builder = WalkBuilder::new(base);
        builder
            .current_dir(project.workspace())
            .hidden(!filter.hidden)
            .follow_links(false)
            // What the user of the machine ignores everywhere is not part of the project.
            .git_global(false)
            // The history may not be mounted; the project's rules hold all the same.
            .require_git(false)
            .sort_by_file_name(OsStr::cmp)
            .filter_entry(|entry| entry.depth() == 0 || entry.file_name() != GIT);
        if let Some(types) = filter.types {
            builder.types(types);
        }
        if let Some(globs) = filter.globs {
            builder.overrides(globs);
        }
        Self { walk: builder.build(), seen: 0, trouble: Trouble::default() }
    }

    /// Notes that something could not be read.
    pub fn failed(&mut self, error: impl std::fmt::Display) {
        self.trouble.count += 1;
        self.trouble.first.get_or_insert_with(|| error.to_string());
    }

    /// What to tell about what could not be read.
    pub fn note(&self) -> Option<String> {
        self.trouble.first.as_ref().map(|first| {
            let entries = count(self.trouble.count, "entry", "entries");
            format!("{entries} could not be read; the first: {first}")
        })
    }
}

impl Iterator for Files {
    type Item = DirEntry;

    fn next(&mut self) -> Option<DirEntry> {
        loop {
            let entry = match self.walk.next()? {
                Ok(entry) => entry,
                Err(error) => {
                    self.failed(error);
                    continue;
                }
            };
            self.seen += 1;
            if self.seen.is_multiple_of(PROGRESS_ENTRIES) {
                tool_kit::progress(count(self.seen, "entry", "entries"), None);
            }
            // Not pipes, which would wait, and not links, whose targets have a name of their own.
            if entry.file_type().is_some_and(|kind| kind.is_file()) {
                return Some(entry);
            }
        }
    }
}

/// Refuses to walk the history.
pub fn refuse_git(pointer: &str, place: &Place) -> Result<()> {
    if place.shown.split('/').any(|part| part == GIT) {
        let why = "`.git` is not searched: name another directory";
        return Err(ToolError::invalid(pointer, why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn below(project: &Project, base: &str, filter: Filter) -> Vec<String> {
        Files::below(project, &project.workspace().join(base), filter)
            .map(|entry| project.shown(entry.path()))
            .collect()
    }

    #[test]
    fn rules_of_the_project_hold() {
        let directory = tempfile::tempdir().unwrap();
        let project = Project::within(directory.path());
        for path in [
            ".git/config",
            ".hidden/a",
            "a-b",
            "a/b",
            "a/deep.log",
            "a/kept.log",
            "a/only/x",
            "build/out",
            "sub/build/out",
            "sub/.git",
            "z",
        ] {
            let path = project.workspace().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        symlink("z", project.workspace().join("link")).unwrap();
        fs::write(project.workspace().join(".gitignore"), "*.log\n/build\n/a/only\n").unwrap();
        fs::write(project.workspace().join("a/.gitignore"), "!kept.log\n").unwrap();
        let expected = ["a/b", "a/kept.log", "a-b", "sub/build/out", "z"];
        assert_eq!(below(&project, "", Filter::default()), expected);
        // The rules above a directory hold in it, too.
        assert_eq!(below(&project, "a", Filter::default()), ["a/b", "a/kept.log"]);
        // What is named is walked, even where it would be left out.
        assert_eq!(below(&project, "build", Filter::default()), ["build/out"]);
        let hidden = Filter { hidden: true, ..Filter::default() };
        let found = below(&project, "", hidden);
        assert!(found.contains(&".hidden/a".to_owned()));
        assert!(!found.iter().any(|path| path.contains(".git/") || path.ends_with(".git")));
    }
}
