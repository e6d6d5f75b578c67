//! Connections: to addresses that were checked and to no other, and used again where they may be.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::client::conn::{http1, http2};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{self, pki_types::ServerName};
use wasmtime_wasi_http::io::TokioIo;

use super::net::{Inner, NetOriginKey};
use crate::wit::NetOrigin;

pub(crate) type Body = UnsyncBoxBody<Bytes, wasmtime_wasi_http::Error>;

/// Idle connections to one origin.
const IDLE_MAX: usize = 8;

/// How long a connection waits to be used again.
const IDLE: Duration = Duration::from_secs(60);

/// Buffer of a connection with HTTP/1.1: bounds what its header may take before it is read, and what is read at once.
const BUFFER_BYTES_MAX: usize = 256 << 10;

/// Streams of one connection with HTTP/2 share this much of what was not read yet.
const H2_CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
const H2_STREAM_WINDOW_BYTES: u32 = 1 << 20;

/// Ends the task that drives a connection, and with it the socket.
pub(crate) struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(crate) enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

/// A connection, to be given back when it may be used again. Dropping it closes the socket, unless others use it.
pub(crate) struct Connection {
    pub(crate) sender: Sender,
    pub(crate) peer: IpAddr,
    task: Arc<Task>,
}

#[derive(Default)]
pub(crate) struct Pool(Vec<(Connection, Instant)>);

pub(crate) fn key(origin: &NetOrigin) -> NetOriginKey {
    (origin.scheme.clone(), origin.host.clone(), origin.port)
}

impl Connection {
    fn is_open(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => !sender.is_closed(),
            Sender::Http2(sender) => !sender.is_closed(),
        }
    }
}

impl Inner {
    /// A connection that waits to be used again. Whether it may is for the policy to say: it knows the peer's address.
    pub(crate) fn idle(&self, origin: &NetOrigin) -> Option<Connection> {
        let mut pools = self.pool.lock().ok()?;
        let pool = pools.get_mut(&key(origin))?;
        pool.0.retain(|(connection, since)| connection.is_open() && since.elapsed() < IDLE);
        let (connection, since) = pool.0.pop()?;
        if let Sender::Http2(sender) = &connection.sender {
            // Any number of requests at once: it stays.
            let (sender, task) = (Sender::Http2(sender.clone()), connection.task.clone());
            let shared = Connection { sender, peer: connection.peer, task };
            pool.0.push((connection, since));
            return Some(shared);
        }
        Some(connection)
    }

    /// Lets others use a connection that takes any number of requests at once.
    pub(crate) fn share(&self, origin: &NetOrigin, connection: &Connection) {
        if let Sender::Http2(sender) = &connection.sender {
            let (sender, task) = (Sender::Http2(sender.clone()), connection.task.clone());
            self.give_back(origin, Connection { sender, peer: connection.peer, task });
        }
    }

    /// Keeps a connection for later.
    pub(crate) fn give_back(&self, origin: &NetOrigin, connection: Connection) {
        let Ok(mut pools) = self.pool.lock() else { return };
        pools.retain(|_, pool| {
            pool.0.retain(|(connection, since)| connection.is_open() && since.elapsed() < IDLE);
            !pool.0.is_empty()
        });
        let pool = pools.entry(key(origin)).or_default();
        let is_shared = matches!(connection.sender, Sender::Http2(_));
        let has_shared = pool.0.iter().any(|(kept, _)| matches!(kept.sender, Sender::Http2(_)));
        if connection.is_open() && pool.0.len() < IDLE_MAX && !(is_shared && has_shared) {
            pool.0.push((connection, Instant::now()));
        }
    }
}

/// What went wrong on the way to a connection.
pub(crate) enum Failure {
    Connect(io::Error),
    Tls(io::Error),
    Roots(String),
}

impl Failure {
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Connect(error) => format!("cannot connect: {error}"),
            Self::Tls(error) => format!("no TLS: {error}"),
            Self::Roots(reason) => format!("no TLS: {reason}"),
        }
    }
}

/// Connects to the first of these that takes it. They are all that is ever connected to: no name is looked up here.
pub(crate) async fn connect(
    net: &Inner,
    origin: &NetOrigin,
    addresses: &[SocketAddr],
    time: Duration,
    header_bytes_max: u32,
) -> Result<Connection, Failure> {
    let start = Instant::now();
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    let mut found = None;
    for (index, address) in addresses.iter().enumerate() {
        // An address that does not answer must not use up the time of those after it.
        let left = time.saturating_sub(start.elapsed()) / (addresses.len() - index) as u32;
        match tokio::time::timeout(left, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                found = Some((stream, address.ip()));
                break;
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    let (stream, peer) = found.ok_or(Failure::Connect(last))?;
    // Requests are written in one piece: waiting for more only costs time.
    let _ = stream.set_nodelay(true);
    if origin.scheme == "http" {
        return http1(stream, peer).await;
    }
    let config = net.tls().await.map_err(Failure::Roots)?;
    let name = match origin.host.parse::<IpAddr>() {
        Ok(address) => ServerName::from(address),
        Err(_) => ServerName::try_from(origin.host.clone()).map_err(|error| Failure::Tls(io::Error::other(error)))?,
    };
    let stream = TlsConnector::from(config).connect(name, stream).await.map_err(Failure::Tls)?;
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        return http2(stream, peer, header_bytes_max).await;
    }
    http1(stream, peer).await
}

/// Whether a certificate was the reason.
pub(crate) fn is_certificate(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(inner, Some(rustls::Error::InvalidCertificate(_)))
}

fn drive(connection: impl Future<Output = hyper::Result<()>> + Send + 'static) -> Arc<Task> {
    // How it ends, requests on it hear by themselves.
    let task = tokio::spawn(async move { drop(connection.await) });
    Arc::new(Task(task.abort_handle()))
}

fn other(error: hyper::Error) -> Failure {
    Failure::Connect(io::Error::other(error))
}

async fn http1<S>(stream: S, peer: IpAddr) -> Result<Connection, Failure>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(BUFFER_BYTES_MAX);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(other)?;
    Ok(Connection { sender: Sender::Http1(sender), peer, task: drive(connection) })
}

#[derive(Clone)]
struct Spawn;

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Spawn {
    fn execute(&self, future: F) {
        tokio::spawn(future);
    }
}

async fn http2<S>(stream: S, peer: IpAddr, header_bytes_max: u32) -> Result<Connection, Failure>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let mut builder = http2::Builder::new(Spawn);
    builder
        .max_header_list_size(header_bytes_max)
        .initial_connection_window_size(H2_CONNECTION_WINDOW_BYTES)
        .initial_stream_window_size(H2_STREAM_WINDOW_BYTES);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(other)?;
    Ok(Connection { sender: Sender::Http2(sender), peer, task: drive(connection) })
}
