//! `wasi:filesystem` as its contract has it, call by call, on what is the project's and on what is the layer's.

use serde_json::{Value, json};
use suites::files::Step;
use suites::overlay::Overlay;
use wardian_host::wit::FileAccess;

use super::write;

/// The same things twice: `old` is the project's, `new` is the layer's.
fn overlay() -> Overlay {
    let overlay = Overlay::new();
    overlay.file("old/file", "content");
    overlay.file("old/sub/inner", "inner");
    std::os::unix::fs::symlink("file", overlay.project().join("old/link")).unwrap();
    std::os::unix::fs::symlink("sub", overlay.project().join("old/dirlink")).unwrap();
    std::os::unix::fs::symlink("nowhere", overlay.project().join("old/dangling")).unwrap();
    std::os::unix::fs::symlink("loop", overlay.project().join("old/loop")).unwrap();
    let link = |target: &str, path: &str| Step::Symlink { target: target.into(), path: path.into() };
    let steps = [
        Step::Mkdir { path: "new".into() },
        Step::Mkdir { path: "new/sub".into() },
        write("new/file", "content"),
        write("new/sub/inner", "inner"),
        link("file", "new/link"),
        link("sub", "new/dirlink"),
        link("nowhere", "new/dangling"),
        link("loop", "new/loop"),
    ];
    assert!(overlay.steps(&steps).iter().all(suites::files::Answer::is_ok));
    overlay
}

/// Runs pairs of a call and its answer: a name is an error's, `null` any success, anything else the value. `@` stands for
/// the directory, which is open as handle 1.
#[track_caller]
fn check(access: FileAccess, calls: &[(Value, Value)]) {
    for directory in ["old", "new"] {
        let overlay = overlay();
        let opened =
            json!({"do": "open", "path": format!("workspace/{directory}"), "open": "d", "flags": "rm", "handle": 1});
        let text = json!(calls.iter().map(|(call, _)| call).collect::<Vec<_>>()).to_string();
        let mut all: Vec<Value> = serde_json::from_str(&text.replace('@', directory)).unwrap();
        all.insert(0, opened);
        let answers = overlay.raw(access, &json!(all));
        assert_eq!(answers[0], json!({"ok": null}), "in {directory}: open");
        for ((call, expected), answer) in calls.iter().zip(&answers[1..]) {
            let fits = match expected {
                Value::Null => answer.get("ok").is_some(),
                Value::String(name) if answer.get("error").is_some() => answer["error"] == *name,
                value => answer.get("ok") == Some(value),
            };
            assert!(fits, "in {directory}: {call}\nexpected {expected}, got {answer}");
        }
    }
}

fn open(path: &str, open: &str, flags: &str, handle: u32) -> Value {
    json!({"do": "open", "base": 1, "path": path, "open": open, "flags": flags, "handle": handle})
}

fn at(what: &str, path: &str) -> Value {
    json!({"do": what, "base": 1, "path": path})
}

fn of(what: &str, handle: u32) -> Value {
    json!({"do": what, "handle": handle})
}

fn follow(mut call: Value) -> Value {
    call["follow"] = true.into();
    call
}

fn to(what: &str, path: &str, new: &str) -> Value {
    json!({"do": what, "base": 1, "path": path, "to": 1, "new": new})
}

fn no(name: &str) -> Value {
    name.into()
}

const ANY: Value = Value::Null;

#[test]
fn opening() {
    check(
        FileAccess::Write,
        &[
            (open("file", "", "r", 2), ANY),
            (of("flags", 2), json!("r")),
            (of("type", 2), json!("DescriptorType::RegularFile")),
            (open("file", "d", "r", 3), no("not-directory")),
            (open("file", "cx", "w", 3), no("exist")),
            (open("sub", "cx", "w", 3), no("exist")),
            (open("link", "cx", "w", 3), no("exist")),
            (open("dangling", "cx", "w", 3), no("exist")),
            (open("nothing", "", "r", 3), no("no-entry")),
            (open("nothing/file", "c", "w", 3), no("no-entry")),
            (open("file/x", "c", "w", 3), no("not-directory")),
            (open("", "", "r", 3), no("no-entry")),
            (open("sub", "", "w", 3), no("is-directory")),
            (open("sub", "t", "w", 3), no("is-directory")),
            (open("sub", "d", "r", 3), ANY),
            (of("type", 3), json!("DescriptorType::Directory")),
            (open("file/", "", "r", 3), no("not-directory")),
            (open("nothing/", "c", "w", 3), no("is-directory")),
            (open("sub/", "", "r", 3), ANY),
            // A link is opened only by who follows it.
            (open("link", "", "r", 4), no("loop")),
            (open("dirlink", "d", "r", 4), no("loop")),
            (follow(open("link", "", "r", 4)), ANY),
            (of("type", 4), json!("DescriptorType::RegularFile")),
            (follow(open("dirlink", "d", "r", 5)), ANY),
            (open("dirlink/inner", "", "r", 5), ANY),
            (follow(open("dangling", "", "r", 5)), no("no-entry")),
            (follow(open("loop", "", "r", 5)), no("loop")),
            (open("loop/x", "", "r", 5), no("loop")),
            (follow(open("dangling", "c", "w", 5)), ANY),
            (at("stat-at", "nowhere"), ANY),
            // Truncation.
            (open("file", "t", "w", 6), ANY),
            (of("stat", 6), json!({"type": "DescriptorType::RegularFile", "size": 0, "links": 1})),
            (open("fresh", "c", "rw", 7), ANY),
            (of("flags", 7), json!("rw")),
            (open("fresh", "c", "r", 7), ANY),
            (open("fresh", "cd", "r", 7), no("invalid")),
        ],
    );
}

#[test]
fn reading_and_writing() {
    let text = "content";
    check(
        FileAccess::Write,
        &[
            (open("file", "", "rw", 2), ANY),
            (json!({"do": "read", "handle": 2, "at": 0, "bytes": 100}), json!(text)),
            (json!({"do": "read", "handle": 2, "at": 3, "bytes": 2}), json!("te")),
            (json!({"do": "read", "handle": 2, "at": 100, "bytes": 2}), json!("")),
            (json!({"do": "write", "handle": 2, "at": 3, "text": "TE"}), json!(2)),
            (json!({"do": "read", "handle": 2, "at": 0, "bytes": 100}), json!("conTEnt")),
            // Beyond the end are zeros.
            (json!({"do": "write", "handle": 2, "at": 9, "text": "!"}), json!(1)),
            (json!({"do": "read", "handle": 2, "at": 0, "bytes": 100}), json!("conTEnt\0\0!")),
            (json!({"do": "set-size", "handle": 2, "bytes": 3}), ANY),
            (json!({"do": "read", "handle": 2, "at": 0, "bytes": 100}), json!("con")),
            (json!({"do": "set-size", "handle": 2, "bytes": 5}), ANY),
            (json!({"do": "read", "handle": 2, "at": 0, "bytes": 100}), json!("con\0\0")),
            (of("sync", 2), ANY),
            (of("advise", 2), ANY),
            // What was opened for one thing is not for another.
            (open("file", "", "r", 3), ANY),
            (json!({"do": "write", "handle": 3, "at": 0, "text": "x"}), no("bad-descriptor")),
            (open("file", "", "w", 4), ANY),
            (json!({"do": "read", "handle": 4, "at": 0, "bytes": 1}), no("bad-descriptor")),
            (open("sub", "d", "rm", 5), ANY),
            (json!({"do": "read", "handle": 5, "at": 0, "bytes": 1}), no("is-directory")),
            (of("list", 2), no("not-directory")),
            (at("stat-at", "file"), json!({"type": "DescriptorType::RegularFile", "size": 5, "links": 1})),
        ],
    );
}

#[test]
fn directories() {
    check(
        FileAccess::Write,
        &[
            (of("list", 1), json!(["dangling", "dirlink", "file", "link", "loop", "sub"])),
            (at("mkdir", "made"), ANY),
            (at("mkdir", "made"), no("exist")),
            (at("mkdir", "file"), no("exist")),
            (at("mkdir", "link"), no("exist")),
            (at("mkdir", "made/deeper/"), ANY),
            (at("mkdir", "nothing/x"), no("no-entry")),
            (at("mkdir", "file/x"), no("not-directory")),
            (at("rmdir", "made"), no("not-empty")),
            (at("rmdir", "made/deeper/"), ANY),
            (at("rmdir", "made"), ANY),
            (at("rmdir", "made"), no("no-entry")),
            (at("rmdir", "file"), no("not-directory")),
            (at("rmdir", "dirlink"), no("not-directory")),
            (at("rmdir", "sub"), no("not-empty")),
            (at("unlink", "sub"), no("is-directory")),
            (at("unlink", "sub/"), no("is-directory")),
            (at("unlink", "file/"), no("not-directory")),
            (at("unlink", "nothing"), no("no-entry")),
            (at("unlink", "dirlink"), ANY),
            (at("stat-at", "sub/inner"), ANY),
            (at("unlink", "sub/inner"), ANY),
            (at("rmdir", "sub"), ANY),
            (of("list", 1), json!(["dangling", "file", "link", "loop"])),
            // A directory that is removed while it is open has nothing in it.
            (at("mkdir", "gone"), ANY),
            (open("gone", "d", "rm", 2), ANY),
            (at("rmdir", "gone"), ANY),
            (of("list", 2), json!([])),
            (json!({"do": "mkdir", "base": 2, "path": "x"}), no("no-entry")),
        ],
    );
}

#[test]
fn an_open_directory_that_was_removed_shows_nothing_of_the_project() {
    let overlay = overlay();
    let answers = overlay.raw(
        FileAccess::Write,
        &json!([
            {"do": "open", "path": "workspace/old/sub", "open": "d", "flags": "rm", "handle": 1},
            {"do": "unlink", "base": 1, "path": "inner"},
            {"do": "rmdir", "path": "workspace/old/sub"},
            {"do": "list", "handle": 1},
            {"do": "stat-at", "base": 1, "path": "inner"},
        ]),
    );
    assert_eq!(answers[2..], [json!({"ok": null}), json!({"ok": []}), json!({"error": "no-entry"})]);
}

#[test]
fn links() {
    check(
        FileAccess::Write,
        &[
            (at("readlink", "link"), json!("file")),
            (at("readlink", "file"), no("invalid")),
            (at("readlink", "sub"), no("invalid")),
            (at("readlink", "nothing"), no("no-entry")),
            (at("stat-at", "link"), json!({"type": "DescriptorType::SymbolicLink", "size": 4, "links": 1})),
            (follow(at("stat-at", "link")), json!({"type": "DescriptorType::RegularFile", "size": 7, "links": 1})),
            (follow(at("stat-at", "dangling")), no("no-entry")),
            (follow(at("stat-at", "loop")), no("loop")),
            (at("stat-at", "dirlink/"), ANY),
            (json!({"do": "symlink", "base": 1, "target": "file", "path": "link"}), no("exist")),
            (json!({"do": "symlink", "base": 1, "target": "file", "path": "sub"}), no("exist")),
            (json!({"do": "symlink", "base": 1, "target": "", "path": "s0"}), no("no-entry")),
            (json!({"do": "symlink", "base": 1, "target": "file", "path": "s1/"}), no("no-entry")),
            (json!({"do": "symlink", "base": 1, "target": "../@/file", "path": "s2"}), ANY),
            (json!({"do": "read", "handle": 9, "at": 0, "bytes": 1}), no("bad-descriptor")),
            (json!({"do": "open", "path": "workspace/@/s2", "follow": true, "flags": "r", "handle": 9}), ANY),
            (json!({"do": "read", "handle": 9, "at": 0, "bytes": 9}), json!("content")),
            // Second names.
            (to("link", "file", "second"), ANY),
            (at("stat-at", "second"), json!({"type": "DescriptorType::RegularFile", "size": 7, "links": 2})),
            (to("link", "file", "second"), no("exist")),
            (to("link", "file", "sub"), no("exist")),
            (to("link", "file", "x/"), no("no-entry")),
            (to("link", "sub", "x"), no("not-permitted")),
            (to("link", "nothing", "x"), no("no-entry")),
            (to("link", "file", "nothing/x"), no("no-entry")),
            (open("second", "", "w", 2), ANY),
            (json!({"do": "write", "handle": 2, "at": 0, "text": "CON"}), json!(3)),
            (open("file", "", "r", 3), ANY),
            (json!({"do": "read", "handle": 3, "at": 0, "bytes": 9}), json!("CONtent")),
            (at("unlink", "file"), ANY),
            (of("stat", 3), json!({"type": "DescriptorType::RegularFile", "size": 7, "links": 1})),
            (to("link", "link", "link2"), ANY),
            (at("readlink", "link2"), json!("file")),
        ],
    );
}

#[test]
fn renames() {
    check(
        FileAccess::Write,
        &[
            (to("rename", "file", "moved"), ANY),
            (at("stat-at", "file"), no("no-entry")),
            (to("rename", "moved", "moved"), ANY),
            (to("rename", "moved", "sub"), no("is-directory")),
            (to("rename", "sub", "moved"), no("not-directory")),
            (to("rename", "sub", "sub/below"), no("invalid")),
            (to("rename", "sub", "sub"), ANY),
            (to("rename", "nothing", "x"), no("no-entry")),
            (to("rename", "moved", "nothing/x"), no("no-entry")),
            (to("rename", "moved/", "x"), no("not-directory")),
            (to("rename", "moved", "x/"), no("not-directory")),
            (to("rename", "sub/", "sub2/"), ANY),
            (at("stat-at", "sub2/inner"), ANY),
            (at("mkdir", "full"), ANY),
            (open("full/x", "c", "w", 2), ANY),
            (to("rename", "sub2", "full"), no("not-empty")),
            (at("unlink", "full/x"), ANY),
            (to("rename", "sub2", "full"), ANY),
            (of("list", 1), json!(["dangling", "dirlink", "full", "link", "loop", "moved"])),
            // The link moves, not what it leads to.
            (to("rename", "link", "moved"), ANY),
            (at("readlink", "moved"), json!("file")),
            // An open directory goes along.
            (open("full", "d", "rm", 3), ANY),
            (to("rename", "full", "last"), ANY),
            (json!({"do": "stat-at", "base": 3, "path": "inner"}), ANY),
            (json!({"do": "mkdir", "base": 3, "path": "more"}), ANY),
            (at("stat-at", "last/more"), ANY),
            // From the root of the tree, and between its parts.
            (json!({"do": "rename", "path": "workspace/@/last", "to": 1, "new": "again"}), ANY),
            (json!({"do": "rename", "path": "workspace/@/moved", "to": 0, "new": "tmp/moved"}), no("cross-device")),
            (json!({"do": "rename", "path": "workspace", "to": 0, "new": "tmp/x"}), no("cross-device")),
            (json!({"do": "rename", "path": "workspace", "to": 0, "new": "workspace/x"}), no("busy")),
        ],
    );
}

#[test]
fn numbers_and_times() {
    let overlay = overlay();
    for directory in ["old", "new"] {
        let path = |name: &str| format!("workspace/{directory}/{name}");
        let answers = overlay.raw(
            FileAccess::Write,
            &json!([
                {"do": "hash-at", "path": path("file")},
                {"do": "open", "path": path("file"), "flags": "r", "handle": 1},
                {"do": "hash", "handle": 1},
                {"do": "hash-at", "path": path("link"), "follow": true},
                {"do": "hash-at", "path": path("link")},
                {"do": "hash-at", "path": path("sub/inner")},
                // The number stays when the file is copied up, moved, or has a second name.
                {"do": "open", "path": path("file"), "flags": "rw", "handle": 2},
                {"do": "hash", "handle": 2},
                {"do": "rename", "path": path("file"), "new": path("moved")},
                {"do": "hash-at", "path": path("moved")},
                {"do": "link", "path": path("moved"), "new": path("second")},
                {"do": "hash-at", "path": path("second")},
                // Another file at the same place is another file.
                {"do": "open", "path": path("file"), "open": "c", "flags": "w", "handle": 3},
                {"do": "hash-at", "path": path("file")},
                {"do": "same", "handle": 1, "to": 2},
                {"do": "same", "handle": 1, "to": 3},
                {"do": "set-times", "handle": 1},
                {"do": "set-times-at", "path": path("sub")},
                {"do": "set-times-at", "path": path("link")},
                {"do": "set-times-at", "path": path("nothing")},
            ]),
        );
        let hash = &answers[0];
        for (at, same) in [(2, true), (3, true), (4, false), (5, false), (7, true), (9, true), (11, true), (13, false)]
        {
            assert!(answers[at]["ok"].is_string(), "{directory} {at}: {answers:?}");
            assert_eq!(answers[at] == *hash, same, "{directory} {at}: {answers:?}");
        }
        assert_eq!((&answers[14]["ok"], &answers[15]["ok"]), (&json!(true), &json!(false)));
        for answer in &answers[16..19] {
            assert_eq!(*answer, json!({"ok": null}), "{directory}");
        }
        assert_eq!(answers[19], json!({"error": "no-entry"}));
    }
}

#[test]
fn who_may_only_read_changes_nothing() {
    check(
        FileAccess::Read,
        &[
            (open("file", "", "r", 2), ANY),
            (json!({"do": "read", "handle": 2, "at": 0, "bytes": 9}), json!("content")),
            (of("list", 1), json!(["dangling", "dirlink", "file", "link", "loop", "sub"])),
            (open("file", "", "w", 3), no("read-only")),
            (open("file", "", "rw", 3), no("read-only")),
            (open("file", "t", "r", 3), no("read-only")),
            (open("fresh", "c", "w", 3), no("read-only")),
            (open("fresh", "c", "r", 3), no("read-only")),
            (at("mkdir", "made"), no("read-only")),
            (at("rmdir", "sub"), no("read-only")),
            (at("unlink", "file"), no("read-only")),
            (to("rename", "file", "x"), no("read-only")),
            (to("link", "file", "x"), no("read-only")),
            (json!({"do": "symlink", "base": 1, "target": "file", "path": "x"}), no("read-only")),
            (at("set-times-at", "file"), no("read-only")),
            (at("set-times-at", "sub"), no("read-only")),
            (json!({"do": "open", "path": "tmp/x", "open": "c", "flags": "w", "handle": 3}), no("not-permitted")),
            (json!({"do": "mkdir", "path": "tmp/x"}), no("not-permitted")),
            (json!({"do": "flags", "handle": 0}), json!("r")),
            // Devices are not files.
            (json!({"do": "open", "path": "dev/null", "flags": "w", "handle": 3}), ANY),
        ],
    );
}

#[test]
fn a_read_only_call_leaves_the_layer_as_it_is() {
    let overlay = overlay();
    let upper = overlay.folder().join("upper");
    let before = (suites::overlay::tree(&upper), overlay.project_tree());
    let mut steps = Vec::new();
    for path in ["old/file", "new/file", "old/none"] {
        let path = path.to_owned();
        steps.extend([
            write(&path, "x"),
            Step::Append { path: path.clone(), text: "x".into() },
            Step::Create { path: format!("{path}-2"), text: "x".into() },
            Step::Truncate { path: path.clone(), bytes: 0 },
            Step::Touch { path: path.clone(), seconds: 1 },
            Step::Rename { from: path.clone(), to: "moved".into() },
            Step::Link { from: path.clone(), to: "linked".into() },
            Step::Unlink { path },
        ]);
    }
    steps.extend(["old", "new"].map(|path| Step::RemoveTree { path: path.into() }));
    let answers = overlay.steps_at("/workspace", FileAccess::Read, &steps);
    for (step, answer) in steps.iter().zip(&answers) {
        assert!(!answer.is_ok(), "{step:?}: {answer:?}");
    }
    assert_eq!((suites::overlay::tree(&upper), overlay.project_tree()), before);
    assert!(suites::overlay::tree(&overlay.folder().join("tmp")).is_empty());
}

#[test]
fn the_root_cannot_be_changed() {
    let overlay = overlay();
    let calls = json!([
        {"do": "list", "handle": 0},
        {"do": "mkdir", "path": "x"},
        {"do": "mkdir", "path": "workspace"},
        {"do": "rmdir", "path": "workspace"},
        {"do": "rmdir", "path": "tmp"},
        {"do": "unlink", "path": "workspace"},
        {"do": "rename", "path": "workspace", "new": "w"},
        {"do": "symlink", "target": "workspace", "path": "w"},
        {"do": "open", "path": "file", "open": "c", "flags": "w", "handle": 2},
        {"do": "set-times", "handle": 0},
        {"do": "set-times-at", "path": "."},
        {"do": "link", "path": "workspace/old/file", "new": "file"},
        {"do": "stat-at", "path": "."},
        {"do": "flags", "handle": 0},
    ]);
    let answers = overlay.raw(FileAccess::Write, &calls);
    assert_eq!(answers[0], json!({"ok": ["dev", "tmp", "workspace"]}));
    for (call, answer) in calls.as_array().unwrap()[1..12].iter().zip(&answers[1..12]) {
        assert!(answer.get("error").is_some(), "{call}: {answer}");
    }
    assert_eq!(answers[12]["ok"]["type"], "DescriptorType::Directory");
    assert_eq!(answers[13], json!({"ok": "rm"}));
    assert_eq!(overlay.raw(FileAccess::Write, &json!([{"do": "list", "handle": 0}])), answers[..1]);
}
