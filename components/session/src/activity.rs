//! What code does while it runs: recorded as it becomes known, and the user asked where it needs leave.

use std::collections::VecDeque;

use crate::convert;
use crate::event::{self, Event};
use crate::review;
use crate::state::State;
use crate::toolbox::Call;
use crate::wardian::agent::types::{CallError, CallErrorKind};
use crate::wardian::host::approver::{self, Answer, Pending, Question};
use crate::wardian::host::sandbox::{
    self, Activity, Finished, InnerCall, Killed, NetQuestion, NetRequest, ProcessExit, ProcessStart, Running,
};
use crate::wardian::host::types::Unlisted;
use crate::wardian::tool::others::Refusal;
use crate::wardian::tool::types::{FileAccess, Powers, Tool, ToolCall};

/// Refused requests that the error of a call names.
const REFUSED_NAMED_MAX: usize = 3;

/// Of a process's arguments, how many the journal has, and how many bytes of each.
const ARGUMENTS_MAX: usize = 32;
const ARGUMENT_BYTES_MAX: usize = 256;

/// Calls of other tools that the code of one call may make, one inside the other and in all.
const INNER_DEPTH_MAX: usize = 3;
const INNER_CALLS_MAX: u32 = 256;

/// In the id of a call that code has made, between that of its caller and a number.
const INNER: &str = "/call-";

/// Stands for the call, in the ids of processes in the background.
const BACKGROUND: &str = "background";

/// A call whose code runs.
pub struct Active {
    pub running: Running,
    pub tool: Tool,
    component: String,
    /// Taken and not answered, the oldest first. The first is the one that `asking` is about.
    questions: VecDeque<NetQuestion>,
    asking: Option<Pending>,
    refused: Vec<String>,
    /// Calls that the code has made and waits for.
    inner: Vec<Inner>,
    /// How many it has made.
    inner_calls: u32,
}

struct Inner {
    id: u32,
    call: Call,
    /// Whoever waits for the caller's code waits for what this call waits for: its question, then its code.
    is_awaited: bool,
    is_followed: bool,
}

impl Active {
    pub fn new(running: Running, tool: Tool, component: String) -> Self {
        let (questions, refused, inner) = (VecDeque::new(), Vec::new(), Vec::new());
        Self { running, tool, component, questions, asking: None, refused, inner, inner_calls: 0 }
    }

    pub fn writes(&self) -> bool {
        self.tool.powers.files == FileAccess::Write
    }

    /// Looks at the code once. Fails where nothing can be recorded any more.
    pub fn advance(&mut self, state: &mut State, call: &ToolCall) -> Result<Option<Finished>, String> {
        let finished = self.running.finish();
        self.take(state, call, self.running.activities())?;
        if finished.is_none() {
            self.ask(state, call)?;
            self.go_on(state);
        }
        Ok(finished)
    }

    /// Looks at the calls that the code waits for, and tells it of those that are over.
    fn go_on(&mut self, state: &mut State) {
        for mut inner in std::mem::take(&mut self.inner) {
            match inner.call.advance(state) {
                Some(ended) => {
                    let refusal = |error: CallError| Refusal {
                        kind: convert::call_error_name(error.kind).to_owned(),
                        message: error.message,
                    };
                    self.running.answer_call(inner.id, ended.map_err(refusal).as_ref());
                }
                None => {
                    match inner.call.waits_for() {
                        Some(Waits::Question(pending)) if !inner.is_awaited => {
                            self.running.awaits(pending);
                            inner.is_awaited = true;
                        }
                        Some(Waits::Code(code)) if !inner.is_followed => {
                            self.running.follows(code);
                            inner.is_followed = true;
                        }
                        _ => {}
                    }
                    self.inner.push(inner);
                }
            }
        }
    }

    /// Begins a call that the code makes: as one of the model's, but for its id.
    fn call(&mut self, state: &mut State, call: &ToolCall, inner: InnerCall) {
        self.inner_calls += 1;
        let bound = if call.id.matches(INNER).count() >= INNER_DEPTH_MAX {
            Some(format!("calls of tools stand in each other {INNER_DEPTH_MAX} deep already"))
        } else if self.inner_calls > INNER_CALLS_MAX {
            Some(format!("the code of one call may call {INNER_CALLS_MAX} tools, and has"))
        } else {
            None
        };
        if let Some(message) = bound {
            let refusal = Refusal { kind: "limit".to_owned(), message };
            self.running.answer_call(inner.id, Err(&refusal));
            return;
        }
        if self.writes() {
            // What it changed so far is its own, not that of the call which begins.
            review::changed(state, &call.id);
        }
        let id = format!("{}{INNER}{}", call.id, self.inner_calls);
        let begun = Call::begin(state, ToolCall { id, tool: inner.tool, input: inner.input });
        self.inner.push(Inner { id: inner.id, call: begun, is_awaited: false, is_followed: false });
    }

    /// Ends the code, if it still runs, and records what is left.
    pub fn end(&mut self, state: &mut State, call: &ToolCall) -> Result<(), String> {
        // Withdraws the question.
        self.asking = None;
        for mut inner in std::mem::take(&mut self.inner) {
            inner.call.cancel(state, "the call that made this one is over");
        }
        self.take(state, call, self.running.end())
    }

    fn take(&mut self, state: &mut State, call: &ToolCall, activities: Vec<Activity>) -> Result<(), String> {
        for activity in activities {
            match activity {
                Activity::NetRequest(request) => {
                    if let (false, Some(error)) = (request.allowed, &request.error) {
                        self.refused.push(format!("{} {}: {}", request.method, request.url, error.message));
                    }
                    let owner = (Some(call.id.clone()), None);
                    state.record(Event::NetRequest(net_request(request, owner, &self.component)))?;
                }
                Activity::NetQuestion(question) => self.questions.push_back(question),
                Activity::ProcessStart(start) => state.record(process_start(start, &call.id))?,
                Activity::ProcessExit(exit) => state.record(process_exit(exit, &call.id))?,
                Activity::ToolCall(inner) => self.call(state, call, inner),
            }
        }
        Ok(())
    }

    /// Asks the user one question after the other, as far as they are answered.
    fn ask(&mut self, state: &mut State, call: &ToolCall) -> Result<(), String> {
        loop {
            if let Some(pending) = &self.asking {
                let Some(answer) = pending.answer() else { return Ok(()) };
                self.asking = None;
                self.answered(state, call, answer, "user")?;
            }
            let Some(question) = self.questions.front() else { return Ok(()) };
            let powers = vec![format!("net:{}", question.host)];
            let (id, tool, net) = (call.id.clone(), call.tool.clone(), Some(question.host.clone()));
            let summary = format!("{} {}", question.method, question.url);
            let ask = event::PermissionAsk { id, tool, powers, summary: summary.clone(), net };
            state.record(Event::PermissionAsk(ask))?;
            if state.gate.unlisted() == Unlisted::Deny {
                // The mode answers for the user, as it does at the gate.
                self.answered(state, call, Answer::Unavailable, "mode")?;
                continue;
            }
            if state.gate.allows_host(&call.tool, &question.host) {
                self.answered(state, call, Answer::Session, "user")?;
                continue;
            }
            let powers =
                Powers { files: FileAccess::None, net: vec![question.host.clone()], process: vec![], env: vec![] };
            let (id, tool, input) = (call.id.clone(), call.tool.clone(), call.input.clone());
            let pending = approver::ask(&Question { id, tool, powers, summary, input });
            self.running.awaits(&pending);
            self.asking = Some(pending);
        }
    }

    fn answered(&mut self, state: &mut State, call: &ToolCall, given: Answer, by: &str) -> Result<(), String> {
        let Some(NetQuestion { id, host, .. }) = self.questions.pop_front() else { return Ok(()) };
        let (allowed, by, scope) = match given {
            Answer::Once => (true, by, "once"),
            Answer::Session => (true, by, "session"),
            Answer::Deny => (false, by, "once"),
            Answer::Unavailable => (false, "mode", "session"),
        };
        if given == Answer::Session {
            state.gate.allow_host_until_end(&call.tool, &host);
        }
        let (by, scope) = (by.to_owned(), scope.to_owned());
        let answer = event::PermissionAnswer { id: call.id.clone(), allowed, by, scope, net: Some(host) };
        // Before its effect.
        state.record(Event::PermissionAnswer(answer))?;
        state.recorder.sync()?;
        self.running.answer(id, allowed);
        Ok(())
    }

    /// Tells whoever reads a failed call's error about requests that were refused: the code itself is not told why.
    pub fn explain(&self, error: &mut CallError) {
        if self.refused.is_empty() || !matches!(error.kind, CallErrorKind::Failed | CallErrorKind::NotPermitted) {
            return;
        }
        for refused in self.refused.iter().take(REFUSED_NAMED_MAX) {
            error.message.push_str("\nnot sent: ");
            error.message.push_str(refused);
        }
        if let Some(more @ 1..) = self.refused.len().checked_sub(REFUSED_NAMED_MAX) {
            error.message.push_str(&format!("\nand {more} more"));
        }
    }
}

/// Records what belongs to no call: requests of the provider, for the last model request that was made, and processes in
/// the background.
pub fn own(state: &mut State) -> Result<(), String> {
    if state.recorder.is_replay() {
        return Ok(());
    }
    for activity in sandbox::own_activities() {
        match activity {
            Activity::NetRequest(request) => {
                let owner = (None, Some(state.calls.saturating_sub(1)));
                let agent = state.options.agent.clone();
                state.record(Event::NetRequest(net_request(request, owner, &agent)))?;
            }
            Activity::ProcessStart(start) => state.record(process_start(start, BACKGROUND))?,
            Activity::ProcessExit(exit) => state.record(process_exit(exit, BACKGROUND))?,
            // There is nobody to ask: the provider may reach the server that the user configured, and no other. The host
            // takes no calls from code that belongs to no call.
            Activity::NetQuestion(_) | Activity::ToolCall(_) => {}
        }
    }
    Ok(())
}

fn process_start(start: ProcessStart, call: &str) -> Event {
    let ProcessStart { process, argv, component, cwd } = start;
    Event::ProcessStart(event::ProcessStart { id: process_id(call, process), argv: shortened(argv), component, cwd })
}

fn process_exit(exit: ProcessExit, call: &str) -> Event {
    let (status, killed) = match exit.status {
        Ok(status) => (Some(status), None),
        Err(Killed::Pipe) => (None, Some("nobody read its output".to_owned())),
        Err(Killed::Killed) => (None, Some("it was killed".to_owned())),
        Err(Killed::Limit(limit)) => (None, Some(format!("{} reached ({})", limit.name.replace('-', "_"), limit.at))),
        Err(Killed::Trapped(what)) => (None, Some(format!("its code broke: {what}"))),
        Err(Killed::Host(what)) => (None, Some(what)),
    };
    let (ms, memory_peak_bytes) = (exit.wall_ms, exit.memory_peak_bytes);
    Event::ProcessExit(event::ProcessExit { id: process_id(call, exit.process), status, killed, ms, memory_peak_bytes })
}

/// What an inner call waits for.
pub enum Waits<'a> {
    Question(&'a Pending),
    Code(&'a Running),
}

/// Whether this is the id of a call that code has made, or may be a line that has one.
pub fn is_inner(id: &str) -> bool {
    id.contains(INNER)
}

/// Whether this is the id of a process in the background, or a line that has one.
pub fn is_background(text: &str) -> bool {
    text.starts_with("background/") || text.contains("\"id\":\"background/")
}

fn process_id(call: &str, process: u32) -> String {
    format!("{call}/{process}")
}

/// Arguments may be whole scripts and files, many times over: a line has so many bytes of each, and so many of them.
fn shortened(mut argv: Vec<String>) -> Vec<String> {
    let left_out = argv.len().saturating_sub(ARGUMENTS_MAX);
    argv.truncate(ARGUMENTS_MAX);
    for argument in &mut argv {
        if argument.len() > ARGUMENT_BYTES_MAX {
            let rest = argument.len() - argument.floor_char_boundary(ARGUMENT_BYTES_MAX);
            argument.truncate(argument.len() - rest);
            argument.push_str(&format!("… and {rest} bytes"));
        }
    }
    if left_out > 0 {
        argv.push(format!("… and {left_out} arguments"));
    }
    argv
}

fn net_request(request: NetRequest, (id, call): (Option<String>, Option<u64>), component: &str) -> event::NetRequest {
    let decision = if request.allowed { "allow" } else { "deny" };
    let error = request.error.map(|error| event::Error { kind: error.kind, message: error.message, at: error.at });
    event::NetRequest {
        id,
        call,
        component: component.to_owned(),
        method: request.method,
        url: request.url,
        decision: decision.to_owned(),
        rule: request.rule,
        status: request.status,
        bytes_in: request.bytes_in,
        bytes_out: request.bytes_out,
        ms: request.ms,
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_arguments_are_shortened_at_a_character() {
        let long = format!("a{}", "é".repeat(200));
        let shortened = shortened(std::iter::repeat_n(long, 40).collect());
        assert_eq!(shortened.len(), ARGUMENTS_MAX + 1);
        assert_eq!(shortened[0], format!("a{}… and 146 bytes", "é".repeat(127)));
        assert_eq!(shortened[ARGUMENTS_MAX], "… and 8 arguments");
    }
}
