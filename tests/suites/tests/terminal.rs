//! With a person at a terminal: questions, the conversation, colours.

use serde_json::{Value, json};
use suites::dist::guests;
use suites::journal::of;
use suites::terminal::{CTRL_C, CTRL_D, Terminal};
use suites::world::World;

fn reads_twice() -> Value {
    let read = |path| json!({"calls": [{"tool": "Read", "input": {"file_path": path}}]});
    json!({"turns": [read("a.txt"), read("b.txt"), {"text": "That was it."}]})
}

/// A run in which each read has to be asked for.
fn asking(world: &World) -> Terminal {
    world.file("a.txt", "from a\n");
    world.file("b.txt", "from b\n");
    let model = world.scenario(&reads_twice());
    Terminal::new(world.command(&["run", "-m", &model, "--approve", "ask", "Read."]))
}

const QUESTION: &str = "Allow?";

/// What the journal has of the answers: allowed, by whom, for how long.
fn answers(world: &World) -> Vec<(bool, String, String)> {
    let events = world.session().events();
    let text = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
    of(&events, "permission.answer")
        .iter()
        .map(|event| (event["allowed"] == true, text(event, "by"), text(event, "scope")))
        .collect()
}

fn by_user(allowed: bool, scope: &str) -> (bool, String, String) {
    (allowed, "user".to_owned(), scope.to_owned())
}

#[test]
fn yes_runs_the_call_and_no_refuses_it() {
    let world = World::new();
    let mut terminal = asking(&world);
    terminal.sees("Read wants to: a.txt  [files:read]");
    terminal.sees(QUESTION);
    terminal.types("y\n");
    terminal.sees("Read wants to: b.txt");
    terminal.sees(QUESTION);
    terminal.types("n\n");
    terminal.sees("That was it.");
    let (code, screen) = terminal.ends();
    assert_eq!(code, Some(0), "{screen}");
    assert_eq!(answers(&world), [by_user(true, "once"), by_user(false, "once")]);
    let events = world.session().events();
    assert_eq!(of(&events, "tool.use").len(), 1, "what was refused never ran");
    let results = of(&events, "tool.result");
    assert!(results[0]["output"]["text"].as_str().unwrap().contains("from a"));
    assert_eq!(results[1]["error"]["kind"], "not-permitted");
    assert!(results[1]["error"]["message"].as_str().unwrap().contains("the user refused it"));
    world.check(&world.session());
}

#[test]
fn always_asks_no_more_in_this_session() {
    let world = World::new();
    let mut terminal = asking(&world);
    terminal.sees(QUESTION);
    terminal.types("what?\n");
    terminal.sees("please answer y, a, n or ?");
    terminal.sees(QUESTION);
    terminal.types("?\n");
    terminal.sees("\"file_path\": \"a.txt\"");
    terminal.sees(QUESTION);
    terminal.types("a\n");
    terminal.sees("That was it.");
    assert_eq!(terminal.ends().0, Some(0));
    assert_eq!(answers(&world), [by_user(true, "session"), by_user(true, "session")]);
    world.check(&world.session());
}

#[test]
fn ctrl_c_at_the_question_ends_the_run() {
    let world = World::new();
    let mut terminal = asking(&world);
    terminal.sees(QUESTION);
    terminal.types(CTRL_C);
    let (code, screen) = terminal.ends();
    assert_eq!(code, Some(130), "{screen}");
    let session = world.session();
    let events = session.events();
    assert!(of(&events, "tool.use").is_empty());
    assert_eq!(of(&events, "tool.result")[0]["error"]["kind"], "cancelled");
    assert_eq!(events.last().unwrap()["stop"], "cancelled");
    world.check(&session);
}

#[test]
fn ctrl_d_at_the_question_is_a_no() {
    let world = World::new();
    let mut terminal = asking(&world);
    terminal.sees(QUESTION);
    terminal.types(CTRL_D);
    terminal.sees("b.txt");
    terminal.sees(QUESTION);
    terminal.types("n\n");
    assert_eq!(terminal.ends().0, Some(0));
    assert_eq!(answers(&world), [by_user(false, "once"), by_user(false, "once")]);
}

#[test]
fn with_json_nobody_is_asked_even_at_a_terminal() {
    let world = World::new();
    world.file("a.txt", "from a\n");
    let model = world.scenario(&json!({"turns": [
        {"calls": [{"tool": "Read", "input": {"file_path": "a.txt"}}]}, {"expect": "nobody can be asked", "text": "No."},
    ]}));
    let terminal = Terminal::new(world.command(&["run", "-m", &model, "--approve", "ask", "--json", "Read."]));
    let (code, screen) = terminal.ends();
    assert_eq!(code, Some(0), "{screen}");
    assert!(!screen.contains(QUESTION), "{screen}");
}

#[test]
fn a_conversation() {
    let world = World::new();
    world.file("a.txt", "from a\n");
    let model = world.scenario(&json!({"template": true, "turns": [
        {"calls": [{"tool": "Read", "input": {"file_path": "a.txt"}}]},
        {"text": "I have read it."},
        {"text": "{{ results|length }} result so far."},
    ]}));
    let mut terminal = Terminal::new(world.command(&["-m", &model]));
    terminal.sees("type a task, or /help");
    terminal.sees("›");
    terminal.types("Read a.\r");
    terminal.sees("I have read it.");
    terminal.sees("›");
    terminal.types("/help\r");
    terminal.sees("/sessions");
    terminal.sees("›");
    terminal.types("/log\r");
    terminal.sees("permission.answer");
    terminal.sees("session.end");
    terminal.sees("›");
    terminal.types("/call Glob {\"pattern\": \"*.txt\"}\r");
    terminal.sees("a.txt");
    terminal.sees("›");
    terminal.types("/nonsense\r");
    terminal.sees("there is no /nonsense");
    terminal.sees("›");
    terminal.types("And?\r");
    terminal.sees("1 result so far.");
    terminal.sees("›");
    // A scenario that is over fails the task, not the conversation.
    terminal.types("More?\r");
    terminal.sees("the scenario is over");
    terminal.sees("›");
    terminal.types(CTRL_D);
    let (code, screen) = terminal.ends();
    assert_eq!(code, Some(0), "{screen}");
    let session = world.session();
    let events = session.events();
    let prompts: Vec<_> = of(&events, "user.message").iter().map(|event| event["text"].clone()).collect();
    assert_eq!(prompts, ["Read a.", "And?", "More?"]);
    world.check(&session);
}

#[test]
fn ctrl_c_in_a_conversation_ends_the_task_and_not_the_conversation() {
    let world = World::new();
    let model = world.scenario(&json!({"turns": [
        {"text": "I rest.", "calls": [{"tool": "Sleep", "input": {"ms": 60000}}]},
        {"text": "Awake again."},
    ]}));
    let mut terminal = Terminal::new(world.command(&["-m", &model, "--component", &guests()]));
    terminal.sees("›");
    terminal.types("Rest.\r");
    terminal.sees("Sleep");
    world.session().wait_for("tool.use", 1);
    terminal.types(CTRL_C);
    terminal.sees("cancelled");
    terminal.sees("›");
    terminal.types("Wake up.\r");
    terminal.sees("Awake again.");
    terminal.sees("›");
    // On an empty line it is nothing at all.
    terminal.types(CTRL_C);
    terminal.sees("›");
    terminal.types("/quit\r");
    assert_eq!(terminal.ends().0, Some(0));
    let session = world.session();
    let events = session.events();
    let stops: Vec<_> = of(&events, "session.end").iter().map(|event| event["stop"].clone()).collect();
    assert_eq!(stops, ["cancelled", "done"]);
    world.check(&session);
}

#[test]
fn the_shell_line_by_line() {
    const UP: &str = "\x1b[A";
    let world = World::new();
    let mut terminal = Terminal::new(world.command(&["sh"]));
    let mut line = |typed: &str, shown: &str| {
        terminal.sees("$ ");
        terminal.types(&format!("{typed}\r"));
        terminal.sees("\n");
        if !shown.is_empty() {
            terminal.sees(shown);
        }
    };
    // The next line sees how the last one ended.
    line("(exit 7)", "");
    line("echo \"after $?\"", "after 7");
    line("x=5; cd /tmp", "");
    line("f() { echo \"<$1>\"; }", "");
    line("echo $((x + 1)) $PWD", "6 /tmp");
    line("f one", "<one>");
    line("false; echo \"status $?\"", "status 1");
    line("no-such-command", "command not found");
    // Again, from the history, and changed: the line is edited.
    line(&format!("{UP}{UP}{UP}\x7f\x7f\x7ftwo"), "<two>");
    // Over several lines, and one that is given up halfway.
    line("for i in a b; do", "> ");
    terminal.types("echo \"[$i]\"\r");
    terminal.sees("> ");
    terminal.types("done\r");
    terminal.sees("[a]");
    terminal.sees("[b]");
    terminal.sees("$ ");
    terminal.types("while :; do\r");
    terminal.sees("> ");
    terminal.types(CTRL_C);
    terminal.sees("$ ");
    // What runs too long is ended, and the shell stays.
    terminal.types("echo begun; while :; do :; done\r");
    terminal.sees("begun\r\n");
    terminal.types(CTRL_C);
    terminal.sees("$ ");
    terminal.types("echo still $x\r");
    terminal.sees("still 5");
    terminal.sees("$ ");
    terminal.types("exit 3\r");
    let (code, screen) = terminal.ends();
    assert_eq!(code, Some(3), "{screen}");
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let run = |no_color: bool| {
        let world = World::new();
        world.file("a.txt", "a\n");
        let model = world.scenario(&json!({"turns": [
            {"calls": [{"tool": "Read", "input": {"file_path": "a.txt"}}]}, {"text": "Done."},
        ]}));
        let mut command = world.command(&["run", "-m", &model, "Read."]);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let (code, screen) = Terminal::new(command).ends();
        assert_eq!(code, Some(0), "{screen}");
        screen
    };
    assert!(run(false).contains("\x1b["));
    let plain = run(true);
    assert!(!plain.contains('\x1b'), "{plain:?}");
}

#[test]
fn what_a_model_or_tool_says_does_not_steer_the_terminal() {
    let world = World::new();
    let evil = "\x1b]0;owned\x07\x1b[2J";
    let model = world.scenario(&json!({"turns": [
        {"calls": [{"tool": "Echo", "input": {"text": evil}}]},
        {"text": format!("Before{evil}after.")},
    ]}));
    let command = world.command(&["run", "-m", &model, "--component", &guests(), "Talk."]);
    let (code, screen) = Terminal::new(command).ends();
    assert_eq!(code, Some(0), "{screen}");
    assert!(!screen.contains("\x1b]0;") && !screen.contains("\x1b[2J"), "{screen:?}");
}
