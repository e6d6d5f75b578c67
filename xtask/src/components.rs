//! Compiles every component and checks what comes out.
//!
//! Those of the workspace in one call of cargo. Some stand alone, each a workspace of its own: large programs of others, whose
//! hundreds of crates are compiled once and not again because another component wants other features of one of them.

use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process;
use crate::stamp::{self, Inputs};
use crate::toolchain::{TARGET, Toolchain};
use crate::workspace::{self, Workspace};
use crate::{native, patches, sqlite, stamp::entries};

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
    /// Its folder, where it is a workspace of its own.
    pub alone: Option<PathBuf>,
}

impl Component {
    /// One that cargo does not make.
    pub fn made_elsewhere(name: &str, file: PathBuf, commands: &[&str]) -> Component {
        let commands = commands.iter().map(|command| (*command).to_owned()).collect();
        Component { name: name.to_owned(), artifact: String::new(), file, commands, alone: None }
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
    let alone = manifest_table.contains_key("workspace").then(|| folder.to_owned());
    Ok(Some(Component { name: name.to_owned(), artifact, file: into.join(file_name), commands, alone }))
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
    let (alone, together): (Vec<_>, Vec<_>) = components.iter().partition(|component| component.alone.is_some());
    workspace::step("components", || {
        let toolchain = Toolchain::find(workspace)?;
        let what = build_together(workspace, &toolchain, &together)?;
        let outputs: Vec<PathBuf> = components.iter().map(|component| component.file.clone()).collect();
        remove_others(&workspace.dist.join("components"), &outputs)?;
        Ok(((), what))
    })?;
    for component in alone {
        workspace::step(&component.name, || {
            let toolchain = Toolchain::find(workspace)?;
            Ok(((), build_alone(workspace, &toolchain, component)?.to_owned()))
        })?;
    }
    Ok(components)
}

fn build_together(workspace: &Workspace, toolchain: &Toolchain, components: &[&Component]) -> Result<String> {
    let mut inputs = Inputs::new();
    inputs.text(&toolchain.identity).sources(
        workspace,
        &["tests/guests", "tests/programs", "wit", "xtask/src", "Cargo.toml", "Cargo.lock", ".cargo"],
    )?;
    let alone: Vec<PathBuf> = discover(workspace)?.into_iter().filter_map(|component| component.alone).collect();
    for folder in entries(&workspace.root.join("components"))? {
        if !alone.contains(&folder) {
            inputs.path(&workspace.root, &folder)?;
        }
    }
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

    let built =
        components.iter().map(|component| built(workspace, TARGET_DIR, component)).collect::<Result<Vec<_>>>()?;
    native::bundle_tool(workspace)?.validate(&built)?;
    let mut written = 0;
    for (component, built) in components.iter().zip(&built) {
        written += usize::from(workspace::place(built, &component.file)?);
    }
    stamp::record(workspace, "components", inputs, &outputs)?;
    Ok(format!("{} built, {written} of them new", components.len()))
}

fn build_alone(workspace: &Workspace, toolchain: &Toolchain, component: &Component) -> Result<&'static str> {
    let folder = component.alone.as_deref().context("a component that stands alone")?;
    let manifest = folder.join("Cargo.toml");
    let manifest = fs::read_to_string(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    let mut inputs = Inputs::new();
    inputs.text(&toolchain.identity).path(&workspace.root, folder)?.sources(workspace, &["wit", ".cargo"])?;
    // What they have of ours.
    for library in ["command-kit", "http-kit"] {
        if manifest.contains(&format!("../{library}")) {
            inputs.sources(workspace, &[&format!("components/{library}")])?;
        }
    }
    let (inputs, output) = (inputs.hash(), std::slice::from_ref(&component.file));
    if stamp::is_fresh(workspace, &component.name, inputs, output)? {
        return Ok("unchanged");
    }
    workspace.claim_for(folder, &component.name, &["--profile", PROFILE, "--target", TARGET])?;
    let mut cargo = alone_cargo(workspace, component, folder);
    cargo.args(["build", "--profile", PROFILE, "--target", TARGET]);
    toolchain.apply(&mut cargo, workspace)?;
    if component.name == sqlite::COMPONENT {
        cargo.env("WARDIAN_SQLITE", sqlite::build(workspace)?);
    }
    patches::apply_alone(&mut cargo, workspace, folder)?;
    process::run(&mut cargo, process::BUILD_TIMEOUT)?;
    let built = built(workspace, &component.name, component)?;
    native::bundle_tool(workspace)?.validate(std::slice::from_ref(&built))?;
    let is_new = workspace::place(&built, &component.file)?;
    stamp::record(workspace, &component.name, inputs, output)?;
    Ok(if is_new { "built" } else { "built, the same as before" })
}

/// Cargo, for a component that stands alone: in its folder, with a target folder of its own.
pub fn alone_cargo(workspace: &Workspace, component: &Component, folder: &Path) -> Command {
    let mut cargo = workspace.cargo(&component.name);
    cargo.current_dir(folder).arg("--locked");
    // uutils would embed texts in this language, too.
    cargo.env("LANG", "");
    cargo
}

fn built(workspace: &Workspace, target_dir: &str, component: &Component) -> Result<PathBuf> {
    let file = workspace.cache.join(target_dir).join(TARGET).join(PROFILE).join(&component.artifact);
    if !file.is_file() {
        bail!("cargo built no {}: is the crate named like its folder?", file.display());
    }
    Ok(file)
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
