//! Requests as these tools make them.

use std::time::Duration;

use http_kit::{Error, Head, Http, Method, Request, Response, Timeouts, receive};
use url::{Position, Url};

/// A page that takes longer is not worth waiting for. The host's own bounds hold besides.
const TIMEOUTS: Timeouts = Timeouts { connect_ms_max: 10_000, first_byte_ms_max: 30_000, between_bytes_ms_max: 30_000 };

/// Of an answer's body, so that a tool can still say so before its call is ended.
const BODY_TIME_MAX: Duration = Duration::from_secs(90);

/// Servers want to know who asks; some give browsers another page than programs.
const USER_AGENT: &str = concat!("wardian/", env!("CARGO_PKG_VERSION"));

/// Says what a response redirected to, if the host followed it.
const FINAL_URL: &str = "wardian-url";

/// What a tool asks for.
pub struct Ask<'a> {
    pub url: &'a Url,
    /// Besides those that every request has.
    pub headers: &'a [(&'a str, &'a str)],
    /// None: GET.
    pub json: Option<String>,
}

/// Whom a tool asks.
pub trait Web {
    fn ask(&self, ask: &Ask, bytes_max: &dyn Fn(&Head) -> usize) -> Result<Response, Error>;
}

/// The network that the host lends.
pub struct Network;

impl Web for Network {
    fn ask(&self, ask: &Ask, bytes_max: &dyn Fn(&Head) -> usize) -> Result<Response, Error> {
        receive(&mut Http::send(request(ask))?, bytes_max, BODY_TIME_MAX)
    }
}

fn request(ask: &Ask) -> Request {
    let url = ask.url;
    let own = [("user-agent", USER_AGENT)];
    let json = ask.json.as_ref().map(|_| ("content-type", "application/json"));
    let headers = own.iter().chain(&json).chain(ask.headers);
    Request {
        method: if ask.json.is_some() { Method::Post } else { Method::Get },
        https: url.scheme() == "https",
        authority: url[Position::BeforeHost..Position::AfterPort].to_owned(),
        path_with_query: url[Position::BeforePath..Position::AfterQuery].to_owned(),
        headers: headers.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: ask.json.clone().unwrap_or_default().into_bytes(),
        timeouts: TIMEOUTS,
    }
}

/// Where an answer came from.
pub fn final_url(head: &Head, asked: &Url) -> Url {
    let mut url = head.header(FINAL_URL).and_then(|text| Url::parse(text).ok()).unwrap_or_else(|| asked.clone());
    url.set_fragment(None);
    url
}

#[cfg(test)]
pub mod testing {
    //! Answers of a test's own.

    use std::cell::RefCell;
    use std::collections::VecDeque;

    use http_kit::testing::Played;

    use super::*;

    /// Gives its answers one after the other, and remembers what it was asked.
    pub struct Plays {
        answers: RefCell<VecDeque<Played>>,
        pub asked: RefCell<Vec<Request>>,
    }

    impl Plays {
        pub fn new<const N: usize>(answers: [Played; N]) -> Self {
            Self { answers: RefCell::new(answers.into()), asked: RefCell::default() }
        }
    }

    impl Web for Plays {
        fn ask(&self, ask: &Ask, bytes_max: &dyn Fn(&Head) -> usize) -> Result<Response, Error> {
            self.asked.borrow_mut().push(request(ask));
            let mut answer = self.answers.borrow_mut().pop_front().expect("a request too many");
            receive(&mut answer, bytes_max, BODY_TIME_MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_becomes_a_request() {
        let request = |url: &str, json: Option<&str>| {
            let url = Url::parse(url).unwrap();
            request(&Ask { url: &url, headers: &[("accept", "a/b")], json: json.map(str::to_owned) })
        };
        let get = request("https://EXAMPLE.org:443/a b/?q=ä#part", None);
        assert_eq!((get.https, get.authority.as_str()), (true, "example.org"));
        assert_eq!(get.path_with_query, "/a%20b/?q=%C3%A4");
        assert_eq!((get.method, get.body.len()), (Method::Get, 0));
        assert!(get.headers.contains(&("accept".into(), "a/b".into())));
        let post = request("http://[::1]:8080", Some("{}"));
        assert_eq!((post.https, post.authority.as_str(), post.path_with_query.as_str()), (false, "[::1]:8080", "/"));
        assert_eq!((post.method, post.body.as_slice()), (Method::Post, b"{}".as_slice()));
        assert!(post.headers.contains(&("content-type".into(), "application/json".into())));
    }

    #[test]
    fn the_host_says_where_an_answer_came_from() {
        let asked = Url::parse("http://a.test/x#y").unwrap();
        let head = |headers: &[(&str, &str)]| Head {
            status: 200,
            headers: headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        };
        assert_eq!(final_url(&head(&[]), &asked).as_str(), "http://a.test/x");
        assert_eq!(final_url(&head(&[("wardian-url", "https://b.test/")]), &asked).as_str(), "https://b.test/");
        assert_eq!(final_url(&head(&[("wardian-url", "nonsense")]), &asked).as_str(), "http://a.test/x");
    }
}
