//! Headers of requests: which may be sent at all, and which go with a redirect.

use crate::exports::wardian::netfetch::policy::Header;

/// Of one connection, or the host's own: it names the other end, frames the body, asks for what it can read, and keeps no
/// cookies.
const NEVER_SENT: [&str; 18] = [
    "accept-encoding",
    "connection",
    "cookie",
    "cookie2",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "wardian-redirect",
    "wardian-url",
];

/// All that goes to another origin. Any other header may be a credential.
const FOLLOW_ANYWHERE: [&str; 5] = ["accept", "accept-language", "cache-control", "range", "user-agent"];

/// The code wants responses that redirect for itself: it says so with `wardian-redirect: manual`.
pub fn wants_redirects(headers: &[Header]) -> bool {
    headers.iter().any(|header| {
        header.name.eq_ignore_ascii_case("wardian-redirect") && header.value.eq_ignore_ascii_case(b"manual")
    })
}

fn is_token(name: &str) -> bool {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(fine)
}

/// Those that may be sent, in order, names in lower case; or the one that is malformed.
pub fn to_send(headers: &[Header], has_body: bool) -> Result<Vec<Header>, String> {
    let named = |header: &Header| header.name.to_ascii_lowercase();
    // What `connection` names is of one connection, too.
    let listed: Vec<String> = headers
        .iter()
        .filter(|header| named(header) == "connection")
        .flat_map(|header| {
            String::from_utf8_lossy(&header.value)
                .to_ascii_lowercase()
                .split(',')
                .map(|name| name.trim().to_owned())
                .collect::<Vec<_>>()
        })
        .collect();
    let mut kept = Vec::new();
    for header in headers {
        let name = named(header);
        if !is_token(&name) || header.value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(header.name.chars().filter(|c| !c.is_control()).take(64).collect());
        }
        let framing = name == "content-length" && !has_body;
        if !NEVER_SENT.contains(&name.as_str()) && !listed.contains(&name) && !framing {
            kept.push(Header { name, value: header.value.clone() });
        }
    }
    Ok(kept)
}

/// Those that go on to where a redirect leads.
pub fn to_follow(headers: &[Header], same_origin: bool, without_body: bool) -> Vec<Header> {
    let of_body = |name: &str| name.starts_with("content-");
    headers
        .iter()
        .filter(|header| same_origin || FOLLOW_ANYWHERE.contains(&header.name.as_str()))
        .filter(|header| !(without_body && of_body(&header.name)))
        .cloned()
        .collect()
}

pub fn bytes(headers: &[Header]) -> usize {
    headers.iter().map(|header| header.name.len() + header.value.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&str, &str)]) -> Vec<Header> {
        list.iter().map(|(name, value)| Header { name: (*name).into(), value: value.as_bytes().to_vec() }).collect()
    }

    fn names(headers: &[Header]) -> Vec<&str> {
        headers.iter().map(|header| header.name.as_str()).collect()
    }

    #[test]
    fn neither_cookies_nor_what_is_of_one_connection_is_sent() {
        let sent = to_send(
            &headers(&[
                ("Accept", "*/*"),
                ("Cookie", "a=b"),
                ("Connection", "close, X-Own"),
                ("X-Own", "1"),
                ("Transfer-Encoding", "chunked"),
                ("Host", "other.example"),
                ("Authorization", "Bearer t"),
                ("Content-Length", "3"),
            ]),
            true,
        );
        assert_eq!(names(&sent.unwrap()), ["accept", "authorization", "content-length"]);
        assert!(to_send(&headers(&[("content-length", "3")]), false).unwrap().is_empty());
    }

    #[test]
    fn a_malformed_header_is_named() {
        assert_eq!(to_send(&headers(&[("a b", "1")]), false), Err("a b".to_owned()));
        assert_eq!(to_send(&headers(&[("a", "1\r\nb: 2")]), false), Err("a".to_owned()));
    }

    #[test]
    fn to_another_origin_goes_nothing_that_may_be_a_credential() {
        let sent = headers(&[("accept", "*/*"), ("authorization", "t"), ("x-api-key", "k"), ("content-type", "a/b")]);
        assert_eq!(names(&to_follow(&sent, false, true)), ["accept"]);
        assert_eq!(names(&to_follow(&sent, true, true)), ["accept", "authorization", "x-api-key"]);
        assert_eq!(names(&to_follow(&sent, true, false)).len(), 4);
    }
}
