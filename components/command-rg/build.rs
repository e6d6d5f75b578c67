//! Makes ripgrep's sources a part of this crate.
//!
//! ripgrep is published as a program. A program for the sandbox needs two things more than its `main` does (see
//! `command_kit::program!`), so its modules become ours, and its `main` a function.

use std::path::{Path, PathBuf};
use std::{env, fs};

const SOURCES: &str = "ripgrep-15.2.0";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("wasi") {
        // See `command_kit::listing`.
        println!("cargo::rustc-link-arg-bins=--wrap=readdir");
        println!("cargo::rustc-link-arg-bins=--wrap=filesystem_method_descriptor_metadata_hash_at");
    }
    let core = sources().join("crates/core");
    let main = fs::read_to_string(core.join("main.rs")).expect("ripgrep has a crates/core/main.rs");

    let mut ours = String::new();
    for line in strip_comment(&main).lines() {
        match line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
            Some(module) => {
                let file = [format!("{module}.rs"), format!("{module}/mod.rs")]
                    .map(|file| core.join(file))
                    .into_iter()
                    .find(|file| file.is_file())
                    .unwrap_or_else(|| panic!("ripgrep has no module {module}"));
                // `{:?}` of a path is a Rust string literal.
                ours.push_str(&format!("#[allow(warnings, clippy::all)]\n#[path = {file:?}]\n{line}\n"));
            }
            None if line == "fn main() -> ExitCode {" => ours.push_str("fn ripgrep() -> ExitCode {\n"),
            None => ours.push_str(&format!("{line}\n")),
        }
    }
    assert!(ours.contains("fn ripgrep()") && ours.contains("mod flags;"), "ripgrep's main.rs has another form");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(out.join("ripgrep.rs"), ours).expect("cannot write to OUT_DIR");
}

/// Without the comment about the file, which cannot stand where the text is put.
fn strip_comment(main: &str) -> &str {
    match main.trim_start().strip_prefix("/*!").and_then(|rest| rest.split_once("*/")) {
        Some((_, rest)) => rest,
        None => main,
    }
}

/// Where cargo has unpacked them.
fn sources() -> PathBuf {
    let home = match env::var_os("CARGO_HOME").filter(|home| !home.is_empty()) {
        Some(home) => PathBuf::from(home),
        None => env::home_dir().expect("no home directory: set CARGO_HOME").join(".cargo"),
    };
    let registries = home.join("registry/src");
    let found = fs::read_dir(&registries)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", registries.display()))
        .flatten()
        .map(|registry| registry.path().join(SOURCES))
        .find(|sources: &PathBuf| Path::new(sources).join("Cargo.toml").is_file());
    found.unwrap_or_else(|| panic!("{SOURCES} is in no folder of {}", registries.display()))
}
