//! Components as they are carried: a third of their size.

use std::io::{self, Read};

use flate2::Compression;
use flate2::read::{GzDecoder, GzEncoder};

/// The same bytes give the same bytes. (Zstandard would make them smaller by a fourth, and needs a C compiler.)
pub fn pack(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = Vec::new();
    GzEncoder::new(bytes, Compression::best()).read_to_end(&mut packed)?;
    Ok(packed)
}

/// What was packed.
///
/// # Errors
/// When that is no packed component, or would have more than `bytes_max` bytes.
pub fn unpack(packed: &[u8], bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    GzDecoder::new(packed).take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it has more than {bytes_max} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_within_its_bound() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| (n / 100) as u8).collect();
        let packed = pack(&bytes).unwrap();
        assert!(packed.len() < bytes.len() / 10);
        assert_eq!(unpack(&packed, 100_000).unwrap(), bytes);
        assert!(unpack(&packed, 99_999).unwrap_err().to_string().contains("more than 99999"));
        assert!(unpack(&bytes, 100_000).is_err());
    }
}
