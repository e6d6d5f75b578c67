//! The network in sessions: flags, questions, the journal, and secrets that stay where they are.

use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};
use suites::dist::guests;
use suites::journal::of;
use suites::net::{Server, ok, redirect};
use suites::world::World;

fn call(world: &World, input: &Value, more: &[&str]) -> suites::process::Done {
    let (input, guests) = (input.to_string(), guests());
    world.wardian(&[&["call", "Fetch", &input, "--component", &guests, "--json"], more].concat())
}

/// A run that calls `Fetch` on this URL.
fn model(world: &World, url: &str) -> String {
    let fetch = json!({"tool": "Fetch", "input": {"url": url}});
    world.scenario(&json!({"turns": [{ "calls": [fetch] }, {"text": "That was it."}]}))
}

#[test]
fn a_call_by_hand_reaches_what_net_names_and_nothing_else() {
    let world = World::new();
    let server = Server::says(ok("hello"));
    let input = json!({"url": server.url("/")});
    let done = call(&world, &input, &[]).exits(3);
    let message = done.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("the power `net`") && message.contains("--net HOST"), "{message}");
    let port = server.port().to_string();
    let done = call(&world, &input, &["--net", &format!("127.0.0.1:{port}")]).exits(0);
    assert_eq!(done.json()["output"]["data"]["body"], "hello");
    // Any public host is not this one; and the error says what would do.
    for net in ["*", "example.org", "127.0.0.1", "localhost"] {
        let done = call(&world, &input, &["--net", net]).exits(1);
        let message = done.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("not sent: GET") && message.contains("--net 127.0.0.1"), "{message}");
    }
    assert_eq!(server.connections(), 1);
    call(&world, &input, &["--net", "a b"]).exits(2).says(&["--net a b"]);
    call(&world, &input, &["--net", "host:99999"]).exits(2).says(&["--net host:99999"]);
}

#[test]
fn each_request_is_in_the_journal_with_the_rule_that_decided() {
    let world = World::new();
    let server = Server::new(|head, stream| {
        let response = if head.starts_with("GET /there") { ok("there") } else { redirect("/there?token=SECRET") };
        stream.write_all(response.as_bytes()).is_ok()
    });
    let model = model(&world, &server.url("/?key=SECRET"));
    world.settings(&format!("[[net.rule]]\nverdict = \"allow\"\nhost = \"127.0.0.1\"\nport = {}\n", server.port()));
    world.wardian(&["run", "-m", &model, "--component", &guests(), "Go."]).exits(0);
    let session = world.session();
    let events = session.events();
    let requests = of(&events, "net.request");
    assert_eq!(requests.len(), 2);
    for (request, (path, status)) in requests.iter().zip([("/?key=…", 302), ("/there?token=…", 200)]) {
        assert_eq!(request["url"], server.url(path));
        assert_eq!((&request["status"], &request["method"]), (&json!(status), &json!("GET")));
        assert_eq!(
            (&request["decision"], &request["rule"]),
            (&json!("allow"), &json!("config.toml: net.rule 1 (127.0.0.1)"))
        );
        assert_eq!(request["id"], of(&events, "tool.use")[0]["id"]);
        assert_eq!(request["component"], of(&events, "tool.use")[0]["component"]);
        assert_eq!(request["error"], Value::Null);
    }
    assert_eq!(requests[1]["bytes_in"], 5);
    world.wardian(&["log"]).exits(0).prints(&["net.request", "allow by config.toml: net.rule 1", "200", "5 bytes"]);
    world.check(&session);
}

#[test]
fn without_anybody_to_ask_a_host_that_no_rule_names_is_refused() {
    let world = World::new();
    let model = model(&world, "http://unlisted.example/");
    world.wardian(&["run", "-m", &model, "--component", &guests(), "Go."]).exits(0);
    let events = world.session().events();
    let net = |kind: &str| of(&events, kind).into_iter().find(|event| event["net"].is_string()).unwrap().clone();
    let ask = net("permission.ask");
    assert_eq!((&ask["net"], &ask["powers"]), (&json!("unlisted.example"), &json!(["net:unlisted.example"])));
    assert_eq!(ask["summary"], "GET http://unlisted.example/");
    let answer = net("permission.answer");
    assert_eq!((&answer["allowed"], &answer["by"]), (&json!(false), &json!("mode")));
    assert_eq!(of(&events, "net.request")[0]["decision"], "deny");
    let message = of(&events, "tool.result")[0]["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("not sent: GET http://unlisted.example/"), "{message}");
    world.check(&world.session());
}

#[cfg(unix)]
#[test]
fn the_user_is_asked_about_method_and_host() {
    use suites::terminal::Terminal;
    let world = World::new();
    let server = Server::says(ok("hello"));
    let fetch = |path: &str| json!({"tool": "Fetch", "input": {"url": server.url(path)}});
    let turns = json!({"turns": [
        {"calls": [fetch("/1")]}, {"calls": [fetch("/2")]}, {"calls": [fetch("/3")]}, {"text": "That was it."},
    ]});
    let model = world.scenario(&turns);
    // An address of loopback is asked about only where a rule says so.
    world.settings("[[net.rule]]\nverdict = \"ask\"\nhost = \"127.0.0.1\"\nport = \"*\"\n");
    let arguments = ["run", "-m", &model, "--component", &guests(), "Go."];
    let mut terminal = Terminal::new(world.command(&arguments));
    terminal.sees(&format!("Fetch wants to: GET {}", server.url("/1")));
    terminal.sees("Allow?");
    terminal.types("n\n");
    terminal.sees(&format!("Fetch wants to: GET {}", server.url("/2")));
    terminal.sees("Allow?");
    terminal.types("a\n");
    terminal.sees("That was it.");
    let (code, screen) = terminal.ends();
    assert_eq!(code, Some(0), "{screen}");
    assert_eq!(server.heads().len(), 2, "the third was allowed with the second");
    let events = world.session().events();
    let answers: Vec<_> = of(&events, "permission.answer")
        .iter()
        .filter(|event| event["net"].is_string())
        .map(|event| (event["allowed"] == true, event["scope"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(answers, [(false, "once".to_owned()), (true, "session".to_owned()), (true, "session".to_owned())]);
    world.check(&world.session());
}

#[test]
fn a_project_cannot_open_the_network() {
    let world = World::new();
    for text in [
        "[[net.rule]]\nverdict = \"allow\"\nhost = \"*\"\n",
        "[[net.rule]]\nverdict = \"ask\"\nhost = \"a.example\"\nnetworks = [\"10.0.0.0/8\"]\n",
        "[[net.credential]]\nurl = \"https://a.example\"\nheader = \"h\"\nvalue = \"v\"\n",
    ] {
        world.file("wardian.toml", text);
        world.wardian(&["tools"]).exits(2).says(&["would widen"]);
    }
    let server = Server::says(ok("hello"));
    world.file("wardian.toml", "[[net.rule]]\nverdict = \"deny\"\nhost = \"127.0.0.1\"\nport = \"*\"\n");
    let net = format!("127.0.0.1:{}", server.port());
    let done = call(&world, &json!({"url": server.url("/")}), &["--net", &net]).exits(1);
    assert!(done.stdout.contains("wardian.toml: net.rule 1 (127.0.0.1)"), "{done}");
    assert_eq!(server.connections(), 0);
}

/// Every file below a folder that has the text in it.
fn files_with(folder: &Path, text: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files_with(&path, text, found);
        } else if std::fs::read(&path).is_ok_and(|bytes| bytes.windows(text.len()).any(|at| at == text.as_bytes())) {
            found.push(path.display().to_string());
        }
    }
}

#[test]
fn a_key_is_nowhere_in_what_a_run_leaves_behind() {
    const KEY: &str = "sk-live-7f3a9c";
    // A project of its own in a home without the shared cache.
    let world = World::new();
    let server = Server::new(|head, stream| {
        let response = match head.split(' ').nth(1).unwrap_or_default() {
            "/broken" => "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx".to_owned(),
            "/away" => redirect("http://127.0.0.1:1/"),
            _ => ok("fine"),
        };
        // The broken one breaks off.
        stream.write_all(response.as_bytes()).is_ok() && !response.ends_with("\r\n\r\nx")
    });
    world.settings(&format!(
        "[[net.rule]]\nverdict = \"allow\"\nhost = \"127.0.0.1\"\nport = \"*\"\n\
         [[net.credential]]\nurl = \"{}\"\nheader = \"Authorization\"\nenv = \"THE_KEY\"\nprefix = \"Bearer \"\n",
        server.url("/")
    ));
    let fetch = |path: &str| json!({"tool": "Fetch", "input": {"url": server.url(path)}});
    let calls = json!([fetch("/"), fetch("/broken"), fetch("/away"), {"tool": "Env", "input": {}}]);
    let model = world.scenario(&json!({"turns": [{ "calls": calls }, {"text": "That was it."}]}));
    let mut command = world.command(&["run", "-m", &model, "--component", &guests(), "--json", "Go."]);
    command.env("THE_KEY", KEY);
    let done = suites::process::Running::new(command).wait().exits(0);
    let sent = server.heads().iter().filter(|head| head.contains(KEY)).count();
    assert_eq!(sent, server.heads().len(), "the server did get it");
    assert!(sent >= 3 && !done.stdout.contains(KEY) && !done.stderr.contains(KEY), "{done}");
    let mut found = Vec::new();
    let session = world.session();
    files_with(&session.folder, KEY, &mut found);
    files_with(&world.project(), KEY, &mut found);
    assert_eq!(found, Vec::<String>::new());
    world.check(&session);
}
