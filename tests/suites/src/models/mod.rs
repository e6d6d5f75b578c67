//! Model servers for tests: they refuse what the real ones refuse, and play answers in every shape that was ever seen.
//!
//! A server listens on a port of its own on the loopback interface. Each request is checked by the rules of its protocol;
//! one that breaks them gets the real service's refusal and is noted, so that a test can insist that there was none. A
//! request that passes takes the next answer.

mod anthropic;
mod chat;
mod openai;
mod rules;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// What every server asks for.
pub const KEY: &str = "sk-test-0123456789abcdef0123456789abcdef";

/// Bytes of a request that a server takes.
const REQUEST_BYTES_MAX: usize = 64 << 20;

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    OpenAi,
    Chat,
    Anthropic,
}

impl Protocol {
    pub const ALL: [Self; 3] = [Self::OpenAi, Self::Chat, Self::Anthropic];

    /// As `-m` has it.
    pub fn model(self) -> &'static str {
        match self {
            Self::OpenAi => "openai/gpt-5-test",
            Self::Chat => "chat/test:7b",
            Self::Anthropic => "anthropic/claude-test",
        }
    }

    /// Variables of the environment: base URL and key.
    pub fn variables(self) -> (&'static str, &'static str) {
        match self {
            Self::OpenAi => ("OPENAI_BASE_URL", "OPENAI_API_KEY"),
            Self::Chat => ("CHAT_BASE_URL", "CHAT_API_KEY"),
            Self::Anthropic => ("ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"),
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::OpenAi => "/v1/responses",
            Self::Chat => "/v1/chat/completions",
            Self::Anthropic => "/v1/messages",
        }
    }

    fn render(self, reply: &Reply, number: usize) -> Rendered {
        match self {
            Self::OpenAi => openai::render(reply, number),
            Self::Chat => chat::render(reply, number),
            Self::Anthropic => anthropic::render(reply, number),
        }
    }
}

/// What a model says, in no protocol yet.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// Shown only; signed or encrypted where the protocol does that.
    pub reasoning: String,
    /// In the pieces in which it is streamed.
    pub text: Vec<String>,
    /// Tool and input.
    pub calls: Vec<(String, Value)>,
}

impl Reply {
    pub fn text(text: &str) -> Self {
        Self { text: text.split_inclusive(' ').map(str::to_owned).collect(), ..Self::default() }
    }

    #[must_use]
    pub fn call(mut self, tool: &str, input: Value) -> Self {
        self.calls.push((tool.to_owned(), input));
        self
    }

    #[must_use]
    pub fn thinking(mut self, reasoning: &str) -> Self {
        self.reasoning = reasoning.to_owned();
        self
    }
}

/// A reply in a protocol's words: as events (name, data), and as a document.
struct Rendered {
    events: Vec<(Option<&'static str>, String)>,
    document: Value,
}

/// How the bytes of an answer are sent.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Bytes that are sent at once.
    pub piece_bytes: usize,
    /// Between two pieces.
    pub pause: Duration,
    pub crlf: bool,
    /// Comments between events, as proxies send them to keep connections open.
    pub comments: bool,
    /// The last word of protocols that have one of their own.
    pub done: bool,
    /// One JSON document in place of a stream.
    pub document: bool,
    /// The stream goes no further than the event with this text; then the connection breaks.
    pub cut_after: Option<&'static str>,
    /// In place of breaking, the connection stays open and silent.
    pub hang: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            piece_bytes: usize::MAX,
            pause: Duration::ZERO,
            crlf: false,
            comments: false,
            done: true,
            document: false,
            cut_after: None,
            hang: false,
        }
    }
}

/// What a server does with a request that it accepts.
#[derive(Debug, Clone)]
pub enum Answer {
    Reply(Reply, Shape),
    /// A refusal, or anything else that is no reply: status, further headers, body.
    Status(u16, Vec<(&'static str, String)>, String),
    /// An event stream of these bytes, whatever they are.
    Stream(String),
    /// For Chat Completions: so many events, so many a second. The text of each is [`now`], when it was sent, and a space.
    Paced {
        events: u32,
        per_second: u32,
    },
}

/// Microseconds on the clock of this process.
pub fn now() -> u64 {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    u64::try_from(EPOCH.get_or_init(Instant::now).elapsed().as_micros()).unwrap_or(u64::MAX)
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply, Shape::default())
    }
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    pub headers: Vec<(String, String)>,
    pub body: Value,
    /// Why the server refused it, if it broke the rules.
    pub refused: Option<String>,
}

#[derive(Default)]
struct Log {
    seen: Vec<Seen>,
    next: usize,
    /// When a client went away before its answer was complete.
    left: Vec<Instant>,
    /// When each answer's first bytes were handed over.
    began: Vec<Instant>,
}

struct State {
    protocol: Protocol,
    answers: Vec<Answer>,
    log: Mutex<Log>,
}

/// A running server. It ends with this value.
pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    /// Answers requests with these answers, one after the other.
    pub fn start(protocol: Protocol, answers: impl IntoIterator<Item = impl Into<Answer>>) -> Self {
        let answers = answers.into_iter().map(Into::into).collect();
        let state = Arc::new(State { protocol, answers, log: Mutex::default() });
        let (stop, stopped) = oneshot::channel();
        let (ready, listening) = std::sync::mpsc::channel();
        let serving = state.clone();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
                ready.send(listener.local_addr().unwrap()).unwrap();
                tokio::select! {
                    () = serve(&listener, &serving) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address: listening.recv().unwrap(), state, stop: Some(stop), thread: Some(thread) }
    }

    /// Where it is, with the version in the path as users write it.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.state.log.lock().unwrap().seen.clone()
    }

    /// When clients went away before their answers were complete.
    pub fn left(&self) -> Vec<Instant> {
        self.state.log.lock().unwrap().left.clone()
    }

    /// When the first bytes of each answer were handed over.
    pub fn began(&self) -> Vec<Instant> {
        self.state.log.lock().unwrap().began.clone()
    }

    /// Insists on so many requests, all by the rules.
    #[track_caller]
    pub fn took(&self, requests: usize) -> Vec<Seen> {
        let seen = self.seen();
        for request in &seen {
            assert_eq!(request.refused, None, "{:#}", request.body);
        }
        assert_eq!(seen.len(), requests, "{seen:#?}");
        seen
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: &TcpListener, state: &Arc<State>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let state = state.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| answer(state.clone(), request));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

type Sent = Response<Pieces>;

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Sent, std::convert::Infallible> {
    let (head, body) = request.into_parts();
    let headers: Vec<(String, String)> = head
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let bytes = Limited::new(body, REQUEST_BYTES_MAX).collect().await.map(http_body_util::Collected::to_bytes);
    let body = bytes.ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok()).unwrap_or_default();
    let mut log = state.log.lock().unwrap();
    let checked = if head.method != "POST" || head.uri.path() != state.protocol.path() {
        Err((404, json!({"error": {"message": "Not Found", "type": "not_found_error"}})))
    } else {
        rules::check_head(state.protocol, &headers).and_then(|()| match state.protocol {
            Protocol::OpenAi => openai::check(&body),
            Protocol::Chat => chat::check(&body),
            Protocol::Anthropic => anthropic::check(&body),
        })
    };
    let refused = checked.as_ref().err().map(|(status, body)| format!("{status}: {body}"));
    log.seen.push(Seen { headers, body, refused });
    if let Err((status, body)) = checked {
        return Ok(whole(status, &[], &body.to_string()));
    }
    let number = log.next;
    log.next += 1;
    let Some(answer) = state.answers.get(number) else {
        return Ok(whole(400, &[], &json!({"error": {"message": "the server has no further answer"}}).to_string()));
    };
    Ok(match answer {
        Answer::Status(status, headers, body) => whole(*status, headers, body),
        Answer::Stream(text) => {
            let pieces = text.as_bytes().chunks(1 << 20).map(Bytes::copy_from_slice).collect();
            stream(&state, pieces, Duration::ZERO, End::Whole)
        }
        Answer::Paced { events, per_second } => paced(*events, *per_second),
        Answer::Reply(reply, shape) => {
            let rendered = state.protocol.render(reply, number);
            if shape.document {
                return Ok(whole(200, &[], &rendered.document.to_string()));
            }
            let mut text = String::new();
            let mut end = End::Whole;
            for (name, data) in rendered.events {
                if data == "[DONE]" && !shape.done {
                    continue;
                }
                if shape.comments {
                    text.push_str(": keep-alive\n\n");
                }
                if let Some(name) = name {
                    text.push_str(&format!("event: {name}\n"));
                }
                text.push_str(&format!("data: {data}\n\n"));
                if shape.cut_after.is_some_and(|last| data.contains(last)) {
                    end = if shape.hang { End::Hang } else { End::Cut };
                    break;
                }
            }
            if shape.crlf {
                text = text.replace('\n', "\r\n");
            }
            let bytes = text.into_bytes();
            let pieces = bytes.chunks(shape.piece_bytes.min(bytes.len().max(1))).map(Bytes::copy_from_slice).collect();
            stream(&state, pieces, shape.pause, end)
        }
    })
}

fn whole(status: u16, headers: &[(&'static str, String)], body: &str) -> Sent {
    let (send, receive) = mpsc::channel(1);
    let _ = send.try_send(Ok(Bytes::copy_from_slice(body.as_bytes())));
    let mut response = Response::new(Pieces(receive));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    let all = [("content-type", "application/json".to_owned())].into_iter().chain(headers.iter().cloned());
    for (name, value) in all {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

#[derive(Clone, Copy)]
enum End {
    Whole,
    Cut,
    Hang,
}

fn stream(state: &Arc<State>, pieces: Vec<Bytes>, pause: Duration, end: End) -> Sent {
    let (send, receive) = mpsc::channel(1);
    let state = state.clone();
    tokio::spawn(async move {
        for (number, piece) in pieces.into_iter().enumerate() {
            if number == 0 {
                state.log.lock().unwrap().began.push(Instant::now());
            } else if !pause.is_zero() {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = send.closed() => {}
                }
            }
            if send.send(Ok(piece)).await.is_err() {
                state.log.lock().unwrap().left.push(Instant::now());
                return;
            }
        }
        match end {
            End::Whole => {}
            End::Cut => {
                let _ = send.send(Err(std::io::Error::other("cut"))).await;
            }
            End::Hang => {
                send.closed().await;
                state.log.lock().unwrap().left.push(Instant::now());
            }
        }
    });
    event_stream(receive)
}

fn event_stream(pieces: mpsc::Receiver<Result<Bytes, std::io::Error>>) -> Sent {
    let mut response = Response::new(Pieces(pieces));
    response.headers_mut().insert("content-type", "text/event-stream; charset=utf-8".parse().unwrap());
    response
}

fn paced(events: u32, per_second: u32) -> Sent {
    let (send, receive) = mpsc::channel(64);
    tokio::spawn(async move {
        let start = tokio::time::Instant::now();
        for number in 0..events {
            tokio::time::sleep_until(start + Duration::from_secs(1) * number / per_second).await;
            let event = json!({"choices": [{"index": 0, "delta": {"content": format!("{} ", now())}}]});
            if send.send(Ok(format!("data: {event}\n\n").into())).await.is_err() {
                return;
            }
        }
        let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
        let _ = send.send(Ok(format!("data: {end}\n\ndata: [DONE]\n\n").into())).await;
    });
    event_stream(receive)
}

/// A body that is made while it is sent.
struct Pieces(mpsc::Receiver<Result<Bytes, std::io::Error>>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
