//! Commands that are processes of the host.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bashkit::{Command, CommandContext, CommandInput, CommandOutput, CommandStatus, Error, Result, async_trait};

use futures_util::FutureExt;
use futures_util::future::{Either, select, try_join3};

use crate::bindings::wardian::process::process::{self, Child, Exit, Killed, SpawnError, Status};
use crate::bindings::wasi::io::streams::{InputStream, OutputStream, StreamError};
use crate::wait::ready;

/// Bytes that are taken from a stream at once.
const PIECE_BYTES_MAX: u64 = 64 << 10;

/// Bytes that the host passes on at once: what it keeps in a pipe.
const PASSED_BYTES_MAX: u64 = 256 << 10;

/// What shells say of a command that was found and could not be run.
const CANNOT_RUN: i32 = 126;
const NOT_FOUND: i32 = 127;

/// A command component. Its name says which.
pub struct Process;

#[async_trait]
impl Command for Process {
    async fn execute(&self, context: CommandContext<'_>) -> Result<CommandStatus> {
        // Before the first wait: then it is another command's.
        let taken = context.execution_extension::<Ends>().and_then(|ends| ends.try_with(take).ok());
        let (offer, ask) = taken.unwrap_or_default();
        let substituted = Substituted::new(&context).await?;
        let child = match spawn(context.name, &substituted.arguments, context.env, context.cwd) {
            Ok(child) => child,
            Err(error) => {
                let (status, why) = describe(&error);
                context.stderr.write_all(format!("{}: {why}\n", context.name).as_bytes()).await?;
                return Ok(CommandStatus::with_code(status));
            }
        };
        let exit = drive(&child, &context, offer, ask).await?;
        let (status, why) = told(&exit.status);
        if let Some(why) = why {
            context.stderr.write_all(format!("{}: {why}\n", context.name).as_bytes()).await?;
        }
        Ok(CommandStatus::with_code(status))
    }
}

/// Where the interpreter keeps what `<(…)` gives: in a file that it alone sees.
const DESCRIPTORS: &str = "/dev/fd/";

/// Arguments in which such files are replaced by ones that processes see, until this is dropped.
struct Substituted {
    arguments: Vec<String>,
    files: Vec<PathBuf>,
}

impl Substituted {
    async fn new(context: &CommandContext<'_>) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut all = Self { arguments: context.args.to_vec(), files: Vec::new() };
        for argument in &mut all.arguments {
            let Some(number) = argument.strip_prefix(DESCRIPTORS).filter(|number| number.parse::<u32>().is_ok()) else {
                continue;
            };
            let bytes = context.fs.read_file(Path::new(&*argument)).await?;
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
            let name = format!("/tmp/.fd-{number}-{since}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
            std::fs::write(&name, bytes)?;
            all.files.push(PathBuf::from(&name));
            *argument = name;
        }
        Ok(all)
    }
}

impl Drop for Substituted {
    fn drop(&mut self) {
        for file in &self.files {
            // One that the command has removed is gone already.
            let _ = std::fs::remove_file(file);
        }
    }
}

fn take(ends: &Ends) -> (Option<Offer>, Option<Ask>) {
    std::mem::take(&mut *ends.lock().unwrap_or_else(PoisonError::into_inner))
}

fn spawn(
    name: &str,
    arguments: &[String],
    env: &std::collections::HashMap<String, String>,
    cwd: &Path,
) -> std::result::Result<Child, SpawnError> {
    let mut env: Vec<(String, String)> = env.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    env.sort_unstable();
    process::spawn(process::Command {
        argv: std::iter::once(name.to_owned()).chain(arguments.iter().cloned()).collect(),
        env,
        cwd: cwd.to_string_lossy().into_owned(),
        stdin: process::Input::Pipe,
        stdout: process::Output::Pipe,
        stderr: process::Output::Pipe,
        limits: process::Limits { wall_ms_max: None, cpu_ms_max: None, memory_bytes_max: None, output_bytes_max: None },
    })
}

fn describe(error: &SpawnError) -> (i32, String) {
    match error {
        SpawnError::NotFound => (NOT_FOUND, "command not found".to_owned()),
        SpawnError::NotPermitted(name) => (CANNOT_RUN, format!("not permitted: the grant lacks process:{name}")),
        SpawnError::TooMany(max) => {
            (CANNOT_RUN, format!("cannot start: {max} processes run already or are nested so deep"))
        }
        SpawnError::Invalid(why) => (CANNOT_RUN, why.clone()),
        SpawnError::Broken(why) => (CANNOT_RUN, why.clone()),
    }
}

/// The status as a shell shows it, and why the process did not end by itself, where that is not plain from the status.
fn told(status: &Status) -> (i32, Option<String>) {
    match status {
        Status::Exited(code) => (i32::from(*code), None),
        Status::Killed(Killed::Pipe) => (141, None),
        Status::Killed(Killed::Killed) => (137, Some("killed".to_owned())),
        Status::Killed(Killed::Limit(limit)) => {
            (137, Some(format!("killed: {} reached ({})", limit.name.replace('-', "_"), limit.at)))
        }
        Status::Killed(Killed::Trapped(what)) => (134, Some(format!("aborted: {what}"))),
        Status::Killed(Killed::Host(what)) => (137, Some(format!("killed: {what}"))),
    }
}

/// Carries bytes to and from the process until it has ended and all it said is delivered.
async fn drive(child: &Child, context: &CommandContext<'_>, offer: Option<Offer>, ask: Option<Ask>) -> Result<Exit> {
    let stdin = child.stdin();
    let (stdout, stderr) = (child.stdout(), child.stderr());
    let ended = async {
        ready(child.subscribe()).await;
        child.exit()
    };
    // What the process does not read need not be brought any more once it has ended.
    let fed = async {
        match stdin {
            Some(stdin) => feed(stdin, &context.stdin, offer).await,
            None => Ok(()),
        }
    };
    let ended = async {
        match select(pin!(fed), pin!(ended)).await {
            Either::Left((Ok(()), ended)) => Ok(ended.await),
            Either::Left((Err(error), _)) => Err(error),
            Either::Right((exit, _)) => Ok(exit),
        }
    };
    // A reader who went away has had enough: the streams end here, and with its next write the process.
    let out = deliver(stdout, &context.stdout, ask);
    let err = deliver(stderr, &context.stderr, None);
    let (exit, out, err) = try_join3(ended, out.map(Ok), err.map(Ok)).await?;
    out.and(err)?;
    exit.ok_or_else(|| Error::Execution("the process has no end".to_owned()))
}

/// Writes to the process what there is for it. That it reads no more is no error of the shell's.
///
/// Nothing is taken from the input before the process reads: in `while read line; do program; done` the input is the loop's.
/// From then on another process that writes this input may put its bytes here itself: see [`pass`].
async fn feed(stream: OutputStream, input: &CommandInput, offer: Option<Offer>) -> Result<()> {
    if room(&stream).await.is_none() {
        return Ok(());
    }
    let stream = Arc::new(stream);
    let _offered = offer.map(|offer| Offered::new(offer, stream.clone()));
    while let Some(bytes) = input.read_chunk().await? {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let Some(room) = room(&stream).await else { return Ok(()) };
            let (piece, after) = rest.split_at(rest.len().min(room.min(PIECE_BYTES_MAX) as usize));
            if stream.write(piece).is_err() {
                return Ok(());
            }
            rest = after;
        }
        if room(&stream).await.is_none() {
            return Ok(());
        }
    }
    Ok(())
}

/// While the reader of `output` is a process, too: has the host pass on to it what `stream` has, so that it need not come
/// in here and go out again. Whatever ends that, the rest goes the usual way.
async fn pass(stream: &InputStream, ask: &Ask) {
    while let Some(to) = ask().await {
        let Ok(to) = to.downcast::<OutputStream>() else { return };
        match to.check_write() {
            Ok(0) => ready(to.subscribe()).await,
            Ok(_) => match to.splice(stream, PASSED_BYTES_MAX) {
                Ok(0) => ready(stream.subscribe()).await,
                Ok(_) => {}
                Err(_) => return,
            },
            Err(_) => return,
        }
    }
}

/// What another process may write to instead.
type Direct = Arc<dyn Any + Send + Sync>;
/// Says so, or (none) takes it back.
type Offer = Box<dyn Fn(Option<Direct>) + Send + Sync>;
/// Asks for it. The answer holds until the next wait.
type Ask = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Option<Direct>> + Send>> + Send + Sync>;

/// What the interpreter finds among the extensions of an execution, and fills for each command that has pipes: how to
/// offer something to the writer of its input, and how to ask the reader of its output. A change of ours.
pub type Ends = Mutex<(Option<Offer>, Option<Ask>)>;

/// An offer, until it is dropped.
struct Offered(Offer);

impl Offered {
    fn new(offer: Offer, direct: Direct) -> Self {
        offer(Some(direct));
        Self(offer)
    }
}

impl Drop for Offered {
    fn drop(&mut self) {
        (self.0)(None);
    }
}

/// Waits until something can be written. None: nobody reads any more.
async fn room(stream: &OutputStream) -> Option<u64> {
    loop {
        match stream.check_write() {
            Ok(0) => ready(stream.subscribe()).await,
            Ok(room) => return Some(room),
            Err(_) => return None,
        }
    }
}

/// Passes on what the process writes.
async fn deliver(stream: Option<InputStream>, output: &CommandOutput, ask: Option<Ask>) -> Result<()> {
    let Some(stream) = stream else { return Ok(()) };
    loop {
        if let Some(ask) = &ask {
            pass(&stream, ask).await;
        }
        match stream.read(PIECE_BYTES_MAX) {
            Ok(bytes) if bytes.is_empty() => ready(stream.subscribe()).await,
            Ok(bytes) => output.write_all(&bytes).await?,
            Err(StreamError::Closed) => return Ok(()),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(Error::Execution(format!("cannot read from the process: {}", error.to_debug_string())));
            }
        }
    }
}
