//! The model as the agent sees it: the provider's, or in a replay the journal's, with budget and journal in between.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};

use crate::Session;
use crate::activity;
use crate::convert;
use crate::event;
use crate::exports::wardian::agent::model::{Completion, Guest, GuestCompletion};
use crate::recorder::{Replay, Turn, model_owner};
use crate::resume::assistant_message;
use crate::state::{self, NOT_OPEN, State, interrupted, ready};
use crate::wardian::agent::model as provider;
use crate::wardian::agent::types::{
    CallDelta, CallStart, Event, LimitReached, Message, ModelError, Purpose, Request, StopReason, Usage,
};
use crate::wardian::host::observer;
use crate::wasi::io::poll::Pollable;

/// Where the pieces of an answer come from.
enum Source {
    Provider(provider::Completion),
    /// What the journal has of this answer, once it is its turn.
    Recorded(Option<VecDeque<Result<Event, ModelError>>>),
}

const NO_USAGE: Usage = Usage { input_tokens: 0, cached_tokens: 0, output_tokens: 0 };

/// The answer as far as it has come.
#[derive(Default)]
struct Partial {
    text: String,
    state: String,
    calls: Vec<PartialCall>,
    usage: Option<Usage>,
    bytes: u64,
    /// The provider's ids, where they had to be replaced to be unique in the session.
    renamed: HashMap<String, String>,
}

struct PartialCall {
    id: String,
    tool: String,
    input: String,
    ended: bool,
}

pub struct Running {
    call: u64,
    purpose: Purpose,
    source: Source,
    partial: Partial,
    finished: bool,
}

impl Guest for Session {
    type Completion = RefCell<Running>;

    fn complete(request: Request) -> Result<Completion, ModelError> {
        let call = state::with(|state| begin(state, &request))
            .unwrap_or_else(|| Err(ModelError::Journal(NOT_OPEN.to_owned())))?;
        let purpose = request.purpose;
        let running = |source| Running { call, purpose, source, partial: Partial::default(), finished: false };
        if state::with(|state| state.recorder.is_replay()).unwrap_or_default() {
            return Ok(Completion::new(RefCell::new(running(Source::Recorded(None)))));
        }
        // The state is not borrowed while the provider runs: it may take its time.
        match provider::complete(&request) {
            Ok(completion) => Ok(Completion::new(RefCell::new(running(Source::Provider(completion))))),
            Err(error) => {
                let mut running = running(Source::Recorded(None));
                Err(running.fail(error))
            }
        }
    }
}

/// Records the request, unless there is a reason against making it.
fn begin(state: &mut State, request: &Request) -> Result<u64, ModelError> {
    // What is left belongs to the request before this one.
    activity::own(state).map_err(ModelError::Journal)?;
    match state.recorder.replay() {
        Some(replay) => forced_end(replay)?,
        None => {
            if let Some(reason) = interrupted(&state.options).or_else(|| state.exhausted()) {
                return Err(reason);
            }
        }
    }
    let call = state.calls;
    let messages_sha256 = state.hasher.digest(&request.messages);
    let purpose = convert::purpose_name(request.purpose).to_owned();
    state
        .record(event::Event::ModelRequest(event::ModelRequest { call, purpose, messages_sha256 }))
        .map_err(ModelError::Journal)?;
    state.calls += 1;
    state.run.usage.requests += 1;
    if let Some(replay) = state.recorder.replay() {
        replay.opened(model_owner(call));
    }
    Ok(call)
}

/// In a replay: where the recorded run was ended instead of asking the model, so is this one, for the same reason.
fn forced_end(replay: &mut Replay) -> Result<(), ModelError> {
    if replay.is_cut_off_here() {
        replay.cut_off = true;
        return Err(ModelError::Cancelled);
    }
    let Some(end) = replay.next_as::<event::SessionEnd>("session.end") else { return Ok(()) };
    match (end.stop.as_str(), end.error) {
        ("cancelled", _) => Err(ModelError::Cancelled),
        ("budget", Some(limit)) => {
            Err(ModelError::Limit(LimitReached { name: limit.message, at: limit.at.unwrap_or_default() }))
        }
        _ => Ok(()),
    }
}

impl GuestCompletion for RefCell<Running> {
    fn subscribe(&self) -> Pollable {
        let running = self.borrow();
        match &running.source {
            Source::Provider(completion) if !running.finished => completion.subscribe(),
            Source::Recorded(None) if !running.finished => {
                let owner = model_owner(running.call);
                let waits =
                    state::with(|state| state.recorder.replay().is_some_and(|r| r.turn(&owner) == Turn::Others));
                ready(!waits.unwrap_or_default())
            }
            _ => ready(true),
        }
    }

    fn next(&self) -> Result<Option<Event>, ModelError> {
        self.borrow_mut().next()
    }
}

impl Running {
    fn next(&mut self) -> Result<Option<Event>, ModelError> {
        if self.finished {
            return Err(ModelError::Protocol("the answer is complete".to_owned()));
        }
        let next = match &mut self.source {
            Source::Provider(completion) => match state::with(|state| interrupted(&state.options)).flatten() {
                Some(reason) => Err(reason),
                None => completion.next(),
            },
            Source::Recorded(events) => match recorded(events, self.call) {
                Ok(Some(next)) => next,
                Ok(None) => return Ok(None),
                Err(error) => Err(error),
            },
        };
        let checked = match next {
            Ok(None) => return Ok(None),
            Ok(Some(event)) => self.partial.take(event),
            Err(error) => Err(error),
        };
        let event = match checked {
            Ok(event) => event,
            Err(error) => return Err(self.fail(error)),
        };
        if let Event::Stop(stop) = &event {
            self.finish(Some(*stop), None).map_err(ModelError::Journal)?;
        } else if matches!(self.source, Source::Provider(_)) && self.purpose == Purpose::Turn {
            // A summary is written for the model, not for the user.
            show(&event);
        }
        Ok(Some(event))
    }

    fn fail(&mut self, error: ModelError) -> ModelError {
        let recorded = state::with(cut_off).flatten().unwrap_or_else(|| convert::model_error(&error));
        match self.finish(None, Some(recorded)) {
            Ok(()) => error,
            Err(message) => ModelError::Journal(message),
        }
    }

    /// Records how the answer ended and takes it into the conversation.
    fn finish(&mut self, stop: Option<StopReason>, error: Option<event::Error>) -> Result<(), String> {
        self.finished = true;
        let partial = std::mem::take(&mut self.partial);
        let usage = partial.usage.unwrap_or(NO_USAGE);
        let live = matches!(self.source, Source::Provider(_));
        // Closes the connection of an answer that was not read to its end.
        self.source = Source::Recorded(None);
        let response = event::ModelResponse {
            call: self.call,
            text: partial.text,
            tool_calls: partial
                .calls
                .into_iter()
                .map(|call| event::ToolCall { id: call.id, tool: call.tool, input: event::embed(&call.input) })
                .collect(),
            state: partial.state,
            usage: event::Usage {
                input_tokens: usage.input_tokens,
                cached_tokens: usage.cached_tokens,
                output_tokens: usage.output_tokens,
            },
            stop: stop.map(|stop| convert::stop_name(stop).to_owned()),
            error,
        };
        state::with(|state| {
            activity::own(state)?;
            state.record(event::Event::ModelResponse(response.clone()))?;
            if let Some(replay) = state.recorder.replay() {
                replay.closed(&model_owner(self.call));
            }
            state.run.usage.input_tokens += usage.input_tokens;
            state.run.usage.output_tokens += usage.output_tokens;
            if response.error.is_none() && self.purpose == Purpose::Turn {
                let message = assistant_message(response);
                if let Message::Assistant(assistant) = &message {
                    state.used_ids.extend(assistant.calls.iter().map(|call| call.id.clone()));
                }
                state.transcript.push(message);
            }
            Ok(())
        })
        .unwrap_or_else(|| Err(NOT_OPEN.to_owned()))?;
        if live {
            observer::notify(&observer::Event::ResponseEnd(usage));
        }
        Ok(())
    }
}

/// In a replay: what was recorded in place of an answer during which the process ended. The run ends here as it did then.
fn cut_off(state: &mut State) -> Option<event::Error> {
    let replay = state.recorder.replay()?;
    replay.skip_activities();
    let response: event::ModelResponse = replay.next_as("model.response")?;
    let error = response.error.filter(|error| error.kind == "interrupted")?;
    replay.cut_off = true;
    Some(error)
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.finished {
            // An agent that loses interest: the journal says so. There is nobody left to tell of a failure.
            let _ = self.finish(None, Some(convert::model_error(&ModelError::Cancelled)));
        }
    }
}

fn show(event: &Event) {
    match event {
        Event::Text(text) => observer::notify(&observer::Event::Text(text.clone())),
        Event::Reasoning(text) => observer::notify(&observer::Event::Reasoning(text.clone())),
        _ => {}
    }
}

type Next = Result<Option<Event>, ModelError>;

/// The next piece of a recorded answer; none while another call comes first.
fn recorded(events: &mut Option<VecDeque<Result<Event, ModelError>>>, call: u64) -> Result<Option<Next>, ModelError> {
    let queue = match events {
        Some(queue) => queue,
        None => {
            let found = state::with(|state| {
                let replay = state.recorder.replay()?;
                Some(match replay.turn(&model_owner(call)) {
                    Turn::Mine => Ok(replay.next_as::<event::ModelResponse>("model.response").map(pieces)),
                    Turn::Others => Ok(None),
                    Turn::End => {
                        replay.cut_off = true;
                        Err("the journal ends here".to_owned())
                    }
                    Turn::Nobodys => Err(replay.diverge(format!("waits for the answer to model request {call}"))),
                })
            });
            match found.flatten() {
                Some(Ok(Some(pieces))) => events.insert(pieces),
                Some(Err(message)) => return Err(ModelError::Journal(message)),
                _ => return Ok(None),
            }
        }
    };
    let Some(next) = queue.pop_front() else {
        return Err(ModelError::Journal("the recorded answer has no end".to_owned()));
    };
    Ok(Some(next.map(Some)))
}

/// A recorded answer, as the stream that it once was.
fn pieces(response: event::ModelResponse) -> VecDeque<Result<Event, ModelError>> {
    let mut events = VecDeque::new();
    if !response.text.is_empty() {
        events.push_back(Ok(Event::Text(response.text)));
    }
    for call in response.tool_calls {
        let id = call.id;
        events.push_back(Ok(Event::CallStart(CallStart { id: id.clone(), tool: call.tool })));
        let input = event::embedded(&call.input);
        events.push_back(Ok(Event::CallDelta(CallDelta { id: id.clone(), input })));
        events.push_back(Ok(Event::CallEnd(id)));
    }
    if !response.state.is_empty() {
        events.push_back(Ok(Event::State(response.state)));
    }
    let event::Usage { input_tokens, cached_tokens, output_tokens } = response.usage;
    events.push_back(Ok(Event::Usage(Usage { input_tokens, cached_tokens, output_tokens })));
    let stop = response.stop.as_deref().and_then(convert::stop_named);
    events.push_back(match (stop, response.error) {
        (Some(stop), _) => Ok(Event::Stop(stop)),
        (None, Some(error)) => Err(convert::recorded_model_error(error)),
        (None, None) => Err(ModelError::Cancelled),
    });
    events
}

impl Partial {
    /// Takes in one event, if the protocol and the limits allow it.
    fn take(&mut self, event: Event) -> Result<Event, ModelError> {
        let bytes = match &event {
            Event::Text(text) | Event::Reasoning(text) | Event::State(text) => text.len(),
            Event::CallStart(start) => start.id.len() + start.tool.len(),
            Event::CallDelta(delta) => delta.input.len(),
            Event::CallEnd(_) | Event::Usage(_) | Event::Stop(_) => 0,
        };
        // One for the event itself: a stream of empty pieces ends, too.
        self.bytes += bytes as u64 + 1;
        let max = state::with(|state| state.options.response_bytes_max).unwrap_or_default();
        if self.bytes > max {
            return Err(ModelError::Limit(LimitReached { name: "response_bytes_max".to_owned(), at: max }));
        }
        let broken = |message: String| Err(ModelError::Protocol(message));
        Ok(match event {
            Event::Text(text) => {
                self.text.push_str(&text);
                Event::Text(text)
            }
            Event::Reasoning(text) => Event::Reasoning(text),
            Event::State(text) => {
                self.state.clone_from(&text);
                Event::State(text)
            }
            Event::Usage(usage) => {
                self.usage = Some(usage);
                Event::Usage(usage)
            }
            Event::CallStart(CallStart { id, tool }) => {
                if self.open(&id).is_some() {
                    return broken(format!("tool call {id:?} was started twice"));
                }
                let unique = self.unique(&id);
                self.calls.push(PartialCall {
                    id: unique.clone(),
                    tool: tool.clone(),
                    input: String::new(),
                    ended: false,
                });
                self.renamed.insert(id, unique.clone());
                Event::CallStart(CallStart { id: unique, tool })
            }
            Event::CallDelta(CallDelta { id, input }) => match self.open(&id) {
                None => return broken(format!("a piece of tool call {id:?}, which is not under way")),
                Some(call) => {
                    call.input.push_str(&input);
                    Event::CallDelta(CallDelta { id: call.id.clone(), input })
                }
            },
            Event::CallEnd(id) => match self.open(&id) {
                None => return broken(format!("the end of tool call {id:?}, which is not under way")),
                Some(call) => {
                    call.ended = true;
                    Event::CallEnd(call.id.clone())
                }
            },
            Event::Stop(stop) => {
                // A cut-off answer may end inside a call; its input is then incomplete and the toolbox says so.
                let open = self.calls.iter().find(|call| !call.ended);
                if let Some(call) = open
                    && stop != StopReason::MaxTokens
                {
                    return broken(format!("tool call {:?} was never ended", call.id));
                }
                Event::Stop(stop)
            }
        })
    }

    fn open(&mut self, id: &str) -> Option<&mut PartialCall> {
        let id = self.renamed.get(id)?;
        self.calls.iter_mut().find(|call| call.id == *id && !call.ended)
    }

    /// Some servers count their calls anew in each answer; in a session each id is used once.
    fn unique(&self, id: &str) -> String {
        let taken = |id: &str| {
            self.calls.iter().any(|call| call.id == id)
                || state::with(|state| state.used_ids.contains(id)).unwrap_or_default()
        };
        if !taken(id) {
            return id.to_owned();
        }
        (2_u64..).map(|n| format!("{id}_{n}")).find(|id| !taken(id)).unwrap_or_default()
    }
}
