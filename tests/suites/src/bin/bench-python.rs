//! Benchmarks of the sandboxed CPython against the machine's python3, as ratios in one run: the machine is shared and noisy.
//!
//! `cargo xtask bench` runs it, `cargo xtask bench python` nothing else. Each figure has a bound; a figure beyond its bound makes the run fail.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use wardian_host::wit::{FileAccess, Powers};
use wardian_host::{
    Activities, Commands, Files, Host, HostOptions, Input, Kept, Limits, Network, Output, Start, Status,
};

/// Whole processes, and runs within one host, that are timed.
const PROCESSES: usize = 15;
const RUNS: usize = 100;

/// How often the runs within one host are, some seconds apart: the medians of the quietest time count.
const TIMES: usize = 5;
const APART: Duration = Duration::from_secs(2);

/// How often all CPU-bound programs run, in turn with python3's, and each of them within such a run; its best time counts.
const TURNS: usize = 3;
const ROUNDS: &str = "3";

/// What `python3` is in the end: a wrapper that chooses between versions would be measured instead.
const WHICH: &str = "import sys; print(sys.executable)";

const PROGRAM: [&str; 2] = ["-c", "print(1)"];

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let which = Command::new("python3").args(["-c", WHICH]).output().context("there is no python3 to compare with")?;
    let python = PathBuf::from(String::from_utf8(which.stdout)?.trim());
    let bench = Bench { dist: suites::dist::folder(), folder: folder.path().to_owned(), python, beyond: Vec::new() };
    bench.run()
}

struct Bench {
    dist: PathBuf,
    folder: PathBuf,
    python: PathBuf,
    beyond: Vec<&'static str>,
}

impl Bench {
    fn run(mut self) -> Result<()> {
        self.size()?;
        self.whole_process()?;
        self.fresh_run()?;
        self.programs()?;
        if self.beyond.is_empty() { Ok(()) } else { bail!("beyond its bound: {}", self.beyond.join(", ")) }
    }

    fn row(&mut self, what: &'static str, figure: &str, bound: &str, holds: bool) {
        println!("{} {what:<58} {figure:<46} bound: {bound}", if holds { "✓" } else { "✗" });
        if !holds {
            self.beyond.push(what);
        }
    }

    fn component(&self) -> PathBuf {
        self.dist.join("python/python_runtime.wasm")
    }

    fn size(&mut self) -> Result<()> {
        let component = std::fs::read(self.component()).context("run `cargo xtask build`")?;
        let raw = component.len();
        self.row("python_runtime.wasm", &megabytes(raw), "37 MB", raw <= 37_000_000);
        let packed = zstd_size(&component)?;
        self.row("the same, zstd -19 --long", &megabytes(packed), "10.5 MB", packed <= 10_500_000);
        let packed = self.dist.join("bundles/default/python-runtime.wasm.gz");
        if let Ok(packed) = std::fs::metadata(packed) {
            let packed = packed.len() as usize;
            self.row("the same as it is carried, gzip", &megabytes(packed), "14 MB", packed <= 14_000_000);
        }
        Ok(())
    }

    fn wardian(&self) -> Command {
        let project = self.folder.join("project");
        let _ = std::fs::create_dir_all(&project);
        let mut wardian = Command::new(self.dist.join("wardian"));
        wardian.arg("python").env("WARDIAN_HOME", self.folder.join("home")).current_dir(project);
        wardian
    }

    fn whole_process(&mut self) -> Result<()> {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..PROCESSES + 2 {
            let mut wardian = self.wardian();
            let our = time(wardian.args(PROGRAM))?;
            let their = time(Command::new(&self.python).args(PROGRAM))?;
            // The first ones compile, and fill caches.
            if round >= 2 {
                ours.push(our);
                theirs.push(their);
            }
        }
        let (ours, theirs) = (millis(median(ours)), millis(median(theirs)));
        let figure = format!("{ours:.1} ms; python3 {theirs:.1} ms; ratio {:.2}", ours / theirs);
        self.row("wardian python -c 'print(1)', whole process (p50)", &figure, "ratio 0.5", ours <= theirs * 0.5);
        self.memory()
    }

    /// Of the whole process, as the system counts it.
    #[cfg(target_os = "linux")]
    fn memory(&mut self) -> Result<()> {
        let script = "import resource, subprocess, sys\nsubprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n\
                      print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
        let wardian = self.wardian();
        let mut measure = Command::new(&self.python);
        measure.args(["-c", script]).arg(wardian.get_program()).args(wardian.get_args()).args(PROGRAM);
        measure.envs(wardian.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = measure.current_dir(self.folder.join("project")).output()?;
        let kib: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().context("no maximum of memory")?;
        let mb = kib * 1024.0 / 1e6;
        self.row("the same, most memory resident", &format!("{mb:.0} MB"), "64 MB", mb <= 64.0);
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    fn memory(&mut self) -> Result<()> {
        Ok(())
    }

    /// One host, an instance for each run: what a call of the tool costs.
    fn fresh_run(&mut self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        // The interpreter lives on, and variables are written to a file when they change.
        let env = [("WARDIAN_SESSION".to_owned(), "/workspace/.state".to_owned())];
        let (mut fresh, mut session) = (Vec::new(), Vec::new());
        for _ in 0..TIMES {
            fresh.push(millis(median(runtime.block_on(self.runs(&[], None))?)));
            session.push(millis(median(runtime.block_on(self.runs(&env, Some(Arc::default())))?)));
            std::thread::sleep(APART);
        }
        let (fresh, session) = (Of(fresh), Of(session));
        self.row("a fresh run of print(1) inside a host (p50)", &fresh.to_string(), "4 ms", fresh.least() <= 4.0);
        self.row("the same as a call of a session (p50)", &session.to_string(), "0.3 ms", session.least() <= 0.3);
        Ok(())
    }

    async fn runs(&self, env: &[(String, String)], kept: Option<Arc<Kept>>) -> Result<Vec<Duration>> {
        let host = Host::new(HostOptions { cache: Some(self.folder.join("cache")) })?;
        let code = host.for_commands().load("python-runtime", &std::fs::read(self.component())?, None)?;
        let command = wardian_host::Command::new(&host, code)?;
        let mut times = Vec::new();
        for round in 0..RUNS + 5 {
            let start = Start {
                argv: ["python3"].into_iter().chain(PROGRAM).map(str::to_owned).collect(),
                env: env.to_vec(),
                cwd: "/workspace".to_owned(),
                stdin: Input::null(),
                stdout: Output::null(),
                stderr: Output::null(),
                powers: Powers { files: FileAccess::Write, net: vec![], process: vec![], env: vec![] },
                files: Files { project: self.folder.join("project"), layer: None, direct: true },
                network: Network::default(),
                activities: Activities::unwatched(),
                limits: Limits::default(),
                commands: Commands::new(Vec::new()),
            };
            let begin = Instant::now();
            let mut process = match &kept {
                Some(kept) => command.spawn_kept(start, kept, "session"),
                None => command.spawn(start),
            };
            let exit = process.wait().await;
            let took = begin.elapsed();
            ensure!(exit.status == Status::Exited(0), "it failed: {exit:?}");
            if round >= 5 {
                times.push(took);
            }
        }
        Ok(times)
    }

    /// What takes a processor's time, against python3: the geometric mean of the ratios.
    fn programs(&mut self) -> Result<()> {
        let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python-runtime/bench").canonicalize()?;
        let (mut ours, mut theirs) = (Best::new(), Best::new());
        for _ in 0..TURNS {
            let mut wardian = self.wardian();
            take(&mut ours, results(wardian.arg("measure.py").arg(ROUNDS).current_dir(&programs))?);
            take(
                &mut theirs,
                results(Command::new(&self.python).args(["-B", "measure.py", ROUNDS]).current_dir(&programs))?,
            );
        }
        ensure!(!ours.is_empty() && ours.keys().eq(theirs.keys()), "not the same programs");
        let mut logarithms = 0.0;
        for ((name, (our, result)), (their, expected)) in ours.iter().zip(theirs.values()) {
            ensure!(result == expected, "{name}: {result} is not {expected}");
            println!("  {name:<16} {our:>8.1} ms; python3 {their:>8.1} ms; ratio {:.2}", our / their);
            logarithms += (our / their).ln();
        }
        let mean = (logarithms / ours.len() as f64).exp();
        self.row("CPU-bound programs against python3, geometric mean", &format!("{mean:.2}"), "2.2", mean <= 2.2);
        Ok(())
    }
}

/// What the same was at several times, in milliseconds.
struct Of(Vec<f64>);

impl Of {
    fn least(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }
}

impl std::fmt::Display for Of {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let most = self.0.iter().copied().fold(0.0, f64::max);
        write!(to, "{:.2} ms; in the loudest time {most:.2} ms", self.least())
    }
}

/// By program: the best time in milliseconds, and the result.
type Best = BTreeMap<String, (f64, String)>;

fn take(best: &mut Best, results: serde_json::Map<String, serde_json::Value>) {
    for (name, value) in results {
        let (time, result) = (value[0].as_f64().unwrap_or(f64::NAN), value[1].to_string());
        let known = best.entry(name).or_insert((time, result));
        known.0 = known.0.min(time);
    }
}

fn results(command: &mut Command) -> Result<serde_json::Map<String, serde_json::Value>> {
    let output = command.stdin(Stdio::null()).output()?;
    ensure!(output.status.success(), "it failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn time(command: &mut Command) -> Result<Duration> {
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "it failed: {status}");
    Ok(start.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn megabytes(bytes: usize) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// How many bytes are left by `zstd -19 --long`, whose window is 2^27 bytes.
fn zstd_size(bytes: &[u8]) -> Result<usize> {
    let mut compressor = zstd::bulk::Compressor::new(19)?;
    compressor.set_parameter(zstd::zstd_safe::CParameter::WindowLog(27))?;
    compressor.set_parameter(zstd::zstd_safe::CParameter::EnableLongDistanceMatching(true))?;
    Ok(compressor.compress(bytes)?.len())
}
