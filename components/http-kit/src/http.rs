//! The network, over `wasi:http`: nothing in it waits, so that a request can be cancelled at any moment by dropping it.

use std::io;
use std::time::Duration;

use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::http::outgoing_handler;
use crate::bindings::wasi::http::types::{
    self, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, OutgoingBody, OutgoingRequest,
    RequestOptions, Scheme,
};
use crate::bindings::wasi::io::poll::{self, Pollable};
use crate::bindings::wasi::io::streams::{InputStream, OutputStream, StreamError};
use crate::error::{Error, Kind};
use crate::transport::{Head, Outgoing, Read, Request, Transport};

/// Bytes that are read at once.
const READ_BYTES: u64 = 64 << 10;

/// Between two looks at a request that the server takes slowly: it may have answered before it has all of it, and one
/// cannot wait for both.
const SENDING_LOOK_NS: u64 = 5_000_000;

const NS_PER_MS: u64 = 1_000_000;

/// The part of a request that is not sent yet. Streams are dropped before what they belong to: the order of the fields.
struct Sending {
    stream: OutputStream,
    body: OutgoingBody,
    source: Box<dyn io::Read>,
    /// What was read last, and how much of it is sent.
    bytes: Vec<u8>,
    sent: usize,
}

impl Sending {
    /// Reads the next bytes when the last are sent. False: there are none.
    fn refill(&mut self) -> io::Result<bool> {
        if self.sent < self.bytes.len() {
            return Ok(true);
        }
        self.bytes.resize(READ_BYTES as usize, 0);
        self.sent = 0;
        loop {
            match self.source.read(&mut self.bytes) {
                Ok(count) => {
                    self.bytes.truncate(count);
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
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
    /// Sends a request.
    ///
    /// # Errors
    /// When it cannot be made, or is refused before it is sent.
    pub fn send(request: Request) -> Result<Self, Error> {
        Self::begin(request.into())
    }

    /// Sends a request with any method, and its body as it is read.
    ///
    /// # Errors
    /// When it cannot be made, or is refused before it is sent.
    pub fn begin(request: Outgoing) -> Result<Self, Error> {
        let cannot = |what: &str| Error::new(Kind::Other, format!("the request's {what} cannot be sent"));
        let Outgoing { method, https, authority, path_with_query, headers, body, timeouts } = request;
        let mut headers: Vec<_> = headers.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
        if let Some(length) = body.as_ref().and_then(|body| body.length) {
            headers.push(("content-length".to_owned(), length.to_string().into_bytes()));
        }
        let headers = Fields::from_list(&headers).map_err(|_| cannot("headers"))?;
        let outgoing = OutgoingRequest::new(headers);
        let scheme = if https { Scheme::Https } else { Scheme::Http };
        let method = match method.as_str() {
            "GET" => types::Method::Get,
            "HEAD" => types::Method::Head,
            "POST" => types::Method::Post,
            "PUT" => types::Method::Put,
            "DELETE" => types::Method::Delete,
            "OPTIONS" => types::Method::Options,
            "PATCH" => types::Method::Patch,
            _ => types::Method::Other(method),
        };
        outgoing.set_method(&method).map_err(|()| cannot("method"))?;
        outgoing.set_scheme(Some(&scheme)).map_err(|()| cannot("scheme"))?;
        outgoing.set_authority(Some(&authority)).map_err(|()| cannot("host"))?;
        outgoing.set_path_with_query(Some(&path_with_query)).map_err(|()| cannot("path"))?;
        let sending = match body {
            Some(source) => {
                let body = outgoing.body().map_err(|()| cannot("body"))?;
                let stream = body.write().map_err(|()| cannot("body"))?;
                Some(Sending { stream, body, source: source.bytes, bytes: Vec::new(), sent: 0 })
            }
            None => None,
        };

        let options = RequestOptions::new();
        let ns = |ms: u64| Some(ms.saturating_mul(NS_PER_MS));
        // A host that has no such bound has others.
        let _ = options.set_connect_timeout(ns(timeouts.connect_ms_max));
        let _ = options.set_first_byte_timeout(ns(timeouts.first_byte_ms_max));
        let _ = options.set_between_bytes_timeout(ns(timeouts.between_bytes_ms_max));
        let response = outgoing_handler::handle(outgoing, Some(options))?;
        Ok(Self { sending, receiving: None, response })
    }

    /// A pollable that is ready when it may get further.
    pub fn subscribe(&self) -> Pollable {
        match (&self.receiving, &self.sending) {
            (Some(receiving), _) => receiving.stream.subscribe(),
            (None, Some(_)) => monotonic_clock::subscribe_duration(SENDING_LOOK_NS),
            (None, None) => self.response.subscribe(),
        }
    }

    /// Sends what the connection takes.
    fn get_on_with_sending(&mut self) -> Result<(), Error> {
        let Some(sending) = &mut self.sending else { return Ok(()) };
        let over = loop {
            let more = sending
                .refill()
                .map_err(|error| Error::new(Kind::Other, format!("what is sent cannot be read: {error}")))?;
            if !more {
                break true;
            }
            match sending.stream.check_write() {
                Ok(0) => break false,
                Ok(room) => {
                    let rest = &sending.bytes[sending.sent..];
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
        if over && let Some(Sending { stream, body, .. }) = self.sending.take() {
            drop(stream);
            // A body that was cut off fails here and as the request's own error.
            let _ = OutgoingBody::finish(body, None);
        }
        Ok(())
    }
}

impl Transport for Http {
    fn head(&mut self) -> Result<Option<Head>, Error> {
        self.get_on_with_sending()?;
        let response = match self.response.get() {
            None => return Ok(None),
            Some(Ok(Ok(response))) => response,
            Some(Ok(Err(code))) => return Err(code.into()),
            Some(Err(())) => return Err(Error::other("the response was taken before")),
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
        let body = response.consume().map_err(|()| Error::other("the response has no body"))?;
        let stream = body.stream().map_err(|()| Error::other("the response's body cannot be read"))?;
        self.receiving = Some(Receiving { stream, _body: body, _response: response });
        Ok(Some(head))
    }

    fn read(&mut self) -> Result<Read, Error> {
        let Some(receiving) = &self.receiving else { return Ok(Read::End) };
        match receiving.stream.read(READ_BYTES) {
            Ok(bytes) if bytes.is_empty() => Ok(Read::Later),
            Ok(bytes) => Ok(Read::Bytes(bytes)),
            Err(StreamError::Closed) => Ok(Read::End),
            Err(StreamError::LastOperationFailed(error)) => Err(match types::http_error_code(&error) {
                Some(code) => code.into(),
                None => Error::new(Kind::Reset, error.to_debug_string()),
            }),
        }
    }

    fn wait(&mut self, time_max: Option<Duration>) {
        let further = self.subscribe();
        match time_max {
            None => further.block(),
            Some(time) => {
                let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
                let late = monotonic_clock::subscribe_duration(ns);
                poll::poll(&[&further, &late]);
            }
        }
    }
}
