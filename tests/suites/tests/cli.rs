//! The command line's contract: exit statuses, streams, JSON, settings.

use std::fs;

use serde_json::{Value, json};
use suites::dist::{self, guests};
use suites::journal::sha256;
use suites::process::Running;
use suites::world::World;

fn says_hello(world: &World) -> String {
    world.scenario(&json!({"turns": [{"text": "Hello."}]}))
}

#[test]
fn version_and_help() {
    let world = World::cold();
    let version = world.wardian(&["--version"]).exits(0);
    assert!(version.stdout.starts_with("wardian ") && version.stdout.lines().count() == 1, "{version}");
    world.wardian(&["--help"]).exits(0).prints(&["Example:", "replay"]);
    let commands = ["run", "sessions", "log", "replay", "tools", "call", "compose", "inspect", "doctor"];
    for command in commands {
        world.wardian(&[command, "--help"]).exits(0).prints(&["Example: wardian"]);
    }
    assert_eq!(fs::read_dir(world.home()).unwrap().count(), 0, "help leaves nothing behind");
}

#[test]
fn mistakes_in_the_command_line_are_usage_errors() {
    let world = World::new();
    let model = says_hello(&world);
    let run = |arguments: &[&str]| world.wardian(&[&["run", "-m", &model], arguments].concat());
    run(&["--no-such-flag", "x"]).exits(2).says(&["--no-such-flag"]);
    run(&["--approve", "perhaps", "x"]).exits(2).says(&["perhaps"]);
    run(&["--max-steps", "many", "x"]).exits(2).says(&["many"]);
    run(&["--max-steps", "0", "x"]).exits(2).says(&["--max-steps must be at least 1"]);
    run(&["--session", "a", "--continue", "x"]).exits(2).says(&["cannot be used with"]);
    run(&[]).exits(2).says(&["there is no task", "hint:"]);
    run(&[""]).exits(2).says(&["the task is empty"]);
    run(&[" \n"]).exits(2).says(&["the task is empty"]);
    world.wardian_with("", &["run", "-m", &model, "-"]).exits(2).says(&["the task is empty"]);
    run(&["-C", "no/such/folder", "x"]).exits(2).says(&["no/such/folder"]);
    world.file("file.txt", "");
    run(&["-C", "file.txt", "x"]).exits(2).says(&["file.txt", "not a folder"]);
    world.wardian(&["frobnicate"]).exits(2).says(&["frobnicate"]);
    assert!(world.sessions().is_empty(), "a mistake begins no session");
}

#[test]
fn unknown_models_are_named() {
    let world = World::new();
    let run = |model: &str| world.wardian(&["run", "-m", model, "x"]);
    run("gpt-17").exits(2).says(&["no model \"gpt-17\"", "hint:"]);
    run("script:missing.json").exits(2).says(&["missing.json"]);
    run("script:.").exits(2);
    let sessions = world.sessions();
    assert!(sessions.is_empty(), "a mistake begins no session: {sessions:?}");
}

#[test]
fn settings_are_checked_by_the_line() {
    let world = World::new();
    let model = says_hello(&world);
    let run = || world.wardian(&["run", "-m", &model, "x"]);
    world.file("wardian.toml", "approve = \"reads\"\n\n[budget]\nsteps = 3\n");
    run().exits(2).says(&["wardian.toml:4:", "steps"]);
    world.file("wardian.toml", "approve = \"sometimes\"\n");
    run().exits(2).says(&["wardian.toml:1:"]);
    world.file("wardian.toml", "approve = \n");
    run().exits(2).says(&["wardian.toml:1:"]);
    world.file("wardian.toml", "");
    world.settings("[limits]\n\nmemory = 3\n");
    run().exits(2).says(&["config.toml:3:", "memory"]);
    let doctor = world.wardian(&["doctor", "--json"]).exits(1).json();
    assert_eq!(doctor["ok"], false);
    world.settings("");
    run().exits(0);
}

#[test]
fn a_project_may_not_widen_what_its_agent_may_do() {
    let world = World::new();
    let model = says_hello(&world);
    let run = || world.wardian(&["run", "-m", &model, "x"]);
    world.file("wardian.toml", "[[rule]]\nverdict = \"allow\"\ntool = \"*\"\n");
    run().exits(2).says(&["wardian.toml", "an allow rule would widen", "config.toml"]);
    world.file("wardian.toml", "components = [\"evil.wasm\"]\n");
    run().exits(2).says(&["`components` would widen"]);
    // What the user wrote is the user's to write.
    world.file("wardian.toml", "");
    world.settings(&format!(
        "components = [{:?}]\napprove = \"none\"\n[[rule]]\nverdict = \"allow\"\ntool = \"Glob\"\n",
        guests()
    ));
    let glob = json!({"tool": "Glob", "input": {"pattern": "*"}});
    let echo = json!({"tool": "Echo", "input": {"text": "heard"}});
    let model = world.scenario(&json!({"turns": [{"calls": [glob, echo]}, {"expect": "heard", "text": "Both."}]}));
    world.wardian(&["run", "-m", &model, "x"]).exits(0);
    let events = world.session().events();
    let answer = suites::journal::of(&events, "permission.answer")[0];
    assert_eq!((&answer["allowed"], &answer["by"]), (&json!(true), &json!("rule")));
}

#[test]
fn a_project_around_the_state_is_refused() {
    let world = World::new();
    let model = says_hello(&world);
    world.wardian(&["run", "-m", &model, "-C", "..", "x"]).exits(2).says(&["Wardian's own state"]);
}

#[test]
fn tools_in_two_components_are_refused() {
    let world = World::new();
    let model = says_hello(&world);
    let guests = guests();
    let run = ["run", "-m", &model, "--component", &guests, "--component", &guests, "x"];
    world.wardian(&run).exits(2).says(&["is in two components"]);
    world.file("tool.wasm", "this is no component");
    world.wardian(&["tools", "--component", "tool.wasm"]).exits(2).says(&["tool.wasm is no component"]);
    world.wardian(&["tools", "--component", "missing.wasm"]).exits(2).says(&["missing.wasm"]);
}

#[test]
fn tools_are_listed_with_schema_and_powers() {
    let world = World::new();
    let tools = world.wardian(&["tools", "--json", "--component", &guests()]).exits(0).json();
    let tools = tools.as_array().unwrap();
    for tool in tools {
        let schema = &tool["input_schema"];
        assert_eq!(schema["type"], "object", "{tool}");
        assert_eq!(schema["additionalProperties"], false, "{tool}");
        let required = schema["required"].as_array().into_iter().flatten();
        for name in required.filter_map(Value::as_str) {
            assert!(schema["properties"].get(name).is_some(), "{tool} requires {name} and does not say what it is");
        }
        assert!(!tool["description"].as_str().unwrap().is_empty(), "{tool}");
        assert_eq!(tool["digest"].as_str().unwrap().len(), 64, "{tool}");
    }
    let powers = |name: &str| &tools.iter().find(|tool| tool["name"] == name).unwrap()["powers"];
    assert_eq!(
        (powers("Read"), powers("Write"), powers("Echo")),
        (&json!("files:read"), &json!("files:write"), &json!("none"))
    );
    world.wardian(&["tools"]).exits(0).prints(&["MultiEdit", "files:write"]);
}

#[test]
fn call_tells_outcomes_apart_by_exit_status() {
    let world = World::new();
    world.file("a.txt", "one line\n");
    let call = |tool: &str, input: &str| world.wardian(&["call", tool, input]);
    call("Read", r#"{"file_path": "a.txt"}"#).exits(0).prints(&["one line"]);
    call("Read", r#"{"file_path": "b.txt"}"#).exits(1).says(&["b.txt"]);
    call("Raed", "{}").exits(2).says(&["no tool \"Raed\"", "Read"]);
    call("Read", "{").exits(2).says(&["no JSON"]);
    call("Read", r#"{"file_path": 3}"#).exits(2).says(&["/file_path", "hint:"]);
    call("Read", r#"{"file_path": "../x"}"#).exits(2).says(&["/file_path"]);
    assert!(world.sessions().is_empty());
    call("Write", r#"{"file_path": ".env", "content": ""}"#).exits(3).says(&["not permitted"]);
    assert!(world.sessions().is_empty());
    call("Write", r#"{"file_path": "b.txt", "content": ""}"#).exits(0);
    assert_eq!(world.sessions().len(), 1, "what was changed is kept");
}

#[test]
fn a_call_in_a_session_is_on_record() {
    let world = World::new();
    let model = says_hello(&world);
    world.wardian(&["run", "-m", &model, "Hello?"]).exits(0);
    let session = world.session();
    world.wardian(&["call", "Glob", r#"{"pattern": "*"}"#, "--session", &session.id]).exits(0);
    let events = session.events();
    let results = suites::journal::of(&events, "tool.result");
    assert_eq!(results.len(), 1);
    assert_eq!(results[0]["tool"], "Glob");
    suites::journal::check_chain(&session.journal());
    world.wardian(&["log", &session.id, "--verify"]).exits(0);
    world.wardian(&["run", "-m", &model, "--continue", "Hello again?"]).exits(0);
    world.check(&session);
}

#[test]
fn inspect_shows_powers_and_digest() {
    let world = World::new();
    let agent = world.wardian(&["inspect", "agent", "--json"]).exits(0).json();
    let file = fs::read(dist::built("bundles/default/agent.wasm")).unwrap();
    assert_eq!(agent["digest"], sha256(&file));
    assert_eq!(agent["bytes"], file.len());
    let names = |list: &str| -> Vec<String> {
        agent[list].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let imports = names("imports");
    assert!(imports.iter().any(|import| import.starts_with("wardian:host/sandbox@")), "{imports:?}");
    for power in ["wasi:sockets", "wasi:http"] {
        assert!(!imports.iter().any(|import| import.starts_with(power)), "an agent has no {power}: {imports:?}");
    }
    assert!(names("exports").iter().any(|export| export.starts_with("wardian:agent/agent@")));
    let chat = world.wardian(&["inspect", "agent-provider-chat"]).exits(0).prints(&["wasi:http/outgoing-handler@"]);
    assert!(!chat.stdout.contains("wasi:sockets"), "{chat}");
    world.wardian(&["inspect", "tool-files"]).exits(0).prints(&["wasi:filesystem", "wardian:tool/tools@"]);
    world.wardian(&["inspect", "missing.wasm"]).exits(2).says(&["missing.wasm"]);
    world.file("text.wasm", "no component");
    world.wardian(&["inspect", "text.wasm"]).exits(2).says(&["is no component"]);
}

#[test]
fn compose_comes_to_the_same_agent() {
    let world = World::cold();
    let part = |name: &str, file: &str| {
        format!("wardian:{name}={}", dist::built(&format!("components/{file}.wasm")).display())
    };
    let source = dist::root().join("bundles/default/agent.wac").display().to_string();
    let parts = [
        part("provider", "provider_script"),
        part("workspace", "workspace"),
        part("session", "session"),
        part("agent-core", "agent_core"),
    ];
    let with = |parts: &[String]| {
        let mut arguments = vec!["compose", &source, "-o", "agent.wasm"];
        for part in parts {
            arguments.extend(["--dep", part]);
        }
        world.wardian(&arguments)
    };
    let done = with(&parts).exits(0);
    let composed = fs::read(world.project().join("agent.wasm")).unwrap();
    done.prints(&[&sha256(&composed)]);
    assert_eq!(composed, fs::read(dist::built("bundles/default/agent.wasm")).unwrap());
    with(&parts[..3]).exits(1).says(&["agent.wac", "wardian:agent-core"]);
    with(&["no equals sign".to_owned()]).exits(2).says(&["NAME=FILE.wasm"]);
}

#[test]
fn doctor_finds_all_in_order_or_says_what_is_not() {
    let world = World::new();
    let doctor = world.wardian(&["doctor", "--json"]).exits(0).json();
    assert_eq!(doctor["ok"], true);
    let checks = doctor["checks"].as_array().unwrap();
    assert!(checks.len() >= 6 && checks.iter().all(|check| check["ok"] == true), "{doctor}");
    world.settings("modle = \"demo\"\n");
    let broken = world.wardian(&["doctor", "--json"]).exits(1).json();
    let bad: Vec<_> = broken["checks"].as_array().unwrap().iter().filter(|check| check["ok"] == false).collect();
    assert!(bad.iter().all(|check| check["hint"].is_string()), "each says what to do: {bad:?}");
    assert_eq!((bad.len(), &bad[0]["check"]), (1, &json!("settings")));
}

#[test]
fn pipes_get_no_escape_sequences() {
    let world = World::new();
    world.file("a.txt", "a\n");
    let model = world.scenario(&json!({"turns": [
        {"reasoning": "Hm.", "calls": [{"tool": "Read", "input": {"file_path": "a.txt"}}, {"tool": "Read", "input": {"file_path": "b"}}]},
        {"text": "Done."},
    ]}));
    let outputs = [
        world.wardian(&["run", "-m", &model, "x"]).exits(0),
        world.wardian(&["run", "-m", &model, "--json", "x"]).exits(0),
        world.wardian(&["log"]).exits(0),
        world.wardian(&["sessions"]).exits(0),
        world.wardian(&["tools"]).exits(0),
        world.wardian(&["doctor"]).exits(0),
        world.wardian(&["run", "--nonsense"]).exits(2),
        world.wardian(&["--help"]).exits(0),
        world.wardian(&["log", "nope"]).exits(2),
    ];
    for done in outputs {
        assert!(!done.stdout.contains('\x1b') && !done.stderr.contains('\x1b'), "{done}");
    }
}

#[test]
fn answers_go_to_stdout_and_the_rest_to_stderr() {
    let world = World::new();
    world.file("a.txt", "a\n");
    let model = world.scenario(&json!({"turns": [
        {"reasoning": "Hm.", "text": "I look.", "calls": [{"tool": "Read", "input": {"file_path": "a.txt"}}]},
        {"text": "Done."},
    ]}));
    let done = world.wardian(&["run", "-m", &model, "x"]).exits(0);
    assert_eq!(done.stdout, "I look.\nDone.\n");
    assert!(done.stderr.contains("Read a.txt") && !done.stderr.contains("Done."), "{done}");
}

#[test]
fn a_conversation_needs_a_terminal() {
    let world = World::new();
    let done = world.wardian_with("Hello\n", &[]).exits(2);
    done.says(&["needs a terminal", "wardian run"]);
    assert!(world.sessions().is_empty());
}

#[test]
fn nobody_is_asked_without_a_terminal_even_if_stdin_says_yes() {
    let world = World::new();
    world.file("a.txt", "from a\n");
    let model = world.scenario(&json!({"turns": [
        {"calls": [{"tool": "Read", "input": {"file_path": "a.txt"}}]},
        {"expect": "nobody can be asked", "text": "No."},
    ]}));
    let done = world.wardian_with("y\ny\ny\n", &["run", "-m", &model, "--approve", "ask", "x"]).exits(0);
    assert!(!done.stderr.contains("Allow?"), "{done}");
}

#[test]
fn a_reader_that_has_enough_does_no_harm() {
    let world = World::new();
    let model = world.scenario(&json!({"turns": [
        {"text": "word ".repeat(5_000), "calls": [{"tool": "Glob", "input": {"pattern": "*"}}]},
        {"text": "word ".repeat(5_000)},
    ]}));
    let mut command = world.clean("sh");
    // Once the answer's reader goes, once the reader of everything.
    let script = "\"$0\" run -m \"$1\" x | head -c 10; \"$0\" run -m \"$1\" --continue x 2>&1 | head -c 10; \
                  \"$0\" log | head -c 10";
    command.arg("-c").arg(script).arg(dist::wardian()).arg(&model);
    Running::new(command).wait().exits(0);
    let session = world.session();
    let events = session.events();
    let stops: Vec<_> = suites::journal::of(&events, "session.end").iter().map(|event| event["stop"].clone()).collect();
    assert_eq!(stops, ["done", "done"], "the runs went on without their readers");
    world.check(&session);
}
