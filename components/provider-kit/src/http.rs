//! The network, over `wasi:http`: nothing in it waits, so that a request can be cancelled at any moment by dropping it.

use std::cell::RefCell;

use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::config::store;
use crate::bindings::wasi::http::outgoing_handler;
use crate::bindings::wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
    RequestOptions, Scheme,
};
use crate::bindings::wasi::io::streams::{InputStream, OutputStream, StreamError};
use crate::config::Config;
use crate::exchange::{Exchange, Protocol, Reader, Request};
use crate::transport::{Head, Read, Transport};
use crate::types::{self, Event, ModelError, NetworkError, NetworkKind};
use crate::{GuestCompletion, Pollable};

/// Bytes that are read at once.
const READ_BYTES: u64 = 64 << 10;

/// Between two looks at a request that the server takes slowly: it may have answered before it has all of it, and one
/// cannot wait for both.
const SENDING_LOOK_NS: u64 = 5_000_000;

/// Between two looks at a body of which only the end is missing.
const LINGER_LOOK_NS: u64 = 1_000_000;

const CONNECT_NS_MAX: u64 = 30_000_000_000;
const NS_PER_SECOND: u64 = 1_000_000_000;

/// A request to a service, as the agent sees it.
pub struct Running<R>(RefCell<Exchange<Http, R>>);

impl<R: Reader + 'static> GuestCompletion for Running<R> {
    fn subscribe(&self) -> Pollable {
        let exchange = self.0.borrow();
        match exchange.transport() {
            Some(_) if exchange.lingers() => monotonic_clock::subscribe_duration(LINGER_LOOK_NS),
            Some(transport) => transport.subscribe(),
            // It answers at once.
            None => monotonic_clock::subscribe_duration(0),
        }
    }

    fn next(&self) -> Result<Option<Event>, ModelError> {
        self.0.borrow_mut().next(monotonic_clock::now)
    }
}

/// Sends a request.
///
/// # Errors
/// When it cannot be made, or is refused before it is sent.
pub fn complete<P: Protocol>(request: &types::Request) -> Result<Running<P::Reader>, ModelError> {
    let config = Config::read(|key| {
        store::get(key).map_err(|error| match error {
            store::Error::Upstream(message) | store::Error::Io(message) => message,
        })
    })?;
    let http = Http::send(P::request(request, &config)?, &config)?;
    Ok(Running(RefCell::new(Exchange::new(http, P::reader(), P::NAME, &config, monotonic_clock::now()))))
}

/// The part of a request that is not sent yet. Streams are dropped before what they belong to: the order of the fields.
struct Sending {
    stream: OutputStream,
    body: OutgoingBody,
    bytes: Vec<u8>,
    sent: usize,
}

struct Receiving {
    stream: InputStream,
    _body: IncomingBody,
    _response: IncomingResponse,
}

/// A request and its response.
pub struct Http {
    sending: Option<Sending>,
    receiving: Option<Receiving>,
    response: FutureIncomingResponse,
}

impl Http {
    fn send(request: Request, config: &Config) -> Result<Self, ModelError> {
        let cannot = |what: &str| ModelError::InvalidRequest(format!("the request's {what} cannot be sent"));
        let mut headers = vec![
            ("content-type".to_owned(), b"application/json".to_vec()),
            ("accept".to_owned(), b"text/event-stream, application/json".to_vec()),
            ("user-agent".to_owned(), concat!("wardian/", env!("CARGO_PKG_VERSION")).as_bytes().to_vec()),
            ("content-length".to_owned(), request.body.len().to_string().into_bytes()),
        ];
        headers.extend(request.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into_bytes())));
        let headers = Fields::from_list(&headers).map_err(|_| cannot("headers"))?;
        let outgoing = OutgoingRequest::new(headers);
        let scheme = if config.base.https { Scheme::Https } else { Scheme::Http };
        outgoing.set_method(&Method::Post).map_err(|()| cannot("method"))?;
        outgoing.set_scheme(Some(&scheme)).map_err(|()| cannot("scheme"))?;
        outgoing.set_authority(Some(&config.base.authority)).map_err(|()| cannot("host"))?;
        outgoing.set_path_with_query(Some(&config.base.join(request.endpoint))).map_err(|()| cannot("path"))?;
        let body = outgoing.body().map_err(|()| cannot("body"))?;
        let stream = body.write().map_err(|()| cannot("body"))?;

        let options = RequestOptions::new();
        let silence_ns = config.silence_seconds_max.saturating_mul(NS_PER_SECOND);
        // A host that has no such bound leaves us our own: see `Exchange`.
        let _ = options.set_connect_timeout(Some(CONNECT_NS_MAX.min(silence_ns)));
        let _ = options.set_first_byte_timeout(Some(silence_ns));
        let _ = options.set_between_bytes_timeout(Some(silence_ns));
        let response = outgoing_handler::handle(outgoing, Some(options))
            .map_err(|code| ModelError::Network(network_error(code)))?;
        let sending = Some(Sending { stream, body, bytes: request.body, sent: 0 });
        Ok(Self { sending, receiving: None, response })
    }

    /// A pollable that is ready when it may get further.
    fn subscribe(&self) -> Pollable {
        match (&self.receiving, &self.sending) {
            (Some(receiving), _) => receiving.stream.subscribe(),
            (None, Some(_)) => monotonic_clock::subscribe_duration(SENDING_LOOK_NS),
            (None, None) => self.response.subscribe(),
        }
    }

    /// Sends what the connection takes.
    fn get_on_with_sending(&mut self) {
        let Some(sending) = &mut self.sending else { return };
        let is_over = loop {
            let rest = &sending.bytes[sending.sent..];
            if rest.is_empty() {
                break true;
            }
            match sending.stream.check_write() {
                Ok(0) => break false,
                Ok(room) => {
                    let bytes = &rest[..rest.len().min(usize::try_from(room).unwrap_or(usize::MAX))];
                    if sending.stream.write(bytes).is_err() {
                        break true;
                    }
                    sending.sent += bytes.len();
                }
                // The server wants no more; its answer, or the connection's end, says why.
                Err(_) => break true,
            }
        };
        if is_over && let Some(Sending { stream, body, .. }) = self.sending.take() {
            drop(stream);
            // A body that was cut off fails here and as the request's own error.
            let _ = OutgoingBody::finish(body, None);
        }
    }
}

impl Transport for Http {
    fn head(&mut self) -> Result<Option<Head>, NetworkError> {
        self.get_on_with_sending();
        let response = match self.response.get() {
            None => return Ok(None),
            Some(Ok(Ok(response))) => response,
            Some(Ok(Err(code))) => return Err(network_error(code)),
            Some(Err(())) => return Err(other("the response was taken before")),
        };
        // Whatever was not sent is not wanted.
        self.sending = None;
        let fields = response.headers();
        let headers = fields
            .entries()
            .into_iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), String::from_utf8_lossy(&value).into_owned()))
            .collect();
        drop(fields);
        let head = Head { status: response.status(), headers };
        let body = response.consume().map_err(|()| other("the response has no body"))?;
        let stream = body.stream().map_err(|()| other("the response's body cannot be read"))?;
        self.receiving = Some(Receiving { stream, _body: body, _response: response });
        Ok(Some(head))
    }

    fn read(&mut self) -> Result<Read, NetworkError> {
        let Some(receiving) = &self.receiving else { return Ok(Read::End) };
        match receiving.stream.read(READ_BYTES) {
            Ok(bytes) if bytes.is_empty() => Ok(Read::Later),
            Ok(bytes) => Ok(Read::Bytes(bytes)),
            Err(StreamError::Closed) => Ok(Read::End),
            Err(StreamError::LastOperationFailed(error)) => {
                Err(match crate::bindings::wasi::http::types::http_error_code(&error) {
                    Some(code) => network_error(code),
                    None => broken(error.to_debug_string()),
                })
            }
        }
    }
}

fn other(message: &str) -> NetworkError {
    NetworkError { kind: NetworkKind::Other, message: message.to_owned() }
}

/// What broke a body, where the host has words for it and no code, as Wasmtime's stream of a body has.
fn broken(message: String) -> NetworkError {
    let is_late = message.to_ascii_lowercase().contains("timeout");
    NetworkError { kind: if is_late { NetworkKind::Timeout } else { NetworkKind::Reset }, message }
}

/// Kind and words for each of the host's codes.
fn network_error(code: ErrorCode) -> NetworkError {
    use NetworkKind as Kind;
    let (kind, message) = match code {
        ErrorCode::DnsTimeout => (Kind::Dns, "the name server did not answer".to_owned()),
        ErrorCode::DnsError(payload) => {
            (Kind::Dns, payload.rcode.unwrap_or_else(|| "there is no such host".to_owned()))
        }
        ErrorCode::DestinationNotFound => (Kind::Dns, "there is no such host".to_owned()),
        ErrorCode::DestinationUnavailable | ErrorCode::DestinationIpUnroutable => {
            (Kind::Connect, "there is no way to the host".to_owned())
        }
        ErrorCode::ConnectionRefused => (Kind::Connect, "the host refuses connections".to_owned()),
        ErrorCode::ConnectionLimitReached => {
            (Kind::Connect, "more requests than one call may send, or at once".to_owned())
        }
        ErrorCode::DestinationIpProhibited => {
            (Kind::RefusedByPolicy, "the host's address is not one that may be reached".to_owned())
        }
        ErrorCode::HttpRequestDenied => (Kind::RefusedByPolicy, "the request is not allowed".to_owned()),
        ErrorCode::ConnectionTimeout => (Kind::Timeout, "no connection in time".to_owned()),
        ErrorCode::ConnectionReadTimeout | ErrorCode::HttpResponseTimeout => {
            (Kind::Timeout, "nothing came in time".to_owned())
        }
        ErrorCode::ConnectionWriteTimeout => (Kind::Timeout, "the request could not be sent in time".to_owned()),
        ErrorCode::ConnectionTerminated | ErrorCode::HttpResponseIncomplete => {
            (Kind::Reset, "the answer broke off".to_owned())
        }
        ErrorCode::TlsCertificateError => (Kind::Tls, "the certificate is not trusted".to_owned()),
        ErrorCode::TlsProtocolError => (Kind::Tls, "there is no TLS to be had".to_owned()),
        ErrorCode::TlsAlertReceived(payload) => {
            (Kind::Tls, payload.alert_message.unwrap_or_else(|| "the host sent an alert".to_owned()))
        }
        ErrorCode::InternalError(Some(message)) => (Kind::Other, message),
        code => (Kind::Other, format!("{code:?}")),
    };
    NetworkError { kind, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_a_kind() {
        for (code, kind) in [
            (ErrorCode::DnsTimeout, NetworkKind::Dns),
            (ErrorCode::ConnectionRefused, NetworkKind::Connect),
            (ErrorCode::TlsCertificateError, NetworkKind::Tls),
            (ErrorCode::HttpResponseIncomplete, NetworkKind::Reset),
            (ErrorCode::HttpResponseTimeout, NetworkKind::Timeout),
            (ErrorCode::HttpRequestDenied, NetworkKind::RefusedByPolicy),
            (ErrorCode::LoopDetected, NetworkKind::Other),
        ] {
            let error = network_error(code);
            assert!(error.kind == kind && !error.message.is_empty(), "{error:?}");
        }
        assert_eq!(broken("connection read timeout".to_owned()).kind, NetworkKind::Timeout);
        assert_eq!(broken("connection terminated".to_owned()).kind, NetworkKind::Reset);
    }
}
