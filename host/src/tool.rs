//! Tools: one fresh, limited instance for each call.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime::{Store, Trap};
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_config::{WasiConfig, WasiConfigVariables};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use crate::capability::activities::Activities;
use crate::capability::http::net::Net;
use crate::capability::http::{self, Http, Network};
use crate::capability::jobs::Jobs;
use crate::capability::output::{Captured, Output};
use crate::capability::process::{Caller, Starts};
use crate::capability::stdio::Input;
use crate::capability::turns::Turns;
use crate::capability::{self, Lender, Lent};
use crate::command::Start;
use crate::family::Member;
use crate::limits::{Limited, Limiter, Meter};
use crate::wit::{
    Fault, FileAccess, Finished, Grant, LimitFault, Limits, NetVerdict, Outcome, Part, Powers, ToolError,
};
use crate::wit::{ToolCall, ToolInfo, Unlisted, Update};
use crate::{Code, Commands, Error, Host};

#[allow(missing_docs, reason = "generated; the contracts in wit/ say what things are")]
pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        inline: "
            package wardian:native;
            world tool {
                import wardian:tool/progress@0.1.0;
                import wardian:tool/others@0.1.0;
                export wardian:tool/tools@0.1.0;
            }
        ",
        path: ["../wit/wardian-tool"],
        world: "wardian:native/tool",
        imports: { "wardian:tool/others.call": async | trappable },
        exports: { default: async },
        additional_derives: [Clone, PartialEq],
    });
}

/// Where a tool that works on the project itself has it.
pub(crate) const WORKSPACE: &str = "/workspace";

/// What the workspace is made of: see `wardian:workspace`.
pub(crate) const PROJECT: &str = "/project";
pub(crate) const UPPER: &str = "/upper";
pub(crate) const SCRATCH: &str = "/tmp";

/// Bounds of a tool's description: see `wardian:tool/types#tool`.
const NAME_BYTES_MAX: usize = 64;
const DESCRIPTION_BYTES_MAX: usize = 16 << 10;
const SCHEMA_BYTES_MAX: usize = 64 << 10;

/// What a list of tools may take: it is a constant of the component.
const DESCRIBE_LIMITS: Limits = Limits {
    wall_ms_max: 10_000,
    cpu_ms_max: 5_000,
    memory_bytes_max: 128 << 20,
    table_elements_max: 100_000,
    output_bytes_max: 4 << 20,
    hostcalls_max: 100_000,
};

/// The files of a session. What a call may do with them is in its grant.
#[derive(Debug, Clone)]
pub struct Files {
    /// The project's folder. Tools in the workspace never write to it.
    pub project: PathBuf,
    /// What a session keeps of its own. None: there is no workspace.
    pub layer: Option<Layer>,
    /// Tools work on the project itself, without a workspace in between, and write to it where their grant says so.
    pub direct: bool,
}

/// A session's layer over the project. The folders must exist.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Holds everything that was changed.
    pub upper: PathBuf,
    /// `/tmp` for tools: whoever may write, may write there.
    pub scratch: PathBuf,
    /// Shared by everything that works on this layer.
    pub turns: Arc<Turns>,
}

/// A tool component, linked and ready for calls. Cheap to clone.
#[derive(Clone)]
pub struct Tool {
    code: Code,
    host: Host,
    pre: bindings::ToolPre<State>,
    tools: Arc<Vec<ToolInfo>>,
    /// The import by which it sends requests.
    http_import: Option<String>,
    /// What it finds in `wasi:config/store`.
    config: Arc<WasiConfigVariables>,
}

/// How a call runs.
#[derive(Clone)]
pub struct ToolCallOptions {
    /// What it may do.
    pub grant: Grant,
    /// The files it is granted from.
    pub files: Files,
    /// The network that it is granted from. None: it has none.
    pub net: Option<Net>,
    /// Receives what it does besides computing.
    pub activities: Arc<Activities>,
    /// The commands that it may start, as far as its grant names them.
    pub commands: Arc<Commands>,
    /// What it leaves running. None: there is no session, and nothing can be left running.
    pub jobs: Option<Arc<Jobs>>,
    /// Receives its progress.
    pub progress: Option<Arc<dyn Fn(Update) + Send + Sync>>,
}

impl ToolCallOptions {
    /// What it hands down to the commands that it starts. It has no streams of its own that lead anywhere.
    fn as_starter(&self, network: Network) -> Start {
        Start {
            argv: Vec::new(),
            env: Vec::new(),
            cwd: WORKSPACE.to_owned(),
            stdin: Input::null(),
            stdout: crate::Output::null(),
            stderr: crate::Output::null(),
            powers: self.grant.powers.clone(),
            files: self.files.clone(),
            network,
            activities: self.activities.clone(),
            // What a process prints is for its starter, who bounds what becomes of it.
            limits: Limits { output_bytes_max: u64::MAX, ..self.grant.limits },
            commands: self.commands.clone(),
        }
    }
}

pub(crate) struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    limiter: Limiter,
    meter: Arc<Meter>,
    progress: Option<Arc<dyn Fn(Update) + Send + Sync>>,
    caller: Caller,
    http: Http,
    config: Arc<WasiConfigVariables>,
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
        Lent { table: &mut self.table, turns: self.caller.turns(), directory: None }
    }
}

impl Starts for State {
    fn caller(&mut self) -> (&mut ResourceTable, &Caller) {
        (&mut self.table, &self.caller)
    }
}

/// Longest progress message that is shown, in bytes.
const PROGRESS_BYTES_MAX: usize = 512;

impl bindings::wardian::tool::types::Host for State {}

impl bindings::wardian::tool::progress::Host for State {
    fn report(&mut self, mut update: Update) {
        // Over the limit nothing is shown any more; the call ends at the next look at the meter.
        if self.meter.put_out(update.message.len() as u64 + 16) {
            let end = update.message.floor_char_boundary(PROGRESS_BYTES_MAX);
            update.message.truncate(end);
            if let Some(progress) = &self.progress {
                progress(update);
            }
        }
    }
}

impl Tool {
    /// Links a component and asks it for its tools.
    ///
    /// # Errors
    /// When it needs an import that no tool gets, when it does not answer, or when it could send requests and none of its
    /// tools asks for that power.
    pub async fn new(host: &Host, code: Code) -> Result<Self, Error> {
        Self::configured(host, code, HashMap::new()).await
    }

    /// The same, for one whose tools depend on what the user's settings say. No secret belongs into `config`: the tool reads
    /// it.
    ///
    /// # Errors
    /// As [`Tool::new`].
    pub async fn configured(host: &Host, code: Code, config: HashMap<String, String>) -> Result<Self, Error> {
        let link = |source| Error::Link { name: code.name.clone(), source };
        let mut linker = Linker::new(host.engine());
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(link)?;
        bindings::wardian::tool::progress::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state).map_err(link)?;
        http::add_to_linker(&mut linker).map_err(link)?;
        wasmtime_wasi_config::add_to_linker(&mut linker, |state: &mut State| WasiConfig::from(&*state.config))
            .map_err(link)?;
        capability::process::add_to_linker(&mut linker).map_err(link)?;
        capability::jobs::add_to_linker(&mut linker).map_err(link)?;
        capability::others::add_to_linker(&mut linker).map_err(link)?;
        if code.in_workspace {
            // For the workspace: a tool with imports of `wardian:host` is never composed.
            capability::add_workspace_to_linker(&mut linker).map_err(link)?;
        }
        let pre = linker.instantiate_pre(&code.component).map_err(link)?;
        let pre = bindings::ToolPre::new(pre).map_err(link)?;
        let http_import = http::import(&code.component);
        let config = Arc::new(config.into_iter().collect());
        let mut tool = Self { code, host: host.clone(), pre, tools: Arc::default(), http_import, config };
        tool.tools = Arc::new(tool.describe().await?);
        check_power(&tool.code.name, tool.http_import.as_deref(), &tool.tools)?;
        Ok(tool)
    }

    /// Its code.
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// The tools in it.
    pub fn tools(&self) -> &[ToolInfo] {
        &self.tools
    }

    async fn describe(&self) -> Result<Vec<ToolInfo>, Error> {
        let powers = Powers { files: FileAccess::None, net: vec![], process: vec![], env: vec![] };
        let grant = Grant { powers, limits: DESCRIBE_LIMITS, unlisted: Unlisted::Deny };
        // With no power over files none are opened.
        let files = Files { project: PathBuf::new(), layer: None, direct: false };
        let options = ToolCallOptions {
            grant,
            files,
            net: None,
            activities: Arc::default(),
            commands: Arc::default(),
            jobs: None,
            progress: None,
        };
        let (result, _) = self
            .run(
                &options,
                async |store, tool| tool.wardian_tool_tools().call_list(&mut *store).await,
                |tools| {
                    tools.iter().map(|tool| tool.name.len() + tool.description.len() + tool.input_schema.len()).sum()
                },
            )
            .await;
        let describe = |reason| Error::Describe { name: self.code.name.clone(), reason };
        let tools = result.map_err(|fault| describe(describe_fault(&fault)))?;
        for tool in &tools {
            check_description(tool).map_err(describe)?;
        }
        Ok(tools)
    }

    /// Runs one call to its end, in a fresh instance.
    pub async fn call(&self, call: &ToolCall, options: &ToolCallOptions) -> Finished {
        let start = Instant::now();
        if let Some(reason) = self.refusal(call, options) {
            return Finished { result: Err(Fault::Refused(reason)), wall_ms: 0, memory_peak_bytes: 0 };
        }
        let (result, memory_peak_bytes) = self
            .run(
                options,
                async |store, tool| tool.wardian_tool_tools().call_call(&mut *store, call).await,
                result_bytes,
            )
            .await;
        Finished { result, wall_ms: start.elapsed().as_millis() as u64, memory_peak_bytes }
    }

    /// Why the call must not run at all: it would send requests, and not one could be allowed.
    fn refusal(&self, call: &ToolCall, options: &ToolCallOptions) -> Option<String> {
        let import = self.http_import.as_ref()?;
        // A tool that did not ask for the power runs without it, beside others of its component that did.
        if options.grant.powers.net.is_empty() {
            return None;
        }
        let could = options.net.as_ref().is_some_and(|net| net.allows_anything(verdict(options.grant.unlisted)));
        (!could).then(|| http::refusal(&call.tool, import))
    }

    /// Starts a call on a thread of its own: a system call that blocks, on a pipe for instance, then holds up nobody.
    pub fn spawn(&self, call: ToolCall, options: ToolCallOptions) -> Spawned {
        let tool = self.clone();
        let runtime = tokio::runtime::Handle::current();
        let wall_ms_max = options.grant.limits.wall_ms_max;
        let activities = options.activities.clone();
        let (cancel, cancelled) = oneshot::channel::<()>();
        let finished = tokio::task::spawn_blocking(move || {
            runtime.block_on(async {
                tokio::select! {
                    finished = tool.call(&call, &options) => finished,
                    _ = cancelled => lost("the call was dropped"),
                }
            })
        });
        Spawned { finished, wall_ms_max, activities, _cancel: cancel }
    }

    async fn run<R>(
        &self,
        options: &ToolCallOptions,
        f: impl AsyncFnOnce(&mut Store<State>, &bindings::Tool) -> wasmtime::Result<R>,
        bytes: impl FnOnce(&R) -> usize,
    ) -> (Result<R, Fault>, u64) {
        let limits = options.grant.limits;
        let meter = Meter::new(limits.output_bytes_max);
        let stderr = Captured::default();
        let wasi = match wasi(options, self.code.in_workspace, &meter, &stderr) {
            Ok(wasi) => wasi,
            Err(fault) => return (Err(fault), 0),
        };
        let member = Member::first(&limits);
        let limiter = Limiter::new(limits, meter.clone()).with_family(member.family());
        let progress = options.progress.clone();
        let unlisted = verdict(options.grant.unlisted);
        let within = options.grant.powers.net.clone();
        let network = options.net.as_ref().map(|net| Network::new(net, &options.activities, within, unlisted));
        let network = network.unwrap_or_default();
        let http = Http::new(network.clone());
        let caller = Caller::new(self.host.clone(), options.as_starter(network), member);
        let caller = caller.with_jobs(options.jobs.clone());
        let (table, config) = (ResourceTable::new(), self.config.clone());
        let data = State { wasi, table, limiter, meter: meter.clone(), progress, caller, http, config };
        let mut store = Store::new(self.host.engine(), data);
        Limiter::install(&mut store);
        let _ticking = self.host.ticking();
        let work = async {
            let tool = self.pre.instantiate_async(&mut store).await.map_err(Broke::Start)?;
            f(&mut store, &tool).await.map_err(Broke::Run)
        };
        // The time in which the user is asked about a request is not the call's.
        let activities = &options.activities;
        let work = async {
            tokio::select! {
                biased;
                result = work => Ok(result),
                () = activities.sleep(Duration::from_millis(limits.wall_ms_max)) => Err(()),
            }
        };
        let result = match work.await {
            Err(()) => Err(Fault::Limit(LimitFault { name: "wall-ms-max".to_owned(), at: limits.wall_ms_max })),
            Ok(Err(broke)) => Err(fault(broke, &meter, &stderr)),
            Ok(Ok(result)) => {
                meter.put_out(bytes(&result) as u64);
                let output = meter.reached().filter(|limit| limit.name == "output-bytes-max");
                output.map_or(Ok(result), |limit| Err(Fault::Limit(limit)))
            }
        };
        (result, store.data().limiter.memory_bytes_peak)
    }
}

/// A call on its own thread. Dropping it ends the instance, at the latest with the next epoch.
pub struct Spawned {
    finished: tokio::task::JoinHandle<Finished>,
    wall_ms_max: u64,
    activities: Arc<Activities>,
    _cancel: oneshot::Sender<()>,
}

/// How long the thread of a call may be overdue before it is given up: it hangs in a system call.
const OVERDUE: Duration = Duration::from_millis(500);

impl Spawned {
    /// Waits for the call, in no case much longer than its limit on wall time.
    pub async fn finish(self) -> Finished {
        let wall = Duration::from_millis(self.wall_ms_max);
        let overdue = self.activities.sleep(wall.saturating_add(OVERDUE));
        let finished = tokio::select! {
            biased;
            finished = self.finished => Some(finished),
            () = overdue => None,
        };
        match finished {
            Some(Ok(finished)) => finished,
            Some(Err(_)) => lost("the call's thread is gone"),
            None => Finished {
                result: Err(Fault::Limit(LimitFault { name: "wall-ms-max".to_owned(), at: self.wall_ms_max })),
                wall_ms: self.wall_ms_max,
                memory_peak_bytes: 0,
            },
        }
    }
}

fn verdict(unlisted: Unlisted) -> NetVerdict {
    match unlisted {
        Unlisted::Deny => NetVerdict::Deny,
        Unlisted::Ask => NetVerdict::Ask,
        Unlisted::Allow => NetVerdict::Allow,
    }
}

pub(crate) fn lost(why: &str) -> Finished {
    Finished { result: Err(Fault::Host(why.to_owned())), wall_ms: 0, memory_peak_bytes: 0 }
}

enum Broke {
    Start(wasmtime::Error),
    Run(wasmtime::Error),
}

fn fault(broke: Broke, meter: &Meter, stderr: &Captured) -> Fault {
    if let Some(limit) = meter.reached() {
        return Fault::Limit(limit);
    }
    let error = match broke {
        Broke::Start(error) if error.downcast_ref::<Trap>().is_none() => {
            return Fault::Host(format!("cannot start an instance: {error:#}"));
        }
        Broke::Start(error) | Broke::Run(error) => error,
    };
    // What a guest hands over in one piece is bounded by the engine before the meter sees it.
    if error.root_cause().to_string().contains("fuel allocated for hostcalls has been exhausted") {
        return Fault::Limit(LimitFault { name: "output-bytes-max".to_owned(), at: meter.output_bytes_max() });
    }
    let what = if let Some(exit) = error.downcast_ref::<I32Exit>() {
        format!("it called exit({}) instead of returning", exit.0)
    } else if let Some(trap) = error.downcast_ref::<Trap>() {
        trap.to_string()
    } else {
        error.root_cause().to_string()
    };
    match stderr.last_line() {
        Some(line) => Fault::Trapped(format!("{what}: {line}")),
        None => Fault::Trapped(what),
    }
}

/// A component that could send requests has a tool that says so.
fn check_power(name: &str, http_import: Option<&str>, tools: &[ToolInfo]) -> Result<(), Error> {
    match http_import {
        Some(import) if tools.iter().all(|tool| tool.powers.net.is_empty()) => {
            Err(Error::Power { name: name.to_owned(), import: import.to_owned(), power: "net" })
        }
        _ => Ok(()),
    }
}

fn check_description(tool: &ToolInfo) -> Result<(), String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if tool.name.is_empty() || tool.name.len() > NAME_BYTES_MAX || !tool.name.chars().all(fine) {
        return Err(format!("the tool's name {:?} is not 1 to {NAME_BYTES_MAX} of A-Z a-z 0-9 _ -", tool.name));
    }
    if tool.description.len() > DESCRIPTION_BYTES_MAX {
        return Err(format!("the description of {} is longer than {DESCRIPTION_BYTES_MAX} bytes", tool.name));
    }
    if tool.input_schema.len() > SCHEMA_BYTES_MAX {
        return Err(format!("the schema of {} is longer than {SCHEMA_BYTES_MAX} bytes", tool.name));
    }
    Ok(())
}

/// A fault in words, for errors of the host itself.
pub(crate) fn describe_fault(fault: &Fault) -> String {
    match fault {
        Fault::NotFound(text) | Fault::Integrity(text) | Fault::Refused(text) => text.clone(),
        Fault::Trapped(text) | Fault::Host(text) => text.clone(),
        Fault::Limit(limit) => format!("{} reached ({})", limit.name, limit.at),
    }
}

fn result_bytes(result: &Result<Outcome, ToolError>) -> usize {
    match result {
        Ok(outcome) => {
            let parts = outcome.parts.iter().map(|part| match part {
                Part::Text(text) => text.len(),
                Part::Image(image) => image.bytes.len(),
                Part::File(file) => file.path.len() + file.media_type.len(),
            });
            parts.sum::<usize>() + outcome.data.as_ref().map_or(0, String::len)
        }
        Err(ToolError::UnknownTool(text) | ToolError::Failed(text)) => text.len(),
        Err(ToolError::InvalidInput(invalid)) => invalid.pointer.len() + invalid.message.len(),
        Err(ToolError::NotPermitted(refused)) => refused.power.len() + refused.subject.len(),
    }
}

/// The call's world: the granted files, clocks and random; streams that go nowhere but count. Sockets are not lent; requests
/// are, beside this.
fn wasi(
    options: &ToolCallOptions,
    in_workspace: bool,
    meter: &Arc<Meter>,
    stderr: &Captured,
) -> Result<WasiCtx, Fault> {
    let mut wasi = WasiCtxBuilder::new();
    // Each call has a thread of its own, so it may block on it, which is much faster than handing work over.
    wasi.allow_blocking_current_thread(true);
    wasi.stdout(Output::new(meter.clone(), Captured::default()));
    wasi.stderr(Output::new(meter.clone(), stderr.clone()));
    lend_files(&mut wasi, &options.files, options.grant.powers.files, in_workspace).map_err(Fault::Host)?;
    Ok(wasi.build())
}

/// Opens the folders that code in a workspace, or without one, works on.
pub(crate) fn lend_files(
    wasi: &mut WasiCtxBuilder,
    files: &Files,
    access: FileAccess,
    in_workspace: bool,
) -> Result<(), String> {
    let perms = match access {
        FileAccess::None => return Ok(()),
        FileAccess::Read => FsPerms::ReadOnly,
        FileAccess::Write => FsPerms::ReadWrite,
    };
    let mut lend = |folder: &Path, name: &str, perms| {
        let lent = wasi.preopened_dir(folder, name, perms).map(drop);
        lent.map_err(|error| format!("cannot open {}: {error}", folder.display()))
    };
    match (&files.layer, in_workspace) {
        (Some(layer), true) if !files.direct => {
            lend(&files.project, PROJECT, FsPerms::ReadOnly)?;
            lend(&layer.upper, UPPER, perms)?;
            lend(&layer.scratch, SCRATCH, perms)
        }
        (layer, false) if files.direct => {
            lend(&files.project, WORKSPACE, perms)?;
            layer.as_ref().map_or(Ok(()), |layer| lend(&layer.scratch, SCRATCH, perms))
        }
        // The folders of one would be a way around the other.
        _ => Err("the component was not loaded for these files".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_lent(layer: bool, direct: bool, in_workspace: bool, access: FileAccess) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let layer = layer.then(|| Layer { upper: path.clone(), scratch: path.clone(), turns: Arc::default() });
        let powers = Powers { files: access, net: vec![], process: vec![], env: vec![] };
        let options = ToolCallOptions {
            grant: Grant { powers, limits: Limits::default(), unlisted: Unlisted::Deny },
            files: Files { project: path, layer, direct },
            net: None,
            activities: Arc::default(),
            commands: Arc::default(),
            jobs: None,
            progress: None,
        };
        wasi(&options, in_workspace, &Meter::new(0), &Captured::default()).is_ok()
    }

    #[test]
    fn who_could_send_requests_asks_for_the_power() {
        let host = Host::new(crate::HostOptions::default()).unwrap();
        let import = |text: &str| {
            let code = host.load("x", &wat::parse_str(text).unwrap(), None).unwrap();
            http::import(&code.component)
        };
        let sends = import("(component (import \"wasi:http/outgoing-handler@0.2.6\" (instance)))");
        assert_eq!(sends.as_deref(), Some("wasi:http/outgoing-handler@0.2.6"));
        assert_eq!(import("(component (import \"wasi:http/types@0.2.6\" (instance)))"), None);
        let tool = |net: &[&str]| ToolInfo {
            name: "T".to_owned(),
            description: String::new(),
            input_schema: "{}".to_owned(),
            powers: Powers {
                files: FileAccess::None,
                net: net.iter().map(|host| (*host).to_owned()).collect(),
                process: vec![],
                env: vec![],
            },
        };
        let error = check_power("tool-x", sends.as_deref(), &[tool(&[])]).unwrap_err().to_string();
        assert!(error.contains("tool-x") && error.contains("wasi:http") && error.contains("`net`"), "{error}");
        assert!(check_power("tool-x", sends.as_deref(), &[tool(&[]), tool(&["*"])]).is_ok());
        assert!(check_power("tool-x", None, &[tool(&[])]).is_ok());
    }

    #[test]
    fn no_tool_gets_the_folders_that_are_meant_for_the_other_kind() {
        for access in [FileAccess::Read, FileAccess::Write] {
            assert!(is_lent(true, false, true, access), "in the workspace");
            assert!(is_lent(true, true, false, access), "on the project itself");
            assert!(is_lent(false, true, false, access), "without scratch");
            assert!(!is_lent(true, false, false, access), "the workspace's folders for a tool that is not in it");
            assert!(!is_lent(true, true, true, access), "the project itself for a workspace");
            assert!(!is_lent(false, false, true, access), "a workspace without a layer");
            assert!(!is_lent(false, false, false, access));
        }
        assert!(is_lent(false, false, false, FileAccess::None), "without the power there is nothing to lend");
    }
}
