//! Derives wit/wasi-* from the WIT inside the engine's crates, so that our contracts and the host mean the same.
//!
//! The version that components are written to, [`VERSION`], may be older than the crates'. Releases of WASI 0.2 only add,
//! and mark each addition with the release that brought it. So a package gets its text from the engine and its version
//! from here, loses what was added later, and is that version.

use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::stamp::entries;
use crate::workspace::{self, Workspace};

/// The release of WASI 0.2 that our contracts name.
const VERSION: &str = "0.2.6";

/// What is taken from wasmtime-wasi. Sockets are there only because the worlds of `wasi:cli` name them.
const PACKAGES: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];

/// Path below `wit/` and text of each derived file.
type Files = BTreeMap<PathBuf, String>;

/// `cargo xtask vendor-wit [DIR]`: into wit/, or below another folder.
pub fn command(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let into = match arguments {
        [] => workspace.root.join("wit"),
        [folder] => PathBuf::from(folder),
        [_, extra, ..] => {
            return workspace::no_arguments("vendor-wit", std::slice::from_ref(extra));
        }
    };
    workspace::step("vendor-wit", || {
        let files = derive(workspace)?;
        let mut written = 0;
        for (path, text) in &files {
            let path = into.join(path);
            if fs::read_to_string(&path).ok().as_ref() == Some(text) {
                continue;
            }
            fs::create_dir_all(path.parent().unwrap_or(&into))?;
            workspace::write(&path, text.as_bytes())?;
            written += 1;
        }
        for path in present(&into)? {
            if !files.contains_key(&path) {
                fs::remove_file(into.join(&path))?;
            }
        }
        Ok(((), format!("{} files, {written} of them new", files.len())))
    })
}

fn derive(workspace: &Workspace) -> Result<Files> {
    let metadata = workspace.metadata(&workspace.root, &["--locked"])?;
    let mut files = Files::new();
    let (wasi, wasi_version) = package_folder(&metadata, "wasmtime-wasi")?;
    for name in PACKAGES {
        let source = wasi.join("src/p2/wit/deps").join(format!("{name}.wit"));
        let text = pin(&read(&source)?, VERSION).with_context(|| source.display().to_string())?;
        let path = PathBuf::from(format!("wasi-{name}/{name}.wit"));
        files.insert(path, header("wasmtime-wasi", &wasi_version) + &text);
    }
    let (http, http_version) = package_folder(&metadata, "wasmtime-wasi-http")?;
    let source = http.join("wit/deps/http.wit");
    let text = pin(&read(&source)?, VERSION).with_context(|| source.display().to_string())?;
    files.insert(PathBuf::from("wasi-http/http.wit"), header("wasmtime-wasi-http", &http_version) + &text);
    let (config, config_version) = package_folder(&metadata, "wasmtime-wasi-config")?;
    for source in entries(&config.join("wit/deps/config"))? {
        let name = source.file_name().context("a file has a name")?;
        let text = header("wasmtime-wasi-config", &config_version) + &read(&source)?;
        files.insert(Path::new("wasi-config").join(name), text);
    }
    Ok(files)
}

fn header(package: &str, version: &str) -> String {
    format!("// From {package} {version}, by `cargo xtask vendor-wit`: do not edit.\n\n")
}

/// Gives a package, and what it uses, that version, and leaves out what is younger. Comments and `@since` keep what they
/// say.
fn pin(text: &str, version: &str) -> Result<String> {
    let declared = text
        .lines()
        .find_map(|line| line.strip_prefix("package ")?.strip_suffix(';')?.split_once('@'))
        .context("it declares no package with a version")?
        .1;
    let patch = |version: &str| -> Option<u32> { version.strip_prefix("0.2.")?.parse().ok() };
    ensure!(
        patch(declared) >= patch(version),
        "it is of WASI {declared}, which does not hold all of {version}: our contracts must name another version"
    );
    let (from, to) = (format!("@{declared}"), format!("@{version}"));
    let is_younger = |line: &str| {
        let since = line.trim().strip_prefix("@since(version = ").and_then(|rest| rest.strip_suffix(')'));
        since.is_some_and(|since| patch(since) > patch(version))
    };
    let mut pinned: Vec<String> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if !is_younger(line) {
            let is_comment = line.trim_start().starts_with("//");
            pinned.push(if is_comment { line.to_owned() } else { line.replace(&from, &to) });
            continue;
        }
        // Its comment goes with the item.
        while pinned.last().is_some_and(|line| line.trim_start().starts_with("///")) {
            pinned.pop();
        }
        let mut open = 0;
        for line in lines.by_ref().filter(|line| !line.trim_start().starts_with("//")) {
            open += line.matches('{').count();
            open -= line.matches('}').count();
            if open == 0 && line.ends_with([';', '}']) {
                break;
            }
        }
    }
    Ok(pinned.join("\n") + "\n")
}

/// Folder and version of a package's sources.
fn package_folder(metadata: &serde_json::Value, name: &str) -> Result<(PathBuf, String)> {
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let package = packages
        .iter()
        .find(|package| package["name"] == name)
        .with_context(|| format!("the workspace does not depend on {name}"))?;
    let manifest = package["manifest_path"].as_str().context("a package has a manifest")?;
    let folder = Path::new(manifest).parent().context("a manifest has a folder")?;
    let version = package["version"].as_str().context("a package has a version")?;
    Ok((folder.to_owned(), version.to_owned()))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| {
        format!("cannot read {}: does this version of the crate keep its WIT elsewhere?", path.display())
    })
}

/// The derived files that are there, relative to `wit`.
fn present(wit: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for folder in entries(wit)? {
        let name = folder.file_name().context("a folder has a name")?;
        if name.to_string_lossy().starts_with("wasi-") {
            for file in entries(&folder)? {
                files.push(file.strip_prefix(wit)?.to_owned());
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_vendored_is_what_the_locked_crates_hold() {
        let workspace = Workspace::open().unwrap();
        let files = derive(&workspace).unwrap();
        let wit = workspace.root.join("wit");
        let names: Vec<&PathBuf> = files.keys().collect();
        assert_eq!(present(&wit).unwrap().iter().collect::<Vec<_>>(), names, "run `cargo xtask vendor-wit`");
        for (path, text) in &files {
            let vendored = fs::read_to_string(wit.join(path)).unwrap();
            assert!(vendored == *text, "{} differs: run `cargo xtask vendor-wit`", path.display());
        }
    }

    #[test]
    fn only_versions_of_packages_change() {
        let text = "package wasi:x@0.2.12;\n// @0.2.12\n  use wasi:io/poll@0.2.12.{pollable};\n";
        let pinned = "package wasi:x@0.2.6;\n// @0.2.12\n  use wasi:io/poll@0.2.6.{pollable};\n";
        assert_eq!(pin(text, "0.2.6").unwrap(), pinned);
    }

    #[test]
    fn what_is_younger_is_left_out() {
        let kept = "  @since(version = 0.2.6)\n  a: func();\n";
        let text = format!(
            "package wasi:x@0.2.6;\n{kept}  /// New.\n  @since(version = 0.2.7)\n  record r {{\n    /// x\n    x: u8,\n  }}\n{kept}  \
             @since(version = 0.2.12)\n  b: func();\n}}\n"
        );
        assert_eq!(pin(&text, "0.2.6").unwrap(), format!("package wasi:x@0.2.6;\n{kept}{kept}}}\n"));
    }

    #[test]
    fn an_older_or_another_wasi_is_refused() {
        assert!(pin("package wasi:x@0.2.5;\n", "0.2.6").is_err());
        assert!(pin("package wasi:x@0.3.0;\n", "0.2.6").is_err());
        assert!(pin("interface x {}\n", "0.2.6").is_err());
    }
}
