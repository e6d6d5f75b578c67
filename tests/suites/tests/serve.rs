//! `wardian serve`: what the page gets, and what nobody else does.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use suites::journal::sha256;
use suites::models::{Answer, KEY, Protocol, Reply, Server, Shape};
use suites::process::{Running, until};
use suites::world::World;

/// How long anything may take that is not meant to take long.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a request may go on after the page went away.
const CLOSED_WITHIN: Duration = Duration::from_millis(500);

const INDEX: &str = "<!doctype html><title>p</title>";

struct Served {
    world: World,
    running: Running,
    address: SocketAddr,
    token: String,
}

struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Response {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

/// A small page in place of the real one.
fn site(world: &World) -> PathBuf {
    let site = world.folder().join("site");
    fs::create_dir(&site).unwrap();
    fs::write(site.join("index.html"), INDEX).unwrap();
    site
}

fn serve(arguments: &[&str], servers: &[(Protocol, &Server)]) -> Served {
    let world = World::new();
    let site = site(&world).display().to_string();
    let mut all = vec!["serve", "--port", "0", "--json", "--site", &site];
    all.extend(arguments);
    let mut command = world.command(&all);
    for (protocol, server) in servers {
        let (url, key) = protocol.variables();
        command.env(url, server.base_url()).env(key, KEY);
    }
    let running = Running::new(command);
    let line = until("the address", || {
        let stdout = running.stdout();
        stdout.contains('\n').then(|| stdout.lines().next().unwrap_or_default().to_owned())
    });
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["type"], "listening");
    let url = line["url"].as_str().unwrap();
    let (origin, token) = url.split_once("/#token=").unwrap();
    assert_eq!(line["origin"], origin);
    let address = origin.strip_prefix("http://").unwrap().parse().unwrap();
    Served { world, running, address, token: token.to_owned() }
}

impl Served {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A request with exactly these headers. A body is JSON.
    fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let mut stream = self.connect();
        send(&mut stream, method, path, headers, body);
        receive(&mut stream)
    }

    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        let host = self.address.to_string();
        self.raw("GET", path, &[&[("host", host.as_str())], headers].concat(), "")
    }

    fn ask(&self, path: &str, token: &str, body: &Value) -> Response {
        let host = self.address.to_string();
        let headers = [("host", host.as_str()), ("wardian-token", token)];
        self.raw("POST", path, &[&headers[..], &page_headers()].concat(), &body.to_string())
    }

    fn describe(&self) -> Value {
        let response = self.get("/model", &[("wardian-token", &self.token)]);
        assert_eq!(response.status, 200, "{}", response.text());
        response.json()
    }
}

/// What a browser adds to what the page sends.
fn page_headers() -> Vec<(&'static str, &'static str)> {
    vec![
        ("content-type", "application/json"),
        ("accept", "text/event-stream"),
        ("anthropic-version", "2023-06-01"),
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-mode", "cors"),
        ("user-agent", "Page/1"),
        ("cookie", "a=b"),
        ("authorization", "Bearer of-the-page"),
        ("x-api-key", "of-the-page"),
    ]
}

fn send(stream: &mut TcpStream, method: &str, path: &str, headers: &[(&str, &str)], body: &str) {
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
}

fn receive(stream: &mut TcpStream) -> Response {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{line:?}"));
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut body = Vec::new();
    reader.read_to_end(&mut body).unwrap();
    let response = Response { status, headers, body };
    let chunked = response.header("transfer-encoding") == Some("chunked");
    if chunked { Response { body: unchunked(&response.body), ..response } } else { response }
}

fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = bytes.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            break;
        }
        body.extend_from_slice(&bytes[end + 2..end + 2 + size]);
        bytes = &bytes[end + 4 + size..];
    }
    body
}

fn question(protocol: Protocol) -> Value {
    match protocol {
        Protocol::OpenAi => json!({
            "model": "gpt-5-test", "stream": true, "store": false, "instructions": "Be brief.",
            "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        }),
        Protocol::Chat => {
            json!({"model": "test:7b", "stream": true, "messages": [{"role": "user", "content": "hi"}]})
        }
        Protocol::Anthropic => json!({
            "model": "claude-test", "stream": true, "max_tokens": 100,
            "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        }),
    }
}

/// As the page's provider would, from what it is told.
fn path(described: &Value, protocol: Protocol) -> String {
    let (name, endpoint) = match protocol {
        Protocol::OpenAi => ("openai", "/responses"),
        Protocol::Chat => ("chat", "/chat/completions"),
        Protocol::Anthropic => ("anthropic", "/messages"),
    };
    let service = described["services"].as_array().unwrap().iter().find(|service| service["name"] == name).unwrap();
    format!("{}{endpoint}", service["path"].as_str().unwrap())
}

#[test]
fn the_page_is_served_under_a_strict_policy() {
    let served = serve(&["--connect", "https://api.example.org"], &[]);
    let page = served.get("/", &[]);
    assert_eq!((page.status, page.text().as_str()), (200, INDEX));
    let policy = page.header("content-security-policy").unwrap();
    for part in [
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval';",
        "style-src 'self';",
        "connect-src 'self' https://api.example.org;",
        "frame-ancestors 'none'",
        "form-action 'none'",
    ] {
        assert!(policy.contains(part), "{part}: {policy}");
    }
    assert!(!policy.contains("unsafe-inline") && !policy.contains('*'), "{policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-embedder-policy", "require-corp"),
        ("cross-origin-resource-policy", "same-origin"),
        ("referrer-policy", "no-referrer"),
        ("content-type", "text/html; charset=utf-8"),
    ] {
        assert_eq!(page.header(name), Some(value), "{name}");
    }
    assert_eq!(page.header("access-control-allow-origin"), None);
    let again = served.get("/", &[("if-none-match", page.header("etag").unwrap())]);
    assert_eq!((again.status, again.body.len()), (304, 0));
    for path in ["/absent", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/site", "//etc/passwd"] {
        assert_eq!(served.get(path, &[]).status, 404, "{path}");
    }
    let host = served.address.to_string();
    let posted = served.raw("POST", "/", &[("host", host.as_str())], "{}");
    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET, HEAD")));
}

#[test]
fn the_program_carries_the_page() {
    let world = World::new();
    let running = world.start(&["serve", "--port", "0"]);
    let url = until("the address", || running.stdout().contains('\n').then(|| running.stdout().trim_end().to_owned()));
    let origin = url.split("/#").next().unwrap();
    let host = origin.strip_prefix("http://").unwrap();
    let get = |path: &str, accept: &str| {
        let mut stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        send(&mut stream, "GET", path, &[("host", host), ("accept-encoding", accept)], "");
        receive(&mut stream)
    };
    for path in ["/wardian/index.js", "/wardian/engine.js", "/wardian/manifest.json"] {
        let (packed, plain) = (get(path, "br"), get(path, "identity"));
        assert_eq!((packed.status, packed.header("content-encoding")), (200, Some("br")), "{path}");
        assert_eq!((plain.status, plain.header("content-encoding")), (200, None), "{path}");
        assert!(packed.body.len() < plain.body.len(), "{path}");
        // What was unpacked is what was packed: the tag is the digest of the file.
        assert_eq!(plain.header("etag"), Some(format!("\"{}\"", sha256(&plain.body)).as_str()), "{path}");
    }
    assert!(get("/", "identity").text().contains("<div id=\"app\">"));
}

#[test]
fn other_names_and_other_origins_get_nothing() {
    let server = Server::start(Protocol::Chat, [Reply::text("never")]);
    let served = serve(&[], &[(Protocol::Chat, &server)]);
    let host = served.address.to_string();
    let port = served.address.port();
    // A name that was made to lead here; the token would not help it.
    for other in [format!("evil.example:{port}"), format!("localhost:{port}"), "127.0.0.1".to_owned()] {
        let refused = served.raw("GET", "/", &[("host", &other)], "");
        assert_eq!(refused.status, 421, "{other}");
        assert!(!refused.text().contains(INDEX));
        let headers = [("host", other.as_str()), ("wardian-token", served.token.as_str())];
        assert_eq!(served.raw("GET", "/model", &headers, "").status, 421, "{other}");
    }
    let path = path(&served.describe(), Protocol::Chat);
    let body = question(Protocol::Chat).to_string();
    for (name, value) in [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")] {
        let headers = [("host", host.as_str()), ("wardian-token", served.token.as_str()), (name, value)];
        let refused = served.raw("POST", &path, &headers, &body);
        assert_eq!(refused.status, 403, "{name}: {value}");
        assert_eq!(refused.header("access-control-allow-origin"), None);
        assert_eq!(served.raw("OPTIONS", &path, &headers, "").status, 403, "{name}: {value}");
    }
    assert!(server.seen().is_empty());
}

#[test]
fn models_are_reached_with_the_key_that_stays_here() {
    for protocol in Protocol::ALL {
        let server = Server::start(protocol, [Reply::text("Good morning from the model.")]);
        let served = serve(&["-m", protocol.model()], &[(protocol, &server)]);
        let described = served.describe();
        assert_eq!(described["model"], protocol.model());
        assert!(!described.to_string().contains(KEY), "{described}");
        let answer = served.ask(&path(&described, protocol), &served.token, &question(protocol));
        assert_eq!(answer.status, 200, "{protocol:?}: {}", answer.text());
        assert!(
            answer.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream")),
            "{protocol:?}"
        );
        assert!(answer.text().contains("morning"), "{}", answer.text());
        // The server checks the key; here is what it must not have seen.
        let seen = server.took(1).remove(0);
        for (name, value) in &seen.headers {
            assert!(!["cookie", "origin", "wardian-token", "sec-fetch-site"].contains(&name.as_str()), "{name}");
            assert!(!value.contains("of-the-page") && !value.contains(&served.token), "{name}: {value}");
        }
        let all: String = answer.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        assert!(!all.contains(KEY) && !answer.text().contains(KEY), "{all}");
        let told = until("a line about the request", || served.running.stdout().lines().nth(1).map(str::to_owned));
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!((&told["type"], &told["status"]), (&json!("model.request"), &json!(200)), "{told}");
        assert!(!served.running.stdout().contains(KEY) && !served.running.stderr().contains(KEY));
    }
}

#[test]
fn without_the_token_of_this_start_no_model_is_asked() {
    let server = Server::start(Protocol::OpenAi, [Reply::text("never")]);
    let served = serve(&[], &[(Protocol::OpenAi, &server)]);
    let path = path(&served.describe(), Protocol::OpenAi);
    let old = "0".repeat(64);
    for token in ["", "x", old.as_str(), &served.token[1..]] {
        let refused = served.ask(&path, token, &question(Protocol::OpenAi));
        assert_eq!(refused.status, 401, "{token}");
        assert!(refused.json()["error"]["message"].as_str().unwrap().contains("wardian serve"));
        assert_eq!(served.get("/model", &[("wardian-token", token)]).status, 401);
    }
    assert!(server.seen().is_empty());
}

#[test]
fn one_way_to_each_service_and_no_other() {
    let server = Server::start(Protocol::OpenAi, [Reply::text("never")]);
    let served = serve(&[], &[(Protocol::OpenAi, &server)]);
    let body = question(Protocol::OpenAi);
    for (path, status, words) in [
        ("/model/openai/v1/files", 403, "/responses"),
        ("/model/openai/v1/../admin/responses", 403, "/responses"),
        ("/model/openai/v1/%2e%2e/responses", 403, "/responses"),
        ("/model/openai/v1/responses?x=1", 403, "/responses"),
        ("/model/openai//evil.example/v1/responses", 403, "/responses"),
        ("/model/nobody/v1/responses", 404, "no such service"),
        ("/model/chat/chat/completions", 404, "has no server"),
        ("/model/anthropic/v1/messages", 404, "needs a key"),
    ] {
        let refused = served.ask(path, &served.token, &body);
        assert_eq!(refused.status, status, "{path}: {}", refused.text());
        let message = refused.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(words), "{path}: {message}");
    }
    let path = path(&served.describe(), Protocol::OpenAi);
    let got = served.get(&path, &[("wardian-token", &served.token)]);
    assert_eq!(got.status, 405, "{}", got.text());
    assert!(server.seen().is_empty());
}

#[test]
fn a_refusal_of_the_service_is_passed_on_and_a_missing_service_is_named() {
    let headers = vec![("retry-after", "7".to_owned()), ("set-cookie", "s=1".to_owned())];
    let body = json!({"error": {"message": "slow down"}}).to_string();
    let server = Server::start(Protocol::Chat, [Answer::Status(429, headers, body)]);
    let served = serve(&[], &[(Protocol::Chat, &server)]);
    let path = path(&served.describe(), Protocol::Chat);
    let refused = served.ask(&path, &served.token, &question(Protocol::Chat));
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("7")));
    assert_eq!(refused.header("set-cookie"), None);
    assert_eq!(refused.json()["error"]["message"], "slow down");

    drop(server);
    let gone = served.ask(&path, &served.token, &question(Protocol::Chat));
    assert_eq!(gone.status, 502);
    assert!(gone.json()["error"]["message"].as_str().unwrap().contains("cannot connect"), "{}", gone.text());
}

#[test]
fn an_answer_streams_and_ends_when_the_page_goes_away() {
    let shape = Shape { piece_bytes: 16, pause: Duration::from_millis(40), ..Shape::default() };
    let long = "word ".repeat(400);
    let server = Server::start(Protocol::Chat, [Answer::Reply(Reply::text(&long), shape)]);
    let served = serve(&[], &[(Protocol::Chat, &server)]);
    let path = path(&served.describe(), Protocol::Chat);
    let mut stream = served.connect();
    let host = served.address.to_string();
    let headers = [("host", host.as_str()), ("wardian-token", served.token.as_str())];
    let body = question(Protocol::Chat).to_string();
    send(&mut stream, "POST", &path, &[&headers[..], &page_headers()].concat(), &body);
    let mut begun = Vec::new();
    while !begun.windows(4).any(|window| window == b"word") {
        let mut piece = [0; 1024];
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "it ended: {}", String::from_utf8_lossy(&begun));
        begun.extend_from_slice(&piece[..read]);
    }
    assert!(server.left().is_empty() && begun.len() < long.len(), "{} bytes at once", begun.len());
    let closed = Instant::now();
    drop(stream);
    let left = until("the request's end", || server.left().first().copied());
    assert!(left.duration_since(closed) < CLOSED_WITHIN, "{:?}", left.duration_since(closed));
}

#[test]
fn ctrl_c_ends_it_in_the_middle_of_an_answer() {
    let shape = Shape { hang: true, cut_after: Some("word"), ..Shape::default() };
    let server = Server::start(Protocol::Chat, [Answer::Reply(Reply::text("word word"), shape)]);
    let mut served = serve(&[], &[(Protocol::Chat, &server)]);
    let path = path(&served.describe(), Protocol::Chat);
    let mut stream = served.connect();
    let host = served.address.to_string();
    let headers = [("host", host.as_str()), ("wardian-token", served.token.as_str())];
    let body = question(Protocol::Chat).to_string();
    send(&mut stream, "POST", &path, &[&headers[..], &page_headers()].concat(), &body);
    until("the answer's begin", || (!server.began().is_empty()).then_some(()));
    served.running.signal(Signal::INT);
    let done = served.running.wait().exits(0);
    assert!(!done.stderr.contains("error"), "{}", done.stderr);
    drop(served.world);
}

#[test]
fn what_cannot_be_served_is_said() {
    let world = World::new();
    let site = site(&world).display().to_string();
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let done = world.wardian(&["serve", "--port", &port, "--site", &site]).exits(1);
    assert!(done.stderr.contains("cannot listen on 127.0.0.1") && done.stderr.contains("hint: "), "{done}");
    for (arguments, words) in [
        (&["--site", "absent"][..], "--site absent"),
        (&["--site", "."], "no index.html"),
        (&["--site", &site, "--connect", "https://a.example/path"], "more than scheme, host and port"),
        (&["--site", &site, "-m", "script:x.json"], "scenario"),
        (&["--site", &site, "-m", "nobody/x"], "no model"),
    ] {
        let done = world.wardian(&[&["serve", "--port", "0"], arguments].concat()).exits(2);
        assert!(done.stderr.contains(words), "{words}: {done}");
    }
}
