//! Compiles every component, in one call of cargo, and checks what comes out.

use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};

use crate::process;
use crate::stamp::{self, Inputs};
use crate::toolchain::{TARGET, Toolchain};
use crate::workspace::{self, Workspace};
use crate::{native, patches, stamp::entries};

/// Cargo's target folder for components, in the cache.
pub const TARGET_DIR: &str = "components";

const PROFILE: &str = "component";

/// A crate that becomes a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Its folder, its package, its name in bundles: all the same.
    pub name: String,
    /// What cargo calls the file.
    artifact: String,
    /// Where it goes.
    pub file: PathBuf,
    /// As a command: what it can be called. See `commands`.
    pub commands: Vec<String>,
}

impl Component {
    /// One that cargo does not make.
    pub fn made_elsewhere(name: &str, file: PathBuf, commands: &[&str]) -> Component {
        let commands = commands.iter().map(|command| (*command).to_owned()).collect();
        Component { name: name.to_owned(), artifact: String::new(), file, commands }
    }
}

/// All of them, by name. Those in tests, which are no part of the product, are the last.
pub fn discover(workspace: &Workspace) -> Result<Vec<Component>> {
    let mut components = Vec::new();
    for folder in entries(&workspace.root.join("components"))? {
        if folder.join("Cargo.toml").is_file() {
            components.extend(component(&folder, &workspace.dist.join("components"))?);
        }
    }
    for guests in ["tests/guests", "tests/programs"] {
        let guests = workspace.root.join(guests);
        if guests.join("Cargo.toml").is_file() {
            components.extend(component(&guests, &workspace.dist.join("tests"))?);
        }
    }
    Ok(components)
}

/// None if the folder is a library for other crates.
fn component(folder: &Path, into: &Path) -> Result<Option<Component>> {
    let manifest = folder.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    let manifest_table: toml::Table = text.parse().with_context(|| format!("cannot read {}", manifest.display()))?;
    let name = folder.file_name().and_then(|name| name.to_str()).context("a folder has a name")?;
    let is_cdylib = manifest_table
        .get("lib")
        .and_then(|lib| lib.get("crate-type")?.as_array())
        .is_some_and(|kinds| kinds.iter().any(|kind| kind.as_str() == Some("cdylib")));
    let file_name = format!("{}.wasm", name.replace('-', "_"));
    let artifact = if is_cdylib {
        file_name.clone()
    } else if folder.join("src/main.rs").is_file() {
        format!("{name}.wasm")
    } else {
        return Ok(None);
    };
    let commands = commands(name, &manifest_table).with_context(|| format!("in {}", manifest.display()))?;
    Ok(Some(Component { name: name.to_owned(), artifact, file: into.join(file_name), commands }))
}

/// The names that a program answers to: what follows `command-` in its own, unless its manifest has a list of them, at
/// `package.metadata.wardian.commands`.
fn commands(name: &str, manifest: &toml::Table) -> Result<Vec<String>> {
    let list = manifest.get("package").and_then(|package| package.get("metadata")?.get("wardian")?.get("commands"));
    let Some(list) = list else {
        return Ok(vec![name.strip_prefix("command-").unwrap_or(name).to_owned()]);
    };
    let words = list.as_array().context("`package.metadata.wardian.commands` must be a list of names")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '[');
    words
        .iter()
        .map(|word| match word.as_str() {
            Some(word) if !word.is_empty() && word.chars().all(plain) => Ok(word.to_owned()),
            _ => bail!("`package.metadata.wardian.commands`: {word} is no name"),
        })
        .collect()
}

/// Builds what changed and returns them all.
pub fn build(workspace: &Workspace) -> Result<Vec<Component>> {
    let components = discover(workspace)?;
    ensure!(!components.is_empty(), "there is no component in {}", workspace.root.display());
    workspace::step("components", || {
        let what = build_changed(workspace, &components)?;
        Ok((components, what))
    })
}

fn build_changed(workspace: &Workspace, components: &[Component]) -> Result<String> {
    let toolchain = Toolchain::find(workspace)?;
    let mut inputs = Inputs::new();
    inputs.text(&toolchain.identity).sources(
        workspace,
        &["components", "tests/guests", "tests/programs", "wit", "xtask/src", "Cargo.toml", "Cargo.lock", ".cargo"],
    )?;
    let inputs = inputs.hash();
    let outputs: Vec<PathBuf> = components.iter().map(|component| component.file.clone()).collect();
    if stamp::is_fresh(workspace, "components", inputs, &outputs)? {
        return Ok(format!("{} unchanged", components.len()));
    }

    workspace.claim(TARGET_DIR, &["--profile", PROFILE, "--target", TARGET])?;
    let mut cargo = workspace.cargo(TARGET_DIR);
    cargo.args(["build", "--profile", PROFILE, "--target", TARGET]);
    for component in components {
        cargo.args(["-p", &component.name]);
    }
    toolchain.apply(&mut cargo, workspace)?;
    patches::apply(&mut cargo, workspace)?;
    process::run(&mut cargo, process::BUILD_TIMEOUT)?;

    let folder = workspace.cache.join(TARGET_DIR).join(TARGET).join(PROFILE);
    let built: Vec<PathBuf> = components.iter().map(|component| folder.join(&component.artifact)).collect();
    for file in &built {
        if !file.is_file() {
            bail!("cargo built no {}: is the crate named like its folder?", file.display());
        }
    }
    native::bundle_tool(workspace)?.validate(&built)?;

    let mut written = 0;
    for (component, built) in components.iter().zip(&built) {
        written += usize::from(workspace::place(built, &component.file)?);
    }
    remove_others(&workspace.dist.join("components"), &outputs)?;
    stamp::record(workspace, "components", inputs, &outputs)?;
    Ok(format!("{} built, {written} of them new", components.len()))
}

/// Removes the components of folders that are gone: nothing in `dist` is without a source.
fn remove_others(folder: &Path, outputs: &[PathBuf]) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for path in entries(folder)? {
        if !outputs.contains(&path) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crate_folder(root: &Path, name: &str, manifest: &str, source: &str) -> PathBuf {
        let folder = root.join(name);
        fs::create_dir_all(folder.join("src")).unwrap();
        fs::write(folder.join("Cargo.toml"), manifest).unwrap();
        fs::write(folder.join("src").join(source), "").unwrap();
        folder
    }

    #[test]
    fn cdylibs_and_programs_are_components_and_libraries_are_not() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let into = Path::new("into");
        let cdylib = crate_folder(root, "tool-x", "[lib]\ncrate-type = [\"cdylib\"]\n", "lib.rs");
        let program = crate_folder(root, "command-x", "[package]\n", "main.rs");
        let library = crate_folder(root, "kit", "[package]\n", "lib.rs");

        let cdylib = component(&cdylib, into).unwrap().unwrap();
        assert_eq!((&*cdylib.artifact, &*cdylib.file), ("tool_x.wasm", Path::new("into/tool_x.wasm")));
        let program = component(&program, into).unwrap().unwrap();
        assert_eq!((&*program.artifact, &*program.file), ("command-x.wasm", Path::new("into/command_x.wasm")));
        assert_eq!(component(&library, into).unwrap(), None);
    }

    #[test]
    fn a_command_has_the_names_that_its_manifest_lists() {
        let named = |manifest: &str| commands("command-x", &manifest.parse().unwrap());
        assert_eq!(named("[package]\nname = 'command-x'\n").unwrap(), ["x"]);
        let listed = "[package.metadata.wardian]\ncommands = ['ls', '[', 'b2sum']\n";
        assert_eq!(named(listed).unwrap(), ["ls", "[", "b2sum"]);
        for wrong in ["['a b']", "['']", "'ls'", "[1]", "['a,b']"] {
            assert!(named(&format!("[package.metadata.wardian]\ncommands = {wrong}\n")).is_err(), "{wrong}");
        }
    }
}
