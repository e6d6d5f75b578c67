//! One request and its answer, whose body comes in pieces.

use std::time::{Duration, Instant};

use http_kit::{Error, Head, Http, Kind, Outgoing, Read, Timeouts, Transport};
use url::Url;

use crate::content::Content;
use crate::place;

/// Asks the host for what redirects, in place of what that leads to.
const MANUAL: (&str, &str) = ("wardian-redirect", "manual");

/// A header of the host's own, for code that does not know where an answer comes from.
const FINAL_URL: &str = "wardian-url";

/// Longer than any bound of the host.
const UNBOUNDED_MS: u64 = 24 * 3600 * 1000;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: String,
    pub url: Url,
    pub headers: Vec<(String, String)>,
    pub content: Option<Content>,
    pub connect_max: Option<Duration>,
    /// Without a byte, before the answer or in it.
    pub silence_max: Option<Duration>,
    /// When all has to be over.
    pub deadline: Option<Instant>,
}

/// An answer under way.
pub struct Exchange {
    pub head: Head,
    transport: Http,
    deadline: Option<Instant>,
    /// From the beginning to the head.
    pub first_byte: Duration,
}

/// What did not even become a request.
#[derive(Debug)]
pub enum Failure {
    /// What is to be sent cannot be read.
    Content(std::io::Error),
    Net(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Net(error)
    }
}

fn late() -> Error {
    Error::new(Kind::Timeout, "it took longer than the time that it was given")
}

/// Waits for the transport to get further, but not past the deadline.
fn wait(transport: &mut impl Transport, deadline: Option<Instant>) -> Result<(), Error> {
    let Some(deadline) = deadline else {
        transport.wait(None);
        return Ok(());
    };
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(late());
    }
    transport.wait(Some(left));
    Ok(())
}

impl Exchange {
    /// Sends and waits for the head.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn start(call: &Call) -> Result<Self, Failure> {
        let began = Instant::now();
        let ms = |time: Option<Duration>| {
            time.map_or(UNBOUNDED_MS, |time| u64::try_from(time.as_millis()).unwrap_or(UNBOUNDED_MS).max(1))
        };
        let left = call.deadline.map(|deadline| deadline.saturating_duration_since(began));
        let body = match &call.content {
            Some(content) => Some(content.body().map_err(Failure::Content)?),
            None => None,
        };
        let mut headers = call.headers.clone();
        headers.push((MANUAL.0.to_owned(), MANUAL.1.to_owned()));
        let mut transport = Http::begin(Outgoing {
            method: call.method.clone(),
            https: call.url.scheme() == "https",
            authority: place::authority(&call.url).to_owned(),
            path_with_query: place::path_with_query(&call.url).to_owned(),
            headers,
            body,
            timeouts: Timeouts {
                connect_ms_max: ms(call.connect_max.or(left)),
                first_byte_ms_max: ms(call.silence_max),
                between_bytes_ms_max: ms(call.silence_max),
            },
        })?;
        let mut head = loop {
            match transport.head()? {
                Some(head) => break head,
                None => wait(&mut transport, call.deadline)?,
            }
        };
        head.headers.retain(|(name, _)| name != FINAL_URL);
        Ok(Self { head, transport, deadline: call.deadline, first_byte: began.elapsed() })
    }

    /// The next bytes of the body; none: it is over.
    ///
    /// # Errors
    /// When it breaks off.
    pub fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        loop {
            if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Err(late());
            }
            match self.transport.read()? {
                Read::Bytes(bytes) => return Ok(Some(bytes)),
                Read::End => return Ok(None),
                Read::Later => wait(&mut self.transport, self.deadline)?,
            }
        }
    }

    /// The head as it would have come over a connection. Neither the version of HTTP nor the server's own words for the
    /// status get this far.
    pub fn head_text(&self) -> String {
        let mut text = status_line(self.head.status);
        for (name, value) in &self.head.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text
    }

    /// Where it redirects to, if it does.
    pub fn leads_to(&self, from: &Url) -> Option<Result<Url, String>> {
        let location =
            self.head.header("location").filter(|_| matches!(self.head.status, 301 | 302 | 303 | 307 | 308))?;
        Some(match from.join(location) {
            Ok(mut url) if matches!(url.scheme(), "http" | "https") => {
                url.set_fragment(None);
                Ok(url)
            }
            Ok(url) => Err(format!("the protocol {:?} of a redirect is not supported", url.scheme())),
            Err(error) => Err(format!("the server redirects to what is no URL: {error}")),
        })
    }
}

pub fn status_line(status: u16) -> String {
    let words = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    format!("HTTP/1.1 {status} {}\r\n", words.unwrap_or_default())
}

/// Why there is no answer, for people; a refusal says what would allow it.
pub fn why(error: &Error, url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match error.kind {
        Kind::Refused => format!(
            "Wardian's sandbox lets this program send no request to {host} ({}); --net {} allows it, or a rule in the settings' [net]",
            error.message,
            place::rule(url)
        ),
        Kind::Dns => format!("Could not resolve host: {host} ({})", error.message),
        Kind::Connect => {
            let port = url.port_or_known_default().unwrap_or_default();
            format!("Failed to connect to {host} port {port}: {}", error.message)
        }
        _ => error.message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_has_its_usual_words() {
        assert_eq!(status_line(404), "HTTP/1.1 404 Not Found\r\n");
        assert_eq!(status_line(299), "HTTP/1.1 299 \r\n");
    }

    #[test]
    fn a_refusal_says_what_would_allow_it() {
        let url = Url::parse("http://127.0.0.1:8080/x").unwrap();
        let why = why(&Error::new(Kind::Refused, "the request is not allowed"), &url);
        assert!(why.contains("to 127.0.0.1 ") && why.contains("--net 127.0.0.1:8080 allows it"), "{why}");
    }
}
