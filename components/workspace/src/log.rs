//! The layer's log: one record for each step, whole or not there.
//!
//! A record is its length and its CRC-32 (both four bytes, little-endian) and a postcard-encoded list of operations. A
//! process that dies while it writes leaves a torn record at the end, which nobody has built on: it is cut off.

use crate::index::Op;

/// The file's first bytes; the digit is the format.
pub const MAGIC: &[u8] = b"wardian layer 1\n";

/// Bytes of one record. A directory of a million files, moved in one step, has a tenth of it.
const RECORD_BYTES_MAX: usize = 1 << 30;

const HEAD: usize = 8;

/// Encodes one record.
pub fn encode(ops: &[Op]) -> Option<Vec<u8>> {
    let mut record = postcard::to_extend(ops, vec![0; HEAD]).ok()?;
    let body = record.get(HEAD..)?;
    let (length, crc) = (u32::try_from(body.len()).ok()?, crc32fast::hash(body));
    record.get_mut(..4)?.copy_from_slice(&length.to_le_bytes());
    record.get_mut(4..HEAD)?.copy_from_slice(&crc.to_le_bytes());
    Some(record)
}

/// Decodes the whole records at the beginning of `bytes`. Returns the number of bytes that they take.
pub fn decode(bytes: &[u8], mut each: impl FnMut(Vec<Op>)) -> usize {
    let mut at = 0;
    while let Some(ops) = bytes.get(at..).and_then(first) {
        at += ops.1;
        each(ops.0);
    }
    at
}

fn first(bytes: &[u8]) -> Option<(Vec<Op>, usize)> {
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let (length, crc) = (word(0)? as usize, word(4)?);
    if length > RECORD_BYTES_MAX {
        return None;
    }
    let body = bytes.get(HEAD..HEAD + length)?;
    if crc32fast::hash(body) != crc {
        return None;
    }
    Some((postcard::from_bytes(body).ok()?, HEAD + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps() -> Vec<Vec<Op>> {
        vec![vec![Op::Remove("a".into())], vec![Op::Forget("b".into()), Op::Committed(2)]]
    }

    #[test]
    fn records_come_back() {
        let bytes: Vec<u8> = steps().iter().flat_map(|ops| encode(ops).unwrap()).collect();
        let mut back = Vec::new();
        assert_eq!(decode(&bytes, |ops| back.push(ops)), bytes.len());
        assert_eq!(back, steps());
    }

    #[test]
    fn a_torn_record_is_no_record() {
        let first = encode(&steps()[0]).unwrap();
        let mut bytes = first.clone();
        bytes.extend(encode(&steps()[1]).unwrap());
        for end in first.len()..bytes.len() {
            assert_eq!(decode(&bytes[..end], |_| ()), first.len(), "cut at {end}");
        }
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        assert_eq!(decode(&bytes, |_| ()), first.len());
    }
}
