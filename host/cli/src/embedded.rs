//! The components that this binary carries.

use std::borrow::Cow;

/// Bytes of an embedded component, unpacked.
const COMPONENT_BYTES_MAX: u64 = 512 << 20;

/// An embedded component.
pub struct Carried {
    /// Its folder's name.
    pub name: &'static str,
    bytes: &'static [u8],
    is_packed: bool,
    /// SHA-256 of the component.
    pub digest: &'static str,
}

impl Carried {
    /// The component. Unpacking takes a moment: ask only where the compiled code is not at hand.
    pub fn bytes(&self) -> Result<Cow<'static, [u8]>, String> {
        if !self.is_packed {
            return Ok(Cow::Borrowed(self.bytes));
        }
        let unpacked = wardian_bundle::unpack(self.bytes, COMPONENT_BYTES_MAX);
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
