//! Changes, diff, commit, discard, undo, as their user meets them.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use suites::dist::guests;
use suites::journal::of;
use suites::process::Done;
use suites::terminal::{CTRL_D, Terminal};
use suites::tree;
use suites::world::World;

fn write(path: &str, content: &str) -> Value {
    json!({"tool": "Write", "input": {"file_path": path, "content": content}})
}

fn remove(path: &str) -> Value {
    json!({"tool": "Files", "input": {"root": "/workspace", "steps": [{"do": "unlink", "path": path}]}})
}

/// Twenty numbered lines, some of them replaced.
fn lines(replaced: &[(usize, &str)]) -> String {
    (1..=20)
        .map(|number| match replaced.iter().find(|(at, _)| *at == number) {
            Some((_, text)) => format!("{text}\n"),
            None => format!("line {number}\n"),
        })
        .collect()
}

/// Lets an agent make these calls, in a session of its own or in the one there is.
fn work(world: &World, calls: &[Value]) {
    let model = world.scenario(&json!({"turns": [{"calls": calls}, {"text": "Done."}]}));
    let first = world.sessions().is_empty();
    let mut arguments = vec!["run", "-m", &model, "--approve", "all", "--component"];
    let guests = guests();
    arguments.extend([guests.as_str(), "Work."]);
    if !first {
        arguments.push("--continue");
    }
    world.wardian(&arguments).exits(0);
}

/// Two files of the project, one changed in two places, one removed; one added.
fn world() -> World {
    let world = World::new();
    world.file("a.txt", &lines(&[]));
    world.file("b.txt", "b\n");
    work(
        &world,
        &[write("a.txt", &lines(&[(2, "TWO"), (18, "EIGHTEEN")])), remove("b.txt"), write("new/c.txt", "c\n")],
    );
    world
}

fn read(world: &World, path: &str) -> Option<String> {
    fs::read_to_string(world.project().join(path)).ok()
}

fn changed(done: &Done) -> Vec<(String, String)> {
    let text = |change: &Value, name: &str| change[name].as_str().unwrap().to_owned();
    let document = done.json();
    let changes = document["changes"].as_array().unwrap();
    changes.iter().map(|change| (text(change, "kind"), text(change, "path"))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(kind, path)| ((*kind).to_owned(), (*path).to_owned())).collect()
}

#[test]
fn changes_lists_what_is_there_to_review() {
    let world = world();
    let listed = world.wardian(&["changes"]).exits(0);
    assert_eq!(listed.stdout, "M a.txt\nD b.txt\nA new/c.txt\n");
    listed.says(&["3 changes"]);
    let expected = pairs(&[("modified", "a.txt"), ("deleted", "b.txt"), ("added", "new/c.txt")]);
    let json = world.wardian(&["changes", "--json"]).exits(0);
    assert_eq!(changed(&json), expected);
    let change = &json.json()["changes"][0];
    assert_eq!(change["before"]["sha256"], suites::journal::sha256(lines(&[]).as_bytes()));
    assert_eq!(change["after"]["size"], lines(&[(2, "TWO"), (18, "EIGHTEEN")]).len());
    let some = world.wardian(&["changes", "new", "--json"]).exits(0);
    assert_eq!(changed(&some), pairs(&[("added", "new/c.txt")]));
    world.wardian(&["changes", "../elsewhere"]).exits(2).says(&["../elsewhere is not in the project"]);
}

#[test]
fn a_piped_diff_is_a_patch_that_git_applies() {
    let world = world();
    let patch = world.wardian(&["diff"]).exits(0).stdout;
    assert!(patch.starts_with("diff --git a/a.txt b/a.txt\n"), "{patch}");
    let copy = tempfile::tempdir().unwrap();
    fs::write(copy.path().join("a.txt"), lines(&[])).unwrap();
    fs::write(copy.path().join("b.txt"), "b\n").unwrap();
    fs::write(copy.path().join("patch"), &patch).unwrap();
    let applied = Command::new("git").args(["apply", "patch"]).current_dir(copy.path()).status().unwrap();
    assert!(applied.success(), "git does not take it:\n{patch}");
    fs::remove_file(copy.path().join("patch")).unwrap();
    world.wardian(&["commit", "--all"]).exits(0).says(&["committed 3 changes"]);
    assert_eq!(tree::read(copy.path()), tree::read(&world.project()));
}

#[test]
fn a_coloured_diff_shows_lines_words_and_what_is_no_text() {
    let world = World::new();
    world.file("a.txt", "let total = price * 2;\n");
    fs::write(world.project().join("x.bin"), b"\0\x01\x02").unwrap();
    work(&world, &[write("a.txt", "let total = price * 3;\n"), remove("x.bin")]);
    let shown = world.wardian(&["diff", "--color", "always"]).exits(0).stdout;
    assert!(shown.contains("\x1b[31m-let total = price * \x1b[7m2\x1b[27m;"), "{shown}");
    assert!(shown.contains("\x1b[32m+let total = price * \x1b[7m3\x1b[27m;"), "{shown}");
    assert!(shown.contains("was: binary, 3 bytes"), "{shown}");
}

#[test]
fn huge_diffs_are_cut_with_a_count() {
    let world = World::new();
    let long: String = (0..5_000).map(|number| format!("{number}\n")).collect();
    work(&world, &[write("long.txt", &long)]);
    let shown = world.wardian(&["diff", "--color", "always"]).exits(0).stdout;
    assert!(shown.contains("4600 more lines of long.txt"), "{}", &shown[shown.len() - 300..]);
    assert!(shown.lines().count() < 500);
    let all = world.wardian(&["diff", "--color", "always", "--full"]).exits(0).stdout;
    assert!(all.lines().count() > 5_000);
    assert!(world.wardian(&["diff"]).exits(0).stdout.contains("\n+4999\n"), "a patch is whole");
}

#[test]
fn commits_by_path_leave_the_rest_to_review() {
    let world = world();
    world.wardian(&["commit", "b.txt", "new"]).exits(0).says(&["committed 2 changes", "wardian undo"]);
    assert_eq!((read(&world, "b.txt"), read(&world, "new/c.txt")), (None, Some("c\n".into())));
    assert_eq!(read(&world, "a.txt"), Some(lines(&[])));
    assert_eq!(changed(&world.wardian(&["changes", "--json"]).exits(0)), pairs(&[("modified", "a.txt")]));
    // The agent goes on from there, and sees what was committed as well as what was not.
    work(&world, &[write("new/c.txt", "c again\n")]);
    let left = pairs(&[("modified", "a.txt"), ("modified", "new/c.txt")]);
    assert_eq!(changed(&world.wardian(&["changes", "--json"]).exits(0)), left);
    let done = world.wardian(&["commit", "--all", "--json"]).exits(0);
    assert_eq!(done.json()["paths"], json!(["a.txt", "new/c.txt"]));
    assert_eq!(done.json()["commit"], 2);
    world.wardian(&["commit", "--all"]).exits(1).says(&["nothing to do"]);
    let session = world.session();
    let events = session.events();
    let commits = of(&events, "workspace.commit");
    assert_eq!(commits.len(), 2);
    assert_eq!(commits[1]["paths"], json!(["a.txt", "new/c.txt"]));
    assert_eq!(commits[1]["after"][1], suites::journal::sha256(b"c again\n"));
    world.check(&session);
}

#[test]
fn without_a_terminal_nothing_is_asked_and_nothing_guessed() {
    let world = world();
    let before = tree::read(&world.project());
    world.wardian(&["commit"]).exits(2).says(&["no terminal", "--all"]);
    world.wardian(&["commit", "--patch"]).exits(2);
    world.wardian(&["discard"]).exits(2).says(&["--all"]);
    world.wardian(&["commit", "nothing-here"]).exits(2).says(&["nothing was changed at nothing-here"]);
    assert_eq!(tree::read(&world.project()), before);
    let world = World::new();
    world.wardian(&["changes"]).exits(2).says(&["there is no session of", "wardian run"]);
}

#[test]
fn what_both_changed_is_merged_or_a_conflict() {
    let world = world();
    // Elsewhere in the same file: merged. In the same place: not.
    world.file("a.txt", &lines(&[(10, "TEN, by hand")]));
    let listed = world.wardian(&["changes"]).exits(0);
    assert!(listed.stdout.contains("M a.txt  merged with the project's changes"), "{listed}");
    world.file("a.txt", &lines(&[(2, "two, by hand")]));
    let listed = world.wardian(&["changes"]).exits(0).says(&["1 conflict"]);
    assert!(listed.stdout.starts_with("! a.txt"), "{listed}");
    let before = tree::read(&world.project());
    let refused = world.wardian(&["commit", "--all"]).exits(4);
    refused.says(&["1 conflict; nothing was committed", "a.txt", "--overwrite"]);
    assert_eq!(tree::read(&world.project()), before, "not even what had no conflict");
    world.wardian(&["commit", "--overwrite", "a.txt"]).exits(0);
    assert_eq!(read(&world, "a.txt"), Some(lines(&[(2, "TWO"), (18, "EIGHTEEN")])));
    world.wardian(&["discard", "b.txt"]).exits(0).says(&["dropped 1 change"]);
    world.wardian(&["commit", "--all"]).exits(0);
    assert_eq!((read(&world, "b.txt"), read(&world, "new/c.txt")), (Some("b\n".into()), Some("c\n".into())));
}

#[test]
fn undo_brings_everything_back_unless_it_would_lose_something() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    world.file("run.sh", "before\n");
    fs::set_permissions(world.project().join("run.sh"), PermissionsExt::from_mode(0o700)).unwrap();
    world.file("gone.txt", "gone\n");
    work(&world, &[write("run.sh", "after\n"), remove("gone.txt"), write("new.txt", "new\n")]);
    let before = tree::read(&world.project());
    world.wardian(&["undo"]).exits(1).says(&["nothing to do"]);
    world.wardian(&["commit", "--all"]).exits(0);
    let after = tree::read(&world.project());
    world.file("new.txt", "mine by now\n");
    world.wardian(&["undo"]).exits(4).says(&["changed since", "new.txt"]);
    world.file("new.txt", "new\n");
    world.wardian(&["undo", "--json"]).exits(0);
    assert_eq!(tree::read(&world.project()), before);
    assert_eq!(world.wardian(&["changes", "--json"]).exits(0).json()["changes"].as_array().unwrap().len(), 3);
    world.wardian(&["commit", "--all"]).exits(0);
    assert_eq!(tree::read(&world.project()), after);
    world.check(&world.session());
}

/// Without colours, to be read, and with a pager that does not wait for keys.
fn at_terminal(world: &World, arguments: &[&str]) -> Terminal {
    let mut command = world.command(arguments);
    command.env("PAGER", "cat").env("NO_COLOR", "1");
    Terminal::new(command)
}

#[test]
fn piece_by_piece_at_a_terminal() {
    let world = world();
    let mut terminal = at_terminal(&world, &["commit", "--patch"]);
    terminal.sees("M a.txt");
    terminal.sees("+TWO");
    terminal.sees("(1/4) Commit this hunk [y,n,q,a,d,j,k,?]?");
    terminal.types("n\n");
    terminal.sees("EIGHTEEN");
    terminal.sees("(2/4)");
    terminal.types("y\n");
    terminal.sees("D b.txt");
    terminal.sees("(3/4) Commit this change");
    terminal.types("n\n");
    terminal.sees("A new/c.txt");
    terminal.types("y\n");
    terminal.sees("committed 2 changes");
    assert_eq!(terminal.ends().0, Some(0));
    assert_eq!(read(&world, "a.txt"), Some(lines(&[(18, "EIGHTEEN")])));
    assert_eq!((read(&world, "b.txt"), read(&world, "new/c.txt")), (Some("b\n".into()), Some("c\n".into())));
    let left = pairs(&[("modified", "a.txt"), ("deleted", "b.txt")]);
    assert_eq!(changed(&world.wardian(&["changes", "--json"]).exits(0)), left);
    world.wardian(&["commit", "--all"]).exits(0);
    assert_eq!(read(&world, "a.txt"), Some(lines(&[(2, "TWO"), (18, "EIGHTEEN")])));
}

#[test]
fn asked_before_a_commit_and_before_a_loss() {
    let world = world();
    let mut terminal = at_terminal(&world, &["discard"]);
    terminal.sees("Drop 3 changes?");
    terminal.types("n\n");
    terminal.sees("nothing was dropped");
    assert_eq!(terminal.ends().0, Some(3));
    let mut terminal = at_terminal(&world, &["commit"]);
    terminal.sees("Commit these 3 changes?");
    terminal.types(CTRL_D);
    terminal.sees("nothing was committed");
    assert_eq!(terminal.ends().0, Some(3));
    assert_eq!(read(&world, "b.txt"), Some("b\n".into()));
    let mut terminal = at_terminal(&world, &["commit"]);
    terminal.sees("Commit these 3 changes?");
    terminal.types("d\n");
    terminal.sees("EIGHTEEN");
    terminal.sees("Commit these 3 changes?");
    terminal.types("y\n");
    terminal.sees("committed 3 changes (+3 −3)");
    assert_eq!(terminal.ends().0, Some(0));
    assert_eq!(read(&world, "b.txt"), None);
}

#[test]
fn in_a_conversation() {
    let world = World::new();
    world.file("a.txt", "before\n");
    let model = world.scenario(&json!({"turns": [
        {"calls": [write("a.txt", "after\n"), write("b.txt", "b\n")]},
        {"text": "I have written."},
    ]}));
    let mut terminal = at_terminal(&world, &["-m", &model]);
    terminal.sees("›");
    terminal.types("Write.\r");
    terminal.sees("I have written.");
    terminal.sees("2 changes to review");
    terminal.sees("›");
    terminal.types("/changes\r");
    terminal.sees("M a.txt");
    terminal.sees("›");
    terminal.types("/diff a.txt\r");
    terminal.sees("+after");
    terminal.sees("›");
    terminal.types("/commit a.txt\r");
    terminal.sees("committed 1 change");
    terminal.sees("›");
    terminal.types("/discard b.txt\r");
    terminal.sees("dropped 1 change");
    terminal.sees("›");
    terminal.types("/undo\r");
    terminal.sees("took commit 1 back");
    terminal.sees("›");
    // The session was lent to those commands, and goes on. Its scenario begins anew.
    terminal.types("Write again.\r");
    terminal.sees("I have written.");
    terminal.sees("2 changes to review");
    terminal.sees("›");
    terminal.types(CTRL_D);
    let (code, screen) = terminal.ends();
    assert_eq!(code, Some(0), "{screen}");
    assert_eq!((read(&world, "a.txt"), read(&world, "b.txt")), (Some("before\n".into()), None));
    world.check(&world.session());
}

#[test]
fn a_commit_waits_for_nobody_and_disturbs_nobody() {
    let world = world();
    let model = world.scenario(&json!({"turns": [{"calls": [{"tool": "Sleep", "input": {"ms": 60000}}]}]}));
    let running = world.start(&["run", "-m", &model, "--continue", "--component", &guests(), "Rest."]);
    let session = world.session();
    session.wait_for("tool.use", 4);
    world.wardian(&["changes"]).exits(0);
    world.wardian(&["commit", "--all"]).exits(1).says(&["in use by another wardian"]);
    running.kill();
    world.wardian(&["commit", "--all"]).exits(0);
}

#[test]
fn a_pipe_that_closes_early_is_no_failure() {
    let world = World::new();
    let long: String = (0..50_000).map(|number| format!("{number}\n")).collect();
    work(&world, &[write("long.txt", &long)]);
    let mut command = world.command(&["diff"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(!said.contains("panicked"), "{said}");
}
