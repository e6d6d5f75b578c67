//! Bodies on their way: counted, timed, never held whole.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::{Error, WasiBody};

use super::connect::{Connection, Sender};
use super::net::Net;
use super::send::limit;
use crate::capability::activities::{Moved, Record, net_error};
use crate::wit::{NetError, NetOrigin};

/// A request's body. What it reaches first is kept for whoever waits for the response.
pub(super) struct Upload {
    pub(super) body: WasiBody,
    pub(super) moved: Arc<Moved>,
    pub(super) bytes_max: u64,
    pub(super) fault: Arc<Mutex<Option<NetError>>>,
    /// True once all of it was handed over.
    pub(super) sent: watch::Sender<bool>,
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            let sent = count(&self.moved.sent, data.len());
            if sent > self.bytes_max {
                if let Ok(mut fault) = self.fault.lock() {
                    *fault = Some(limit("request-bytes-max", self.bytes_max));
                }
                return Poll::Ready(Some(Err(Error::HttpRequestBodySize(Some(self.bytes_max)))));
            }
        }
        if !matches!(frame, Some(Ok(_))) || self.body.is_end_stream() {
            self.sent.send_replace(true);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn count(counter: &AtomicU64, bytes: usize) -> u64 {
    counter.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64
}

/// Gives its place among the requests of a call back when it is dropped.
pub(super) struct Place(pub(super) Arc<AtomicU64>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A response's body. It ends with its whole length, or with an error; dropping it before closes the connection.
pub(super) struct Download {
    under_way: Option<UnderWay>,
    bytes_max: u64,
    between: Duration,
    between_ms_max: u32,
    total_ms_max: u32,
    silent: Pin<Box<Sleep>>,
    overdue: Pin<Box<Sleep>>,
    _place: Place,
}

struct UnderWay {
    body: Incoming,
    record: Record,
    connection: Connection,
    net: Net,
    origin: NetOrigin,
}

/// Bounds of a download.
pub(super) struct Bounds {
    pub(super) bytes_max: u64,
    pub(super) between: Duration,
    pub(super) between_ms_max: u32,
    pub(super) total_ms_max: u32,
    pub(super) end: Instant,
}

impl Download {
    pub(super) fn new(
        body: Incoming,
        record: Record,
        connection: Connection,
        (net, origin): (Net, NetOrigin),
        bounds: Bounds,
        place: Place,
    ) -> Self {
        let Bounds { bytes_max, between, between_ms_max, total_ms_max, end } = bounds;
        let mut download = Self {
            under_way: Some(UnderWay { body, record, connection, net, origin }),
            bytes_max,
            between,
            between_ms_max,
            total_ms_max,
            silent: Box::pin(tokio::time::sleep(between)),
            overdue: Box::pin(tokio::time::sleep_until(end)),
            _place: place,
        };
        if download.under_way.as_ref().is_some_and(|under_way| under_way.body.is_end_stream()) {
            download.done();
        }
        download
    }

    fn done(&mut self) {
        let Some(UnderWay { record, connection, net, origin, .. }) = self.under_way.take() else { return };
        record.done();
        net.0.give_back(&origin, connection);
    }

    fn fail(&mut self, told: NetError, error: Error) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(UnderWay { record, .. }) = self.under_way.take() {
            record.failed(told);
        }
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        let Some(under_way) = &mut this.under_way else { return Poll::Ready(None) };
        if this.overdue.as_mut().poll(cx).is_ready() {
            let at = this.total_ms_max.into();
            return this.fail(limit("total-ms-max", at), Error::HttpResponseTimeout);
        }
        match Pin::new(&mut under_way.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    let received = count(&under_way.record.moved.received, data.len());
                    if received > this.bytes_max {
                        let at = this.bytes_max;
                        return this.fail(limit("response-bytes-max", at), Error::HttpResponseBodySize(Some(at)));
                    }
                }
                let is_last = under_way.body.is_end_stream();
                this.silent.as_mut().reset(Instant::now() + this.between);
                if is_last {
                    this.done();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                let (told, error) = broken(&error);
                this.fail(told, error)
            }
            Poll::Ready(None) => {
                this.done();
                Poll::Ready(None)
            }
            Poll::Pending => {
                std::task::ready!(this.silent.as_mut().poll(cx));
                let at = this.between_ms_max.into();
                this.fail(limit("between-bytes-ms-max", at), Error::ConnectionReadTimeout)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.under_way.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.under_way.as_ref().map_or(SizeHint::with_exact(0), |under_way| under_way.body.size_hint())
    }
}

/// What the transport says, for the journal and for the code.
pub(super) fn broken(error: &hyper::Error) -> (NetError, Error) {
    if error.is_incomplete_message() {
        return (net_error("incomplete", "the response broke off before its end"), Error::HttpResponseIncomplete);
    }
    if error.is_canceled() || error.is_closed() {
        return (net_error("closed", "the server closed the connection"), Error::ConnectionTerminated);
    }
    let io = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    if let Some(io) = io {
        return match io.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                (net_error("incomplete", "the response broke off before its end"), Error::HttpResponseIncomplete)
            }
            _ => (net_error("closed", format!("the connection broke: {io}")), Error::ConnectionTerminated),
        };
    }
    (net_error("protocol", format!("the response is malformed: {error}")), Error::HttpProtocolError)
}

impl Connection {
    /// Sends; or gives the request back if not a byte of it was sent, so that another connection may take it.
    pub(super) async fn send(
        &mut self,
        request: http::Request<super::connect::Body>,
    ) -> Result<http::Response<Incoming>, (hyper::Error, Option<http::Request<super::connect::Body>>)> {
        let result = match &mut self.sender {
            Sender::Http1(sender) => {
                if let Err(error) = sender.ready().await {
                    return Err((error, Some(request)));
                }
                sender.try_send_request(request).await
            }
            Sender::Http2(sender) => {
                if let Err(error) = sender.ready().await {
                    return Err((error, Some(request)));
                }
                sender.try_send_request(request).await
            }
        };
        result.map_err(|mut error| {
            let request = error.take_message();
            (error.into_error(), request)
        })
    }
}
