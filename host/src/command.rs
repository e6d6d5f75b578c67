//! Commands: programs that export `wasi:cli/run`. Each run is a process: an instance of its own, with its own limits and
//! streams, on a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::watch;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Instance, Linker, ResourceTable};
use wasmtime::{Store, Trap};
use wasmtime_wasi::p2::bindings::{Command as WasiCommand, CommandPre};
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use crate::capability::activities::Activities;
use crate::capability::http::{self, Http, Network};
use crate::capability::process::{Caller, Starts};
use crate::capability::stdio::{Input, Output, Standard, Switched};
use crate::capability::{self, Lender, Lent};
use crate::family::Member;
use crate::interrupt::{Account, Interrupt};
use crate::kept::{Again, For, Kept, Life};
use crate::limits::{Limited, Limiter, Meter};
use crate::overseer::{End, Overseer, Place};
use crate::tool::{Files, SCRATCH, WORKSPACE, lend_files};
use crate::wit::{FileAccess, LimitFault, Limits, Powers};
use crate::{Code, Commands, Error, Host};

/// See `wardian:process`.
const AGAIN: &str = "wardian:process/again@0.1.0";

/// A command component, linked and ready to run. Cheap to clone.
#[derive(Clone)]
pub struct Command {
    code: Code,
    host: Host,
    pre: CommandPre<State>,
    asks_for_directory: bool,
}

/// What a process is started with.
#[derive(Clone)]
pub struct Start {
    /// The name that it is called by, and its arguments.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// Where relative paths start, as the process sees it.
    pub cwd: String,
    /// What it reads from.
    pub stdin: Input,
    /// What it writes to.
    pub stdout: Output,
    /// What it complains to.
    pub stderr: Output,
    /// What it may do.
    pub powers: Powers,
    /// The files it is granted from.
    pub files: Files,
    /// What it sends requests with.
    pub network: Network,
    /// Receives what it does besides computing, itself above all.
    pub activities: Arc<Activities>,
    /// Its own bounds. A bound on processor time or memory also holds for it and all that it starts together.
    pub limits: Limits,
    /// The commands that it may start, as far as its powers name them.
    pub commands: Arc<Commands>,
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Exit {
    /// By itself, or not.
    pub status: Status,
    /// From start to end.
    pub wall_ms: u64,
    /// The most linear memory that it had.
    pub memory_peak_bytes: u64,
}

/// The exit status of a process, or why it has none.
#[derive(Debug, Clone, PartialEq)]
pub enum Status {
    /// It ended by itself.
    Exited(u8),
    /// It was ended.
    Killed(Killed),
}

/// Why a process was ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Killed {
    /// It wrote to a pipe that nobody reads any more.
    Pipe,
    /// Whoever started it wanted so.
    Killed,
    /// It reached a limit.
    Limit(LimitFault),
    /// Its code broke.
    Trapped(String),
    /// The host failed.
    Host(String),
}

impl Status {
    /// The number that shells and scripts know: 128 and a signal's where the process was ended.
    pub fn code(&self) -> u8 {
        match self {
            Self::Exited(code) => *code,
            Self::Killed(Killed::Pipe) => 128 + 13,
            Self::Killed(Killed::Trapped(_)) => 128 + 6,
            Self::Killed(Killed::Killed | Killed::Limit(_) | Killed::Host(_)) => 128 + 9,
        }
    }
}

pub(crate) struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    streams: Streams,
    limiter: Limiter,
    caller: Caller,
    asks_for_directory: bool,
    http: Http,
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
        let directory = (!self.asks_for_directory).then(|| self.caller.cwd());
        Lent { table: &mut self.table, turns: self.caller.turns(), directory }
    }
}

impl Starts for State {
    fn caller(&mut self) -> (&mut ResourceTable, &Caller) {
        (&mut self.table, &self.caller)
    }
}

impl Command {
    /// Links a component.
    ///
    /// # Errors
    /// When it is no command, or needs an import that no command gets.
    pub fn new(host: &Host, code: Code) -> Result<Self, Error> {
        let link = |source| Error::Link { name: code.name.clone(), source };
        let mut linker = Linker::new(code.component.engine());
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(link)?;
        capability::process::add_to_linker(&mut linker).map_err(link)?;
        capability::others::add_to_linker(&mut linker).map_err(link)?;
        // A program that does much else runs without the power, too; what it would send is refused.
        http::add_to_linker(&mut linker).map_err(link)?;
        if code.in_workspace {
            // For the workspace: a command with imports of `wardian:host` is never composed.
            capability::add_workspace_to_linker(&mut linker).map_err(link)?;
        } else {
            capability::add_direct_to_linker(&mut linker).map_err(link)?;
        }
        let pre = linker.instantiate_pre(&code.component).map_err(link)?;
        let pre = CommandPre::new(pre).map_err(link)?;
        let asks_for_directory = asks_for_directory(&code);
        Ok(Self { code, host: host.clone(), pre, asks_for_directory })
    }

    /// Its code.
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// Starts a process that no other process has started: a family of its own.
    pub fn spawn(&self, start: Start) -> Process {
        let member = Member::first(&start.limits);
        self.spawn_member(start, member, None)
    }

    /// The same in an instance that was kept under this name, if there is one, and keeps it.
    pub fn spawn_kept(&self, start: Start, kept: &Arc<Kept>, name: &str) -> Process {
        let member = Member::first(&start.limits);
        self.spawn_member(start, member, Some((kept.clone(), name.to_owned())))
    }

    pub(crate) fn spawn_member(&self, start: Start, member: Member, kept: Option<(Arc<Kept>, String)>) -> Process {
        let (told, exit) = watch::channel(None);
        let (begin, wall_ms_max) = (Instant::now(), start.limits.wall_ms_max);
        let activities = start.activities.clone();
        let number = activities.process_started(&start.argv, &self.code.digest, &start.cwd);
        let interrupt = Arc::new(Interrupt::default());
        let end = Arc::new(End { told, interrupt: interrupt.clone(), activities, number, begin });
        let overseer = self.host.overseer().clone();
        let place = overseer.oversee(end.clone(), wall_ms_max);
        let (command, runtime) = (self.clone(), Handle::current());
        tokio::task::spawn_blocking(move || {
            let exit = runtime.block_on(command.run(start, member, kept, &end, &place));
            end.tell(exit);
        });
        Process { exit, interrupt, overseer, number }
    }

    async fn run(
        &self,
        start: Start,
        member: Member,
        kept: Option<(Arc<Kept>, String)>,
        end: &End,
        place: &Place,
    ) -> Exit {
        let (interrupt, begin) = (&end.interrupt, end.begin);
        if let Some(why) = interrupt.reason.get() {
            return Exit::of(Status::Killed(why.clone()), begin);
        }
        let limits = start.limits;
        let (meter, broken) = (Meter::new(limits.output_bytes_max), Arc::new(AtomicBool::new(false)));
        let account = Account { cpu_ms_max: limits.cpu_ms_max, family: member.family(), meter: meter.clone() };
        let kept = kept.map(|(kept, name)| {
            let (powers, files) = (start.powers.clone(), start.files.clone());
            (kept, For { name, digest: self.code.digest.clone(), powers, files })
        });
        let arguments = kept.is_some().then(|| (start.argv.clone(), start.env.clone(), start.cwd.clone()));
        let life = kept.as_ref().and_then(|(kept, owner)| kept.take(owner));
        let (mut store, mut again) = match life {
            Some(Life { mut store, again }) => {
                if !store.data_mut().renew(&self.host, start, member, &meter, &broken) {
                    let limit = LimitFault { name: "memory-bytes-max".to_owned(), at: limits.memory_bytes_max };
                    return Exit::of(Status::Killed(Killed::Limit(limit)), begin);
                }
                (store, Some(again))
            }
            None => match self.data(start, member, &meter, &broken) {
                Ok(data) => (Store::new(self.code.component.engine(), data), None),
                Err(why) => return Exit::of(Status::Killed(Killed::Host(why)), begin),
            },
        };
        store.data_mut().limiter.interrupt = Some(interrupt.clone());
        Limiter::install(&mut store);
        let _watched = match &self.code.watchdog {
            // Only by whoever runs on this thread: nothing that follows leaves it.
            Some(watchdog) => match watchdog.watch(interrupt, &self.code.component, account) {
                Some((watched, watching)) => (Some(place.watch(watched, watching)), None),
                None => return Exit::of(Status::Killed(Killed::Host("it could not be ended".to_owned())), begin),
            },
            None => (None, self.host.ticking()),
        };
        let work = async {
            if again.is_none() {
                let instance = self.pre.instance_pre().instantiate_async(&mut store).await?;
                again = arguments.is_some().then(|| find_again(&mut store, &instance)).flatten();
                if again.is_none() {
                    let command = WasiCommand::new(&mut store, &instance)?;
                    let ran = command.wasi_cli_run().call_run(&mut store).await?;
                    return wasmtime::Result::<u8>::Ok(u8::from(ran.is_err()));
                }
            }
            let (Some(again), Some(arguments)) = (&again, arguments) else { return wasmtime::Result::<u8>::Ok(1) };
            let (status,) = again.call_async(&mut store, arguments).await?;
            wasmtime::Result::<u8>::Ok(status)
        };
        let work = async {
            tokio::select! {
                biased;
                result = work => Ok(result),
                why = interrupt.reason.given() => Err(why.clone()),
            }
        };
        let ended = work.await;
        // Who leaves by `exit` leaves an instance that cannot run again.
        let has_returned = matches!(ended, Ok(Ok(_)));
        let status = match ended {
            Err(why) => Status::Killed(why),
            Ok(Ok(status)) => Status::Exited(status),
            Ok(Err(error)) => match interrupt.reason.get() {
                // That it trapped is how it was ended.
                Some(why) if error.downcast_ref::<Trap>().is_some() => Status::Killed(why.clone()),
                _ => status(&error, &meter, broken.load(Ordering::Acquire)),
            },
        };
        let exit = Exit { memory_peak_bytes: store.data().limiter.memory_bytes_peak, ..Exit::of(status, begin) };
        if let (true, Some((kept, owner)), Some(again)) = (has_returned, kept, again) {
            store.data_mut().rest(&self.host);
            kept.put(owner, Life { store, again });
        }
        exit
    }

    fn data(
        &self,
        start: Start,
        member: Member,
        meter: &Arc<Meter>,
        broken: &Arc<AtomicBool>,
    ) -> Result<State, String> {
        let asks_for_directory = self.asks_for_directory;
        let streams = Streams::of(&start, meter, broken);
        let wasi = wasi(&start, &streams, (self.code.in_workspace, asks_for_directory))?;
        let limiter = Limiter::new(start.limits, meter.clone()).with_family(member.family());
        let http = Http::new(start.network.clone());
        let caller = Caller::new(self.host.clone(), start, member);
        Ok(State { wasi, table: ResourceTable::new(), streams, limiter, caller, asks_for_directory, http })
    }
}

/// `run` of `wardian:process/again`, where a command exports it.
fn find_again(store: &mut Store<State>, instance: &Instance) -> Option<Again> {
    let interface = instance.get_export_index(&mut *store, None, AGAIN)?;
    let function = instance.get_export_index(&mut *store, Some(&interface), "run")?;
    instance.get_typed_func(store, function).ok()
}

/// The streams of a process.
struct Streams {
    stdin: Switched<Input>,
    stdout: Switched<Standard>,
    stderr: Switched<Standard>,
}

impl Streams {
    fn of(start: &Start, meter: &Arc<Meter>, broken: &Arc<AtomicBool>) -> Self {
        let standard = |output| Switched::new(Standard::of(output, meter, broken));
        let (stdout, stderr) = (standard(&start.stdout), standard(&start.stderr));
        Self { stdin: Switched::new(start.stdin.clone()), stdout, stderr }
    }

    fn lead(&self, start: &Start, meter: &Arc<Meter>, broken: &Arc<AtomicBool>) {
        self.stdin.set(start.stdin.clone());
        self.stdout.set(Standard::of(&start.stdout, meter, broken));
        self.stderr.set(Standard::of(&start.stderr, meter, broken));
    }
}

impl State {
    /// Begins another run in the same instance. False: it has more memory than this run may.
    fn renew(
        &mut self,
        host: &Host,
        start: Start,
        member: Member,
        meter: &Arc<Meter>,
        broken: &Arc<AtomicBool>,
    ) -> bool {
        let fits = self.limiter.renew(start.limits, meter.clone(), Some(member.family()));
        self.streams.lead(&start, meter, broken);
        self.http = Http::new(start.network.clone());
        self.caller = Caller::new(host.clone(), start, member);
        fits
    }

    /// Between two runs it holds nothing of the last one: no stream, no network, no place in a family.
    fn rest(&mut self, host: &Host) {
        let idle = self.caller.idle();
        let member = Member::first(&idle.limits);
        let limits = idle.limits;
        let (meter, broken) = (Meter::new(limits.output_bytes_max), Arc::default());
        self.streams.lead(&idle, &meter, &broken);
        self.http = Http::new(Network::default());
        self.limiter.renew(limits, meter, None);
        self.caller = Caller::new(host.clone(), idle, member);
    }
}

/// Whether a program finds out by itself where it starts. Those made with WASI 0.1 inside do not.
fn asks_for_directory(code: &Code) -> bool {
    let (component, engine) = (code.component.component_type(), code.component.engine());
    component.imports(engine).any(|(name, import)| match import.ty {
        ComponentItem::ComponentInstance(instance) if name.starts_with("wasi:cli/environment@") => {
            instance.exports(engine).any(|(function, _)| function == "initial-cwd")
        }
        _ => false,
    })
}

fn status(error: &wasmtime::Error, meter: &Meter, broken: bool) -> Status {
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return Status::Exited(exit.0 as u8);
    }
    Status::Killed(if broken {
        Killed::Pipe
    } else if let Some(limit) = meter.reached() {
        Killed::Limit(limit)
    } else if let Some(trap) = error.downcast_ref::<Trap>() {
        Killed::Trapped(trap.to_string())
    } else {
        Killed::Host(format!("{error:#}"))
    })
}

impl Exit {
    pub(crate) fn of(status: Status, begin: Instant) -> Self {
        Self { status, wall_ms: begin.elapsed().as_millis() as u64, memory_peak_bytes: 0 }
    }
}

/// A process under way. Dropping it, or [`Process::kill`], ends its code: at the latest with the next epoch or host call.
pub struct Process {
    exit: watch::Receiver<Option<Exit>>,
    interrupt: Arc<Interrupt>,
    overseer: Overseer,
    number: u32,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Process {
    /// Its number among those that report to the same [`Activities`].
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Ends it.
    pub fn kill(&self) {
        if self.exit.borrow().is_none() {
            self.overseer.end(&self.interrupt, Killed::Killed);
        }
    }

    /// How it ended, if it has.
    pub fn exit(&self) -> Option<Exit> {
        self.exit.borrow().clone()
    }

    /// Waits for its end, in no case much longer than its limit on wall time.
    pub async fn wait(&mut self) -> Exit {
        match self.exit.wait_for(Option::is_some).await {
            Ok(exit) => exit.clone(),
            Err(_) => None,
        }
        .unwrap_or_else(|| {
            Exit::of(Status::Killed(Killed::Host("the process's thread is gone".to_owned())), Instant::now())
        })
    }
}

/// What a process sees: its files and streams, clocks and random. Sockets are not lent; requests are, beside this.
fn wasi(start: &Start, streams: &Streams, (in_workspace, asks_for_directory): (bool, bool)) -> Result<WasiCtx, String> {
    let mut wasi = WasiCtxBuilder::new();
    // Each process has a thread of its own, so it may block on it, which is much faster than handing work over.
    wasi.allow_blocking_current_thread(true);
    wasi.args(&start.argv).envs(&start.env).initial_cwd(&start.cwd);
    wasi.stdin(streams.stdin.clone()).stdout(streams.stdout.clone()).stderr(streams.stderr.clone());
    if !asks_for_directory && start.files.direct {
        lend_current(&mut wasi, start)?;
    }
    lend_files(&mut wasi, &start.files, start.powers.files, in_workspace)?;
    Ok(wasi.build())
}

/// What the workspace does by itself for those in it: see `wardian:host/start`. A directory further down could be replaced
/// by a link out of the project before it is opened here.
fn lend_current(wasi: &mut WasiCtxBuilder, start: &Start) -> Result<(), String> {
    let perms = match start.powers.files {
        FileAccess::None => return Ok(()),
        FileAccess::Read => FsPerms::ReadOnly,
        FileAccess::Write => FsPerms::ReadWrite,
    };
    let folder = match (start.cwd.trim_end_matches('/'), &start.files.layer) {
        (WORKSPACE, _) => &start.files.project,
        (SCRATCH, Some(layer)) => &layer.scratch,
        _ => {
            return Err(format!("it can only start in {WORKSPACE}, not in {}: it does not ask where it is", start.cwd));
        }
    };
    let lent = wasi.preopened_dir(folder, ".", perms).map(drop);
    lent.map_err(|error| format!("cannot open {}: {error}", folder.display()))
}
