//! What a call does besides computing, for whoever watches it: requests that are over, questions, processes.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use crate::command::{Exit, Killed, Status};
use crate::tool::bindings::wardian::tool::others::Refusal;
use crate::wit::{self, Activity, InnerCall, NetError, NetQuestion, NetRequest, Outcome, ProcessExit, ProcessStart};

/// What may wait to be taken. Code that does more waits.
const WAITING_MAX: usize = 256;

/// Bytes of bodies that a request has moved.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    pub(crate) received: AtomicU64,
    pub(crate) sent: AtomicU64,
}

/// The activities of one call, or of the agent's own composition.
pub struct Activities {
    log: Mutex<Log>,
    /// Changes whenever there is something to look at.
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Log {
    waiting: VecDeque<Activity>,
    /// Requests under way, by number.
    open: BTreeMap<u64, Open>,
    questions: HashMap<u32, oneshot::Sender<bool>>,
    /// Calls of other tools that were not answered.
    calls: HashMap<u32, oneshot::Sender<Answered>>,
    next: u64,
    /// Processes under way, by number.
    processes: BTreeMap<u32, Instant>,
    processes_started: u32,
    /// No more code runs.
    is_closed: bool,
    /// Whoever watches answers calls of other tools.
    takes_calls: bool,
    /// How long the call stood still so far: its user was asked, another tool was called, or code was compiled. That time
    /// is not the call's.
    still: Duration,
    /// What it stands still for now, and since when it does.
    stills: usize,
    still_since: Option<Instant>,
}

struct Open {
    method: String,
    url: String,
    rule: String,
    since: Instant,
    moved: Arc<Moved>,
    status: Option<u16>,
}

impl Open {
    fn end(self, allowed: bool, error: Option<NetError>) -> Activity {
        Activity::NetRequest(NetRequest {
            method: self.method,
            url: self.url,
            allowed,
            rule: self.rule,
            status: self.status,
            bytes_in: self.moved.received.load(Ordering::Relaxed),
            bytes_out: self.moved.sent.load(Ordering::Relaxed),
            ms: self.since.elapsed().as_millis() as u64,
            error,
        })
    }
}

pub(crate) fn net_error(kind: &str, message: impl Into<String>) -> NetError {
    NetError { kind: kind.to_owned(), message: message.into(), at: None }
}

impl Default for Activities {
    fn default() -> Self {
        Self { log: Mutex::default(), changed: watch::Sender::new(()) }
    }
}

impl Activities {
    /// Of a call of a session, which answers when code calls other tools.
    pub(crate) fn of_call() -> Arc<Self> {
        let activities = Self::default();
        activities.log().takes_calls = true;
        Arc::new(activities)
    }

    /// Of code that nobody watches: nothing is kept, and every question is answered with no.
    pub fn unwatched() -> Arc<Self> {
        let activities = Self::default();
        activities.close();
        Arc::new(activities)
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        // Nothing in here is left half done by a panic.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, mut log: MutexGuard<'_, Log>, activity: Activity) {
        if !log.is_closed {
            log.waiting.push_back(activity);
        }
        drop(log);
        self.changed.send_replace(());
    }

    /// Takes what there is, the oldest first.
    pub fn take(&self) -> Vec<Activity> {
        let taken = self.log().waiting.drain(..).collect();
        self.changed.send_replace(());
        taken
    }

    /// Ends what is under way: nothing comes after it.
    pub(crate) fn close(&self) {
        let mut log = self.log();
        let open = std::mem::take(&mut log.open);
        log.waiting.extend(open.into_values().map(|open| open.end(true, Some(cut_off()))));
        log.questions.clear();
        log.calls.clear();
        let processes = std::mem::take(&mut log.processes);
        let killed = |(process, since): (u32, Instant)| {
            let (status, wall_ms) = (Err(wit::Killed::Killed), since.elapsed().as_millis() as u64);
            Activity::ProcessExit(ProcessExit { process, status, wall_ms, memory_peak_bytes: 0 })
        };
        log.waiting.extend(processes.into_iter().map(killed));
        log.is_closed = true;
        drop(log);
        self.changed.send_replace(());
    }

    /// Waits until there is something to take.
    pub(crate) async fn some(&self) {
        self.until(|log| !log.waiting.is_empty()).await;
    }

    /// Waits until there is room for more.
    pub(crate) async fn room(&self) {
        self.until(|log| log.waiting.len() < WAITING_MAX).await;
    }

    async fn until(&self, holds: impl Fn(&Log) -> bool) {
        let mut changed = self.changed.subscribe();
        while !holds(&self.log()) {
            // Cannot fail: the sender is `self`.
            let _ = changed.changed().await;
        }
    }

    /// A request that is not sent.
    pub(crate) fn refused(&self, method: &str, url: &str, rule: &str, error: NetError) {
        let (method, url, rule) = (method.to_owned(), url.to_owned(), rule.to_owned());
        let open = Open { method, url, rule, since: Instant::now(), moved: Arc::default(), status: None };
        self.put(self.log(), open.end(false, Some(error)));
    }

    /// Asks, and waits for the answer. No answer is a no.
    pub(crate) async fn ask(&self, method: &str, host: &str, url: &str) -> bool {
        let _still = self.still();
        let Some((id, answered)) = self.put_question(method, host, url) else { return false };
        let _waiting = Waiting(self, id);
        answered.await.unwrap_or(false)
    }

    /// Calls another tool of the session, and waits for what comes back.
    pub(crate) async fn call(&self, tool: String, input: String) -> Answered {
        let (answer, answered) = oneshot::channel();
        let id = {
            let mut log = self.log();
            if log.is_closed || !log.takes_calls {
                return Err(refusal("not-permitted", "no session is here whose tools could be called"));
            }
            let id = log.next as u32;
            log.next += 1;
            log.calls.insert(id, answer);
            self.put(log, Activity::ToolCall(InnerCall { id, tool, input }));
            id
        };
        let _still = self.still();
        let _waiting = Waiting(self, id);
        answered.await.unwrap_or_else(|_| Err(refusal("cancelled", "the call was ended")))
    }

    pub(crate) fn answer_call(&self, id: u32, answered: Answered) {
        if let Some(answer) = self.log().calls.remove(&id) {
            let _ = answer.send(answered);
        }
    }

    fn put_question(&self, method: &str, host: &str, url: &str) -> Option<(u32, oneshot::Receiver<bool>)> {
        let (answer, answered) = oneshot::channel();
        let mut log = self.log();
        if log.is_closed {
            return None;
        }
        let id = log.next as u32;
        log.next += 1;
        log.questions.insert(id, answer);
        let (method, host, url) = (method.to_owned(), host.to_owned(), url.to_owned());
        self.put(log, Activity::NetQuestion(NetQuestion { id, method, host, url }));
        Some((id, answered))
    }

    pub(crate) fn answer(&self, id: u32, allowed: bool) {
        if let Some(answer) = self.log().questions.remove(&id) {
            let _ = answer.send(allowed);
        }
    }

    /// While it exists the call's time stands still.
    pub(crate) fn still(&self) -> Still<'_> {
        let mut log = self.log();
        log.stills += 1;
        log.still_since.get_or_insert_with(Instant::now);
        Still(self)
    }

    /// How long the call has stood still.
    pub(crate) fn stood_still(&self) -> Duration {
        let log = self.log();
        log.still + log.still_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Waits so long, not counting the time in which the call stood still.
    pub(crate) async fn sleep(&self, time: Duration) {
        let (start, before) = (Instant::now(), self.stood_still());
        loop {
            let still = self.stood_still().saturating_sub(before);
            let left = time.saturating_add(still).saturating_sub(start.elapsed());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }

    /// A request is about to be sent.
    pub(crate) fn begin(self: &Arc<Self>, method: &str, url: &str, rule: &str) -> Record {
        let moved = Arc::<Moved>::default();
        let mut log = self.log();
        let id = log.next;
        log.next += 1;
        let (method, url, rule) = (method.to_owned(), url.to_owned(), rule.to_owned());
        let open = Open { method, url, rule, since: Instant::now(), moved: moved.clone(), status: None };
        if !log.is_closed {
            log.open.insert(id, open);
        }
        drop(log);
        Record { activities: self.clone(), id, moved }
    }
}

/// What comes back from another tool.
pub(crate) type Answered = Result<Outcome, Refusal>;

fn refusal(kind: &str, message: &str) -> Refusal {
    Refusal { kind: kind.to_owned(), message: message.to_owned() }
}

/// An answer is waited for.
struct Waiting<'a>(&'a Activities, u32);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut log = self.0.log();
        log.questions.remove(&self.1);
        log.calls.remove(&self.1);
    }
}

/// See [`Activities::still`].
pub(crate) struct Still<'a>(&'a Activities);

impl Drop for Still<'_> {
    fn drop(&mut self) {
        let mut log = self.0.log();
        log.stills -= 1;
        if log.stills == 0
            && let Some(since) = log.still_since.take()
        {
            log.still += since.elapsed();
        }
    }
}

fn cut_off() -> NetError {
    net_error("cut-off", "the code ended, or lost interest, before the request was over")
}

impl Activities {
    /// A process is about to run. Gives its number.
    pub(crate) fn process_started(&self, argv: &[String], component: &str, cwd: &str) -> u32 {
        let mut log = self.log();
        log.processes_started += 1;
        let process = log.processes_started;
        if !log.is_closed {
            log.processes.insert(process, Instant::now());
        }
        let (argv, component, cwd) = (argv.to_vec(), component.to_owned(), cwd.to_owned());
        self.put(log, Activity::ProcessStart(ProcessStart { process, argv, component, cwd }));
        process
    }

    pub(crate) fn process_ended(&self, process: u32, exit: &Exit) {
        let mut log = self.log();
        // Otherwise its end was told already.
        if log.processes.remove(&process).is_some() {
            let status = match &exit.status {
                Status::Exited(code) => Ok(*code),
                Status::Killed(killed) => Err(match killed.clone() {
                    Killed::Pipe => wit::Killed::Pipe,
                    Killed::Killed => wit::Killed::Killed,
                    Killed::Limit(limit) => wit::Killed::Limit(limit),
                    Killed::Trapped(what) => wit::Killed::Trapped(what),
                    Killed::Host(what) => wit::Killed::Host(what),
                }),
            };
            let (wall_ms, memory_peak_bytes) = (exit.wall_ms, exit.memory_peak_bytes);
            self.put(log, Activity::ProcessExit(ProcessExit { process, status, wall_ms, memory_peak_bytes }));
        }
    }
}

/// A request under way. Dropping it says that it was cut off.
pub(crate) struct Record {
    activities: Arc<Activities>,
    id: u64,
    pub(crate) moved: Arc<Moved>,
}

impl Record {
    pub(crate) fn status(&self, status: u16) {
        if let Some(open) = self.activities.log().open.get_mut(&self.id) {
            open.status = Some(status);
        }
    }

    fn end(&self, allowed: bool, rule: Option<&str>, error: Option<NetError>) {
        let mut log = self.activities.log();
        // Otherwise it ended already.
        if let Some(mut open) = log.open.remove(&self.id) {
            if let Some(rule) = rule {
                open.rule = rule.to_owned();
            }
            self.activities.put(log, open.end(allowed, error));
        }
    }

    pub(crate) fn done(self) {
        self.end(true, None, None);
    }

    pub(crate) fn failed(self, error: NetError) {
        self.end(true, None, Some(error));
    }

    /// The policy refused it after it had begun.
    pub(crate) fn denied(self, rule: &str, error: NetError) {
        self.end(false, Some(rule), Some(error));
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.end(true, None, Some(cut_off()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(activities: &Activities) -> Vec<Option<String>> {
        let error = |activity| match activity {
            Activity::NetRequest(request) => request.error.map(|error| error.kind),
            Activity::NetQuestion(question) => Some(format!("question {}", question.host)),
            Activity::ToolCall(call) => Some(format!("call {}", call.tool)),
            Activity::ProcessStart(start) => Some(format!("process {}", start.process)),
            Activity::ProcessExit(exit) => Some(format!("exit {}: {:?}", exit.process, exit.status)),
        };
        activities.take().into_iter().map(error).collect()
    }

    #[test]
    fn every_request_is_told_once() {
        let activities = Arc::<Activities>::default();
        activities.begin("GET", "u", "r").done();
        drop(activities.begin("GET", "u", "r"));
        let open = activities.begin("GET", "u", "r");
        assert_eq!(errors(&activities), [None, Some("cut-off".to_owned())]);
        activities.close();
        drop(open);
        drop(activities.begin("GET", "u", "r"));
        assert_eq!(errors(&activities), [Some("cut-off".to_owned())]);
    }

    #[test]
    fn every_process_ends_once() {
        let activities = Activities::default();
        let argv = ["x".to_owned()];
        let first = activities.process_started(&argv, "digest", "/");
        let second = activities.process_started(&argv, "digest", "/");
        let exit = Exit { status: Status::Exited(3), wall_ms: 1, memory_peak_bytes: 2 };
        activities.process_ended(second, &exit);
        activities.process_ended(second, &exit);
        activities.close();
        activities.process_ended(first, &exit);
        activities.process_started(&argv, "digest", "/");
        let told = ["process 1", "process 2", "exit 2: Ok(3)", "exit 1: Err(Killed::Killed)"];
        assert_eq!(errors(&activities), told.map(|line| Some(line.to_owned())));
    }

    #[tokio::test]
    async fn no_answer_is_a_no() {
        let activities = Arc::<Activities>::default();
        let asking = |host: &'static str| {
            let activities = activities.clone();
            tokio::spawn(async move { activities.ask("GET", host, "u").await })
        };
        let (yes, no, none) = (asking("a"), asking("b"), asking("c"));
        let mut seen = 0;
        while seen < 3 {
            activities.some().await;
            for activity in activities.take() {
                let Activity::NetQuestion(question) = activity else { panic!() };
                seen += 1;
                match question.host.as_str() {
                    "a" => activities.answer(question.id, true),
                    "b" => activities.answer(question.id, false),
                    _ => {}
                }
            }
        }
        assert!(yes.await.unwrap() && !no.await.unwrap());
        activities.close();
        assert!(!none.await.unwrap());
        assert!(!activities.ask("GET", "d", "u").await);
    }

    #[test]
    fn two_that_stand_still_at_once_count_once() {
        let activities = Activities::default();
        let pause = || std::thread::sleep(Duration::from_millis(20));
        let first = activities.still();
        pause();
        let second = activities.still();
        drop(first);
        pause();
        drop(second);
        let still = activities.stood_still();
        assert!((Duration::from_millis(40)..Duration::from_secs(5)).contains(&still), "{still:?}");
        pause();
        assert_eq!(activities.stood_still(), still);
    }

    #[tokio::test]
    async fn calls_are_answered_where_a_session_listens() {
        let activities = Activities::of_call();
        let calling = |tool: &'static str| {
            let activities = activities.clone();
            tokio::spawn(async move { activities.call(tool.to_owned(), "{}".to_owned()).await })
        };
        let (answered, left) = (calling("a"), calling("b"));
        let mut seen = 0;
        while seen < 2 {
            activities.some().await;
            for activity in activities.take() {
                let Activity::ToolCall(call) = activity else { panic!() };
                seen += 1;
                if call.tool == "a" {
                    activities.answer_call(call.id, Err(refusal("failed", "no")));
                }
            }
        }
        assert_eq!(answered.await.unwrap().unwrap_err().message, "no");
        activities.close();
        assert_eq!(left.await.unwrap().unwrap_err().kind, "cancelled");
        for nobody in [activities, Arc::default()] {
            assert_eq!(nobody.call("a".to_owned(), String::new()).await.unwrap_err().kind, "not-permitted");
        }
    }

    #[tokio::test]
    async fn the_time_in_which_the_user_is_asked_is_not_the_calls() {
        let activities = Arc::<Activities>::default();
        let asking = tokio::spawn({
            let activities = activities.clone();
            async move { activities.ask("GET", "a", "u").await }
        });
        activities.some().await;
        let start = Instant::now();
        let sleeping = tokio::spawn({
            let activities = activities.clone();
            async move { activities.sleep(Duration::from_millis(50)).await }
        });
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert!(!sleeping.is_finished());
        activities.close();
        assert!(!asking.await.unwrap());
        sleeping.await.unwrap();
        assert!(start.elapsed() >= Duration::from_millis(195), "{:?}", start.elapsed());
    }
}
