//! The native half: the `wardian` program with the default bundle inside, and the program that composes bundles.

use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::app;
use crate::browser;
use crate::bundles::{self, Bundle};
use crate::process;
use crate::stamp::{self, Inputs};
use crate::workspace::{self, Workspace};

/// Cargo's target folder for everything native, in the cache.
pub const TARGET_DIR: &str = "target";

/// Every call of cargo that compiles the engine selects exactly these. Cargo unites the features of what is selected:
/// with another selection the engine could get other features, and be compiled a second time, which takes minutes.
pub const PACKAGES: [&str; 4] = ["wardian-host", "wardian-bundle", "wardian", "suites"];

/// Builds everything, up to `dist/wardian`.
pub fn build(workspace: &Workspace) -> Result<()> {
    let bundles = bundles::build(workspace)?;
    let default = bundles.iter().find(|bundle| bundle.is_default());
    browser::build(workspace, &bundles)?;
    app::build(workspace)?;
    workspace::step("wardian", || Ok(((), build_program(workspace, default)?)))
}

fn build_program(workspace: &Workspace, default: Option<&Bundle>) -> Result<String> {
    let mut inputs = Inputs::new();
    inputs.text(&version(workspace)?).sources(
        workspace,
        &["host", "wit", "xtask/src", "Cargo.toml", "Cargo.lock", ".cargo", "rust-toolchain.toml"],
    )?;
    for file in default.map_or(&[][..], |bundle| &bundle.files) {
        inputs.path(&workspace.dist, file)?;
    }
    inputs.path(&workspace.dist, &workspace.dist.join("page"))?;
    let (inputs, output) = (inputs.hash(), [workspace.dist.join("wardian")]);
    if stamp::is_fresh(workspace, "wardian", inputs, &output)? {
        return Ok("unchanged".to_owned());
    }
    let program = build_binary(workspace, "wardian")?;
    let is_new = workspace::place(&program, &output[0])?;
    stamp::record(workspace, "wardian", inputs, &output)?;
    Ok(match (default, is_new) {
        (None, _) => {
            format!("{} (with nothing inside: there is no bundles/{})", workspace.show(&output[0]), bundles::DEFAULT)
        }
        (Some(_), true) => workspace.show(&output[0]),
        (Some(_), false) => format!("{}, the same as before", workspace.show(&output[0])),
    })
}

/// Builds one program of the native packages and returns its file.
pub fn build_binary(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let mut cargo = cargo(workspace, "build")?;
    cargo.args(["--bin", name]);
    process::run(&mut cargo, process::BUILD_TIMEOUT)?;
    Ok(workspace.cache.join(TARGET_DIR).join("release").join(name))
}

/// Cargo, for packages that do without the engine.
pub fn light_cargo(workspace: &Workspace, command: &str) -> Result<Command> {
    workspace.claim(TARGET_DIR, &["--release"])?;
    let mut cargo = workspace.cargo(TARGET_DIR);
    cargo.args([command, "--release"]);
    Ok(cargo)
}

/// Cargo, for the native packages.
pub fn cargo(workspace: &Workspace, command: &str) -> Result<Command> {
    let mut cargo = light_cargo(workspace, command)?;
    for package in PACKAGES {
        cargo.args(["-p", package]);
    }
    // The same at every call, or the program would be compiled again for each.
    if workspace.dist.join("bundles").join(bundles::DEFAULT).join("embed.txt").is_file() {
        cargo.env("WARDIAN_EMBED", &workspace.dist);
    } else {
        cargo.env_remove("WARDIAN_EMBED");
    }
    Ok(cargo)
}

fn version(workspace: &Workspace) -> Result<String> {
    let mut rustc = Command::new("rustc");
    rustc.current_dir(&workspace.root).arg("-vV");
    process::capture(&mut rustc, process::MINUTE)
}

/// The `wardian-bundle` program.
pub struct BundleTool(PathBuf);

/// Builds it, unless it is there.
pub fn bundle_tool(workspace: &Workspace) -> Result<BundleTool> {
    let start = Instant::now();
    let tool = build_binary(workspace, "wardian-bundle")?;
    // Most of the time it is there already, and then there is nothing to tell.
    if start.elapsed() > Duration::from_secs(1) {
        workspace::report(start.elapsed(), "wardian-bundle", "built, to check and compose components");
    }
    Ok(BundleTool(tool))
}

impl BundleTool {
    pub fn validate(&self, files: &[PathBuf]) -> Result<()> {
        let mut command = Command::new(&self.0);
        command.arg("validate").args(files);
        process::capture(&mut command, 5 * process::MINUTE).map(drop)
    }

    pub fn pack(&self, file: &Path, output: &Path) -> Result<()> {
        let mut command = Command::new(&self.0);
        command.arg("pack").arg(file).arg("-o").arg(output);
        process::capture(&mut command, 5 * process::MINUTE).map(drop)
    }

    pub fn plug(&self, file: &Path, workspace: &Path, output: &Path) -> Result<()> {
        let mut command = Command::new(&self.0);
        command.arg("plug").arg(file).arg(workspace).arg("-o").arg(output);
        process::capture(&mut command, 5 * process::MINUTE).map(drop)
    }

    pub fn compose<'a>(
        &self,
        source: &Path,
        packages: impl Iterator<Item = (String, &'a Path)>,
        output: &Path,
    ) -> Result<()> {
        let mut command = Command::new(&self.0);
        command.arg("compose").arg(source).arg("-o").arg(output);
        for (name, file) in packages {
            let mut package = std::ffi::OsString::from(format!("{name}="));
            package.push(file);
            command.arg("--dep").arg(package);
        }
        process::capture(&mut command, 5 * process::MINUTE).map(drop)
    }
}
