use super::*;
use crate::journal::{Contents, Journal};
use crate::recorder::Live;
use crate::{resume, testing};

fn commit(number: u64, undoes: Option<u64>) -> Commit {
    let (paths, before, after) = (vec!["a".into()], vec![String::new()], vec!["00".into()]);
    Commit { number, undoes, paths, before, after }
}

fn numbers(commits: Vec<Commit>) -> Vec<u64> {
    commits.into_iter().map(|commit| commit.number).collect()
}

#[test]
fn a_call_that_touches_very_many_paths_gets_a_thousand_lines_and_a_count() {
    let lines = |count: usize| -> Vec<event::WorkspaceChange> {
        let touched = (0..count).map(|n| review::Touched { path: format!("p{n}"), kind: Kind::Added }).collect();
        let changes = change_events("c", touched).map(|event| match event {
            Event::WorkspaceChange(change) => change,
            other => panic!("{other:?}"),
        });
        changes.collect()
    };
    assert!(lines(0).is_empty());
    let all = lines(1_000);
    assert_eq!(all.len(), 1_000);
    assert!(all.iter().all(|change| change.count.is_none() && change.kind == "added" && change.id == "c"));
    let cut = lines(1_234);
    assert_eq!(cut.len(), 1_001);
    assert_eq!(cut[999].path, "p999");
    let more = event::WorkspaceChange { path: String::new(), kind: "more".into(), id: "c".into(), count: Some(234) };
    assert_eq!(cut[1_000], more);
}

#[test]
fn lines_are_as_documented() {
    let line = |event: Event| serde_json::to_string(&event).unwrap();
    assert_eq!(
        line(testing::change("c", "a b")),
        r#"{"type":"workspace.change","path":"a b","kind":"modified","id":"c"}"#
    );
    assert_eq!(
        line(commit_event(commit(1, None))),
        r#"{"type":"workspace.commit","commit":1,"paths":["a"],"before":[""],"after":["00"]}"#
    );
    assert_eq!(
        line(commit_event(commit(2, Some(1)))),
        r#"{"type":"workspace.undo","commit":2,"undoes":1,"paths":["a"],"before":[""],"after":["00"]}"#
    );
    assert_eq!(line(testing::discard()), r#"{"type":"workspace.discard","paths":["b"]}"#);
}

#[test]
fn what_is_missing_is_in_order_and_there_once() {
    let history = |numbers: &[u64]| numbers.iter().map(|number| commit(*number, None)).collect::<Vec<_>>();
    assert!(missing(0, history(&[]), None).is_empty());
    assert_eq!(numbers(missing(0, history(&[2, 1, 2]), None)), [1, 2]);
    assert_eq!(numbers(missing(2, history(&[1, 2, 3, 4]), None)), [3, 4]);
    assert_eq!(numbers(missing(2, history(&[3]), Some(commit(3, None)))), [3]);
    // The record could not be read: what is known is written all the same.
    assert_eq!(numbers(missing(2, history(&[]), Some(commit(3, None)))), [3]);
    assert_eq!(numbers(missing(0, history(&[1]), Some(commit(2, None)))), [1, 2]);
}

/// Commits and undos that a journal has, as they would be found at `open`.
fn recorded(folder: &std::path::Path) -> (Vec<u64>, u64) {
    #[derive(serde::Deserialize)]
    struct Line {
        commit: u64,
    }
    let contents = Contents::read(folder).unwrap();
    let found = contents.lines().filter(|line| line.contains("\"type\":\"workspace."));
    let numbers = found.map(|line| serde_json::from_str::<Line>(line).unwrap().commit).collect();
    (numbers, resume::read(&contents).unwrap().commit)
}

#[test]
fn the_journal_catches_up_after_a_crash_and_has_nothing_twice() {
    let (folder, _) = testing::journal([testing::start(false), testing::says("hi"), testing::end("done")]);
    // Each process finds the journal as the one before left it, and the workspace's record with `before` entries; it then
    // makes as many as `made` says.
    let record = [commit(1, None), commit(2, None), commit(3, Some(2)), commit(4, None)];
    let process = |before: usize, made: usize| {
        let contents = Contents::read(folder.path()).unwrap();
        let mut last = resume::read(&contents).unwrap().commit;
        let mut recorder = Recorder::Live(Live::new(Journal::resume(folder.path(), &contents).unwrap(), 0));
        let mut catch_up = |entries: usize, made: Option<Commit>| {
            let history = record[..entries].iter().filter(|commit| commit.number > last).cloned().collect();
            record_commits(&mut recorder, &mut last, history, made).unwrap();
            last
        };
        let mut told = catch_up(before, None);
        for entries in before + 1..=before + made {
            catch_up(entries - 1, None);
            told = catch_up(entries, Some(record[entries - 1].clone()));
        }
        let (numbers, last) = recorded(folder.path());
        assert_eq!(last, told);
        numbers
    };
    assert!(process(0, 0).is_empty());
    assert_eq!(process(0, 1), [1]);
    assert_eq!(process(1, 0), [1]);
    // Two took place without a line.
    assert_eq!(process(3, 1), [1, 2, 3, 4]);
    assert_eq!(process(4, 0), [1, 2, 3, 4]);
}

#[test]
fn a_torn_line_about_a_commit_is_written_anew() {
    let (folder, contents) = testing::journal([testing::start(false), testing::commit(1, None)]);
    let path = folder.path().join(FILE);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
    drop(contents);
    let contents = Contents::read(folder.path()).unwrap();
    let mut last = resume::read(&contents).unwrap().commit;
    assert_eq!(last, 0);
    let mut recorder = Recorder::Live(Live::new(Journal::resume(folder.path(), &contents).unwrap(), 0));
    record_commits(&mut recorder, &mut last, vec![commit(1, None)], None).unwrap();
    assert_eq!(recorded(folder.path()), (vec![1], 1));
}

#[test]
fn without_an_open_session_nothing_is_changed() {
    assert_eq!(before_change(), Err(Error::ReadOnly));
    assert_eq!(Session::undo(), Err(Error::ReadOnly));
    assert_eq!(Session::recover(), Err(Error::ReadOnly));
    assert_eq!(Session::discard(Vec::new(), false), Err(Error::ReadOnly));
}

#[test]
fn in_a_replay_nothing_is_changed() {
    let (_folder, contents) = testing::journal([testing::start(false)]);
    state::set_replay(contents, Vec::new()).unwrap();
    assert_eq!(before_change(), Err(Error::ReadOnly));
}

#[test]
fn a_commit_that_is_not_journaled_is_told_apart_from_one_that_failed() {
    let told = |made: &Commit| unrecorded(Some(made), "cannot append to journal.jsonl: no space");
    assert!(told(&commit(3, None)).starts_with("commit 3 took place, but it is not in the journal yet: cannot append"));
    assert!(told(&commit(4, Some(3))).starts_with("commit 3 was undone (as number 4), but"));
}
