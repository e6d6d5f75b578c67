//! Bounded pipes between processes: a writer waits for its reader, and learns when there is none any more.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};

use bytes::Bytes;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

/// What is under way in one pipe at most. A stage of a pipeline wakes the next one once for this much.
const PIPE_BYTES_MAX: usize = 256 << 10;

#[derive(Default)]
struct State {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    is_written: bool,
    is_abandoned: bool,
    /// The writer waits until somebody has begun to read, and nobody has yet.
    is_unwanted: bool,
    readers: Waiting,
    writers: Waiting,
}

/// Whoever waits. A waiter is remembered until the next change, also where it has stopped to look: relatives that share
/// an end look at it in turn, and each look must be enough.
#[derive(Default)]
struct Waiting(Vec<Waker>);

impl Waiting {
    fn add(&mut self, waker: &Waker) {
        if !self.0.iter().any(|known| known.will_wake(waker)) {
            self.0.push(waker.clone());
        }
    }

    fn wake(&mut self) {
        self.0.drain(..).for_each(Waker::wake);
    }
}

#[derive(Default)]
struct Shared(Mutex<State>);

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can panic halfway.
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The end that is read from. Dropping it tells the writer.
pub struct PipeReader(Arc<Shared>);

/// The end that is written to. Dropping it ends the input of the reader, who gets the rest first.
pub struct PipeWriter(Arc<Shared>);

impl State {
    fn room(&self) -> usize {
        if self.is_unwanted { 0 } else { PIPE_BYTES_MAX.saturating_sub(self.bytes) }
    }

    fn want(&mut self) {
        if self.is_unwanted {
            self.is_unwanted = false;
            self.writers.wake();
        }
    }
}

/// A new pipe that has no room before somebody reads from it.
pub fn pipe_on_demand() -> (PipeReader, PipeWriter) {
    let (reader, writer) = pipe();
    reader.0.state().is_unwanted = true;
    (reader, writer)
}

/// A new pipe.
pub fn pipe() -> (PipeReader, PipeWriter) {
    let shared = Arc::new(Shared::default());
    (PipeReader(shared.clone()), PipeWriter(shared))
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.is_abandoned = true;
        state.chunks.clear();
        state.writers.wake();
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.is_written = true;
        state.readers.wake();
    }
}

#[async_trait]
impl Pollable for PipeReader {
    async fn ready(&mut self) {
        poll_fn(|context| {
            let mut state = self.0.state();
            state.want();
            if state.bytes > 0 || state.is_written {
                return Poll::Ready(());
            }
            state.readers.add(context.waker());
            Poll::Pending
        })
        .await;
    }
}

#[async_trait]
impl InputStream for PipeReader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let mut state = self.0.state();
        if size == 0 {
            return Ok(Bytes::new());
        }
        state.want();
        let Some(chunk) = state.chunks.front_mut() else {
            return if state.is_written { Err(StreamError::Closed) } else { Ok(Bytes::new()) };
        };
        let read = if chunk.len() <= size { std::mem::take(chunk) } else { chunk.split_to(size) };
        if chunk.is_empty() {
            state.chunks.pop_front();
        }
        state.bytes -= read.len();
        state.writers.wake();
        Ok(read)
    }
}

#[async_trait]
impl Pollable for PipeWriter {
    async fn ready(&mut self) {
        poll_fn(|context| {
            let mut state = self.0.state();
            if state.room() > 0 || state.is_abandoned {
                return Poll::Ready(());
            }
            state.writers.add(context.waker());
            Poll::Pending
        })
        .await;
    }
}

#[async_trait]
impl OutputStream for PipeWriter {
    fn check_write(&mut self) -> StreamResult<usize> {
        let state = self.0.state();
        if state.is_abandoned { Err(StreamError::Closed) } else { Ok(state.room()) }
    }

    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut state = self.0.state();
        if state.is_abandoned {
            return Err(StreamError::Closed);
        }
        if !bytes.is_empty() {
            state.bytes += bytes.len();
            state.chunks.push_back(bytes);
            state.readers.wake();
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        if self.0.state().is_abandoned { Err(StreamError::Closed) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn a_writer_waits_for_its_reader() {
        let (mut reader, mut writer) = pipe();
        writer.write(Bytes::from(vec![1; PIPE_BYTES_MAX])).unwrap();
        assert_eq!(writer.check_write().unwrap(), 0);
        assert!(tokio::time::timeout(Duration::from_millis(20), writer.ready()).await.is_err());
        assert_eq!(reader.read(10).unwrap().len(), 10);
        tokio::time::timeout(Duration::from_secs(5), writer.ready()).await.unwrap();
        assert_eq!(writer.check_write().unwrap(), 10);
    }

    #[tokio::test]
    async fn a_pipe_on_demand_has_room_once_somebody_reads() {
        let (mut reader, mut writer) = pipe_on_demand();
        assert_eq!(writer.check_write().unwrap(), 0);
        assert!(tokio::time::timeout(Duration::from_millis(20), writer.ready()).await.is_err());
        assert!(reader.read(1).unwrap().is_empty());
        tokio::time::timeout(Duration::from_secs(5), writer.ready()).await.unwrap();
        assert_eq!(writer.check_write().unwrap(), PIPE_BYTES_MAX);
        writer.write(Bytes::from_static(b"ab")).unwrap();
        assert_eq!(reader.read(9).unwrap(), "ab");

        let (mut reader, mut writer) = pipe_on_demand();
        let waiting = tokio::spawn(async move { reader.ready().await });
        tokio::time::timeout(Duration::from_secs(5), writer.ready()).await.unwrap();
        assert_eq!(writer.check_write().unwrap(), PIPE_BYTES_MAX);
        drop(writer);
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn the_reader_gets_the_rest_and_then_the_end() {
        let (mut reader, mut writer) = pipe();
        assert!(reader.read(1).unwrap().is_empty());
        writer.write(Bytes::from_static(b"ab")).unwrap();
        writer.write(Bytes::from_static(b"c")).unwrap();
        drop(writer);
        assert_eq!(reader.read(1).unwrap(), "a");
        assert_eq!(reader.read(9).unwrap(), "b");
        assert_eq!(reader.read(9).unwrap(), "c");
        reader.ready().await;
        assert!(matches!(reader.read(9), Err(StreamError::Closed)));
    }

    #[tokio::test]
    async fn a_waiting_writer_learns_that_its_reader_is_gone() {
        let (reader, mut writer) = pipe();
        writer.write(Bytes::from(vec![1; PIPE_BYTES_MAX])).unwrap();
        let waiting = tokio::spawn(async move {
            writer.ready().await;
            writer.check_write()
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
        drop(reader);
        let waited = tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
        assert!(matches!(waited, Err(StreamError::Closed)));
    }
}
