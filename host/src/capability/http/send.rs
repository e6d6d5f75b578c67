//! A request on its way: the policy at every hop, the clock at every wait.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_body::Body as _;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::body::{Bounds, Download, Place, Upload, broken};
use super::connect::{Body, Connection, Failure, Sender, connect, is_certificate};
use super::net::Net;
use super::policy::{Broken, Checked, Decision, Denial, Header, Options, Policy, Request, describe};
use crate::capability::activities::{Activities, Moved, Record, net_error};
use crate::wit::{NetError, NetLimits, NetOrigin};

/// Tells the code which URL answered: it differs from what was asked for where redirects were followed.
const FINAL_URL: HeaderName = HeaderName::from_static("wardian-url");

/// What a call sends with.
pub(crate) struct Sending {
    pub(crate) net: Net,
    pub(crate) options: Options,
    pub(crate) policy: tokio::sync::Mutex<Option<Policy>>,
    pub(crate) activities: Arc<Activities>,
    pub(crate) under_way: Arc<AtomicU64>,
    /// The call has used up its requests, and it is recorded.
    pub(crate) is_over: AtomicBool,
}

pub(crate) type Sent = Result<http::Response<WasiBody>, Error>;

pub(super) fn limit(name: &str, at: u64) -> NetError {
    NetError { kind: "limit".to_owned(), message: name.to_owned(), at: Some(at) }
}

/// What the code is told of a denial; the journal and the user are told why.
fn denied(denial: &Denial) -> Error {
    match denial.rule.as_str() {
        "address" => Error::DestinationIpProhibited,
        // No rule would help.
        "requests-max" => Error::ConnectionLimitReached,
        _ => Error::HttpRequestDenied,
    }
}

fn denial_error(denial: &Denial) -> NetError {
    net_error("denied", denial.reason.clone())
}

/// How a hop ended that has no response to hand on.
type Ended = (NetError, Error);

/// The clock of a request, with all its hops.
struct Clock {
    end: Instant,
    connect: Duration,
    first_byte: Duration,
    between: Duration,
    limits: NetLimits,
}

impl Clock {
    fn new(limits: NetLimits, options: Option<&RequestOptions>) -> Self {
        // The code may be stricter than the policy, never more lenient.
        let bound = |max: u32, own: Option<Duration>| {
            let max = Duration::from_millis(max.into());
            own.map_or(max, |own| own.min(max))
        };
        Self {
            end: Instant::now() + Duration::from_millis(limits.total_ms_max.into()),
            connect: bound(limits.connect_ms_max, options.and_then(|options| options.connect_timeout)),
            first_byte: bound(limits.first_byte_ms_max, options.and_then(|options| options.first_byte_timeout)),
            between: bound(limits.between_bytes_ms_max, options.and_then(|options| options.between_bytes_timeout)),
            limits,
        }
    }

    /// Waits for at most so long, and in no case past the end.
    async fn within<T>(
        &self,
        time: Duration,
        (name, at, error): (&str, u32, Error),
        work: impl Future<Output = T>,
    ) -> Result<T, Ended> {
        let left = self.end.saturating_duration_since(Instant::now());
        let is_total = left < time;
        timeout(time.min(left), work).await.map_err(|_| {
            if is_total {
                (limit("total-ms-max", self.limits.total_ms_max.into()), Error::HttpResponseTimeout)
            } else {
                (limit(name, at.into()), error)
            }
        })
    }
}

impl Clock {
    /// Runs out when the first byte is due. That clock starts when the other side has been sent everything.
    async fn first_byte(&self, all_sent: &mut watch::Receiver<bool>) -> Ended {
        let total = ("total-ms-max", self.limits.total_ms_max, Error::HttpResponseTimeout);
        let everything = all_sent.wait_for(|sent| *sent);
        if let Err(ended) = self.within(Duration::MAX, total, everything).await {
            return ended;
        }
        let first = ("first-byte-ms-max", self.limits.first_byte_ms_max, Error::ConnectionReadTimeout);
        match self.within(self.first_byte, first, std::future::pending::<std::convert::Infallible>()).await {
            Err(ended) => ended,
            Ok(never) => match never {},
        }
    }
}

/// What a hop is sent with.
struct Hop {
    checked: Checked,
    body: Option<WasiBody>,
    credentials: bool,
}

impl Sending {
    pub(crate) async fn send(self: Arc<Self>, request: http::Request<WasiBody>, times: Option<RequestOptions>) -> Sent {
        self.activities.room().await;
        let (parts, body) = request.into_parts();
        let has_body = !body.is_end_stream();
        let (method, url) = (parts.method.to_string(), parts.uri.to_string());
        let place = self.take_place(&method)?;
        let headers = parts
            .headers
            .iter()
            .map(|(name, value)| Header { name: name.as_str().to_owned(), value: value.as_bytes().to_vec() });
        let request = Request { method, url, headers: headers.collect(), has_body };
        let decision = self.decide(&request).await;
        self.walk(decision, &request.method, body, times, place).await
    }

    fn take_place(&self, method: &str) -> Result<Place, Error> {
        let max = u64::from(self.net.limits().concurrent_max);
        let place = Place(self.under_way.clone());
        if self.under_way.fetch_add(1, Ordering::AcqRel) >= max {
            self.activities.refused(method, "", "concurrent-max", limit("concurrent-max", max));
            return Err(Error::ConnectionLimitReached);
        }
        Ok(place)
    }

    async fn decide(&self, request: &Request) -> Decision {
        let mut policy = self.policy.lock().await;
        if policy.is_none() {
            match self.net.0.netfetch.policy(&self.options).await {
                Ok(made) => *policy = Some(made),
                Err(broken) => {
                    let reason = match broken {
                        Broken::Invalid(invalid) => describe(&invalid),
                        Broken::Code(reason) => format!("the network policy broke: {reason}"),
                    };
                    return Decision::Deny(Denial { rule: "netfetch".to_owned(), reason, shown: String::new() });
                }
            }
        }
        match policy.as_mut() {
            Some(policy) => policy.decide(request).await,
            None => Decision::Deny(lost()),
        }
    }

    /// From hop to hop, until there is a response to hand on.
    async fn walk(
        &self,
        mut decision: Decision,
        method: &str,
        body: WasiBody,
        times: Option<RequestOptions>,
        place: Place,
    ) -> Sent {
        let mut body = Some(body);
        let mut method = method.to_owned();
        let mut clock = Clock::new(self.net.limits(), times.as_ref());
        // Of the origin that the code asked for, until the walk leaves it: there is no way back.
        let mut home: Option<NetOrigin> = None;
        let mut is_home = true;
        for hop in 1.. {
            let asked = Instant::now();
            let checked = self.leave(decision, &method).await?;
            // The user's time is not the request's.
            clock.end += asked.elapsed();
            is_home &= *home.get_or_insert_with(|| checked.origin.clone()) == checked.origin;
            method.clone_from(&checked.method);
            let number = checked.decision;
            let record = self.activities.begin(&checked.method, &checked.shown, &checked.rule);
            let url = checked.url.clone();
            let origin = checked.origin.clone();
            let hop_sent = Hop { checked, body: body.take(), credentials: is_home };
            let (response, connection) = match self.exchange(hop_sent, &record, &clock).await {
                Ok(received) => received,
                Err(Outcome::Denied(denial)) => {
                    self.forget(number).await;
                    record.denied(&denial.rule, denial_error(&denial));
                    return Err(denied(&denial));
                }
                Err(Outcome::Failed((told, error))) => {
                    self.forget(number).await;
                    record.failed(told);
                    return Err(error);
                }
            };
            record.status(response.status().as_u16());
            let status = response.status().as_u16();
            let location = response.headers().get(header::LOCATION).map(|value| value.as_bytes().to_vec());
            let next = match self.policy.lock().await.as_mut() {
                Some(policy) => policy.redirect(number, hop, status, location).await,
                None => Some(Decision::Deny(lost())),
            };
            if let Some(next) = next {
                if response.body().is_end_stream() {
                    self.net.0.give_back(&origin, connection);
                }
                record.done();
                self.forget(number).await;
                decision = next;
                continue;
            }
            return self.hand_on(response, (number, &url), record, connection, origin, &clock, place).await;
        }
        Err(Error::LoopDetected)
    }

    async fn forget(&self, decision: u32) {
        if let Some(policy) = self.policy.lock().await.as_mut() {
            policy.forget(decision).await;
        }
    }

    /// Leave to send, or the error of having none.
    async fn leave(&self, decision: Decision, method: &str) -> Result<Checked, Error> {
        match decision {
            Decision::Allow(checked) => Ok(checked),
            Decision::Deny(denial) => {
                // Code that goes on after that is told so each time, the journal once.
                let is_repeated = denial.rule == "requests-max" && self.is_over.swap(true, Ordering::AcqRel);
                if !is_repeated {
                    self.activities.refused(method, &denial.shown, &denial.rule, denial_error(&denial));
                }
                Err(denied(&denial))
            }
            Decision::Ask(question) => {
                let checked = question.request;
                if self.activities.ask(&checked.method, &question.host, &checked.shown).await {
                    if let Some(policy) = self.policy.lock().await.as_mut() {
                        policy.allow_host(&question.host).await.map_err(|denial| denied(&denial))?;
                    }
                    return Ok(checked);
                }
                let error = net_error("denied", format!("{} was not permitted; --net {0} allows it", question.host));
                self.activities.refused(&checked.method, &checked.shown, &checked.rule, error);
                Err(Error::HttpRequestDenied)
            }
        }
    }

    async fn check(&self, decision: u32, addresses: &[String]) -> Result<(), Outcome> {
        match self.policy.lock().await.as_mut() {
            Some(policy) => policy.addresses(decision, addresses).await.map_err(Outcome::Denied),
            None => Err(Outcome::Denied(lost())),
        }
    }

    /// Sends one hop and waits for the header of its response.
    async fn exchange(
        &self,
        hop: Hop,
        record: &Record,
        clock: &Clock,
    ) -> Result<(http::Response<Incoming>, Connection), Outcome> {
        let Hop { checked, body, credentials } = hop;
        let (sent, mut all_sent) = watch::channel(false);
        let fault = Arc::new(Mutex::new(None));
        let body = body.map(|body| self.upload(body, record.moved.clone(), fault.clone(), &sent));
        if body.is_none() {
            sent.send_replace(true);
        }
        let mut body = Some(body.unwrap_or_else(empty));
        let mut reuse = true;
        loop {
            let mut connection = match self.idle(&checked, reuse).await? {
                Some(connection) => connection,
                None => {
                    reuse = false;
                    self.connect(&checked, clock).await?
                }
            };
            let request = self.request(&checked, credentials, &connection, body.take().unwrap_or_else(empty))?;
            let result = tokio::select! {
                biased;
                result = connection.send(request) => result,
                ended = clock.first_byte(&mut all_sent) => return Err(Outcome::Failed(ended)),
            };
            match result {
                Ok(response) => return Ok((response, connection)),
                // It was closed while it waited to be used again.
                Err((_, Some(request))) if reuse => body = Some(request.into_body()),
                Err((error, _)) => {
                    let told = fault.lock().ok().and_then(|mut fault| fault.take());
                    if let Some(told) = told {
                        let max = clock.limits.request_bytes_max;
                        return Err(Outcome::Failed((told, Error::HttpRequestBodySize(Some(max)))));
                    }
                    if error.is_parse_too_large() {
                        return Err(Outcome::Failed(self.header_too_large()));
                    }
                    return Err(Outcome::Failed(broken(&error)));
                }
            }
        }
    }

    fn header_too_large(&self) -> Ended {
        let max = self.net.limits().header_bytes_max;
        (limit("header-bytes-max", max.into()), Error::HttpResponseHeaderSectionSize(Some(max)))
    }

    fn upload(
        &self,
        body: WasiBody,
        moved: Arc<Moved>,
        fault: Arc<Mutex<Option<NetError>>>,
        sent: &watch::Sender<bool>,
    ) -> Body {
        if body.is_end_stream() {
            sent.send_replace(true);
        }
        let bytes_max = self.net.limits().request_bytes_max;
        Upload { body, moved, bytes_max, fault, sent: sent.clone() }.boxed_unsync()
    }

    /// A connection from before, if the policy lets this request use it, too.
    async fn idle(&self, checked: &Checked, reuse: bool) -> Result<Option<Connection>, Outcome> {
        let Some(connection) = reuse.then(|| self.net.0.idle(&checked.origin)).flatten() else { return Ok(None) };
        self.check(checked.decision, &[connection.peer.to_string()]).await?;
        Ok(Some(connection))
    }

    /// Looks the name up, once; has every address checked; connects to one of those that were.
    async fn connect(&self, checked: &Checked, clock: &Clock) -> Result<Connection, Outcome> {
        let NetOrigin { host, port, .. } = &checked.origin;
        let bound = || ("connect-ms-max", clock.limits.connect_ms_max, Error::ConnectionTimeout);
        let addresses: Vec<SocketAddr> = match checked.address.as_ref().and_then(|address| address.parse().ok()) {
            Some(address) => vec![SocketAddr::new(address, *port)],
            None => {
                let lookup = self.net.0.resolver.resolve(host.clone(), *port);
                let found = clock.within(clock.connect, bound(), lookup).await.map_err(Outcome::Failed)?;
                found
                    .map_err(|error| Outcome::Failed((dns(&error), Error::DnsError { rcode: None, info_code: None })))?
            }
        };
        let texts: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
        self.check(checked.decision, &texts).await?;
        // The port is the request's, whatever a resolver says.
        let addresses: Vec<SocketAddr> = addresses.iter().map(|address| SocketAddr::new(address.ip(), *port)).collect();
        let header_bytes_max = clock.limits.header_bytes_max;
        let connecting = connect(&self.net.0, &checked.origin, &addresses, clock.connect, header_bytes_max);
        let connected = clock.within(clock.connect, bound(), connecting).await.map_err(Outcome::Failed)?;
        if let Ok(connection) = &connected {
            self.net.0.share(&checked.origin, connection);
        }
        connected.map_err(|failure| {
            let message = failure.message();
            Outcome::Failed(match failure {
                Failure::Connect(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                    (limit("connect-ms-max", clock.limits.connect_ms_max.into()), Error::ConnectionTimeout)
                }
                Failure::Connect(_) => (net_error("connect", message), Error::ConnectionRefused),
                Failure::Tls(error) if is_certificate(&error) => {
                    (net_error("tls", message), Error::TlsCertificateError)
                }
                Failure::Tls(_) | Failure::Roots(_) => (net_error("tls", message), Error::TlsProtocolError),
            })
        })
    }

    /// The request as it goes on the wire. Here, and nowhere else, credentials are added.
    fn request(
        &self,
        checked: &Checked,
        credentials: bool,
        connection: &Connection,
        body: Body,
    ) -> Result<http::Request<Body>, Outcome> {
        let malformed =
            |_| Outcome::Failed((net_error("protocol", "the request is malformed"), Error::HttpProtocolError));
        let uri: http::Uri = checked.url.parse().map_err(|_| {
            Outcome::Failed((net_error("protocol", "the URL cannot be sent"), Error::HttpRequestUriInvalid))
        })?;
        let mut headers = HeaderMap::new();
        for sent in &checked.headers {
            let name = HeaderName::from_bytes(sent.name.as_bytes());
            let value = HeaderValue::from_bytes(&sent.value);
            if let (Ok(name), Ok(value)) = (name, value) {
                headers.append(name, value);
            }
        }
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if credentials {
            for credential in self.net.0.credentials.iter().filter(|credential| credential.origin == checked.origin) {
                headers.insert(credential.header.clone(), credential.value.clone());
            }
        }
        let mut builder = http::Request::builder().method(checked.method.as_str());
        builder = match &connection.sender {
            Sender::Http1(_) => {
                let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
                let host = HeaderValue::from_str(authority).map_err(|_| Outcome::Denied(lost()))?;
                headers.insert(header::HOST, host);
                builder.uri(uri.path_and_query().map_or("/", |path| path.as_str()))
            }
            Sender::Http2(_) => builder.uri(uri),
        };
        let mut request = builder.body(body).map_err(malformed)?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// Checks the response, and hands it on with its body.
    #[expect(clippy::too_many_arguments, reason = "everything that the walk knows about the last hop")]
    async fn hand_on(
        &self,
        response: http::Response<Incoming>,
        (decision, url): (u32, &str),
        record: Record,
        connection: Connection,
        origin: NetOrigin,
        clock: &Clock,
        place: Place,
    ) -> Sent {
        let (mut parts, body) = response.into_parts();
        let content_type = parts.headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes().to_vec());
        let judged = match self.policy.lock().await.as_mut() {
            Some(policy) => {
                let judged = policy.response(decision, parts.status.as_u16(), content_type.as_deref()).await;
                policy.forget(decision).await;
                judged
            }
            None => Err(lost()),
        };
        if let Err(denial) = judged {
            record.denied(&denial.rule, denial_error(&denial));
            return Err(Error::HttpRequestDenied);
        }
        let size: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        let NetLimits { header_bytes_max, response_bytes_max, between_bytes_ms_max, total_ms_max, .. } = clock.limits;
        if size > header_bytes_max as usize {
            let (told, error) = self.header_too_large();
            record.failed(told);
            return Err(error);
        }
        if let Some(encoding) = parts.headers.get(header::CONTENT_ENCODING)
            && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
        {
            let encoding = String::from_utf8_lossy(encoding.as_bytes()).into_owned();
            record
                .failed(net_error("encoding", format!("the body is encoded ({encoding:?}), which was not asked for")));
            return Err(Error::HttpResponseContentCoding(Some(encoding)));
        }
        if body.size_hint().lower() > response_bytes_max {
            record.failed(limit("response-bytes-max", response_bytes_max));
            return Err(Error::HttpResponseBodySize(Some(response_bytes_max)));
        }
        parts.headers.remove(header::SET_COOKIE);
        parts.headers.remove("set-cookie2");
        if let Ok(url) = HeaderValue::from_str(url) {
            parts.headers.insert(FINAL_URL, url);
        }
        let bounds = Bounds {
            bytes_max: response_bytes_max,
            between: clock.between,
            between_ms_max: between_bytes_ms_max,
            total_ms_max,
            end: clock.end,
        };
        let body = Download::new(body, record, connection, (self.net.clone(), origin), bounds, place);
        Ok(http::Response::from_parts(parts, body.boxed_unsync()))
    }
}

/// How a hop ended that has no response.
enum Outcome {
    Denied(Denial),
    Failed(Ended),
}

/// Cannot be: there is no hop without a decision. Should it be, nothing is sent.
fn lost() -> Denial {
    let (rule, reason) = ("netfetch".to_owned(), "the network policy is gone".to_owned());
    Denial { rule, reason, shown: String::new() }
}

fn dns(error: &std::io::Error) -> NetError {
    net_error("dns", format!("the name cannot be looked up: {error}"))
}

fn empty() -> Body {
    Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync()
}
