//! `/dev`: the few devices that programs expect.

use crate::exports::wasi::filesystem::types::{InputStream, OutputStream};
use crate::wardian::host::devices;
use crate::wasi::cli::{stderr, stdin, stdout};
use crate::wasi::filesystem::types::ErrorCode;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    Null,
    Zero,
    Random,
    Stdin,
    Stdout,
    Stderr,
}

pub const NAMES: &[(&str, Device)] = &[
    ("null", Device::Null),
    ("random", Device::Random),
    ("stderr", Device::Stderr),
    ("stdin", Device::Stdin),
    ("stdout", Device::Stdout),
    ("urandom", Device::Random),
    ("zero", Device::Zero),
];

/// Bytes that one positioned read of an endless device gives.
const READ_BYTES_MAX: u64 = 1 << 20;

impl Device {
    pub fn named(name: &str) -> Option<Self> {
        let fd = match name {
            "fd/0" => Some(Self::Stdin),
            "fd/1" => Some(Self::Stdout),
            "fd/2" => Some(Self::Stderr),
            _ => None,
        };
        fd.or_else(|| NAMES.iter().find(|(known, _)| *known == name).map(|(_, device)| *device))
    }

    pub fn input(self) -> Result<InputStream, ErrorCode> {
        match self {
            Self::Null => Ok(devices::empty()),
            Self::Zero => Ok(devices::zeros()),
            Self::Random => Ok(devices::random()),
            Self::Stdin => Ok(stdin::get_stdin()),
            Self::Stdout | Self::Stderr => Err(ErrorCode::BadDescriptor),
        }
    }

    pub fn output(self) -> Result<OutputStream, ErrorCode> {
        match self {
            Self::Null | Self::Zero | Self::Random => Ok(devices::sink()),
            Self::Stdout => Ok(stdout::get_stdout()),
            Self::Stderr => Ok(stderr::get_stderr()),
            Self::Stdin => Err(ErrorCode::BadDescriptor),
        }
    }

    /// A read at an offset, which means nothing to a device.
    pub fn read(self, length: u64) -> Result<(Vec<u8>, bool), ErrorCode> {
        let length = length.min(READ_BYTES_MAX);
        match self {
            Self::Null => Ok((Vec::new(), true)),
            Self::Zero => Ok((vec![0; length as usize], false)),
            Self::Random | Self::Stdin => match self.input()?.blocking_read(length) {
                Ok(bytes) => Ok((bytes, false)),
                Err(crate::wasi::io::streams::StreamError::Closed) => Ok((Vec::new(), true)),
                Err(_) => Err(ErrorCode::Io),
            },
            Self::Stdout | Self::Stderr => Err(ErrorCode::BadDescriptor),
        }
    }

    pub fn write(self, bytes: &[u8]) -> Result<u64, ErrorCode> {
        /// What one blocking write takes, by its contract.
        const PIECE: usize = 4096;
        let stream = self.output()?;
        for piece in bytes.chunks(PIECE) {
            stream.blocking_write_and_flush(piece).map_err(|_| ErrorCode::Pipe)?;
        }
        Ok(bytes.len() as u64)
    }
}
