//! What the heavy commands cost, against the machine's own: over many files, many lines, and many bytes.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command as System;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::Bench;
use crate::shell::timed;
use crate::table::Table;

/// Besides the files of this checkout.
const FILES: usize = 20_000;
const FILES_PER_FOLDER: usize = 100;
const FILE_BYTES: usize = 4 << 10;

const LINES: u64 = 1_000_000;
const BYTES: usize = 1 << 30;

/// Each is done so often, in turn; the best time of each counts, because others only add to it.
const TURNS: usize = 3;
const RATIO_MAX: f64 = 3.0;
/// Nothing but questions about files, each of which crosses a boundary that the machine's own `find` does not have.
const FIND_RATIO_MAX: f64 = 7.0;
/// Where it stands, so that it gets no worse.
const SORT_N_RATIO_MAX: f64 = 6.0;

/// Megabytes (10^6 bytes) a second through a pipeline.
const PIPES_RATE_MIN: f64 = 150.0;
/// For all processes of a pipeline together, the shell included.
const PIPES_MEMORY_MIB: &str = "128";

/// In the texts of this checkout, here and there.
const WORD: &str = "bounded";

pub fn run(bench: &Bench, table: &mut Table) -> Result<()> {
    let project = bench.folder.join("tools-project");
    let files = tree(&project)?;
    table.note("files to search", &files.to_string());
    lines(&project.join("lines"))?;
    bytes(&project.join("bytes"))?;
    let home = bench.folder.join("tools-home");
    let tool = |name: &str, arguments: &[&str]| {
        let mut wardian = System::new(bench.dist.join("wardian"));
        wardian.env("WARDIAN_HOME", &home).args(["exec", "--direct", name]).args(arguments).current_dir(&project);
        wardian
    };
    let native = |name: &str, arguments: &[&str]| {
        let mut native = System::new(name);
        // The order of bytes, as in the sandbox.
        native.args(arguments).env("LC_ALL", "C.UTF-8").current_dir(&project);
        native
    };
    for (what, name, arguments, ratio_max) in [
        ("rg -n, a tree", "rg", &["-n", "-j1", WORD, "tree"][..], RATIO_MAX),
        ("rg -n, a tree; the machine's with all its cores", "rg", &["-n", WORD, "tree"], RATIO_MAX),
        ("grep -rn, a tree", "grep", &["-rn", WORD, "tree"], RATIO_MAX),
        ("find -name, a tree", "find", &["tree", "-name", "*7.txt"], FIND_RATIO_MAX),
        ("sort, 1,000,000 lines", "sort", &["lines"], RATIO_MAX),
        ("sort -n, 1,000,000 lines", "sort", &["-n", "lines"], SORT_N_RATIO_MAX),
        ("wc, 1 GiB", "wc", &["bytes"], RATIO_MAX),
        ("sha256sum, 1 GiB", "sha256sum", &["bytes"], RATIO_MAX),
    ] {
        if native(name, &["--version"]).output().is_err() {
            table.note(what, "not measured: this machine has no such program");
            continue;
        }
        // Compiles, and brings the files into memory.
        timed(&mut tool(name, arguments))?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            theirs.push(timed(&mut native(name, arguments))?);
            ours.push(timed(&mut tool(name, arguments))?);
        }
        let best = |times: Vec<_>| times.into_iter().min().unwrap_or_default();
        table.ratio(what, ("native", best(theirs)), ("wardian", best(ours)), ratio_max);
    }
    pipes(&project, &home, bench, table)
}

/// Four stages that pass on every byte, with no more memory than small inputs need.
fn pipes(project: &Path, home: &Path, bench: &Bench, table: &mut Table) -> Result<()> {
    for (what, script) in [
        ("four stages, 1 GiB: processes", "head -c 1073741824 bytes | grep -v nothing | grep some | wc -c"),
        ("four stages, 1 GiB: cat, tr, cat, wc", "cat bytes | tr s S | cat | wc -c"),
    ] {
        let mut wardian = System::new(bench.dist.join("wardian"));
        wardian.env("WARDIAN_HOME", home).args(["sh", "--direct", "--max-memory", PIPES_MEMORY_MIB, "-c", script]);
        let ours = timed(wardian.current_dir(project))?;
        let theirs = timed(System::new("dash").args(["-c", script]).env("LC_ALL", "C.UTF-8").current_dir(project))?;
        let rate = |time: Duration| BYTES as f64 / 1e6 / time.as_secs_f64();
        let figure = format!("{:.0} MB/s; dash {:.0} MB/s", rate(ours), rate(theirs));
        table.row(
            what,
            figure,
            &format!("{PIPES_RATE_MIN} MB/s in {PIPES_MEMORY_MIB} MiB"),
            rate(ours) >= PIPES_RATE_MIN,
        );
    }
    Ok(())
}

/// This checkout's texts, and as many files as are wanted made of pieces of them. Gives how many there are.
fn tree(project: &Path) -> Result<usize> {
    let mut texts = Vec::new();
    let root = suites::dist::root();
    for folder in ["components", "docs", "host", "tests", "wit", "xtask"] {
        collect(&root.join(folder), &mut texts)?;
    }
    let mut pool = Vec::new();
    for (number, path) in texts.iter().enumerate() {
        let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let to = project.join("tree/checkout").join(format!("{}", number / FILES_PER_FOLDER));
        fs::create_dir_all(&to)?;
        fs::write(to.join(format!("{number}.txt")), &text)?;
        pool.extend(text);
    }
    for number in 0..FILES {
        let to = project.join("tree/made").join(format!("{}", number / FILES_PER_FOLDER));
        if number % FILES_PER_FOLDER == 0 {
            fs::create_dir_all(&to)?;
        }
        // A prime step, so that no two are the same piece.
        let start = number * 7919 % (pool.len() - FILE_BYTES);
        fs::write(to.join(format!("{number}.txt")), &pool[start..start + FILE_BYTES])?;
    }
    Ok(texts.len() + FILES)
}

fn collect(folder: &Path, texts: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        let ends = |ending: &str| path.extension().is_some_and(|extension| extension == ending);
        if path.is_dir() {
            collect(&path, texts)?;
        } else if ["rs", "md", "toml", "wit"].into_iter().any(ends) {
            texts.push(path);
        }
    }
    Ok(())
}

/// Numbers in an order that looks like none.
fn lines(path: &Path) -> Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    for number in 0..LINES {
        writeln!(out, "{} line {number}", number.wrapping_mul(6_364_136_223_846_793_005) >> 40)?;
    }
    Ok(out.flush()?)
}

/// Words and lines, over and over.
fn bytes(path: &Path) -> Result<()> {
    let mut block = Vec::new();
    while block.len() < 1 << 20 {
        writeln!(block, "{} some words that make a line of usual length", block.len())?;
    }
    block.truncate(1 << 20);
    let mut out = File::create(path)?;
    for _ in 0..BYTES / block.len() {
        out.write_all(&block)?;
    }
    Ok(())
}
