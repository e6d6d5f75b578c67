//! Requests through the host: what gets through, what does not, and by what name.

use std::io::Write;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use suites::dist;
use suites::dns::NameServer;
use suites::net::{Client, Names, Server, allow, forever, limits, ok, redirect};
use suites::process::until;
use wardian_host::wit::{NetLimits, NetReach, NetRedirects, NetRule, NetVerdict, Unlisted};
use wardian_host::{Credential, Net};

const LOCAL: &str = "127.0.0.1";

async fn local() -> Client {
    Client::new(vec![allow(LOCAL)]).await
}

async fn limited(change: impl FnOnce(&mut NetLimits)) -> Client {
    Client::with(vec![allow(LOCAL)], |options| change(&mut options.limits)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_allows_gets_through() {
    let server = Server::says(ok("hello"));
    let client = local().await;
    let fetched = client.fetch(json!({"url": server.url("/a?key=SECRET"), "headers": [["x-own", "1"]]})).await;
    assert_eq!((&fetched.data()["status"], &fetched.data()["body"]), (&json!(200), &json!("hello")));
    let head = &server.heads()[0];
    assert!(head.starts_with("GET /a?key=SECRET HTTP/1.1\r\n") && head.contains("x-own: 1\r\n"), "{head}");
    assert!(head.contains(&format!("host: {}\r\n", server.address)), "{head}");
    assert!(head.contains("accept-encoding: identity\r\n"), "{head}");
    let [request] = &fetched.requests[..] else { panic!("{:?}", fetched.requests) };
    assert_eq!((request.allowed, request.rule.as_str(), request.status), (true, "allow 127.0.0.1", Some(200)));
    assert_eq!((request.bytes_in, request.bytes_out), (5, 0));
    assert_eq!(request.url, server.url("/a?key=…"));
    assert_eq!(request.error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_rule_allows_is_refused_before_it_runs_or_before_it_is_sent() {
    let server = Server::says(ok("hello"));
    let input = || json!({"url": server.url("/")});
    let nothing = Client::new(vec![]).await.fetch(input()).await;
    let message = nothing.result.unwrap_err();
    assert!(message.contains("the power `net`") && message.contains("--net HOST"), "{message}");
    assert!(nothing.requests.is_empty());
    Client::new(vec![allow("example.org")]).await.fetch(input()).await.denied("unlisted");
    // Not even where everything public is allowed.
    let public = Client::new(vec![]).await.fetch_as(input(), Client::grant(&["*"], Unlisted::Allow)).await;
    public.denied("address");
    assert!(public.failed().1.contains("a loopback address"), "{:?}", public.failed());
    // The code did not ask for it, or for another host.
    let client = local().await;
    client.fetch_as(input(), Client::grant(&[], Unlisted::Allow)).await.denied("power net");
    client.fetch_as(input(), Client::grant(&["example.org"], Unlisted::Allow)).await.denied("power net");
    assert_eq!(server.connections(), 0, "nothing was sent");
    client.fetch(input()).await.data();
    assert_eq!(server.connections(), 1);
}

/// The cases whose verdict does not depend on what a name resolves to, and which lead nowhere outside.
fn refused_cases() -> Vec<Value> {
    let corpus = std::fs::read_to_string(dist::root().join("tests/cases/net/corpus.json")).unwrap();
    let corpus: Value = serde_json::from_str(&corpus).unwrap();
    let cases = corpus["cases"].as_array().unwrap().iter();
    let here = |case: &&Value| case["policy"] == "public" && case["hops"].is_null() && case["resolves"].is_null();
    cases.filter(here).filter(|case| case["deny"].is_string() && case["method"].is_null()).cloned().collect()
}

fn everything_public() -> Vec<NetRule> {
    vec![NetRule { port: None, ..allow("*") }]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_place_of_the_corpus_is_reached() {
    let client = Client::new(everything_public()).await;
    let cases = refused_cases();
    assert!(cases.len() > 100, "{}", cases.len());
    for case in cases {
        let fetched = client.fetch(json!({"url": case["url"]})).await;
        assert!(fetched.result.is_err(), "{case}");
        for request in &fetched.requests {
            // What is no URL to the guest's own bindings does not even get to the policy.
            assert_eq!((request.allowed, &json!(request.rule)), (false, &case["deny"]), "{case} {request:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_place_of_the_corpus_is_reached_by_a_redirect() {
    let location = Arc::new(std::sync::Mutex::new(String::new()));
    let said = location.clone();
    let server = Server::new(move |_, stream| stream.write_all(redirect(&said.lock().unwrap()).as_bytes()).is_ok());
    let rules = vec![NetRule { port: None, ..allow("*") }, allow(LOCAL)];
    let start = |rules: &[NetRule]| {
        // The server's own place is allowed, and no other on loopback.
        let port = Some(wardian_host::wit::NetPort::Number(server.port()));
        let mut rules = rules.to_vec();
        rules[1].port = port;
        rules
    };
    let client = Client::new(start(&rules)).await;
    let mut tried = 0;
    for case in refused_cases() {
        let url = case["url"].as_str().unwrap();
        // Relative ones lead back to the server; control characters cannot stand in a header.
        if !url.contains(':') || url.starts_with("//") || !url.is_ascii() || url.chars().any(char::is_control) {
            continue;
        }
        *location.lock().unwrap() = url.to_owned();
        let fetched = client.fetch(json!({"url": server.url("/")})).await;
        assert!(fetched.result.is_err(), "{case}");
        let [first, second] = &fetched.requests[..] else { panic!("{case} {:?}", fetched.requests) };
        assert_eq!((first.allowed, first.status), (true, Some(302)), "{case}");
        assert!(!second.allowed && second.status.is_none(), "{case} {second:?}");
        tried += 1;
    }
    assert!(tried > 80, "{tried}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_looked_up_once_and_what_was_checked_is_connected_to() {
    let server = Server::says(ok("inside"));
    let url = format!("http://rebind.example:{}/", server.port());
    let rule = |reach| vec![NetRule { reach, ..allow("rebind.example") }];
    let fetch = async |reach, names: &Arc<Names>| {
        let names = names.clone();
        Client::with(rule(reach), |options| options.resolver = names).await.fetch(json!({ "url": url })).await
    };
    // A name that leads inside.
    let names = Names::new(&[&["127.0.0.1"]]);
    let fetched = fetch(NetReach::Public, &names).await;
    fetched.denied("address");
    assert!(fetched.failed().1.contains("rebind.example") && fetched.failed().1.contains("loopback"));
    // One that leads outside and inside at once.
    fetch(NetReach::Public, &Names::new(&[&["93.184.215.14", "127.0.0.1"]])).await.denied("address");
    assert_eq!(server.connections(), 0);
    // One that leads elsewhere when it is looked up again: it is not.
    let loopback = || NetReach::Networks(vec!["127.0.0.0/8".to_owned()]);
    let names = Names::new(&[&["127.0.0.1"], &["192.0.2.1"]]);
    assert_eq!(fetch(loopback(), &names).await.data()["body"], "inside");
    assert_eq!(names.lookups.load(Ordering::SeqCst), 1);
    // The network that the rule names, and no other.
    fetch(loopback(), &Names::new(&[&["10.0.0.1"]])).await.denied("address");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_server_that_rebinds_leads_nowhere() {
    let server = Server::says(ok("inside"));
    let url = format!("http://rebind.example:{}/", server.port());
    // First an address outside, where nothing answers; then one inside. Each request is a lookup, each lookup is checked.
    let outside = Ipv4Addr::new(192, 0, 2, 1);
    let names = NameServer::new(vec![outside, Ipv4Addr::LOCALHOST]);
    let rules = vec![NetRule { reach: NetReach::Public, ..allow("rebind.example") }];
    let client = Client::with(rules, |options| options.resolver = names.resolver()).await;
    let first = client.fetch(json!({ "url": url })).await;
    assert!(first.result.is_err(), "documentation addresses are not public");
    client.fetch(json!({ "url": url })).await.denied("address");
    assert_eq!((names.asked(), server.connections()), (2, 0));
    // The other way round: what was checked is connected to, whatever the server says a moment later.
    let names = NameServer::new(vec![Ipv4Addr::LOCALHOST, outside]);
    let rules = vec![NetRule { reach: NetReach::Networks(vec!["127.0.0.0/8".to_owned()]), ..allow("rebind.example") }];
    let client = Client::with(rules, |options| options.resolver = names.resolver()).await;
    assert_eq!(client.fetch(json!({ "url": url })).await.data()["body"], "inside");
    assert_eq!((names.asked(), server.connections()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_followed_or_refused_and_bounded() {
    let server = Server::new(|head, stream| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let response = match path.strip_prefix("/hop").and_then(|hop| hop.parse::<u32>().ok()) {
            Some(0) | None => ok("arrived"),
            Some(hop) => redirect(&format!("/hop{}", hop - 1)),
        };
        stream.write_all(response.as_bytes()).is_ok()
    });
    let client = local().await;
    let fetched = client.fetch(json!({"url": server.url("/hop3")})).await;
    assert_eq!(fetched.data()["body"], "arrived");
    assert_eq!(fetched.requests.len(), 4);
    let headers: Vec<(String, String)> = serde_json::from_value(fetched.data()["headers"].clone()).unwrap();
    assert!(headers.contains(&("wardian-url".to_owned(), server.url("/hop0"))), "{headers:?}");
    client.fetch(json!({"url": server.url("/hop4")})).await.denied("redirects-max");
    let refusing = |options: &mut wardian_host::NetOptions| options.redirects = NetRedirects::Refuse;
    let client = Client::with(vec![allow(LOCAL)], refusing).await;
    client.fetch(json!({"url": server.url("/hop1")})).await.denied("redirects");
    assert_eq!(client.fetch(json!({"url": server.url("/hop0")})).await.data()["body"], "arrived");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_go_to_their_origin_and_nowhere_else() {
    let other = Server::says(ok("other"));
    let elsewhere = other.url("/");
    let server = Server::new(move |head, stream| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let response = match path {
            "/away" => redirect(&elsewhere),
            "/stay" => redirect("/"),
            _ => ok("here"),
        };
        stream.write_all(response.as_bytes()).is_ok()
    });
    let credential = Credential::new(&server.url("/"), "Authorization", "Bearer SECRET").unwrap();
    let client = Client::with(vec![allow(LOCAL)], |options| options.credentials = vec![credential]).await;
    for path in ["/", "/stay", "/away"] {
        let fetched = client.fetch(json!({"url": server.url(path), "headers": [["authorization", "mine"]]})).await;
        let seen = format!("{:?} {:?}", fetched.data(), fetched.requests);
        assert!(!seen.contains("SECRET"), "{seen}");
    }
    client.fetch(json!({ "url": other.url("/") })).await.data();
    for head in server.heads() {
        assert!(head.contains("authorization: Bearer SECRET\r\n") && !head.contains("mine"), "{head}");
    }
    assert_eq!(other.heads().len(), 2);
    for head in other.heads() {
        assert!(!head.contains("SECRET") && !head.contains("authorization"), "{head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_do_not_exist() {
    let server = Server::says("HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n");
    let client = local().await;
    let fetched = client.fetch(json!({"url": server.url("/"), "headers": [["cookie", "a=b"]], "times": 2})).await;
    assert!(!fetched.data()["headers"].to_string().contains("set-cookie"), "{}", fetched.data());
    assert!(server.heads().iter().all(|head| !head.contains("cookie")), "{:?}", server.heads());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_used_again_and_replaced_when_the_server_closed_it() {
    let server = Server::says(ok("x"));
    let client = local().await;
    client.fetch(json!({"url": server.url("/"), "times": 4})).await.data();
    client.fetch(json!({"url": server.url("/")})).await.data();
    assert_eq!((server.heads().len(), server.connections()), (5, 1));
    // Answers once, and closes without having said so.
    let closing = Server::new(|_, stream| {
        let _ = stream.write_all(ok("x").as_bytes());
        false
    });
    client.fetch(json!({"url": closing.url("/")})).await.data();
    thread::sleep(Duration::from_millis(50));
    client.fetch(json!({"url": closing.url("/")})).await.data();
    assert_eq!(closing.connections(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_never_ends_ends_by_its_limit() {
    // One byte after the other.
    let slow = Server::new(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nx-slow: ");
        forever(stream, b"x", Duration::from_millis(20))
    });
    let client = limited(|limits| limits.first_byte_ms_max = 300).await;
    client.fetch(json!({"url": slow.url("/")})).await.reached("first-byte-ms-max");
    // As fast as it goes.
    let endless = Server::new(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        forever(stream, b"x-more: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n", Duration::ZERO)
    });
    local().await.fetch(json!({"url": endless.url("/")})).await.reached("header-bytes-max");
    // One that ends, and is too large all the same.
    let value = "x".repeat(20 << 10);
    let large = Server::says(format!("HTTP/1.1 200 OK\r\nx-large: {value}\r\ncontent-length: 0\r\n\r\n"));
    local().await.fetch(json!({"url": large.url("/")})).await.reached("header-bytes-max");
    // The code may be less patient than the policy.
    let silent = Server::new(|_, _| {
        thread::sleep(Duration::from_secs(5));
        false
    });
    let start = Instant::now();
    let fetched = local().await.fetch(json!({"url": silent.url("/"), "first_byte_ms": 100})).await;
    fetched.reached("first-byte-ms-max");
    assert!(start.elapsed() < Duration::from_millis(1900), "{:?}", start.elapsed());
}

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_ends_ends_by_its_limit() {
    let endless = Server::new(|_, stream| {
        let _ = stream.write_all(CHUNKED);
        let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
        forever(stream, chunk.as_bytes(), Duration::ZERO)
    });
    let fetched = local().await.fetch(json!({"url": endless.url("/")})).await;
    fetched.reached("response-bytes-max");
    let at = fetched.requests[0].error.as_ref().unwrap().at;
    assert_eq!(at, Some(limits().response_bytes_max));
    let announced = Server::says("HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\n");
    local().await.fetch(json!({"url": announced.url("/")})).await.reached("response-bytes-max");
    let silent = Server::new(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nx");
        thread::sleep(Duration::from_secs(5));
        false
    });
    let client = limited(|limits| limits.between_bytes_ms_max = 200).await;
    client.fetch(json!({"url": silent.url("/")})).await.reached("between-bytes-ms-max");
    let dripping = Server::new(|_, stream| {
        let _ = stream.write_all(CHUNKED);
        forever(stream, b"1\r\nx\r\n", Duration::from_millis(20))
    });
    let client = limited(|limits| limits.total_ms_max = 500).await;
    client.fetch(json!({"url": dripping.url("/")})).await.reached("total-ms-max");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_what_it_says_is_an_error() {
    let short = Server::new(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nxyz");
        false
    });
    let fetched = local().await.fetch(json!({"url": short.url("/")})).await;
    assert_eq!(fetched.failed().0, "incomplete");
    assert!(fetched.result.unwrap_err().contains("incomplete HTTP response"));
    // It was asked for what it is: so a bomb has no fuse.
    let gzip = Server::says("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nxyz");
    let fetched = local().await.fetch(json!({"url": gzip.url("/")})).await;
    assert_eq!(fetched.failed().0, "encoding");
    let garbage = Server::says("SSH-2.0-OpenSSH_9.2\r\n\r\n");
    let fetched = local().await.fetch(json!({"url": garbage.url("/")})).await;
    assert_eq!(fetched.failed().0, "protocol");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_is_bounded() {
    let server = Server::new(|head, stream| {
        use std::io::Read;
        // Reads until the other side has no more to say.
        let mut sink = [0; 4096];
        let _ = stream.set_read_timeout(Some(Duration::from_millis(300)));
        while head.starts_with("POST") && stream.read(&mut sink).is_ok_and(|read| read > 0) {}
        stream.write_all(ok("taken").as_bytes()).is_ok()
    });
    let client = local().await;
    let post = |bytes: u64| json!({"url": server.url("/"), "method": "POST", "send_bytes": bytes});
    let fetched = client.fetch(post(64 << 10)).await;
    assert_eq!(fetched.data()["body"], "taken");
    assert_eq!(fetched.requests[0].bytes_out, 64 << 10);
    client.fetch(post((64 << 10) + 1)).await.reached("request-bytes-max");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_a_call_are_counted() {
    let server = Server::says(ok("x"));
    let client = local().await;
    let fetched = client.fetch(json!({"url": server.url("/"), "times": 11})).await;
    fetched.denied("requests-max");
    assert_eq!(server.heads().len(), 10);
    let waiting = Server::new(|_, stream| {
        thread::sleep(Duration::from_millis(300));
        stream.write_all(ok("x").as_bytes()).is_ok()
    });
    let client = limited(|limits| limits.concurrent_max = 2).await;
    let fetched = client.fetch(json!({"url": waiting.url("/"), "at_once": 3})).await;
    let mut ended: Vec<String> = serde_json::from_value(fetched.data().clone()).unwrap();
    ended.sort();
    assert_eq!(ended, ["200", "200", "ConnectionLimitReached"]);
    assert!(fetched.requests.iter().any(|request| request.rule == "concurrent-max"), "{:?}", fetched.requests);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_answer_at_all_ends_by_its_limit() {
    let client = Client::with(vec![allow("nowhere.example")], |options| {
        options.limits.connect_ms_max = 200;
        options.resolver = Names::new(&[]);
    });
    client.await.fetch(json!({"url": "http://nowhere.example/"})).await.reached("connect-ms-max");
    let closed = std::net::TcpListener::bind((LOCAL, 0)).unwrap().local_addr().unwrap();
    let fetched = local().await.fetch(json!({"url": format!("http://{closed}/")})).await;
    assert_eq!(fetched.failed().0, "connect");
}

#[tokio::test(flavor = "multi_thread")]
async fn content_types_are_a_matter_of_rules() {
    let server = Server::says(ok("text"));
    let rule = |kind: &str| NetRule { content_types: vec![kind.to_owned()], ..allow(LOCAL) };
    let url = json!({"url": server.url("/")});
    assert_eq!(Client::new(vec![rule("text/*")]).await.fetch(url.clone()).await.data()["body"], "text");
    let fetched = Client::new(vec![rule("image/*")]).await.fetch(url).await;
    fetched.denied("allow 127.0.0.1");
    assert_eq!(fetched.requests[0].status, Some(200));
}

/// Waits for the end of a connection in the middle of a body.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_dropped_closes_its_socket_at_once() {
    let closed = Arc::<AtomicUsize>::default();
    let (seen, started) = (closed.clone(), Arc::<AtomicUsize>::default());
    let begun = started.clone();
    let server = Server::new(move |_, stream| {
        use std::io::Read;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nx");
        begun.fetch_add(1, Ordering::SeqCst);
        let _ = stream.read(&mut [0]);
        seen.fetch_add(1, Ordering::SeqCst);
        false
    });
    let client = local().await;
    let url = server.url("/");
    let fetching = tokio::spawn(async move { client.fetch(json!({ "url": url })).await.requests.len() });
    tokio::task::spawn_blocking(move || until("the body", || (started.load(Ordering::SeqCst) == 1).then_some(())))
        .await
        .unwrap();
    fetching.abort();
    let dropped = Instant::now();
    tokio::task::spawn_blocking(move || until("the end", || (closed.load(Ordering::SeqCst) == 1).then_some(())))
        .await
        .unwrap();
    assert!(dropped.elapsed() < Duration::from_millis(500), "{:?}", dropped.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_malformed_is_named() {
    let host = suites::net::host();
    let mut options = suites::net::options(&host, vec![NetRule { host: "a b".to_owned(), ..allow("x") }]);
    let error = Net::new(&host, options).await.err().unwrap().to_string();
    assert!(error.contains("allow x"), "{error}");
    options = suites::net::options(&host, vec![NetRule { verdict: NetVerdict::Deny, ..allow("x") }]);
    options.limits.total_ms_max = 0;
    let error = Net::new(&host, options).await.err().unwrap().to_string();
    assert!(error.contains("total-ms-max"), "{error}");
}
