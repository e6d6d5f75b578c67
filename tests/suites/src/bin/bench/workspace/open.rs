//! Opening a project and listing changes: neither may grow with the project.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Result, ensure};
use serde_json::json;
use wardian_host::wit::{FileAccess, ReviewOptions};
use wardian_host::{Agent, AgentOptions, Code, Layer, ProjectAccess, SessionAccess};

use super::{FILE_BYTES, Ground, call, directory_name, file_name, over};
use crate::Bench;
use crate::session::{Clock, options};
use crate::table::{Began, Cost, Pair, Table};

/// Sizes of projects.
const TINY: usize = 10;
const SMALL: usize = 1_000;
const LARGE: usize = 100_000;

/// The changed files: so many in each of so many directories. Every project but the tiny one has these directories.
const CHANGED_DIRECTORIES: usize = 10;
const CHANGED_EACH: usize = 10;

const ROUNDS: usize = 15;
/// Of whole processes.
const PROCESS_ROUNDS: usize = 10;

pub async fn changes(ground: &Ground, bench: &Bench, table: &mut Table) -> Result<()> {
    let agent = bench.agent(&ground.host)?;
    let tiny = ground.project(TINY, 1)?;
    let small = ground.project(SMALL, CHANGED_DIRECTORIES)?;
    let large = ground.project(LARGE, CHANGED_DIRECTORIES)?;

    let mut pair = Pair::new();
    for round in 0..ROUNDS {
        let first = open(ground, &agent, &tiny, &format!("tiny-{round}")).await?;
        let second = open(ground, &agent, &large, &format!("large-{round}")).await?;
        pair.take(first, second);
    }
    table.ratio("open and first `changes`", ("10 files", pair.first.wall), ("100,000 files", pair.second.wall), 1.2);

    let scenario = ground.folder.join("scenario.json");
    std::fs::write(&scenario, r#"{"turns": [{"text": "hello"}]}"#)?;
    let mut pair = Pair::new();
    // The first ones compile.
    process(bench, &ground.folder, &scenario, &tiny)?;
    for _ in 0..PROCESS_ROUNDS {
        let first = process(bench, &ground.folder, &scenario, &tiny)?;
        let second = process(bench, &ground.folder, &scenario, &large)?;
        pair.take(first, second);
    }
    let what = "wardian run, one turn, and wardian changes, processes";
    table.ratio(what, ("10 files", pair.first.wall), ("100,000 files", pair.second.wall), 1.2);

    let (small_layer, large_layer) = (ground.layer("small")?, ground.layer("large")?);
    for (project, layer) in [(&small, &small_layer), (&large, &large_layer)] {
        change(ground, project, layer).await?;
    }
    let mut pair = Pair::new();
    for _ in 0..ROUNDS {
        let first = list(ground, &agent, &small, &small_layer).await?;
        let second = list(ground, &agent, &large, &large_layer).await?;
        pair.take(first, second);
    }
    table.ratio(
        "`changes`, 100 changed files",
        ("1,000 files", pair.first.wall),
        ("100,000 files", pair.second.wall),
        1.2,
    );
    Ok(())
}

async fn start(ground: &Ground, agent: &Code, project: &Path, layer: &Layer, session: PathBuf) -> Result<Agent> {
    std::fs::create_dir_all(&session)?;
    let options = AgentOptions {
        agent: agent.clone(),
        tools: Vec::new(),
        commands: Arc::default(),
        files: over(project, layer),
        project: ProjectAccess::Read,
        session,
        access: SessionAccess::Write,
        config: HashMap::from([("scenario".to_owned(), r#"{"turns": []}"#.to_owned())]),
        net: None,
        provider_net: None,
        ui: Arc::new(Clock::default()),
    };
    Ok(Agent::start(&ground.host, options).await?)
}

/// How many changes there are.
async fn count(agent: &mut Agent) -> Result<usize> {
    let listed = agent.changes(&ReviewOptions { paths: vec![], ignored: false }).await?;
    Ok(listed.map_err(|error| anyhow::anyhow!("{error:?}"))?.changes.len())
}

/// A session from nothing to its first list of changes.
async fn open(ground: &Ground, agent: &Code, project: &Path, name: &str) -> Result<Cost> {
    let layer = ground.layer(name)?;
    let began = Began::now();
    let mut agent = start(ground, agent, project, &layer, ground.folder.join(name)).await?;
    agent.open(&options()).await?.map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let changes = count(&mut agent).await?;
    let took = began.cost();
    ensure!(changes == 0, "a new session has {changes} changes");
    Ok(took)
}

/// The same as two commands of a user.
fn process(bench: &Bench, folder: &Path, scenario: &Path, project: &Path) -> Result<Cost> {
    let wardian = |arguments: &[&str]| {
        let mut command = Command::new(bench.dist.join("wardian"));
        command.args(arguments).arg("-C").arg(project).env("WARDIAN_HOME", folder.join("home"));
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        ensure!(status.success(), "wardian {arguments:?} failed: {status}");
        Ok(())
    };
    let model = format!("script:{}", scenario.display());
    let began = Began::now();
    wardian(&["run", "-m", &model, "hi"])?;
    wardian(&["changes"])?;
    Ok(began.cost())
}

/// Changes files of a project, in a layer.
async fn change(ground: &Ground, project: &Path, layer: &Layer) -> Result<()> {
    let files = over(project, layer);
    for number in 0..CHANGED_DIRECTORIES * CHANGED_EACH {
        let (directory, file) = (number / CHANGED_EACH, number % CHANGED_EACH);
        let path = format!("/workspace/{}/{}", directory_name(directory), file_name(file));
        let input = json!({"path": path, "passes": 1, "bytes": FILE_BYTES});
        call(&ground.overlaid, &files, FileAccess::Write, "WriteAll", &input).await?;
    }
    Ok(())
}

/// The first list of changes of a process that comes to a session with changes.
async fn list(ground: &Ground, agent: &Code, project: &Path, layer: &Layer) -> Result<Cost> {
    let mut agent = start(ground, agent, project, layer, ground.folder.join("reader")).await?;
    let began = Began::now();
    let changes = count(&mut agent).await?;
    let took = began.cost();
    ensure!(changes == CHANGED_DIRECTORIES * CHANGED_EACH, "{changes} changes");
    Ok(took)
}
