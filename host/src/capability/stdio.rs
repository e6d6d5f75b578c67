//! Where the three streams of a process go.

use std::fs::File;
use std::future::poll_fn;
use std::io::{ErrorKind, IsTerminal as _, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdinStream, StdoutStream};
use wasmtime_wasi::p2::pipe::{ClosedInputStream, SinkOutputStream};
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable, StreamError, StreamResult,
};

use crate::limits::Meter;

/// Bytes that one read of a file gives, and one write to it takes.
const FILE_BYTES_MAX: usize = 64 << 10;

/// A stream that several processes have. It is held for moments only: a wait looks again and again.
struct Shared<S: ?Sized>(Arc<Mutex<Box<S>>>);

impl<S: ?Sized> Clone for Shared<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: ?Sized + Pollable> Shared<S> {
    fn new(stream: Box<S>) -> Self {
        Self(Arc::new(Mutex::new(stream)))
    }

    fn get(&self) -> MutexGuard<'_, Box<S>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    async fn ready(&self) {
        // The streams of this host remember who looked at them after the look is over.
        poll_fn(|context| self.get().ready().as_mut().poll(context)).await;
    }
}

/// What a process reads from. Clones share it.
#[derive(Clone)]
pub struct Input {
    stream: Shared<dyn InputStream>,
    is_terminal: bool,
}

impl Input {
    /// At its end from the start.
    pub fn null() -> Self {
        Self::stream(Box::new(ClosedInputStream))
    }

    /// A file, a pipe or a terminal of the system, read when the process reads and not before.
    pub fn file(file: File) -> Self {
        let is_terminal = file.is_terminal();
        let reader = FileReader { file: Arc::new(file), reading: None, read: None };
        Self { is_terminal, ..Self::stream(Box::new(reader)) }
    }

    pub(crate) fn stream(stream: DynInputStream) -> Self {
        Self { stream: Shared::new(stream), is_terminal: false }
    }
}

impl IsTerminal for Input {
    fn is_terminal(&self) -> bool {
        self.is_terminal
    }
}

impl StdinStream for Input {
    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(self.clone())
    }

    /// Only WASI 0.3 asks for it, which this host does not lend.
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(tokio::io::empty())
    }
}

#[async_trait]
impl Pollable for Input {
    async fn ready(&mut self) {
        self.stream.ready().await;
    }
}

#[async_trait]
impl InputStream for Input {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.stream.get().read(size)
    }
}

/// Reads on another thread: a terminal, or a pipe of the system, may let it wait for ever.
struct FileReader {
    file: Arc<File>,
    reading: Option<JoinHandle<std::io::Result<Bytes>>>,
    read: Option<std::io::Result<Bytes>>,
}

#[async_trait]
impl Pollable for FileReader {
    async fn ready(&mut self) {
        if self.read.is_some() {
            return;
        }
        let reading = self.reading.get_or_insert_with(|| {
            let file = self.file.clone();
            tokio::task::spawn_blocking(move || {
                let mut bytes = vec![0; FILE_BYTES_MAX];
                let length = loop {
                    match (&*file).read(&mut bytes) {
                        Err(error) if error.kind() == ErrorKind::Interrupted => {}
                        read => break read?,
                    }
                };
                bytes.truncate(length);
                Ok(Bytes::from(bytes))
            })
        });
        let read = reading.await.unwrap_or_else(|_| Err(std::io::Error::other("the reading thread is gone")));
        self.reading = None;
        self.read = Some(read);
    }
}

#[async_trait]
impl InputStream for FileReader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        match &mut self.read {
            None => Ok(Bytes::new()),
            // The end stays the end; it is only asked about again.
            Some(Ok(bytes)) if bytes.is_empty() => Err(StreamError::Closed),
            Some(Ok(bytes)) if bytes.len() > size => Ok(bytes.split_to(size)),
            Some(_) => match self.read.take() {
                Some(Ok(bytes)) => Ok(bytes),
                Some(Err(error)) => Err(StreamError::LastOperationFailed(error.into())),
                None => Ok(Bytes::new()),
            },
        }
    }
}

/// What a process writes to. Clones share it.
#[derive(Clone)]
pub struct Output {
    stream: Shared<dyn OutputStream>,
    is_terminal: bool,
}

impl Output {
    /// Taken and not kept.
    pub fn null() -> Self {
        Self::stream(Box::new(SinkOutputStream))
    }

    /// A file, a pipe or a terminal of the system. A write waits for whoever reads there.
    pub fn file(file: File) -> Self {
        let is_terminal = file.is_terminal();
        Self { is_terminal, ..Self::stream(Box::new(FileWriter(file))) }
    }

    pub(crate) fn stream(stream: DynOutputStream) -> Self {
        Self { stream: Shared::new(stream), is_terminal: false }
    }
}

struct FileWriter(File);

#[async_trait]
impl Pollable for FileWriter {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for FileWriter {
    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(FILE_BYTES_MAX)
    }

    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.write_all(&bytes).map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => StreamError::Closed,
            _ => StreamError::LastOperationFailed(error.into()),
        })
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }
}

/// stdout or stderr of a process: counted, and its end if nobody reads any more.
#[derive(Clone)]
pub(crate) struct Standard {
    output: Output,
    meter: Arc<Meter>,
    /// Set where a write found no reader; the process ends, as a signal would end it.
    broken: Arc<AtomicBool>,
}

impl Standard {
    pub(crate) fn of(output: &Output, meter: &Arc<Meter>, broken: &Arc<AtomicBool>) -> Self {
        Self { output: output.clone(), meter: meter.clone(), broken: broken.clone() }
    }

    fn passed<T>(&self, result: StreamResult<T>) -> StreamResult<T> {
        if matches!(result, Err(StreamError::Closed)) {
            self.broken.store(true, Ordering::Release);
            return Err(StreamError::trap("broken pipe"));
        }
        result
    }
}

impl IsTerminal for Standard {
    fn is_terminal(&self) -> bool {
        self.output.is_terminal
    }
}

impl StdoutStream for Standard {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    /// Only WASI 0.3 asks for it, which this host does not lend.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }
}

#[async_trait]
impl Pollable for Standard {
    async fn ready(&mut self) {
        self.output.stream.ready().await;
    }
}

#[async_trait]
impl OutputStream for Standard {
    fn check_write(&mut self) -> StreamResult<usize> {
        let room = self.output.stream.get().check_write();
        self.passed(room)
    }

    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if !self.meter.put_out(bytes.len() as u64) {
            return Err(StreamError::trap("output-bytes-max reached"));
        }
        let written = self.output.stream.get().write(bytes);
        self.passed(written)
    }

    fn flush(&mut self) -> StreamResult<()> {
        let flushed = self.output.stream.get().flush();
        self.passed(flushed)
    }
}

/// A stream of an instance that runs more than once: each run says anew where it leads. Clones are the same stream.
#[derive(Clone)]
pub(crate) struct Switched<S>(Arc<Mutex<S>>);

impl<S: Clone> Switched<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self(Arc::new(Mutex::new(stream)))
    }

    pub(crate) fn set(&self, stream: S) {
        *self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = stream;
    }

    fn get(&self) -> S {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}

impl<S: Clone + IsTerminal> IsTerminal for Switched<S> {
    fn is_terminal(&self) -> bool {
        self.get().is_terminal()
    }
}

#[async_trait]
impl<S: Clone + Pollable> Pollable for Switched<S> {
    async fn ready(&mut self) {
        self.get().ready().await;
    }
}

impl StdinStream for Switched<Input> {
    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        self.get().async_stream()
    }
}

#[async_trait]
impl InputStream for Switched<Input> {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.get().read(size)
    }
}

impl StdoutStream for Switched<Standard> {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        self.get().async_stream()
    }
}

#[async_trait]
impl OutputStream for Switched<Standard> {
    fn check_write(&mut self) -> StreamResult<usize> {
        self.get().check_write()
    }

    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.get().write(bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.get().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::pipe::pipe;

    fn standard(output: Output, output_bytes_max: u64) -> Standard {
        Standard { output, meter: Meter::new(output_bytes_max), broken: Arc::default() }
    }

    #[tokio::test]
    async fn a_file_is_read_in_pieces_up_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, vec![7; FILE_BYTES_MAX + 5]).unwrap();
        let mut input = Input::file(File::open(&path).unwrap());
        let mut sizes = Vec::new();
        loop {
            input.ready().await;
            match input.read(40_000) {
                Ok(bytes) => sizes.push(bytes.len()),
                Err(StreamError::Closed) => break,
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(sizes, [40_000, FILE_BYTES_MAX - 40_000, 5]);
    }

    #[tokio::test]
    async fn a_write_that_nobody_reads_ends_the_process() {
        let (reader, writer) = pipe();
        let mut out = standard(Output::stream(Box::new(writer)), 100);
        out.write(Bytes::from_static(b"x")).unwrap();
        drop(reader);
        assert!(matches!(out.check_write(), Err(StreamError::Trap(_))));
        assert!(out.broken.load(Ordering::Acquire));
    }

    #[tokio::test]
    async fn output_is_counted() {
        let mut out = standard(Output::null(), 3);
        out.write(Bytes::from_static(b"abc")).unwrap();
        assert!(matches!(out.write(Bytes::from_static(b"d")), Err(StreamError::Trap(_))));
        assert_eq!(out.meter.reached().unwrap().name, "output-bytes-max");
    }
}
