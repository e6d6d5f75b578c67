//! What a call, a step, a journal and a process cost.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Result;
use wardian_host::wit::{
    Answer, Approve, Budget, Event, FileAccess, Grant, Options, Powers, Question, ToolCall, Unlisted, Update,
};
use wardian_host::{
    Agent, AgentOptions, Files, Host, Layer, Limits, ProjectAccess, SessionAccess, Tool, ToolCallOptions, Ui, UiFuture,
};

use crate::Bench;
use crate::table::{Table, median, micros, millis};

/// Calls of a trivial tool, and spawns of a trivial process, that are timed.
const CALLS: usize = 400;
/// Steps of the scripted run that is timed.
const STEPS: usize = 300;
/// Whole processes that are timed.
const PROCESSES: usize = 15;
/// Events of the long journal.
const EVENTS: u64 = 100_000;

pub fn run(bench: &Bench, runtime: &tokio::runtime::Runtime, table: &mut Table) -> Result<()> {
    runtime.block_on(async {
        bench.tool_call(table).await?;
        bench.whole_loop(table).await?;
        bench.resume(table).await
    })?;
    bench.processes(table)
}

impl Bench {
    async fn guests(&self, host: &Host) -> Result<Tool> {
        self.overlaid(host, "guests", "tests/guests.wasm").await
    }

    /// A project with a new layer over it.
    pub fn files(&self, name: &str) -> Result<Files> {
        let folder = self.folder.join(name);
        let [project, upper, scratch] = ["project", "upper", "tmp"].map(|name| folder.join(name));
        for folder in [&project, &upper, &scratch] {
            std::fs::create_dir_all(folder)?;
        }
        Ok(Files { project, layer: Some(Layer { upper, scratch, turns: Arc::default() }), direct: false })
    }

    /// A call of a trivial tool in a fresh instance, against the cheapest process there is.
    async fn tool_call(&self, table: &mut Table) -> Result<()> {
        let host = self.host()?;
        let tool = self.guests(&host).await?;
        let call = ToolCall { id: "1".into(), tool: "Echo".into(), input: r#"{"text":"hello"}"#.into() };
        let powers = Powers { files: FileAccess::Read, net: vec![], process: vec![], env: vec![] };
        let options = ToolCallOptions {
            grant: Grant { powers, limits: Limits::default(), unlisted: Unlisted::Deny },
            files: self.files("calls")?,
            net: None,
            activities: Arc::default(),
            commands: Arc::default(),
            jobs: None,
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
        // No absolute bound: machines differ.
        table.row("tool call in the workspace, fresh instance (p50)", figure, "1/5", call * 5.0 <= spawn);
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
        let mut agent = self.session(&host, vec![tool], &session, scenario, clock.clone()).await?;
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

    async fn session(
        &self,
        host: &Host,
        tools: Vec<Tool>,
        session: &Path,
        scenario: String,
        ui: Arc<Clock>,
    ) -> Result<Agent> {
        std::fs::create_dir_all(session)?;
        let options = AgentOptions {
            agent: self.agent(host)?,
            tools,
            commands: Arc::default(),
            files: self.files("files")?,
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
            let mut agent = self.session(&host, vec![], &session, scenario.to_owned(), Arc::default()).await?;
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
        let mut agent = self.session(host, vec![], &session, "{\"turns\":[]}".to_owned(), Arc::default()).await?;
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

/// The median time of a process.
pub fn time(command: impl Fn() -> Command) -> Result<Duration> {
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
pub struct Clock {
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

/// A session without bounds.
pub fn options() -> Options {
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
