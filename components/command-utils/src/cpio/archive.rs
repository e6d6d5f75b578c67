//! The archive: entries one after the other, in the forms `newc` and `odc`.

use std::io::{self, Read, Write};

/// A name that is longer is none.
const NAME_BYTES_MAX: u64 = 64 << 10;

pub const TRAILER: &str = "TRAILER!!!";

const BLOCK: u64 = 512;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    New,
    /// New, with a sum of the bytes.
    Crc,
    Old,
}

/// What stands before the bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub mode: u32,
    pub modified: u64,
    pub links: u32,
    pub inode: u32,
    pub size: u64,
    pub sum: u32,
    pub form: Form,
}

const KIND: u32 = 0o170_000;
pub const FOLDER: u32 = 0o040_000;
pub const FILE: u32 = 0o100_000;
pub const LINK: u32 = 0o120_000;

impl Entry {
    pub fn kind(&self) -> u32 {
        self.mode & KIND
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// Reads archives, also several one after the other with zeros between them.
pub struct Reader<R> {
    source: R,
    pub read: u64,
    is_begun: bool,
    left: u64,
    /// Zeros after the bytes of the entry.
    padding: u64,
}

impl<R: Read> Reader<R> {
    pub fn new(source: R) -> Self {
        Self { source, read: 0, is_begun: false, left: 0, padding: 0 }
    }

    fn exact(&mut self, to: &mut [u8]) -> io::Result<()> {
        self.source.read_exact(to).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => broken("premature end of archive"),
            _ => error,
        })?;
        self.read += to.len() as u64;
        Ok(())
    }

    fn skip(&mut self, count: u64) -> io::Result<()> {
        let skipped = io::copy(&mut self.source.by_ref().take(count), &mut io::sink())?;
        self.read += skipped;
        if skipped == count { Ok(()) } else { Err(broken("premature end of archive")) }
    }

    /// The magic number, after zeros; none: it is over.
    fn magic(&mut self) -> io::Result<Option<[u8; 6]>> {
        let mut magic = [0; 6];
        loop {
            let mut first = [0];
            if self.source.read(&mut first)? == 0 {
                return Ok(None);
            }
            self.read += 1;
            if first[0] != 0 {
                magic[0] = first[0];
                self.exact(&mut magic[1..])?;
                return Ok(Some(magic));
            }
        }
    }

    /// The next entry, trailers among them; the bytes of the one before are skipped.
    pub fn next(&mut self) -> io::Result<Option<Entry>> {
        let rest = self.left + self.padding;
        self.skip(rest)?;
        (self.left, self.padding) = (0, 0);
        let Some(magic) = self.magic()? else {
            return if self.is_begun { Ok(None) } else { Err(broken("premature end of archive")) };
        };
        self.is_begun = true;
        let entry = match &magic {
            b"070701" => self.new_entry(Form::New)?,
            b"070702" => self.new_entry(Form::Crc)?,
            b"070707" => self.old_entry()?,
            _ => return Err(broken("it is no archive that is known here: newc, crc or odc")),
        };
        Ok(Some(entry))
    }

    fn name(&mut self, length: u64) -> io::Result<String> {
        if length == 0 || length > NAME_BYTES_MAX {
            return Err(broken("a name in the archive has an impossible length"));
        }
        let mut name = vec![0; length as usize];
        self.exact(&mut name)?;
        while name.last() == Some(&0) {
            name.pop();
        }
        String::from_utf8(name).map_err(|_| broken("a name in the archive is no text"))
    }

    fn new_entry(&mut self, form: Form) -> io::Result<Entry> {
        let mut fields = [0_u32; 13];
        let mut digits = [0; 8];
        for field in &mut fields {
            self.exact(&mut digits)?;
            *field = number(&digits, 16)
                .and_then(|number| u32::try_from(number).ok())
                .ok_or_else(|| broken("a header of the archive is no number"))?;
        }
        let [inode, mode, _, _, links, modified, size, _, _, _, _, name, sum] = fields;
        let length = u64::from(name);
        let name = self.name(length)?;
        // Magic and header have 110 bytes; both they with the name and the bytes end at a multiple of four.
        self.skip((110 + length).next_multiple_of(4) - (110 + length))?;
        let size = u64::from(size);
        (self.left, self.padding) = (size, size.next_multiple_of(4) - size);
        Ok(Entry { name, mode, modified: modified.into(), links, inode, size, sum, form })
    }

    fn old_entry(&mut self) -> io::Result<Entry> {
        let mut field = |length: usize| -> io::Result<u64> {
            let mut digits = [0; 11];
            self.exact(&mut digits[..length])?;
            number(&digits[..length], 8).ok_or_else(|| broken("a header of the archive is no number"))
        };
        let [_, inode, mode, _, _, links, _] =
            [field(6)?, field(6)?, field(6)?, field(6)?, field(6)?, field(6)?, field(6)?];
        let (modified, length, size) = (field(11)?, field(6)?, field(11)?);
        let name = self.name(length)?;
        (self.left, self.padding) = (size, 0);
        // Six digits are eighteen bits.
        Ok(Entry {
            name,
            mode: mode as u32,
            modified,
            links: links as u32,
            inode: inode as u32,
            size,
            sum: 0,
            form: Form::Old,
        })
    }
}

/// The bytes of the entry.
impl<R: Read> Read for Reader<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let most = to.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        let count = self.source.read(&mut to[..most])?;
        if count == 0 {
            return Err(broken("premature end of archive"));
        }
        self.left -= count as u64;
        self.read += count as u64;
        Ok(count)
    }
}

fn number(digits: &[u8], base: u32) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, base).ok()
}

pub struct Writer<W> {
    to: W,
    pub written: u64,
    form: Form,
}

impl<W: Write> Writer<W> {
    pub fn new(to: W, form: Form) -> Self {
        Self { to, written: 0, form }
    }

    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len() as u64;
        self.to.write_all(bytes)
    }

    /// Writes an entry and as many bytes as it says.
    pub fn entry(&mut self, entry: &Entry, mut content: impl Read) -> io::Result<()> {
        let too_large = || io::Error::other("it is too large for this form of archive");
        let length = entry.name.len() as u64 + 1;
        match self.form {
            Form::New | Form::Crc => {
                let size = u32::try_from(entry.size).map_err(|_| too_large())?;
                let modified = u32::try_from(entry.modified).unwrap_or(u32::MAX);
                let magic = if self.form == Form::New { "070701" } else { "070702" };
                let sum = if self.form == Form::New { 0 } else { entry.sum };
                let head = format!(
                    "{magic}{:08X}{:08X}{:08X}{:08X}{:08X}{modified:08X}{size:08X}{:08X}{:08X}{:08X}{:08X}{length:08X}{sum:08X}",
                    entry.inode, entry.mode, 0, 0, entry.links, 0, 0, 0, 0
                );
                self.bytes(head.as_bytes())?;
            }
            Form::Old => {
                if entry.size >= 1 << 33 {
                    return Err(too_large());
                }
                let modified = entry.modified.min((1 << 33) - 1);
                let head = format!(
                    "070707{:06o}{:06o}{:06o}{:06o}{:06o}{:06o}{:06o}{modified:011o}{length:06o}{:011o}",
                    0,
                    entry.inode & 0o777_777,
                    entry.mode,
                    0,
                    0,
                    entry.links,
                    0,
                    entry.size
                );
                self.bytes(head.as_bytes())?;
            }
        }
        self.bytes(entry.name.as_bytes())?;
        self.bytes(b"\0")?;
        self.pad()?;
        let copied = io::copy(&mut content.by_ref().take(entry.size), &mut self.to)?;
        self.written += copied;
        // A file that got shorter meanwhile.
        for _ in copied..entry.size {
            self.bytes(b"\0")?;
        }
        self.pad()
    }

    fn pad(&mut self) -> io::Result<()> {
        if self.form == Form::Old {
            return Ok(());
        }
        let missing = self.written.next_multiple_of(4) - self.written;
        self.bytes(&[0; 3][..missing as usize])
    }

    /// The trailer, and zeros up to a whole block.
    pub fn end(mut self) -> io::Result<u64> {
        let trailer = Entry {
            name: TRAILER.to_owned(),
            mode: 0,
            modified: 0,
            links: 1,
            inode: 0,
            size: 0,
            sum: 0,
            form: self.form,
        };
        self.entry(&trailer, io::empty())?;
        let missing = self.written.next_multiple_of(BLOCK) - self.written;
        self.bytes(&vec![0; missing as usize])?;
        self.to.flush()?;
        Ok(self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, size: u64) -> Entry {
        Entry { name: name.into(), mode: FILE | 0o644, modified: 7, links: 1, inode: 3, size, sum: 0, form: Form::New }
    }

    fn archive(form: Form) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes, form);
        writer.entry(&entry("a", 0), io::empty()).unwrap();
        writer.entry(&entry("bb", 3), &b"xyz"[..]).unwrap();
        assert_eq!(writer.end().unwrap() % 512, 0);
        bytes
    }

    #[test]
    fn what_was_written_is_read() {
        for form in [Form::New, Form::Crc, Form::Old] {
            let twice = [archive(form), vec![0; 512], archive(form)].concat();
            let mut reader = Reader::new(&*twice);
            let mut seen = Vec::new();
            while let Some(entry) = reader.next().unwrap() {
                let mut text = String::new();
                reader.read_to_string(&mut text).unwrap();
                assert_eq!(entry.form, form);
                seen.push(format!("{}={text}", entry.name));
            }
            assert_eq!(seen, ["a=", "bb=xyz", "TRAILER!!!=", "a=", "bb=xyz", "TRAILER!!!="]);
        }
        let bytes = archive(Form::New);
        assert_eq!(&bytes[94..102], b"00000002", "the name's length");
    }

    #[test]
    fn what_is_broken_is_an_error_and_no_more() {
        let bytes = archive(Form::New);
        for length in [0, 3, 50, 111, 130, 240] {
            let mut reader = Reader::new(&bytes[..length]);
            let ended = loop {
                match reader.next() {
                    Ok(Some(_)) => {}
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            assert!(ended.is_err(), "{length}");
        }
        let mut huge = bytes.clone();
        huge[94..102].copy_from_slice(b"FFFFFFFF");
        assert!(Reader::new(&*huge).next().is_err());
    }
}
