//! What the workspace costs, against the same program on the project itself.

mod files;
mod grep;
mod open;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use wardian_host::wit::{FileAccess, Grant, Outcome, Part, Powers, ToolCall, Unlisted};
use wardian_host::{Files, Host, Layer, Limits, Tool, ToolCallOptions};

use crate::Bench;
use crate::table::{Began, Cost, Pair, Table};

/// Files in each directory of a made-up project.
const FILES_EACH: usize = 100;

/// Bytes of a file that is not empty.
const FILE_BYTES: usize = 1 << 10;

pub fn run(
    bench: &Bench,
    runtime: &tokio::runtime::Runtime,
    table: &mut Table,
    is_chosen: impl Fn(&str) -> bool,
) -> Result<()> {
    runtime.block_on(async {
        let ground = Ground::new(bench).await?;
        if is_chosen("bytes") {
            files::sequential(&ground, table).await?;
        }
        if is_chosen("walks") {
            files::walks(&ground, table).await?;
        }
        if is_chosen("open") {
            open::changes(&ground, bench, table).await?;
        }
        if is_chosen("grep") {
            grep::run(&ground, bench, table).await?;
        }
        Ok(())
    })
}

/// Guest programs with and without a workspace, and a folder for projects and layers.
struct Ground {
    folder: PathBuf,
    host: Host,
    direct: Tool,
    overlaid: Tool,
}

impl Ground {
    async fn new(bench: &Bench) -> Result<Self> {
        let host = bench.host()?;
        let (direct, overlaid) = (
            bench.direct(&host, "guests", "tests/guests.wasm").await?,
            bench.overlaid(&host, "guests", "tests/guests.wasm").await?,
        );
        let folder = bench.folder.join("workspace");
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, host, direct, overlaid })
    }

    /// A folder for a project.
    fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// A project with so many files, of which those in the first `filled` directories are not empty.
    fn project(&self, files: usize, filled: usize) -> Result<PathBuf> {
        let folder = self.folder(&format!("project-{files}"))?;
        for directory in 0..files.div_ceil(FILES_EACH) {
            let path = folder.join(directory_name(directory));
            fs::create_dir(&path)?;
            let bytes = if directory < filled { FILE_BYTES } else { 0 };
            for file in 0..FILES_EACH.min(files - directory * FILES_EACH) {
                fs::write(path.join(file_name(file)), vec![b'p'; bytes])?;
            }
        }
        Ok(folder)
    }

    /// An empty layer.
    fn layer(&self, name: &str) -> Result<Layer> {
        let folder = self.folder(name)?;
        let layer = Layer { upper: folder.join("upper"), scratch: folder.join("tmp"), turns: Arc::default() };
        fs::create_dir_all(&layer.upper)?;
        fs::create_dir_all(&layer.scratch)?;
        Ok(layer)
    }
}

fn directory_name(number: usize) -> String {
    format!("d{number:04}")
}

fn file_name(number: usize) -> String {
    format!("f{number:02}.txt")
}

/// The project with a layer over it.
fn over(project: &Path, layer: &Layer) -> Files {
    Files { project: project.to_owned(), layer: Some(layer.clone()), direct: false }
}

/// The project itself.
fn itself(project: &Path) -> Files {
    Files { project: project.to_owned(), layer: None, direct: true }
}

/// One call: what it took, and what it said.
async fn call(
    tool: &Tool,
    files: &Files,
    access: FileAccess,
    name: &str,
    input: &serde_json::Value,
) -> Result<(Cost, Outcome)> {
    let call = ToolCall { id: "1".into(), tool: name.into(), input: input.to_string() };
    let powers = Powers { files: access, net: vec![], process: vec![], env: vec![] };
    let grant = Grant { powers, limits: Limits::default(), unlisted: Unlisted::Deny };
    let options = ToolCallOptions {
        grant,
        files: files.clone(),
        net: None,
        activities: Arc::default(),
        commands: Arc::default(),
        jobs: None,
        progress: None,
    };
    let start = Began::now();
    let finished = tool.call(&call, &options).await;
    let took = start.cost();
    match finished.result {
        Ok(Ok(outcome)) => Ok((took, outcome)),
        other => anyhow::bail!("{name} {input} failed: {other:?}"),
    }
}

fn text(outcome: &Outcome) -> Result<&str> {
    match outcome.parts.first() {
        Some(Part::Text(text)) => Ok(text),
        _ => anyhow::bail!("no text: {outcome:?}"),
    }
}

/// The same call on the project itself and through a workspace, in turn. `same` is what both must agree on.
async fn compare<T: PartialEq + std::fmt::Debug>(
    rounds: usize,
    (direct, project): (&Tool, &Files),
    (overlaid, workspace): (&Tool, &Files),
    (access, name, input): (FileAccess, &str, &serde_json::Value),
    same: impl Fn(&Outcome) -> Result<T>,
) -> Result<(Pair, T)> {
    let (mut pair, mut last) = (Pair::new(), None);
    for _ in 0..rounds {
        let (first, said) = call(direct, project, access, name, input).await?;
        let (second, too) = call(overlaid, workspace, access, name, input).await?;
        let (said, too) = (same(&said)?, same(&too)?);
        ensure!(said == too, "{name} {input}: {said:?} without a workspace, {too:?} with one");
        pair.take(first, second);
        last = Some(said);
    }
    Ok((pair, last.context("no round")?))
}
