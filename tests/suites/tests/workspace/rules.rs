//! What is hidden, what cannot be changed, what is left out of the review.

use std::fs;

use suites::files::{Answer, Step};
use suites::overlay::Overlay;
use wardian_host::wit::{CommitOptions, ReviewError, Selected};

use super::{error, list, model, ok, read, stat, write};

fn paths(changes: &[wardian_host::wit::Change]) -> Vec<&str> {
    changes.iter().map(|change| change.path.as_str()).collect()
}

#[test]
fn what_is_hidden_is_as_if_it_were_not_there() {
    let overlay = Overlay::new();
    let hidden =
        [".env", ".git/config", "sub/.ENV.local", "sub/a.key", "own/x", "sub/b.secret", "sub/Own/y", ".ssh/config"];
    for path in hidden {
        overlay.file(path, "hidden\n");
    }
    overlay.file(".wardianignore", "own/\n*.secret\n!kept.secret\n");
    for path in ["sub/.env.example", "sub/kept.secret", "sub/shown", "sub/git", "environment"] {
        overlay.file(path, "shown\n");
    }
    let before = overlay.project_tree();
    let seen: Vec<String> = overlay.tree().into_keys().collect();
    let expected =
        [".wardianignore", "environment", "sub", "sub/.env.example", "sub/git", "sub/kept.secret", "sub/shown"];
    assert_eq!(seen, expected);
    for path in hidden {
        let path = || path.to_owned();
        let steps = [
            (read(&path()), "ENOENT"),
            (stat(&path()), "ENOENT"),
            (Step::Lstat { path: path() }, "ENOENT"),
            (Step::Unlink { path: path() }, "ENOENT"),
            (Step::Append { path: path(), text: "x".into() }, "ENOENT"),
            (Step::Truncate { path: path(), bytes: 0 }, "ENOENT"),
            (Step::Rename { from: path(), to: "stolen".into() }, "ENOENT"),
            (Step::Link { from: path(), to: "stolen".into() }, "ENOENT"),
        ];
        let (steps, expected): (Vec<_>, Vec<_>) = steps.into_iter().unzip();
        for ((step, expected), answer) in steps.iter().zip(expected).zip(overlay.steps(&steps)) {
            assert_eq!(answer, error(expected), "{step:?}");
        }
    }
    // Nor can anything be put in its place: what is below a hidden directory has no directory.
    for path in
        [".env", ".git", "sub/.Env", "new.pem", "new/own", ".netrc", "sub/new.SECRET", ".gi\u{200c}t", ".env.", "GIT~1"]
    {
        let steps = [
            write(path, "x"),
            Step::Mkdir { path: path.into() },
            Step::Symlink { target: "shown".into(), path: path.into() },
            Step::Rename { from: "environment".into(), to: path.into() },
            Step::Link { from: "environment".into(), to: path.into() },
        ];
        for (step, answer) in steps.iter().zip(overlay.steps(&steps)) {
            assert!(
                answer == error("EPERM") || (path == "new/own" && answer == error("ENOENT")),
                "{step:?}: {answer:?}"
            );
        }
    }
    // A directory with something hidden in it stays, whole.
    for step in [
        Step::RemoveTree { path: "sub".into() },
        Step::Rename { from: "sub".into(), to: "moved".into() },
        Step::Rename { from: "own".into(), to: "mine".into() },
    ] {
        let answer = overlay.steps(std::slice::from_ref(&step));
        assert!(!answer[0].is_ok(), "{step:?}: {answer:?}");
    }
    overlay.review().commit_all().unwrap();
    let after = overlay.project_tree();
    for path in hidden {
        assert_eq!(after.get(path), before.get(path), "{path}");
    }
    overlay.review().undo().unwrap();
    assert_eq!(overlay.project_tree(), before);
}

#[test]
fn a_session_does_not_change_its_own_bounds() {
    let overlay = Overlay::new();
    overlay.file(".wardianignore", "secret\n");
    overlay.file("wardian.toml", "approve = \"ask\"\n");
    overlay.file("secret", "secret\n");
    overlay.file("sub/wardian.toml", "somebody else's\n");
    for path in [".wardianignore", "wardian.toml", "WARDIAN.TOML"] {
        let path = || path.to_owned();
        let steps = [
            write(&path(), ""),
            Step::Append { path: path(), text: "x".into() },
            Step::Truncate { path: path(), bytes: 0 },
            Step::Unlink { path: path() },
            Step::Touch { path: path(), seconds: 1 },
            Step::Rename { from: path(), to: "moved".into() },
            Step::Link { from: path(), to: "linked".into() },
            Step::Rename { from: "sub/wardian.toml".into(), to: path() },
        ];
        for (step, answer) in steps.iter().zip(overlay.steps(&steps)) {
            let absent = path() == "WARDIAN.TOML" && answer == error("ENOENT");
            assert!(answer == error("EPERM") || absent, "{step:?}: {answer:?}");
        }
    }
    assert_eq!(overlay.steps(&[read("wardian.toml"), read("secret")]), [ok("approve = \"ask\"\n"), error("ENOENT")]);
    overlay.step(write("sub/wardian.toml", "changed\n"));
    assert_eq!(paths(&overlay.review().changes()), ["sub/wardian.toml"]);
}

#[test]
fn rules_that_cannot_be_read_let_nothing_be_seen() {
    let overlay = Overlay::new();
    overlay.file("rules", "secret\n");
    overlay.file("secret", "hidden\n");
    overlay.file("shown", "shown\n");
    std::os::unix::fs::symlink("rules", overlay.project().join(".wardianignore")).unwrap();
    for answer in overlay.steps(&[read("secret"), read("shown"), list("")]) {
        assert!(!answer.is_ok(), "{answer:?}");
    }
    fs::remove_file(overlay.project().join(".wardianignore")).unwrap();
    overlay.file(".wardianignore", &"x\n".repeat(2000));
    assert!(overlay.steps(&[read("shown")]).iter().all(|answer| !answer.is_ok()));
    overlay.file(".wardianignore", "secret\n");
    assert_eq!(overlay.steps(&[read("secret"), read("shown")]), [error("ENOENT"), ok("shown\n")]);
}

#[test]
fn build_output_is_left_out_of_the_review_unless_it_is_asked_for() {
    let overlay = Overlay::new();
    overlay.file(".gitignore", "*.log\n!keep.log\n/out/\n");
    overlay.file("out/old", "old\n");
    overlay.file("src/main", "main\n");
    let steps = [
        Step::Mkdir { path: "target".into() },
        write("target/made", "made\n"),
        write("out/old", "changed\n"),
        write("out/new", "new\n"),
        write("x.log", "log\n"),
        write("keep.log", "kept\n"),
        write("src/main", "changed\n"),
        Step::Mkdir { path: "src/node_modules".into() },
        write("src/node_modules/package", "package\n"),
    ];
    assert!(overlay.steps(&steps).iter().all(Answer::is_ok));
    // It can be used.
    assert_eq!(overlay.steps(&[read("target/made"), read("x.log")]), [ok("made\n"), ok("log\n")]);
    let mut review = overlay.review();
    let (shown, ignored) = review.shown();
    assert_eq!((paths(&shown), ignored), (vec!["keep.log", "src/main"], 5));
    let all = review.changes();
    let expected = ["keep.log", "out/new", "out/old", "src/main", "src/node_modules/package", "target/made", "x.log"];
    assert_eq!(paths(&all), expected);
    assert_eq!(all.iter().filter(|change| change.ignored).count(), 5);

    let commit = review.commit(&CommitOptions { selection: None, ignored: false, overwrite: false }).unwrap();
    assert_eq!(commit.paths, ["keep.log", "src/main"]);
    assert!(!overlay.project().join("target").exists());
    assert_eq!(fs::read_to_string(overlay.project().join("out/old")).unwrap(), "old\n");
    // Nothing of it is lost, and who names one means it.
    assert_eq!(overlay.steps(&[read("out/old"), read("target/made")]), [ok("changed\n"), ok("made\n")]);
    let select = |path: &str| CommitOptions {
        selection: Some(vec![Selected { path: path.into(), blocks: None }]),
        ignored: false,
        overwrite: false,
    };
    assert!(matches!(review.commit(&select("target")), Err(ReviewError::NoChange(_) | ReviewError::Nothing)));
    assert_eq!(review.commit(&select("out/old")).unwrap().paths, ["out/old"]);
    let commit = review.commit_all().unwrap();
    let expected = ["out/new", "src/node_modules", "src/node_modules/package", "target", "target/made", "x.log"];
    assert_eq!(commit.paths, expected);
    assert_eq!(overlay.tree(), overlay.project_tree());
    for _ in 0..3 {
        review.undo().unwrap();
    }
    assert_eq!(model::paths(&overlay.project()), [".gitignore", "out", "out/old", "src", "src/main"]);
}

/// What was moved has bytes of its own, whatever becomes of the old name.
#[test]
fn what_was_moved_outlives_what_it_was_moved_from() {
    let overlay = Overlay::new();
    // More than what is kept of a base for merging.
    let large = "0123456789abcdef".repeat(400_000);
    for (path, text) in [("removed", "a\n"), ("changed", "b\n"), ("large", &large), ("dir/sub/inner", "c\n")] {
        overlay.file(path, text);
    }
    let moved = [("removed", "to/removed"), ("changed", "to/changed"), ("large", "to/large"), ("dir", "to/dir")];
    let rename = |(from, to): &(&str, &str)| Step::Rename { from: (*from).into(), to: (*to).into() };
    let steps: Vec<_> = std::iter::once(Step::Mkdir { path: "to".into() }).chain(moved.iter().map(rename)).collect();
    assert!(overlay.steps(&steps).iter().all(Answer::is_ok));
    fs::remove_file(overlay.project().join("removed")).unwrap();
    overlay.file("changed", "the user's\n");
    fs::remove_file(overlay.project().join("large")).unwrap();
    fs::remove_dir_all(overlay.project().join("dir")).unwrap();

    let paths = ["to/removed", "to/changed", "to/large", "to/dir/sub/inner"];
    // A large one is answered with its length and digest.
    let read = overlay.steps(&paths.map(read));
    assert_eq!(read[..2], ["a\n", "b\n"].map(ok));
    assert!(
        matches!(&read[2], Answer::Ok(serde_json::Value::String(told)) if told.starts_with("6400000 bytes")),
        "{:?}",
        read[2]
    );
    assert_eq!(read[3], ok("c\n"));
    let mut review = overlay.review();
    let found: Vec<_> = review.changes().into_iter().map(|change| (change.path, change.conflict.is_some())).collect();
    let expected = ["changed", "to/changed", "to/dir/sub/inner", "to/large", "to/removed"];
    assert_eq!(found, expected.map(|path| (path.to_owned(), path == "changed")), "what the user changed is a conflict");
    review.commit_paths(&["to".to_owned()]).unwrap();
    for (path, text) in paths.iter().zip(["a\n", "b\n", &large, "c\n"]) {
        assert_eq!(fs::read_to_string(overlay.project().join(path)).unwrap(), text, "{path}");
    }
    assert_eq!(fs::read_to_string(overlay.project().join("changed")).unwrap(), "the user's\n");
}

/// What the user does meanwhile counts.
#[test]
fn the_project_lives_on() {
    let overlay = Overlay::new();
    let lines: String = (0..30).map(|line| format!("line {line}\n")).collect();
    for path in ["merged", "conflict", "gone", "deleted", "same", "dir/file"] {
        overlay.file(path, &lines);
    }
    let change = |from: usize, to: &str| lines.replace(&format!("line {from}\n"), &format!("{to}\n"));
    let steps = [
        write("merged", &change(3, "ours")),
        write("conflict", &change(3, "ours")),
        write("gone", &change(3, "ours")),
        Step::Unlink { path: "deleted".into() },
        write("same", &change(3, "both")),
        write("added", "ours\n"),
        Step::Unlink { path: "dir/file".into() },
    ];
    assert!(overlay.steps(&steps).iter().all(Answer::is_ok));
    overlay.file("merged", &change(20, "theirs"));
    overlay.file("conflict", &change(3, "theirs"));
    fs::remove_file(overlay.project().join("gone")).unwrap();
    overlay.file("deleted", &change(3, "theirs"));
    overlay.file("same", &change(3, "both"));
    overlay.file("added", "theirs\n");
    overlay.file("fresh", "theirs\n");
    // The directory was moved, and a link left in its place: what is behind it is not what was deleted.
    fs::rename(overlay.project().join("dir"), overlay.project().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink("elsewhere", overlay.project().join("dir")).unwrap();
    assert_eq!(overlay.steps(&[read("fresh")]), [ok("theirs\n")]);

    let mut review = overlay.review();
    let changes = review.changes();
    let found: Vec<_> = changes
        .iter()
        .map(|change| (change.path.as_str(), change.conflict.map(|conflict| format!("{conflict:?}"))))
        .collect();
    let conflict = |name: &str| Some(format!("Conflict::{name}"));
    assert_eq!(
        found,
        [
            ("added", conflict("BothAdded")),
            ("conflict", conflict("BothChanged")),
            ("deleted", conflict("ChangedInProject")),
            ("dir/file", conflict("InTheWay")),
            ("gone", conflict("DeletedInProject")),
            ("merged", None),
        ]
    );
    let before = overlay.project_tree();
    assert!(matches!(review.commit_all(), Err(ReviewError::Conflict(conflicts)) if conflicts.len() == 5));
    assert_eq!(overlay.project_tree(), before, "with one conflict nothing happens");
    review.commit_paths(&["merged".to_owned()]).unwrap();
    let merged = fs::read_to_string(overlay.project().join("merged")).unwrap();
    assert_eq!(merged, change(3, "ours").replace("line 20\n", "theirs\n"));
    assert_eq!(overlay.steps(&[read("merged")])[0], overlay.steps(&[read("merged")])[0]);
    // An undo takes back what the user has not changed since, and nothing else.
    overlay.file("merged", "the user's\n");
    assert!(matches!(review.undo(), Err(ReviewError::ChangedSince(paths)) if paths == ["merged"]));
    assert_eq!(fs::read_to_string(overlay.project().join("merged")).unwrap(), "the user's\n");
}
