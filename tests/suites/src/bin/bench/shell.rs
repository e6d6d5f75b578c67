//! What a process, a loop in the shell and the shell as a whole program cost.

use std::process::{Command as System, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use wardian_host::wit::{FileAccess, Powers};
use wardian_host::{Activities, Command, Host, Input, Limits, Network, Output, Start, Status};

use crate::Bench;
use crate::table::{Table, median, micros, millis};

/// Processes that are timed one by one.
const SPAWNS: usize = 300;
/// Whole programs that are timed.
const PROGRAMS: usize = 11;

/// Three small utilities in each turn: where dash starts programs, this shell has them inside.
const LOOP: &str = "i=0; while [ $i -lt 1000 ]; do basename /a/b; dirname /a/b; expr $i + 1; i=$((i+1)); done";

pub fn run(bench: &Bench, runtime: &tokio::runtime::Runtime, table: &mut Table) -> Result<()> {
    runtime.block_on(bench.spawn(table))?;
    let home = bench.folder.join("shell-home");
    let project = bench.folder.join("shell-project");
    std::fs::create_dir_all(&project)?;
    let sh = |script: &str| {
        let mut wardian = System::new(bench.dist.join("wardian"));
        wardian.env("WARDIAN_HOME", &home).args(["sh", "-c", script]).current_dir(&project);
        timed(&mut wardian)
    };
    // Compiles.
    sh(":")?;
    let starts = (0..PROGRAMS).map(|_| sh(":")).collect::<Result<Vec<_>>>()?;
    let start = starts.iter().min().copied().unwrap_or_default();
    table.row("wardian sh -c : (min)", format!("{:.1} ms", millis(start)), "15 ms", millis(start) <= 15.0);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        ours.push(sh(LOOP)?);
        theirs.push(timed(System::new("dash").args(["-c", LOOP]))?);
    }
    table.ratio("1,000 turns with three utilities", ("dash", median(theirs)), ("wardian sh", median(ours)), 2.0);
    Ok(())
}

/// From its start to its end, which must be a good one.
pub fn timed(command: &mut System) -> Result<Duration> {
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(start.elapsed())
}

impl Bench {
    async fn spawn(&self, table: &mut Table) -> Result<()> {
        let host = self.host()?;
        let command = self.command(&host)?;
        let start = Start {
            argv: vec!["programs".to_owned(), "exit".to_owned(), "0".to_owned()],
            env: Vec::new(),
            cwd: "/workspace".to_owned(),
            stdin: Input::null(),
            stdout: Output::null(),
            stderr: Output::null(),
            powers: Powers { files: FileAccess::Write, net: vec![], process: vec![], env: vec![] },
            files: self.files("spawn")?,
            network: Network::default(),
            activities: Activities::unwatched(),
            limits: Limits::default(),
            commands: Arc::default(),
        };
        let mut ours = Vec::new();
        for _ in 0..SPAWNS {
            let begin = Instant::now();
            let exit = command.spawn(start.clone()).wait().await;
            ours.push(begin.elapsed());
            ensure!(exit.status == Status::Exited(0), "it ended with {:?}", exit.status);
        }
        // What dash itself takes is little against what it starts.
        let script = format!("i=0; while [ $i -lt {SPAWNS} ]; do /bin/true; i=$((i+1)); done");
        let dash = timed(System::new("dash").args(["-c", &script]))? / SPAWNS as u32;
        let (ours, dash) = (micros(median(ours)), micros(dash));
        let figure = format!("{ours:.0} µs; dash and /bin/true {dash:.0} µs; ratio 1/{:.1}", dash / ours);
        table.row("a process (p50)", figure, "300 µs and 1/3", ours <= 300.0 && ours * 3.0 <= dash);
        Ok(())
    }

    fn command(&self, host: &Host) -> Result<Command> {
        let (bytes, workspace) = (self.read("tests/programs.wasm")?, self.read("components/workspace.wasm")?);
        let digest = wardian_bundle::digest(&bytes);
        let key = wardian_bundle::plug_key(&digest, &wardian_bundle::digest(&workspace));
        let compose = || wardian_bundle::plug(&bytes, &workspace).map_err(|error| error.to_string());
        Ok(Command::new(host, host.for_commands().load_in_workspace("programs", &digest, &key, compose)?)?)
    }
}
