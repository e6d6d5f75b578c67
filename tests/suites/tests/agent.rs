//! Lines that agents type, held against bash; and utilities in both of their forms, held against each other. The cases are
//! data, below `tests/cases/agent`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use suites::dist;
use suites::process::{Done, Running};
use suites::world::{World, copy};

/// Cases that run at once.
const AT_ONCE: usize = 4;

/// Commands of components that cannot be held against their form in the shell, each with the reason.
const NOT_COMPARED: &[(&str, &str)] = &[
    ("[", "a part of the language"),
    ("arch", "the shell shows a system that scripts know"),
    ("bash", "the shell itself"),
    ("hostid", "made up"),
    ("link", "the shell makes no second names of a file"),
    ("mktemp", "another name each time"),
    ("nice", "it starts programs, which uutils' cannot under WASI"),
    ("sh", "the shell itself"),
    ("tty", "there is none"),
    ("uname", "the shell shows a system that scripts know"),
];

fn cases(file: &str) -> String {
    let path = dist::root().join("tests/cases/agent").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// A world whose project is the tree of the cases.
fn world() -> World {
    let world = World::new();
    copy(&dist::root().join("tests/cases/agent/tree"), &world.project());
    world
}

/// Runs all cases, several at once, and gives what is wrong with them.
fn failures<T: Sync>(cases: &[T], run: impl Fn(&T) -> Result<(), String> + Sync) -> Vec<String> {
    let (waiting, failed) = (Mutex::new(cases.iter()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(case) = waiting.lock().unwrap().next() else { break };
                    let result = catch_unwind(AssertUnwindSafe(|| run(case)));
                    if let Err(problem) = result.unwrap_or_else(|_| Err("panicked, see above".to_owned())) {
                        failed.lock().unwrap().push(problem);
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap()
}

/// Everything below a folder: what is in files, where links lead.
fn tree(folder: &Path) -> BTreeMap<String, String> {
    fn walk(folder: &Path, base: &Path, all: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(base).unwrap().to_string_lossy().into_owned();
            let data = fs::symlink_metadata(&path).unwrap();
            if data.is_dir() {
                all.insert(format!("{name}/"), String::new());
                walk(&path, base, all);
            } else if data.is_symlink() {
                all.insert(name, format!("-> {}", fs::read_link(&path).unwrap().display()));
            } else {
                all.insert(name, String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned());
            }
        }
    }
    let mut all = BTreeMap::new();
    walk(folder, folder, &mut all);
    all
}

fn run(mut command: Command) -> Done {
    // The same text, order and time for both.
    command.env("LANG", "C.UTF-8").env("TZ", "UTC").env("HOME", "/tmp");
    Running::new(command).wait()
}

#[test]
fn lines_do_what_they_do_in_bash() {
    if Command::new("bash").arg("--version").output().is_err() {
        println!("skipped: there is no bash to hold them against");
        return;
    }
    let text = cases("lines.txt");
    let cases: Vec<(&str, &str)> = text
        .split("#--- ")
        .skip(1)
        .map(|case| case.split_once('\n').unwrap_or_else(|| panic!("a case without lines: {case}")))
        .collect();
    assert!(cases.len() >= 200, "{} cases", cases.len());
    let failed = failures(&cases, |(name, script)| {
        let (theirs, ours) = (world(), world());
        let bash = {
            let mut bash = theirs.clean("bash");
            bash.args(["-c", script]);
            run(bash)
        };
        let wardian = run(ours.command(&["sh", "--direct", "-c", script]));
        let mut wrong = String::new();
        if (bash.code, &bash.stdout) != (wardian.code, &wardian.stdout) {
            wrong = format!("bash:\n{bash}\nwardian:\n{wardian}\n");
        }
        let (bash, wardian) = (tree(&theirs.project()), tree(&ours.project()));
        for path in bash.keys().chain(wardian.keys()).collect::<BTreeSet<_>>() {
            let (theirs, ours) = (bash.get(path), wardian.get(path));
            if theirs != ours {
                wrong.push_str(&format!("{path}: bash left {theirs:?}, wardian {ours:?}\n"));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(format!("{name}\n{script}{wrong}")) }
    });
    assert!(failed.is_empty(), "{} of {} differ\n\n{}\n", failed.len(), cases.len(), failed.join("\n\n"));
}

/// A line of `utilities.txt`: words, and at the end perhaps `< FILE`.
struct Line<'a> {
    text: &'a str,
    words: Vec<&'a str>,
    stdin: Option<&'a str>,
}

fn utility_lines(text: &str) -> Vec<Line<'_>> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|text| {
            let (words, stdin) = match text.split_once(" < ") {
                Some((words, stdin)) => (words, Some(stdin)),
                None => (text, None),
            };
            Line { text, words: words.split(' ').collect(), stdin }
        })
        .collect()
}

#[test]
fn utilities_are_the_same_inside_and_as_processes() {
    let text = cases("utilities.txt");
    let lines = utility_lines(&text);
    let failed = failures(&lines, |line| {
        let (inside, apart) = (world(), world());
        let shell = run(inside.command(&["sh", "--direct", "-c", line.text]));
        let mut exec = apart.command(&["exec", "--direct"]);
        exec.args(&line.words);
        if let Some(stdin) = line.stdin {
            exec.stdin(fs::File::open(apart.project().join(stdin)).unwrap());
        }
        let process = run(exec);
        if (shell.code, &shell.stdout) != (process.code, &process.stdout) {
            return Err(format!("{}\ninside:\n{shell}\nas a process:\n{process}", line.text));
        }
        if tree(&inside.project()) != tree(&apart.project()) {
            return Err(format!("{}\nleaves other files behind", line.text));
        }
        Ok(())
    });
    assert!(failed.is_empty(), "{} of {} differ\n\n{}\n", failed.len(), lines.len(), failed.join("\n\n"));
}

#[test]
fn every_utility_in_both_forms_has_a_line() {
    let docs = fs::read_to_string(dist::root().join("docs/shell.md")).unwrap();
    let (_, both) = docs.split_once("Built into the shell, and processes for").expect("the table of commands");
    let both = both.split_once("\n\n").unwrap().1.split_once("<!--").unwrap().0;
    let both: Vec<&str> = both.split('`').skip(1).step_by(2).collect();
    assert!(both.contains(&"head"), "{both:?}");
    let text = cases("utilities.txt");
    let lines = utility_lines(&text);
    let missing: Vec<&str> = both
        .into_iter()
        .filter(|name| !lines.iter().any(|line| line.words[0] == *name))
        .filter(|name| !NOT_COMPARED.iter().any(|(exempt, _)| exempt == name))
        .collect();
    assert!(missing.is_empty(), "utilities.txt has no line for {missing:?}");
}

#[test]
fn ways_to_ask_for_a_command_agree() {
    let world = world();
    let script = "for c in cat sort rg grep find diff xz jq; do type -t $c; command -v $c; which $c; done";
    let done = world.wardian(&["sh", "-c", script]).exits(0);
    let expected: String = ["cat", "sort", "rg", "grep", "find", "diff", "xz", "jq"]
        .iter()
        .map(|name| format!("file\n/usr/bin/{name}\n/usr/bin/{name}\n"))
        .collect();
    assert_eq!(done.stdout, expected);
    let done = world.wardian(&["sh", "-c", "command -v no-such || type no-such 2>&1 || which no-such"]);
    assert_ne!(done.code, Some(0), "{done}");
}

#[test]
fn what_is_not_supported_is_refused() {
    let world = world();
    for (script, status) in [
        ("find . -perm 9x", 1),
        ("find . -nothing", 1),
        ("diff --nothing README.md README.md", 2),
        ("grep --nothing x README.md", 2),
        ("rg --nothing x README.md", 2),
        ("sort --nothing README.md", 2),
        ("xz --nothing README.md", 1),
        ("ls --nothing", 2),
        ("no-such-command", 127),
        // Nothing is made up about the machine.
        ("free -m", 127),
        ("ps aux", 127),
        ("df -h", 127),
    ] {
        let done = world.wardian(&["sh", "-c", script]).exits(status);
        assert!(!done.stderr.is_empty(), "{script}: nothing is said");
    }
}

#[test]
fn sort_checks_and_merges_without_threads() {
    let world = world();
    let sh = |script: &str| world.wardian(&["sh", "-c", script]);
    sh("printf 'a\\nb\\nb\\n' | sort -c").exits(0);
    sh("printf 'a\\nc\\nb\\nd\\n' > f; sort -c f").exits(1).says(&["sort: f:3: disorder: b"]);
    sh("printf 'a\\na\\n' | sort -cu").exits(1).says(&["sort: -:2: disorder: a"]);
    sh("printf '2\\n10\\n' | sort -nC").exits(0);
    sh("printf '2\\n10\\n' | sort -C").exits(1);
    let done = sh("printf '1 b\\n1 a\\n' > f; printf '0\\n2\\n' > g; sort -m -k1,1n -s f g").exits(0);
    assert_eq!(done.stdout, "0\n1 b\n1 a\n2\n");
}
