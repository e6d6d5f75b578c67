//! Makes `python_runtime.wasm`: CPython as a command component, with the packages that python-runtime/SOURCES.toml names.
//!
//! pip fetches what is linked and compares it with the hashes given there; python-runtime/build.py links it, and has its code
//! optimized by Binaryen, which npm fetches with the tools of browser/. All are slow, so what they make is kept in the cache
//! by the hash of everything that it follows from.

use anyhow::{Context, Result, ensure};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::browser;
use crate::components::Component;
use crate::process::{self, MINUTE};
use crate::stamp::Inputs;
use crate::workspace::{self, Workspace};

const FOLDER: &str = "python-runtime";

/// What it follows from: in that folder, or beside it.
const INPUTS: [&str; 11] = [
    "SOURCES.toml",
    "build.py",
    "addresses.py",
    "lasting.py",
    "wasm.py",
    "bootstrap",
    "packages",
    "wit",
    "../wit",
    // Has the version of the optimizer.
    "../browser/package-lock.json",
    "../xtask/src/python.rs",
];

/// Where in `dist` it goes.
const OUTPUT: &str = "python/python_runtime.wasm";

/// What the component is called as a command.
const COMMANDS: [&str; 2] = ["python3", "python"];

/// Oldest Python that the builder's wheel runs under.
const MINOR_MIN: u32 = 10;

/// The packages are installed for the Python that is built, not for the one that installs them.
const TARGET: [&str; 14] = [
    "--implementation",
    "cp",
    "--python-version",
    "3.14",
    "--abi",
    "cp314",
    "--abi",
    "none",
    "--platform",
    "manylinux_2_28_x86_64",
    "--platform",
    "manylinux_2_17_x86_64",
    "--platform",
    "manylinux2014_x86_64",
];

/// `cargo xtask python`.
pub fn command(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    workspace::no_arguments("python", arguments)?;
    let _lock = workspace.lock()?;
    build(workspace).map(drop)
}

/// Builds it, unless it is there.
pub fn build(workspace: &Workspace) -> Result<Component> {
    workspace::step("python", || {
        let output = workspace.dist.join(OUTPUT);
        let mut inputs = Inputs::new();
        inputs.sources(workspace, &INPUTS.map(|name| format!("{FOLDER}/{name}")).each_ref().map(String::as_str))?;
        let cache = workspace.cache.join("python");
        let kept = cache.join(format!("runtime-{:016x}.wasm", inputs.hash()));
        let is_kept = kept.is_file();
        if !is_kept {
            make(workspace, &cache, &kept)?;
        }
        let is_new = workspace::place(&kept, &output)?;
        let what = match (is_kept, is_new) {
            (true, false) => "unchanged".to_owned(),
            (true, true) => format!("{} from the cache", workspace.show(&output)),
            (false, _) => workspace.show(&output),
        };
        Ok((Component::made_elsewhere(FOLDER, output, &COMMANDS), what))
    })
}

fn make(workspace: &Workspace, cache: &Path, output: &Path) -> Result<()> {
    fs::create_dir_all(cache).with_context(|| format!("cannot create {}", cache.display()))?;
    find_python()?;
    browser::install_tools(workspace)?;
    let wasm_opt = workspace.root.join("browser/node_modules/binaryen/bin/wasm-opt");
    let folder = workspace.root.join(FOLDER);
    let text = fs::read_to_string(folder.join("SOURCES.toml")).context("cannot read python-runtime/SOURCES.toml")?;
    let sources: toml::Table = text.parse().context("python-runtime/SOURCES.toml")?;
    let builder = requirement(sources.get("builder").context("SOURCES.toml has no [builder]")?)?;
    let packages = sources.get("package").and_then(toml::Value::as_array).context("SOURCES.toml has no [[package]]")?;
    let packages = packages.iter().map(requirement).collect::<Result<String>>()?;
    let tool = install(cache, "tool", &builder, &[])?;
    let packages = install(cache, "packages", &packages, &TARGET)?;

    let work = cache.join(".making");
    if work.exists() {
        fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))?;
    }
    fs::create_dir_all(&work).with_context(|| format!("cannot create {}", work.display()))?;
    let json = work.join("sources.json");
    fs::write(&json, serde_json::to_vec(&sources)?)?;
    let made = work.join("python_runtime.wasm");
    let mut command = python();
    command.arg(folder.join("build.py")).arg(&json).args([&tool, &packages, &wasm_opt]);
    command.args([&cache.join("optimized"), &work, &made]);
    process::run_logged(&mut command, 20 * MINUTE, &cache.join("build.log"))?;
    fs::rename(&made, output).with_context(|| format!("cannot create {}", output.display()))?;
    fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))
}

/// The machine's own. What it would take from its user's environment is none of the build's business.
pub fn python() -> Command {
    let mut command = Command::new("python3");
    command.env_remove("VIRTUAL_ENV").env_remove("PYTHONPATH").env_remove("PYTHONHOME");
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

pub fn find_python() -> Result<()> {
    ensure!(
        process::exists("python3"),
        "there is no python3, which links the sandboxed one: install Python 3.{MINOR_MIN} or later \
         (on Debian: `apt-get install python3 python3-pip`)"
    );
    let version = process::capture(python().args(["-c", "import sys; print(sys.version_info[1])"]), MINUTE)?;
    let minor: u32 = version.trim().parse().with_context(|| format!("python3 has version 3.{version}"))?;
    ensure!(minor >= MINOR_MIN, "python3 is 3.{minor}: the build needs 3.{MINOR_MIN} or later");
    process::capture(python().args(["-m", "pip", "--version"]), MINUTE)
        .context("python3 has no pip: install it (on Debian: `apt-get install python3-pip`)")?;
    Ok(())
}

/// A line for pip.
pub fn requirement(entry: &toml::Value) -> Result<String> {
    let text = |key: &str| entry.get(key).and_then(toml::Value::as_str);
    let name = text("name").context("an entry of SOURCES.toml has no name")?;
    let version = text("version").with_context(|| format!("SOURCES.toml: {name} has no version"))?;
    text("license").with_context(|| format!("SOURCES.toml: {name} has no license"))?;
    let hashes: Vec<&str> = match entry.get("sha256") {
        Some(toml::Value::String(hash)) => vec![hash],
        Some(toml::Value::Array(hashes)) => hashes.iter().filter_map(toml::Value::as_str).collect(),
        _ => Vec::new(),
    };
    ensure!(!hashes.is_empty(), "SOURCES.toml: {name} has no sha256");
    let mut line = format!("{name}=={version}");
    for hash in hashes {
        let _ = write!(line, " --hash=sha256:{hash}");
    }
    line.push('\n');
    Ok(line)
}

/// Installs into a folder of the cache, unless that is done, and returns it.
pub fn install(cache: &Path, name: &str, requirements: &str, target: &[&str]) -> Result<PathBuf> {
    let hash = Inputs::new().text(requirements).text(&target.join(" ")).hash();
    let folder = cache.join(format!("{name}-{hash:016x}"));
    if folder.is_dir() {
        return Ok(folder);
    }
    let list = cache.join(format!("{name}.txt"));
    fs::write(&list, requirements).with_context(|| format!("cannot write {}", list.display()))?;
    let making = cache.join(format!(".{name}"));
    if making.exists() {
        fs::remove_dir_all(&making).with_context(|| format!("cannot remove {}", making.display()))?;
    }
    let mut pip = python();
    pip.args(["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", "--require-hashes"]);
    pip.args(["--only-binary", ":all:", "--no-compile", "--target"]).arg(&making).args(target);
    pip.arg("--requirement").arg(&list);
    process::run_logged(&mut pip, 15 * MINUTE, &cache.join("pip.log"))
        .with_context(|| format!("pip cannot fetch {name}"))?;
    fs::rename(&making, &folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Result<String> {
        requirement(&toml::Value::Table(text.parse().unwrap()))
    }

    #[test]
    fn a_requirement_names_its_version_and_every_hash() {
        let entry = "name = 'a'\nversion = '1'\nlicense = 'MIT'\n";
        assert_eq!(line(&format!("{entry}sha256 = 'x'\n")).unwrap(), "a==1 --hash=sha256:x\n");
        assert_eq!(line(&format!("{entry}sha256 = ['x', 'y']\n")).unwrap(), "a==1 --hash=sha256:x --hash=sha256:y\n");
    }

    #[test]
    fn nothing_goes_in_without_a_hash_or_a_licence() {
        for (text, reason) in [
            ("name = 'a'\nversion = '1'\nlicense = 'MIT'\n", "a has no sha256"),
            ("name = 'a'\nversion = '1'\nsha256 = 'x'\n", "a has no license"),
            ("name = 'a'\nlicense = 'MIT'\nsha256 = 'x'\n", "a has no version"),
        ] {
            assert!(line(text).unwrap_err().to_string().contains(reason), "{text}");
        }
    }
}
