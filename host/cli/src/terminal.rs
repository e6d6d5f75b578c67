//! The user at a terminal: questions, and Ctrl-C.

use std::io::{BufRead, IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use wardian_host::Interrupter;
use wardian_host::wit::{Answer, Question};

use crate::failure::code;

/// A second Ctrl-C within this time quits at once.
const TWICE: Duration = Duration::from_secs(1);

/// Between two looks at whether a question was withdrawn.
const LOOK_MS: i64 = 50;

/// One question at a time: several calls may wait for permission at once.
static ASKING: Mutex<()> = Mutex::new(());

/// Whether there is somebody who can be asked.
pub fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks for a permission and waits for the answer, or until `withdrawn`.
pub fn ask(question: &Question, withdrawn: &AtomicBool) -> Answer {
    if !can_ask() {
        return Answer::Unavailable;
    }
    let Ok(_one) = ASKING.lock() else { return Answer::Unavailable };
    let powers = powers(question);
    loop {
        if withdrawn.load(Ordering::Acquire) {
            return Answer::Deny;
        }
        eprintln!("\n{} wants to: {}  [{powers}]", question.tool, question.summary);
        eprint!("Allow?  y once · a always in this session · n no · ? show the whole call  > ");
        let _ = std::io::stderr().flush();
        let Some(line) = read_line(withdrawn) else { return Answer::Deny };
        match line.trim() {
            "y" | "yes" => return Answer::Once,
            "a" | "always" => return Answer::Session,
            "n" | "no" => return Answer::Deny,
            "?" => eprintln!("{}", pretty(&question.input)),
            _ => eprintln!("please answer y, a, n or ?"),
        }
    }
}

fn powers(question: &Question) -> String {
    crate::show::powers(&question.powers)
}

fn pretty(json: &str) -> String {
    serde_json::from_str::<serde_json::Value>(json)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| json.to_owned())
}

/// A line from the terminal; none at its end or when the question was withdrawn. Waits in small steps, so that a
/// withdrawn question leaves no reader behind who would swallow the next line.
#[cfg(unix)]
fn read_line(withdrawn: &AtomicBool) -> Option<String> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdin = std::io::stdin();
    loop {
        if withdrawn.load(Ordering::Acquire) {
            return None;
        }
        let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
        let look = Timespec { tv_sec: 0, tv_nsec: LOOK_MS * 1_000_000 };
        match poll(&mut fds, Some(&look)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => {
                let mut line = String::new();
                let read = stdin.lock().read_line(&mut line).ok()?;
                return (read > 0).then_some(line);
            }
            Err(_) => return None,
        }
    }
}

#[cfg(not(unix))]
fn read_line(_: &AtomicBool) -> Option<String> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line).ok()?;
    (read > 0).then_some(line)
}

/// While it is there, Ctrl-C ends the runs of one agent.
#[must_use]
pub struct Watching(tokio::task::AbortHandle);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Lets Ctrl-C (and SIGTERM) end the present run, and a second one within a second the process. None: the system has no
/// such signals to listen to, and ends the process as it always does.
pub fn watch_interrupts(interrupter: Interrupter) -> Option<Watching> {
    let mut signals = Signals::new().ok()?;
    let task = tokio::spawn(async move {
        let mut last: Option<Instant> = None;
        while signals.next().await {
            if last.is_some_and(|last| last.elapsed() < TWICE) {
                std::process::exit(i32::from(code::CANCELLED));
            }
            last = Some(Instant::now());
            interrupter.interrupt();
            eprintln!("\ncancelling … (Ctrl-C again to quit at once)");
        }
    });
    Some(Watching(task.abort_handle()))
}

/// The signals that ask for an end. Listened to from the moment this exists, so that none is lost between two waits.
#[cfg(unix)]
pub struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// Of the last one.
    status: u8,
}

#[cfg(unix)]
impl Signals {
    pub fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Self { interrupt, terminate, status: code::CANCELLED })
    }

    /// False when there can be no more.
    pub async fn next(&mut self) -> bool {
        tokio::select! {
            signal = self.interrupt.recv() => {
                self.status = code::CANCELLED;
                signal.is_some()
            }
            signal = self.terminate.recv() => {
                self.status = code::TERMINATED;
                signal.is_some()
            }
        }
    }

    /// The exit status that the last one asks for.
    pub fn status(&self) -> u8 {
        self.status
    }
}

#[cfg(not(unix))]
pub struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    pub async fn next(&mut self) -> bool {
        tokio::signal::ctrl_c().await.is_ok()
    }

    pub fn status(&self) -> u8 {
        code::CANCELLED
    }
}
