//! From a URL to an answer: along redirects, and again where it may have been bad luck.

use std::fs;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use http_kit::{Error, Kind};
use url::Url;

use super::form;
use super::options::{Data, Options};
use super::{Sink, Told, status};
use crate::content::{Content, Segment};
use crate::exchange::{Call, Exchange, Failure, why};
use crate::place::{Place, authority, basic, path_with_query, same_host};

const USER_AGENT: &str = concat!("curl/8 (wardian/", env!("CARGO_PKG_VERSION"), ")");

const REDIRECTS_MAX: u32 = 50;

/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(600);

/// What may go away by itself.
const PASSING: [u16; 6] = [408, 429, 500, 502, 503, 504];

/// How a transfer ended that did not come to its end.
#[derive(Debug)]
pub struct Failed {
    pub status: i32,
    pub message: String,
}

impl Failed {
    pub fn new(status: i32, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub fn write(error: &io::Error) -> Self {
        Self::new(status::WRITE, format!("Failure writing output to destination: {}", crate::reason(error)))
    }

    fn net(error: &Error, url: &Url, received: u64) -> Self {
        let code = match error.kind {
            Kind::Dns => status::RESOLVE,
            Kind::Connect | Kind::Refused => status::CONNECT,
            Kind::Timeout => status::TIMEOUT,
            Kind::Tls if error.message.contains("certificate") => status::CERTIFICATE,
            Kind::Tls => status::TLS,
            Kind::Reset if received > 0 => status::PARTIAL,
            Kind::Reset | Kind::Other => status::RECEIVE,
        };
        Self::new(code, why(error, url))
    }
}

/// What `--write-out` can tell.
#[derive(Debug, Clone, Default)]
pub struct Report {
    pub asked: String,
    pub url: String,
    pub method: String,
    pub code: u16,
    pub headers: Vec<(String, String)>,
    pub head_bytes: u64,
    pub received: u64,
    pub sent: u64,
    pub redirects: u32,
    pub leads_to: String,
    pub redirect_time: Duration,
    pub first_byte: Duration,
    pub total: Duration,
    pub retries: u32,
    /// There may be another try.
    pub may_retry: bool,
    pub file: Option<String>,
    pub status: i32,
    pub error: String,
}

impl Report {
    pub fn new(url: &str) -> Self {
        Self { asked: url.to_owned(), url: url.to_owned(), ..Self::default() }
    }
}

/// The request as it would be made without redirects.
struct First {
    method: String,
    headers: Vec<(String, String)>,
    content: Option<Content>,
}

fn joined(data: &[Data]) -> (Content, bool) {
    let (mut content, mut is_json) = (Content::default(), false);
    for (at, piece) in data.iter().enumerate() {
        let (piece, json) = match piece {
            Data::Content(piece) => (piece, false),
            Data::Json(piece) => (piece, true),
        };
        if at > 0 && !json {
            content.push("&");
        }
        is_json |= json;
        content.append(piece.clone());
    }
    (content, is_json)
}

/// What no other part can contain, as far as chance goes.
fn boundary() -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let random = || RandomState::new().build_hasher().finish();
    format!("------------------------{:016x}{:06x}", random(), random() & 0xff_ffff)
}

fn first(place: &mut Place, from: Option<u64>, options: &Options) -> Result<First, Failed> {
    let cannot_read = |error: io::Error| Failed::new(status::READ, crate::reason(&error));
    let mut query: Vec<String> = options.query.clone();
    let (mut content, mut content_type, mut is_json) = (None, None, false);
    if !options.data.is_empty() {
        let (data, json) = joined(&options.data);
        is_json = json;
        if options.data_in_query {
            let mut text = String::new();
            let mut bytes = data.body().map_err(cannot_read)?.bytes;
            io::Read::read_to_string(&mut bytes, &mut text).map_err(cannot_read)?;
            query.insert(0, text);
        } else {
            content_type = Some(if json { "application/json" } else { "application/x-www-form-urlencoded" }.to_owned());
            content = Some(data);
        }
    }
    for more in query {
        let all = match place.url.query() {
            Some(query) if !query.is_empty() => format!("{query}&{more}"),
            _ => more,
        };
        place.url.set_query(Some(&all));
    }
    if !options.form.is_empty() {
        let boundary = boundary();
        content = Some(form::encode(&options.form, &boundary));
        content_type = Some(format!("multipart/form-data; boundary={boundary}"));
    }
    let mut headers = Vec::new();
    if let Some(path) = &options.upload {
        let mut upload = match path.as_str() {
            "." => Content::file("-"),
            path => Content::file(path),
        }
        .map_err(|error| Failed::new(status::READ, format!("cannot open {path}: {}", crate::reason(&error))))?;
        if let Some(from) = from {
            let total = fs::metadata(path).map(|data| data.len()).map_err(cannot_read)?;
            headers.push(("content-range".to_owned(), format!("bytes {from}-{}/{total}", total.saturating_sub(1))));
            upload = Content(vec![Segment::File(path.clone(), from)]);
        }
        content = Some(upload);
    }
    let method = match &options.method {
        Some(method) => method.clone(),
        None if options.head_only => "HEAD".to_owned(),
        None if options.upload.is_some() => "PUT".to_owned(),
        None if content.is_some() => "POST".to_owned(),
        None => "GET".to_owned(),
    };
    if let Some((user, password)) = options.user.as_ref().or(place.user.as_ref()) {
        headers.push(("authorization".to_owned(), basic(user, password)));
    }
    if let Some(token) = &options.bearer {
        headers.push(("authorization".to_owned(), format!("Bearer {token}")));
    }
    match options.user_agent.as_deref() {
        Some("") => {}
        name => headers.push(("user-agent".to_owned(), name.unwrap_or(USER_AGENT).to_owned())),
    }
    headers.push(("accept".to_owned(), if is_json { "application/json" } else { "*/*" }.to_owned()));
    if let Some(referer) = &options.referer {
        let (referer, _) = referer.split_once(";auto").unwrap_or((referer, ""));
        headers.push(("referer".to_owned(), referer.to_owned()));
    }
    if let Some(range) = &options.range {
        let range = if range.contains('-') { range.clone() } else { format!("{range}-") };
        headers.push(("range".to_owned(), format!("bytes={range}")));
    } else if let Some(from) = from.filter(|_| options.upload.is_none()) {
        headers.push(("range".to_owned(), format!("bytes={from}-")));
    }
    if let Some(content_type) = content_type {
        headers.push(("content-type".to_owned(), content_type));
    }
    for line in &options.headers {
        own(&mut headers, line);
    }
    Ok(First { method, headers, content })
}

/// `Name: value` takes the place of ours, `Name:` removes it, `Name;` has no value.
fn own(headers: &mut Vec<(String, String)>, line: &str) {
    let (name, value) = match line.split_once(':') {
        Some((name, value)) => (name.trim(), Some(value.trim()).filter(|value| !value.is_empty())),
        None => match line.strip_suffix(';') {
            Some(name) => (name.trim(), Some("")),
            // Neither is no header; curl sends none, too.
            None => return,
        },
    };
    let ours = ["authorization", "user-agent", "accept", "referer", "range", "content-type", "content-length"];
    if ours.iter().any(|our| our.eq_ignore_ascii_case(name)) {
        headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }
    // The length follows from what is sent.
    if let Some(value) = value.filter(|_| !name.eq_ignore_ascii_case("content-length")) {
        headers.push((name.to_owned(), value.to_owned()));
    }
}

pub fn transfer(
    place: &Place,
    from: Option<u64>,
    options: &Options,
    told: &mut Told,
    sink: &mut Sink,
    report: &mut Report,
) -> Result<(), Failed> {
    let began = Instant::now();
    let mut place = place.clone();
    let first = first(&mut place, from, options)?;
    let mut pause = Duration::from_secs(1);
    let is_repeatable = first.content.as_ref().is_none_or(Content::is_repeatable);
    for retry in 0.. {
        let tried = Instant::now();
        let pause_now = options.retry_delay.filter(|delay| !delay.is_zero()).unwrap_or(pause);
        let is_late = || options.retry_time_max.is_some_and(|max| began.elapsed() + pause_now > max);
        report.retries = retry;
        report.received = 0;
        report.may_retry = retry < options.retries && is_repeatable && !is_late();
        let ended = walk(&place.url, &first, from, options, told, sink, report);
        report.total = tried.elapsed();
        let may_pass = match &ended {
            Ok(()) => PASSING.contains(&report.code),
            Err(_) if is_late() => false,
            Err(failed) => match failed.status {
                status::TIMEOUT | status::RESOLVE => true,
                status::CONNECT => options.retries_refused || options.retries_all,
                status::HTTP => PASSING.contains(&report.code) || options.retries_all,
                _ => options.retries_all,
            },
        };
        // What is out is out.
        if !may_pass || !report.may_retry || sink.written > 0 {
            return ended;
        }
        if !options.silent {
            let what = ended.err().map_or_else(|| format!("HTTP status {}", report.code), |failed| failed.message);
            told.say(&format!(
                "Warning: Problem: {what}. Will retry in {} seconds. {} retries left.",
                pause_now.as_secs_f32(),
                options.retries - retry
            ));
        }
        std::thread::sleep(pause_now);
        pause = (pause * 2).min(PAUSE_MAX);
    }
    Ok(())
}

fn walk(
    url: &Url,
    first: &First,
    from: Option<u64>,
    options: &Options,
    told: &mut Told,
    sink: &mut Sink,
    report: &mut Report,
) -> Result<(), Failed> {
    let began = Instant::now();
    let mut call = Call {
        method: first.method.clone(),
        url: url.clone(),
        headers: first.headers.clone(),
        content: first.content.clone(),
        connect_max: options.connect_max,
        silence_max: None,
        deadline: options.time_max.map(|time| began + time),
    };
    let redirects_max = options.redirects_max.unwrap_or(REDIRECTS_MAX);
    report.redirects = 0;
    loop {
        let https_only = options.https_only || (options.https_redirects_only && report.redirects > 0);
        if https_only && call.url.scheme() != "https" {
            return Err(Failed::new(status::PROTOCOL, "Protocol \"http\" disabled"));
        }
        report.url = call.url.to_string();
        report.method.clone_from(&call.method);
        if options.verbose {
            show_request(&call, told);
        }
        let mut exchange = Exchange::start(&call).map_err(|failure| match failure {
            Failure::Content(error) => Failed::new(status::READ, crate::reason(&error)),
            Failure::Net(error) => Failed::net(&error, &call.url, 0),
        })?;
        report.first_byte = began.elapsed().max(exchange.first_byte);
        report.code = exchange.head.status;
        report.headers.clone_from(&exchange.head.headers);
        report.sent = call.content.as_ref().and_then(|content| content.body().ok()?.length).unwrap_or(0);
        let leads_to = exchange.leads_to(&call.url);
        report.leads_to = leads_to.as_ref().and_then(|url| url.as_ref().ok()).map(Url::to_string).unwrap_or_default();
        let fails = exchange.head.status >= 400 && (options.fails || options.fails_with_body);
        let retries = report.may_retry && PASSING.contains(&exchange.head.status);
        let text = exchange.head_text();
        report.head_bytes += text.len() as u64;
        if options.verbose {
            for line in text.lines() {
                told.say(&format!("< {line}"));
            }
        }
        if let Some(head) = &mut told.head {
            head.write_all(text.as_bytes()).map_err(|error| Failed::write(&error))?;
        }
        if retries && !fails {
            // The next try's answer is the one to show.
            return Ok(());
        }
        if (options.shows_head || options.head_only) && !(fails && options.fails) {
            sink.write(text.as_bytes())?;
        }
        let next = match leads_to.filter(|_| options.follows) {
            Some(next) => Some(next.map_err(|why| Failed::new(status::PROTOCOL, why))?),
            None => None,
        };
        let Some(next) = next else {
            return receive(exchange, &call.url, from, fails, options, sink, report);
        };
        if report.redirects >= redirects_max {
            return Err(Failed::new(status::REDIRECTS, format!("Maximum ({redirects_max}) redirects followed")));
        }
        // The body of what redirects is for nobody, and need not be long.
        let mut skipped = 0;
        while let Ok(Some(bytes)) = exchange.next() {
            skipped += bytes.len();
            if skipped > 1 << 20 {
                break;
            }
        }
        drop(exchange);
        report.redirects += 1;
        report.redirect_time = began.elapsed();
        follow(&mut call, next, report.code, options)?;
    }
}

/// The next hop, as curl makes it of the last.
fn follow(call: &mut Call, next: Url, code: u16, options: &Options) -> Result<(), Failed> {
    let keeps_post = options.keeps_post.contains(&code);
    let becomes_get = match code {
        301 | 302 => call.method == "POST" && !keeps_post,
        303 => match call.method.as_str() {
            "GET" | "HEAD" => false,
            "POST" => !keeps_post,
            _ => true,
        },
        _ => false,
    };
    let drops_content = becomes_get || (matches!(code, 301..=303) && options.method.is_some() && !keeps_post);
    if drops_content && call.content.take().is_some() {
        call.headers.retain(|(name, _)| !name.to_ascii_lowercase().starts_with("content-"));
    }
    // A method that was asked for by name stays.
    if becomes_get && options.method.is_none() {
        call.method = "GET".to_owned();
    }
    if call.content.as_ref().is_some_and(|content| !content.is_repeatable()) {
        return Err(Failed::new(status::REWIND, "necessary data rewind was not possible: stdin is sent once"));
    }
    if !same_host(&call.url, &next) && !options.trusts_location {
        call.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
    }
    if options.referer.as_deref().is_some_and(|referer| referer.ends_with(";auto")) {
        call.headers.retain(|(name, _)| name != "referer");
        call.headers.push(("referer".to_owned(), call.url.to_string()));
    }
    call.url = next;
    Ok(())
}

fn show_request(call: &Call, told: &mut Told) {
    told.say(&format!("> {} {} HTTP/1.1", call.method, path_with_query(&call.url)));
    told.say(&format!("> host: {}", authority(&call.url)));
    for (name, value) in &call.headers {
        told.say(&format!("> {name}: {value}"));
    }
    told.say(">");
}

/// The answer's body, to where it belongs.
fn receive(
    mut exchange: Exchange,
    url: &Url,
    from: Option<u64>,
    fails: bool,
    options: &Options,
    sink: &mut Sink,
    report: &mut Report,
) -> Result<(), Failed> {
    let code = exchange.head.status;
    let http_error = || Failed::new(status::HTTP, format!("The requested URL returned error: {code}"));
    if fails && options.fails {
        return Err(http_error());
    }
    if from.is_some_and(|from| from > 0) && sink.appends {
        match code {
            206 => {}
            // There is nothing after what is there.
            416 => return Ok(()),
            _ => {
                return Err(Failed::new(
                    status::RANGE,
                    "HTTP server does not seem to support byte ranges. Cannot resume.",
                ));
            }
        }
    }
    let too_large = || Failed::new(status::TOO_LARGE, "Exceeded the maximum allowed file size (--max-filesize)");
    let announced = exchange.head.header("content-length").and_then(|length| length.parse::<u64>().ok());
    if report.method != "HEAD" && options.bytes_max.zip(announced).is_some_and(|(max, length)| length > max) {
        return Err(too_large());
    }
    loop {
        let bytes = match exchange.next() {
            Ok(Some(bytes)) => bytes,
            Ok(None) => break,
            Err(error) => return Err(Failed::net(&error, url, report.received)),
        };
        report.received += bytes.len() as u64;
        if options.bytes_max.is_some_and(|max| report.received > max) {
            return Err(too_large());
        }
        if !options.head_only {
            sink.write(&bytes)?;
        }
    }
    if fails { Err(http_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, content: bool) -> Call {
        Call {
            method: method.to_owned(),
            url: Url::parse("http://a.test/").unwrap(),
            headers: vec![("authorization".into(), "x".into()), ("content-type".into(), "y".into())],
            content: content.then(|| Content::bytes("z")),
            connect_max: None,
            silence_max: None,
            deadline: None,
        }
    }

    #[test]
    fn redirects_change_the_method_as_curl_does() {
        for (method, code, forced, becomes, keeps) in [
            ("POST", 301, None, "GET", false),
            ("POST", 302, None, "GET", false),
            ("POST", 303, None, "GET", false),
            ("POST", 307, None, "POST", true),
            ("PUT", 302, None, "PUT", true),
            ("PUT", 303, None, "GET", false),
            ("POST", 302, Some("POST"), "POST", false),
            ("DELETE", 308, Some("DELETE"), "DELETE", true),
            ("HEAD", 303, None, "HEAD", false),
        ] {
            let options = Options { method: forced.map(str::to_owned), ..Options::default() };
            let mut call = call(method, method != "HEAD");
            follow(&mut call, Url::parse("http://a.test/2").unwrap(), code, &options).unwrap();
            assert_eq!((call.method.as_str(), call.content.is_some()), (becomes, keeps), "{method} {code} {forced:?}");
            assert!(call.headers.iter().any(|(name, _)| name == "authorization"));
        }
        let mut call = call("GET", false);
        follow(&mut call, Url::parse("http://b.test/").unwrap(), 302, &Options::default()).unwrap();
        assert!(call.headers.iter().all(|(name, _)| name != "authorization"));
    }

    #[test]
    fn a_users_headers_take_the_place_of_ours() {
        let mut headers = vec![("accept".to_owned(), "*/*".to_owned()), ("x".to_owned(), "1".to_owned())];
        for line in ["Accept: a/b", "X: 2", "Empty;", "Gone:", "nonsense"] {
            own(&mut headers, line);
        }
        let all: Vec<String> = headers.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(all, ["x=1", "Accept=a/b", "X=2", "Empty="]);
    }
}
