//! Benchmarks, as ratios against something a user would pick instead, in one run: the machine is shared and noisy.
//!
//! `cargo xtask bench` runs it, `cargo xtask bench walks grep` only these parts. Each figure has a bound; a figure
//! beyond its bound makes the run fail.

mod models;
mod net;
mod session;
mod shell;
mod table;
mod tools;
mod workspace;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use wardian_host::{Code, Host, HostOptions, Tool};

use table::Table;

/// What can be run by itself.
const PARTS: [&str; 9] = ["session", "models", "net", "shell", "tools", "bytes", "walks", "open", "grep"];

fn main() -> Result<()> {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    for part in &chosen {
        ensure!(PARTS.contains(&part.as_str()), "there is no part {part:?}, only {}", PARTS.join(", "));
    }
    let is_chosen = |part: &str| chosen.is_empty() || chosen.iter().any(|chosen| chosen == part);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut table = Table::default();
    // Removed at the end, whatever becomes of the run.
    let folder = tempfile::Builder::new().prefix("wardian-bench-").tempdir()?;
    let bench = Bench { dist: suites::dist::folder(), folder: folder.path().to_owned() };
    if is_chosen("session") {
        session::run(&bench, &runtime, &mut table)?;
    }
    if is_chosen("models") {
        models::run(&bench, &runtime, &mut table)?;
    }
    if is_chosen("net") {
        runtime.block_on(net::run(&mut table))?;
    }
    if is_chosen("shell") {
        shell::run(&bench, &runtime, &mut table)?;
    }
    if is_chosen("tools") {
        tools::run(&bench, &mut table)?;
    }
    workspace::run(&bench, &runtime, &mut table, is_chosen)?;
    drop(folder);
    table.finish()
}

/// What all parts share: what was built, and a folder for whatever they make.
struct Bench {
    dist: PathBuf,
    folder: PathBuf,
}

impl Bench {
    fn host(&self) -> Result<Host> {
        Ok(Host::new(HostOptions { cache: Some(self.folder.join("cache")) })?)
    }

    fn read(&self, file: &str) -> Result<Vec<u8>> {
        let path = self.dist.join(file);
        std::fs::read(&path).with_context(|| format!("cannot read {}: run `cargo xtask build`", path.display()))
    }

    /// The composed agent.
    fn agent(&self, host: &Host) -> Result<Code> {
        Ok(host.load("agent", &self.read("bundles/default/agent.wasm")?, None)?)
    }

    /// A tool component as it is.
    async fn direct(&self, host: &Host, name: &str, file: &str) -> Result<Tool> {
        let code = host.load(name, &self.read(file)?, None)?;
        Ok(Tool::new(host, code).await?)
    }

    /// The same component in the workspace.
    async fn overlaid(&self, host: &Host, name: &str, file: &str) -> Result<Tool> {
        let (bytes, workspace) = (self.read(file)?, self.read("components/workspace.wasm")?);
        let digest = wardian_bundle::digest(&bytes);
        let key = wardian_bundle::plug_key(&digest, &wardian_bundle::digest(&workspace));
        let compose = || wardian_bundle::plug(&bytes, &workspace).map_err(|error| error.to_string());
        let code = host.load_in_workspace(name, &digest, &key, compose)?;
        Ok(Tool::new(host, code).await?)
    }
}
