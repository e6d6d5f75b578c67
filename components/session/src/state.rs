//! The state of the one session that an instance has, and what all its interfaces share.

use std::cell::RefCell;
use std::collections::HashSet;
use std::path::Path;

use crate::activity;
use crate::convert;
use crate::event::{self, Event};
use crate::exports::wardian::session::session::Guest;
use crate::gate::Gate;
use crate::journal::{self, Contents, Journal};
use crate::messages::Hasher;
use crate::recorder::{Live, Recorder, Replay, parse_ms};
use crate::resume::{self, Found};
use crate::review::{self, Accounted};
use crate::schema::Schemas;
use crate::wardian::agent::types::{LimitReached, Message, ModelError, Stop};
use crate::wardian::host::control::{self, Interrupt};
use crate::wardian::host::sandbox;
use crate::wardian::host::types::Limits;
use crate::wardian::session::types::{Approve, Budget, Damage, Divergence, OpenError, Opened, Options, Usage};
use crate::wardian::tool::types::Tool;
use crate::{Session, wasi};

/// Where the host mounts the session's folder.
pub const FOLDER: &str = "/session";

/// How far ahead "never" is, in nanoseconds: a year.
const NEVER_NS: u64 = 365 * 24 * 3600 * 1_000_000_000;

/// A tool and the digest of the component that has it.
pub struct Offered {
    pub tool: Tool,
    pub component: String,
}

/// What the run between `begin` and `end` has used.
#[derive(Default)]
pub struct Run {
    pub usage: event::RunUsage,
    pub result_bytes: u64,
}

pub struct State {
    pub recorder: Recorder,
    pub options: Options,
    pub gate: Gate,
    pub schemas: Schemas,
    pub tools: Vec<Offered>,
    pub transcript: Vec<Message>,
    pub hasher: Hasher,
    /// The number of the next model request.
    pub calls: u64,
    pub used_ids: HashSet<String>,
    pub run: Run,
    /// Between `begin` and `end`.
    pub under_way: bool,
    /// What the journal says about the workspace.
    pub accounted: Accounted,
    /// Time of the first event: where the agent's monotonic clock begins.
    pub start_ms: i64,
    /// Random numbers that the agent has drawn.
    pub drawn: u64,
}

thread_local! {
    static STATE: RefCell<Option<State>> = const { RefCell::new(None) };
}

/// Runs `f` on the open session; none when there is none.
pub fn with<R>(f: impl FnOnce(&mut State) -> R) -> Option<R> {
    STATE.with_borrow_mut(|state| state.as_mut().map(f))
}

pub const NOT_OPEN: &str = "the session is not open";

/// A pollable that is ready at once, or in a year.
pub fn ready(ready: bool) -> wasi::io::poll::Pollable {
    wasi::clocks::monotonic_clock::subscribe_duration(if ready { 0 } else { NEVER_NS })
}

/// Why nothing may be started now, if so.
pub fn interrupted(options: &Options) -> Option<ModelError> {
    Some(match control::reason()? {
        Interrupt::Cancelled => ModelError::Cancelled,
        Interrupt::Deadline => ModelError::Limit(LimitReached {
            name: "seconds_max".to_owned(),
            at: options.budget.seconds_max.unwrap_or_default(),
        }),
    })
}

impl State {
    fn new(recorder: Recorder, options: Options, found: Found, tools: Vec<Offered>) -> Result<Self, String> {
        let gate = Gate::new(options.approve, &options.rules)?;
        let start_ms = found.start_ms;
        Ok(Self {
            recorder,
            options,
            gate,
            schemas: Schemas::default(),
            tools,
            transcript: found.transcript,
            hasher: Hasher::default(),
            calls: found.calls,
            used_ids: found.used_ids,
            run: Run::default(),
            under_way: false,
            accounted: Accounted::new(found.commit),
            start_ms,
            drawn: 0,
        })
    }

    pub fn record(&mut self, event: Event) -> Result<(), String> {
        self.recorder.record(&event)
    }

    /// The limit that the next model request would break.
    pub fn exhausted(&self) -> Option<ModelError> {
        let Budget { steps_max, tokens_max, result_bytes_max, .. } = self.options.budget;
        let usage = &self.run.usage;
        let tokens = usage.input_tokens + usage.output_tokens;
        [
            ("steps_max", steps_max, usage.requests),
            ("tokens_max", tokens_max, tokens),
            ("result_bytes_max", result_bytes_max, self.run.result_bytes),
        ]
        .into_iter()
        .find_map(|(name, max, used)| {
            let at = max.filter(|max| used >= *max)?;
            Some(ModelError::Limit(LimitReached { name: name.to_owned(), at }))
        })
    }
}

fn open_error(error: journal::Error) -> OpenError {
    match error {
        journal::Error::Damaged { line, reason } => OpenError::Damaged(Damage { line, reason }),
        journal::Error::Newer(format) => OpenError::Newer(format),
        journal::Error::Io(message) => OpenError::Io(message),
    }
}

pub fn read() -> Result<Contents, OpenError> {
    Contents::read(Path::new(FOLDER)).map_err(open_error)
}

fn offered() -> Vec<Offered> {
    sandbox::components()
        .into_iter()
        .flat_map(|component| {
            let digest = component.digest;
            component.tools.into_iter().map(move |tool| Offered { tool, component: digest.clone() })
        })
        .collect()
}

fn approve_name(approve: Approve) -> &'static str {
    match approve {
        Approve::Ask => "ask",
        Approve::Reads => "reads",
        Approve::Files => "files",
        Approve::All => "all",
        Approve::None => "none",
    }
}

fn limits_json(limits: &Limits) -> serde_json::Value {
    serde_json::json!({
        "wall_ms_max": limits.wall_ms_max,
        "cpu_ms_max": limits.cpu_ms_max,
        "memory_bytes_max": limits.memory_bytes_max,
        "table_elements_max": limits.table_elements_max,
        "output_bytes_max": limits.output_bytes_max,
        "hostcalls_max": limits.hostcalls_max,
    })
}

fn session_start(options: &Options, resumed: bool) -> Event {
    let components = sandbox::components().into_iter().map(|component| (component.name, component.digest)).collect();
    Event::SessionStart(event::SessionStart {
        format: event::FORMAT,
        session: options.session.clone(),
        wardian: options.wardian.clone(),
        project: options.project.clone(),
        agent: options.agent.clone(),
        model: options.model.clone(),
        components,
        limits: limits_json(&options.limits),
        settings: event::Settings {
            instructions: options.instructions.clone(),
            context_bytes_max: options.context_bytes_max,
            parallel_calls_max: options.parallel_calls_max,
            retries_max: options.retries_max,
            response_bytes_max: options.response_bytes_max,
        },
        approve: approve_name(options.approve).to_owned(),
        resumed,
    })
}

fn open(options: Options) -> Result<Opened, OpenError> {
    let folder = Path::new(FOLDER);
    let io = OpenError::Io;
    Gate::new(options.approve, &options.rules).map_err(OpenError::InvalidOptions)?;
    if !folder.join(journal::FILE).exists() {
        let journal = Journal::create(folder).map_err(open_error)?;
        return begin_session(Live::new(journal, 0), options, Found::default(), 0, Vec::new()).map_err(io);
    }
    let contents = read()?;
    let mut found = resume::read(&contents).map_err(OpenError::Damaged)?;
    let torn_bytes = contents.torn_bytes;
    let mut journal = Journal::resume(folder, &contents).map_err(open_error)?;
    let answers = resume::answers(&found);
    let ids = found.unanswered.iter().map(|call| call.id.clone()).collect();
    drop(contents);
    let ts = crate::recorder::format_ms(found.last_ms.max(crate::clock::wall_ms()));
    for event in answers {
        journal.append(&ts, &event).map_err(OpenError::Io)?;
        found.take(event);
    }
    let live = Live::new(journal, parse_ms(&ts).unwrap_or_default());
    begin_session(live, options, found, torn_bytes, ids).map_err(io)
}

fn begin_session(
    live: Live,
    options: Options,
    found: Found,
    torn_bytes: u64,
    answered: Vec<String>,
) -> Result<Opened, String> {
    let resumed = live.journal.events() > 0;
    let start = session_start(&options, resumed);
    let mut state = State::new(Recorder::Live(live), options, found, offered())?;
    state.record(start)?;
    if !resumed {
        state.start_ms = state.recorder.last_ms();
    }
    review::opened(&mut state)?;
    let events = state.recorder.events();
    STATE.set(Some(state));
    Ok(Opened { resumed, events, torn_bytes, answered })
}

fn open_replay() -> Result<Opened, OpenError> {
    let contents = read()?;
    let (events, torn_bytes) = (contents.events(), contents.torn_bytes);
    set_replay(contents, offered())?;
    Ok(Opened { resumed: true, events, torn_bytes, answered: Vec::new() })
}

/// Makes `contents` the outside world of this instance.
pub fn set_replay(contents: Contents, tools: Vec<Offered>) -> Result<(), OpenError> {
    let start: event::SessionStart = contents
        .line(0)
        .and_then(|line| serde_json::from_str(line).ok())
        .ok_or_else(|| OpenError::Damaged(Damage { line: 1, reason: "no session.start".to_owned() }))?;
    let options = replay_options(&start);
    let start_ms = contents.line(0).and_then(|line| journal::Header::read(line).ok()).and_then(|h| parse_ms(h.ts));
    let mut found = Found::default();
    found.start_ms = start_ms.unwrap_or_default();
    let state = State::new(Recorder::Replay(Replay::new(contents)), options, found, tools).map_err(OpenError::Io)?;
    STATE.set(Some(state));
    Ok(())
}

/// Bounds do not matter in a replay: what they did is in the journal.
fn replay_options(start: &event::SessionStart) -> Options {
    Options {
        session: start.session.clone(),
        wardian: start.wardian.clone(),
        project: start.project.clone(),
        agent: start.agent.clone(),
        model: start.model.clone(),
        approve: Approve::None,
        rules: Vec::new(),
        budget: Budget { steps_max: None, seconds_max: None, tokens_max: None, result_bytes_max: None },
        limits: Limits {
            wall_ms_max: 0,
            cpu_ms_max: 0,
            memory_bytes_max: 0,
            table_elements_max: 0,
            output_bytes_max: 0,
            hostcalls_max: 0,
        },
        instructions: start.settings.instructions.clone(),
        context_bytes_max: start.settings.context_bytes_max,
        // Not the recorded one: which call comes when is in the journal, and it may name a call before its turn to start.
        parallel_calls_max: u32::MAX,
        retries_max: start.settings.retries_max,
        // What was cut off for its length is in the journal with its error.
        response_bytes_max: u64::MAX,
    }
}

impl Guest for Session {
    fn open(options: Options) -> Result<Opened, OpenError> {
        if with(|_| ()).is_some() {
            return Err(OpenError::Io("a session is open already".to_owned()));
        }
        open(options)
    }

    fn open_replay() -> Result<Opened, OpenError> {
        if with(|_| ()).is_some() {
            return Err(OpenError::Io("a session is open already".to_owned()));
        }
        open_replay()
    }

    fn next_prompt() -> Option<String> {
        with(|state| {
            let (start, prompt) = state.recorder.replay()?.next_prompt();
            if let Some(start) = start {
                state.options = replay_options(&start);
            }
            prompt
        })
        .flatten()
    }

    fn begin(prompt: String) -> Result<(), String> {
        let deadline = with(|state| {
            state.run = Run::default();
            state.record(Event::UserMessage(event::UserMessage { text: prompt.clone() }))?;
            state.under_way = true;
            state.transcript.push(Message::User(prompt));
            let seconds = state.options.budget.seconds_max.map(|seconds| seconds.saturating_mul(1000));
            Ok::<_, String>((!state.recorder.is_replay()).then_some(seconds))
        })
        .ok_or(NOT_OPEN)??;
        if let Some(deadline_ms) = deadline {
            control::begin(deadline_ms);
        }
        Ok(())
    }

    fn end(result: Result<String, Stop>) -> Result<Usage, String> {
        with(|state| end(state, result)).ok_or(NOT_OPEN)?
    }

    fn diverged() -> Option<Divergence> {
        with(|state| state.recorder.replay().and_then(|replay| replay.divergence.clone())).flatten()
    }
}

fn end(state: &mut State, result: Result<String, Stop>) -> Result<Usage, String> {
    let usage = state.run.usage;
    let (stop, text, error) = match result {
        Ok(text) => ("done", text, None),
        Err(Stop::Cancelled) => ("cancelled", String::new(), None),
        Err(Stop::Budget(limit)) => ("budget", String::new(), Some(convert::model_error(&ModelError::Limit(limit)))),
        Err(Stop::Error(message)) => {
            ("error", String::new(), Some(event::Error { kind: "error".to_owned(), message, at: None }))
        }
    };
    activity::own(state)?;
    // The process may have died between its last answer and the end of the run.
    let is_cut_off = |replay: &mut Replay| replay.cut_off || replay.is_cut_off_here();
    if state.recorder.replay().is_some_and(is_cut_off)
        && let Some(replay) = state.recorder.replay()
    {
        replay.cut_off = false;
        replay.skip_activities();
        replay.skip();
    } else {
        let stop = stop.to_owned();
        state.record(Event::SessionEnd(event::SessionEnd { stop, text, usage, error }))?;
    }
    state.under_way = false;
    state.recorder.seal()?;
    Ok(Usage { requests: usage.requests, input_tokens: usage.input_tokens, output_tokens: usage.output_tokens })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    /// Replays a run whose one answer is followed by `rest`, and ends it as its agent does; what is left of the journal then.
    fn replayed(rest: Vec<Event>) -> (Result<Usage, String>, Option<Divergence>, bool) {
        let answered = [testing::start(false), testing::says("hi"), testing::request(0), testing::response(0, &[])];
        let lines = answered.len();
        let (_folder, contents) = testing::journal(answered.into_iter().chain(rest));
        set_replay(contents, Vec::new()).unwrap();
        with(|state| (0..lines).for_each(|_| state.recorder.replay().unwrap().skip())).unwrap();
        let ended = with(|state| end(state, Ok("text".into()))).unwrap();
        let is_over = with(|state| state.recorder.replay().unwrap().at_end()).unwrap();
        (ended, Session::diverged(), is_over)
    }

    #[test]
    fn a_process_that_died_after_the_last_answer_leaves_what_can_be_replayed() {
        let (_folder, died) = testing::journal([testing::start(false), testing::says("hi")]);
        let closed = resume::answers(&resume::read(&died).unwrap());
        assert_eq!(closed.len(), 1);
        for rest in [closed, Vec::new(), vec![testing::process_start("p")]] {
            let (ended, diverged, is_over) = replayed(rest);
            assert!(ended.is_ok() && diverged.is_none() && is_over, "{ended:?} {diverged:?}");
        }
    }

    #[test]
    fn a_run_that_ended_otherwise_is_a_difference() {
        let (ended, diverged, _) = replayed(vec![testing::end("cancelled")]);
        assert!(ended.is_err() && diverged.is_some());
        let (ended, diverged, _) = replayed(vec![testing::request(1), testing::end("done")]);
        assert!(ended.is_err() && diverged.is_some());
    }
}
