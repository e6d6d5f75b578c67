//! What git would ignore.

use std::collections::BTreeMap;

use super::IGNORED;
use super::patterns::{Case, Patterns};

/// Says of paths of one project whether they are ignored, and remembers what it read.
#[derive(Debug)]
pub struct Ignores {
    defaults: Patterns,
    /// By path. None: all below is ignored.
    directories: BTreeMap<String, Option<Patterns>>,
}

impl Default for Ignores {
    fn default() -> Self {
        let defaults = IGNORED.iter().map(|rule| rule.pattern).collect::<Vec<_>>().join("\n");
        let defaults = Patterns::parse(defaults.as_bytes(), Case::Sensitive).unwrap_or_default();
        Self { defaults, directories: BTreeMap::new() }
    }
}

impl Ignores {
    /// Whether a path is ignored, by itself or with a directory above. The last pattern that matches decides, of the deepest
    /// `.gitignore` that has one; then the defaults. What is below an ignored directory cannot be taken back.
    ///
    /// `read` gives what is in a `.gitignore`, by its path, and is asked once for each. One that has too many patterns, or
    /// one that would take too long to match, is as good as none: more is reviewed.
    pub fn is_ignored<E>(
        &mut self,
        path: &str,
        is_directory: bool,
        mut read: impl FnMut(&str) -> Result<Option<Vec<u8>>, E>,
    ) -> Result<bool, E> {
        // The directories above, from the root down.
        let above = std::iter::once(("", "")).chain(path.match_indices('/').map(|(at, _)| path.split_at(at)));
        for (directory, _) in above {
            if !self.directories.contains_key(directory) {
                let patterns = if !directory.is_empty() && self.verdict(directory, true) {
                    None
                } else {
                    let slash = if directory.is_empty() { "" } else { "/" };
                    let text = read(&format!("{directory}{slash}.gitignore"))?.unwrap_or_default();
                    Some(Patterns::parse(&text, Case::Sensitive).unwrap_or_default())
                };
                self.directories.insert(directory.to_owned(), patterns);
            }
            if self.directories.get(directory).is_some_and(Option::is_none) {
                return Ok(true);
            }
        }
        Ok(self.verdict(path, is_directory))
    }

    /// What the files above say of a path whose directory is not ignored.
    fn verdict(&self, path: &str, is_directory: bool) -> bool {
        let deepest_first = path.rmatch_indices('/').map(|(at, _)| at);
        let stated = deepest_first.filter_map(|at| {
            let patterns = self.directories.get(path.get(..at)?)?.as_ref()?;
            patterns.verdict(path.get(at + 1..)?, is_directory)
        });
        let root = || self.directories.get("").and_then(Option::as_ref)?.verdict(path, is_directory);
        stated.into_iter().next().or_else(root).or_else(|| self.defaults.verdict(path, is_directory)).unwrap_or(false)
    }
}
