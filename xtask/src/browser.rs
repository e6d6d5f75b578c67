//! The page's package: the components, cut for browsers, and the modules that run them there.
//!
//! Everything that is JavaScript's business is done by programs in browser/build with the tools that browser/package-lock.json
//! pins. What they make of a component is kept in the cache by its digest.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bundles::{self, Bundle};
use crate::components;
use crate::debian;
use crate::native;
use crate::process::{self, MINUTE};
use crate::stamp::{self, Inputs, entries};
use crate::workspace::{self, Workspace};

const FOLDER: &str = "browser";

/// Oldest Node.js that the tools run under.
const NODE_MAJOR_MIN: u32 = 18;

/// Components that no user has: tests run them in pages, too.
const TEST_TOOLS: [&str; 1] = ["guests"];
const TEST_COMMANDS: [&str; 1] = ["programs"];

/// Where a Chromium is found; browser/test/harness.mjs has the same list.
const CHROMIUMS: [&str; 6] = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/usr/bin/google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/// `cargo xtask browser`.
pub fn command(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    workspace::no_arguments("browser", arguments)?;
    let _lock = workspace.lock()?;
    let bundles = bundles::build(workspace)?;
    build(workspace, &bundles)
}

/// Makes `dist/browser`, unless it is there.
pub fn build(workspace: &Workspace, bundles: &[Bundle]) -> Result<()> {
    let bundle = bundles.iter().find(|bundle| bundle.is_default()).context("there is no default bundle")?;
    workspace::step("browser", || Ok(((), build_package(workspace, bundle)?)))
}

fn build_package(workspace: &Workspace, bundle: &Bundle) -> Result<String> {
    let out = workspace.dist.join(FOLDER);
    let mut inputs = Inputs::new();
    let sources =
        ["build", "src", "package.json", "package-lock.json", "tsconfig.json"].map(|name| format!("{FOLDER}/{name}"));
    let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
    inputs.sources(workspace, &sources)?.sources(workspace, &["host/bundle", "xtask/src", "Cargo.toml"])?;
    let tests = test_components(workspace)?;
    for file in bundle.files.iter().chain(tests.iter().map(|component| &component.file)) {
        inputs.path(&workspace.dist, file)?;
    }
    let (inputs, outputs) = (inputs.hash(), [out.clone()]);
    if stamp::is_fresh(workspace, FOLDER, inputs, &outputs)? {
        return Ok("unchanged".to_owned());
    }
    install_tools(workspace)?;
    let cache = workspace.cache.join(FOLDER);
    fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
    let job = cache.join("job.json");
    workspace::write(&job, &serde_json::to_vec_pretty(&describe(workspace, &cache, &out, &tests)?)?)?;
    // What it has of former components is in the cache.
    if out.exists() {
        fs::remove_dir_all(&out).with_context(|| format!("cannot remove {}", out.display()))?;
    }
    let log = cache.join("build.log");
    process::run_logged(node(workspace, "build/components.mjs").arg(&job), 20 * MINUTE, &log)?;
    process::run_logged(node(workspace, "build/package.mjs").arg(&out), 5 * MINUTE, &log)?;
    stamp::record(workspace, FOLDER, inputs, &outputs)?;
    Ok(workspace.show(&out))
}

fn test_components(workspace: &Workspace) -> Result<Vec<components::Component>> {
    let is_ours = |name: &str| TEST_TOOLS.contains(&name) || TEST_COMMANDS.contains(&name);
    Ok(components::discover(workspace)?.into_iter().filter(|component| is_ours(&component.name)).collect())
}

/// What build/components.mjs is to do.
fn describe(workspace: &Workspace, cache: &Path, out: &Path, tests: &[components::Component]) -> Result<Value> {
    let folder = workspace.dist.join("bundles").join(bundles::DEFAULT);
    let list = fs::read_to_string(folder.join("embed.txt")).context("the default bundle was not built")?;
    let plugged = cache.join("plugged");
    fs::create_dir_all(&plugged).with_context(|| format!("cannot create {}", plugged.display()))?;
    let tool = native::bundle_tool(workspace)?;
    let inside = workspace.dist.join("components/workspace.wasm");
    let plug = |name: &str, file: &Path| -> Result<PathBuf> {
        let output = plugged.join(format!("{name}.wasm"));
        tool.plug(file, &inside, &output)?;
        Ok(output)
    };

    let mut parts = Vec::new();
    for file in entries(&workspace.dist.join("components"))? {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().replace('_', "-");
        parts.push(json!({ "name": stem, "file": file }));
    }
    let (mut agents, mut tools, mut commands, mut scenario) = (Vec::new(), Vec::new(), Vec::new(), Value::Null);
    for line in list.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["agent", provider, file] => {
                let name = format!("agent-{provider}");
                agents.push(json!({ "name": name, "provider": provider, "file": workspace.dist.join(file) }));
            }
            ["scenario", file] => scenario = json!(workspace.dist.join(file)),
            ["tool", name, file, _] => {
                tools.push(json!({ "name": name, "file": plug(name, &workspace.dist.join(file))? }));
            }
            ["command", name, file, _, names] => {
                let file = workspace.dist.join(file);
                if !file.starts_with(workspace.dist.join("components")) {
                    parts.push(json!({ "name": name, "file": file }));
                }
                let names: Vec<&str> = names.split(',').collect();
                commands.push(json!({ "name": name, "file": plug(name, &file)?, "names": names }));
            }
            ["workspace" | "netfetch", _] => {}
            _ => bail!("embed.txt has a line that means nothing here: {line}"),
        }
    }
    for component in tests {
        parts.push(json!({ "name": component.name, "file": component.file }));
        let file = plug(&component.name, &component.file)?;
        if TEST_TOOLS.contains(&component.name.as_str()) {
            tools.push(json!({ "name": component.name, "file": file }));
        } else {
            commands.push(json!({ "name": component.name, "file": file, "names": component.commands }));
        }
    }
    let test_names: Vec<&str> = tests.iter().map(|component| component.name.as_str()).collect();
    Ok(json!({
        "version": version(workspace)?,
        "cache": cache,
        "out": out,
        "components": parts,
        "agents": agents,
        "tools": tools,
        "commands": commands,
        "scenario": scenario,
        "tests": test_names,
    }))
}

fn version(workspace: &Workspace) -> Result<String> {
    let manifest: toml::Table = fs::read_to_string(workspace.root.join("Cargo.toml"))?.parse()?;
    let version = manifest.get("workspace").and_then(|workspace| workspace.get("package")?.get("version")?.as_str());
    Ok(version.context("Cargo.toml has no workspace.package.version")?.to_owned())
}

/// Node.js, on a program of browser/.
fn node(workspace: &Workspace, program: &str) -> Command {
    let mut node = Command::new("node");
    node.current_dir(workspace.root.join(FOLDER)).arg(program);
    node
}

/// What browser/package-lock.json pins, installed beside it unless it is there.
pub fn install_tools(workspace: &Workspace) -> Result<()> {
    let cache = workspace.cache.join(FOLDER);
    fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
    if !process::exists("node") || !process::exists("npm") {
        debian::install(&["nodejs", "npm"], &cache.join("apt.log"))
            .context("Node.js and npm make the package for pages, and are not installed")?;
    }
    let version = process::capture(Command::new("node").arg("--version"), MINUTE)?;
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    ensure!(
        major.is_some_and(|major| major >= NODE_MAJOR_MIN),
        "node is {}: the package for pages needs {NODE_MAJOR_MIN} or later",
        version.trim()
    );
    let folder = workspace.root.join(FOLDER);
    let lock = fs::read(folder.join("package-lock.json")).context("cannot read browser/package-lock.json")?;
    let note = folder.join("node_modules/.installed");
    if fs::read(&note).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.current_dir(&folder).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    process::run_logged(&mut npm, 15 * MINUTE, &cache.join("npm.log"))
        .context("npm cannot fetch what browser/package-lock.json names")?;
    workspace::write(&note, &lock)
}

/// Checks the types of the package's sources.
pub fn lint(workspace: &Workspace) -> Result<()> {
    workspace::step("typescript", || {
        install_tools(workspace)?;
        process::run(node(workspace, "node_modules/typescript/bin/tsc").args(["--noEmit"]), 5 * MINUTE)?;
        Ok(((), "no errors".to_owned()))
    })
}

/// Runs the package in a browser. `filter`: parts of the names of tests.
pub fn test(workspace: &Workspace, filter: &[String]) -> Result<()> {
    workspace::step("tests in a page", || {
        install_tools(workspace)?;
        let chromium = chromium(workspace)?;
        let files: Vec<PathBuf> = entries(&workspace.root.join(FOLDER).join("test"))?
            .into_iter()
            .filter(|file| file.to_string_lossy().ends_with(".test.mjs"))
            .collect();
        let mut node = Command::new("node");
        node.current_dir(workspace.root.join(FOLDER)).args(["--test", "--test-concurrency=1"]);
        for pattern in filter {
            node.arg(format!("--test-name-pattern={pattern}"));
        }
        node.args(files).env("WARDIAN_CHROMIUM", chromium).env("WARDIAN_BROWSER", workspace.dist.join(FOLDER));
        node.env("WARDIAN_PROGRAM", workspace.dist.join("wardian"));
        process::run(&mut node, 20 * MINUTE)?;
        Ok(((), "passed".to_owned()))
    })
}

/// Measures the package in a browser.
pub fn bench(workspace: &Workspace) -> Result<()> {
    install_tools(workspace)?;
    let mut bench = node(workspace, "test/bench.mjs");
    bench.env("WARDIAN_CHROMIUM", chromium(workspace)?).env("WARDIAN_BROWSER", workspace.dist.join(FOLDER));
    process::run(&mut bench, 20 * MINUTE)
}

/// Any Chromium of this machine, or Debian's.
pub fn chromium(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("WARDIAN_CHROMIUM").filter(|given| !given.is_empty()) {
        return Ok(given.into());
    }
    let find = || CHROMIUMS.iter().map(PathBuf::from).find(|path| path.exists());
    if let Some(found) = find() {
        return Ok(found);
    }
    debian::install(&["chromium"], &workspace.cache.join(FOLDER).join("apt.log"))
        .context("the page's tests need a Chromium: install one, or name it in WARDIAN_CHROMIUM")?;
    find().context("Debian's package `chromium` was installed and left no chromium")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_look_for_the_same_browsers() {
        let workspace = Workspace::open().unwrap();
        let harness = fs::read_to_string(workspace.root.join("browser/test/harness.mjs")).unwrap();
        for path in CHROMIUMS {
            assert!(harness.contains(&format!("\"{path}\"")), "{path}");
        }
    }

    #[test]
    fn the_workspace_has_a_version() {
        assert!(version(&Workspace::open().unwrap()).unwrap().contains('.'));
    }
}
