//! All automation of the repository, as `cargo xtask COMMAND`.
//!
//! It is compiled before anything else can be, on every machine, so it stays small: no engine, no composer. What needs
//! those (composing, validating) is asked of the `wardian-bundle` program, which the build makes first.

mod app;
mod browser;
mod bundles;
mod checks;
mod components;
mod debian;
mod native;
mod patches;
mod process;
mod python;
mod python_tests;
mod sqlite;
mod stamp;
mod tidy;
mod toolchain;
mod vendor;
mod wasi_std;
mod workspace;

use anyhow::{Result, bail};
use std::process::ExitCode;
use workspace::Workspace;

/// Name, one line for the table, what it does.
type Command = (&'static str, &'static str, fn(&Workspace, &[String]) -> Result<()>);

const COMMANDS: &[Command] = &[
    ("build", "everything: components, bundles, and dist/wardian with them inside", build),
    ("components", "only the components and bundles, without the native host", components),
    ("python", "only python_runtime.wasm, CPython as a command component", python::command),
    ("browser", "only dist/browser, the package for pages, and the components in it", browser::command),
    ("page", "only dist/page, the web app with the package, as `wardian serve` has it", page),
    ("python-tests", "build, then CPython's own tests in the sandbox; names of modules select", python_tests::command),
    ("test", "build, then every test; what follows `--` selects by name", checks::test),
    ("lint", "formatting and clippy, warnings are errors", checks::lint),
    ("fmt", "formats all Rust sources", checks::fmt),
    ("tidy", "the rules of the house that no other tool checks", tidy::command),
    ("demo", "build, then one run of the demo model on this repository, or on -C DIR", checks::demo),
    ("bench", "build, then the benchmarks", checks::bench),
    ("conformance", "build, then cases of outside test suites through the shell", checks::conformance),
    ("vendor-wit", "derives wit/wasi-* from the locked wasmtime-wasi", vendor::command),
    ("toolchain", "only makes sure that components can be compiled here", toolchain::command),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            // A program that was run for the user has said itself what is wrong: its status is ours.
            let status = error.downcast_ref::<process::Failed>().map(|failed| failed.status);
            ExitCode::from(status.unwrap_or(1))
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let Some((name, rest)) = arguments.split_first() else {
        print!("{}", help());
        return Ok(());
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        print!("{}", help());
        return Ok(());
    }
    let Some((_, _, command)) = COMMANDS.iter().find(|(command, ..)| command == name) else {
        bail!("no command `{name}`\n\n{}", help());
    };
    command(&Workspace::open()?, rest)
}

fn help() -> String {
    let rows: String = COMMANDS.iter().map(|(name, line, _)| format!("  {name:<12} {line}\n")).collect();
    format!(
        "usage: cargo xtask COMMAND [ARGUMENT..]\n\n{rows}\n\
         What is slow to make is kept in $WARDIAN_CACHE (default ~/.cache/wardian) and shared between checkouts.\n"
    )
}

fn build(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    workspace::no_arguments("build", arguments)?;
    let _lock = workspace.lock()?;
    native::build(workspace)
}

fn components(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    workspace::no_arguments("components", arguments)?;
    let _lock = workspace.lock()?;
    bundles::build(workspace).map(drop)
}

fn page(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    workspace::no_arguments("page", arguments)?;
    let _lock = workspace.lock()?;
    browser::build(workspace, &bundles::build(workspace)?)?;
    app::build(workspace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_command() {
        for (name, line, _) in COMMANDS {
            assert!(help().contains(name) && help().contains(line));
        }
    }

    #[test]
    fn an_unknown_command_is_named() {
        let error = run(&["bild".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("no command `bild`"));
    }
}
