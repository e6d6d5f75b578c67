//! One request and its answer, as bytes. `http.rs` is the one that goes over the network.

use std::time::{Duration, Instant};

use crate::error::{Error, Kind};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
}

/// How long the steps of a request may take. A host that has no such bound ignores them; its own may be shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    pub connect_ms_max: u64,
    pub first_byte_ms_max: u64,
    pub between_bytes_ms_max: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: Method,
    pub https: bool,
    /// Host, and port where it is not the scheme's own.
    pub authority: String,
    /// Begins with a slash.
    pub path_with_query: String,
    /// Without `host`, and without `content-length`, which follows from the body.
    pub headers: Vec<(String, String)>,
    /// Of a POST.
    pub body: Vec<u8>,
    pub timeouts: Timeouts,
}

/// A request with any method, and a body that is sent as it is read.
pub struct Outgoing {
    pub method: String,
    pub https: bool,
    /// Host, and port where it is not the scheme's own.
    pub authority: String,
    /// Begins with a slash.
    pub path_with_query: String,
    /// Without `host`, and without `content-length`, which follows from the body.
    pub headers: Vec<(String, String)>,
    pub body: Option<Body>,
    pub timeouts: Timeouts,
}

/// What is sent with a request.
pub struct Body {
    /// None: it is not known before its end.
    pub length: Option<u64>,
    pub bytes: Box<dyn std::io::Read>,
}

impl From<Request> for Outgoing {
    fn from(request: Request) -> Self {
        let Request { method, https, authority, path_with_query, headers, body, timeouts } = request;
        let (method, body) = match method {
            Method::Get => ("GET", None),
            Method::Post => {
                let length = Some(body.len() as u64);
                ("POST", Some(Body { length, bytes: Box::new(std::io::Cursor::new(body)) }))
            }
        };
        Self { method: method.to_owned(), https, authority, path_with_query, headers, body, timeouts }
    }
}

/// The beginning of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    /// Names in lowercase.
    pub headers: Vec<(String, String)>,
}

impl Head {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim())
    }

    /// The media type, in lowercase and without parameters; empty where there is none.
    pub fn media_type(&self) -> String {
        let value = self.header("content-type").unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}

/// What a body has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    Bytes(Vec<u8>),
    /// Nothing yet.
    Later,
    End,
}

/// A request under way. Dropping it closes the connection.
pub trait Transport {
    /// Gets on with sending, and returns the head as soon as it is there. Never waits. Not called again after that.
    ///
    /// # Errors
    /// When there will be no head.
    fn head(&mut self) -> Result<Option<Head>, Error>;

    /// The next bytes of the body, as many as there are. Never waits. Only called after the head has come.
    ///
    /// # Errors
    /// When the body breaks off.
    fn read(&mut self) -> Result<Read, Error>;

    /// Waits until it may get further, or until so much time is over.
    fn wait(&mut self, time_max: Option<Duration>);
}

/// An answer, as much of it as was wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub head: Head,
    pub body: Vec<u8>,
    /// There was more of the body.
    pub cut: bool,
}

/// Waits for an answer. Of its body no more is read than `bytes_max` says of its head, and for no longer than `body_time_max`.
///
/// Until the head is there the host alone bounds the time: it knows, as this does not, how much of it the user was asked in.
///
/// # Errors
/// When there is no answer, or no whole one.
pub fn receive(
    transport: &mut impl Transport,
    bytes_max: impl FnOnce(&Head) -> usize,
    body_time_max: Duration,
) -> Result<Response, Error> {
    let head = loop {
        match transport.head()? {
            Some(head) => break head,
            None => transport.wait(None),
        }
    };
    let (bytes_max, start) = (bytes_max(&head), Instant::now());
    let mut body = Vec::new();
    // One more than wanted shows that there is more.
    while body.len() <= bytes_max {
        let left = body_time_max.saturating_sub(start.elapsed());
        match transport.read()? {
            Read::End => return Ok(Response { head, body, cut: false }),
            _ if left.is_zero() => {
                let seconds = body_time_max.as_secs();
                return Err(Error::new(Kind::Timeout, format!("the answer did not end within {seconds} seconds")));
            }
            Read::Bytes(bytes) => body.extend_from_slice(&bytes),
            Read::Later => transport.wait(Some(left)),
        }
    }
    body.truncate(bytes_max);
    Ok(Response { head, body, cut: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Played;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_body_is_read_to_its_end_or_its_bound() {
        let read = |bytes_max, piece| {
            let mut played = Played::new(200, "text/plain", b"0123456789").in_pieces(piece);
            let response = receive(&mut played, |_| bytes_max, LONG).unwrap();
            (String::from_utf8(response.body).unwrap(), response.cut)
        };
        for piece in [1, 3, 10, 64] {
            assert_eq!(read(10, piece), ("0123456789".into(), false));
            assert_eq!(read(9, piece), ("012345678".into(), true));
            assert_eq!(read(0, piece), (String::new(), true));
        }
        let empty = receive(&mut Played::new(204, "", b""), |_| 0, LONG).unwrap();
        assert!(empty.body.is_empty() && !empty.cut);
    }

    #[test]
    fn the_bound_may_follow_from_the_head() {
        let mut played = Played::new(404, "Text/HTML; charset=utf-8", b"0123456789");
        let bytes_max = |head: &Head| if head.status == 404 && head.media_type() == "text/html" { 4 } else { 8 };
        assert_eq!(receive(&mut played, bytes_max, LONG).unwrap().body, b"0123");
    }

    #[test]
    fn what_breaks_off_is_no_answer() {
        let error = Error::new(Kind::Reset, "the answer broke off");
        let mut played = Played::new(200, "text/plain", b"abc").broken(error.clone());
        assert_eq!(receive(&mut played, |_| 100, LONG), Err(error.clone()));
        assert_eq!(receive(&mut Played::failed(error.clone()), |_| 100, LONG), Err(error));
    }

    #[test]
    fn a_body_that_does_not_end_is_given_up() {
        let mut played = Played::new(200, "text/plain", b"abc").endless();
        let error = receive(&mut played, |_| usize::MAX - 1, Duration::from_millis(30)).unwrap_err();
        assert_eq!(error.kind, Kind::Timeout);
    }
}
