//! The composed agent: provider, session and core in one component, and what this host lends it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime::{Store, Trap};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_config::{WasiConfig, WasiConfigVariables};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use crate::capability::activities::Activities;
use crate::capability::control::Control;
use crate::capability::http::net::Net;
use crate::capability::http::{self, Http, Network};
use crate::capability::jobs::Jobs;
use crate::capability::output::{Captured, Output};
use crate::capability::turns::Turns;
use crate::capability::{self, Lender, Lent, Ui};
use crate::limits::{Limited, Limiter, Limits, Meter};
use crate::tool::{Files, PROJECT, SCRATCH, Tool, UPPER};
use crate::wit::{
    CallError, Divergence, NetVerdict, OpenError, Opened, Options, Outcome, Report, RunUsage, Stop, Summary, ToolCall,
    ToolInfo,
};
use crate::{Code, Commands, Error, Host};

#[allow(missing_docs, reason = "generated; the contracts in wit/ say what things are")]
pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        inline: "
            package wardian:native;
            world agent {
                import wardian:host/sandbox@0.1.0;
                import wardian:host/approver@0.1.0;
                import wardian:host/observer@0.1.0;
                import wardian:host/control@0.1.0;
                export wardian:agent/agent@0.1.0;
                export wardian:agent/toolbox@0.1.0;
                export wardian:session/session@0.1.0;
                export wardian:session/journal@0.1.0;
                export wardian:workspace/review@0.1.0;
            }
        ",
        path: [
            "../wit/wasi-io",
            "../wit/wasi-clocks",
            "../wit/wasi-filesystem",
            "../wit/wardian-tool",
            "../wit/wardian-agent",
            "../wit/wardian-host",
            "../wit/wardian-session",
            "../wit/wardian-workspace",
        ],
        world: "wardian:native/agent",
        imports: { default: trappable },
        exports: { default: async },
        with: {
            "wasi:io": wasmtime_wasi::p2::bindings::io,
            "wardian:tool/types": crate::tool::bindings::wardian::tool::types,
            "wardian:tool/others": crate::tool::bindings::wardian::tool::others,
            "wardian:host/sandbox.running": crate::capability::sandbox::Running,
            "wardian:host/approver.pending": crate::capability::approver::Pending,
        },
        additional_derives: [Clone, PartialEq],
    });
}

/// Where the session's folder is mounted for the session component.
const SESSION: &str = "/session";

/// The agent's own bounds. It runs as long as its user wants, and what it does is bounded by the session's budget.
const AGENT_LIMITS: Limits = Limits {
    wall_ms_max: u64::MAX,
    cpu_ms_max: u64::MAX,
    memory_bytes_max: 3 << 30,
    table_elements_max: 200_000,
    // Also bounds what passes in one call between agent and host: a tool's result, the list of tools.
    output_bytes_max: 256 << 20,
    hostcalls_max: u64::MAX,
};

/// How long an agent that was told to stop may take to do so.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// What may be done with the session's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionAccess {
    /// Only read: for logs and replays.
    Read,
    /// Read and append. The caller makes sure that nobody else does.
    Write,
}

/// What may be done with the project by whoever reviews a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProjectAccess {
    /// Only read: for everything but commit, undo and recovery.
    #[default]
    Read,
    /// Read and write, together with [`SessionAccess::Write`]. The caller makes sure that nobody else does.
    Write,
}

/// What an agent runs with.
pub struct AgentOptions {
    /// The composed agent.
    pub agent: Code,
    /// The tools it may use.
    pub tools: Vec<Tool>,
    /// The commands that its tools may start.
    pub commands: Arc<Commands>,
    /// The files that its tools are granted from, and that are reviewed.
    pub files: Files,
    /// What a review may do with the project.
    pub project: ProjectAccess,
    /// The session's folder; it must exist.
    pub session: PathBuf,
    /// What may be done with it.
    pub access: SessionAccess,
    /// What the provider finds in `wasi:config/store`.
    pub config: HashMap<String, String>,
    /// The network of the model's provider. Its rules are all that it may do: nobody is asked. None: it has no network.
    pub provider_net: Option<Net>,
    /// The network that tools are granted from. None: they have none.
    pub net: Option<Net>,
    /// The user.
    pub ui: Arc<dyn Ui>,
}

pub(crate) struct State {
    wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    limiter: Limiter,
    config: WasiConfigVariables,
    pub(crate) tools: Vec<Tool>,
    pub(crate) commands: Arc<Commands>,
    pub(crate) files: Files,
    pub(crate) ui: Arc<dyn Ui>,
    pub(crate) control: Control,
    turns: Arc<Turns>,
    pub(crate) net: Option<Net>,
    http: Http,
    /// Of the composition itself.
    pub(crate) activities: Arc<Activities>,
    /// What calls have left running.
    pub(crate) jobs: Arc<Jobs>,
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.http.hooks, table: &mut self.table, ctx: &mut self.http.ctx }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl Limited for State {
    fn limiter(&mut self) -> &mut Limiter {
        &mut self.limiter
    }
}

impl Lender for State {
    fn lent(&mut self) -> Lent<'_> {
        Lent { table: &mut self.table, turns: &self.turns, directory: None }
    }
}

impl bindings::wardian::host::types::Host for State {}
impl bindings::wardian::agent::types::Host for State {}
impl bindings::wardian::session::types::Host for State {}
impl bindings::wardian::workspace::types::Host for State {}
impl crate::tool::bindings::wardian::tool::types::Host for State {}

/// An agent in its own instance, with one session.
pub struct Agent {
    pub(crate) store: Store<State>,
    pub(crate) agent: bindings::Agent,
    stderr: Captured,
    cancelled: watch::Sender<bool>,
    pub(crate) host: Host,
}

/// Ends a run from outside, at any point.
#[derive(Clone)]
pub struct Interrupter(watch::Sender<bool>);

impl Interrupter {
    /// Tells the run to end.
    pub fn interrupt(&self) {
        self.0.send_replace(true);
    }

    /// Forgets an interrupt, before the next run.
    pub fn reset(&self) {
        self.0.send_replace(false);
    }

    /// Whether a run was told to end.
    pub fn is_interrupted(&self) -> bool {
        *self.0.borrow()
    }
}

impl Agent {
    /// Starts an instance. The session is not open yet.
    ///
    /// # Errors
    /// When the component needs an import that no agent gets, or the session's folder cannot be opened.
    pub async fn start(host: &Host, options: AgentOptions) -> Result<Self, Error> {
        let link = |source| Error::Link { name: options.agent.name.clone(), source };
        let mut linker = Linker::new(host.engine());
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(link)?;
        wasmtime_wasi_config::add_to_linker(&mut linker, |state: &mut State| WasiConfig::from(&state.config))
            .map_err(link)?;
        capability::add_to_linker(&mut linker).map_err(link)?;
        http::add_to_linker(&mut linker).map_err(link)?;

        let meter = Meter::new(u64::MAX);
        let stderr = Captured::default();
        let wasi = wasi(&options, &meter, &stderr)?;
        let turns = options.files.layer.as_ref().map(|layer| layer.turns.clone()).unwrap_or_default();
        let cancelled = watch::Sender::new(false);
        let activities = Arc::<Activities>::default();
        let provider = |net: &_| Network::new(net, &activities, vec!["*".to_owned()], NetVerdict::Deny);
        let own = options.provider_net.as_ref().map(provider).unwrap_or_default();
        let state = State {
            net: options.net,
            http: Http::new(own),
            jobs: Jobs::new(activities.clone()),
            activities,
            wasi,
            table: ResourceTable::new(),
            limiter: Limiter::new(AGENT_LIMITS, meter),
            config: options.config.into_iter().collect(),
            tools: options.tools,
            commands: options.commands,
            files: options.files,
            ui: options.ui,
            control: Control::new(cancelled.clone()),
            turns,
        };
        let mut store = Store::new(host.engine(), state);
        Limiter::install(&mut store);
        let _ticking = host.ticking();
        let agent =
            bindings::Agent::instantiate_async(&mut store, &options.agent.component, &linker).await.map_err(link)?;
        Ok(Self { store, agent, stderr, cancelled, host: host.clone() })
    }

    /// The handle that ends runs of this agent.
    pub fn interrupter(&self) -> Interrupter {
        Interrupter(self.cancelled.clone())
    }

    pub(crate) fn trapped(&self, error: &wasmtime::Error) -> Error {
        let what = match error.downcast_ref::<Trap>() {
            Some(trap) => trap.to_string(),
            None => error.root_cause().to_string(),
        };
        Error::AgentTrapped(match self.stderr.last_line() {
            Some(line) => format!("{what}: {line}"),
            None => what,
        })
    }

    /// Opens the session. See `wardian:session/session#open`.
    pub async fn open(&mut self, options: &Options) -> Result<Result<Opened, OpenError>, Error> {
        let _ticking = self.host.ticking();
        let session = self.agent.wardian_session_session();
        let result = session.call_open(&mut self.store, options).await;
        result.map_err(|error| self.trapped(&error))
    }

    /// Opens the session to run it again from its journal.
    pub async fn open_replay(&mut self) -> Result<Result<Opened, OpenError>, Error> {
        let _ticking = self.host.ticking();
        let session = self.agent.wardian_session_session();
        let result = session.call_open_replay(&mut self.store).await;
        result.map_err(|error| self.trapped(&error))
    }

    /// In a replay: the next recorded prompt.
    pub async fn next_prompt(&mut self) -> Result<Option<String>, Error> {
        let _ticking = self.host.ticking();
        let session = self.agent.wardian_session_session();
        let result = session.call_next_prompt(&mut self.store).await;
        result.map_err(|error| self.trapped(&error))
    }

    /// In a replay: where it differed.
    pub async fn diverged(&mut self) -> Result<Option<Divergence>, Error> {
        let _ticking = self.host.ticking();
        let session = self.agent.wardian_session_session();
        let result = session.call_diverged(&mut self.store).await;
        result.map_err(|error| self.trapped(&error))
    }

    /// One run: records the prompt, lets the agent answer it, records how it ended.
    ///
    /// The inner error is the journal's: it cannot be written, and nothing more is done.
    pub async fn run(&mut self, prompt: &str) -> Result<Result<(Result<String, Stop>, RunUsage), String>, Error> {
        let _ticking = self.host.ticking();
        let session = self.agent.wardian_session_session();
        match session.call_begin(&mut self.store, prompt).await {
            Err(error) => return Err(self.trapped(&error)),
            Ok(Err(message)) => return Ok(Err(message)),
            Ok(Ok(())) => {}
        }
        let mut cancelled = self.cancelled.subscribe();
        let overdue = async {
            let _ = cancelled.wait_for(|cancelled| *cancelled).await;
            tokio::time::sleep(STOP_GRACE).await;
        };
        let result = tokio::select! {
            result = self.agent.wardian_agent_agent().call_run(&mut self.store) => result,
            () = overdue => return Err(Error::AgentEnded),
        };
        let result = match result {
            Ok(result) => result,
            Err(error) => return Err(self.trapped(&error)),
        };
        let session = self.agent.wardian_session_session();
        let ended = session.call_end(&mut self.store, result.as_ref().map(String::as_str)).await;
        match ended {
            Err(error) => Err(self.trapped(&error)),
            Ok(Err(message)) => Ok(Err(message)),
            Ok(Ok(usage)) => Ok(Ok((result, usage))),
        }
    }

    /// The tools that the session offers.
    pub async fn tools(&mut self) -> Result<Vec<ToolInfo>, Error> {
        let _ticking = self.host.ticking();
        let toolbox = self.agent.wardian_agent_toolbox();
        let result = toolbox.call_list(&mut self.store).await;
        result.map_err(|error| self.trapped(&error))
    }

    /// One call through schema, gate and journal, as the agent would make it.
    pub async fn call(&mut self, call: &ToolCall) -> Result<Result<Outcome, CallError>, Error> {
        let _ticking = self.host.ticking();
        let result = self.call_toolbox(call).await;
        result.map_err(|error| self.trapped(&error))
    }

    async fn call_toolbox(&mut self, call: &ToolCall) -> wasmtime::Result<Result<Outcome, CallError>> {
        /// Between two looks at a call that the host cannot wait for: its pollables belong to the component.
        const LOOK: Duration = Duration::from_millis(2);
        let toolbox = self.agent.wardian_agent_toolbox();
        let invocation = toolbox.call_start(&mut self.store, call).await?;
        let result = loop {
            match toolbox.invocation().call_finish(&mut self.store, invocation).await? {
                Some(result) => break result,
                None => tokio::time::sleep(LOOK).await,
            }
        };
        invocation.resource_drop_async(&mut self.store).await?;
        Ok(result)
    }

    /// What a journal is about, from its ends. Needs no open session.
    pub async fn summarize(&mut self) -> Result<Result<Summary, OpenError>, Error> {
        let _ticking = self.host.ticking();
        let journal = self.agent.wardian_session_journal();
        let result = journal.call_summarize(&mut self.store).await;
        result.map_err(|error| self.trapped(&error))
    }

    /// Checks a journal's every line. Needs no open session.
    pub async fn verify(&mut self) -> Result<Result<Report, OpenError>, Error> {
        let _ticking = self.host.ticking();
        let journal = self.agent.wardian_session_journal();
        let result = journal.call_verify(&mut self.store).await;
        result.map_err(|error| self.trapped(&error))
    }
}

fn wasi(options: &AgentOptions, meter: &Arc<Meter>, stderr: &Captured) -> Result<WasiCtx, Error> {
    let perms = match options.access {
        SessionAccess::Read => FsPerms::ReadOnly,
        SessionAccess::Write => FsPerms::ReadWrite,
    };
    let project = match options.project {
        ProjectAccess::Read => FsPerms::ReadOnly,
        // A commit that the session's folder cannot take a record of must not begin.
        ProjectAccess::Write => perms,
    };
    let mut wasi = WasiCtxBuilder::new();
    // The journal is written on the thread that drives the agent: handing each write over would cost more than it does.
    wasi.allow_blocking_current_thread(true);
    wasi.stdout(Output::new(meter.clone(), Captured::default()));
    wasi.stderr(Output::new(meter.clone(), stderr.clone()));
    let mut lend = |folder: &Path, name: &str, perms| {
        let lent = wasi.preopened_dir(folder, name, perms).map(drop);
        lent.map_err(|error| Error::File { path: folder.to_owned(), source: std::io::Error::other(error.to_string()) })
    };
    lend(&options.session, SESSION, perms)?;
    if let Some(layer) = &options.files.layer {
        lend(&options.files.project, PROJECT, project)?;
        lend(&layer.upper, UPPER, perms)?;
        lend(&layer.scratch, SCRATCH, perms)?;
    }
    Ok(wasi.build())
}
