//! Who is answered at all.

use std::net::SocketAddr;

use http::{HeaderMap, Method, StatusCode, header};
use sha2::{Digest, Sha256};

use crate::failure::Failure;

/// Where the page puts the token. A header of this name cannot be sent by another origin without a question that is
/// answered with no.
pub const TOKEN: &str = "wardian-token";

pub struct Guard {
    /// As a browser has it in `Host`.
    authority: String,
    origin: String,
    token: String,
    /// Compared in place of the token, so that the time which that takes says nothing about it.
    token_digest: [u8; 32],
}

impl Guard {
    pub fn new(address: SocketAddr) -> Result<Self, Failure> {
        let mut random = [0_u8; 32];
        getrandom::fill(&mut random).map_err(|error| Failure::failed(format!("no random numbers: {error}")))?;
        let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        // A browser leaves the port of the scheme out.
        let authority = if address.port() == 80 { address.ip().to_string() } else { address.to_string() };
        let origin = format!("http://{authority}");
        let token_digest = Sha256::digest(token.as_bytes()).into();
        Ok(Self { authority, origin, token, token_digest })
    }

    pub fn origin(&self) -> &str {
        &self.origin
    }

    pub fn token(&self) -> &str {
        &self.token
    }

    /// # Errors
    /// Status and reason of a request that gets nothing.
    pub fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), (StatusCode, &'static str)> {
        // A name that was made to lead here (DNS rebinding) is still in the request.
        if only(headers, header::HOST.as_str()) != Some(self.authority.as_bytes()) {
            return Err((StatusCode::MISDIRECTED_REQUEST, "this server answers to its own address alone"));
        }
        if headers.contains_key(header::ORIGIN) && only(headers, "origin") != Some(self.origin.as_bytes()) {
            return Err((StatusCode::FORBIDDEN, "another origin gets nothing here"));
        }
        let site = only(headers, "sec-fetch-site");
        let is_foreign = headers.contains_key("sec-fetch-site") && !matches!(site, Some(b"same-origin" | b"none"));
        // To follow a link to the page is no harm: it cannot be framed, and its opener is cut off.
        let is_visit = method == Method::GET
            && only(headers, "sec-fetch-mode") == Some(b"navigate")
            && only(headers, "sec-fetch-dest") == Some(b"document");
        if is_foreign && !is_visit {
            return Err((StatusCode::FORBIDDEN, "another site gets nothing here"));
        }
        Ok(())
    }

    pub fn knows_token(&self, headers: &HeaderMap) -> bool {
        let digest: Option<[u8; 32]> = only(headers, TOKEN).map(|token| Sha256::digest(token).into());
        digest == Some(self.token_digest)
    }
}

/// A header's value, if it is there once.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then_some(first.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &'static str)]) -> Option<u16> {
        check_method(&Method::GET, headers)
    }

    fn check_method(method: &Method, headers: &[(&'static str, &'static str)]) -> Option<u16> {
        let guard = Guard::new("127.0.0.1:9273".parse().unwrap()).unwrap();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        guard.check(method, &map).err().map(|(status, _)| status.as_u16())
    }

    const OWN: (&str, &str) = ("host", "127.0.0.1:9273");

    #[test]
    fn only_its_own_address_is_answered() {
        assert_eq!(check(&[OWN]), None);
        for host in ["localhost:9273", "127.0.0.1", "127.0.0.1:80", "evil.example:9273", "127.0.0.1:9273.evil", ""] {
            assert_eq!(check(&[("host", host)]), Some(421), "{host}");
        }
        assert_eq!(check(&[]), Some(421));
        assert_eq!(check(&[OWN, OWN]), Some(421));
    }

    #[test]
    fn other_origins_get_nothing() {
        assert_eq!(check(&[OWN, ("origin", "http://127.0.0.1:9273")]), None);
        for origin in ["https://evil.example", "null", "http://127.0.0.1:9274", "https://127.0.0.1:9273", ""] {
            assert_eq!(check(&[OWN, ("origin", origin)]), Some(403), "{origin}");
        }
    }

    #[test]
    fn a_link_is_followed_and_nothing_else_is_fetched() {
        let visit = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        let with = |site| [&[OWN, ("sec-fetch-site", site)], &visit[..]].concat();
        assert_eq!(check(&with("cross-site")), None);
        assert_eq!(check_method(&Method::POST, &with("cross-site")), Some(403));
        assert_eq!(check(&[OWN, ("sec-fetch-site", "same-origin")]), None);
        assert_eq!(check(&[OWN, ("sec-fetch-site", "none")]), None);
        for site in ["cross-site", "same-site"] {
            assert_eq!(check(&[OWN, ("sec-fetch-site", site)]), Some(403), "{site}");
        }
        let framed = [OWN, ("sec-fetch-site", "cross-site"), visit[0], ("sec-fetch-dest", "iframe")];
        assert_eq!(check(&framed), Some(403));
    }

    #[test]
    fn a_token_is_of_one_start() {
        let guard = Guard::new("127.0.0.1:1".parse().unwrap()).unwrap();
        let other = Guard::new("127.0.0.1:1".parse().unwrap()).unwrap();
        let headers = |token: &str| HeaderMap::from_iter([(TOKEN.parse().unwrap(), token.parse().unwrap())]);
        assert!(guard.knows_token(&headers(guard.token())));
        assert!(!guard.knows_token(&headers(other.token())) && !guard.knows_token(&headers("")));
        assert!(!guard.knows_token(&HeaderMap::new()));
        assert_eq!(guard.token().len(), 64);
    }
}
