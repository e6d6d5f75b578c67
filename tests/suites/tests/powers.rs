//! What a tool may touch: granted works, not granted fails by name.

use serde_json::{Value, json};
use suites::dist::guests;
use suites::process::Done;
use suites::world::{SECRET, World};

fn call(world: &World, tool: &str, input: &Value, more: &[&str]) -> Done {
    let (input, guests) = (input.to_string(), guests());
    let arguments = [&["call", tool, &input, "--component", &guests], more].concat();
    world.wardian(&arguments)
}

#[test]
fn no_files_without_the_power() {
    let world = World::new();
    world.file("a.txt", "the content");
    for path in ["/workspace/a.txt", "a.txt", "../a.txt", "/etc/hostname", "/session/journal.jsonl"] {
        let done = call(&world, "ReadFile", &json!({ "path": path }), &["--json"]).exits(1);
        assert_eq!(done.json()["error"]["kind"], "failed", "{done}");
        assert!(!done.stdout.contains("the content"));
    }
    // With the power to write files there is a project to look into: the twin of the above.
    world.wardian(&["call", "Read", r#"{"file_path": "a.txt"}"#]).exits(0).prints(&["the content"]);
}

#[test]
fn writing_to_the_project_takes_direct() {
    let world = World::new();
    let (path, input) = (world.project().join("new.txt"), json!({"path": "/workspace/new.txt", "text": "written"}));
    call(&world, "WriteFile", &input, &[]).exits(0).prints(&["wrote 7 bytes"]);
    assert!(!path.exists());
    call(&world, "WriteFile", &input, &["--direct"]).exits(0).prints(&["wrote 7 bytes"]);
    assert_eq!(std::fs::read_to_string(path).unwrap(), "written");
}

#[test]
fn the_own_tools_write_into_the_session_or_with_direct() {
    let world = World::new();
    world.file("a.txt", "before");
    let write = r#"{"file_path": "a.txt", "content": "after"}"#;
    world.wardian(&["call", "Write", write]).exits(0).says(&["the project is as it was", "wardian changes"]);
    assert_eq!(std::fs::read_to_string(world.project().join("a.txt")).unwrap(), "before");
    let read = ["call", "Read", r#"{"file_path": "a.txt"}"#];
    world.wardian(&[&read[..], &["--session", &world.session().id]].concat()).exits(0).prints(&["after"]);
    world.wardian(&read).exits(0).prints(&["before"]);
    world.wardian(&["call", "Write", write, "--direct"]).exits(0);
    assert_eq!(std::fs::read_to_string(world.project().join("a.txt")).unwrap(), "after");
}

#[test]
fn not_even_direct_reaches_beyond_the_project() {
    let world = World::new();
    std::fs::write(world.folder().join("outside.txt"), "before").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("../outside.txt", world.project().join("link.txt")).unwrap();
    for path in ["/workspace/../outside.txt", "/workspace/link.txt", "/outside.txt"] {
        call(&world, "WriteFile", &json!({"path": path, "text": "after"}), &["--direct"]).exits(1);
        assert_eq!(std::fs::read_to_string(world.folder().join("outside.txt")).unwrap(), "before", "{path}");
    }
}

#[test]
fn nothing_of_the_host_s_environment_gets_in() {
    let world = World::new();
    let done = call(&world, "Env", &json!({}), &[]).exits(0);
    assert!(!done.stdout.contains(SECRET.0) && !done.stdout.contains(SECRET.1), "{done}");
    assert_eq!(done.stdout.trim(), "", "neither variables nor arguments: {done}");
}

#[test]
fn tools_without_powers_are_not_asked_about() {
    let world = World::new();
    let model = world.scenario(&json!({"turns": [
        {"calls": [{"tool": "Echo", "input": {"text": "harmless"}}]}, {"expect": "harmless", "text": "Right."},
    ]}));
    let arguments = ["run", "-m", &model, "--component", &guests(), "--approve", "none", "Echo."];
    world.wardian(&arguments).exits(0);
    let events = world.session().events();
    let kinds = suites::journal::types(&events);
    assert!(!kinds.contains(&"permission.ask"), "{kinds:?}");
    world.check(&world.session());
}

#[test]
fn images_files_and_progress_come_through() {
    let world = World::new();
    let done = call(&world, "Attach", &json!({}), &["--json"]).exits(0);
    let attachments = &done.json()["output"]["attachments"];
    assert_eq!(attachments[0]["media_type"], "image/png");
    assert_eq!(attachments[1], json!({"path": "report.txt", "media_type": "text/plain", "bytes": 12}));
    let calls = json!([{"tool": "Progress"}, {"tool": "Attach"}]);
    let model = world.scenario(&json!({"turns": [{ "calls": calls }, {"text": "Seen."}]}));
    let run = world.wardian(&["run", "-m", &model, "--component", &guests(), "--json", "Go."]).exits(0);
    let shown = run.json_lines();
    let progress = suites::journal::of(&shown, "tool.progress");
    assert_eq!(progress.len(), 3);
    assert_eq!(progress[2]["done"], json!({"done": 3, "all": 3}));
    world.check(&world.session());
}
