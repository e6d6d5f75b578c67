//! Where a request goes: URLs as people type them.

use base64::Engine;
use percent_encoding::percent_decode_str;
use url::{Position, Url};

/// A URL without a user's name, and what that was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub url: Url,
    /// User and password, where the URL had them.
    pub user: Option<(String, String)>,
}

/// Why a text leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoPlace {
    Malformed(String),
    /// Neither http nor https.
    Scheme(String),
}

impl Place {
    /// Without a scheme it is http.
    pub fn read(text: &str) -> Result<Self, NoPlace> {
        if text.is_empty() {
            return Err(NoPlace::Malformed("it is empty".to_owned()));
        }
        if text.chars().any(|c| c.is_control() || c == ' ') {
            return Err(NoPlace::Malformed("it has a space or a control character in it".to_owned()));
        }
        let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let mut url = Url::parse(&whole).map_err(|error| NoPlace::Malformed(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(NoPlace::Scheme(url.scheme().to_owned()));
        }
        url.set_fragment(None);
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let user = (!url.username().is_empty() || url.password().is_some())
            .then(|| (decoded(url.username()), decoded(url.password().unwrap_or_default())));
        // The network policy refuses URLs that have them.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Ok(Self { url, user })
    }
}

/// As it stands in a request's head.
pub fn authority(url: &Url) -> &str {
    &url[Position::BeforeHost..Position::AfterPort]
}

pub fn path_with_query(url: &Url) -> &str {
    &url[Position::BeforePath..Position::AfterQuery]
}

/// What `--net` would have to name to allow it.
pub fn rule(url: &Url) -> String {
    authority(url).to_owned()
}

pub fn same_host(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
}

/// The last part of the path, as a file's name.
pub fn file_name(url: &Url) -> Option<String> {
    let last = url.path_segments()?.next_back()?;
    let name = percent_decode_str(last).decode_utf8_lossy().replace(['/', '\\', '\0'], "_");
    (!matches!(name.as_str(), "" | "." | "..")).then_some(name)
}

pub fn basic(user: &str, password: &str) -> String {
    let both = format!("{user}:{password}");
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(both))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_is_a_place() {
        let url = |text: &str| Place::read(text).map(|place| place.url.to_string());
        assert_eq!(url("example.org"), Ok("http://example.org/".into()));
        assert_eq!(url("localhost:80/a?b#c"), Ok("http://localhost/a?b".into()));
        assert_eq!(url("https://[::1]:8443/x"), Ok("https://[::1]:8443/x".into()));
        assert_eq!(url("ftp://a/"), Err(NoPlace::Scheme("ftp".into())));
        for wrong in ["", "http://", "http://a b/", "http://a:99999/"] {
            assert!(matches!(url(wrong), Err(NoPlace::Malformed(_))), "{wrong}");
        }
        let place = Place::read("http://me:s%40t@a/").unwrap();
        assert_eq!((place.url.as_str(), place.user), ("http://a/", Some(("me".into(), "s@t".into()))));
    }

    #[test]
    fn files_are_called_like_the_end_of_the_path() {
        let name = |text: &str| file_name(&Place::read(text).unwrap().url);
        assert_eq!(name("a/b/c%20d.tar?x"), Some("c d.tar".into()));
        assert_eq!(name("a/b/%2e%2e"), None);
        assert_eq!(name("a/b%2f..%2fc"), Some("b_.._c".into()));
        assert_eq!(name("a"), None);
    }
}
