//! Installing Debian's packages, where something is missing that they have.

use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;

use crate::process::{self, MINUTE};

/// Installs packages, as root or through sudo. Returns what would have to be typed to do the same.
pub fn install(packages: &[&str], log: &Path) -> Result<String> {
    let by_hand = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    ensure!(process::exists("apt-get"), "this machine has no apt-get to install {} with", packages.join(" "));
    let root = process::capture(Command::new("id").arg("-u"), MINUTE)?.trim() == "0";
    let apt = |arguments: &[&str]| {
        let mut command = Command::new(if root { "apt-get" } else { "sudo" });
        if !root {
            command.args(["-n", "apt-get"]);
        }
        command.args(["-qq", "-o", "DPkg::Lock::Timeout=120"]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        process::run_logged(&mut command, 15 * MINUTE, log)
    };
    ensure!(
        root || process::exists("sudo"),
        "packages are missing and only root can install them: type `{by_hand}` as root, then try again"
    );
    apt(&["update"])
        .and_then(|()| {
            let mut arguments = vec!["install", "-y", "--no-install-recommends"];
            arguments.extend(packages);
            apt(&arguments)
        })
        .with_context(|| format!("cannot install packages: type `{by_hand}` as root, then try again"))?;
    Ok(by_hand)
}

pub fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat", "${db:Status-Status}", package]);
    process::capture(&mut query, MINUTE).is_ok_and(|status| status.trim() == "installed")
}
