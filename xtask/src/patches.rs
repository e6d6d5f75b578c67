//! Crates that components are compiled with in a changed form.
//!
//! `components/NAME/patches/CRATE/*.patch`, in the order of their names, are applied to the sources of the crate in the
//! version that Cargo.lock has. Cargo takes the result by its `paths` override, which leaves Cargo.lock and all that is
//! compiled without xtask as they are: so a patch changes what a crate does, never what it offers or depends on.

use anyhow::{Context, Result, ensure};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::components::discover;
use crate::process::{self, MINUTE};
use crate::stamp::{Inputs, entries};
use crate::workspace::Workspace;

/// Has cargo compile the changed crates in place of the published ones, for the components that are built together.
pub fn apply(cargo: &mut Command, workspace: &Workspace) -> Result<()> {
    let alone: Vec<PathBuf> = discover(workspace)?.into_iter().filter_map(|component| component.alone).collect();
    let components = entries(&workspace.root.join("components"))?;
    let components: Vec<PathBuf> = components.into_iter().filter(|folder| !alone.contains(folder)).collect();
    replace(cargo, workspace, &workspace.root, &components)
}

/// The same for one that stands alone, with crates and a Cargo.lock of its own.
pub fn apply_alone(cargo: &mut Command, workspace: &Workspace, component: &Path) -> Result<()> {
    replace(cargo, workspace, component, &[component.to_owned()])
}

fn replace(cargo: &mut Command, workspace: &Workspace, root: &Path, components: &[PathBuf]) -> Result<()> {
    let mut folders = Vec::new();
    for component in components {
        let patches = component.join("patches");
        if !patches.is_dir() {
            continue;
        }
        for patches in entries(&patches)? {
            let (folder, source) =
                patched(workspace, root, &patches).with_context(|| format!("in {}", workspace.show(&patches)))?;
            // For those that look at what is beside them, such as for messages of the others.
            cargo.env("WARDIAN_PUBLISHED", source.parent().context("a crate is in a folder")?);
            folders.push(toml::Value::from(folder.to_str().context("the checkout's path is no text")?));
        }
    }
    if !folders.is_empty() {
        cargo.arg("--config").arg(format!("paths={}", toml::Value::Array(folders)));
    }
    Ok(())
}

/// The folder with the changed crate, and the one with the published. The first one's name tells its content, and it is below
/// the checkout: from both together follows that cargo calls it the same in every checkout, and never takes what it compiled
/// from one content for another's.
fn patched(workspace: &Workspace, root: &Path, patches: &Path) -> Result<(PathBuf, PathBuf)> {
    let name = patches.file_name().and_then(|name| name.to_str()).context("a folder has a name")?;
    let (version, source) = published(workspace, root, name)?;
    let mut content = Inputs::new();
    content.text(name).text(&version).path(patches, patches)?;
    let all = workspace.dist.join("patched");
    let folder = all.join(format!("{name}-{version}-{:016x}", content.hash()));
    if folder.is_dir() {
        return Ok((folder, source));
    }
    // Whatever stands there under its name is whole.
    let unfinished = all.join("unfinished");
    for old in all.is_dir().then(|| entries(&all)).transpose()?.unwrap_or_default() {
        let is_of_the_crate = old.file_name().is_some_and(|old| old.to_string_lossy().starts_with(&format!("{name}-")));
        if is_of_the_crate || old == unfinished {
            fs::remove_dir_all(&old).with_context(|| format!("cannot remove {}", old.display()))?;
        }
    }
    copy(&source, &unfinished)?;
    for patch in entries(patches)? {
        let mut git = Command::new("git");
        // What is below the checkout, and ignored by it, is no part of its repository.
        git.current_dir(&unfinished).env("GIT_CEILING_DIRECTORIES", &all);
        git.args(["apply", "--whitespace=nowarn"]).arg(&patch);
        process::capture(&mut git, MINUTE).with_context(|| format!("{} does not apply", workspace.show(&patch)))?;
    }
    settle(&unfinished)?;
    fs::rename(&unfinished, &folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok((folder, source))
}

/// The version that is locked, and where cargo has its sources.
fn published(workspace: &Workspace, root: &Path, name: &str) -> Result<(String, PathBuf)> {
    let metadata = workspace.metadata(root, &["--locked"])?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let mut found = packages.iter().filter(|package| package["name"] == name);
    let package = found.next().with_context(|| format!("no crate of Cargo.lock is called {name}"))?;
    ensure!(found.next().is_none(), "Cargo.lock has several versions of {name}");
    let text = |key: &str| package[key].as_str().with_context(|| format!("cargo metadata has no {key}"));
    let source = Path::new(text("manifest_path")?).parent().context("a manifest is in a folder")?;
    Ok((text("version")?.to_owned(), source.to_owned()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for entry in entries(from)? {
        let target = to.join(entry.file_name().context("an entry has a name")?);
        if entry.is_dir() {
            copy(&entry, &target)?;
        } else {
            fs::copy(&entry, &target).with_context(|| format!("cannot copy {}", entry.display()))?;
        }
    }
    Ok(())
}

/// Cargo judges sources by their time, which says nothing here: the folder's name does.
fn settle(folder: &Path) -> Result<()> {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    for entry in entries(folder)? {
        if entry.is_dir() {
            settle(&entry)?;
        } else {
            let file = File::options().append(true).open(&entry);
            file.and_then(|file| file.set_modified(time))
                .with_context(|| format!("cannot set the time of {}", entry.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The patches of this checkout fit the versions of this checkout's Cargo.lock.
    #[test]
    fn patches_apply() {
        let ours = Workspace::open().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace { root: ours.root, cache: ours.cache, dist: folder.path().join("dist") };
        let mut cargo = Command::new("cargo");
        apply(&mut cargo, &workspace).unwrap();
        let arguments: Vec<_> = cargo.get_args().map(|argument| argument.to_string_lossy().into_owned()).collect();
        assert_eq!(arguments[0], "--config");
        assert!(arguments[1].starts_with("paths=[") && arguments[1].contains("bashkit-"), "{arguments:?}");
        let bashkit = workspace.root.join("components/command-sh/patches/bashkit");
        let (again, _) = patched(&workspace, &workspace.root, &bashkit).unwrap();
        assert_eq!(entries(&workspace.dist.join("patched")).unwrap(), std::slice::from_ref(&again));
        assert!(again.join("Cargo.toml").is_file());

        for alone in discover(&workspace).unwrap().into_iter().filter_map(|component| component.alone) {
            let mut cargo = Command::new("cargo");
            apply_alone(&mut cargo, &workspace, &alone).unwrap();
            assert_eq!(cargo.get_args().count() > 0, alone.join("patches").is_dir(), "{}", alone.display());
        }
    }
}
