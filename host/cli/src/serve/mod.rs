//! The server of `wardian serve`: one page on the loopback interface, and the way to models for it.
//!
//! Any page that the user visits can send requests to a loopback port, and any name can be made to lead there. So a
//! request has to name this very address (`guard.rs`) and must not come from another origin; and what costs money asks for
//! the token, which only the address that was printed has.

mod guard;
mod proxy;
mod site;

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::failure::Failure;
use crate::show;
use guard::Guard;
pub use proxy::Upstreams;
pub use site::Site;

/// Connections at once. A browser opens six.
const CONNECTIONS_MAX: usize = 64;

/// Of a request's head: longer than any that a page of ours sends.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Until a connection's next request is there in full, its head.
const HEAD_TIME: Duration = Duration::from_secs(60);

/// After an error of the listener, which comes from a lack of something that others may give back.
const PAUSE: Duration = Duration::from_millis(100);

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// A server that is ready.
pub struct Server {
    listener: TcpListener,
    shared: Arc<Shared>,
}

struct Shared {
    guard: Guard,
    site: Site,
    upstreams: Upstreams,
    headers: HeaderMap,
    log: Log,
}

/// How requests to models are told of.
#[derive(Clone, Copy)]
enum Log {
    Json,
    People,
    Nobody,
}

impl Server {
    /// `connect`: origins that the page may speak to besides this one.
    pub fn new(
        listener: TcpListener,
        site: Site,
        upstreams: Upstreams,
        connect: Vec<String>,
        json: bool,
    ) -> Result<Self, Failure> {
        let address = listener.local_addr().map_err(|error| Failure::failed(format!("no address: {error}")))?;
        let log = match json {
            true => Log::Json,
            false if std::io::stderr().is_terminal() => Log::People,
            false => Log::Nobody,
        };
        let (guard, headers) = (Guard::new(address)?, headers(&connect)?);
        Ok(Self { listener, shared: Arc::new(Shared { guard, site, upstreams, headers, log }) })
    }

    /// Without the token.
    pub fn origin(&self) -> &str {
        self.shared.guard.origin()
    }

    /// The page's address. A fragment is not sent anywhere, and the page takes it out of the address bar.
    pub fn url(&self) -> String {
        format!("{}/#token={}", self.origin(), self.shared.guard.token())
    }

    /// Serves until it is dropped; or the reason why it cannot.
    pub async fn serve(self) -> Failure {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let Ok(place) = places.clone().acquire_owned().await else {
                return Failure::failed("the server's places are gone");
            };
            while connections.try_join_next().is_some() {}
            let (stream, shared) = match self.listener.accept().await {
                Ok((stream, _)) => (stream, self.shared.clone()),
                Err(_) => {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let _ = stream.set_nodelay(true);
            connections.spawn(async move {
                let service = hyper::service::service_fn(move |request| {
                    let shared = shared.clone();
                    async move { Ok::<_, std::convert::Infallible>(shared.answer(request).await) }
                });
                let mut http = http1::Builder::new();
                http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(HEAD_BYTES_MAX);
                // How a connection ends, its other end knows.
                let _ = http.serve_connection(TokioIo::new(stream), service).await;
                drop(place);
            });
        }
    }
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let mut response = match self.guard.check(request.method(), request.headers()) {
            Ok(()) => self.route(request).await,
            Err((status, why)) => text(status, why),
        };
        for (name, value) in &self.headers {
            response.headers_mut().insert(name, value.clone());
        }
        response
    }

    async fn route(&self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path();
        if path == "/model" || path.starts_with("/model/") {
            if !self.guard.knows_token(request.headers()) {
                let why = "the token is missing or of an earlier start: open the address that `wardian serve` printed";
                return proxy::refusal(StatusCode::UNAUTHORIZED, why);
            }
            return match (request.method(), path) {
                (&Method::GET, "/model") => json_body(StatusCode::OK, &self.upstreams.describe()),
                _ => self.upstreams.forward(request, self.log).await,
            };
        }
        match *request.method() {
            Method::GET | Method::HEAD => self.site.answer(&request).await,
            _ => {
                let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD");
                response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
                response
            }
        }
    }
}

impl Log {
    fn tell(self, what: &str, status: u16, bytes: u64, time: Duration, error: Option<&str>) {
        let ms = time.as_millis() as u64;
        match self {
            Self::Nobody => {}
            Self::Json => show::print_json_line(&json!({
                "type": "model.request", "service": what, "status": status, "bytes": bytes, "ms": ms, "error": error,
            })),
            Self::People => {
                let error = error.map(|error| format!(" · {error}")).unwrap_or_default();
                eprintln!("{what} {status} · {bytes} bytes · {ms} ms{error}");
            }
        }
    }
}

/// What goes with every answer.
fn headers(connect: &[String]) -> Result<HeaderMap, Failure> {
    let connect = connect.iter().fold(String::new(), |all, origin| format!("{all} {origin}"));
    // No other origin, no inline script or style, no eval but that of WebAssembly; images may be what the agent read.
    let policy = format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; font-src 'self'; \
         img-src 'self' blob: data:; connect-src 'self'{connect}; worker-src 'self'; manifest-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let policy = HeaderValue::from_str(&policy)
        .map_err(|_| Failure::usage("an origin of --connect has characters that no header may have"))?;
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ];
    let mut headers: HeaderMap =
        fixed.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(headers)
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

fn text(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(full(format!("{text}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn json_body(status: StatusCode, value: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(full(value.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
