//! Models over the network: each protocol against a server that is as strict as the real one.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use suites::journal::of;
use suites::models::{Answer, KEY, Protocol, Reply, Server, Shape};
use suites::process::{Done, Running, until};
use suites::world::{Session, World};

/// A pixel.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\x0f\0\0\x01\x01\0\x05\x18\xd8N\0\0\0\0IEND\xaeB`\x82";

const TEXT: &str = "Zwölf Boxkämpfer jagen 世界 🌍 über den Deich. ";

/// How long a request may go on after its run was cancelled.
const CLOSED_WITHIN: Duration = Duration::from_millis(100);

fn start(world: &World, server: &Server, protocol: Protocol, arguments: &[&str]) -> Running {
    start_with_key(world, server, protocol, KEY, arguments)
}

fn start_with_key(world: &World, server: &Server, protocol: Protocol, key: &str, arguments: &[&str]) -> Running {
    let mut all = vec!["run", "-m", protocol.model()];
    all.extend(arguments);
    let mut command = world.command(&all);
    let (url, variable) = protocol.variables();
    command.env(url, server.base_url()).env(variable, key);
    Running::new(command)
}

fn run(world: &World, server: &Server, protocol: Protocol, arguments: &[&str]) -> Done {
    start(world, server, protocol, arguments).wait()
}

fn only(world: &World) -> Session {
    let sessions = world.sessions();
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    sessions.into_iter().next().unwrap()
}

/// Nothing that a run leaves behind, or says, has the key in it.
fn keeps_the_key(world: &World, done: &Done) {
    fn search(folder: &Path) {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            // The cache of compiled code is shared by all tests, and written before there is a key.
            if path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                search(&path);
            } else {
                let bytes = fs::read(&path).unwrap();
                let found = bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes());
                assert!(!found, "the key is in {}", path.display());
            }
        }
    }
    search(world.folder());
    assert!(!done.stdout.contains(KEY) && !done.stderr.contains(KEY), "{done}");
}

fn work() -> Vec<Answer> {
    let look = Reply::text("I look around. ")
        .thinking("Where to begin?")
        .call("Read", json!({"file_path": "notes.txt"}))
        .call("Glob", json!({"pattern": "*.txt"}))
        .call("Read", json!({"file_path": "missing.txt"}));
    vec![look.into(), Reply::text(TEXT).thinking("That was easy.").into()]
}

#[test]
fn tools_and_text_over_every_protocol() {
    for protocol in Protocol::ALL {
        let world = World::new();
        world.file("notes.txt", "Grüße aus der Datei\n");
        let server = Server::start(protocol, work());
        let done = run(&world, &server, protocol, &["What is here?"]).exits(0).prints(&["I look around.", TEXT.trim()]);
        assert!(done.stderr.contains("2 requests · 200 tokens in (120 from the cache) · 40 out"), "{done}");
        let seen = server.took(2);
        assert!(seen[1].body.to_string().contains("Grüße aus der Datei"), "{:#}", seen[1].body);
        keeps_the_key(&world, &done);
        drop(server);

        // The journal has it all, and a replay needs neither key nor network.
        let session = only(&world);
        let events = session.events();
        let responses = of(&events, "model.response");
        assert_eq!(responses[0]["usage"], json!({"input_tokens": 100, "cached_tokens": 60, "output_tokens": 20}));
        assert_eq!(responses[0]["tool_calls"].as_array().unwrap().len(), 3);
        let has_state = responses[0]["state"].as_str().is_some_and(|state| !state.is_empty());
        assert!(has_state, "{protocol:?} keeps its reasoning: {}", responses[0]);
        assert_eq!(of(&events, "session.start")[0]["model"], protocol.model());
        world.check(&session);
    }
}

#[test]
fn a_conversation_goes_on_with_its_reasoning_and_with_another_model() {
    let world = World::new();
    world.file("notes.txt", "x\n");
    for (number, protocol) in Protocol::ALL.into_iter().chain(Protocol::ALL).enumerate() {
        let server = Server::start(protocol, work());
        let arguments: &[&str] = if number == 0 { &["Go."] } else { &["--continue", "Go on."] };
        run(&world, &server, protocol, arguments).exits(0);
        server.took(2);
    }
    world.check(&only(&world));
    // The same model takes its own reasoning back in the next run.
    let world = World::new();
    let server = Server::start(Protocol::Anthropic, work().into_iter().chain(work()));
    run(&world, &server, Protocol::Anthropic, &["Go."]).exits(0);
    run(&world, &server, Protocol::Anthropic, &["--continue", "Go on."]).exits(0);
    let seen = server.took(4);
    assert!(seen[2].body.to_string().contains("That was easy."), "{:#}", seen[2].body);
}

#[test]
fn every_shape_of_an_answer_is_the_same_answer() {
    let shapes = [
        Shape { piece_bytes: 1, ..Shape::default() },
        Shape { piece_bytes: 7, crlf: true, ..Shape::default() },
        Shape { comments: true, piece_bytes: 3, ..Shape::default() },
        Shape { done: false, ..Shape::default() },
        Shape { document: true, ..Shape::default() },
    ];
    for protocol in Protocol::ALL {
        for shape in &shapes {
            let world = World::new();
            let answer = |reply: &Reply| Answer::Reply(reply.clone(), shape.clone());
            let call = Reply::text("Hm. ").call("Glob", json!({"pattern": "*.ü"}));
            let server = Server::start(protocol, [answer(&call), answer(&Reply::text(TEXT))]);
            let done = run(&world, &server, protocol, &["Go."]).exits(0);
            assert!(done.stdout.contains(TEXT.trim()), "{protocol:?} {shape:?}\n{done}");
            server.took(2);
            let events = only(&world).events();
            assert_eq!(of(&events, "tool.use")[0]["input"], json!({"pattern": "*.ü"}), "{protocol:?} {shape:?}");
        }
    }
}

#[test]
fn images_reach_the_model() {
    for protocol in Protocol::ALL {
        let world = World::new();
        fs::write(world.project().join("dot.png"), PNG).unwrap();
        let read = Reply::default().call("Read", json!({"file_path": "dot.png"}));
        let server = Server::start(protocol, [read, Reply::text("A dot.")]);
        run(&world, &server, protocol, &["What is in dot.png?"]).exits(0);
        let seen = server.took(2);
        assert!(seen[1].body.to_string().contains("iVBORw0KGgo"), "{protocol:?}: {:#}", seen[1].body);
    }
}

#[test]
fn text_shows_as_it_arrives() {
    for protocol in Protocol::ALL {
        let world = World::new();
        let slow = Shape { piece_bytes: 200, pause: Duration::from_millis(150), ..Shape::default() };
        let reply = Reply::text("first second third fourth fifth sixth seventh eighth ninth last");
        let server = Server::start(protocol, [Answer::Reply(reply, slow)]);
        let running = start(&world, &server, protocol, &["Go."]);
        let out = until("the first words", || Some(running.stdout()).filter(|out| out.contains("first")));
        assert!(!out.contains("last"), "{protocol:?}: all at once: {out}");
        running.wait().exits(0).prints(&["eighth ninth last"]);
    }
}

#[test]
fn an_interrupt_closes_the_connection_at_once() {
    for protocol in Protocol::ALL {
        let world = World::new();
        let hang = Shape { cut_after: Some("first"), hang: true, ..Shape::default() };
        let server = Server::start(protocol, [Answer::Reply(Reply::text("first second third"), hang)]);
        let mut running = start(&world, &server, protocol, &["Go."]);
        until("the first word", || running.stdout().contains("first").then_some(()));
        running.signal(Signal::INT);
        let since = Instant::now();
        let left = until("the server to see it", || server.left().first().copied());
        let took = left.saturating_duration_since(since);
        running.wait().exits(130).says(&["cancelled"]);
        assert!(took < CLOSED_WITHIN, "{protocol:?}: {took:?}");
        let session = only(&world);
        let events = session.events();
        assert_eq!(of(&events, "model.response")[0]["error"]["kind"], "cancelled");
        assert_eq!(of(&events, "model.response")[0]["text"], "first ");
        world.check(&session);
    }
}

#[test]
fn what_may_pass_is_tried_again_and_said_so() {
    for protocol in Protocol::ALL {
        let world = World::new();
        let limited = json!({"error": {"message": "Slow down.", "type": "rate_limit_error"}}).to_string();
        let answers = [
            Answer::Status(429, vec![("retry-after", "0.2".to_owned())], limited),
            Answer::Status(500, vec![], "<html>oops</html>".to_owned()),
            Answer::Reply(Reply::text("Half an answer"), Shape { cut_after: Some("Half"), ..Shape::default() }),
            Reply::text("Here it is.").into(),
        ];
        let server = Server::start(protocol, answers);
        let done = run(&world, &server, protocol, &["Go."]).exits(0).prints(&["Here it is."]).says(&[
            "the provider limits the rate: Slow down. (HTTP status 429); trying again in 0.2 s",
            "the provider is overloaded: HTTP status 500; trying again in",
            "the connection to the provider broke",
        ]);
        assert!(done.stderr.contains("4 requests"), "{done}");
        server.took(4);
        let session = only(&world);
        let events = session.events();
        let kinds: Vec<_> = of(&events, "model.response").iter().map(|event| event["error"]["kind"].clone()).collect();
        assert_eq!(kinds, [json!("rate-limited"), json!("overloaded"), json!("network-reset"), Value::Null]);
        assert_eq!(of(&events, "model.response")[0]["error"]["at"], 200);
        world.check(&session);
    }
}

/// Runs into this answer, without further tries.
fn fails(protocol: Protocol, answer: Answer, kind: &str, words: &[&str]) {
    let world = World::new();
    world.settings("[session]\nretries_max = 0\n");
    let server = Server::start(protocol, [answer]);
    run(&world, &server, protocol, &["Go."]).exits(1).says(words);
    server.took(1);
    let session = only(&world);
    assert_eq!(of(&session.events(), "model.response")[0]["error"]["kind"], kind);
    world.check(&session);
}

#[test]
fn what_a_server_must_not_send() {
    for protocol in Protocol::ALL {
        let status = |status, body: &str| Answer::Status(status, vec![], body.to_owned());
        fails(protocol, Answer::Stream("data: {\"broken\n\n".into()), "protocol", &["broke its protocol", "{\"broken"]);
        fails(protocol, status(200, "{}"), "protocol", &["broke its protocol"]);
        let html = Answer::Status(200, vec![("content-type", "text/html".to_owned())], "<html>".to_owned());
        fails(protocol, html, "protocol", &["is the base URL right?"]);
        let huge = format!("data: {}\n\n", "x".repeat(9 << 20));
        fails(protocol, Answer::Stream(huge), "protocol", &["an event has more than 8388608 bytes"]);
        fails(protocol, Answer::Stream(": nothing\n\n".into()), "network-reset", &["broke off"]);
        let quota = r#"{"error": {"message": "No credit.", "code": "insufficient_quota"}}"#;
        fails(protocol, status(429, quota), "quota", &["nothing left to spend: No credit."]);
        let long = r#"{"error": {"message": "Too many tokens.", "code": "context_length_exceeded"}}"#;
        fails(protocol, status(400, long), "invalid-request", &["rejected the request: Too many tokens."]);
    }
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    for protocol in Protocol::ALL {
        let world = World::new();
        let name = protocol.model().split_once('/').unwrap().0;
        world.settings(&format!("[session]\nretries_max = 0\n[models.{name}]\nsilence_seconds_max = 1\n"));
        let hang = Shape { cut_after: Some("first"), hang: true, ..Shape::default() };
        let server = Server::start(protocol, [Answer::Reply(Reply::text("first second"), hang)]);
        let done = run(&world, &server, protocol, &["Go."]).exits(1).says(&["did not answer in time"]);
        assert!(done.took < Duration::from_secs(20), "{done}");
        assert_eq!(of(&only(&world).events(), "model.response")[0]["error"]["kind"], "network-timeout");
    }
}

#[test]
fn signs_of_life_alone_are_given_up_too() {
    let world = World::new();
    world.settings("[session]\nretries_max = 0\n[models.chat]\nsilence_seconds_max = 1\n");
    // One event that takes a minute and more to arrive.
    let shape = Shape { piece_bytes: 5, pause: Duration::from_millis(100), ..Shape::default() };
    let slow = Answer::Reply(Reply::text("x".repeat(4000).as_str()), shape);
    let server = Server::start(Protocol::Chat, [slow]);
    run(&world, &server, Protocol::Chat, &["Go."]).exits(1).says(&["did not answer in time", "silence_seconds_max"]);
}

#[test]
fn a_wrong_key_is_said_once_and_not_repeated() {
    for protocol in Protocol::ALL {
        let world = World::new();
        let server = Server::start(protocol, [Reply::text("never")]);
        let wrong = format!("{KEY}-wrong");
        let done = start_with_key(&world, &server, protocol, &wrong, &["Go."]).wait().exits(1);
        let done = done.says(&["the provider rejected the key: Incorrect API key provided: …"]);
        assert_eq!(server.seen().len(), 1, "no further try");
        keeps_the_key(&world, &done);
        assert_eq!(of(&only(&world).events(), "model.response")[0]["error"]["kind"], "auth");
    }
}

#[test]
fn where_nobody_listens() {
    let world = World::new();
    world.settings("[session]\nretries_max = 0\n");
    let server = Server::start(Protocol::Chat, Vec::<Answer>::new());
    let base_url = server.base_url();
    drop(server);
    let mut command = world.command(&["run", "-m", "chat/x", "Go."]);
    command.env("CHAT_BASE_URL", base_url);
    Running::new(command).wait().exits(1).says(&["the provider could not be reached"]);
}

#[test]
fn what_is_missing_is_said_before_a_session_begins() {
    let world = World::new();
    for (model, words) in
        [("openai/x", "OPENAI_API_KEY"), ("anthropic/x", "ANTHROPIC_API_KEY"), ("chat/x", "CHAT_BASE_URL")]
    {
        world.wardian(&["run", "-m", model, "Go."]).exits(2).says(&[words]);
    }
    world.wardian(&["run", "-m", "gpt", "Go."]).exits(2).says(&["there is no model", "anthropic/NAME"]);
    assert!(world.sessions().is_empty());
    world.file("wardian.toml", "[models.openai]\nbase_url = \"http://127.0.0.1:9\"\n");
    world.wardian(&["run", "-m", "openai/x", "Go."]).exits(2).says(&["wardian.toml", "`models` would widen"]);
}

#[test]
fn settings_options_and_prices() {
    let world = World::new();
    let server = Server::start(Protocol::Chat, [Reply::text("Hi.")]);
    world.settings(&format!(
        "model = \"chat/test:7b\"\n[models.chat]\nbase_url = \"{}\"\nkey = \"{KEY}\"\noptions = {{ temperature = 0.5 }}\n\
         [prices.\"chat/test:7b\"]\ninput = 10\ncached = 1\noutput = 100\n",
        server.base_url()
    ));
    let ended = world.wardian(&["run", "--json", "Go."]).exits(0).json_lines().pop().unwrap();
    assert_eq!(server.took(1)[0].body["temperature"], 0.5);
    // 40 fresh, 60 cached and 20 written tokens.
    assert_eq!(ended["usage"]["cached_tokens"], 60);
    assert!((ended["usage"]["cost_usd"].as_f64().unwrap() - 0.00246).abs() < 1e-9, "{ended}");
    let server = Server::start(Protocol::Chat, [Reply::text("Hi.")]);
    let mut command = world.command(&["run", "Go."]);
    command.env("CHAT_BASE_URL", server.base_url());
    Running::new(command).wait().exits(0).says(&["1 request · 100 tokens in (60 from the cache) · 20 out · $0.0025"]);
    let doctor = world.wardian(&["doctor"]).exits(0);
    assert!(doctor.stdout.contains("chat/NAME at http://127.0.0.1:") && !doctor.stdout.contains(KEY), "{doctor}");
}

#[test]
fn a_long_conversation_is_summarized() {
    for protocol in Protocol::ALL {
        let world = World::new();
        world.settings("[session]\ncontext_bytes_max = 3000\n");
        world.file("long.txt", &"words ".repeat(800));
        let read = || Reply::text("I read. ").thinking("Hm.").call("Read", json!({"file_path": "long.txt"}));
        let server = Server::start(protocol, [read(), read(), Reply::text("A summary."), Reply::text("Done.")]);
        let done = run(&world, &server, protocol, &["Go."]).exits(0).prints(&["Done."]);
        assert!(done.stderr.contains("summarizing"), "{done}");
        server.took(4);
        world.check(&only(&world));
    }
}
