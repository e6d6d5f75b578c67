//! Cases of outside test suites through the built shell: `cargo xtask conformance [SUITE..] [--bless]`.
//!
//! What fails is on record in docs/conformance, by name and with a reason. A case that fails and is not there is a
//! regression; one that is there and passes is a line to remove. `--bless` writes the record anew. A reason that begins
//! with "Not applicable" says that the case asks for something else than a shell and its commands.

mod case;
mod record;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail};
use case::Case;
use record::Record;
use suites::dist;

/// Beside the checkout: the cases are not ours to carry.
const FOLDER: &str = "../shared/suites";

const SUITES: [&str; 4] = ["oils", "smoosh", "toybox", "jq"];

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool> {
    let (mut names, mut bless) = (Vec::new(), false);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--bless" => bless = true,
            name if SUITES.contains(&name) => names.push(name.to_owned()),
            other => bail!("{other}: the suites are {}", SUITES.join(", ")),
        }
    }
    if names.is_empty() {
        names = SUITES.map(str::to_owned).into();
    }
    let folder = dist::root().join(FOLDER);
    let mut fine = true;
    for name in names {
        let file = folder.join(format!("{name}.jsonl"));
        if !file.is_file() {
            println!("{name}: skipped, there is no {}", file.display());
            continue;
        }
        fine &= suite(&name, &file, bless)?;
    }
    Ok(fine)
}

fn suite(name: &str, file: &Path, bless: bool) -> Result<bool> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let cases: Vec<Case> = text
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("a case of {name} makes no sense")))
        .collect::<Result<_>>()?;
    let failures = run_all(&cases)?;
    let path: PathBuf = dist::root().join("docs/conformance").join(format!("{name}.txt"));
    let known = Record::read(&path)?;
    println!("{name}: {}", known.with(&failures).tally(cases.len()));
    if bless {
        known.with(&failures).write(&path, name, cases.len())?;
        return Ok(true);
    }
    let mut fine = true;
    for (id, why) in &failures {
        if !known.has(id) {
            println!("  FAILS NOW: {id}: {why}");
            fine = false;
        }
    }
    for id in known.ids().filter(|id| !failures.iter().any(|(failed, _)| failed == *id)) {
        println!("  passes now: {id}: remove it from {}", path.display());
    }
    Ok(fine)
}

/// The cases that fail, in their order, each with what differs.
fn run_all(cases: &[Case]) -> Result<Vec<(String, String)>> {
    let home = tempfile::tempdir()?;
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(at) else { return };
                    let failure = match case.run(home.path()) {
                        Ok(failure) => failure,
                        Err(error) => Some(format!("cannot be run: {error:#}")),
                    };
                    if let (Some(why), Ok(mut failures)) = (failure, failures.lock()) {
                        failures.push((at, case.id.clone(), why));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap_or_default();
    failures.sort_unstable();
    Ok(failures.into_iter().map(|(_, id, why)| (id, why)).collect())
}
