//! Several calls of one session at once, each a program of its own on the same layer.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use suites::files::{Answer, Step};
use suites::overlay::{Overlay, Started};

use super::{ok, write};

const CALLS: usize = 8;

/// What each of them does, again and again.
const ROUNDS: usize = 40;

fn work(call: usize) -> Vec<Step> {
    let mut steps = vec![
        Step::Mkdir { path: format!("own-{call}") },
        // All of them open the same file of the project, which is copied once.
        Step::Open { path: "log".into(), flags: "a".into(), handle: 1 },
    ];
    for round in 0..ROUNDS {
        let name = format!("own-{call}/{round}");
        steps.extend([
            write(&name, &format!("{call} {round}\n")),
            Step::Rename { from: name.clone(), to: format!("shared/{call}-{round}") },
            Step::Put { handle: 1, text: format!("{call} {round}\n") },
            Step::Create { path: format!("token-{round}"), text: format!("{call}\n") },
            Step::Mkdir { path: format!("made-{round}") },
            Step::Unlink { path: format!("old/{round}") },
            Step::Append { path: "all".into(), text: format!("{call} {round}\n") },
        ]);
    }
    steps
}

/// How many of them did a step that only one can do.
fn done(all: &[Vec<Answer>], at: impl Fn(usize) -> usize, round: usize, otherwise: &str) -> usize {
    let answers: Vec<_> = all.iter().map(|answers| &answers[at(round)]).collect();
    let others = Answer::Error(otherwise.to_owned());
    assert!(answers.iter().all(|answer| answer.is_ok() || **answer == others), "{answers:?}");
    answers.iter().filter(|answer| answer.is_ok()).count()
}

#[test]
fn nothing_is_lost_and_nothing_happens_twice() {
    let overlay = Overlay::new();
    overlay.file("log", "first\n");
    overlay.file("shared/of-the-project", "");
    for round in 0..ROUNDS {
        overlay.file(&format!("old/{round}"), "to go\n");
    }
    overlay.step(write("all", ""));
    let before = overlay.project_tree();
    let started: Vec<Started> = (0..CALLS).map(|call| overlay.start(&work(call))).collect();
    let all: Vec<Vec<Answer>> = started.into_iter().map(Started::answers).collect();

    for round in 0..ROUNDS {
        let at = |step: usize| move |round: usize| 2 + round * 7 + step;
        assert_eq!(done(&all, at(3), round, "EEXIST"), 1, "token {round} was created by one of them");
        assert_eq!(done(&all, at(4), round, "EEXIST"), 1, "directory {round} was made by one of them");
        assert_eq!(done(&all, at(5), round, "ENOENT"), 1, "file {round} was removed by one of them");
        for step in [0, 1, 2, 6] {
            assert_eq!(done(&all, at(step), round, ""), CALLS, "everybody did step {step}");
        }
    }
    let expected: BTreeSet<String> =
        (0..CALLS).flat_map(|call| (0..ROUNDS).map(move |round| format!("{call} {round}"))).collect();
    for (path, first) in [("log", Some("first")), ("all", None)] {
        // Longer than what a step shows: from the layer, by way of a commit below.
        overlay.review().commit_paths(&[path.to_owned()]).unwrap();
        let text = std::fs::read_to_string(overlay.project().join(path)).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        if let Some(first) = first {
            assert_eq!(lines.remove(0), first);
        }
        assert_eq!(lines.len(), expected.len(), "every line of {path} is there once");
        assert_eq!(lines.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), expected);
    }
    let tree = overlay.tree();
    for call in 0..CALLS {
        for round in 0..ROUNDS {
            assert_eq!(tree[&format!("shared/{call}-{round}")], format!("file \"{call} {round}\\n\""));
        }
    }
    assert_eq!(tree.keys().filter(|path| path.starts_with("shared/")).count(), CALLS * ROUNDS + 1);
    assert_eq!(tree.keys().filter(|path| path.starts_with("token-")).count(), ROUNDS);
    assert_eq!(tree.keys().filter(|path| path.starts_with("old/")).count(), 0);
    // And all of it is there to be committed.
    overlay.review().commit_all().unwrap();
    assert_eq!(overlay.project_tree(), tree);
    let mut review = overlay.review();
    for _ in 0..3 {
        review.undo().unwrap();
    }
    assert_eq!(overlay.project_tree(), before);
}

#[test]
fn each_sees_what_the_others_have_finished() {
    let overlay = Overlay::new();
    overlay.file("ball", "0\n");
    let player = |mine: &'static str, other: &'static str, serves: bool| {
        let mut steps = Vec::new();
        for turn in 0..50 {
            let wait = [
                Step::Await { path: format!("{other}-{turn}/there") },
                Step::Read { path: "ball".into() },
                Step::List { path: format!("{other}-{turn}") },
                Step::RemoveTree { path: format!("{other}-{turn}") },
            ];
            // Renamed into place as a whole, so that who sees one sees all.
            let play = [
                write("ball", &format!("{mine} {turn}\n")),
                Step::Mkdir { path: format!("{mine}-new") },
                write(&format!("{mine}-new/there"), ""),
                write(&format!("{mine}-new/with"), ""),
                Step::Rename { from: format!("{mine}-new"), to: format!("{mine}-{turn}") },
            ];
            if serves {
                steps.extend(play.into_iter().chain(wait));
            } else {
                steps.extend(wait.into_iter().chain(play));
            }
        }
        steps
    };
    let (one, other) = (overlay.start(&player("ping", "pong", true)), overlay.start(&player("pong", "ping", false)));
    for (answers, from, offset) in [(one.answers(), "pong", 5), (other.answers(), "ping", 0)] {
        assert!(answers.iter().all(Answer::is_ok), "{answers:?}");
        for turn in 0..50 {
            let at = turn * 9 + offset;
            assert_eq!(answers[at + 1], ok(json!(format!("{from} {turn}\n"))));
            assert_eq!(answers[at + 2], ok(json!(["there", "with"])));
        }
    }
    assert_eq!(overlay.tree().len(), 1);
}

#[test]
fn a_review_takes_part_as_well() {
    let overlay = Overlay::new();
    overlay.file("a", "before\n");
    let mut steps = vec![write("a", "after\n"), write("started", "")];
    steps.extend([Step::Await { path: "go".into() }, Step::Read { path: "a".into() }, write("a", "and on\n")]);
    let started = overlay.start(&steps);
    let mut review = overlay.review();
    let start = std::time::Instant::now();
    while review.changes().len() < 2 {
        assert!(start.elapsed() < Duration::from_secs(30), "the review does not see what the call has done");
        std::thread::sleep(Duration::from_millis(2));
    }
    review.discard(&["a".to_owned()]).unwrap();
    overlay.step(write("go", ""));
    assert_eq!(started.answers()[3], ok(json!("before\n")), "the call sees what the review has done");
    assert_eq!(overlay.step(Step::Read { path: "a".into() }), json!("and on\n"));
    review.commit_paths(&["a".to_owned()]).unwrap();
    assert_eq!(std::fs::read_to_string(overlay.project().join("a")).unwrap(), "and on\n");
}
