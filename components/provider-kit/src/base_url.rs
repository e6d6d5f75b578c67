//! Where a service is, and the addresses of what it offers.

/// A base URL, taken apart as `wasi:http` wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    pub https: bool,
    /// Host, and port where one was given.
    pub authority: String,
    /// Without a slash at its end; may be empty.
    path: String,
    /// Without its question mark. Some services want their version in it.
    query: Option<String>,
}

impl BaseUrl {
    /// # Errors
    /// What is wrong with the text, as a fragment for a message. Never repeats it: it may have a password in it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or("the base URL has no scheme (http:// or https://)")?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err("the base URL's scheme must be http or https".to_owned()),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query.to_owned()).filter(|query| !query.is_empty())),
            None => (rest, None),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.is_empty() {
            return Err("the base URL has no host".to_owned());
        }
        if authority.contains('@') {
            return Err("the base URL must not have a user name or password in it".to_owned());
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err("the base URL has white space in it".to_owned());
        }
        let path = path.trim_end_matches('/').to_owned();
        Ok(Self { https, authority: authority.to_owned(), path, query })
    }

    /// Path and query of `endpoint`, which begins with a slash. What both have in common is there once: services are
    /// named with and without their version.
    pub fn join(&self, endpoint: &str) -> String {
        let shared = (1..=endpoint.len())
            .rev()
            .filter(|&end| end == endpoint.len() || endpoint[end..].starts_with('/'))
            .find(|&end| self.path.ends_with(&endpoint[..end]));
        let endpoint = &endpoint[shared.unwrap_or(0)..];
        match &self.query {
            Some(query) => format!("{}{endpoint}?{query}", self.path),
            None => format!("{}{endpoint}", self.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_joined_once() {
        for (base, endpoint, joined) in [
            ("https://a.example/v1", "/responses", "/v1/responses"),
            ("https://a.example/v1/", "/chat/completions", "/v1/chat/completions"),
            ("http://127.0.0.1:8080", "/chat/completions", "/chat/completions"),
            ("https://a.example", "/v1/messages", "/v1/messages"),
            ("https://a.example/v1", "/v1/messages", "/v1/messages"),
            ("https://a.example/proxy/v1/messages", "/v1/messages", "/proxy/v1/messages"),
            ("https://a.example/xv1", "/v1/messages", "/xv1/v1/messages"),
            ("https://a.example/o?api-version=1#x", "/responses", "/o/responses?api-version=1"),
        ] {
            assert_eq!(BaseUrl::parse(base).unwrap().join(endpoint), joined, "{base} {endpoint}");
        }
        let base = BaseUrl::parse("HTTP://[::1]:80/").unwrap();
        assert_eq!((base.https, base.authority.as_str()), (false, "[::1]:80"));
    }

    #[test]
    fn what_is_no_base_url_is_named() {
        for (text, reason) in [
            ("api.example/v1", "no scheme"),
            ("ftp://a.example", "http or https"),
            ("https:///v1", "no host"),
            ("https://me:secret@a.example", "user name or password"),
            ("https://a.example/ v1", "white space"),
        ] {
            let error = BaseUrl::parse(text).unwrap_err();
            assert!(error.contains(reason) && !error.contains("secret"), "{text}: {error}");
        }
    }
}
