//! Why there is no answer, in a word and in words.

use std::fmt;

use crate::bindings::wasi::http::types::ErrorCode;

/// What a failure is due to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The host has no address.
    Dns,
    /// There is no connection to it.
    Connect,
    /// Something took too long.
    Timeout,
    /// The answer broke off.
    Reset,
    /// The other end is not known to be who it should be.
    Tls,
    /// The host of this component does not allow it.
    Refused,
    Other,
}

/// Why there is no answer, or no whole one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub kind: Kind,
    /// A fragment of one line, in lower case.
    pub message: String,
}

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Of everything that should not happen.
    pub(crate) fn other(message: &str) -> Self {
        Self::new(Kind::Other, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Self {
        let (kind, message) = match code {
            ErrorCode::DnsTimeout => (Kind::Dns, "the name server did not answer".to_owned()),
            ErrorCode::DnsError(payload) => {
                (Kind::Dns, payload.rcode.unwrap_or_else(|| "there is no such host".to_owned()))
            }
            ErrorCode::DestinationNotFound => (Kind::Dns, "there is no such host".to_owned()),
            ErrorCode::DestinationUnavailable | ErrorCode::DestinationIpUnroutable => {
                (Kind::Connect, "there is no way to the host".to_owned())
            }
            ErrorCode::ConnectionRefused => (Kind::Connect, "the host refuses connections".to_owned()),
            ErrorCode::ConnectionLimitReached => {
                (Kind::Connect, "more requests than one call may send, or at once".to_owned())
            }
            ErrorCode::DestinationIpProhibited => {
                (Kind::Refused, "the host's address is not one that may be reached".to_owned())
            }
            ErrorCode::HttpRequestDenied => (Kind::Refused, "the request is not allowed".to_owned()),
            ErrorCode::ConnectionTimeout => (Kind::Timeout, "no connection in time".to_owned()),
            ErrorCode::ConnectionReadTimeout | ErrorCode::HttpResponseTimeout => {
                (Kind::Timeout, "nothing came in time".to_owned())
            }
            ErrorCode::ConnectionWriteTimeout => (Kind::Timeout, "the request could not be sent in time".to_owned()),
            ErrorCode::ConnectionTerminated | ErrorCode::HttpResponseIncomplete => {
                (Kind::Reset, "the answer broke off".to_owned())
            }
            ErrorCode::TlsCertificateError => (Kind::Tls, "the certificate is not trusted".to_owned()),
            ErrorCode::TlsProtocolError => (Kind::Tls, "there is no TLS to be had".to_owned()),
            ErrorCode::TlsAlertReceived(payload) => {
                (Kind::Tls, payload.alert_message.unwrap_or_else(|| "the host sent an alert".to_owned()))
            }
            ErrorCode::HttpResponseContentCoding(coding) => {
                let coding = coding.unwrap_or_else(|| "in an unknown way".to_owned());
                (Kind::Other, format!("the answer came encoded ({coding}), which was not asked for"))
            }
            ErrorCode::HttpResponseBodySize(Some(bytes)) => {
                (Kind::Other, format!("the answer is larger than the {bytes} bytes that one may have"))
            }
            ErrorCode::HttpResponseHeaderSectionSize(Some(bytes)) => {
                (Kind::Other, format!("the answer's header is larger than the {bytes} bytes that one may have"))
            }
            ErrorCode::InternalError(Some(message)) => (Kind::Other, message),
            code => (Kind::Other, format!("{code:?}")),
        };
        Self { kind, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_a_kind_and_words() {
        for (code, kind) in [
            (ErrorCode::DnsTimeout, Kind::Dns),
            (ErrorCode::ConnectionRefused, Kind::Connect),
            (ErrorCode::TlsCertificateError, Kind::Tls),
            (ErrorCode::HttpResponseIncomplete, Kind::Reset),
            (ErrorCode::HttpResponseTimeout, Kind::Timeout),
            (ErrorCode::HttpRequestDenied, Kind::Refused),
            (ErrorCode::LoopDetected, Kind::Other),
            (ErrorCode::HttpResponseContentCoding(Some("gzip".into())), Kind::Other),
            (ErrorCode::HttpResponseBodySize(Some(7)), Kind::Other),
        ] {
            let error = Error::from(code);
            assert!(error.kind == kind && !error.message.is_empty(), "{error:?}");
        }
    }
}
