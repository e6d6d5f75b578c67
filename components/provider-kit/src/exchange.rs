//! One request and its answer: from a head and bytes to the contract's events.
//!
//! Bounds, each an error of its own when it is reached: [`EVENT_BYTES_MAX`], [`DOCUMENT_BYTES_MAX`], [`BODY_BYTES_MAX`],
//! and [`Config::silence_seconds_max`] without anything of an answer. Of the body of an error no more than
//! [`ERROR_BYTES_MAX`] is read.

use std::num::NonZeroUsize;

use sse_core::{SseDecoder, SseEvent};

use crate::answer::Answer;
use crate::config::Config;
use crate::server_error::ServerError;
use crate::transport::{Head, Read, Transport};
use crate::types::{self, Event, ModelError, NetworkError, NetworkKind};

/// Bytes of one server-sent event. The largest repeat the whole answer.
pub const EVENT_BYTES_MAX: usize = 8 << 20;
/// Bytes of an answer that comes as one JSON document.
pub const DOCUMENT_BYTES_MAX: usize = 16 << 20;
/// Bytes of the body of an error.
pub const ERROR_BYTES_MAX: usize = 64 << 10;
/// Bytes of a streamed body: what surrounds each word is a hundred times the word.
pub const BODY_BYTES_MAX: u64 = 1 << 30;

/// Bytes, and time, that a body has to end in after its last word: then the next request finds the connection open.
const LINGER_BYTES_MAX: u64 = 64 << 10;
const LINGER_NS_MAX: u64 = 50_000_000;

const NS_PER_SECOND: u64 = 1_000_000_000;

/// What is sent.
#[derive(Debug)]
pub struct Request {
    /// Path below the base URL, with a slash at its beginning.
    pub endpoint: &'static str,
    /// Besides those that every request has.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: Vec<u8>,
}

/// How a service is spoken to.
pub trait Protocol {
    /// Of the protocol, in states that belong to it.
    const NAME: &'static str;
    type Reader: Reader;

    /// # Errors
    /// When the conversation or the configuration cannot be said in this protocol.
    fn request(request: &types::Request, config: &Config) -> Result<Request, ModelError>;

    fn reader() -> Self::Reader;
}

/// How the answers of a service are understood.
pub trait Reader {
    /// One server-sent event.
    fn event(&mut self, name: &str, data: &str, answer: &mut Answer) -> Result<(), ModelError>;

    /// A whole answer, as one JSON document.
    fn document(&mut self, document: &str, answer: &mut Answer) -> Result<(), ModelError>;

    /// The stream ended, or broke, without a last word. A reader that has seen all that matters stops the answer; one that
    /// does not leaves it incomplete.
    fn end(&mut self, answer: &mut Answer);

    /// What an error of this service means where a status alone does not say it.
    fn refusal(_error: &ServerError, _head: &Head) -> Option<ModelError> {
        None
    }
}

#[derive(Debug)]
enum Phase {
    Head,
    Events(Box<SseDecoder>),
    Document(Vec<u8>),
    Error(Head, Vec<u8>),
    Over,
}

/// A request under way.
#[derive(Debug)]
pub struct Exchange<T, R> {
    /// None once the answer has its end: the connection is closed then.
    transport: Option<T>,
    reader: R,
    answer: Answer,
    phase: Phase,
    body_bytes: u64,
    silence_ns_max: u64,
    /// On the host's clock.
    heard_ns: u64,
    /// Since when only the end of the body is missing, and how many bytes it had then.
    lingers: Option<(u64, u64)>,
}

impl<T: Transport, R: Reader> Exchange<T, R> {
    pub fn new(transport: T, reader: R, provider: &'static str, config: &Config, now_ns: u64) -> Self {
        Self {
            transport: Some(transport),
            reader,
            answer: Answer::new(provider, &config.model),
            phase: Phase::Head,
            body_bytes: 0,
            silence_ns_max: config.silence_seconds_max.saturating_mul(NS_PER_SECOND),
            heard_ns: now_ns,
            lingers: None,
        }
    }

    /// What to wait for, while there is something.
    pub fn transport(&self) -> Option<&T> {
        self.transport.as_ref()
    }

    /// Whether only the end of the body is missing: it is not waited for longer than a moment.
    pub fn lingers(&self) -> bool {
        self.lingers.is_some()
    }

    /// As the contract's `next`.
    pub fn next(&mut self, now_ns: impl Fn() -> u64) -> Result<Option<Event>, ModelError> {
        loop {
            if self.answer.is_at_stop() && self.linger(&now_ns) {
                return Ok(None);
            }
            if let Some(event) = self.answer.pop() {
                if matches!(event, Event::Stop(_)) {
                    self.close();
                }
                self.heard_ns = now_ns();
                return Ok(Some(event));
            }
            match self.step(&now_ns) {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) => {
                    self.close();
                    return Err(error);
                }
            }
        }
    }

    fn close(&mut self) {
        self.transport = None;
        self.phase = Phase::Over;
    }

    /// Whether to wait for the body's end.
    fn linger(&mut self, now_ns: &impl Fn() -> u64) -> bool {
        let (Some(transport), Phase::Events(_)) = (&mut self.transport, &self.phase) else { return false };
        let (since_ns, bytes) = *self.lingers.get_or_insert_with(|| (now_ns(), self.body_bytes));
        while self.body_bytes - bytes <= LINGER_BYTES_MAX {
            match transport.read() {
                Ok(Read::Bytes(more)) => self.body_bytes += more.len() as u64,
                Ok(Read::Later) => return now_ns().saturating_sub(since_ns) < LINGER_NS_MAX,
                Ok(Read::End) | Err(_) => return false,
            }
        }
        false
    }

    /// Gets one step further; false when there is nothing to be had now.
    fn step(&mut self, now_ns: &impl Fn() -> u64) -> Result<bool, ModelError> {
        let Some(transport) = &mut self.transport else {
            return Err(ModelError::Protocol("the answer is complete".to_owned()));
        };
        if matches!(self.phase, Phase::Head) {
            let head = transport.head().map_err(ModelError::Network)?;
            let Some(head) = head else { return self.wait(now_ns) };
            self.phase = phase(head)?;
            self.heard_ns = now_ns();
            return Ok(true);
        }
        match transport.read() {
            Ok(Read::Later) => self.wait(now_ns),
            Ok(Read::Bytes(bytes)) => {
                self.body_bytes = self.body_bytes.saturating_add(bytes.len() as u64);
                if self.body_bytes > BODY_BYTES_MAX {
                    return Err(ModelError::Protocol(format!("the answer has more than {BODY_BYTES_MAX} bytes")));
                }
                self.take(&bytes)?;
                // A server that sends signs of life and no answer has the same patience as one that sends nothing.
                self.check_silence(now_ns)
            }
            Ok(Read::End) => self.end(None),
            Err(error) => self.end(Some(error)),
        }
    }

    fn wait(&mut self, now_ns: &impl Fn() -> u64) -> Result<bool, ModelError> {
        self.check_silence(now_ns).map(|_| false)
    }

    fn check_silence(&mut self, now_ns: &impl Fn() -> u64) -> Result<bool, ModelError> {
        if now_ns().saturating_sub(self.heard_ns) <= self.silence_ns_max {
            return Ok(true);
        }
        let seconds = self.silence_ns_max / NS_PER_SECOND;
        self.end(Some(NetworkError {
            kind: NetworkKind::Timeout,
            message: format!("nothing of an answer in {seconds} seconds (silence_seconds_max)"),
        }))
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), ModelError> {
        match &mut self.phase {
            Phase::Events(decoder) => {
                let mut rest = bytes;
                while let Some(event) = decoder.next(&mut rest) {
                    match event {
                        Ok(SseEvent::Message(message)) if !self.answer.is_stopped() => {
                            self.reader.event(&message.event, &message.data, &mut self.answer)?;
                        }
                        Ok(_) => {}
                        Err(_) => {
                            return Err(ModelError::Protocol(format!(
                                "an event has more than {EVENT_BYTES_MAX} bytes"
                            )));
                        }
                    }
                }
            }
            Phase::Document(document) => {
                if document.len() + bytes.len() > DOCUMENT_BYTES_MAX {
                    return Err(ModelError::Protocol(format!("the answer has more than {DOCUMENT_BYTES_MAX} bytes")));
                }
                document.extend(bytes);
            }
            Phase::Error(_, body) => {
                let room = ERROR_BYTES_MAX - body.len();
                body.extend(&bytes[..bytes.len().min(room)]);
                if bytes.len() >= room {
                    self.end(None)?;
                }
            }
            Phase::Head | Phase::Over => {}
        }
        Ok(())
    }

    /// The body is over, well or not.
    fn end(&mut self, broken: Option<NetworkError>) -> Result<bool, ModelError> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            // Its status says enough, whatever became of its body.
            Phase::Error(head, body) => {
                let error = ServerError::from_body(&body);
                return Err(R::refusal(&error, &head).unwrap_or_else(|| error.into_model_error(&head)));
            }
            Phase::Document(document) => {
                if let Some(error) = broken {
                    return Err(ModelError::Network(error));
                }
                let document = std::str::from_utf8(&document)
                    .map_err(|_| ModelError::Protocol("the answer is not UTF-8".to_owned()))?;
                self.reader.document(document, &mut self.answer)?;
                if !self.answer.is_stopped() {
                    return Err(ModelError::Protocol("the answer has no end".to_owned()));
                }
            }
            Phase::Events(_) => {
                if !self.answer.is_stopped() {
                    self.reader.end(&mut self.answer);
                }
                if !self.answer.is_stopped() {
                    return Err(ModelError::Network(broken.unwrap_or_else(|| NetworkError {
                        kind: NetworkKind::Reset,
                        message: "the answer broke off".to_owned(),
                    })));
                }
            }
            Phase::Head | Phase::Over => {
                return Err(broken
                    .map_or_else(|| ModelError::Protocol("the answer is complete".to_owned()), ModelError::Network));
            }
        }
        Ok(true)
    }
}

/// What a head says about the body.
fn phase(head: Head) -> Result<Phase, ModelError> {
    if !(200..300).contains(&head.status) {
        return Ok(Phase::Error(head, Vec::new()));
    }
    if let Some(coding) = head.header("content-encoding")
        && !coding.eq_ignore_ascii_case("identity")
    {
        return Err(ModelError::Protocol("the answer is compressed, which was not asked for".to_owned()));
    }
    match head.media_type().as_str() {
        "application/json" => Ok(Phase::Document(Vec::new())),
        // Not every server says what it sends.
        "text/event-stream" | "text/plain" | "application/octet-stream" | "" => Ok(Phase::Events(Box::new(
            SseDecoder::with_limit(NonZeroUsize::new(EVENT_BYTES_MAX).unwrap_or(NonZeroUsize::MIN)),
        ))),
        other => {
            let other: String = other.chars().filter(|c| c.is_ascii_graphic()).take(60).collect();
            Err(ModelError::Protocol(format!("the answer is {other}, not an event stream: is the base URL right?")))
        }
    }
}

#[cfg(test)]
mod tests;
