//! The toolbox as the agent sees it: each call passes the schema, the gate and the journal, and runs in a sandbox.

use std::cell::RefCell;

use crate::Session;
use crate::activity::{self, Active, Waits};
use crate::convert::{self, call_error};
use crate::event::{self, Event, embed};
use crate::exports::wardian::agent::toolbox::{Guest, GuestInvocation, Invocation};
use crate::gate;
use crate::recorder::{Turn, tool_owner};
use crate::resume::tool_message;
use crate::review;
use crate::state::{self, NOT_OPEN, State, interrupted, ready};
use crate::wardian::agent::types::{CallError, CallErrorKind, ModelError};
use crate::wardian::host::approver::{self, Answer, Pending, Question};
use crate::wardian::host::observer;
use crate::wardian::host::sandbox::{self, Finished};
use crate::wardian::host::types::Grant;
use crate::wardian::session::types::Verdict;
use crate::wardian::tool::types::{FileAccess, Outcome, Part, Powers, Tool, ToolCall};
use crate::wasi::io::poll::Pollable;

type Ended = Result<Outcome, CallError>;

enum Stage {
    /// Nothing more will happen: the result, until it is recorded.
    Decided(Ended),
    Asking(Pending, Box<Prepared>),
    Running(Box<Active>),
    Replaying,
    Finished,
}

/// A call that may run as soon as it is allowed.
struct Prepared {
    tool: Tool,
    component: String,
    summary: String,
}

pub struct Call {
    call: ToolCall,
    stage: Stage,
}

impl Guest for Session {
    type Invocation = RefCell<Call>;

    fn list() -> Vec<Tool> {
        state::with(|state| state.tools.iter().map(|offered| offered.tool.clone()).collect()).unwrap_or_default()
    }

    fn start(call: ToolCall) -> Invocation {
        let stage = state::with(|state| match state.recorder.replay() {
            None if activity::is_inner(&call.id) => {
                let message = format!("the id {:?} is one that calls of code have", call.id);
                Stage::Decided(Err(call_error(CallErrorKind::InvalidInput, message)))
            }
            Some(replay) => {
                replay.opened(tool_owner(&call.id));
                Stage::Replaying
            }
            None => start(state, &call),
        })
        .unwrap_or_else(|| Stage::Decided(Err(call_error(CallErrorKind::Host, NOT_OPEN))));
        Invocation::new(RefCell::new(Call { call, stage }))
    }
}

fn start(state: &mut State, call: &ToolCall) -> Stage {
    let refuse = |kind, message: String| Stage::Decided(Err(call_error(kind, message)));
    if interrupted(&state.options).is_some() {
        return refuse(CallErrorKind::Cancelled, "the run was ended before this call was started".to_owned());
    }
    let Some(offered) = state.tools.iter().find(|offered| offered.tool.name == call.tool) else {
        let names: Vec<_> = state.tools.iter().map(|offered| offered.tool.name.as_str()).collect();
        let message = format!("there is no tool {:?}; the tools are {}", call.tool, names.join(", "));
        return refuse(CallErrorKind::UnknownTool, message);
    };
    let (tool, component) = (offered.tool.clone(), offered.component.clone());
    let input = match state.schemas.check(&tool.name, &tool.input_schema, &call.input) {
        Ok(input) => input,
        Err(message) => return refuse(CallErrorKind::InvalidInput, message),
    };
    let summary = gate::summary(&input);
    let prepared = Box::new(Prepared { tool, component, summary });
    match pass_gate(state, call, prepared) {
        Ok(stage) => stage,
        Err(message) => refuse(CallErrorKind::Host, message),
    }
}

/// Asks rules and mode, and where they leave it to the user, the user. Calls without a power pass unrecorded.
fn pass_gate(state: &mut State, call: &ToolCall, prepared: Box<Prepared>) -> Result<Stage, String> {
    let Prepared { tool, summary, .. } = &*prepared;
    let powers = convert::power_names(&tool.powers);
    let decision = state.gate.decide(&tool.name, &tool.powers, summary);
    if !powers.is_empty() {
        let (id, tool, summary) = (call.id.clone(), tool.name.clone(), summary.clone());
        state.record(Event::PermissionAsk(event::PermissionAsk { id, tool, powers, summary, net: None }))?;
    }
    match decision.verdict {
        Verdict::Allow => {
            answer(state, call, &prepared, true, decision.by, "session")?;
            run(state, call, &prepared)
        }
        Verdict::Deny => {
            answer(state, call, &prepared, false, decision.by, "session")?;
            Ok(Stage::Decided(Err(denied(&prepared, decision.by))))
        }
        Verdict::Ask => {
            let question = Question {
                id: call.id.clone(),
                tool: tool.name.clone(),
                powers: tool.powers.clone(),
                summary: summary.clone(),
                input: call.input.clone(),
            };
            Ok(Stage::Asking(approver::ask(&question), prepared))
        }
    }
}

fn denied(prepared: &Prepared, by: &str) -> CallError {
    let what = convert::power_names(&prepared.tool.powers).join(", ");
    let why = match by {
        "user" => "the user refused it",
        "rule" => "a rule refuses it",
        "nobody" => "it needs the user's permission, and nobody can be asked here (allow it with --approve or a rule)",
        _ => "the approval mode refuses it",
    };
    let what = if what.is_empty() { String::new() } else { format!(" ({what})") };
    call_error(
        CallErrorKind::NotPermitted,
        format!("{}{what} was not permitted: {why}; nothing was done", prepared.tool.name),
    )
}

fn answer(
    state: &mut State,
    call: &ToolCall,
    prepared: &Prepared,
    allowed: bool,
    by: &str,
    scope: &str,
) -> Result<(), String> {
    if convert::power_names(&prepared.tool.powers).is_empty() && by == "mode" {
        return Ok(());
    }
    let (id, by, scope) = (call.id.clone(), by.to_owned(), scope.to_owned());
    state.record(Event::PermissionAnswer(event::PermissionAnswer { id, allowed, by, scope, net: None }))
}

/// Records that the code is started, and starts it.
fn run(state: &mut State, call: &ToolCall, prepared: &Prepared) -> Result<Stage, String> {
    let component = prepared.component.clone();
    let (id, tool, input) = (call.id.clone(), call.tool.clone(), embed(&call.input));
    state.record(Event::ToolUse(event::ToolUse { id, tool, component, input }))?;
    if leaves_traces(&prepared.tool.powers) {
        state.recorder.sync()?;
    }
    observer::notify(&observer::Event::ToolStarted(observer::ToolStarted {
        id: call.id.clone(),
        tool: call.tool.clone(),
        summary: prepared.summary.clone(),
        input: call.input.clone(),
    }));
    let (powers, unlisted) = (prepared.tool.powers.clone(), state.gate.unlisted());
    let grant = Grant { powers, limits: state.options.limits, unlisted };
    Ok(match sandbox::start_tool(&prepared.component, call, &grant) {
        Ok(running) => {
            Stage::Running(Box::new(Active::new(running, prepared.tool.clone(), prepared.component.clone())))
        }
        Err(fault) => Stage::Decided(Err(convert::fault(fault))),
    })
}

/// What a call with these powers does may outlive a power failure, so its record must, too.
fn leaves_traces(powers: &Powers) -> bool {
    powers.files == FileAccess::Write || !powers.net.is_empty() || !powers.process.is_empty()
}

impl GuestInvocation for RefCell<Call> {
    fn subscribe(&self) -> Pollable {
        let call = self.borrow();
        match &call.stage {
            Stage::Asking(pending, _) => pending.subscribe(),
            Stage::Running(active) => active.running.subscribe(),
            Stage::Replaying => {
                let owner = tool_owner(&call.call.id);
                let waits =
                    state::with(|state| state.recorder.replay().is_some_and(|r| r.turn(&owner) == Turn::Others));
                ready(!waits.unwrap_or_default())
            }
            Stage::Decided(_) | Stage::Finished => ready(true),
        }
    }

    fn finish(&self) -> Option<Ended> {
        let mut call = self.borrow_mut();
        state::with(|state| call.advance(state)).unwrap_or_else(|| Some(Err(call_error(CallErrorKind::Host, NOT_OPEN))))
    }
}

impl Call {
    /// A call that the code of another one makes.
    pub fn begin(state: &mut State, call: ToolCall) -> Self {
        let stage = start(state, &call);
        Self { call, stage }
    }

    /// What this call waits for, as far as it is known.
    pub fn waits_for(&self) -> Option<Waits<'_>> {
        match &self.stage {
            Stage::Asking(pending, _) => Some(Waits::Question(pending)),
            Stage::Running(active) => Some(Waits::Code(&active.running)),
            Stage::Decided(_) | Stage::Replaying | Stage::Finished => None,
        }
    }

    /// Ends it, if it is not over, and records that.
    pub fn cancel(&mut self, state: &mut State, why: &str) {
        if !matches!(self.stage, Stage::Finished) {
            let _ = self.end(state, Err(call_error(CallErrorKind::Cancelled, why)), 0);
        }
    }

    pub fn advance(&mut self, state: &mut State) -> Option<Ended> {
        if matches!(self.stage, Stage::Asking(..) | Stage::Running(..))
            && let Some(reason) = interrupted(&state.options)
        {
            return Some(self.end(state, Err(ended_by(&reason)), 0));
        }
        match std::mem::replace(&mut self.stage, Stage::Finished) {
            Stage::Finished => Some(Err(call_error(CallErrorKind::Failed, "the result was taken already"))),
            Stage::Decided(result) => Some(self.end(state, result, 0)),
            Stage::Replaying => self.replay(state),
            Stage::Asking(pending, prepared) => {
                let Some(given) = pending.answer() else {
                    self.stage = Stage::Asking(pending, prepared);
                    return None;
                };
                self.stage = match self.answered(state, given, &prepared) {
                    Ok(stage) => stage,
                    Err(message) => Stage::Decided(Err(call_error(CallErrorKind::Host, message))),
                };
                self.advance(state)
            }
            Stage::Running(mut active) => {
                let (result, ms) = match active.advance(state, &self.call) {
                    Ok(Some(finished)) => {
                        let ms = finished.wall_ms;
                        (
                            result(finished).map_err(|mut error| {
                                active.explain(&mut error);
                                error
                            }),
                            ms,
                        )
                    }
                    Ok(None) => {
                        self.stage = Stage::Running(active);
                        return None;
                    }
                    Err(message) => (Err(call_error(CallErrorKind::Host, message)), 0),
                };
                // Back in its place: `end` ends it, and sees what it could have changed.
                self.stage = Stage::Running(active);
                Some(self.end(state, result, ms))
            }
        }
    }

    fn answered(&self, state: &mut State, given: Answer, prepared: &Prepared) -> Result<Stage, String> {
        let (allowed, by, scope) = match given {
            Answer::Once => (true, "user", "once"),
            Answer::Session => (true, "user", "session"),
            Answer::Deny => (false, "user", "once"),
            Answer::Unavailable => (false, "mode", "session"),
        };
        if given == Answer::Session {
            state.gate.allow_until_end(&prepared.tool.name);
        }
        answer(state, &self.call, prepared, allowed, by, scope)?;
        if allowed {
            return run(state, &self.call, prepared);
        }
        let by = if given == Answer::Unavailable { "nobody" } else { by };
        Ok(Stage::Decided(Err(denied(prepared, by))))
    }

    /// Records what the call touched and its result, and takes the result into the conversation.
    fn end(&mut self, state: &mut State, result: Ended, ms: u64) -> Ended {
        let mut wrote = false;
        if let Stage::Running(mut active) = std::mem::replace(&mut self.stage, Stage::Finished) {
            wrote = active.writes();
            if let Err(message) = active.end(state, &self.call) {
                return Err(call_error(CallErrorKind::Host, message));
            }
        }
        if wrote {
            review::changed(state, &self.call.id);
        } else if let Some(replay) = state.recorder.replay() {
            replay.skip_changes(&tool_owner(&self.call.id));
        }
        let (id, tool) = (self.call.id.clone(), self.call.tool.clone());
        let recorded = match &result {
            Ok(outcome) => {
                let (output, truncated) = (Some(convert::output(outcome)), outcome.truncated);
                event::ToolResult { id, tool, output, error: None, ms, truncated }
            }
            Err(error) => {
                let (kind, message) = (convert::call_error_name(error.kind).to_owned(), error.message.clone());
                let error = Some(event::Error { kind, message, at: None });
                event::ToolResult { id, tool, output: None, error, ms, truncated: false }
            }
        };
        let noted = activity::own(state);
        let result = match noted.and_then(|()| state.record(Event::ToolResult(recorded.clone()))) {
            Ok(()) => result,
            Err(message) => return Err(call_error(CallErrorKind::Host, message)),
        };
        // The model is not shown what its code is told.
        if !activity::is_inner(&self.call.id) {
            state.run.result_bytes += result.as_ref().map(bytes).unwrap_or_default();
        }
        // What the user called by hand is no part of the conversation: no message of the model asked for it.
        if state.used_ids.contains(&self.call.id) {
            state.transcript.push(tool_message(recorded));
        }
        if let Some(replay) = state.recorder.replay() {
            replay.closed(&tool_owner(&self.call.id));
        } else {
            observer::notify(&observer::Event::ToolFinished(observer::ToolFinished {
                id: self.call.id.clone(),
                tool: self.call.tool.clone(),
                ms,
                result: result.clone(),
            }));
        }
        result
    }

    /// Follows the journal: what the agent decided must be the same, what the world answered is taken from it.
    fn replay(&mut self, state: &mut State) -> Option<Ended> {
        self.stage = Stage::Replaying;
        let failed = |message| Some(Err(call_error(CallErrorKind::Host, message)));
        loop {
            let replay = state.recorder.replay()?;
            let owner = tool_owner(&self.call.id);
            replay.skip_changes(&owner);
            match replay.turn(&owner) {
                Turn::Others => return None,
                Turn::End => {
                    replay.cut_off = true;
                    self.stage = Stage::Finished;
                    return failed("the journal ends here".to_owned());
                }
                Turn::Nobodys => {
                    let message = replay.diverge(format!("waits for the result of tool call {}", self.call.id));
                    self.stage = Stage::Finished;
                    return failed(message);
                }
                Turn::Mine => {}
            }
            let (id, tool) = (self.call.id.clone(), self.call.tool.clone());
            let event = if let Some(recorded) = replay.next_as::<event::PermissionAsk>("permission.ask") {
                let summary = serde_json::from_str(&self.call.input).map(|input| gate::summary(&input));
                let summary = summary.unwrap_or_default();
                Event::PermissionAsk(event::PermissionAsk { tool, summary, ..recorded })
            } else if let Some(recorded) = replay.next_as::<event::PermissionAnswer>("permission.answer") {
                Event::PermissionAnswer(recorded)
            } else if let Some(recorded) = replay.next_as::<event::ToolUse>("tool.use") {
                Event::ToolUse(event::ToolUse { tool, input: embed(&self.call.input), ..recorded })
            } else if let Some(recorded) = replay.next_as::<event::ToolResult>("tool.result") {
                let ms = recorded.ms;
                return Some(self.end(state, convert::recorded_result(recorded), ms));
            } else {
                let message = replay.diverge(format!("an event of tool call {id} that cannot be read"));
                return failed(message);
            };
            if let Err(message) = state.record(event) {
                self.stage = Stage::Finished;
                return failed(message);
            }
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if matches!(self.stage, Stage::Finished) {
            return;
        }
        // Dropping the sandbox's handle ends the code. A failure to record has nobody left to be told.
        let result = Err(call_error(CallErrorKind::Cancelled, "the agent dropped this call"));
        state::with(|state| self.end(state, result, 0));
    }
}

fn ended_by(reason: &ModelError) -> CallError {
    match reason {
        ModelError::Limit(limit) => {
            call_error(CallErrorKind::Limit, format!("{} reached ({}); the call was ended", limit.name, limit.at))
        }
        _ => call_error(CallErrorKind::Cancelled, "the user ended the run during this call"),
    }
}

fn result(finished: Finished) -> Ended {
    match finished.result {
        Ok(Ok(outcome)) => convert::outcome(outcome),
        Ok(Err(error)) => Err(convert::tool_error(error)),
        Err(fault) => Err(convert::fault(fault)),
    }
}

fn bytes(outcome: &Outcome) -> u64 {
    let parts = outcome.parts.iter().map(|part| match part {
        Part::Text(text) => text.len(),
        Part::Image(image) => image.bytes.len(),
        Part::File(file) => file.path.len(),
    });
    parts.sum::<usize>() as u64
}

#[cfg(test)]
#[path = "toolbox_tests.rs"]
mod tests;
