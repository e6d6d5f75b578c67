//! Which steps of a build can be skipped.
//!
//! A step is skipped when its inputs hash to what they were and its outputs are still what it left. Content, not time:
//! a fresh clone over a warm cache, or a branch and back, costs nothing.

use anyhow::{Context, Result};
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::Hasher;
use std::path::{Path, PathBuf};

use crate::workspace::{self, Workspace};

/// Everything that a step depends on. 64 bits are enough against accidents, and nobody attacks their own build.
pub struct Inputs(DefaultHasher);

impl Inputs {
    pub fn new() -> Inputs {
        Inputs(DefaultHasher::new())
    }

    pub fn text(&mut self, text: &str) -> &mut Inputs {
        self.0.write_usize(text.len());
        self.0.write(text.as_bytes());
        self
    }

    /// A file or a folder with all that is below it, by names relative to `base`. One that is missing counts as such.
    pub fn path(&mut self, base: &Path, path: &Path) -> Result<&mut Inputs> {
        let shown = path.strip_prefix(base).unwrap_or(path).to_string_lossy().into_owned();
        self.text(&shown);
        if path.is_dir() {
            for entry in entries(path)? {
                // What tools leave beside sources is no source.
                if !matches!(entry.file_name().and_then(|name| name.to_str()), Some("target" | "node_modules")) {
                    self.path(base, &entry)?;
                }
            }
        } else {
            match fs::read(path) {
                Ok(bytes) => {
                    self.0.write_usize(bytes.len());
                    self.0.write(&bytes);
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.0.write_u8(0),
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot read {}", path.display()));
                }
            }
        }
        Ok(self)
    }

    /// Files and folders of the checkout.
    pub fn sources(&mut self, workspace: &Workspace, paths: &[&str]) -> Result<&mut Inputs> {
        for path in paths {
            self.path(&workspace.root, &workspace.root.join(path))?;
        }
        Ok(self)
    }

    pub fn hash(&self) -> u64 {
        self.0.finish()
    }
}

/// What is in a folder, sorted.
pub fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = || -> std::io::Result<Vec<PathBuf>> { fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect() };
    let mut entries = read().with_context(|| format!("cannot list {}", folder.display()))?;
    entries.sort();
    Ok(entries)
}

/// Whether the step's last run had these inputs, and its outputs are as it left them.
pub fn is_fresh(workspace: &Workspace, name: &str, inputs: u64, outputs: &[PathBuf]) -> Result<bool> {
    let Ok(stamp) = fs::read_to_string(file(workspace, name)) else {
        return Ok(false);
    };
    Ok(stamp == text(workspace, inputs, outputs)?)
}

/// Notes that the step is done.
pub fn record(workspace: &Workspace, name: &str, inputs: u64, outputs: &[PathBuf]) -> Result<()> {
    let file = file(workspace, name);
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    }
    workspace::write(&file, text(workspace, inputs, outputs)?.as_bytes())
}

fn file(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.dist.join(".stamps").join(name)
}

fn text(workspace: &Workspace, inputs: u64, outputs: &[PathBuf]) -> Result<String> {
    let mut hash = Inputs::new();
    for output in outputs {
        hash.path(&workspace.dist, output)?;
    }
    Ok(format!("{inputs:016x} {:016x}\n", hash.hash()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_until_an_input_or_an_output_changes() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        let workspace = Workspace { cache: root.join("cache"), dist: root.join("dist"), root };
        fs::create_dir_all(workspace.root.join("source")).unwrap();
        let output = workspace.dist.join("out");
        let inputs = || Inputs::new().sources(&workspace, &["source", "absent"]).unwrap().hash();
        let fresh = || is_fresh(&workspace, "step", inputs(), std::slice::from_ref(&output)).unwrap();

        assert!(!fresh());
        fs::create_dir_all(&workspace.dist).unwrap();
        fs::write(&output, "made").unwrap();
        record(&workspace, "step", inputs(), std::slice::from_ref(&output)).unwrap();
        assert!(fresh());

        fs::write(workspace.root.join("source/new"), "").unwrap();
        assert!(!fresh());
        fs::remove_file(workspace.root.join("source/new")).unwrap();
        assert!(fresh());
        fs::write(workspace.root.join("absent"), "").unwrap();
        assert!(!fresh());
        fs::remove_file(workspace.root.join("absent")).unwrap();

        fs::write(&output, "broken").unwrap();
        assert!(!fresh());
        fs::remove_file(&output).unwrap();
        assert!(!fresh());
    }
}
