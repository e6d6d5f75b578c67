//! The Grep tool over trees as they are, through the workspace, on the project itself, and what a user has instead of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use wardian_host::Tool;
use wardian_host::wit::FileAccess;

use super::{Ground, compare, itself, over};
use crate::Bench;
use crate::table::{Table, millis};

/// Understood alike by grep, ripgrep and our tool, and found in any tree of Rust.
const PATTERN: &str = r"panic!\(";

/// The least files of a large tree.
const LARGE_FILES: usize = 20_000;

const ROUNDS: usize = 4;

/// Directories that the tool leaves out and grep does not.
const LEFT_OUT: [&str; 3] = [".git", "dist", "target"];

pub async fn run(ground: &Ground, bench: &Bench, table: &mut Table) -> Result<()> {
    let direct = bench.direct(&ground.host, "tool-files", "components/tool_files.wasm").await?;
    let overlaid = bench.overlaid(&ground.host, "tool-files", "components/tool_files.wasm").await?;
    let tools = (&direct, &overlaid);
    search(ground, table, tools, "this repository", &suites::dist::root()).await?;
    let large = ground.folder("crates")?;
    let what = gather(&large)?;
    search(ground, table, tools, &what, &large).await
}

async fn search(
    ground: &Ground,
    table: &mut Table,
    (direct, overlaid): (&Tool, &Tool),
    tree: &str,
    project: &Path,
) -> Result<()> {
    let layer = ground.layer(&format!("grep {tree}"))?;
    let (plain, workspace) = (itself(project), over(project, &layer));
    let input = json!({"pattern": PATTERN, "output_mode": "count"});
    // The text has the order of paths, so it is the same in both, notes included.
    let same = |outcome: &wardian_host::wit::Outcome| {
        let data: Value = serde_json::from_str(outcome.data.as_deref().unwrap_or_default())?;
        let figure = |name: &str| data[name].as_u64().with_context(|| format!("the result has no {name}"));
        Ok((figure("total_files")?, figure("total_matches")?))
    };
    let what = (FileAccess::Read, "Grep", &input);
    let (pair, (files, matches)) = compare(ROUNDS, (direct, &plain), (overlaid, &workspace), what, same).await?;
    ensure!(matches > 0, "nothing was found in {tree}");
    table.overlay(&format!("Grep, {tree}"), &pair, 1, 1.5);

    let mut grep = vec!["-rcIE".to_owned()];
    grep.extend(LEFT_OUT.map(|name| format!("--exclude-dir={name}")));
    let natives = [("grep", grep), ("rg", vec!["-c".to_owned()]), ("rg", vec!["-cj1".to_owned()])];
    let natives: Vec<String> = natives
        .iter()
        .map(|(program, arguments)| match native(program, arguments, project) {
            Some(time) => format!("{program} {} {:.1} ms", arguments[0], millis(time)),
            None => format!("no {program}"),
        })
        .collect();
    table.note(
        "",
        &format!(
            "{files} files, {matches} lines; workspace {:.1} ms of wall; natively: {}",
            millis(pair.second.wall),
            natives.join("; ")
        ),
    );
    Ok(())
}

/// The least time of a program of the system, if there is one.
fn native(program: &str, arguments: &[String], tree: &Path) -> Option<Duration> {
    let mut least = None;
    for _ in 0..ROUNDS {
        let mut command = Command::new(program);
        // Read, for grep looks no further than the first match where nobody reads.
        command.args(arguments).arg(PATTERN).arg(".").current_dir(tree).stdin(Stdio::null());
        let start = Instant::now();
        let output = command.output().ok()?;
        let took = start.elapsed();
        if output.stdout.is_empty() {
            return None;
        }
        least = Some(least.map_or(took, |least: Duration| least.min(took)));
    }
    least
}

/// Fills a folder with the sources of crates that cargo has downloaded, and with copies of them until there are enough.
fn gather(folder: &Path) -> Result<String> {
    let sources = sources();
    let mut files = 0;
    if sources.is_empty() {
        for copy in 0.. {
            if files >= LARGE_FILES {
                break;
            }
            files += link(&suites::dist::root().join("host"), &folder.join(format!("copy-{copy}")))?;
        }
        return Ok(format!("copies of host/, {files} files"));
    }
    let (mut crates, mut copies) = (0, 0);
    while files < LARGE_FILES {
        let before = files;
        for source in &sources {
            if files >= LARGE_FILES {
                break;
            }
            let name = source.file_name().unwrap_or_default();
            files += link(source, &folder.join(format!("copy-{copies}")).join(name))?;
            crates += 1;
        }
        copies += 1;
        ensure!(files > before, "the crates of cargo have no files");
    }
    let again = if copies > 1 { " (some twice)" } else { "" };
    Ok(format!("{crates} crates of cargo{again}, {files} files"))
}

/// The crates that cargo has unpacked, in order.
fn sources() -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let Some(home) = home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))) else { return Vec::new() };
    let list = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    };
    let mut crates: Vec<_> = list(&home.join("registry").join("src")).iter().flat_map(|index| list(index)).collect();
    crates.sort();
    crates
}

/// Makes another name for each file of a tree, or a copy where that cannot be. How many there are.
fn link(from: &Path, to: &Path) -> Result<usize> {
    fs::create_dir_all(to)?;
    let mut files = 0;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            files += link(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs::hard_link(entry.path(), &target).or_else(|_| fs::copy(entry.path(), &target).map(drop))?;
            files += 1;
        }
    }
    Ok(files)
}
