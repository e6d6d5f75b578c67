//! What programs do to files, through the standard library.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;
use suites::files::{Answer, Step};
use suites::overlay::Overlay;
use wardian_host::wit::FileAccess;

use super::{done, error, list, model, ok, read, stat, write};

fn open(path: &str, flags: &str, handle: u32) -> Step {
    Step::Open { path: path.into(), flags: flags.into(), handle }
}

fn rename(from: &str, to: &str) -> Step {
    Step::Rename { from: from.into(), to: to.into() }
}

/// Runs steps with the answers that they must have.
#[track_caller]
fn check(overlay: &Overlay, root: &str, access: FileAccess, steps: &[(Step, Answer)]) {
    let (steps, expected): (Vec<_>, Vec<_>) = steps.iter().cloned().unzip();
    let answers = overlay.steps_at(root, access, &steps);
    for ((step, expected), answer) in steps.iter().zip(&expected).zip(&answers) {
        assert_eq!(answer, expected, "{step:?}");
    }
}

#[track_caller]
fn in_workspace(overlay: &Overlay, steps: &[(Step, Answer)]) {
    check(overlay, "/workspace", FileAccess::Write, steps);
}

fn mode(overlay: &Overlay, path: &str) -> u32 {
    fs::metadata(overlay.project().join(path)).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_is_copied_up_keeps_its_time_and_what_is_committed_its_permission_bits() {
    let overlay = Overlay::new();
    let old = UNIX_EPOCH + Duration::from_secs(1_000_000_123);
    for (path, mode) in [("plain", 0o644), ("script", 0o755), ("private", 0o600), ("odd", 0o751), ("moved", 0o700)] {
        overlay.file(path, "#!/bin/sh\n");
        let path = overlay.project().join(path);
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        model::set_time(&path, old);
    }
    let before = model::modes(&overlay.project());
    let with_time = ok(json!({"type": "file", "size": 10, "modified": 1_000_000_123}));
    in_workspace(
        &overlay,
        &[
            // Opening it to write copies it, and changes nothing yet.
            (open("plain", "rw", 1), done()),
            (stat("plain"), with_time.clone()),
            (Step::StatOf { handle: 1 }, with_time.clone()),
            (Step::Link { from: "private".into(), to: "second".into() }, done()),
            (stat("second"), with_time.clone()),
            (rename("moved", "there"), done()),
            (stat("there"), with_time),
            (Step::Append { path: "script".into(), text: "exit\n".into() }, done()),
            (Step::Append { path: "there".into(), text: "exit\n".into() }, done()),
            (write("private", "written anew\n"), done()),
            // As editors do it: a new file takes the old one's place.
            (write("odd.new", "replaced\n"), done()),
            (rename("odd.new", "odd"), done()),
            (Step::Touch { path: "plain".into(), seconds: 1_300_000_000 }, done()),
            (stat("plain"), ok(json!({"type": "file", "size": 10, "modified": 1_300_000_000}))),
        ],
    );
    let mut review = overlay.review();
    review.commit_all().unwrap();
    for (path, expected) in [("script", 0o755), ("private", 0o600), ("odd", 0o751), ("there", 0o700)] {
        assert_eq!(mode(&overlay, path), expected, "{path}");
    }
    assert_eq!(fs::read_to_string(overlay.project().join("odd")).unwrap(), "replaced\n");
    review.undo().unwrap();
    assert_eq!(model::modes(&overlay.project()), before);
    // What an undo made a change again is committed with the bits that it had.
    overlay.review().commit_all().unwrap();
    assert_eq!((mode(&overlay, "there"), mode(&overlay, "odd")), (0o700, 0o751));
}

#[test]
fn a_handle_from_before_the_copy_reads_what_the_project_has() {
    let overlay = Overlay::new();
    overlay.file("a", "before\n");
    overlay.file("b", "to be removed\n");
    in_workspace(
        &overlay,
        &[
            (open("a", "r", 1), done()),
            (open("b", "r", 2), done()),
            (open("a", "rw", 3), done()),
            (Step::WriteTo { handle: 3, at: 0, text: "AFTER\n".into() }, done()),
            (Step::ReadFrom { handle: 1, at: 0 }, ok("before\n")),
            (Step::ReadFrom { handle: 3, at: 0 }, ok("AFTER\n\n")),
            (read("a"), ok("AFTER\n\n")),
            (Step::Unlink { path: "b".into() }, done()),
            (Step::ReadFrom { handle: 2, at: 0 }, ok("to be removed\n")),
            // A handle stays with its file when another one takes its name.
            (write("c", "new\n"), done()),
            (rename("c", "a"), done()),
            (Step::WriteTo { handle: 3, at: 0, text: "still".into() }, done()),
            (Step::ReadFrom { handle: 3, at: 0 }, ok("still\n\n")),
            (read("a"), ok("new\n")),
        ],
    );
    assert_eq!(fs::read_to_string(overlay.project().join("a")).unwrap(), "before\n");
}

#[test]
fn devices() {
    let overlay = Overlay::new();
    let nothing = |path: &str| {
        [
            (read(path), ok("")),
            (write(path, "gone\n"), done()),
            (Step::Append { path: path.into(), text: "gone\n".into() }, done()),
            (read(path), ok("")),
        ]
    };
    let head = |path: &str| Step::Head { path: path.into(), bytes: 20 };
    check(&overlay, "/dev", FileAccess::Write, &nothing("null"));
    check(&overlay, "/dev", FileAccess::Read, &nothing("./null"));
    let names = ["fd/", "null", "random", "stderr", "stdin", "stdout", "urandom", "zero"];
    check(
        &overlay,
        "/dev",
        FileAccess::Write,
        &[
            (head("zero"), ok("\0".repeat(20))),
            (write("zero", "gone\n"), done()),
            (list(""), ok(names.to_vec())),
            (list("fd"), ok(vec!["0", "1", "2"])),
            (read("stdin"), ok("")),
            (read("fd/0"), ok("")),
            (write("stdout", "said\n"), done()),
            (write("fd/1", "said\n"), done()),
            (write("stderr", "said\n"), done()),
            (write("fd/2", "said\n"), done()),
            (read("/null"), ok("")),
            (read("fd/../null"), error("ENOENT")),
            (read("fd/3"), error("ENOENT")),
            (read("mem"), error("ENOENT")),
            (read("tty"), error("ENOENT")),
            (write("sda", "x"), error("ENOENT")),
            (Step::Create { path: "null".into(), text: String::new() }, error("EEXIST")),
            (Step::Unlink { path: "null".into() }, error("EPERM")),
            (Step::Mkdir { path: "new".into() }, error("EEXIST")),
            (rename("null", "/zero"), error("EPERM")),
            (stat("fd"), ok(json!({"type": "directory"}))),
            (stat("null"), ok(json!({"type": "other"}))),
        ],
    );
    let answers = overlay.steps_at("/dev", FileAccess::Read, &[head("random"), head("urandom"), head("random")]);
    assert!(answers.iter().all(Answer::is_ok), "{answers:?}");
    assert!(answers[0] != answers[1] && answers[1] != answers[2] && answers[0] != answers[2], "{answers:?}");
}

#[test]
fn scratch_is_the_sessions_own_and_no_part_of_the_review() {
    let overlay = Overlay::new();
    overlay.file("a", "");
    check(
        &overlay,
        "",
        FileAccess::Write,
        &[
            (write("tmp/x", "scratch\n"), done()),
            (Step::Mkdir { path: "tmp/d".into() }, done()),
            (rename("tmp/x", "tmp/d/y"), done()),
            (read("tmp//d//y"), ok("scratch\n")),
            (read("workspace/../tmp/d/y"), ok("scratch\n")),
            (rename("tmp/d/y", "workspace/y"), error("EXDEV")),
            (Step::Link { from: "workspace/a".into(), to: "tmp/a".into() }, error("EXDEV")),
            (Step::Copy { from: "tmp/d/y".into(), to: "workspace/y".into() }, ok(8)),
            (read("tmp/../../etc/hostname"), error("EPERM")),
            (read("tmp/../workspace/y"), ok("scratch\n")),
        ],
    );
    // Another call finds it there.
    check(&overlay, "/tmp", FileAccess::Read, &[(read("d/y"), ok("scratch\n"))]);
    let changed: Vec<_> = overlay.review().changes().into_iter().map(|change| change.path).collect();
    assert_eq!(changed, ["y"]);
}

#[test]
fn paths_may_be_written_in_many_ways() {
    let overlay = Overlay::new();
    overlay.file("dir/file", "text\n");
    for path in ["dir//file", "/dir/file", "./dir/./file", "dir/../dir/file", "//dir///file", "dir/sub/../file/../file"]
    {
        let there = !path.contains("sub") && !path.contains("file/");
        let expected = if there { ok("text\n") } else { error("ENOENT") };
        in_workspace(&overlay, &[(read(path), expected)]);
    }
    // Every spelling of a name is another file.
    let names = [
        "case",
        "Case",
        "\u{e4}",
        "a\u{308}",
        " ",
        "a.",
        "a ",
        "con",
        "nul",
        "aux.txt",
        "-rf",
        "*",
        "a:b",
        "a\\b",
        "\u{7f}\u{1b}[31m",
    ];
    for name in names {
        overlay.step(write(name, name));
    }
    for name in names {
        in_workspace(&overlay, &[(read(name), ok(name))]);
    }
    overlay.review().commit_all().unwrap();
    for name in names {
        assert_eq!(fs::read_to_string(overlay.project().join(name)).unwrap(), name);
    }
    assert_eq!(overlay.tree(), overlay.project_tree());
}

#[test]
fn names_and_paths_have_their_limits() {
    let overlay = Overlay::new();
    let (long, too_long) = (model::long_name(), format!("{}n", model::long_name()));
    in_workspace(
        &overlay,
        &[
            (write(&long, "long\n"), done()),
            (read(&long), ok("long\n")),
            (write(&too_long, ""), error("ENAMETOOLONG")),
            (Step::Mkdir { path: too_long.clone() }, error("ENAMETOOLONG")),
            (rename(&long, &too_long), error("ENAMETOOLONG")),
            (stat(&too_long), error("ENAMETOOLONG")),
            // A whole path of more than 4096 bytes, in one piece.
            (stat(&"d/".repeat(2500)), error("ENAMETOOLONG")),
            (Step::Symlink { target: "t".repeat(5000), path: "link".into() }, error("ENAMETOOLONG")),
            (Step::Symlink { target: "t/".repeat(2047), path: "link".into() }, done()),
            (stat("link"), error("ENOENT")),
        ],
    );
    // And in many pieces: directories in directories, as deep as it goes, and moved to where it goes no deeper.
    let deep = |levels: usize| (1..=levels).map(|level| Step::Mkdir { path: vec!["d"; level].join("/") });
    let answers = overlay.steps(&deep(600).collect::<Vec<_>>());
    let reached = answers.iter().take_while(|answer| answer.is_ok()).count();
    assert_eq!((reached, &answers[reached]), (512, &error("ENAMETOOLONG")));
    let path = vec!["d"; reached].join("/");
    in_workspace(
        &overlay,
        &[
            (Step::Mkdir { path: "e".into() }, done()),
            (rename("d", "e/d"), error("ENAMETOOLONG")),
            (stat(&path), ok(json!({"type": "directory"}))),
        ],
    );
    // A program that goes from handle to handle gets no further.
    let calls: Vec<_> = (0..600)
        .flat_map(|level| {
            [
                json!({"do": "mkdir", "base": level, "path": if level == 0 { "workspace/h" } else { "h" }}),
                json!({"do": "open", "base": level, "path": if level == 0 { "workspace/h" } else { "h" }, "open": "d", "flags": "rm", "handle": level + 1}),
            ]
        })
        .collect();
    let answers = overlay.raw(FileAccess::Write, &json!(calls));
    let made = answers.iter().step_by(2).take_while(|answer| answer.get("ok").is_some()).count();
    assert_eq!(made, 512);
    assert_eq!(answers[2 * made], json!({"error": "name-too-long"}));
    // All of which can still be looked at and dropped.
    let mut review = overlay.review();
    assert!(review.changes().len() >= 3);
    review.discard(&[]).unwrap();
    assert!(overlay.tree().is_empty());
}

#[test]
fn what_has_no_name_in_unicode_is_left_out() {
    let overlay = Overlay::new();
    overlay.file("dir/fine", "fine\n");
    fs::write(overlay.project().join("dir").join(OsStr::from_bytes(b"latin-\xe4")), "odd\n").unwrap();
    in_workspace(
        &overlay,
        &[
            (list("dir"), ok(vec!["fine"])),
            (write("dir/more", "more\n"), done()),
            (list("dir"), ok(vec!["fine", "more"])),
            // What a program cannot see it cannot remove either.
            (rename("dir", "moved"), error("EILSEQ")),
            (Step::RemoveTree { path: "dir".into() }, error("EILSEQ")),
        ],
    );
    overlay.review().commit_all().unwrap();
    let left: Vec<_> =
        fs::read_dir(overlay.project().join("dir")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [OsStr::from_bytes(b"latin-\xe4")]);
}

#[test]
fn pipes_and_sockets_hold_up_nobody() {
    let overlay = Overlay::new();
    overlay.file("dir/file", "");
    let pipe = overlay.project().join("dir/pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(overlay.project().join("dir/socket")).unwrap();
    symlink("pipe", overlay.project().join("dir/link")).unwrap();
    for _ in 0..2 {
        let steps: Vec<Step> = ["dir/pipe", "dir/socket", "dir/link"]
            .iter()
            .flat_map(|path| {
                let path = (*path).to_owned();
                [
                    read(&path),
                    list("dir"),
                    read(&path),
                    write(&path, "x"),
                    Step::Append { path: path.clone(), text: "x".into() },
                    Step::Link { from: path.clone(), to: "second".into() },
                    Step::Truncate { path: path.clone(), bytes: 0 },
                    Step::Touch { path, seconds: 1 },
                ]
            })
            .collect();
        for (step, answer) in steps.iter().zip(overlay.steps(&steps)) {
            assert_eq!(
                answer.is_ok(),
                matches!(step, Step::List { .. }) || matches!(step, Step::Link { from, .. } if from == "dir/link"),
                "{step:?}: {answer:?}"
            );
        }
        overlay.step(Step::Unlink { path: "second".into() });
    }
    assert!(overlay.review().changes().is_empty());
}

#[test]
fn large_files_pass_through() {
    let overlay = Overlay::new();
    let (text, times) = ("0123456789abcdef", 400_000);
    overlay.file("old", &text.repeat(times));
    let whole = overlay.step(read("old"));
    in_workspace(
        &overlay,
        &[
            (Step::Patch { path: "old".into(), at: 16 * times as u64, text: "end".into() }, done()),
            (Step::Truncate { path: "old".into(), bytes: 16 * times as u64 }, done()),
            (read("old"), Answer::Ok(whole.clone())),
            (Step::Fill { path: "new".into(), text: text.into(), times: times as u64 }, done()),
            (read("new"), Answer::Ok(whole)),
            (Step::Patch { path: "new".into(), at: 0, text: "start".into() }, done()),
        ],
    );
    overlay.review().commit_all().unwrap();
    let committed = |path: &str| fs::read_to_string(overlay.project().join(path)).unwrap();
    let (old, new, text) = (committed("old"), committed("new"), text.repeat(times));
    assert!(old == text, "{} bytes of {}", old.len(), text.len());
    let expected = format!("start{}", &text[5..]);
    let differs = new.bytes().zip(expected.bytes()).position(|(one, other)| one != other);
    assert!(new == expected, "{} bytes of {}, the first that differs at {differs:?}", new.len(), expected.len());
}

#[test]
fn trees_are_removed_made_again_and_moved() {
    let overlay = Overlay::new();
    model::populate(&overlay.project());
    let before = overlay.project_tree();
    in_workspace(
        &overlay,
        &[
            (Step::RemoveTree { path: "dir".into() }, done()),
            (stat("dir/x"), error("ENOENT")),
            (Step::Mkdir { path: "dir".into() }, done()),
            (list("dir"), ok(json!([]))),
            (write("dir/y", "new\n"), done()),
            (rename("dir", "Dir2"), done()),
            (rename("deep", "dir"), done()),
            (list("dir"), ok(vec!["er/"])),
            (rename("dir/er", "hollow"), done()),
            (list("hollow"), ok(vec![model::long_name()])),
        ],
    );
    let seen = overlay.tree();
    let mut review = overlay.review();
    review.commit_all().unwrap();
    assert_eq!(overlay.project_tree(), seen);
    assert_eq!(overlay.tree(), seen);
    review.undo().unwrap();
    assert_eq!(overlay.project_tree(), before);
    assert_eq!(overlay.tree(), seen, "what was undone is a change again");
    review.discard(&[]).unwrap();
    assert_eq!(overlay.tree(), before);
}
