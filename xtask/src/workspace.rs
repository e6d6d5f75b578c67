//! Where things are, and how cargo is called.

use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::process;

/// One checkout and the cache that it shares with others.
pub struct Workspace {
    /// The checkout.
    pub root: PathBuf,
    /// What is slow to make: `target/`, `components/` (cargo's target folders), `wasm-std/`.
    pub cache: PathBuf,
    /// What is built for use.
    pub dist: PathBuf,
}

impl Workspace {
    pub fn open() -> Result<Workspace> {
        // Cargo sets it for `run` and `test`: right even when the checkout was moved after xtask was compiled.
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest
            .parent()
            .context("xtask stands in no workspace")?
            .canonicalize()
            .context("cannot find the checkout")?;
        let cache = match std::env::var_os("WARDIAN_CACHE").filter(|value| !value.is_empty()) {
            Some(cache) => std::path::absolute(PathBuf::from(cache))?,
            None => std::env::home_dir()
                .context("no home directory: set WARDIAN_CACHE to a folder to build in")?
                .join(".cache/wardian"),
        };
        let dist = root.join("dist");
        Ok(Workspace { root, cache, dist })
    }

    /// Cargo, as it runs us, in the checkout. `target_dir` is a folder of the cache.
    pub fn cargo(&self, target_dir: &str) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", self.cache.join(target_dir))
            .env("CARGO_INCREMENTAL", "0");
        // `cargo run` describes xtask in these; build scripts must not see (and depend on) that.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                cargo.env_remove(&name);
            }
        }
        cargo
    }

    /// Keeps other checkouts, and other xtasks of this one, out of the cache until it is dropped.
    pub fn lock(&self) -> Result<File> {
        fs::create_dir_all(&self.cache).with_context(|| format!("cannot create {}", self.cache.display()))?;
        let path = self.cache.join("lock");
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        if file.try_lock().is_err() {
            eprintln!("waiting for another `cargo xtask` to be done with {}", self.cache.display());
            file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        }
        Ok(file)
    }

    /// Makes a cargo target folder of the cache ours.
    ///
    /// Cargo names a workspace member's artifacts by its path relative to the workspace and judges them by their time, so
    /// that the artifacts of two checkouts in one folder pass for each other's. Those go when the checkout changes;
    /// dependencies, which are named by version, stay.
    pub fn claim(&self, target_dir: &str, arguments: &[&str]) -> Result<()> {
        self.claim_for(&self.root, target_dir, arguments)
    }

    /// The same, for a workspace of its own in a folder of the checkout.
    pub fn claim_for(&self, root: &Path, target_dir: &str, arguments: &[&str]) -> Result<()> {
        let folder = self.cache.join(target_dir);
        let note = folder.join("checkout");
        let ours = self.root.to_string_lossy();
        if fs::read_to_string(&note).is_ok_and(|last| last == ours) {
            return Ok(());
        }
        if folder.is_dir() {
            let mut clean = self.cargo(target_dir);
            clean.current_dir(root).args(["clean", "--quiet"]).args(arguments);
            for member in self.ours(root)? {
                clean.args(["-p", &member]);
            }
            process::run(&mut clean, process::MINUTE)?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        write(&note, ours.as_bytes())
    }

    /// The packages of a workspace that are in the checkout.
    fn ours(&self, root: &Path) -> Result<Vec<String>> {
        let metadata = self.metadata(root, &[])?;
        let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
        let ours = packages.iter().filter(|package| package["source"].is_null());
        Ok(ours.filter_map(|package| Some(package["name"].as_str()?.to_owned())).collect())
    }

    pub fn metadata(&self, root: &Path, arguments: &[&str]) -> Result<serde_json::Value> {
        let mut cargo = self.cargo("target");
        cargo.current_dir(root).args(["metadata", "--format-version", "1"]).args(arguments);
        let text = process::capture(&mut cargo, 5 * process::MINUTE)?;
        serde_json::from_str(&text).context("cannot read the output of cargo metadata")
    }

    /// A path as people want to see it.
    pub fn show(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}

/// Prints what was done and how long it took.
pub fn step<T>(name: &str, work: impl FnOnce() -> Result<(T, String)>) -> Result<T> {
    let start = Instant::now();
    let (value, what) = work()?;
    report(start.elapsed(), name, &what);
    Ok(value)
}

pub fn report(elapsed: Duration, name: &str, what: &str) {
    eprintln!("[{:>6.1} s] {name}: {what}", elapsed.as_secs_f64());
}

pub fn no_arguments(command: &str, arguments: &[String]) -> Result<()> {
    match arguments.first() {
        Some(argument) => bail!("`cargo xtask {command}` takes no `{argument}`"),
        None => Ok(()),
    }
}

/// Replaces a file at once: whoever reads it sees the old or the new one, whole.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}", std::process::id()));
    let context = || format!("cannot write {}", path.display());
    fs::write(&temporary, bytes).with_context(context)?;
    fs::rename(&temporary, path).with_context(context)
}

/// Copies a file with its permissions, at once, unless the same bytes are there already. True if it did.
pub fn place(from: &Path, to: &Path) -> Result<bool> {
    let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if fs::read(to).is_ok_and(|present| present == bytes) {
        return Ok(false);
    }
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    }
    let mut temporary = to.as_os_str().to_owned();
    temporary.push(format!(".{}", std::process::id()));
    let context = || format!("cannot write {}", to.display());
    fs::copy(from, &temporary).with_context(context)?;
    fs::rename(&temporary, to).with_context(context)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placing_equal_bytes_leaves_the_file_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a"), folder.path().join("deep/b"));
        fs::write(&from, "one").unwrap();
        assert!(place(&from, &to).unwrap());
        let before = fs::metadata(&to).unwrap().modified().unwrap();
        assert!(!place(&from, &to).unwrap());
        assert_eq!(before, fs::metadata(&to).unwrap().modified().unwrap());
        fs::write(&from, "two").unwrap();
        assert!(place(&from, &to).unwrap());
        assert_eq!(fs::read(&to).unwrap(), b"two");
    }

    #[test]
    fn a_second_lock_waits_for_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().to_owned();
        let workspace = Workspace { root: cache.clone(), dist: cache.join("dist"), cache };
        let lock = workspace.lock().unwrap();
        let second = File::create(workspace.cache.join("lock")).unwrap();
        assert!(second.try_lock().is_err());
        drop(lock);
        second.lock().unwrap();
    }

    #[test]
    fn two_checkouts_do_not_take_each_others_artifacts() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        // Both are older than any artifact, so that time alone calls the artifacts of one fresh for the other.
        let checkouts = ["one", "two"].map(|name| {
            let root = folder.join(name);
            fs::create_dir_all(root.join("src")).unwrap();
            let manifest = "[package]\nname = \"which\"\nedition = \"2024\"\n[workspace]\n";
            fs::write(root.join("Cargo.toml"), manifest).unwrap();
            let source = format!("fn main() {{ println!(\"{name}\"); }}\n");
            fs::write(root.join("src/main.rs"), source).unwrap();
            let dist = root.join("dist");
            Workspace { root, cache: folder.join("cache"), dist }
        });
        for turn in [0, 1, 0] {
            let workspace = &checkouts[turn];
            workspace.claim("target", &["--release"]).unwrap();
            let mut cargo = workspace.cargo("target");
            cargo.args(["build", "--release", "--quiet", "--offline"]);
            process::capture(&mut cargo, process::MINUTE).unwrap();
            let mut program = Command::new(workspace.cache.join("target/release/which"));
            let said = process::capture(&mut program, process::MINUTE).unwrap();
            assert_eq!(said, ["one\n", "two\n"][turn]);
        }
    }
}
