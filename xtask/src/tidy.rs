//! The rules of the house that no other tool checks. Runs as a test, too.
//!
//! Words that a rule forbids are spelled in two halves here, so that this file keeps its own rules.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::process::{self, MINUTE};
use crate::stamp::entries;
use crate::workspace::{self, Workspace};

const LINES_MAX: usize = 800;

/// Files that people write, by ending.
const WRITTEN: [&str; 12] = ["rs", "wit", "md", "toml", "ts", "js", "mjs", "py", "sh", "wac", "html", "css"];

/// What says that something is not done yet.
const MARKERS: [&str; 4] =
    [concat!("to", "do!("), concat!("unimpl", "emented!("), concat!("FIX", "ME"), concat!("XX", "X")];

/// Registries are for package managers to know.
const REGISTRIES: [&str; 9] = [
    concat!("crates", ".io"),
    concat!("npmjs", ".org"),
    concat!("npmjs", ".com"),
    concat!("py", "pi.org"),
    concat!("python", "hosted.org"),
    concat!("deb.", "debian.org"),
    concat!("static.", "rust-lang.org"),
    concat!("proxy.", "golang.org"),
    concat!("ghcr", ".io"),
];

/// Folders of one machine.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// `cargo xtask tidy`.
pub fn command(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    workspace::no_arguments("tidy", arguments)?;
    workspace::step("tidy", || {
        let (files, problems) = check(workspace)?;
        if problems.is_empty() {
            return Ok(((), format!("{files} files")));
        }
        bail!("{} problems\n  {}", problems.len(), problems.join("\n  "))
    })
}

/// Number of files, and what is wrong with them, as `path:line: what`.
fn check(workspace: &Workspace) -> Result<(usize, Vec<String>)> {
    let paths = tracked(workspace)?;
    let mut problems = Vec::new();
    for path in &paths {
        if path.ends_with(".wasm") {
            problems.push(format!("{path}: built, so it does not belong in git"));
        }
        let Ok(bytes) = fs::read(workspace.root.join(path)) else {
            continue; // Deleted, and git does not know yet.
        };
        if let Ok(text) = std::str::from_utf8(&bytes) {
            problems.extend(check_text(path, text));
        }
    }
    for folder in entries(&workspace.root.join("components"))? {
        if folder.join("Cargo.toml").is_file() {
            problems.extend(check_component(&folder)?);
        }
    }
    for folder in entries(&workspace.root.join("wit"))? {
        if folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("wardian-")) {
            problems.extend(check_wit(&workspace.show(&folder), &folder)?);
        }
    }
    Ok((paths.len(), problems))
}

/// Everything in git, and what will be once it is added.
fn tracked(workspace: &Workspace) -> Result<Vec<String>> {
    let mut git = Command::new("git");
    git.current_dir(&workspace.root).args(["-c", "safe.directory=*"]).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let list = process::capture(&mut git, MINUTE)?;
    Ok(list.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
}

/// What can be told from one file alone.
fn check_text(path: &str, text: &str) -> Vec<String> {
    let ending = path.rsplit('.').next().unwrap_or_default();
    // Vendored and generated text is as others made it.
    let foreign = path.starts_with("wit/wasi-") || ending == "lock";
    if foreign || !(WRITTEN.contains(&ending) || path.starts_with(".ci/")) {
        return Vec::new();
    }
    // Test data may need any word, and tools that search for words are tested with them.
    let is_data = path.starts_with("tests/") || path.starts_with("bundles/") || path.contains("/tests/");
    let mut problems = Vec::new();
    let mut problem = |line: usize, what: &str| problems.push(format!("{path}:{line}: {what}"));
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if line.contains('\t') {
            problem(number, "a tab");
        }
        if line.ends_with([' ', '\t', '\r']) {
            problem(number, "white space at the end");
        }
        if !is_data && ending != "md" {
            for marker in MARKERS.iter().filter(|marker| has_word(line, marker)) {
                problem(number, &format!("`{marker}`: do it, or say in prose what is left out"));
            }
        }
        for registry in REGISTRIES.iter().filter(|registry| line.contains(**registry)) {
            problem(number, &format!("`{registry}`: package managers know where registries are"));
        }
        for folder in MACHINE_PATHS.iter().filter(|folder| has_folder(line, folder)) {
            problem(number, &format!("`{folder}`: a path of one machine"));
        }
    }
    let lines = text.lines().count();
    if lines > LINES_MAX {
        problem(lines, &format!("more than {LINES_MAX} lines: split it"));
    }
    if !text.is_empty() && !text.ends_with('\n') {
        problem(lines, "no newline at the end");
    }
    if ending == "toml" && path.ends_with("Cargo.toml") {
        problems.extend(check_manifest(path, text));
    }
    problems
}

/// Whether the word stands there by itself: not as a part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        !before.is_some_and(is_letter) && !after.is_some_and(|c| is_letter(c) && !word.ends_with('('))
    })
}

/// Whether an absolute path below the folder stands there: not a relative one that has a folder of that name.
fn has_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + folder.len()..].chars().next();
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '}');
        !before.is_some_and(is_name) && after.is_some_and(|c| c.is_alphanumeric() || c == '.')
    })
}

fn check_manifest(path: &str, text: &str) -> Option<String> {
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => return Some(format!("{path}: {error}")),
    };
    let inherits = table.get("lints").and_then(|lints| lints.get("workspace")?.as_bool());
    // Cases are data: their trees look like anybody's.
    let is_data = path.starts_with("tests/cases/");
    let is_ours = table.contains_key("package") && !table.contains_key("workspace") && !is_data;
    (is_ours && inherits != Some(true)).then(|| format!("{path}: no `[lints]` with `workspace = true`"))
}

/// One noun everywhere, and a word at the top on what it is.
fn check_component(folder: &Path) -> Result<Vec<String>> {
    let name = folder.file_name().and_then(|name| name.to_str()).context("a folder has a name")?;
    let mut problems = Vec::new();
    let manifest = folder.join("Cargo.toml");
    let table: toml::Table =
        fs::read_to_string(&manifest)?.parse().with_context(|| format!("cannot read {}", manifest.display()))?;
    let package = table.get("package").and_then(|package| package.get("name")?.as_str());
    if package != Some(name) {
        let package = package.unwrap_or_default();
        problems.push(format!("components/{name}/Cargo.toml: package `{package}` is not named like its folder"));
    }
    let root = ["src/lib.rs", "src/main.rs"]
        .into_iter()
        .find_map(|file| Some((file, fs::read_to_string(folder.join(file)).ok()?)));
    match root {
        None => problems.push(format!("components/{name}: neither src/lib.rs nor src/main.rs")),
        Some((file, text)) if !text.starts_with("//! ") => {
            problems.push(format!("components/{name}/{file}: does not begin with what it is (`//! …`)"));
        }
        Some(_) => {}
    }
    Ok(problems)
}

/// Contracts say what they are: each package, interface and world has a doc comment.
fn check_wit(shown: &str, folder: &Path) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let mut is_package_told = false;
    for file in entries(folder)? {
        if file.extension().is_none_or(|ending| ending != "wit") {
            continue;
        }
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&file)?;
        let mut is_told = false;
        for (index, line) in text.lines().enumerate() {
            let item = ["interface ", "world "].iter().any(|word| line.starts_with(word));
            if item && !is_told {
                let line = line.trim_end_matches(['{', ' ']);
                problems.push(format!("{shown}/{name}:{}: `{line}` has no doc comment", index + 1));
            }
            is_package_told |= line.starts_with("package ") && is_told;
            // An attribute stands between a comment and its item.
            is_told = line.starts_with("///") || (is_told && line.starts_with('@'));
        }
    }
    if !is_package_told {
        problems.push(format!("{shown}: its `package` line has no doc comment"));
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let (_, problems) = check(&Workspace::open().unwrap()).unwrap();
        assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    }

    /// What the check says about one line of a file of that name.
    fn says(path: &str, line: &str) -> String {
        check_text(path, &format!("{line}\n")).join("\n")
    }

    #[test]
    fn finds_what_does_not_belong_in_a_line() {
        assert!(says("a.rs", "a\tb").contains("a.rs:1: a tab"));
        assert!(says("a.md", "a ").contains("white space"));
        for marker in MARKERS {
            assert!(says("a.rs", &format!("x {marker}")).contains("do it"), "{marker}");
            assert_eq!(says("tests/cases/a.rs", marker), "");
        }
        for registry in REGISTRIES {
            assert!(says("a.ts", &format!("https://{registry}/x")).contains("registries"));
        }
        for folder in MACHINE_PATHS {
            assert!(says("a.py", &format!("'{folder}x'")).contains("one machine"));
        }
    }

    #[test]
    fn leaves_alone_what_only_looks_like_it() {
        let placeholder = MARKERS[3].repeat(2);
        assert_eq!(says("a.rs", &format!("tmp.{placeholder}")), "");
        assert_eq!(says("a.rs", &format!("src{}x", MACHINE_PATHS[2])), "");
        assert_eq!(says("a.rs", &format!("{} is where users live", MACHINE_PATHS[2])), "");
        assert_eq!(says("wit/wasi-io/io.wit", "a\tb "), "");
        assert_eq!(says("a.bin", "a\tb "), "");
    }

    #[test]
    fn finds_long_and_torn_files() {
        let long = "line\n".repeat(LINES_MAX + 1);
        assert!(check_text("a.rs", &long)[0].contains("split it"));
        assert!(check_text("a.rs", &"line\n".repeat(LINES_MAX)).is_empty());
        assert!(check_text("a.rs", "line")[0].contains("no newline"));
    }

    #[test]
    fn finds_a_manifest_without_our_lints() {
        let with = "[package]\nname = \"x\"\n[lints]\nworkspace = true";
        assert_eq!(says("x/Cargo.toml", with), "");
        assert!(says("x/Cargo.toml", "[package]\nname = \"x\"").contains("lints"));
        assert_eq!(says("Cargo.toml", "[workspace]"), "");
    }

    #[test]
    fn finds_built_files_in_git() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        for path in ["components", "wit"] {
            fs::create_dir(root.join(path)).unwrap();
        }
        fs::write(root.join("x.wasm"), [0xff]).unwrap();
        process::capture(Command::new("git").arg("init").current_dir(&root), MINUTE).unwrap();
        let workspace = Workspace { cache: root.join("cache"), dist: root.join("dist"), root };
        let (files, problems) = check(&workspace).unwrap();
        assert_eq!((files, problems.len()), (1, 1));
        assert!(problems[0].starts_with("x.wasm: built"));
    }

    #[test]
    fn finds_a_component_with_two_names_or_no_word() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("tool-x");
        fs::create_dir_all(folder.join("src")).unwrap();
        let write = |manifest: &str, source: &str| {
            fs::write(folder.join("Cargo.toml"), manifest).unwrap();
            fs::write(folder.join("src/lib.rs"), source).unwrap();
            check_component(&folder).unwrap().join("\n")
        };
        assert_eq!(write("[package]\nname = 'tool-x'\n", "//! A tool.\n"), "");
        assert!(write("[package]\nname = 'x-tool'\n", "//! A tool.\n").contains("named like"));
        assert!(write("[package]\nname = 'tool-x'\n", "fn x() {}\n").contains("what it is"));
        fs::remove_file(folder.join("src/lib.rs")).unwrap();
        assert!(check_component(&folder).unwrap()[0].contains("neither"));
    }

    #[test]
    fn finds_a_contract_that_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let says = |text: &str| {
            fs::write(folder.path().join("x.wit"), text).unwrap();
            check_wit("wit/x", folder.path()).unwrap().join("\n")
        };
        assert_eq!(says("/// P.\npackage a:b;\n/// I.\ninterface c {}\n"), "");
        assert!(says("package a:b;\n/// I.\ninterface c {}\n").contains("`package` line"));
        assert!(says("/// P.\npackage a:b;\n\ninterface c {\n").contains("x.wit:4: `interface c`"));
        assert!(says("/// P.\npackage a:b;\n\nworld c {\n").contains("`world c`"));
    }
}
