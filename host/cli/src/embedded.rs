//! The components that this binary carries.

use std::borrow::Cow;
use std::io::Read;

/// Bytes of an embedded component, unpacked.
const COMPONENT_BYTES_MAX: u64 = 512 << 20;

#[derive(Clone, Copy)]
#[allow(dead_code, reason = "which of them there are depends on what was embedded")]
enum Packing {
    No,
    Gzip,
    Brotli,
}

/// An embedded component.
pub struct Carried {
    /// Its folder's name.
    pub name: &'static str,
    bytes: &'static [u8],
    packing: Packing,
    /// SHA-256 of the component.
    pub digest: &'static str,
}

impl Carried {
    /// The component. Unpacking takes a moment: ask only where the compiled code is not at hand.
    pub fn bytes(&self) -> Result<Cow<'static, [u8]>, String> {
        let unpacked = match self.packing {
            Packing::No => return Ok(Cow::Borrowed(self.bytes)),
            Packing::Gzip => wardian_bundle::unpack(self.bytes, COMPONENT_BYTES_MAX).map_err(|error| error.to_string()),
            Packing::Brotli => {
                let mut plain = Vec::new();
                let reader = brotli_decompressor::Decompressor::new(self.bytes, 64 << 10);
                let read = reader.take(COMPONENT_BYTES_MAX).read_to_end(&mut plain);
                read.map(|_| plain).map_err(|error| error.to_string())
            }
        };
        unpacked.map(Cow::Owned).map_err(|error| format!("it cannot be unpacked: {error}"))
    }
}

/// A file of the page.
pub struct Served {
    /// With slashes, none at its beginning.
    pub path: &'static str,
    /// As it is, or compressed.
    pub content: &'static [u8],
    pub is_brotli: bool,
    /// Of the file itself.
    pub bytes: u64,
    /// SHA-256 of the file itself.
    pub digest: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
