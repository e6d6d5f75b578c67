//! Benchmarks, as ratios against something a user would pick instead, in one run: the machine is shared and noisy.
//!
//! `cargo xtask bench` runs it. Each figure has a bound; a figure beyond its bound makes the run fail.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use suites::download;
use wardian_host::wit::{
    Answer, Approve, Budget, Event, FileAccess, Grant, Options, Powers, Question, ToolCall, Unlisted, Update,
};
use wardian_host::{
    Agent, AgentOptions, Files, Host, HostOptions, Limits, ProjectAccess, SessionAccess, Tool, ToolCallOptions, Ui,
    UiFuture,
};

/// Calls of a trivial tool, and spawns of a trivial process, that are timed.
const CALLS: usize = 400;
/// Steps of the scripted run that is timed.
const STEPS: usize = 300;
/// Whole processes that are timed.
const PROCESSES: usize = 15;
/// Events of the long journal.
const EVENTS: u64 = 100_000;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut table = Table::default();
    let folder = tempfile::tempdir()?;
    let bench = Bench { dist: suites::dist::folder(), folder: folder.path().to_owned() };
    runtime.block_on(async {
        bench.tool_call(&mut table).await?;
        bench.whole_loop(&mut table).await?;
        bench.resume(&mut table).await?;
        bench.download(&mut table).await
    })?;
    bench.processes(&mut table)?;
    table.finish()
}

#[derive(Default)]
struct Table {
    beyond: Vec<String>,
}

impl Table {
    fn row(&mut self, what: &str, figure: String, bound: &str, holds: bool) {
        println!("{} {what:<58} {figure:<46} bound: {bound}", if holds { "✓" } else { "✗" });
        if !holds {
            self.beyond.push(what.to_owned());
        }
    }

    fn finish(self) -> Result<()> {
        if self.beyond.is_empty() { Ok(()) } else { bail!("beyond its bound: {}", self.beyond.join(", ")) }
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

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

    async fn guests(&self, host: &Host) -> Result<Tool> {
        let code = host.load("guests", &self.read("tests/guests.wasm")?, None)?;
        Ok(Tool::new(host, code).await?)
    }

    /// A call of a trivial tool in a fresh instance, against the cheapest process there is.
    async fn tool_call(&self, table: &mut Table) -> Result<()> {
        let host = self.host()?;
        let tool = self.guests(&host).await?;
        let call = ToolCall { id: "1".into(), tool: "Echo".into(), input: r#"{"text":"hello"}"#.into() };
        let powers = Powers { files: FileAccess::Read, net: vec![], process: vec![], env: vec![] };
        let options = ToolCallOptions {
            grant: Grant { powers, limits: Limits::default(), unlisted: Unlisted::Deny },
            files: Files { project: self.folder.clone(), layer: None, direct: true },
            net: None,
            progress: None,
        };
        let (mut calls, mut spawns) = (Vec::new(), Vec::new());
        for round in 0..CALLS + 20 {
            let start = Instant::now();
            let finished = tool.call(&call, &options).await;
            let called = start.elapsed();
            anyhow::ensure!(matches!(finished.result, Ok(Ok(_))), "the tool failed: {:?}", finished.result);
            let start = Instant::now();
            Command::new("/bin/true").status()?;
            let spawned = start.elapsed();
            if round >= 20 {
                calls.push(called);
                spawns.push(spawned);
            }
        }
        let (call, spawn) = (micros(median(calls)), micros(median(spawns)));
        let figure = format!("{call:.0} µs; /bin/true {spawn:.0} µs; ratio 1/{:.1}", spawn / call);
        table.row("tool call, fresh instance (p50)", figure, "100 µs and 1/5", call <= 100.0 && call * 5.0 <= spawn);
        Ok(())
    }

    /// What a step costs besides the tool: scripted model, gate, journal, sandbox.
    async fn whole_loop(&self, table: &mut Table) -> Result<()> {
        let host = self.host()?;
        let tool = self.guests(&host).await?;
        let turn = serde_json::json!({"calls": [{"tool": "Echo", "input": {"text": "hello"}}]});
        let mut turns = vec![turn; STEPS];
        turns.push(serde_json::json!({"text": "done"}));
        let scenario = serde_json::json!({"turns": turns}).to_string();
        let session = self.folder.join("loop");
        let clock = Arc::new(Clock::default());
        let mut agent = self.agent(&host, vec![tool], &session, scenario, clock.clone()).await?;
        agent.open(&options()).await?.map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let (result, _) = agent.run("go").await?.map_err(anyhow::Error::msg)?;
        anyhow::ensure!(result.as_deref().is_ok_and(|text| text == "done"), "the run failed: {result:?}");
        let started = clock.started.lock().map_err(|_| anyhow::anyhow!("poisoned"))?;
        let steps = started.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let tools = clock.tools.lock().map_err(|_| anyhow::anyhow!("poisoned"))?.clone();
        let (step, tool) = (micros(median(steps)), micros(median(tools)));
        let besides = step - tool;
        let figure = format!("{besides:.0} µs ({step:.0} µs with the tool)");
        table.row("whole loop, for each tool call besides the tool (p50)", figure, "1000 µs", besides <= 1000.0);
        Ok(())
    }

    async fn agent(
        &self,
        host: &Host,
        tools: Vec<Tool>,
        session: &Path,
        scenario: String,
        ui: Arc<Clock>,
    ) -> Result<Agent> {
        std::fs::create_dir_all(session)?;
        let agent = host.load("agent", &self.read("bundles/default/agent.wasm")?, None)?;
        let options = AgentOptions {
            agent,
            tools,
            files: Files { project: self.folder.clone(), layer: None, direct: true },
            project: ProjectAccess::Read,
            session: session.to_owned(),
            access: SessionAccess::Write,
            config: HashMap::from([("scenario".to_owned(), scenario)]),
            provider_net: None,
            net: None,
            ui,
        };
        Ok(Agent::start(host, options).await?)
    }

    /// Opening a long journal, against hashing it alone; and appending to it, against appending to a short one.
    async fn resume(&self, table: &mut Table) -> Result<()> {
        let host = self.host()?;
        let scenario = r#"{"turns": []}"#;
        let session = self.folder.join("long");
        std::fs::create_dir_all(&session)?;
        let journal = session.join("journal.jsonl");
        suites::synthetic::synthesize(&journal, EVENTS)?;
        let bytes = std::fs::metadata(&journal)?.len();
        let (mut opens, mut sums) = (Vec::new(), Vec::new());
        for _ in 0..5 {
            let start = Instant::now();
            Command::new("sha256sum").arg(&journal).stdout(Stdio::null()).status()?;
            sums.push(start.elapsed());
            let mut agent = self.agent(&host, vec![], &session, scenario.to_owned(), Arc::default()).await?;
            let start = Instant::now();
            let opened = agent.open(&options()).await?.map_err(|error| anyhow::anyhow!("{error:?}"))?;
            opens.push(start.elapsed());
            anyhow::ensure!(opened.resumed && opened.events > EVENTS, "not resumed: {opened:?}");
        }
        let (open, sum) = (millis(median(opens)), millis(median(sums)));
        let mib = bytes as f64 / f64::from(1 << 20);
        let figure = format!("{open:.0} ms for {mib:.0} MiB; sha256sum {sum:.0} ms; ratio {:.1}", open / sum);
        table.row("resuming a journal of 100,000 events", figure, "300 ms", open <= 300.0);

        let short = self.append("short", &host, 10).await?;
        let long = self.append("append-long", &host, EVENTS).await?;
        let figure = format!("{long:.0} µs; after 10 events {short:.0} µs; ratio {:.2}", long / short);
        table.row("appending after 100,000 events, a tool call's events", figure, "ratio 1.5", long <= short * 1.5);
        Ok(())
    }

    /// Time of a direct tool call (unknown tool: one event) on a journal of this length.
    async fn append(&self, name: &str, host: &Host, events: u64) -> Result<f64> {
        let session = self.folder.join(name);
        std::fs::create_dir_all(&session)?;
        suites::synthetic::synthesize(&session.join("journal.jsonl"), events)?;
        let mut agent = self.agent(host, vec![], &session, "{\"turns\":[]}".to_owned(), Arc::default()).await?;
        agent.open(&options()).await?.map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let mut times = Vec::new();
        for n in 0..CALLS {
            let call = ToolCall { id: format!("x{n}"), tool: "Nope".into(), input: "{}".into() };
            let start = Instant::now();
            let result = agent.call(&call).await?;
            times.push(start.elapsed());
            anyhow::ensure!(result.is_err());
        }
        Ok(micros(median(times)))
    }

    /// A large download by a tool, under the network policy, against the bare client that is below it.
    async fn download(&self, table: &mut Table) -> Result<()> {
        let download::Figures { through, bare, grown_bytes } = download::measure().await?;
        let ratio = through / bare;
        let rates = format!("{through:.0} MB/s; bare client {bare:.0} MB/s: {ratio:.2}");
        table.row("download of 100 MB by a tool", rates, "0.7 of the bare client", ratio >= 0.7);
        let grown = grown_bytes as f64 / f64::from(1 << 20);
        table.row("the same: growth of this process", format!("{grown:.1} MiB"), "16 MiB", grown <= 16.0);
        Ok(())
    }

    /// Whole processes, with a warm cache.
    fn processes(&self, table: &mut Table) -> Result<()> {
        let scenario = self.folder.join("scenario.json");
        std::fs::write(&scenario, r#"{"turns": [{"text": "hello"}]}"#)?;
        let model = format!("script:{}", scenario.display());
        let project = self.folder.join("project");
        std::fs::create_dir_all(&project)?;
        let wardian = |arguments: &[&str]| {
            let mut command = Command::new(self.dist.join("wardian"));
            command.args(arguments).env("WARDIAN_HOME", self.folder.join("home")).current_dir(&project);
            command
        };
        let version = time(|| wardian(&["--version"]))?;
        let run = time(|| wardian(&["run", "-m", &model, "hi"]))?;
        let python = time(|| {
            let mut command = Command::new("python3");
            command.args(["-c", "print('hello')"]);
            command
        });
        let python = python.map_or("no python3".to_owned(), |time| format!("python3 -c print {:.0} ms", millis(time)));
        let (version, run) = (millis(version), millis(run));
        table.row("wardian --version", format!("{version:.1} ms; {python}"), "10 ms", version <= 10.0);
        table.row("wardian run, one turn, whole process", format!("{run:.1} ms; {python}"), "60 ms", run <= 60.0);
        Ok(())
    }
}

fn time(command: impl Fn() -> Command) -> Result<Duration> {
    let mut times = Vec::new();
    for round in 0..PROCESSES + 2 {
        let start = Instant::now();
        let status = command().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        let took = start.elapsed();
        anyhow::ensure!(status.success(), "it failed: {status}");
        // The first ones fill caches.
        if round >= 2 {
            times.push(took);
        }
    }
    Ok(median(times))
}

/// Notes when tools start, and how long they take.
#[derive(Default)]
struct Clock {
    started: Mutex<Vec<Instant>>,
    tools: Mutex<Vec<Duration>>,
}

impl Ui for Clock {
    fn event(&self, event: Event) {
        let now = Instant::now();
        match event {
            Event::ToolStarted(_) => {
                if let Ok(mut started) = self.started.lock() {
                    started.push(now);
                }
            }
            Event::ToolFinished(_) => {
                if let (Ok(started), Ok(mut tools)) = (self.started.lock(), self.tools.lock())
                    && let Some(last) = started.last()
                {
                    tools.push(now - *last);
                }
            }
            _ => {}
        }
    }

    fn progress(&self, _: &str, _: Update) {}

    fn ask(&self, _: Question) -> UiFuture<Answer> {
        Box::pin(async { Answer::Unavailable })
    }
}

fn options() -> Options {
    Options {
        session: "bench".into(),
        wardian: "bench".into(),
        project: "bench".into(),
        agent: String::new(),
        model: "script".into(),
        approve: Approve::All,
        rules: vec![],
        budget: Budget { steps_max: None, seconds_max: None, tokens_max: None, result_bytes_max: None },
        limits: Limits::default(),
        instructions: String::new(),
        context_bytes_max: u64::MAX,
        parallel_calls_max: 8,
        retries_max: 0,
        response_bytes_max: 1 << 20,
    }
}
