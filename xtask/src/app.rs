//! The page: the web app with the package beside it, as `wardian serve` and any server of files hand it out.
//!
//! What is JavaScript's business is in browser/app/build.mjs. `dist/page` is all of it; the program embeds that folder.

use anyhow::{Context, Result};
use std::fs;
use std::process::Command;

use crate::browser;
use crate::native;
use crate::process::{self, MINUTE};
use crate::stamp::{self, Inputs};
use crate::workspace::{self, Workspace};

const FOLDER: &str = "browser/app";
const SOURCES: [&str; 8] =
    ["build.mjs", "icon.svg", "index.html", "package.json", "package-lock.json", "src", "tsconfig.json", ".npmrc"];

/// Makes `dist/page`, unless it is there.
pub fn build(workspace: &Workspace) -> Result<()> {
    workspace::step("page", || Ok(((), build_page(workspace)?)))
}

fn build_page(workspace: &Workspace) -> Result<String> {
    let (out, package) = (workspace.dist.join("page"), workspace.dist.join("browser"));
    let mut inputs = Inputs::new();
    inputs.path(&workspace.dist, &package)?;
    for name in SOURCES {
        inputs.path(&workspace.root, &workspace.root.join(FOLDER).join(name))?;
    }
    let (inputs, outputs) = (inputs.hash(), [out.clone()]);
    if stamp::is_fresh(workspace, "page", inputs, &outputs)? {
        return Ok("unchanged".to_owned());
    }
    install(workspace)?;
    let mut node = node(workspace);
    node.arg("build.mjs").arg("--out").arg(&out).arg("--package").arg(&package);
    let said = process::capture(&mut node, 10 * MINUTE)?;
    stamp::record(workspace, "page", inputs, &outputs)?;
    Ok(format!("{}: {}", workspace.show(&out), said.trim_end()))
}

/// Checks the types of the app's sources and tests.
pub fn lint(workspace: &Workspace) -> Result<()> {
    workspace::step("typescript, app", || {
        install(workspace)?;
        process::run(node(workspace).args(["node_modules/typescript/bin/tsc", "--noEmit"]), 5 * MINUTE)?;
        Ok(((), "no errors".to_owned()))
    })
}

/// The app's own tests, and its story in a browser. `filter`: parts of the names of tests.
pub fn test(workspace: &Workspace, filter: &[String]) -> Result<()> {
    workspace::step("tests of the app", || {
        install(workspace)?;
        let chromium = browser::chromium(workspace)?;
        let server = native::build_binary(workspace, "model-server")?;
        let shots = workspace.dist.join("tests/app");
        let mut node = node(workspace);
        node.arg("test/run.mjs").args(filter);
        node.env("WARDIAN_CHROMIUM", chromium).env("WARDIAN_PROGRAM", workspace.dist.join("wardian"));
        node.env("WARDIAN_MODEL_SERVER", server).env("WARDIAN_SHOTS", &shots);
        process::run(&mut node, 15 * MINUTE)?;
        Ok(((), format!("passed; screenshots in {}", workspace.show(&shots))))
    })
}

fn node(workspace: &Workspace) -> Command {
    let mut node = Command::new("node");
    node.current_dir(workspace.root.join(FOLDER));
    node
}

/// What the app's package-lock.json pins, installed beside it unless it is there.
fn install(workspace: &Workspace) -> Result<()> {
    // Node.js itself, and where logs go.
    browser::install_tools(workspace)?;
    let folder = workspace.root.join(FOLDER);
    let lock = fs::read(folder.join("package-lock.json")).context("cannot read browser/app/package-lock.json")?;
    let note = folder.join("node_modules/.installed");
    if fs::read(&note).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.current_dir(&folder).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    process::run_logged(&mut npm, 15 * MINUTE, &workspace.cache.join("browser/npm-app.log"))
        .context("npm cannot fetch what browser/app/package-lock.json names")?;
    workspace::write(&note, &lock)
}
