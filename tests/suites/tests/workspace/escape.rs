//! Ways out, which must lead nowhere: `tests/cases/workspace/escape.json`. Nothing outside is read or written, nor what is
//! hidden in the project.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::Deserialize;
use serde_json::Value;
use suites::dist::root;
use suites::files::{Answer, Step};
use suites::overlay::Overlay;
use suites::process::PATIENCE;
use wardian_host::wit::FileAccess;

use super::{model, write};

/// In everything that must never be seen.
const CANARY: &str = "CANARY";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Of `Files`, at this root …
    #[serde(default)]
    root: String,
    #[serde(default)]
    steps: Vec<Value>,
    /// … or of `RawFiles`.
    #[serde(default)]
    calls: Vec<Value>,
    /// For each step or call the name of an error, or `{"ok": …}`.
    expect: Vec<Value>,
}

/// What every case begins with, besides links: `tests/cases/workspace/project.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Project {
    /// Beside the project, with a canary in each.
    outside: Vec<String>,
    /// In the project, and not to be seen.
    hidden: Vec<String>,
    files: BTreeMap<String, String>,
}

fn outside(overlay: &Overlay) -> PathBuf {
    overlay.folder().join("outside")
}

/// What is there, with everything that would tell of a change.
type State = BTreeMap<String, (Option<Vec<u8>>, i64, i64, u64, u32)>;

fn state(folder: &Path) -> State {
    let look = |path: String| {
        let full = folder.join(&path);
        let data = fs::symlink_metadata(&full).unwrap();
        let bytes = data.is_file().then(|| fs::read(&full).unwrap());
        (path, (bytes, data.mtime(), data.mtime_nsec(), data.ino(), data.mode()))
    };
    model::paths(folder).into_iter().chain([".".to_owned()]).map(look).collect()
}

/// A project with links that lead out, with secrets, and something outside to protect.
fn overlay() -> Overlay {
    let overlay = Overlay::new();
    let outside = outside(&overlay);
    fs::create_dir_all(outside.join("dir/empty")).unwrap();
    let text = fs::read_to_string(root().join("tests/cases/workspace/project.json")).unwrap();
    let project: Project = serde_json::from_str(&text).unwrap();
    for path in &project.outside {
        fs::write(overlay.folder().join(path), format!("{CANARY} {path}\n")).unwrap();
    }
    for path in &project.hidden {
        overlay.file(path, &format!("{CANARY} {path}\n"));
    }
    for (path, text) in &project.files {
        overlay.file(path, text);
    }
    let absolute = |path: &str| outside.join(path).display().to_string();
    let links = [
        ("abs", absolute("secret.txt")),
        ("absdir", absolute("")),
        ("up", "../outside/secret.txt".to_owned()),
        ("updir", "../outside".to_owned()),
        ("dir/updir", "../../outside".to_owned()),
        ("far", "../../../../../../../../../../../etc/passwd".to_owned()),
        ("chain", "chain2".to_owned()),
        ("chain2", "dir/updir".to_owned()),
        ("loop", "loop2".to_owned()),
        ("loop2", "loop".to_owned()),
        ("rootlink", "/".to_owned()),
        ("proc", "/proc/self/root".to_owned()),
        ("gitlink", ".git".to_owned()),
        ("envlink", "dir/../.env".to_owned()),
        ("here", ".".to_owned()),
        ("dir/top", "..".to_owned()),
    ];
    for (path, target) in links {
        symlink(target, overlay.project().join(path)).unwrap();
    }
    // More links in a row than anybody follows.
    for number in 0..60 {
        symlink(format!("row{}", number + 1), overlay.project().join(format!("row{number}"))).unwrap();
    }
    fs::write(overlay.project().join("row60"), "the end\n").unwrap();
    overlay
}

#[test]
fn every_way_out_leads_nowhere() {
    let path = root().join("tests/cases/workspace/escape.json");
    let text = expanded(&fs::read_to_string(&path).unwrap());
    let count = serde_json::from_str::<Vec<Case>>(&text).unwrap().len();
    assert!(count >= 40);
    for number in 0..count {
        let overlay = overlay();
        let text = text.replace("{outside}", &outside(&overlay).display().to_string());
        let case = serde_json::from_str::<Vec<Case>>(&text).unwrap().remove(number);
        check(&overlay, &case);
    }
}

/// Writes out what is repeated: `{3*ab}` is `ababab`.
fn expanded(text: &str) -> String {
    let mut parts = text.split('{');
    let mut expanded = parts.next().unwrap().to_owned();
    for part in parts {
        let repeated = part.split_once('}').and_then(|(inner, rest)| {
            let (times, unit) = inner.split_once('*')?;
            Some((unit.repeat(times.parse().ok()?), rest))
        });
        match repeated {
            Some((repeated, rest)) => expanded.extend([&repeated, rest]),
            None => expanded.extend(["{", part]),
        }
    }
    expanded
}

fn check(overlay: &Overlay, case: &Case) {
    let name = &case.name;
    let (outside, project) = (outside(overlay), overlay.project());
    let before = (state(&outside), state(&project));
    let answers: Vec<Value> = if case.calls.is_empty() {
        let steps: Vec<Step> = case.steps.iter().map(|step| serde_json::from_value(step.clone()).unwrap()).collect();
        let answers = overlay.steps_at(&case.root, FileAccess::Write, &steps);
        answers.iter().map(|answer| serde_json::to_value(answer).unwrap()).collect()
    } else {
        overlay.raw(FileAccess::Write, &Value::Array(case.calls.clone()))
    };
    let asked = if case.calls.is_empty() { &case.steps } else { &case.calls };
    assert_eq!(answers.len(), case.expect.len(), "{name}: an expectation for each answer of {answers:?}");
    for ((asked, expected), answer) in asked.iter().zip(&case.expect).zip(&answers) {
        assert!(!answer.to_string().contains(CANARY), "{name}: {asked} gives {answer}");
        let fits = if expected.is_string() { answer["error"] == *expected } else { answer == expected };
        let fits = fits || (*expected == "*" && answer.get("error").is_some());
        assert!(fits, "{name}: {asked}\nexpected {expected}, got {answer}");
    }
    assert_eq!(state(&outside), before.0, "{name}: outside");
    assert_eq!(state(&project), before.1, "{name}: the project");

    // Nor does anything get out when it is committed.
    let seen = overlay.tree();
    let _ = overlay.review().commit_all();
    assert_eq!(overlay.tree(), seen, "{name}: the workspace, after the commit");
    assert_eq!(state(&outside), before.0, "{name}: outside, after the commit");
    let inside = fs::canonicalize(&project).unwrap();
    for path in model::paths(&project) {
        let full = project.join(&path);
        if before.1.contains_key(&path) {
            if fs::symlink_metadata(&full).unwrap().is_file()
                && before.1[&path].0.as_ref().is_some_and(|bytes| bytes.starts_with(CANARY.as_bytes()))
            {
                assert_eq!(Some(&fs::read(&full).unwrap()), before.1[&path].0.as_ref(), "{name}: {path}");
            }
        } else if let Ok(target) = fs::read_link(&full) {
            let leads_in = fs::canonicalize(&full).map_or(target.is_relative(), |end| end.starts_with(&inside));
            let through_own = ["absdir", "updir", "up", "abs", "chain", "rootlink"];
            let by_the_projects = target.iter().any(|name| through_own.iter().any(|own| name == *own));
            assert!(leads_in || by_the_projects, "{name}: {path} -> {} was committed", target.display());
        }
    }
    for (path, (bytes, ..)) in before.1.iter().filter(|(path, _)| path.contains(".git") || path.contains(".env")) {
        assert_eq!(fs::read(project.join(path)).ok(), *bytes, "{name}: {path}");
    }
}

/// The oracle itself: what must not be seen is there to be seen.
#[test]
fn the_canaries_sing() {
    let overlay = overlay();
    let read = |path: &str| fs::read_to_string(overlay.project().join(path)).unwrap();
    for path in ["abs", "up", "absdir/secret.txt", "chain/dir/inner.txt", ".env", "gitlink/config", "envlink"] {
        assert!(read(path).starts_with(CANARY), "{path}");
    }
    let before = state(&outside(&overlay));
    fs::write(overlay.project().join("up"), "changed").unwrap();
    assert_ne!(state(&outside(&overlay)), before);
}

/// A thread that keeps exchanging a directory of the project for a link to outside.
struct Exchange {
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Exchange {
    fn start(one: PathBuf, other: PathBuf) -> Self {
        let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, counted) = (stop.clone(), count.clone());
        let exchange = move || {
            while !stopped.load(Ordering::Relaxed) {
                renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).unwrap();
                counted.fetch_add(1, Ordering::Relaxed);
                // So that it happens at every moment, and leaves the others some time.
                thread::sleep(Duration::from_micros(counted.load(Ordering::Relaxed) % 7 * 40));
            }
        };
        Self { stop, count, thread: Some(thread::spawn(exchange)) }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().unwrap().join();
    }
}

/// How long each race goes on.
const RACE: Duration = Duration::from_millis(1500);

#[test]
fn a_directory_that_becomes_a_link_while_programs_work_leads_nowhere() {
    let overlay = Overlay::new();
    let outside = outside(&overlay);
    fs::create_dir_all(&outside).unwrap();
    for name in ["file", "gone", "moved"] {
        fs::write(outside.join(name), format!("{CANARY}\n")).unwrap();
        overlay.file(&format!("dir/{name}"), "inside\n");
    }
    symlink(&outside, overlay.folder().join("other")).unwrap();
    let before = state(&outside);
    let steps = |name: &str| {
        let path = |of: &str| format!("{name}/{of}");
        vec![
            Step::Read { path: path("file") },
            Step::List { path: name.to_owned() },
            Step::Stat { path: path("file") },
            Step::Append { path: path("file"), text: "more\n".into() },
            write(&path("new"), "new\n"),
            Step::Rename { from: path("moved"), to: path("to") },
            Step::Unlink { path: path("gone") },
            Step::Touch { path: path("file"), seconds: 1 },
            Step::Tree { path: name.to_owned() },
            Step::RemoveTree { path: name.to_owned() },
        ]
    };
    let exchange = Exchange::start(overlay.project().join("dir"), overlay.folder().join("other"));
    let (start, mut read, mut refused) = (Instant::now(), 0, 0);
    while start.elapsed() < RACE || (read.min(refused) < 3 && start.elapsed() < PATIENCE) {
        let answers = overlay.steps(&steps("dir"));
        for answer in &answers {
            assert!(!format!("{answer:?}").contains(CANARY), "{answer:?}");
        }
        read += u32::from(answers[0] == Answer::Ok("inside\n".into()));
        refused += u32::from(!answers[0].is_ok());
        let _ = overlay.review().discard(&[]);
    }
    let count = exchange.count.load(Ordering::Relaxed);
    drop(exchange);
    assert_eq!(state(&outside), before);
    assert!(count > 100 && read.min(refused) >= 3, "{count} exchanges, {read} times inside, {refused} times not");
}

#[test]
fn a_directory_that_becomes_a_link_during_a_commit_leads_nowhere() {
    let overlay = Overlay::new();
    let outside = outside(&overlay);
    fs::create_dir_all(&outside).unwrap();
    for name in ["file", "gone"] {
        // The same as inside: what a commit of a deletion looks for.
        fs::write(outside.join(name), "inside\n").unwrap();
        overlay.file(&format!("dir/{name}"), "inside\n");
    }
    symlink("../outside", overlay.folder().join("other")).unwrap();
    let steps = [
        Step::Append { path: "dir/file".into(), text: "more\n".into() },
        write("dir/new", "new\n"),
        Step::Unlink { path: "dir/gone".into() },
    ];
    assert!(overlay.steps(&steps).iter().all(Answer::is_ok));
    let before = state(&outside);
    let exchange = Exchange::start(overlay.project().join("dir"), overlay.folder().join("other"));
    let (start, mut committed, mut refused) = (Instant::now(), 0, 0);
    while start.elapsed() < RACE || (committed + refused < 20 && start.elapsed() < PATIENCE) {
        let mut review = overlay.review();
        let _ = review.recover();
        match review.commit_all() {
            Ok(_) => committed += 1,
            Err(_) => refused += 1,
        }
        let _ = review.undo();
    }
    drop(exchange);
    assert_eq!(state(&outside), before);
    assert!(committed + refused >= 20, "{committed} commits, {refused} refused");
}
