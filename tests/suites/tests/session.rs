//! Sessions that go well: one run and all that can be asked about it, going on, looking back.

use serde_json::{Value, json};
use suites::journal::{self, of, synthesize, types};
use suites::world::World;

const TWO_LINES: &str = "Two lines: the first, and after it the second, which is the last one as well.";

/// Two tool calls in a row, each expected by the turn that follows.
fn flagship() -> Value {
    json!({"turns": [
        {"text": "I look.", "calls": [{"tool": "Read", "input": {"file_path": "notes.txt"}}]},
        {"expect": "second", "text": "I count.",
         "calls": [{"tool": "Grep", "input": {"pattern": "line", "output_mode": "count"}}]},
        {"expect": "notes.txt:2", "text": TWO_LINES},
    ]})
}

fn says(text: &str) -> Value {
    json!({"turns": [{"text": text}]})
}

#[test]
fn one_task_from_the_prompt_to_an_identical_replay() {
    let world = World::new();
    world.file("notes.txt", "first line\nsecond line\n");
    let model = world.scenario(&flagship());
    let done = world.wardian(&["run", "-m", &model, "--json", "How many lines?"]).exits(0);

    let shown = done.json_lines();
    let text: String = of(&shown, "text").iter().filter_map(|event| event["text"].as_str()).collect();
    assert_eq!(text, format!("I look.I count.{TWO_LINES}"));
    assert!(of(&shown, "text").len() > 3, "text is streamed in pieces");
    let finished = of(&shown, "tool.finished");
    assert_eq!((&finished[0]["tool"], &finished[1]["tool"]), (&json!("Read"), &json!("Grep")));
    assert!(finished.iter().all(|event| event["error"].is_null()));
    let end = shown.last().unwrap();
    assert_eq!((&end["type"], &end["stop"]), (&json!("session.end"), &json!("done")));
    assert_eq!(end["text"], TWO_LINES);
    assert_eq!(end["usage"]["requests"], 3);

    let session = world.session();
    assert_eq!(end["session"], session.id);
    let events = session.events();
    let call = ["permission.ask", "permission.answer", "tool.use", "tool.result", "model.request", "model.response"];
    let begin = ["session.start", "user.message", "model.request", "model.response"];
    let expected: Vec<&str> = begin.into_iter().chain(call).chain(call).chain(["session.end"]).collect();
    assert_eq!(types(&events), expected);
    assert_eq!(events[0]["project"], world.project().canonicalize().unwrap().display().to_string());
    assert_eq!(events[0]["model"], model);
    assert_eq!(events[1]["text"], "How many lines?");
    world.check(&session);

    // The journal as a command prints it is the journal as it is.
    let log = world.wardian(&["log", &session.id, "--json"]).exits(0);
    assert_eq!(log.stdout, std::fs::read_to_string(session.journal()).unwrap());
    assert_eq!(log.json_lines(), events);
    let people = world.wardian(&["log"]).exits(0).prints(&["How many lines?", "Two lines: ", "tool.result"]);
    assert_eq!(people.stdout.lines().count(), events.len());

    let sessions = world.wardian(&["sessions", "--json"]).exits(0).json();
    let listed = &sessions[0];
    assert_eq!(sessions.as_array().unwrap().len(), 1);
    assert_eq!(listed["session"], session.id);
    assert_eq!((&listed["prompt"], &listed["stop"]), (&json!("How many lines?"), &json!("done")));
    assert_eq!(listed["events"], events.len());
    assert_eq!((&listed["started"], &listed["updated"]), (&events[0]["ts"], &events.last().unwrap()["ts"]));
}

#[test]
fn the_demo_needs_no_prompt_and_replays() {
    let world = World::new();
    world.file("src/main.rs", "// TODO: more\nfn main() {}\n");
    world.wardian(&["run"]).exits(0).prints(&["Project at a glance", "main.rs", "was not permitted"]);
    world.check(&world.session());
}

#[test]
fn the_demo_counts_lines_and_finds_copies_with_pipelines() {
    let world = World::new();
    world.file("a:b/one.txt", "1\n2\n3\n");
    world.file("two.txt", "1\n2\n3\n");
    world.file("three.py", "x\n");
    world.file("empty", "");
    world.wardian(&["run", "--approve", "all"]).exits(0).prints(&[
        "7 lines of text. The longest file is `a:b/one.txt`, 3 lines.",
        "1 file is a copy of another, 6 B.",
        "- `a:b/one.txt`, `two.txt`",
    ]);
    world.check(&world.session());

    let world = World::new();
    world.file("one.txt", "1\n");
    world.wardian(&["run", "--approve", "all"]).exits(0).prints(&["Files that are the same\n\nNone.\n"]);
}

#[test]
fn a_session_goes_on_with_its_earlier_conversation() {
    let world = World::new();
    world.file("notes.txt", "first line\nsecond line\n");
    world.wardian(&["run", "-m", &world.scenario(&flagship()), "One."]).exits(0);
    let session = world.session();
    let before = session.events();

    // The whole id, a beginning of it, the newest: all the same session. What the model sees of the past shows in
    // templates: `results` has all of the conversation.
    let recall = json!({"template": true, "turns": [{"text": "{{ results|length }} results, {{ prompt }}"}]});
    let model = world.scenario(&recall);
    let prefix = &session.id[..session.id.len() - 2];
    for (number, which) in
        [["--session", &session.id].as_slice(), &["--session", prefix], &["--continue"]].into_iter().enumerate()
    {
        let prompt = format!("Again {number}.");
        let arguments = [&["run", "-m", &model], which, &[&prompt]].concat();
        world.wardian(&arguments).exits(0).prints(&[&format!("2 results, {prompt}")]);
    }

    let session = world.session();
    let events = session.events();
    assert_eq!(events[..before.len()], before, "what was written stays as it was");
    let starts = of(&events, "session.start");
    let resumed: Vec<_> = starts.iter().map(|start| start["resumed"].as_bool().unwrap()).collect();
    assert_eq!(resumed, [false, true, true, true]);
    assert!(starts.iter().all(|start| start["session"] == session.id));
    world.check(&session);
}

#[test]
fn ids_stay_unique_when_a_scenario_is_played_again() {
    let world = World::new();
    world.file("notes.txt", "first line\nsecond line\n");
    let model = world.scenario(&flagship());
    world.wardian(&["run", "-m", &model, "One."]).exits(0);
    world.wardian(&["run", "-m", &model, "--continue", "Two."]).exits(0);
    let events = world.session().events();
    let uses = of(&events, "tool.use");
    let ids: std::collections::BTreeSet<_> = uses.iter().map(|event| event["id"].as_str()).collect();
    assert_eq!((uses.len(), ids.len()), (4, 4));
    world.check(&world.session());
}

#[test]
fn continue_means_this_project() {
    let world = World::new();
    let model = world.scenario(&says("Here."));
    world.wardian(&["run", "-m", &model, "--continue", "x"]).exits(2).says(&["no session to continue"]);
    world.wardian(&["run", "-m", &model, "In the project."]).exits(0);
    let first = world.session();
    std::fs::create_dir(world.folder().join("other")).unwrap();
    world.wardian(&["run", "-m", &model, "-C", "../other", "Elsewhere."]).exits(0);
    assert_eq!(world.sessions().len(), 2);
    world.wardian(&["run", "-m", &model, "--continue", "Back."]).exits(0);
    let prompts: Vec<_> = of(&first.events(), "user.message").iter().map(|event| event["text"].clone()).collect();
    assert_eq!(prompts, ["In the project.", "Back."]);
}

#[test]
fn unknown_and_ambiguous_sessions_are_usage_errors() {
    let world = World::new();
    let model = world.scenario(&says("Here."));
    world.wardian(&["log"]).exits(2).says(&["no session yet"]);
    world.wardian(&["run", "-m", &model, "1"]).exits(0);
    world.wardian(&["run", "-m", &model, "2"]).exits(0);
    world.wardian(&["log", "nope"]).exits(2).says(&["no session \"nope\""]);
    world.wardian(&["run", "-m", &model, "--session", "2", "x"]).exits(2).says(&["fits several sessions"]);
    world.wardian(&["replay", "../home"]).exits(2).says(&["no session"]);
}

#[test]
fn calls_of_one_answer_run_at_the_same_time() {
    let world = World::new();
    let sleep = json!({"tool": "Sleep", "input": {"ms": 400}});
    let model = world.scenario(&json!({"turns": [{"calls": vec![sleep; 4]}, {"text": "Rested."}]}));
    let guests = suites::dist::guests();
    world.wardian(&["run", "-m", &model, "--component", &guests, "Sleep."]).exits(0);
    let session = world.session();
    let events = session.events();
    let types = types(&events);
    let first_result = types.iter().position(|kind| *kind == "tool.result").unwrap();
    let started = types[..first_result].iter().filter(|kind| **kind == "tool.use").count();
    assert_eq!(started, 4, "all are started before the first has ended: {types:?}");
    world.check(&session);
}

#[test]
fn calls_that_waited_for_their_turn_replay() {
    // The first makes room for the third while the second is under way: a replay must not take it for lost.
    let world = World::new();
    world.file("wardian.toml", "[session]\nparallel_calls_max = 2\n");
    let sleep = |ms: u64| json!({"tool": "Sleep", "input": {"ms": ms}});
    let calls = json!([sleep(50), sleep(500), {"tool": "Echo", "input": {"text": "third"}}]);
    let model = world.scenario(&json!({"turns": [{ "calls": calls }, {"text": "Rested."}]}));
    world.wardian(&["run", "-m", &model, "--component", &suites::dist::guests(), "Sleep."]).exits(0);
    let session = world.session();
    let events = session.events();
    let order: Vec<_> = of(&events, "tool.result").iter().map(|event| event["id"].clone()).collect();
    assert_eq!(order, ["call_1_1", "call_1_3", "call_1_2"]);
    world.check(&session);
}

#[test]
fn a_task_may_come_on_stdin() {
    let world = World::new();
    let model = world.scenario(&says("Read."));
    world.wardian_with("Line one.\nLine two: ü\n", &["run", "-m", &model, "-"]).exits(0);
    assert_eq!(world.session().events()[1]["text"], "Line one.\nLine two: ü\n");
}

#[test]
fn a_project_s_instructions_and_prompt_reach_the_model_whole() {
    let world = World::new();
    let long = "ä".repeat(100_000);
    let model = world.scenario(&json!({"template": true, "turns": [{"text": "{{ prompt|length }} characters"}]}));
    world.wardian_with(&long, &["run", "-m", &model, "-"]).exits(0).prints(&["100000 characters"]);
}

#[test]
fn a_long_journal_goes_on() {
    const EVENTS: u64 = 100_000;
    let world = World::new();
    let folder = world.home().join("sessions/long");
    std::fs::create_dir_all(&folder).unwrap();
    synthesize(&folder.join(journal::FILE), EVENTS).unwrap();
    let session = world.session();
    world.settings("[session]\ncontext_bytes_max = 100000000\n");
    let model = world.scenario(&json!({"template": true, "turns": [{"text": "{{ results|length }} results"}]}));
    let done = world.wardian(&["run", "-m", &model, "--session", "long", "And now?"]).exits(0);
    let results = of(&session.events(), "tool.result").len();
    assert!(results > 9_000);
    done.prints(&[&format!("{results} results")]);
    assert_eq!(session.events().len() as u64, EVENTS + 5);
    world.wardian(&["log", "long", "--verify"]).exits(0);
}

#[test]
fn synthetic_journals_are_like_real_ones() {
    for events in [1, 2, 4, 5, 10, 11, 12, 15, 137] {
        let world = World::new();
        let folder = world.home().join("sessions/made");
        std::fs::create_dir_all(&folder).unwrap();
        synthesize(&folder.join(journal::FILE), events).unwrap();
        let session = world.session();
        assert_eq!(session.events().len() as u64, events);
        world.check(&session);
    }
}
