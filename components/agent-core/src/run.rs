//! One run: from the newest prompt to the final text.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};

use crate::context;
use crate::retry;
use crate::wardian::agent::control::{self, Notice, Settings};
use crate::wardian::agent::model;
use crate::wardian::agent::toolbox::{self, Invocation};
use crate::wardian::agent::transcript;
use crate::wardian::agent::types::{
    AssistantMessage, Event, Message, ModelError, NetworkKind, Purpose, Request, Stop, StopReason, ToolMessage,
};
use crate::wardian::tool::types::ToolCall;
use crate::wasi::clocks::monotonic_clock;
use crate::wasi::io::poll::{self, Pollable};

const SYSTEM: &str = "\
You are a careful agent that works on a project through tools. The project's files are at /workspace; paths are \
relative to it. Look before you conclude: find files with Glob and Grep, read what matters, and base every statement \
on what the tools returned. Call several tools at once when they do not depend on each other. When a tool answers with \
an error, read it and change your approach instead of repeating the call. A call that was not permitted stays \
forbidden: say what you would have done. When the task is done, answer briefly with the result.";

const SUMMARIZE: &str = "\
Summarize the conversation so far for yourself, to go on with it without seeing it again: the user's task and wishes, \
what was found (with paths, names and figures), what was done, what is left, and what did not work. Facts only.";

const SUMMARY_HEADER: &str = "Summary of the conversation so far:\n\n";

const NS_PER_MS: u64 = 1_000_000;

/// A whole answer of the model.
struct Answer {
    message: AssistantMessage,
    stop: StopReason,
}

pub fn run() -> Result<String, Stop> {
    let settings = control::configuration();
    let interrupted = control::interrupted();
    let mut request = Request {
        purpose: Purpose::Turn,
        system: system(&settings.instructions),
        messages: transcript::load(),
        tools: toolbox::list(),
        output_tokens_max: None,
    };
    loop {
        if context::total(&request.messages) > settings.context_bytes_max {
            compact(&mut request, &settings, &interrupted)?;
        }
        let answer = ask(&request, &settings, &interrupted)?;
        if answer.message.calls.is_empty() {
            return match answer.stop {
                StopReason::Refusal if answer.message.text.is_empty() => {
                    Err(Stop::Error("the model declined to answer".to_string()))
                }
                _ => Ok(answer.message.text),
            };
        }
        let calls = answer.message.calls.clone();
        request.messages.push(Message::Assistant(answer.message));
        request.messages.extend(call_all(&calls, &settings, &interrupted).into_iter().map(Message::Tool));
    }
}

fn system(instructions: &str) -> String {
    if instructions.is_empty() { SYSTEM.to_string() } else { format!("{SYSTEM}\n\n{instructions}") }
}

/// Asks the model, as often as the kind of failure makes sense.
fn ask(request: &Request, settings: &Settings, interrupted: &Pollable) -> Result<Answer, Stop> {
    let mut attempt = 0;
    loop {
        let error = match complete(request, interrupted) {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        attempt += 1;
        let delay = if attempt > settings.retries_max { None } else { retry::delay_ms(&error, attempt) };
        let Some(delay_ms) = delay else { return Err(stop(error)) };
        control::notify(&Notice::Retrying((describe(&error), delay_ms)));
        let pause = monotonic_clock::subscribe_duration(delay_ms.saturating_mul(NS_PER_MS));
        // After an interrupt the next request answers at once with the reason.
        poll::poll(&[&pause, interrupted]);
    }
}

fn complete(request: &Request, interrupted: &Pollable) -> Result<Answer, ModelError> {
    let completion = model::complete(request)?;
    let mut message = AssistantMessage { text: String::new(), calls: Vec::new(), state: String::new() };
    loop {
        let Some(event) = completion.next()? else {
            poll::poll(&[&completion.subscribe(), interrupted]);
            continue;
        };
        match event {
            Event::Text(text) => message.text.push_str(&text),
            Event::CallStart(start) => {
                message.calls.push(ToolCall { id: start.id, tool: start.tool, input: String::new() });
            }
            Event::CallDelta(delta) => {
                if let Some(call) = message.calls.iter_mut().rev().find(|call| call.id == delta.id) {
                    call.input.push_str(&delta.input);
                }
            }
            Event::State(state) => message.state = state,
            Event::Reasoning(_) | Event::CallEnd(_) | Event::Usage(_) => {}
            Event::Stop(stop) => return Ok(Answer { message, stop }),
        }
    }
}

/// Runs the calls of one step, several at once, and returns their results in the order of the calls.
fn call_all(calls: &[ToolCall], settings: &Settings, interrupted: &Pollable) -> Vec<ToolMessage> {
    let parallel = (settings.parallel_calls_max as usize).max(1);
    let mut results = vec![None; calls.len()];
    let mut waiting = calls.iter().enumerate();
    let mut running: Vec<(usize, Invocation)> = Vec::new();
    loop {
        while running.len() < parallel {
            let Some((index, call)) = waiting.next() else { break };
            running.push((index, toolbox::start(call)));
        }
        if running.is_empty() {
            break;
        }
        let before = running.len();
        running.retain(|(index, invocation)| match invocation.finish() {
            Some(result) => {
                let ToolCall { id, tool, .. } = &calls[*index];
                results[*index] = Some(ToolMessage { call_id: id.clone(), tool: tool.clone(), result });
                false
            }
            None => true,
        });
        if running.len() == before {
            let ready: Vec<Pollable> = running.iter().map(|(_, invocation)| invocation.subscribe()).collect();
            let all: Vec<&Pollable> = ready.iter().chain([interrupted]).collect();
            poll::poll(&all);
        }
    }
    results.into_iter().flatten().collect()
}

/// Replaces the older part of the conversation by a summary that the model writes.
fn compact(request: &mut Request, settings: &Settings, interrupted: &Pollable) -> Result<(), Stop> {
    let keep = context::keep(&request.messages, settings.context_bytes_max);
    let old = request.messages.len() - keep;
    if old < 2 {
        // One message is too large by itself: a summary of it would not help. The provider has the last word.
        return Ok(());
    }
    control::notify(&Notice::Compacting);
    let mut messages = request.messages[..old].to_vec();
    messages.push(Message::User(SUMMARIZE.to_string()));
    let summarize = Request {
        purpose: Purpose::Compact,
        system: request.system.clone(),
        messages,
        tools: Vec::new(),
        output_tokens_max: None,
    };
    let summary = format!("{SUMMARY_HEADER}{}", ask(&summarize, settings, interrupted)?.message.text);
    transcript::compact(&summary, keep as u32);
    request.messages = context::compacted(Message::User(summary), core::mem::take(&mut request.messages), keep);
    Ok(())
}

fn stop(error: ModelError) -> Stop {
    match error {
        ModelError::Cancelled => Stop::Cancelled,
        ModelError::Limit(limit) => Stop::Budget(limit),
        other => Stop::Error(describe(&other)),
    }
}

/// One line for the user: what went wrong and, where it is known, what to do.
fn describe(error: &ModelError) -> String {
    match error {
        ModelError::Auth(message) => format!("the provider rejected the key: {message}"),
        ModelError::Quota(message) => format!("the account has nothing left to spend: {message}"),
        ModelError::RateLimited(limited) => format!("the provider limits the rate: {}", limited.message),
        ModelError::Overloaded(message) => format!("the provider is overloaded: {message}"),
        ModelError::InvalidRequest(message) => format!("the provider rejected the request: {message}"),
        ModelError::ContentFilter(message) => format!("the provider's content filter stopped the answer: {message}"),
        ModelError::Network(error) => {
            let kind = match error.kind {
                NetworkKind::Dns => "the provider's name could not be resolved",
                NetworkKind::Connect => "the provider could not be reached",
                NetworkKind::Tls => "the provider's certificate was not accepted",
                NetworkKind::Reset => "the connection to the provider broke",
                NetworkKind::Timeout => "the provider did not answer in time",
                NetworkKind::RefusedByPolicy => "the network policy refused the provider",
                NetworkKind::Other => "the network failed",
            };
            format!("{kind}: {}", error.message)
        }
        ModelError::Protocol(message) => format!("the provider broke its protocol: {message}"),
        ModelError::Limit(limit) => format!("{} reached ({})", limit.name, limit.at),
        ModelError::Cancelled => "cancelled".to_string(),
        ModelError::Journal(message) => format!("the journal cannot be written: {message}"),
    }
}
