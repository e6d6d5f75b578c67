//! `wardian:process`: starts commands for tools and for other commands.

use std::sync::Arc;

use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, Pollable, subscribe};

use super::activities::Activities;
use super::http::Network;
use super::jobs::Jobs;
use super::pipe::{pipe, pipe_on_demand};
use super::stdio::{Input, Output};
use super::turns::Turns;
use crate::Host as Engine;
use crate::command::{Command, Exit, Killed, Process, Start, Status};
use crate::family::{Member, TooMany};
use crate::kept::Kept;
use crate::wit::{LimitFault, Limits};
use bindings::wardian::process::process as contract;
use contract::{Host, HostChild, SpawnError};

#[allow(missing_docs, reason = "generated; the contracts in wit/ say what things are")]
pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        inline: "
            package wardian:native;
            world process {
                import wardian:process/process@0.1.0;
                import wardian:process/jobs@0.1.0;
            }
        ",
        path: ["../wit/wasi-io", "../wit/wardian-process"],
        world: "wardian:native/process",
        imports: {
            "wardian:process/process.spawn": async | trappable,
            "wardian:process/process.spawn-kept": async | trappable,
            default: trappable,
        },
        require_store_data_send: true,
        with: {
            "wasi:io": wasmtime_wasi::p2::bindings::io,
            "wardian:process/process.child": crate::capability::process::Child,
        },
    });
}

/// Bytes of the arguments and the environment of one process, as on Linux.
const ARGUMENTS_BYTES_MAX: usize = 2 << 20;

/// What the code in a store hands down to what it starts.
pub(crate) struct Caller {
    host: Engine,
    /// Its own streams, powers, files and limits.
    own: Start,
    member: Member,
    turns: Arc<Turns>,
    pub(crate) jobs: Option<Arc<Jobs>>,
}

impl Caller {
    pub(crate) fn new(host: Engine, own: Start, member: Member) -> Self {
        let turns = own.files.layer.as_ref().map(|layer| layer.turns.clone()).unwrap_or_default();
        Self { host, own, member, turns, jobs: None }
    }

    pub(crate) fn with_jobs(self, jobs: Option<Arc<Jobs>>) -> Self {
        Self { jobs, ..self }
    }

    pub(crate) fn turns(&self) -> &Arc<Turns> {
        &self.turns
    }

    pub(crate) fn activities(&self) -> &Activities {
        &self.own.activities
    }

    pub(crate) fn cwd(&self) -> &str {
        &self.own.cwd
    }

    /// A start as this one's own, with nothing of it that others may wait for.
    pub(crate) fn idle(&self) -> Start {
        Start {
            stdin: Input::null(),
            stdout: Output::null(),
            stderr: Output::null(),
            network: Network::default(),
            activities: Activities::unwatched(),
            ..self.own.clone()
        }
    }

    fn may_start(&self, name: &str) -> bool {
        self.own.powers.process.iter().any(|power| power == "*" || power == name)
    }
}

/// What a store's data must have for code that starts commands.
pub(crate) trait Starts: Send + 'static {
    fn caller(&mut self) -> (&mut ResourceTable, &Caller);
}

/// A process that could start now, and the ends of its pipes that its starter gets.
pub(crate) struct Prepared {
    pub(crate) command: Command,
    pub(crate) start: Start,
    pub(crate) stdin: Option<DynOutputStream>,
    pub(crate) stdout: Option<DynInputStream>,
    pub(crate) stderr: Option<DynInputStream>,
}

/// The part of a store's data that this works on.
pub(crate) struct Starter<'a> {
    table: &'a mut ResourceTable,
    pub(crate) caller: &'a Caller,
}

pub(crate) struct HasStarter;

impl HasData for HasStarter {
    type Data<'a> = Starter<'a>;
}

pub(crate) fn add_to_linker<T: Starts>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    contract::add_to_linker::<T, HasStarter>(linker, |data| Starter::new(data.caller()))
}

/// A process that guest code has started, with the ends of pipes that it has not asked for yet.
pub struct Child {
    process: Process,
    stdin: Option<DynOutputStream>,
    stdout: Option<DynInputStream>,
    stderr: Option<DynInputStream>,
}

#[async_trait]
impl Pollable for Child {
    async fn ready(&mut self) {
        self.process.wait().await;
    }
}

/// A pipe from the child to its starter.
fn back() -> (Output, Option<DynInputStream>) {
    let (reader, writer) = pipe();
    (Output::stream(Box::new(writer)), Some(Box::new(reader)))
}

impl<'a> Starter<'a> {
    pub(crate) fn new((table, caller): (&'a mut ResourceTable, &'a Caller)) -> Self {
        Self { table, caller }
    }
}

impl Starter<'_> {
    fn input(&mut self, input: contract::Input) -> wasmtime::Result<(Input, Option<DynOutputStream>)> {
        Ok(match input {
            contract::Input::Inherit => (self.caller.own.stdin.clone(), None),
            contract::Input::Null => (Input::null(), None),
            contract::Input::Pipe => {
                let (reader, writer) = pipe_on_demand();
                (Input::stream(Box::new(reader)), Some(Box::new(writer)))
            }
            contract::Input::From(stream) => (Input::stream(self.table.delete(stream)?), None),
        })
    }

    fn output(
        &mut self,
        output: contract::Output,
        own: &Output,
        stdout: Option<&Output>,
    ) -> wasmtime::Result<Result<(Output, Option<DynInputStream>), SpawnError>> {
        Ok(Ok(match output {
            contract::Output::Inherit => (own.clone(), None),
            contract::Output::Null => (Output::null(), None),
            contract::Output::Pipe => back(),
            contract::Output::To(stream) => (Output::stream(self.table.delete(stream)?), None),
            contract::Output::Stdout => match stdout {
                Some(stdout) => (stdout.clone(), None),
                None => return Ok(Err(SpawnError::Invalid("stdout cannot go to where stdout goes".to_owned()))),
            },
        }))
    }

    fn start(
        &mut self,
        command: contract::Command,
        kept: Option<(Arc<Kept>, String)>,
    ) -> wasmtime::Result<Result<Child, SpawnError>> {
        let prepared = match self.prepare(command)? {
            Ok(prepared) => prepared,
            Err(error) => return Ok(Err(error)),
        };
        let member = match self.caller.member.child() {
            Ok(member) => member,
            Err(TooMany(max)) => return Ok(Err(SpawnError::TooMany(max))),
        };
        let Prepared { command, start, stdin, stdout, stderr } = prepared;
        Ok(Ok(Child { process: command.spawn_member(start, member, kept), stdin, stdout, stderr }))
    }

    pub(crate) fn prepare(&mut self, command: contract::Command) -> wasmtime::Result<Result<Prepared, SpawnError>> {
        let caller = self.caller;
        // First, so that the streams are taken in any case: their other ends learn of it.
        let (stdin, to_stdin) = self.input(command.stdin)?;
        let (stdout, from_stdout) = match self.output(command.stdout, &caller.own.stdout, None)? {
            Ok(stdout) => stdout,
            Err(error) => return Ok(Err(error)),
        };
        let (stderr, from_stderr) = match self.output(command.stderr, &caller.own.stderr, Some(&stdout))? {
            Ok(stderr) => stderr,
            Err(error) => return Ok(Err(error)),
        };
        let Some(name) = command.argv.first() else {
            return Ok(Err(SpawnError::Invalid("argv is empty".to_owned())));
        };
        if let Err(reason) = check(&command.argv, &command.env, &command.cwd) {
            return Ok(Err(SpawnError::Invalid(reason)));
        }
        if caller.own.commands.find(name).is_none() {
            return Ok(Err(SpawnError::NotFound));
        }
        if !caller.may_start(name) {
            return Ok(Err(SpawnError::NotPermitted(name.clone())));
        }
        // To compile it, the first time, is not what the call is given its time for.
        let still = caller.own.activities.still();
        let loaded = match caller.own.commands.load(&caller.host, name) {
            Some(Ok(loaded)) => loaded,
            Some(Err(error)) => return Ok(Err(SpawnError::Broken(error.to_string()))),
            None => return Ok(Err(SpawnError::NotFound)),
        };
        drop(still);
        let start = Start {
            argv: command.argv,
            env: command.env,
            cwd: command.cwd,
            stdin,
            stdout,
            stderr,
            powers: caller.own.powers.clone(),
            files: caller.own.files.clone(),
            network: caller.own.network.clone(),
            activities: caller.own.activities.clone(),
            limits: narrowed(&caller.own.limits, &command.limits),
            commands: caller.own.commands.clone(),
        };
        Ok(Ok(Prepared { command: loaded, start, stdin: to_stdin, stdout: from_stdout, stderr: from_stderr }))
    }
}

fn check(argv: &[String], env: &[(String, String)], cwd: &str) -> Result<(), String> {
    let bytes = argv.iter().map(String::len).sum::<usize>()
        + env.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    if bytes > ARGUMENTS_BYTES_MAX {
        return Err(format!("arguments and environment have {bytes} bytes, more than {ARGUMENTS_BYTES_MAX}"));
    }
    if argv.iter().any(|argument| argument.contains('\0')) {
        return Err("an argument has a zero byte".to_owned());
    }
    if !cwd.starts_with('/') {
        return Err(format!("cwd is no absolute path: {cwd:?}"));
    }
    Ok(())
}

/// The lower of what is wished and what the caller has.
fn narrowed(own: &Limits, wished: &contract::Limits) -> Limits {
    let lower = |own: u64, wished: Option<u64>| wished.map_or(own, |wished| wished.min(own));
    Limits {
        wall_ms_max: lower(own.wall_ms_max, wished.wall_ms_max),
        cpu_ms_max: lower(own.cpu_ms_max, wished.cpu_ms_max),
        memory_bytes_max: lower(own.memory_bytes_max, wished.memory_bytes_max),
        output_bytes_max: lower(own.output_bytes_max, wished.output_bytes_max),
        ..*own
    }
}

impl Host for Starter<'_> {
    async fn spawn(&mut self, command: contract::Command) -> wasmtime::Result<Result<Resource<Child>, SpawnError>> {
        // Whoever watches is told of every process.
        self.caller.own.activities.room().await;
        match self.start(command, None)? {
            Ok(child) => Ok(Ok(self.table.push(child)?)),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn spawn_kept(
        &mut self,
        command: contract::Command,
        name: String,
    ) -> wasmtime::Result<Result<Resource<Child>, SpawnError>> {
        self.caller.own.activities.room().await;
        // Without a session there is nobody to keep it for.
        let kept = self.caller.jobs.as_ref().map(|jobs| (jobs.kept.clone(), name));
        match self.start(command, kept)? {
            Ok(child) => Ok(Ok(self.table.push(child)?)),
            Err(error) => Ok(Err(error)),
        }
    }

    fn lookup(&mut self, name: String) -> wasmtime::Result<Option<contract::CommandInfo>> {
        let found = self.caller.own.commands.find(&name).filter(|found| self.caller.may_start(found.name));
        Ok(found.map(info))
    }

    fn commands(&mut self) -> wasmtime::Result<Vec<contract::CommandInfo>> {
        let may_start = |found: &crate::commands::Found<'_>| self.caller.may_start(found.name);
        Ok(self.caller.own.commands.all().filter(may_start).map(info).collect())
    }
}

fn info(found: crate::commands::Found<'_>) -> contract::CommandInfo {
    contract::CommandInfo {
        name: found.name.to_owned(),
        component: found.component.to_owned(),
        digest: found.digest.to_owned(),
    }
}

impl HostChild for Starter<'_> {
    fn stdin(&mut self, child: Resource<Child>) -> wasmtime::Result<Option<Resource<DynOutputStream>>> {
        let stream = self.table.get_mut(&child)?.stdin.take();
        Ok(stream.map(|stream| self.table.push(stream)).transpose()?)
    }

    fn stdout(&mut self, child: Resource<Child>) -> wasmtime::Result<Option<Resource<DynInputStream>>> {
        let stream = self.table.get_mut(&child)?.stdout.take();
        Ok(stream.map(|stream| self.table.push(stream)).transpose()?)
    }

    fn stderr(&mut self, child: Resource<Child>) -> wasmtime::Result<Option<Resource<DynInputStream>>> {
        let stream = self.table.get_mut(&child)?.stderr.take();
        Ok(stream.map(|stream| self.table.push(stream)).transpose()?)
    }

    fn subscribe(&mut self, child: Resource<Child>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.table, child)
    }

    fn exit(&mut self, child: Resource<Child>) -> wasmtime::Result<Option<contract::Exit>> {
        Ok(self.table.get(&child)?.process.exit().map(told))
    }

    fn kill(&mut self, child: Resource<Child>) -> wasmtime::Result<()> {
        self.table.get(&child)?.process.kill();
        Ok(())
    }

    fn drop(&mut self, child: Resource<Child>) -> wasmtime::Result<()> {
        self.table.delete(child)?;
        Ok(())
    }
}

pub(crate) fn told(exit: Exit) -> contract::Exit {
    let status = match exit.status {
        Status::Exited(code) => contract::Status::Exited(code),
        Status::Killed(killed) => contract::Status::Killed(match killed {
            Killed::Pipe => contract::Killed::Pipe,
            Killed::Killed => contract::Killed::Killed,
            Killed::Limit(LimitFault { name, at }) => contract::Killed::Limit(contract::Limit { name, at }),
            Killed::Trapped(what) => contract::Killed::Trapped(what),
            Killed::Host(what) => contract::Killed::Host(what),
        }),
    };
    contract::Exit { status, wall_ms: exit.wall_ms, memory_peak_bytes: exit.memory_peak_bytes }
}
