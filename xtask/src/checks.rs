//! What tells whether the work is good: tests, lints, the demo, the benchmarks.

use anyhow::{Context, Result, bail};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::app;
use crate::browser;
use crate::components::{self, Component};
use crate::native;
use crate::process::{self, BUILD_TIMEOUT};
use crate::stamp::entries;
use crate::toolchain::{TARGET, Toolchain};
use crate::workspace::{self, Workspace};

/// No test takes longer than this together with all others and their compilation.
const TEST_TIMEOUT: std::time::Duration = BUILD_TIMEOUT;

/// `cargo xtask test [-- FILTER..]`.
pub fn test(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let filter = match arguments.split_first() {
        None => &[],
        Some((separator, filter)) if separator == "--" => filter,
        Some((argument, _)) => {
            bail!("`cargo xtask test` takes no `{argument}`; to select tests: `cargo xtask test -- {argument}`")
        }
    };
    let _lock = workspace.lock()?;
    native::build(workspace)?;

    // The fast ones first: what the components decide, checked without any engine.
    let (components, libraries) = component_packages(workspace)?;
    workspace::step("unit tests", || {
        let mut cargo = native::light_cargo(workspace, "test")?;
        // Without the libraries themselves: a component's library is no library on this machine.
        cargo.args(["--no-fail-fast", "--lib", "--bins", "--tests", "-p", "xtask"]);
        select(&mut cargo, &components);
        select(&mut cargo, &libraries);
        run_tests(&mut cargo, filter)?;
        let mut cargo = native::light_cargo(workspace, "test")?;
        cargo.args(["--doc"]);
        select(&mut cargo, &libraries);
        run_tests(&mut cargo, filter)?;
        Ok(((), "passed".to_owned()))
    })?;
    for (component, folder) in standing_alone(workspace)? {
        // The others are adapters without tests, whose programs are tested as processes.
        if has_tests(&folder.join("src"))? {
            workspace::step(&format!("unit tests, {}", component.name), || {
                workspace.claim_for(&folder, &component.name, &["--release"])?;
                let mut cargo = components::alone_cargo(workspace, &component, &folder);
                cargo.args(["test", "--release"]);
                run_tests(&mut cargo, filter)?;
                Ok(((), "passed".to_owned()))
            })?;
        }
    }
    workspace::step("host and end-to-end tests", || {
        let mut cargo = native::cargo(workspace, "test")?;
        cargo.arg("--no-fail-fast");
        run_tests(&mut cargo, filter)?;
        Ok(((), "passed".to_owned()))
    })?;
    browser::test(workspace, filter)?;
    app::test(workspace, filter)?;
    workspace::step("examples", || examples(workspace))
}

/// Each example is tested, built and taken up by `wardian`, as its README says.
fn examples(workspace: &Workspace) -> Result<((), String)> {
    let mut names = Vec::new();
    for folder in entries(&workspace.root.join("examples"))? {
        let manifest = folder.join("Cargo.toml");
        if !manifest.is_file() {
            continue;
        }
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // In the checkout: the cache is shared with other checkouts, whose examples look the same to cargo.
        let target = workspace.dist.join("examples").join(&name);
        let cargo = |command: &str| {
            let mut cargo = workspace.cargo(native::TARGET_DIR);
            cargo.env("CARGO_TARGET_DIR", &target).arg(command).arg("--locked");
            cargo.arg("--manifest-path").arg(&manifest);
            cargo
        };
        process::run(&mut cargo("test"), TEST_TIMEOUT)?;
        let mut build = cargo("build");
        build.args(["--release", "--target", TARGET]);
        Toolchain::find(workspace)?.apply(&mut build, workspace)?;
        process::run(&mut build, BUILD_TIMEOUT)?;
        let built = target.join(TARGET).join("release");
        let component = entries(&built)?
            .into_iter()
            .find(|file| file.extension().is_some_and(|extension| extension == "wasm"))
            .with_context(|| format!("{name} built no component in {}", built.display()))?;
        let mut wardian = Command::new(workspace.dist.join("wardian"));
        wardian.env("WARDIAN_HOME", target.join("home")).arg("tools").arg("--component").arg(&component);
        wardian.arg("-C").arg(&folder);
        process::capture(&mut wardian, process::MINUTE).with_context(|| format!("wardian does not take {name}"))?;
        names.push(name);
    }
    Ok(((), names.join(", ")))
}

fn run_tests(cargo: &mut Command, filter: &[String]) -> Result<()> {
    cargo.arg("--").args(filter);
    process::run(cargo, TEST_TIMEOUT)
}

fn select(cargo: &mut Command, packages: &[String]) {
    for package in packages {
        cargo.args(["-p", package]);
    }
}

/// The components that are workspaces of their own, each with its folder.
fn standing_alone(workspace: &Workspace) -> Result<Vec<(Component, PathBuf)>> {
    let components = components::discover(workspace)?.into_iter();
    Ok(components.filter_map(|component| component.alone.clone().map(|folder| (component, folder))).collect())
}

fn has_tests(folder: &Path) -> Result<bool> {
    for path in entries(folder)? {
        let found = if path.is_dir() {
            has_tests(&path)?
        } else {
            let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            text.contains("#[cfg(test)]")
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The packages of the workspace below components/: those that are components, and the libraries that they share.
fn component_packages(workspace: &Workspace) -> Result<(Vec<String>, Vec<String>)> {
    let (alone, components): (Vec<_>, Vec<_>) =
        components::discover(workspace)?.into_iter().partition(|component| component.alone.is_some());
    let [alone, components] =
        [alone, components].map(|list| list.into_iter().map(|component| component.name).collect::<Vec<String>>());
    let mut libraries = Vec::new();
    for folder in entries(&workspace.root.join("components"))? {
        let name = folder.file_name().and_then(|name| name.to_str()).context("a folder has a name")?;
        if folder.join("Cargo.toml").is_file() && !alone.iter().chain(&components).any(|known| known == name) {
            libraries.push(name.to_owned());
        }
    }
    Ok((components, libraries))
}

/// `cargo xtask lint`.
pub fn lint(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    workspace::no_arguments("lint", arguments)?;
    let _lock = workspace.lock()?;
    workspace::step("fmt", || {
        let mut cargo = workspace.cargo(native::TARGET_DIR);
        process::run(cargo.args(["fmt", "--all", "--check"]), BUILD_TIMEOUT)
            .context("the sources are not formatted: `cargo xtask fmt`")?;
        for (component, folder) in standing_alone(workspace)? {
            let mut cargo = format(workspace, &component, &folder);
            process::run(cargo.arg("--check"), BUILD_TIMEOUT)
                .context("the sources are not formatted: `cargo xtask fmt`")?;
        }
        Ok(((), "formatted".to_owned()))
    })?;
    // Components are linted as native crates: a toolchain may be able to compile for their target and have no clippy.
    let (components, libraries) = component_packages(workspace)?;
    workspace::step("clippy, components", || {
        let mut cargo = native::light_cargo(workspace, "clippy")?;
        cargo.args(["--all-targets", "-p", "xtask"]);
        select(&mut cargo, &components);
        select(&mut cargo, &libraries);
        deny_warnings(&mut cargo)
    })?;
    for (component, folder) in standing_alone(workspace)? {
        workspace::step(&format!("clippy, {}", component.name), || {
            workspace.claim_for(&folder, &component.name, &["--release"])?;
            let mut cargo = components::alone_cargo(workspace, &component, &folder);
            cargo.args(["clippy", "--release", "--all-targets"]);
            deny_warnings(&mut cargo)
        })?;
    }
    workspace::step("clippy, host", || {
        let mut cargo = native::cargo(workspace, "clippy")?;
        cargo.arg("--all-targets");
        deny_warnings(&mut cargo)
    })?;
    browser::lint(workspace)?;
    app::lint(workspace)
}

fn deny_warnings(cargo: &mut Command) -> Result<((), String)> {
    process::run(cargo.args(["--", "-D", "warnings"]), BUILD_TIMEOUT)?;
    Ok(((), "no warnings".to_owned()))
}

/// `cargo xtask fmt`.
pub fn fmt(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    workspace::no_arguments("fmt", arguments)?;
    let mut cargo = workspace.cargo(native::TARGET_DIR);
    process::run(cargo.args(["fmt", "--all"]), process::MINUTE)?;
    for (component, folder) in standing_alone(workspace)? {
        process::run(&mut format(workspace, &component, &folder), process::MINUTE)?;
    }
    Ok(())
}

fn format(workspace: &Workspace, component: &Component, folder: &Path) -> Command {
    let mut cargo = workspace.cargo(&component.name);
    cargo.current_dir(folder).arg("fmt");
    cargo
}

/// `cargo xtask demo [-C DIR] [--yes] [ARGUMENT..]`: the agent writes a report, its user looks at it and commits it.
pub fn demo(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let (yes, arguments): (Vec<&String>, Vec<&String>) = arguments.iter().partition(|argument| *argument == "--yes");
    let project = match arguments.iter().position(|argument| *argument == "-C") {
        Some(at) => arguments.get(at + 1).context("-C needs a folder")?.to_string(),
        None => workspace.root.display().to_string(),
    };
    let lock = workspace.lock()?;
    native::build(workspace)?;
    drop(lock);
    let program = workspace.dist.join("wardian");
    let wardian = |arguments: &[&str]| {
        eprintln!("\n$ wardian {}", arguments.join(" "));
        let mut wardian = Command::new(&program);
        wardian.args(arguments);
        if !arguments.contains(&"-C") {
            wardian.args(["-C", &project]);
        }
        process::run(&mut wardian, BUILD_TIMEOUT)
    };
    let mut run = vec!["run", "-m", "demo"];
    // Where nobody can be asked whether scripts may run, whoever starts the demo has allowed its own.
    let attended = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if (!attended || !yes.is_empty()) && !arguments.iter().any(|argument| argument.starts_with("--approve")) {
        run.extend(["--approve", "all"]);
    }
    run.extend(arguments.iter().map(|argument| argument.as_str()));
    wardian(&run)?;
    wardian(&["diff", "--no-pager"])?;
    if !yes.is_empty() {
        wardian(&["commit", "--yes"])
    } else if std::io::stdin().is_terminal() {
        // Whoever says no has seen the demo as well.
        let status = Command::new(&program).args(["commit", "-C", &project]).status()?;
        anyhow::ensure!(matches!(status.code(), Some(0 | 3)), "wardian commit failed: {status}");
        Ok(())
    } else {
        eprintln!(
            "\nnothing was committed: there is no terminal to ask on; to commit unattended: cargo xtask demo --yes"
        );
        Ok(())
    }
}

/// `cargo xtask bench [PART..]`; the parts `python` and `browser` are programs of their own.
pub fn bench(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let _lock = workspace.lock()?;
    native::build(workspace)?;
    if let [what] = arguments
        && what == "browser"
    {
        return browser::bench(workspace);
    }
    let (python, parts): (Vec<&String>, Vec<&String>) = arguments.iter().partition(|part| *part == "python");
    // Not `cargo run`, which selects one package: see `native::PACKAGES`.
    let run = |name: &str, parts: &[&String]| {
        let mut bench = Command::new(native::build_binary(workspace, name)?);
        bench.current_dir(&workspace.root).args(parts);
        process::run(&mut bench, BUILD_TIMEOUT)
    };
    if !parts.is_empty() || python.is_empty() {
        run("bench", &parts)?;
    }
    if !python.is_empty() || parts.is_empty() {
        run("bench-python", &[])?;
    }
    Ok(())
}

/// `cargo xtask conformance [SUITE..] [--bless]`.
pub fn conformance(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let _lock = workspace.lock()?;
    native::build(workspace)?;
    let conformance = native::build_binary(workspace, "conformance")?;
    let mut conformance = Command::new(conformance);
    conformance.current_dir(&workspace.root).args(arguments);
    process::run(&mut conformance, BUILD_TIMEOUT)
}
