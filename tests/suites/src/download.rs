//! A large download: by a tool through the host and its policy, and by the bare client that the host uses.

use std::io::Write;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::json;
use wardian_host::wit::NetLimits;

use crate::net::{Client, Server, allow};

const BYTES: u64 = 100_000_000;

/// What the server writes at a time.
const PIECE_BYTES: usize = 256 << 10;

/// Downloads of each kind; the best one counts.
const ROUNDS: usize = 5;

pub struct Figures {
    /// In MB/s.
    pub through: f64,
    pub bare: f64,
    /// By how much this process grew during a download, at most.
    pub grown_bytes: u64,
}

pub async fn measure() -> Result<Figures> {
    let server = Server::new(|_, stream| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {BYTES}\r\n\r\n");
        let (piece, mut left) = (vec![b'x'; PIECE_BYTES], BYTES as usize);
        let mut open = stream.write_all(head.as_bytes()).is_ok();
        while left > 0 && open {
            let next = left.min(piece.len());
            open = stream.write_all(&piece[..next]).is_ok();
            left -= next;
        }
        open
    });
    let client = Client::with(vec![allow("127.0.0.1")], |options| options.limits = NetLimits::default()).await;
    let url = server.url("/");
    let (mut through, mut bare, mut grown_bytes) = (0_f64, 0_f64, 0);
    // The first one fills caches.
    client.fetch(json!({ "url": url })).await;
    for _ in 0..ROUNDS {
        let before = resident_bytes();
        let start = Instant::now();
        let fetched = client.fetch(json!({ "url": url })).await;
        through = through.max(rate(start));
        grown_bytes = grown_bytes.max(resident_bytes().saturating_sub(before));
        ensure!(fetched.data()["bytes"] == BYTES, "{:?}", fetched.result);
        let start = Instant::now();
        ensure!(download(&server).await? == BYTES, "the bare client lost something");
        bare = bare.max(rate(start));
    }
    Ok(Figures { through, bare, grown_bytes })
}

fn rate(start: Instant) -> f64 {
    BYTES as f64 / 1e6 / start.elapsed().as_secs_f64()
}

async fn download(server: &Server) -> Result<u64> {
    let stream = tokio::net::TcpStream::connect(server.address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driving = tokio::spawn(connection);
    let request = hyper::Request::builder().header("host", "127.0.0.1").body(Empty::<Bytes>::new())?;
    let mut body = sender.send_request(request).await?.into_body();
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += frame?.data_ref().map_or(0, Bytes::len) as u64;
    }
    driving.abort();
    Ok(bytes)
}

/// What this process has in memory; 0 where the system does not say.
fn resident_bytes() -> u64 {
    let pages = || -> Result<u64> {
        let text = std::fs::read_to_string("/proc/self/statm")?;
        Ok(text.split(' ').nth(1).context("no second number")?.parse()?)
    };
    pages().unwrap_or_default() * 4096
}
