//! Makes a standard library for wasm32-wasip2 on Debian, for machines that cannot reach rustup's servers.
//!
//! Debian packages a recent compiler for its browsers, together with the sources of std. wasi-libc, which std needs,
//! comes from an npm package. The result is a sysroot of its own in the cache; nothing of the system changes except that
//! packages are installed. The compiler and its std must be of one version, which is why rustup's compiler cannot be
//! used with it.

use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::debian;
use crate::process::{self, MINUTE};
use crate::toolchain::{self, TARGET};
use crate::workspace::{self, Workspace};

const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const SOURCES: &str = "/usr/lib/rustlib/src/rust";
const PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// wasi-libc for wasip1, which is what std for wasip2 links: `wasm-component-ld` adapts it.
const LIBC: &str = "@yowasp/clang@22.0.0-git20542-10";
/// Of the file that `npm pack` fetches.
const LIBC_SHA256: &str = "6230ea1afa9691fa065935cf68c01642ff9b31c183fe8ac64cdfda025df06009";
const LIBC_FILES: [&str; 3] = ["crt1-command.o", "crt1-reactor.o", "libc.a"];

/// Part of the stamp: another number makes everybody's std anew.
const RECIPE: u32 = 1;

/// A compiler with a std of its own.
pub struct Std {
    pub rustc: PathBuf,
    pub sysroot: PathBuf,
    pub identity: String,
}

/// The std that this machine made earlier, unless the compiler was replaced since.
pub fn ready(workspace: &Workspace) -> Result<Option<Std>> {
    if !Path::new(RUSTC).exists() {
        return Ok(None);
    }
    let std = wanted(workspace)?;
    let stamp = fs::read_to_string(std.sysroot.join("stamp"));
    Ok(stamp.is_ok_and(|stamp| stamp == std.identity).then_some(std))
}

/// Makes it: two or three minutes, once. `linkers` is the folder with `wasm-component-ld`.
pub fn make(workspace: &Workspace, linkers: &Path) -> Result<Std> {
    let folder = workspace.cache.join("wasm-std");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    workspace::step("packages", || Ok(((), install_packages(&folder)?)))?;
    let std = wanted(workspace)?;
    let work = folder.join(".making");
    // What a run that was ended left behind; the lock keeps others out.
    remove(&work)?;
    fs::create_dir_all(&work).with_context(|| format!("cannot create {}", work.display()))?;
    let libc = workspace::step("wasi-libc", || Ok((fetch_libc(&folder, &work)?, LIBC.to_owned())))?;
    workspace::step("std", || {
        let made = compile(&folder, &work, &libc, linkers)?;
        fs::write(made.join("stamp"), &std.identity)?;
        remove(&std.sysroot)?;
        fs::rename(&made, &std.sysroot).with_context(|| format!("cannot create {}", std.sysroot.display()))?;
        // Cargo cannot see that a std changed, and would link old objects with it.
        remove(&workspace.cache.join("components").join(TARGET))?;
        Ok(((), format!("in {}", std.sysroot.display())))
    })?;
    remove(&work)?;
    Ok(std)
}

fn wanted(workspace: &Workspace) -> Result<Std> {
    let version = process::capture(Command::new(RUSTC).arg("--version"), MINUTE)?;
    let version = version.trim_end();
    let number = version.split(' ').nth(1).with_context(|| format!("{RUSTC} has no version: {version}"))?;
    Ok(Std {
        rustc: RUSTC.into(),
        sysroot: workspace.cache.join("wasm-std").join(number),
        identity: format!("{version}; {LIBC}; recipe {RECIPE}"),
    })
}

fn install_packages(folder: &Path) -> Result<String> {
    let complete = || {
        PACKAGES.iter().all(|package| debian::is_installed(package)) && Path::new(SOURCES).join("library/std").is_dir()
    };
    if complete() {
        return Ok("installed already".to_owned());
    }
    ensure!(
        process::exists("apt-get"),
        "this machine has neither a std for {TARGET} nor Debian's packages to make one from: \
         type `rustup target add {TARGET}` where rustup's servers can be reached"
    );
    let by_hand = debian::install(&PACKAGES, &folder.join("apt.log"))?;
    ensure!(
        complete(),
        "after `{by_hand}` there is no {SOURCES}/library/std: this release of Debian has other packages"
    );
    Ok(PACKAGES.join(", "))
}

/// The folder with wasi-libc's files.
fn fetch_libc(folder: &Path, work: &Path) -> Result<PathBuf> {
    ensure!(
        process::exists("npm"),
        "npm is not installed, and wasi-libc comes from the npm package {LIBC}: install npm, then try again"
    );
    let log = folder.join("npm.log");
    let mut npm = Command::new("npm");
    npm.current_dir(work).args(["pack", LIBC]);
    process::run_logged(&mut npm, 10 * MINUTE, &log).with_context(|| format!("npm cannot fetch {LIBC}"))?;
    let archive = fs::read_dir(work)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "tgz"))
        .with_context(|| format!("`npm pack {LIBC}` left no archive in {}", work.display()))?;
    let sum = process::capture(Command::new("sha256sum").arg(&archive), MINUTE)?;
    let sum = sum.split(' ').next().unwrap_or_default();
    if sum != LIBC_SHA256 {
        bail!("{LIBC} is not what it was: its SHA-256 is {sum}, not {LIBC_SHA256}; nothing was used");
    }
    let inner = "package/gen/llvm-resources.tar";
    let libc = format!("lib/{}", TARGET.replace("wasip2", "wasip1"));
    unpack(&archive, inner, work)?;
    unpack(&work.join(inner), &libc, work)?;
    let libc = work.join(libc);
    for file in LIBC_FILES {
        ensure!(libc.join(file).is_file(), "{LIBC} holds no {file}");
    }
    Ok(libc)
}

fn unpack(archive: &Path, member: &str, into: &Path) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.arg("-xf").arg(archive).arg("-C").arg(into).arg(member);
    process::capture(&mut tar, 5 * MINUTE)
        .map(drop)
        .with_context(|| format!("cannot unpack {member} from {}", archive.display()))
}

/// Builds std by building a program with `-Zbuild-std`, and gathers the sysroot in `work/sysroot`.
fn compile(folder: &Path, work: &Path, libc: &Path, linkers: &Path) -> Result<PathBuf> {
    let probe = work.join("probe");
    fs::create_dir_all(&probe)?;
    write_probe(&probe)?;
    let target = work.join("target");
    let cargo_home = toolchain::cargo_home()?;
    let flags = [
        format!("-L{}", libc.display()),
        // Without bitcode in std, no component could use link-time optimization.
        "-Cembed-bitcode=yes".to_owned(),
        // Paths of this machine would end up in panic messages.
        format!("--remap-path-prefix={SOURCES}=/rust"),
        format!("--remap-path-prefix={}=/cargo", cargo_home.display()),
    ];
    let mut cargo = Command::new(CARGO);
    cargo
        .current_dir(&probe)
        .args(["build", "--release", "--target", TARGET])
        .arg("-Zbuild-std=std,panic_abort,panic_unwind,proc_macro,test")
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .env("CARGO_INCREMENTAL", "0")
        .env("PATH", toolchain::search_path(linkers)?)
        .env("RUSTC", RUSTC)
        // `-Z` flags are for nightly compilers, except for those who build std themselves.
        .env("RUSTC_BOOTSTRAP", "1")
        .env_remove("RUSTUP_TOOLCHAIN");
    let log = folder.join("std.log");
    process::run_logged(&mut cargo, 60 * MINUTE, &log)
        .with_context(|| format!("cannot build std (the whole log: {})", log.display()))?;

    let sysroot = work.join("sysroot");
    let lib = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    let own = lib.join("self-contained");
    fs::create_dir_all(&own)?;
    let copy = |from: &Path, into: &Path| {
        let name = from.file_name().context("a file has a name")?;
        fs::copy(from, into.join(name)).with_context(|| format!("cannot copy {}", from.display()))
    };
    for entry in fs::read_dir(target.join(TARGET).join("release/deps"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rlib") {
            copy(&path, &lib)?;
        }
    }
    for file in LIBC_FILES {
        copy(&libc.join(file), &own)?;
    }
    Ok(sysroot)
}

/// The smallest program that needs std.
pub fn write_probe(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("src/main.rs"), "fn main() { println!(\"{:?}\", std::env::args()); }\n")?;
    // A workspace of its own, wherever it stands.
    let manifest = "[package]\nname = \"probe\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[workspace]\n";
    fs::write(folder.join("Cargo.toml"), manifest)?;
    Ok(())
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
