//! stdout and stderr of a call: counted, and the last bytes kept.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::limits::Meter;

/// What is kept of a stream: enough for a panic message.
const KEPT_BYTES_MAX: usize = 4096;

/// What one write may carry.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// The last bytes that were written.
#[derive(Clone, Default)]
pub(crate) struct Captured(Arc<Mutex<VecDeque<u8>>>);

impl Captured {
    fn push(&self, bytes: &[u8]) {
        let Ok(mut kept) = self.0.lock() else { return };
        kept.extend(&bytes[bytes.len().saturating_sub(KEPT_BYTES_MAX)..]);
        let surplus = kept.len().saturating_sub(KEPT_BYTES_MAX);
        kept.drain(..surplus);
    }

    /// The last line that says something.
    pub(crate) fn last_line(&self) -> Option<String> {
        let kept: Vec<u8> = self.0.lock().ok()?.iter().copied().collect();
        let text = String::from_utf8_lossy(&kept);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        // Rust's runtime adds a hint about backtraces that helps nobody here.
        lines.rev().find(|line| !line.starts_with("note: run with")).map(str::to_owned)
    }
}

/// A stream that counts towards the output of its call.
#[derive(Clone)]
pub(crate) struct Output {
    meter: Arc<Meter>,
    captured: Captured,
}

impl Output {
    pub(crate) fn new(meter: Arc<Meter>, captured: Captured) -> Self {
        Self { meter, captured }
    }

    fn put(&self, bytes: &[u8]) -> bool {
        self.captured.push(bytes);
        self.meter.put_out(bytes.len() as u64)
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for Output {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        if self.put(&bytes) { Ok(()) } else { Err(StreamError::trap("output-bytes-max reached")) }
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

impl AsyncWrite for Output {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        if self.put(bytes) {
            Poll::Ready(Ok(bytes.len()))
        } else {
            Poll::Ready(Err(std::io::Error::other("output-bytes-max reached")))
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last_line_that_says_something() {
        let captured = Captured::default();
        captured.push(&vec![b'x'; 10_000]);
        captured.push(b"\nthread panicked: no\nnote: run with `RUST_BACKTRACE=1`\n\n");
        assert_eq!(captured.last_line().unwrap(), "thread panicked: no");
        assert!(captured.0.lock().unwrap().len() <= KEPT_BYTES_MAX);
    }
}
