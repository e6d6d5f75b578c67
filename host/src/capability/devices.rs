//! `wardian:host/devices`: streams that a guest cannot make itself. No read or write waits, and each is bounded.

use bytes::Bytes;
use wasmtime::component::Resource;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::pipe::{ClosedInputStream, SinkOutputStream};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, InputStream, Pollable, StreamError, StreamResult};

use super::Lent;
use super::lent::wardian::host::devices::Host;

/// Bytes that one read gives at most.
const READ_BYTES_MAX: usize = 64 << 10;

struct Zeros;

#[async_trait]
impl Pollable for Zeros {
    async fn ready(&mut self) {}
}

#[async_trait]
impl InputStream for Zeros {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        static ZEROS: [u8; READ_BYTES_MAX] = [0; READ_BYTES_MAX];
        Ok(Bytes::from_static(&ZEROS[..size.min(READ_BYTES_MAX)]))
    }
}

struct Random;

#[async_trait]
impl Pollable for Random {
    async fn ready(&mut self) {}
}

#[async_trait]
impl InputStream for Random {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let mut bytes = vec![0; size.min(READ_BYTES_MAX)];
        getrandom::fill(&mut bytes)
            .map_err(|error| StreamError::LastOperationFailed(wasmtime::Error::msg(error.to_string())))?;
        Ok(bytes.into())
    }
}

impl Lent<'_> {
    fn input(&mut self, stream: impl InputStream) -> wasmtime::Result<Resource<DynInputStream>> {
        Ok(self.table.push(Box::new(stream) as DynInputStream)?)
    }
}

impl Host for Lent<'_> {
    fn empty(&mut self) -> wasmtime::Result<Resource<DynInputStream>> {
        self.input(ClosedInputStream)
    }

    fn zeros(&mut self) -> wasmtime::Result<Resource<DynInputStream>> {
        self.input(Zeros)
    }

    fn random(&mut self) -> wasmtime::Result<Resource<DynInputStream>> {
        self.input(Random)
    }

    fn sink(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        Ok(self.table.push(Box::new(SinkOutputStream) as DynOutputStream)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_read_is_bounded_and_gives_something() {
        for size in [0, 1, READ_BYTES_MAX, usize::MAX] {
            let expected = size.min(READ_BYTES_MAX);
            let zeros = Zeros.read(size).unwrap();
            assert_eq!(zeros.len(), expected);
            assert!(zeros.iter().all(|byte| *byte == 0));
            assert_eq!(Random.read(size).unwrap().len(), expected);
        }
        assert_ne!(Random.read(32).unwrap(), Random.read(32).unwrap());
    }
}
