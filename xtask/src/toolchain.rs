//! Finds a compiler with a standard library for wasm32-wasip2, and makes one where there is none.
//!
//! In this order: the active toolchain has it; this machine made its own earlier; rustup can add it; Debian's packages
//! have the sources to make it (see `wasi_std`).

use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{self, MINUTE};
use crate::stamp::Inputs;
use crate::wasi_std;
use crate::workspace::{self, Workspace};

pub const TARGET: &str = "wasm32-wasip2";

/// `debian`: make and use our own std even where rustup has one. For testing the recipe.
const CHOICE: &str = "WARDIAN_WASM_STD";

/// What compiles components.
pub struct Toolchain {
    /// None is the active toolchain's own.
    rustc: Option<PathBuf>,
    /// None is the compiler's own.
    sysroot: Option<PathBuf>,
    /// Where `rust-lld`, `wasm-component-ld` and `gcc-ld/` are, if the compiler does not find them by itself.
    linkers: Option<PathBuf>,
    /// Changes whenever what it produces may change.
    pub identity: String,
}

impl Toolchain {
    pub fn find(workspace: &Workspace) -> Result<Toolchain> {
        let active = Active::find(workspace)?;
        let forced = match std::env::var(CHOICE).as_deref() {
            Ok("debian") => true,
            Ok("") | Err(_) => false,
            Ok(other) => bail!("{CHOICE}={other}: only `debian` is known"),
        };
        if !forced && active.has_std() {
            return Ok(active.into_toolchain());
        }
        if let Some(std) = wasi_std::ready(workspace)? {
            return active.with_debian(std);
        }
        let rustup = if forced { Err(anyhow::anyhow!("{CHOICE} says so")) } else { active.add_target(workspace) };
        match rustup {
            Ok(()) => Ok(active.into_toolchain()),
            Err(reason) => {
                eprintln!("no std for {TARGET} from rustup: {reason:#}");
                let std = wasi_std::make(workspace, &active.linkers()?)?;
                active.with_debian(std)
            }
        }
    }

    /// Sets up a cargo command that compiles for the target.
    pub fn apply(&self, cargo: &mut Command, workspace: &Workspace) -> Result<()> {
        if let Some(rustc) = &self.rustc {
            cargo.env("RUSTC", rustc);
        }
        if let Some(linkers) = &self.linkers {
            cargo.env("PATH", search_path(linkers)?);
        }
        // The encoded form takes paths with spaces, and wins over what the user's environment says: the same sources
        // shall give the same digest.
        cargo.env("CARGO_ENCODED_RUSTFLAGS", self.flags(workspace)?.join("\x1f"));
        Ok(())
    }

    fn flags(&self, workspace: &Workspace) -> Result<Vec<String>> {
        // Both hosts have it, and digests and searches are faster with it.
        let mut flags = vec!["-Ctarget-feature=+simd128".to_owned()];
        if let Some(sysroot) = &self.sysroot {
            flags.push(format!("--sysroot={}", sysroot.display()));
        }
        // Panic messages hold source paths. Those of one machine would make a digest of their own, and tell who built it.
        // The checkout needs none: cargo names its files relative to it, and a flag that differs between checkouts would
        // compile all dependencies again.
        for (from, to) in [(cargo_home()?, "/cargo"), (workspace.cache.clone(), "/cache")] {
            flags.push(format!("--remap-path-prefix={}={to}", from.display()));
        }
        Ok(flags)
    }
}

/// The toolchain that compiles the native half.
struct Active {
    version: String,
    host: String,
    sysroot: PathBuf,
}

impl Active {
    fn find(workspace: &Workspace) -> Result<Active> {
        let ask = |arguments: &[&str]| {
            let mut rustc = Command::new("rustc");
            rustc.current_dir(&workspace.root).args(arguments);
            process::capture(&mut rustc, MINUTE)
        };
        let version = ask(&["-vV"])?;
        let host = version
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .context("`rustc -vV` names no host")?
            .to_owned();
        let sysroot = PathBuf::from(ask(&["--print", "sysroot"])?.trim_end());
        Ok(Active { version, host, sysroot })
    }

    fn has_std(&self) -> bool {
        has_std(&self.sysroot)
    }

    fn into_toolchain(self) -> Toolchain {
        Toolchain { rustc: None, sysroot: None, linkers: None, identity: self.version }
    }

    fn with_debian(&self, std: wasi_std::Std) -> Result<Toolchain> {
        Ok(Toolchain {
            rustc: Some(std.rustc),
            sysroot: Some(std.sysroot),
            linkers: Some(self.linkers()?),
            // The linkers are the active toolchain's.
            identity: format!("{}\n{}", std.identity, self.version),
        })
    }

    /// Debian's packages have no linker for components; rustup's toolchains do.
    fn linkers(&self) -> Result<PathBuf> {
        let folder = self.sysroot.join("lib/rustlib").join(&self.host).join("bin");
        for file in ["rust-lld", "wasm-component-ld", "gcc-ld/wasm-ld"] {
            ensure!(
                folder.join(file).exists(),
                "the active toolchain has no {file} ({}): install Rust with rustup",
                folder.display()
            );
        }
        Ok(folder)
    }

    fn add_target(&self, workspace: &Workspace) -> Result<()> {
        ensure!(process::exists("rustup"), "rustup is not installed");
        let mut rustup = Command::new("rustup");
        rustup.current_dir(&workspace.root).args(["target", "add", TARGET]);
        process::capture(&mut rustup, 2 * MINUTE)?;
        ensure!(self.has_std(), "rustup added the target to another toolchain than `rustc` is of");
        Ok(())
    }
}

fn has_std(sysroot: &Path) -> bool {
    let folder = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    std::fs::read_dir(folder).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with("libstd-") && name.ends_with(".rlib")
        })
    })
}

/// PATH with the folder's linkers before everything else.
pub fn search_path(linkers: &Path) -> Result<std::ffi::OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = [linkers.to_owned(), linkers.join("gcc-ld")].into_iter().chain(std::env::split_paths(&path));
    std::env::join_paths(folders).context("PATH cannot hold the linkers' folder")
}

pub fn cargo_home() -> Result<PathBuf> {
    match std::env::var_os("CARGO_HOME").filter(|home| !home.is_empty()) {
        Some(home) => Ok(home.into()),
        None => Ok(std::env::home_dir().context("no home directory: set CARGO_HOME")?.join(".cargo")),
    }
}

/// `cargo xtask toolchain`.
pub fn command(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    workspace::no_arguments("toolchain", arguments)?;
    let _lock = workspace.lock()?;
    let toolchain = workspace::step("toolchain", || {
        let toolchain = Toolchain::find(workspace)?;
        let what = match &toolchain.sysroot {
            Some(sysroot) => format!("Debian's rustc with the std in {}", sysroot.display()),
            None => "the active toolchain".to_owned(),
        };
        Ok((toolchain, what))
    })?;
    probe(workspace, &toolchain)
}

/// Compiles a program that uses std, away from the workspace.
fn probe(workspace: &Workspace, toolchain: &Toolchain) -> Result<()> {
    workspace::step("probe", || {
        let folder = process::scratch("probe")?;
        wasi_std::write_probe(&folder)?;
        let mut cargo = workspace.cargo("unused");
        cargo.current_dir(&folder).env("CARGO_TARGET_DIR", folder.join("target")).args([
            "build",
            "--quiet",
            "--release",
            "--target",
            TARGET,
        ]);
        toolchain.apply(&mut cargo, workspace)?;
        let built = process::capture(&mut cargo, 5 * MINUTE);
        let component = folder.join("target").join(TARGET).join("release/probe.wasm");
        let bytes = std::fs::read(&component);
        std::fs::remove_dir_all(&folder)?;
        built?;
        let bytes = bytes.with_context(|| format!("cannot read {}", component.display()))?;
        let mut hash = Inputs::new();
        hash.text(&toolchain.identity);
        Ok(((), format!("a component of {} bytes (toolchain {:016x})", bytes.len(), hash.hash())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sysroot_without_the_library_has_no_std() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!has_std(folder.path()));
        let lib = folder.path().join("lib/rustlib").join(TARGET).join("lib");
        std::fs::create_dir_all(&lib).unwrap();
        assert!(!has_std(folder.path()));
        std::fs::write(lib.join("libstd-0.rlib"), "").unwrap();
        assert!(has_std(folder.path()));
    }

    #[test]
    fn linkers_come_first_on_the_path() {
        let path = search_path(Path::new("linkers")).unwrap();
        let folders: Vec<_> = std::env::split_paths(&path).take(2).collect();
        assert_eq!(folders, [Path::new("linkers"), Path::new("linkers/gcc-ld")]);
    }
}
