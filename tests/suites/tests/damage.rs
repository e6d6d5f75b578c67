//! Journals that are not as they were written: what can be mended is, the rest is named and nothing is built on it.

use std::fs;

use serde_json::json;
use suites::journal::{self, GENESIS, of};
use suites::world::{Session, World};

/// A finished session of two runs.
fn finished() -> (World, Session, String) {
    let world = World::new();
    world.file("a.txt", "a\n");
    let turns =
        json!([{"text": "I look.", "calls": [{"tool": "Read", "input": {"file_path": "a.txt"}}]}, {"text": "Done."}]);
    let model = world.scenario(&json!({ "turns": turns }));
    world.wardian(&["run", "-m", &model, "One."]).exits(0);
    world.wardian(&["run", "-m", &model, "--continue", "Two."]).exits(0);
    let session = world.session();
    (world, session, model)
}

/// Whatever looks at the session says what is wrong, by line; reading it stays possible; nothing is changed.
#[track_caller]
fn is_refused(world: &World, session: &Session, model: &str, line: Option<u64>, reason: &str) {
    let before = fs::read(session.journal()).unwrap();
    let at = line.map(|line| format!("line {line}")).unwrap_or_default();
    world.wardian(&["log", &session.id, "--verify"]).exits(5).says(&[&session.id, &at, reason]);
    let verified = world.wardian(&["log", &session.id, "--verify", "--json"]).exits(5).json();
    assert_eq!((&verified["ok"], &verified["line"]), (&json!(false), &json!(line)));
    world.wardian(&["log", &session.id]).exits(0);
    world.wardian(&["replay", &session.id]).exits(5).says(&[&at, reason]);
    world.wardian(&["run", "-m", model, "--session", &session.id, "More."]).exits(5).says(&[&at, reason]);
    world.wardian(&["sessions"]).exits(0);
    assert_eq!(fs::read(session.journal()).unwrap(), before, "a damaged journal must stay as it is");
}

#[test]
fn a_torn_last_line_is_cut_off_and_the_session_goes_on() {
    let (world, session, model) = finished();
    let whole = fs::read(session.journal()).unwrap();
    let torn = &b"{\"seq\":99,\"ts\":\"20"[..];
    fs::write(session.journal(), [&whole, torn].concat()).unwrap();
    let verified = world.wardian(&["log", &session.id, "--verify", "--json"]).exits(0).json();
    assert_eq!(verified["torn_bytes"], torn.len());
    world.wardian(&["log", &session.id, "--verify"]).exits(0).prints(&["torn line of 18 bytes"]);
    let done = world.wardian(&["run", "-m", &model, "--continue", "Three."]).exits(0);
    done.says(&["cut a torn line of 18 bytes"]);
    assert!(fs::read(session.journal()).unwrap().starts_with(&whole));
    world.check(&session);
}

#[test]
fn a_run_that_was_torn_in_the_middle_is_closed() {
    // As a power cut leaves it: the last run has no end, its last line is half there, the seal is of the run before.
    let (world, session, model) = finished();
    let lines = journal::lines(&session.journal());
    let events = session.events();
    let at = events.iter().rposition(|event| event["type"] == "tool.use").unwrap();
    let kept = lines[..=at].join("\n") + "\n" + &lines[at + 1][..40];
    fs::write(session.journal(), kept).unwrap();
    let end = events.iter().position(|event| event["type"] == "session.end").unwrap();
    let head = json!({"events": end + 1, "sha256": journal::sha256(lines[end].as_bytes())});
    fs::write(session.folder.join("head.json"), head.to_string()).unwrap();
    let done = world.wardian(&["run", "-m", &model, "--continue", "Three."]).exits(0);
    done.says(&["cut a torn line of 40 bytes", "answered as interrupted"]);
    let kinds: Vec<_> =
        of(&session.events(), "tool.result").iter().map(|event| event["error"]["kind"].clone()).collect();
    assert_eq!(kinds, [json!(null), json!("interrupted"), json!(null)]);
    world.check(&session);
}

#[test]
fn a_flipped_bit_in_the_middle_is_found() {
    let (world, session, model) = finished();
    let mut bytes = fs::read(session.journal()).unwrap();
    let at = bytes.windows(7).position(|window| window == b"I look.").unwrap();
    let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
    bytes[at] ^= 1;
    fs::write(session.journal(), bytes).unwrap();
    // The line itself is still a line; it is the next one that does not fit to it.
    is_refused(&world, &session, &model, Some(line + 1), "prev is not the digest of the line before");
}

#[test]
fn a_flipped_bit_in_the_last_line_is_found() {
    let (world, session, model) = finished();
    let mut bytes = fs::read(session.journal()).unwrap();
    let at = bytes.windows(5).rposition(|window| window == b"Done.").unwrap();
    bytes[at] ^= 1;
    fs::write(session.journal(), bytes).unwrap();
    let last = session.events().len() as u64;
    is_refused(&world, &session, &model, Some(last), "not the one that was written last");
}

#[test]
fn a_line_that_was_taken_out_is_found() {
    let (world, session, model) = finished();
    let mut lines = journal::lines(&session.journal());
    lines.remove(4);
    fs::write(session.journal(), lines.join("\n") + "\n").unwrap();
    is_refused(&world, &session, &model, Some(5), "seq is 5, not 4");
}

#[test]
fn a_journal_cut_short_after_a_finished_run_is_found() {
    let (world, session, model) = finished();
    let lines = journal::lines(&session.journal());
    let kept = lines.len() - 3;
    fs::write(session.journal(), lines[..kept].join("\n") + "\n").unwrap();
    let reason = format!("had {} lines", lines.len());
    is_refused(&world, &session, &model, Some(kept as u64 + 1), &reason);
}

#[test]
fn a_later_format_is_left_alone() {
    let (world, session, model) = finished();
    let line = journal::lines(&session.journal())[0].replace("\"format\":1", "\"format\":2");
    fs::write(session.journal(), line + "\n").unwrap();
    is_refused(&world, &session, &model, None, "format 2");
}

#[test]
fn bytes_that_are_no_text_are_named_by_line() {
    let (world, session, model) = finished();
    let mut bytes = fs::read(session.journal()).unwrap();
    let at = bytes.windows(7).position(|window| window == b"I look.").unwrap();
    let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
    bytes[at] = 0xff;
    fs::write(session.journal(), bytes).unwrap();
    is_refused(&world, &session, &model, Some(line), "not UTF-8");
}

#[test]
fn garbage_is_no_journal() {
    let (world, session, model) = finished();
    fs::write(session.journal(), "what is this?\nmore of it\n").unwrap();
    is_refused(&world, &session, &model, Some(1), "no event");
}

#[test]
fn a_journal_that_begins_with_something_else_is_refused() {
    let (world, session, model) = finished();
    let ts = "2026-01-01T00:00:00.000Z";
    let line = json!({"seq": 0, "ts": ts, "prev": GENESIS, "type": "user.message", "text": "hi"});
    fs::write(session.journal(), format!("{line}\n")).unwrap();
    is_refused(&world, &session, &model, Some(1), "session.start");
}

#[test]
fn an_emptied_journal_is_found() {
    let (world, session, model) = finished();
    fs::write(session.journal(), "").unwrap();
    is_refused(&world, &session, &model, Some(1), "had");
}

#[test]
fn an_unreadable_seal_is_found() {
    let (world, session, model) = finished();
    fs::write(session.folder.join("head.json"), "{").unwrap();
    let last = session.events().len() as u64;
    is_refused(&world, &session, &model, Some(last), "head.json");
}

#[test]
fn one_damaged_session_hides_no_other() {
    let (world, session, model) = finished();
    world.wardian(&["run", "-m", &model, "A session of its own."]).exits(0);
    fs::write(session.journal(), "garbage\n").unwrap();
    let sessions = world.wardian(&["sessions", "--json"]).exits(0).json();
    let sessions = sessions.as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions.iter().filter(|one| one["error"].is_string()).count(), 1);
    assert_eq!(sessions.iter().filter(|one| one["stop"] == "done").count(), 1);
}
