//! The tools of the web, with a server on loopback in place of it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use suites::journal::of;
use suites::net::{Server, redirect};
use suites::process::Done;
use suites::world::World;

const KEY: &str = "tvly-KEY-that-stays-with-the-host";

/// A response of this type.
fn response(status: u16, media_type: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = body.len();
    let mut response =
        format!("HTTP/1.1 {status} Status\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\n\r\n")
            .into_bytes();
    response.extend_from_slice(body);
    response
}

/// Answers each path with what it is given for it.
fn pages(pages: Vec<(&'static str, Vec<u8>)>) -> Server {
    Server::new(move |head, stream| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let found = pages.iter().find(|(known, _)| *known == path);
        let missing = || response(404, "text/html", "<title>Nothing here</title><p>Sorry.");
        // What is shorter than it says ends with its connection.
        stream.write_all(&found.map_or_else(missing, |(_, page)| page.clone())).is_ok() && path != "/short"
    })
}

fn fetch(world: &World, server: &Server, path: &str) -> Done {
    let input = json!({"url": server.url(path), "prompt": "the point of it"}).to_string();
    world.wardian(&["call", "WebFetch", &input, "--net", &format!("127.0.0.1:{}", server.port()), "--json"])
}

fn text(output: &Value) -> &str {
    output["output"]["text"].as_str().unwrap_or_else(|| panic!("{output}"))
}

#[test]
fn a_page_is_read_where_redirects_lead() {
    let world = World::new();
    let html = "<title>Ferns</title><nav><a href=/>Home</a></nav><h1>Ferns</h1><p>They are <b>green</b>; \
                <a href=../more?x=1>more</a>.</p><script>alert(1)</script>";
    let server = pages(vec![
        ("/old", redirect("/new/page").into_bytes()),
        ("/new/page", response(200, "text/html; charset=utf-8", html)),
    ]);
    let output = fetch(&world, &server, "/old").exits(0).json();
    let expected = format!(
        "{} (redirected from {})\n[to look for: the point of it]\n\n# Ferns\n\nThey are **green**; [more]({}).",
        server.url("/new/page"),
        server.url("/old"),
        server.url("/more?x=1"),
    );
    assert_eq!(text(&output), expected);
    assert_eq!(output["output"]["data"]["url"], server.url("/new/page"));
    assert_eq!(output["output"]["data"]["title"], "Ferns");
    let head = &server.heads()[0];
    assert!(head.contains("accept: text/markdown") && head.contains("user-agent: wardian/"), "{head}");
}

#[test]
fn what_is_no_page_comes_as_what_it_is() {
    let world = World::new();
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    png.resize(2_000_000, 7);
    let server = pages(vec![
        ("/data.json", response(200, "application/json", "{\"a\": [1, 2]}")),
        ("/latin", response(200, "text/plain; charset=iso-8859-1", b"gr\xfc\xdfe")),
        ("/pic", response(200, "image/png", &png)),
        ("/paper.pdf", response(200, "application/pdf", b"%PDF-1.7 and so on")),
        ("/film", response(200, "video/mp4", vec![0; 100_000])),
    ]);
    let json = fetch(&world, &server, "/data.json").exits(0).json();
    assert!(text(&json).ends_with("\n\n{\"a\": [1, 2]}"), "{json}");
    assert!(text(&fetch(&world, &server, "/latin").exits(0).json()).ends_with("\n\ngrüße"));
    let pic = fetch(&world, &server, "/pic").exits(0).json();
    assert!(text(&pic).ends_with("image/png, 2,000,000 bytes"), "{}", text(&pic));
    assert_eq!(pic["output"]["attachments"], json!([{"media_type": "image/png", "bytes": 2_000_000}]));
    let pdf = fetch(&world, &server, "/paper.pdf").exits(0).json();
    let path = pdf["output"]["data"]["path"].as_str().unwrap();
    assert!(path.starts_with("/tmp/web/127.0.0.1-paper-") && text(&pdf).contains(path), "{pdf}");
    assert_eq!(pdf["output"]["attachments"][0], json!({"path": path, "media_type": "application/pdf", "bytes": 18}));
    let film = fetch(&world, &server, "/film").exits(1).json();
    let message = film["error"]["message"].as_str().unwrap();
    assert!(message.contains("is video/mp4, 100,000 bytes, which cannot be shown"), "{message}");
    let missing = fetch(&world, &server, "/none").exits(1).json();
    let message = missing["error"]["message"].as_str().unwrap();
    assert_eq!(message, format!("{} answers with HTTP status 404: Nothing here", server.url("/none")));
}

#[test]
fn a_page_that_is_too_long_is_cut_and_kept_whole() {
    let world = World::new();
    let items: String = (0..20_000).map(|n| format!("<p>This is paragraph {n} of many.</p>")).collect();
    let server = pages(vec![("/long", response(200, "text/html", format!("<main>{items}</main>")))]);
    let turns = json!({"turns": [
        {"calls": [{"tool": "WebFetch", "input": {"url": server.url("/long")}}]},
        {"text": "That was it.", "expect": "all of it is in /tmp/web/"},
    ]});
    let model = world.scenario(&turns);
    world.wardian(&["run", "-m", &model, "--net", &format!("127.0.0.1:{}", server.port()), "Go."]).exits(0);
    let session = world.session();
    let events = session.events();
    let result = of(&events, "tool.result")[0];
    assert_eq!((&result["error"], &result["truncated"]), (&Value::Null, &json!(true)), "{result}");
    let shown = result["output"]["text"].as_str().unwrap();
    assert!(shown.len() < 101_000, "{}", shown.len());
    let data = result["output"]["data"].clone();
    let path = data["path"].as_str().unwrap_or_else(|| panic!("{data}"));
    assert!(shown.lines().last().unwrap().contains(path), "{path}");
    let kept = session.folder.join("tmp").join(path.strip_prefix("/tmp/").unwrap());
    let kept = std::fs::read_to_string(&kept).unwrap();
    assert!(kept.starts_with("This is paragraph 0 of many.") && kept.ends_with("This is paragraph 19999 of many."));
    // Nothing of it is a change of the project.
    assert_eq!(of(&events, "workspace.change").len(), 0);
    world.check(&session);
}

#[test]
fn no_page_breaks_the_tool() {
    let world = World::new();
    let deep =
        |open: &str, count: usize| response(200, "text/html", format!("<p>before</p>{}deep", open.repeat(count)));
    let server = pages(vec![
        ("/div", deep("<div>", 5_000)),
        ("/ul", deep("<ul><li>", 1_000)),
        ("/quote", deep("<blockquote>", 1_000)),
        ("/table", deep("<table><tr><td>", 1_000)),
        ("/b", deep("<b><a href=x>", 1_000)),
        ("/svg", deep("<svg><foreignObject>", 1_000)),
        ("/select", deep("<select><option>", 1_000)),
        ("/bytes", response(200, "text/html", (0..100_000_u32).map(|n| (n % 255 + 1) as u8).collect::<Vec<_>>())),
        // As a tree it is fifty times as large, and has more than can be shown.
        ("/dense", response(200, "text/html", "<b>x</b>".repeat(700_000))),
        ("/dense-list", response(200, "text/html", "<li><a href=x>y</a>".repeat(250_000))),
        ("/empty", response(200, "text/html", "")),
        (
            "/short",
            b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 10000\r\nconnection: close\r\n\r\n<p>cut"
                .to_vec(),
        ),
    ]);
    for path in ["/div", "/ul", "/quote", "/table", "/b"] {
        let output = fetch(&world, &server, path).exits(0).json();
        let text = text(&output);
        assert!(text.contains("before") && text.contains("deep"), "{path}: {}", &text[..text.len().min(500)]);
    }
    for path in ["/svg", "/select", "/bytes", "/empty", "/dense", "/dense-list"] {
        fetch(&world, &server, path).exits(0);
    }
    let short = fetch(&world, &server, "/short").exits(1).json();
    let message = short["error"]["message"].as_str().unwrap();
    assert!(message.starts_with(&format!("there is no answer from {}", server.url("/short"))), "{message}");
}

#[test]
fn a_host_that_is_not_allowed_is_not_asked() {
    let world = World::new();
    let server = pages(vec![("/", response(200, "text/html", "<p>secret"))]);
    let input = json!({"url": server.url("/")}).to_string();
    let done = world.wardian(&["call", "WebFetch", &input, "--net", "example.org", "--json"]).exits(3).json();
    let message = done["error"]["message"].as_str().unwrap();
    assert!(message.contains("net:127.0.0.1 is not permitted"), "{message}");
    assert_eq!(server.connections(), 0);
}

/// A service that wants a key, and finds the same for all.
fn service(bodies: Arc<Mutex<Vec<Value>>>) -> Server {
    let found = json!({"results": [
        {"title": "Ferns", "url": "https://plants.test/ferns", "content": "All about ferns.", "score": 0.9},
        {"title": "Moss", "url": "https://moss.test/", "content": "All about moss."},
    ]});
    let answer = move |head: &str, stream: &mut TcpStream| {
        let lower = head.to_ascii_lowercase();
        let length = lower.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body).unwrap();
        bodies.lock().unwrap().push(serde_json::from_slice(&body).unwrap_or_default());
        let has_key = head.contains(&format!("authorization: Bearer {KEY}\r\n"));
        let is_search = head.starts_with("POST /proxy/search HTTP/1.1\r\n");
        let response = match (is_search, has_key) {
            (false, _) => response(404, "application/json", "{}"),
            // As careless services do.
            (_, false) => response(401, "application/json", format!("{{\"detail\": \"{head:?} has no key {KEY}\"}}")),
            _ => response(200, "application/json", found.to_string()),
        };
        stream.write_all(&response).is_ok()
    };
    Server::new(answer)
}

fn search_settings(server: &Server, key: &str) -> String {
    format!("[search]\nservice = \"tavily\"\nbase_url = \"{}\"\nkey = \"{key}\"\n", server.url("/proxy"))
}

#[test]
fn a_search_is_sent_with_a_key_that_nobody_else_sees() {
    let world = World::new();
    let bodies = Arc::default();
    let server = service(Arc::clone(&bodies));
    world.settings(&search_settings(&server, KEY));
    let search = json!({"tool": "WebSearch", "input": {"query": "ferns", "blocked_domains": ["moss.test"]}});
    let turns =
        json!({"turns": [{"calls": [search]}, {"text": "That was it.", "expect": "https://plants.test/ferns"}]});
    let model = world.scenario(&turns);
    // Nobody is asked: who configures a service means it to be used.
    let done = world.wardian(&["run", "-m", &model, "Go."]).exits(0);
    assert!(!format!("{done:?}").contains(KEY));
    let session = world.session();
    let events = session.events();
    let result = of(&events, "tool.result")[0];
    assert_eq!(result["output"]["text"], "1. Ferns\n   https://plants.test/ferns\n   All about ferns.", "{result}");
    assert_eq!(bodies.lock().unwrap()[0]["exclude_domains"], json!(["moss.test"]));
    let request = of(&events, "net.request")[0];
    assert_eq!((&request["rule"], &request["status"]), (&json!("search (tavily)"), &json!(200)));
    world.check(&session);
    std::fs::remove_file(world.home().join("config.toml")).unwrap();
    assert_eq!(holders(world.folder()), Vec::<String>::new(), "the key is in files");
}

#[test]
fn a_key_that_is_not_accepted_is_not_repeated() {
    let world = World::new();
    let server = service(Arc::default());
    world.settings(&search_settings(&server, "another"));
    let done = world.wardian(&["call", "WebSearch", r#"{"query": "ferns"}"#, "--json"]).exits(1);
    let message = done.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("does not accept the key"), "{message}");
    assert!(!format!("{done:?}").contains(KEY) && !format!("{done:?}").contains("another"), "{done:?}");
}

/// Files that have the key in them.
fn holders(folder: &Path) -> Vec<String> {
    let mut holders = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        // Not the compiled components: they are shared, and older than the test.
        if path.is_dir() && !path.ends_with("cache") {
            holders.extend(self::holders(&path));
        } else if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            if bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes()) {
                holders.push(path.display().to_string());
            }
        }
    }
    holders
}

#[test]
fn without_a_key_there_is_no_search_and_it_is_said_how_to_get_one() {
    let world = World::new();
    let names = |done: &Done| -> Vec<String> {
        done.json().as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    };
    let done = world.wardian(&["tools", "--json"]).exits(0).says(&["WebSearch is not offered", "TAVILY_API_KEY"]);
    let without = names(&done);
    assert!(without.contains(&"WebFetch".to_owned()) && !without.contains(&"WebSearch".to_owned()), "{without:?}");
    world.wardian(&["call", "WebSearch", r#"{"query": "ferns"}"#]).exits(2).says(&["WebSearch", "BRAVE_API_KEY"]);

    let mut command = world.command(&["tools", "--json"]);
    command.env("BRAVE_API_KEY", KEY);
    let done = suites::process::Running::new(command).wait().exits(0);
    let tools = done.json();
    let search = tools.as_array().unwrap().iter().find(|tool| tool["name"] == "WebSearch").unwrap().clone();
    assert_eq!(search["powers"], "net:api.search.brave.com");
    assert!(!format!("{done:?}").contains(KEY));

    world.file("wardian.toml", "[search]\nservice = \"tavily\"\nbase_url = \"https://elsewhere.test\"\n");
    world.wardian(&["tools"]).exits(2).says(&["`search` would widen"]);
}
