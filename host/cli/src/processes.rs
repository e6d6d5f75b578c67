//! What `exec` and `sh` share: the flags, the commands at hand, and one process from its start to its exit status.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wardian_host::wit::{FileAccess, LimitFault, NetVerdict, Powers, ReviewOptions};
use wardian_host::{
    Activities, Command, CommandSource, Commands, Files, Host, Input, Killed, Limits, Network, Output, Process, Start,
    Status,
};

use crate::case::{self, Bytes, Case, How, Which};
use crate::embedded;
use crate::failure::{Failure, code};
use crate::home::Locked;
use crate::settings::Flags;
use crate::show::{Show, Style};
use crate::terminal::Signals;
use crate::{Outcome, block_on};

/// Memory of a process that is started by hand, with all that it starts.
const MEMORY_BYTES_MAX: u64 = 4 << 30;

/// The directory that a process starts in: the project's.
pub const PROJECT: &str = "/workspace";

#[derive(clap::Args)]
pub struct ProcessFlags {
    /// The project's folder
    #[arg(short = 'C', value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Work on the files of this session
    #[arg(long, value_name = "ID", conflicts_with = "direct")]
    session: Option<String>,
    /// Let it write to the project itself, without a review
    #[arg(long)]
    direct: bool,
    /// Seconds that it may take
    #[arg(long, value_name = "N")]
    max_seconds: Option<u64>,
    /// Memory that it may take, in MiB
    #[arg(long, value_name = "MIB")]
    max_memory: Option<u64>,
    /// A variable of its environment (repeatable)
    #[arg(long = "env", value_name = "K=V", value_parser = variable)]
    env: Vec<(String, String)>,
    /// A further command component (repeatable)
    #[arg(long = "component", value_name = "FILE.wasm")]
    components: Vec<PathBuf>,
    /// A host that it may send requests to; '*' for any public one (repeatable)
    #[arg(long = "net", value_name = "HOST[:PORT]")]
    net: Vec<String>,
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("must be NAME=VALUE".to_owned()),
    }
}

impl ProcessFlags {
    fn limits(&self) -> Limits {
        let memory = self.max_memory.map(|mib| mib.saturating_mul(1 << 20));
        Limits {
            // Whoever types a command is there to end it.
            wall_ms_max: self.max_seconds.map_or(u64::MAX, |seconds| seconds.saturating_mul(1000)),
            cpu_ms_max: u64::MAX,
            memory_bytes_max: memory.unwrap_or(MEMORY_BYTES_MAX),
            output_bytes_max: u64::MAX,
            hostcalls_max: u64::MAX,
            ..Limits::default()
        }
    }

    fn environment(&self) -> Vec<(String, String)> {
        let mut env: Vec<(String, String)> = [
            ("HOME", "/tmp"),
            ("LANG", "C.UTF-8"),
            ("PATH", "/usr/bin:/bin"),
            ("PWD", PROJECT),
            ("TMPDIR", "/tmp"),
            ("USER", "user"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        for (name, value) in &self.env {
            env.retain(|(known, _)| known != name);
            env.push((name.clone(), value.clone()));
        }
        env
    }
}

/// A place where processes run.
pub struct Ground {
    case: Case,
    session: Option<Locked>,
    is_own: bool,
    files: Files,
    network: Network,
    activities: Arc<Activities>,
    pub commands: Arc<Commands>,
    flags: ProcessFlags,
}

impl Ground {
    /// `file` is a component whose command is meant before all others.
    pub fn new(flags: ProcessFlags, file: Option<&Path>) -> Result<Self, Failure> {
        let (components, net) = (flags.components.clone(), flags.net.clone());
        let mut case = Case::new(flags.directory.as_deref(), &Flags { components, net, ..Flags::default() })?;
        // Nobody is asked: what was named is allowed, and nothing else.
        case.unlisted_max = NetVerdict::Deny;
        let how = if flags.direct { How::Direct } else { How::Overlay };
        let first = file.map(Path::to_owned).into_iter();
        let further: Vec<PathBuf> = first.chain(case.settings.components.iter().cloned()).collect();
        let commands = commands(&case.host, how, &further)?;
        let which = flags.session.clone().map_or(Which::New, Which::Existing);
        let session = case.session(&which)?;
        let layer = case::create_layer(&session.folder)?;
        let files = Files { project: case.project.clone(), layer: Some(layer), direct: flags.direct };
        let is_own = flags.session.is_none();
        let activities = Activities::unwatched();
        let net = if flags.net.is_empty() { None } else { block_on(case.net(&[]))? };
        let everything = vec!["*".to_owned()];
        let network = net.map(|net| Network::new(&net, &activities, everything, NetVerdict::Deny)).unwrap_or_default();
        Ok(Self { case, session: Some(session), is_own, files, network, activities, commands, flags })
    }

    pub fn project(&self) -> &Path {
        &self.case.project
    }

    /// Where lines that were typed are kept.
    pub fn history(&self, name: &str) -> PathBuf {
        self.case.home.folder.join(name)
    }

    pub fn find(&self, name: &str) -> Result<Command, Failure> {
        match self.commands.load(&self.case.host, name) {
            Some(command) => Ok(command?),
            None => {
                let failure = Failure::usage(format!("there is no command {name:?}")).with_code(127);
                Err(failure.hint("list them: wardian exec --list"))
            }
        }
    }

    pub fn start(&self, argv: Vec<String>, streams: Streams) -> Start {
        Start {
            argv,
            env: self.flags.environment(),
            cwd: PROJECT.to_owned(),
            stdin: streams.stdin,
            stdout: streams.stdout,
            stderr: streams.stderr,
            powers: Powers {
                files: FileAccess::Write,
                net: vec!["*".to_owned()],
                process: vec!["*".to_owned()],
                env: vec!["*".to_owned()],
            },
            files: self.files.clone(),
            network: self.network.clone(),
            activities: self.activities.clone(),
            limits: self.flags.limits(),
            commands: self.commands.clone(),
        }
    }

    /// Runs one process on the streams of this program.
    pub fn run(self, name: &str, argv: Vec<String>) -> Outcome {
        let status = self.find(name).and_then(|command| {
            block_on(async {
                let mut signals = Signals::new().ok();
                let process = command.spawn(self.start(argv, standard()?));
                Ok(wait(process, signals.as_mut()).await)
            })
        });
        self.close();
        Ok(report(name, &status?))
    }

    /// Ends a session of its own: it is kept where something was changed.
    pub fn close(mut self) {
        let Some(session) = self.session.take().filter(|_| self.is_own) else { return };
        let (id, folder) = (session.id.clone(), session.folder.clone());
        let untouched = self.flags.direct || !has_entries(&folder.join("upper"));
        if untouched || !block_on(changed(&self.case, session)).unwrap_or(true) {
            let _ = std::fs::remove_dir_all(&folder);
        } else {
            eprintln!("the project is as it was; to see what was changed: wardian changes {id}");
        }
    }
}

/// Makes a session of the folder, and asks it whether it has changes, ignored ones as well.
async fn changed(case: &Case, session: Locked) -> Result<bool, Failure> {
    let mut open = case.open(session, How::Commit, Show::new(Style::Quiet)).await?;
    match open.agent.changes(&ReviewOptions { paths: Vec::new(), ignored: true }).await? {
        Ok(list) => Ok(!list.changes.is_empty()),
        Err(_) => Ok(true),
    }
}

fn has_entries(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

/// The commands that this binary carries, and those from files.
pub fn commands(host: &Host, how: How, files: &[PathBuf]) -> Result<Arc<Commands>, Failure> {
    let mut sources = Vec::new();
    for (name, bytes) in case::command_files(files)? {
        let called = name.strip_prefix("command-").unwrap_or(&name).to_owned();
        sources.push(source(host, how, name, vec![called], bytes));
    }
    for (carried, names) in embedded::COMMANDS {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        sources.push(source(host, how, carried.name.to_owned(), names, Bytes::Embedded(carried)));
    }
    Ok(Commands::new(sources))
}

fn source(host: &Host, how: How, component: String, names: Vec<String>, bytes: Bytes) -> CommandSource {
    let (host, name, digest) = (host.clone(), component.clone(), bytes.digest().into_owned());
    let load = move || {
        let host = host.for_commands();
        match how {
            How::Direct => case::load_direct(&host, &name, &bytes),
            _ => case::load(&host, &name, &bytes),
        }
    };
    CommandSource { names, component, digest, load: Box::new(load) }
}

/// What a process reads from and writes to.
pub struct Streams {
    pub stdin: Input,
    pub stdout: Output,
    pub stderr: Output,
}

impl Streams {
    pub fn none() -> Self {
        Self { stdin: Input::null(), stdout: Output::null(), stderr: Output::null() }
    }
}

/// The streams of this program.
pub fn standard() -> Result<Streams, Failure> {
    let failed = |error| Failure::failed(format!("cannot use the standard streams: {error}"));
    let [stdin, stdout, stderr] = duplicates().map_err(failed)?;
    Ok(Streams { stdin: Input::file(stdin), stdout: Output::file(stdout), stderr: Output::file(stderr) })
}

#[cfg(unix)]
fn duplicates() -> std::io::Result<[File; 3]> {
    use std::os::fd::AsFd;
    Ok([
        std::io::stdin().as_fd().try_clone_to_owned()?.into(),
        std::io::stdout().as_fd().try_clone_to_owned()?.into(),
        std::io::stderr().as_fd().try_clone_to_owned()?.into(),
    ])
}

#[cfg(windows)]
fn duplicates() -> std::io::Result<[File; 3]> {
    use std::os::windows::io::AsHandle;
    Ok([
        std::io::stdin().as_handle().try_clone_to_owned()?.into(),
        std::io::stdout().as_handle().try_clone_to_owned()?.into(),
        std::io::stderr().as_handle().try_clone_to_owned()?.into(),
    ])
}

/// How a process ended that was waited for.
pub enum Waited {
    Ended(Status),
    /// The user, or the system, wanted no more of it: the status that says so.
    Interrupted(u8),
}

/// Waits for a process; Ctrl-C and SIGTERM end it.
pub async fn wait(mut process: Process, signals: Option<&mut Signals>) -> Waited {
    let Some(signals) = signals else { return Waited::Ended(process.wait().await.status) };
    tokio::select! {
        exit = process.wait() => return Waited::Ended(exit.status),
        _ = signals.next() => {}
    }
    process.kill();
    process.wait().await;
    Waited::Interrupted(signals.status())
}

/// Says why a process was ended, and gives the exit status.
pub fn report(name: &str, waited: &Waited) -> u8 {
    let status = match waited {
        Waited::Ended(status) => status,
        Waited::Interrupted(status) => return *status,
    };
    match status {
        Status::Exited(_) | Status::Killed(Killed::Pipe | Killed::Killed) => {}
        Status::Killed(Killed::Limit(LimitFault { name: limit, at })) => {
            eprintln!("wardian: {name}: {} reached ({at}); it was ended", limit.replace('-', "_"));
        }
        Status::Killed(Killed::Trapped(what)) => eprintln!("wardian: {name}: its code broke: {what}"),
        Status::Killed(Killed::Host(what)) => eprintln!("wardian: {name}: {what}"),
    }
    match status {
        // The usual number would be taken for the user's own doing.
        Status::Killed(Killed::Host(_)) => code::FAILED,
        _ => status.code(),
    }
}
