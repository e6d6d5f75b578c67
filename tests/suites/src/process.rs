//! Processes that are never waited for longer than [`PATIENCE`], and never left behind.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

/// What takes longer than this hangs. Much more than anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(180);

const LOOK: Duration = Duration::from_millis(5);

/// Waits until `look` finds something.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(LOOK);
    }
}

/// A process that has ended.
#[derive(Debug)]
pub struct Done {
    /// Exit status; none when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Done {
    /// Ended with this exit status.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Every one of these is on stderr.
    #[track_caller]
    pub fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stderr.contains(text), "stderr does not say {text:?}\n{self}");
        }
        self
    }

    /// Every one of these is on stdout.
    #[track_caller]
    pub fn prints(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stdout.contains(text), "stdout does not have {text:?}\n{self}");
        }
        self
    }

    /// The one JSON document on stdout.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON: {error}\n{self}"))
    }

    /// The JSON Lines on stdout.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON: {error}: {line}"));
        self.stdout.lines().map(parse).collect()
    }
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { code, stdout, stderr, took } = self;
        write!(f, "exit {code:?} after {took:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---")
    }
}

/// One of a process's streams, read as it comes.
struct Stream {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Stream {
    fn new(mut from: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let kept = bytes.clone();
        let reader = thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(read @ 1..) = from.read(&mut buffer) {
                kept.lock().unwrap().extend(&buffer[..read]);
            }
        });
        Self { bytes, reader: Some(reader) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    fn whole(mut self) -> String {
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        self.text()
    }
}

/// A process under way. It dies with this value.
pub struct Running {
    child: Option<Child>,
    start: Instant,
    stdout: Option<Stream>,
    stderr: Option<Stream>,
}

impl Running {
    #[track_caller]
    pub fn new(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let stdout = child.stdout.take().map(Stream::new);
        let stderr = child.stderr.take().map(Stream::new);
        Self { child: Some(child), start: Instant::now(), stdout, stderr }
    }

    fn child(&mut self) -> &mut Child {
        self.child.as_mut().expect("not waited for yet")
    }

    pub fn id(&mut self) -> u32 {
        self.child().id()
    }

    /// What stderr has so far.
    pub fn stderr(&self) -> String {
        self.stderr.as_ref().map(Stream::text).unwrap_or_default()
    }

    /// What stdout has so far.
    pub fn stdout(&self) -> String {
        self.stdout.as_ref().map(Stream::text).unwrap_or_default()
    }

    #[cfg(unix)]
    #[track_caller]
    pub fn signal(&mut self, signal: rustix::process::Signal) {
        let process = rustix::process::Pid::from_child(self.child());
        rustix::process::kill_process(process, signal).expect("the process is there");
    }

    /// As a power cut would: the process gets no chance to tidy up.
    pub fn kill(mut self) {
        let _ = self.child().kill();
        let _ = self.child().wait();
    }

    /// Waits for the end.
    #[track_caller]
    pub fn wait(mut self) -> Done {
        let status = self.ended();
        let took = self.start.elapsed();
        self.child = None;
        let whole = |stream: Option<Stream>| stream.map(Stream::whole).unwrap_or_default();
        Done { code: status.code(), stdout: whole(self.stdout.take()), stderr: whole(self.stderr.take()), took }
    }

    #[track_caller]
    fn ended(&mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.child().try_wait().expect("it is our child") {
                return status;
            }
            let (out, err) = (self.stdout(), self.stderr());
            assert!(self.start.elapsed() < PATIENCE, "it hangs\n--- stdout\n{out}\n--- stderr\n{err}");
            thread::sleep(LOOK);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
