//! What is sent with a request: read as it is sent, and again where a redirect wants it once more.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

use http_kit::Body;

/// Of stdin that is sent with its length. More of it is sent in pieces, without one.
const STDIN_BYTES_HELD: u64 = 1 << 20;

/// Of a text that is changed before it is sent, and held for that.
pub const TEXT_BYTES_MAX: u64 = 64 << 20;

/// A piece of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    Bytes(Rc<[u8]>),
    /// A file, from this byte.
    File(String, u64),
    /// What is left of stdin. There is no second time.
    Stdin,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content(pub Vec<Segment>);

impl Content {
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(vec![Segment::Bytes(bytes.into().into())])
    }

    /// A file, or stdin for `-`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn file(path: &str) -> io::Result<Self> {
        if path != "-" {
            // What is no file is said before anything is sent.
            if fs::metadata(path)?.is_dir() {
                return Err(io::Error::other("is a directory"));
            }
            return Ok(Self(vec![Segment::File(path.to_owned(), 0)]));
        }
        let mut held = Vec::new();
        io::stdin().lock().take(STDIN_BYTES_HELD).read_to_end(&mut held)?;
        let is_all = (held.len() as u64) < STDIN_BYTES_HELD;
        let mut segments = vec![Segment::Bytes(held.into())];
        if !is_all {
            segments.push(Segment::Stdin);
        }
        Ok(Self(segments))
    }

    /// Whether it can be sent once more.
    pub fn is_repeatable(&self) -> bool {
        !self.0.contains(&Segment::Stdin)
    }

    pub fn push(&mut self, bytes: impl Into<Vec<u8>>) {
        self.0.push(Segment::Bytes(bytes.into().into()));
    }

    pub fn append(&mut self, other: Content) {
        self.0.extend(other.0);
    }

    fn length(&self) -> io::Result<Option<u64>> {
        let mut length = 0;
        for segment in &self.0 {
            length += match segment {
                Segment::Bytes(bytes) => bytes.len() as u64,
                Segment::Stdin => return Ok(None),
                Segment::File(path, from) => {
                    let data = fs::metadata(path)?;
                    if !data.is_file() {
                        return Ok(None);
                    }
                    data.len().saturating_sub(*from)
                }
            };
        }
        Ok(Some(length))
    }

    /// From its beginning.
    ///
    /// # Errors
    /// When a file cannot be opened.
    pub fn body(&self) -> io::Result<Body> {
        let mut all: Box<dyn Read> = Box::new(io::empty());
        for segment in &self.0 {
            let next: Box<dyn Read> = match segment {
                Segment::Bytes(bytes) => Box::new(io::Cursor::new(bytes.clone())),
                Segment::Stdin => Box::new(io::stdin()),
                Segment::File(path, from) => {
                    let mut file = File::open(path)?;
                    if *from > 0 {
                        file.seek(SeekFrom::Start(*from))?;
                    }
                    // A file that grows meanwhile does not get longer than was said.
                    let length = file.metadata().ok().filter(fs::Metadata::is_file).map(|data| data.len());
                    match length {
                        Some(length) => Box::new(file.take(length.saturating_sub(*from))),
                        None => Box::new(file),
                    }
                }
            };
            all = Box::new(all.chain(next));
        }
        Ok(Body { length: self.length()?, bytes: all })
    }
}

/// The whole of a file, or of stdin, which is to be changed before it is sent.
///
/// # Errors
/// When it cannot be read, or has more than fits in memory.
pub fn whole(path: &str) -> io::Result<Vec<u8>> {
    let source: Box<dyn Read> = if path == "-" { Box::new(io::stdin()) } else { Box::new(File::open(path)?) };
    let mut bytes = Vec::new();
    source.take(TEXT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > TEXT_BYTES_MAX {
        return Err(io::Error::other(format!("it has more than the {TEXT_BYTES_MAX} bytes that are changed at once")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_in_their_order_and_with_their_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a").display().to_string();
        fs::write(&path, "0123456789").unwrap();
        let mut content = Content::bytes("<");
        content.append(Content::file(&path).unwrap());
        content.push("|");
        content.append(Content(vec![Segment::File(path.clone(), 7)]));
        for _ in 0..2 {
            let mut body = content.body().unwrap();
            let mut text = String::new();
            body.bytes.read_to_string(&mut text).unwrap();
            assert_eq!((text.as_str(), body.length), ("<0123456789|789", Some(15)));
        }
        assert!(content.is_repeatable());
        content.append(Content(vec![Segment::Stdin]));
        assert!(!content.is_repeatable() && content.length().unwrap().is_none());
        assert!(Content::file(&format!("{path}-missing")).is_err());
        assert!(Content::file(&folder.path().display().to_string()).is_err());
    }
}
