//! For the tests of providers: a transport that plays bytes, and the answer as a whole.

use std::cell::Cell;
use std::collections::VecDeque;

use serde_json::{Map, Value};

use crate::base_url::BaseUrl;
use crate::config::Config;
use crate::exchange::{Exchange, Protocol, Reader};
use crate::tool::{Outcome, Part, Tool, ToolCall};
use crate::transport::{Head, Read, Transport};
use crate::types::{
    AssistantMessage, Event, Message, ModelError, NetworkError, Purpose, Request, StopReason, ToolMessage, Usage,
};

/// Plays a response.
#[derive(Debug)]
pub struct Played {
    head: Head,
    body: VecDeque<Result<Read, NetworkError>>,
}

impl Played {
    /// This status and content type, and this body in pieces of so many bytes, with pauses between them.
    pub fn new(status: u16, media_type: &str, body: &[u8], piece_bytes: usize) -> Self {
        let pieces =
            body.chunks(piece_bytes.max(1)).flat_map(|piece| [Ok(Read::Later), Ok(Read::Bytes(piece.to_vec()))]);
        let headers = vec![("content-type".to_owned(), media_type.to_owned())];
        Self { head: Head { status, headers }, body: pieces.collect() }
    }

    /// The body breaks off with this error.
    #[must_use]
    pub fn broken(mut self, error: NetworkError) -> Self {
        self.body.push_back(Err(error));
        self
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.head.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl Transport for Played {
    fn head(&mut self) -> Result<Option<Head>, NetworkError> {
        Ok(Some(self.head.clone()))
    }

    fn read(&mut self) -> Result<Read, NetworkError> {
        self.body.pop_front().unwrap_or(Ok(Read::End))
    }
}

/// A call of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatheredCall {
    pub id: String,
    pub tool: String,
    pub input: String,
    pub ended: bool,
}

/// An answer as a whole.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Gathered {
    pub text: String,
    pub reasoning: String,
    pub calls: Vec<GatheredCall>,
    pub state: String,
    pub usage: Option<Usage>,
    pub stop: Option<StopReason>,
}

impl Gathered {
    /// Takes in one event.
    ///
    /// # Panics
    /// If the contract does not allow it.
    pub fn take(&mut self, event: Event) {
        assert_eq!(self.stop, None, "{event:?} after the end");
        let open = |calls: &mut Vec<GatheredCall>, id: &str| {
            calls.iter().position(|call| call.id == id && !call.ended).unwrap_or_else(|| panic!("{id} is not open"))
        };
        match event {
            Event::Text(piece) => self.text.push_str(&piece),
            Event::Reasoning(piece) => self.reasoning.push_str(&piece),
            Event::CallStart(start) => {
                assert!(self.calls.iter().all(|call| call.id != start.id), "{} twice", start.id);
                self.calls.push(GatheredCall { id: start.id, tool: start.tool, input: String::new(), ended: false });
            }
            Event::CallDelta(delta) => {
                let index = open(&mut self.calls, &delta.id);
                self.calls[index].input.push_str(&delta.input);
            }
            Event::CallEnd(id) => {
                let index = open(&mut self.calls, &id);
                self.calls[index].ended = true;
            }
            Event::State(state) => {
                assert_eq!(self.state, "", "two states");
                self.state = state;
            }
            Event::Usage(usage) => {
                assert_eq!(self.usage, None, "two usages");
                self.usage = Some(usage);
            }
            Event::Stop(stop) => self.stop = Some(stop),
        }
    }

    /// The answer as a message of the conversation.
    pub fn message(&self) -> Message {
        let calls = self.calls.iter().map(|call| ToolCall {
            id: call.id.clone(),
            tool: call.tool.clone(),
            input: call.input.clone(),
        });
        Message::Assistant(AssistantMessage {
            text: self.text.clone(),
            calls: calls.collect(),
            state: self.state.clone(),
        })
    }
}

/// Reads a response to its end.
///
/// # Errors
/// What the answer ended with instead, and what came before.
#[expect(clippy::result_large_err, reason = "only tests read so, and they look at both")]
pub fn read<P: Protocol>(played: Played) -> Result<Gathered, (ModelError, Gathered)> {
    read_with(P::reader(), P::NAME, played)
}

/// See [`read`].
///
/// # Errors
/// See [`read`].
#[expect(clippy::result_large_err, reason = "only tests read so, and they look at both")]
pub fn read_with<R: Reader>(
    reader: R,
    provider: &'static str,
    played: Played,
) -> Result<Gathered, (ModelError, Gathered)> {
    // The clock stands still: nothing here is late.
    let mut exchange = Exchange::new(played, reader, provider, &config(), 0);
    let (mut gathered, waits) = (Gathered::default(), Cell::new(0_u32));
    loop {
        match exchange.next(|| 0) {
            Ok(Some(event)) => {
                let over = matches!(event, Event::Stop(_));
                gathered.take(event);
                if over {
                    assert!(exchange.transport().is_none(), "the connection stays open");
                    return Ok(gathered);
                }
            }
            Ok(None) => {
                waits.set(waits.get() + 1);
                assert!(waits.get() < 1_000_000, "it waits for ever");
            }
            Err(error) => return Err((error, gathered)),
        }
    }
}

/// The same stream in pieces of every size must be the same answer.
///
/// # Panics
/// If it is not, or no answer.
pub fn read_in_every_way<P: Protocol>(body: &str) -> Gathered {
    let read = |body: &str, bytes: usize| {
        read::<P>(Played::new(200, "text/event-stream", body.as_bytes(), bytes))
            .unwrap_or_else(|(error, gathered)| panic!("in pieces of {bytes}: {error:?} after {gathered:?}"))
    };
    let whole = read(body, body.len());
    for bytes in [1, 2, 3, 5, 7, 64] {
        assert_eq!(read(body, bytes), whole, "in pieces of {bytes}");
    }
    assert_eq!(read(&body.replace('\n', "\r\n"), 1), whole, "with CRLF");
    assert_eq!(read(&body.replace("\n\n", "\n\n: keep-alive\n\n"), 1), whole, "with comments");
    whole
}

/// A provider's configuration.
pub fn config() -> Config {
    Config {
        base: BaseUrl::parse("http://h/v1").unwrap_or_else(|error| panic!("{error}")),
        model: "m".to_owned(),
        options: Map::new(),
        silence_seconds_max: 60,
    }
}

/// The body of the request for this conversation, with one tool, `Read`.
///
/// # Panics
/// If there is no request.
pub fn body<P: Protocol>(messages: Vec<Message>, config: &Config) -> Value {
    let request = P::request(&request(messages), config).unwrap_or_else(|error| panic!("{error:?}"));
    serde_json::from_slice(&request.body).unwrap_or_else(|error| panic!("{error}"))
}

pub fn request(messages: Vec<Message>) -> Request {
    let tool = Tool {
        name: "Read".to_owned(),
        description: "Reads a file.".to_owned(),
        input_schema: r#"{"type":"object","properties":{"file_path":{"type":"string"}}}"#.to_owned(),
        powers: crate::tool::Powers { files: crate::tool::FileAccess::Read, net: vec![], process: vec![], env: vec![] },
    };
    Request {
        purpose: Purpose::Turn,
        system: "Be brief.".to_owned(),
        messages,
        tools: vec![tool],
        output_tokens_max: None,
    }
}

pub fn user(text: &str) -> Message {
    Message::User(text.to_owned())
}

pub fn assistant(text: &str, calls: &[(&str, &str)]) -> Message {
    let call = |(id, input): &(&str, &str)| ToolCall {
        id: (*id).to_owned(),
        tool: "Read".to_owned(),
        input: (*input).to_owned(),
    };
    Message::Assistant(AssistantMessage {
        text: text.to_owned(),
        calls: calls.iter().map(call).collect(),
        state: String::new(),
    })
}

pub fn tool(id: &str, parts: Vec<Part>) -> Message {
    let result = Ok(Outcome { parts, data: None, truncated: false });
    Message::Tool(ToolMessage { call_id: id.to_owned(), tool: "Read".to_owned(), result })
}
