//! A commit, and an undo, that die before each of their writes in turn: afterwards all of it took place, or none.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use serde_json::json;
use suites::dist::{guests, wardian};
use suites::process::{Done, Running};
use suites::tree::{self, Tree};
use suites::world::{Session, World};

/// What `kill-at` says where there was no such write any more.
const ENDED_BY_ITSELF: i32 = 9;

/// A bound for the search; a commit of some files has a tenth of it.
const WRITES_MAX: usize = 2_000;

/// After every so many deaths the session is put through more than a look.
const SAMPLED: usize = 9;

struct Setup {
    world: World,
    session: Session,
    before: Tree,
}

/// A project and a session that did to it whatever can be done: added, changed, removed, moved.
fn setup() -> Setup {
    let world = World::new();
    for (path, text) in [
        ("changed.txt", "one\ntwo\nthree\n"),
        ("removed.txt", "gone soon\n"),
        ("old/moved.txt", "a file that goes elsewhere,\nwith lines enough\nto be known again\n"),
        ("script.sh", "#!/bin/sh\necho before\n"),
        ("untouched.txt", "nobody's business\n"),
    ] {
        world.file(path, text);
    }
    fs::set_permissions(world.project().join("script.sh"), PermissionsExt::from_mode(0o750)).unwrap();
    symlink("untouched.txt", world.project().join("link")).unwrap();
    let write = |path: &str, content: &str| json!({"tool": "Write", "input": {"file_path": path, "content": content}});
    let calls = json!([
        write("changed.txt", "one\nTWO\nthree\n"),
        write("new/deep/added.txt", "new\n"),
        write("empty.txt", ""),
        write("script.sh", "#!/bin/sh\necho after\n"),
        {"tool": "Files", "input": {"root": "/workspace", "steps": [
            {"do": "unlink", "path": "removed.txt"},
            {"do": "rename", "from": "old/moved.txt", "to": "new/moved.txt"},
            {"do": "rename", "from": "link", "to": "link2"},
        ]}},
    ]);
    let model = world.scenario(&json!({"turns": [{"calls": calls}, {"text": "Done."}]}));
    let before = tree::read(&world.project());
    let run = ["run", "-m", &model, "--approve", "all", "--component", &guests(), "Work."];
    world.wardian(&run).exits(0).says(&["to review"]);
    assert_eq!(tree::read(&world.project()), before, "the project is as it was");
    let results = world.session().events();
    let failed: Vec<_> =
        results.iter().filter(|event| event["type"] == "tool.result" && !event["error"].is_null()).collect();
    assert!(failed.is_empty(), "{failed:?}");
    let session = world.session();
    Setup { world, session, before }
}

/// The state of a project and of Wardian's own, to go back to.
struct Saved(tempfile::TempDir);

const SAVED: [&str; 3] = ["project", "home/sessions", "home/projects"];

impl Saved {
    fn new(world: &World) -> Self {
        let saved = Self(tempfile::tempdir().unwrap());
        for name in SAVED {
            let from = world.folder().join(name);
            if from.is_dir() {
                copy_all(&from, &saved.0.path().join(name));
            }
        }
        saved
    }

    fn restore(&self, world: &World) {
        for name in SAVED {
            let to = world.folder().join(name);
            let _ = fs::remove_dir_all(&to);
            let from = self.0.path().join(name);
            if from.is_dir() {
                copy_all(&from, &to);
            }
        }
    }
}

/// With links as they are.
fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let status = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status().unwrap();
    assert!(status.success(), "cp failed");
}

impl Setup {
    /// Kills this command before its n-th write; false if it has no such write.
    fn kill(&self, n: usize, arguments: &[&str]) -> bool {
        let mut command = self.world.clean(env!("CARGO_BIN_EXE_kill-at"));
        command.arg(n.to_string()).arg(wardian()).args(arguments);
        let done = Running::new(command).wait();
        match done.code {
            Some(0) => true,
            Some(ENDED_BY_ITSELF) => false,
            _ => panic!("kill-at failed: {done}"),
        }
    }

    fn changes(&self) -> Done {
        self.world.wardian(&["changes", &self.session.id, "--json"]).exits(0)
    }

    /// Dies at every write of a command in turn. `old` and `new` are what the project may be afterwards, with as many
    /// changes left to review. Returns how many deaths led to each.
    fn die_everywhere(
        &self,
        arguments: &[&str],
        old: (&Tree, usize),
        new: (&Tree, usize),
        saved: &Saved,
    ) -> (usize, usize) {
        let (mut olds, mut news) = (0, 0);
        for n in 1..WRITES_MAX {
            saved.restore(&self.world);
            if !self.kill(n, arguments) {
                return (olds, news);
            }
            // The next command finishes or forgets what was begun, before it answers.
            let changes = self.changes();
            let left = changes.json()["changes"].as_array().unwrap().len();
            let now = tree::read(&self.world.project());
            if now == *old.0 {
                assert_eq!(left, old.1, "killed before write {n}: the project is old, the review is not\n{changes}");
                olds += 1;
            } else {
                assert_eq!(now, *new.0, "killed before write {n}: neither old nor new\n{changes}");
                assert_eq!(left, new.1, "killed before write {n}: the project is new, the review is not\n{changes}");
                news += 1;
            }
            if n % SAMPLED == 0 {
                self.world.wardian(&["log", &self.session.id, "--verify"]).exits(0);
                // And the session goes on: what was not done can be done.
                if now == *old.0 {
                    self.world.wardian(arguments).exits(0);
                    assert_eq!(tree::read(&self.world.project()), *new.0, "killed before write {n}");
                }
            }
        }
        panic!("more than {WRITES_MAX} writes");
    }
}

#[test]
fn a_commit_that_dies_at_any_write_took_place_or_did_not() {
    let setup = setup();
    let changes = setup.changes().json()["changes"].as_array().unwrap().len();
    let saved = Saved::new(&setup.world);
    let commit = ["commit", setup.session.id.as_str(), "--all"];
    setup.world.wardian(&commit).exits(0);
    let after = tree::read(&setup.world.project());
    assert_ne!(after, setup.before);
    let (olds, news) = setup.die_everywhere(&commit, (&setup.before, changes), (&after, 0), &saved);
    assert!(olds > 10 && news > 10, "it dies on both sides of the moment that decides: {olds} old, {news} new");
}

#[test]
fn an_undo_that_dies_at_any_write_took_place_or_did_not() {
    let setup = setup();
    let changes = setup.changes().json()["changes"].as_array().unwrap().len();
    setup.world.wardian(&["commit", &setup.session.id, "--all"]).exits(0);
    let after = tree::read(&setup.world.project());
    let saved = Saved::new(&setup.world);
    let undo = ["undo", setup.session.id.as_str()];
    let (olds, news) = setup.die_everywhere(&undo, (&after, 0), (&setup.before, changes), &saved);
    assert!(olds > 10 && news > 10, "it dies on both sides of the moment that decides: {olds} old, {news} new");
}
