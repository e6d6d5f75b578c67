//! CPython's own tests, run in the sandbox: `cargo xtask python-tests [MODULE..]`. Not part of the default tests, since they
//! take minutes and Debian's packages.
//!
//! Each module is a run of its own. What fails must be in python-runtime/conformance/expected.txt, by name and with what
//! it says; `--bless` writes that file anew.

use anyhow::{Context, Result, bail, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::native;
use crate::process::{self, MINUTE};
use crate::workspace::{self, Workspace};

const PACKAGES: [&str; 3] = ["libpython3.11-testsuite", "libpython3.11-stdlib", "libpython3.11-minimal"];
const TESTS: &str = "usr/lib/python3.11/test";
const FOLDER: &str = "python-runtime/conformance";

/// Of the tests that ran and were not skipped. The tests are those of 3.11, and some of what they expect is no more so.
const PASSED_PERCENT_MIN: f64 = 94.0;

/// One module.
const SECONDS_MAX: &str = "300";

/// What came of a module: how many tests ran, and those that failed with what they said.
#[derive(Default)]
struct Outcome {
    ran: u64,
    skipped: Option<String>,
    lost: Option<String>,
    failed: BTreeMap<String, String>,
}

pub fn command(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let (flags, named): (Vec<&String>, Vec<&String>) = arguments.iter().partition(|argument| argument.starts_with('-'));
    ensure!(flags.iter().all(|flag| *flag == "--bless"), "`cargo xtask python-tests` takes modules and `--bless`");
    let bless = !flags.is_empty();
    ensure!(!bless || named.is_empty(), "`--bless` is for all modules at once");
    let _lock = workspace.lock()?;
    native::build(workspace)?;
    let folder = workspace.root.join(FOLDER);
    let list = fs::read_to_string(folder.join("modules.txt")).context("cannot read modules.txt")?;
    let all = list.lines().filter(|line| !line.starts_with('#')).map(str::to_owned);
    let modules: Vec<String> = if named.is_empty() { all.collect() } else { named.into_iter().cloned().collect() };
    let tests = workspace::step("tests of CPython", || {
        let tests = fetch(&workspace.cache.join("python/tests"))?;
        Ok((tests, PACKAGES[0].to_owned()))
    })?;
    let outcomes = run_all(workspace, &tests, &modules)?;
    judge(&folder.join("expected.txt"), &outcomes, bless)
}

/// Debian's packages, unpacked and not installed.
fn fetch(folder: &Path) -> Result<PathBuf> {
    let tests = folder.join(TESTS);
    if tests.join("support/__init__.py").is_file() {
        return Ok(tests);
    }
    ensure!(process::exists("apt-get") && process::exists("dpkg"), "these tests come from Debian's packages");
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut download = Command::new("apt-get");
    download.current_dir(folder).args(["-qq", "download"]).args(PACKAGES);
    process::run_logged(&mut download, 10 * MINUTE, &folder.join("apt.log"))
        .with_context(|| format!("cannot fetch {}: this needs Debian 12's package lists", PACKAGES.join(", ")))?;
    for file in crate::stamp::entries(folder)? {
        if file.extension().is_some_and(|extension| extension == "deb") {
            process::capture(Command::new("dpkg").arg("-x").arg(&file).arg(folder), MINUTE)?;
        }
    }
    Ok(tests)
}

/// Two at once, each worker in a copy of its own: tests write beside themselves.
fn run_all(workspace: &Workspace, tests: &Path, modules: &[String]) -> Result<BTreeMap<String, Outcome>> {
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || -> Result<()> {
        let scratch = process::scratch("python-tests")?;
        // Not below the project, which the scratch folder is.
        let home = process::scratch("python-tests-home")?;
        process::capture(Command::new("cp").arg("-r").arg(tests).arg(scratch.join("test")), MINUTE)?;
        for file in ["module.py", "skipped.txt"] {
            fs::copy(workspace.root.join(FOLDER).join(file), scratch.join(file))?;
        }
        while let Some(module) = modules.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut wardian = Command::new(workspace.dist.join("wardian"));
            wardian.args(["python", "--direct", "--max-seconds", SECONDS_MAX, "-C"]).arg(&scratch);
            wardian.env("WARDIAN_HOME", &home).args(["module.py", module]);
            let outcome = match process::capture(&mut wardian, 10 * MINUTE) {
                Ok(text) => read(&text).unwrap_or_else(|error| lost(&error)),
                Err(error) => lost(&error),
            };
            let failed = outcome.failed.len();
            let what = outcome.lost.as_deref().or(outcome.skipped.as_deref()).unwrap_or_default();
            eprintln!("  {module}: {} ran, {failed} failed {what}", outcome.ran);
            outcomes.lock().expect("no worker panics").insert(module.clone(), outcome);
        }
        [scratch, home].into_iter().try_for_each(|folder| {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))
        })
    };
    std::thread::scope(|scope| {
        let workers = [scope.spawn(work), scope.spawn(work)];
        workers.into_iter().try_for_each(|worker| worker.join().expect("no worker panics"))
    })?;
    Ok(outcomes.into_inner().expect("no worker panics"))
}

fn lost(error: &anyhow::Error) -> Outcome {
    let text = format!("{error:#}");
    let last = text
        .lines()
        .rev()
        .find(|line| line.contains("wardian:") || line.starts_with("error:"))
        .unwrap_or("it said nothing")
        .to_owned();
    Outcome { lost: Some(last), ..Outcome::default() }
}

/// The last line of a module's output.
fn read(text: &str) -> Result<Outcome> {
    let line = text.lines().last().context("wardian: no output")?;
    let json: serde_json::Value = serde_json::from_str(line).context("wardian: no result")?;
    let failed = json["failed"].as_object().context("wardian: no list of failures")?;
    let failed = failed.iter().map(|(name, why)| (name.clone(), why.as_str().unwrap_or_default().to_owned())).collect();
    let skipped = json["skipped"].as_str().map(str::to_owned);
    Ok(Outcome { ran: json["ran"].as_u64().unwrap_or(0), skipped, lost: None, failed })
}

fn judge(file: &Path, outcomes: &BTreeMap<String, Outcome>, bless: bool) -> Result<()> {
    let ran: u64 = outcomes.values().map(|outcome| outcome.ran).sum();
    let failed: u64 = outcomes.values().map(|outcome| outcome.failed.len() as u64).sum();
    ensure!(ran > 0, "no test ran");
    let percent = 100.0 * (ran - failed.min(ran)) as f64 / ran as f64;
    let lost = outcomes.values().filter(|outcome| outcome.lost.is_some()).count();
    println!("{} modules, {lost} lost; {ran} tests, {failed} failed: {percent:.1} % passed", outcomes.len());
    let lines = lines(outcomes);
    if bless {
        let mut text =
            "# What fails of CPython 3.11's tests in the sandboxed 3.14, and what it says: MODULE NAME | WORDS.\n"
                .to_owned();
        for (key, why) in &lines {
            let _ = writeln!(text, "{key} | {why}");
        }
        return workspace::write(file, text.as_bytes());
    }
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let expected: BTreeSet<&str> = text.lines().filter_map(|line| Some(line.split_once(" | ")?.0)).collect();
    let new: Vec<String> = lines
        .iter()
        .filter(|(key, _)| !expected.contains(key.as_str()))
        .map(|(key, why)| format!("{key}: {why}"))
        .collect();
    if !new.is_empty() {
        bail!("{} failures are not expected:\n  {}", new.len(), new.join("\n  "));
    }
    ensure!(lost == 0, "{lost} modules ended before their tests did");
    ensure!(percent >= PASSED_PERCENT_MIN, "{percent:.1} % passed: the floor is {PASSED_PERCENT_MIN} %");
    Ok(())
}

/// One for each failure; a module that is lost is one, too.
fn lines(outcomes: &BTreeMap<String, Outcome>) -> BTreeMap<String, String> {
    let mut lines = BTreeMap::new();
    for (module, outcome) in outcomes {
        if let Some(why) = outcome.lost.as_ref().or(outcome.skipped.as_ref()) {
            lines.insert(format!("{module} *"), why.clone());
        }
        for (name, why) in &outcome.failed {
            lines.insert(format!("{module} {name}"), why.clone());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(text: &str) -> BTreeMap<String, Outcome> {
        BTreeMap::from([("test_x".to_owned(), read(text).unwrap())])
    }

    #[test]
    fn a_failure_must_be_expected_and_the_floor_holds() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("expected.txt");
        let mostly = outcomes("noise\n{\"ran\": 100, \"skipped\": 2, \"failed\": {\"A.test_a\": \"ValueError: x\"}}\n");
        fs::write(&file, "").unwrap();
        assert!(judge(&file, &mostly, false).unwrap_err().to_string().contains("test_x A.test_a: ValueError: x"));
        judge(&file, &mostly, true).unwrap();
        judge(&file, &mostly, false).unwrap();
        let badly = outcomes("{\"ran\": 2, \"skipped\": 0, \"failed\": {\"A.test_a\": \"\"}}");
        assert!(judge(&file, &badly, false).unwrap_err().to_string().contains("floor"));
        let mut lost = outcomes("{\"ran\": 100, \"skipped\": 0, \"failed\": {}}");
        lost.insert("test_y".to_owned(), Outcome { lost: Some("wasm trap".to_owned()), ..Outcome::default() });
        judge(&file, &lost, true).unwrap();
        assert!(judge(&file, &lost, false).unwrap_err().to_string().contains("1 modules ended"));
        let gone = outcomes("{\"ran\": 0, \"skipped\": \"cannot be imported\", \"failed\": {}}");
        assert!(judge(&file, &gone, false).unwrap_err().to_string().contains("no test ran"));
    }
}
