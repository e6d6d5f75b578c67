//! For tests of what is made of answers: a transport that plays one.

use std::collections::VecDeque;
use std::time::Duration;

use crate::error::Error;
use crate::transport::{Head, Read, Transport};

/// Plays an answer.
#[derive(Debug)]
pub struct Played {
    head: Option<Result<Head, Error>>,
    bytes: Vec<u8>,
    piece_bytes: usize,
    body: VecDeque<Result<Read, Error>>,
    broken: Option<Error>,
    endless: bool,
    started: bool,
}

impl Played {
    /// This status, content type (unless it is empty) and body.
    pub fn new(status: u16, content_type: &str, body: &[u8]) -> Self {
        let headers = [("content-type".to_owned(), content_type.to_owned())];
        let headers = headers.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        Self {
            head: Some(Ok(Head { status, headers })),
            bytes: body.to_vec(),
            piece_bytes: body.len().max(1),
            body: VecDeque::new(),
            broken: None,
            endless: false,
            started: false,
        }
    }

    /// There is no answer.
    pub fn failed(error: Error) -> Self {
        Self { head: Some(Err(error)), ..Self::new(0, "", b"") }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Some(Ok(head)) = &mut self.head {
            head.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// The body comes in pieces of so many bytes, with pauses between them.
    #[must_use]
    pub fn in_pieces(mut self, piece_bytes: usize) -> Self {
        self.piece_bytes = piece_bytes.max(1);
        self
    }

    /// The body breaks off.
    #[must_use]
    pub fn broken(mut self, error: Error) -> Self {
        self.broken = Some(error);
        self
    }

    /// After the body nothing comes, not even its end.
    #[must_use]
    pub fn endless(mut self) -> Self {
        self.endless = true;
        self
    }
}

impl Transport for Played {
    fn head(&mut self) -> Result<Option<Head>, Error> {
        // Not at the first look: answers take their time.
        if !std::mem::replace(&mut self.started, true) {
            return Ok(None);
        }
        let pieces = self.bytes.chunks(self.piece_bytes);
        self.body = pieces.flat_map(|piece| [Ok(Read::Later), Ok(Read::Bytes(piece.to_vec()))]).collect();
        self.body.extend(self.broken.take().map(Err));
        self.head.take().transpose()
    }

    fn read(&mut self) -> Result<Read, Error> {
        self.body.pop_front().unwrap_or(Ok(if self.endless { Read::Later } else { Read::End }))
    }

    fn wait(&mut self, time_max: Option<Duration>) {
        if self.body.is_empty() && self.endless {
            std::thread::sleep(time_max.unwrap_or_default());
        }
    }
}
