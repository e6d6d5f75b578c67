//! Names that people and models try where a whole system is, and that mean nothing here: one line says so, and what to use.

use std::sync::Arc;

use bashkit::{Builtin, BuiltinContext, CommandResolver, ExecResult, Result, async_trait};

const NOT_FOUND: i32 = 127;

/// What is said after `NAME: `. Only names that no command has.
fn reason(name: &str) -> Option<&'static str> {
    Some(match name {
        "apt" | "apt-get" | "dpkg" | "yum" | "dnf" | "apk" | "pacman" | "brew" | "snap" => {
            "this sandbox has no packages to install; `compgen -c` lists the commands that are here"
        }
        "pip" | "pip3" | "pipx" | "uv" | "conda" | "poetry" => {
            "this shell cannot install Python packages; `python3 -m pip install NAME` can, where the network is allowed"
        }
        "npm" | "npx" | "yarn" | "pnpm" | "node" | "deno" | "bun" => "this sandbox has no JavaScript runtime",
        "cargo" | "rustc" | "rustup" | "gcc" | "cc" | "clang" | "g++" | "go" | "javac" | "java" | "cmake" => {
            "this sandbox has no compilers: programs cannot be built or run in it"
        }
        "sudo" | "su" | "doas" => "this sandbox has no other users: run the command itself",
        "free" | "uptime" | "df" => "this sandbox does not see the machine: not its memory, its load or its disks",
        "ps" | "pgrep" | "pkill" => {
            "this sandbox sees no processes but the shell's jobs: `jobs` lists them, `kill %N` ends one"
        }
        "docker" | "podman" | "kubectl" => "this sandbox runs no containers",
        "systemctl" | "service" | "journalctl" => "this sandbox has no services",
        "vim" | "vi" | "nvim" | "nano" | "emacs" | "less" | "more" | "top" | "htop" | "man" => {
            "nobody is at a terminal here; read files with cat, head and sed -n, change them with sed -i or a here-document"
        }
        "git" => {
            "the project's .git is hidden from this sandbox, for its history has what was removed; \
                  `diff` compares files, and the user reviews what was changed"
        }
        "ssh" | "scp" | "rsync" | "nc" | "telnet" | "ping" => "this sandbox has no sockets",
        "parallel" => "this sandbox does not have it; `xargs -P N` runs commands side by side",
        "retry" => "this sandbox does not have it; a loop does it: `until COMMAND; do sleep 1; done`",
        "mount" | "umount" | "chroot" | "modprobe" | "iptables" => "this sandbox has no system to administer",
        _ => return None,
    })
}

/// Asked for names that nothing else has.
pub struct Refusals;

struct Refused {
    name: String,
    reason: &'static str,
}

impl CommandResolver for Refusals {
    fn resolve(&self, name: &str) -> Option<Arc<dyn Builtin>> {
        let reason = reason(name)?;
        Some(Arc::new(Refused { name: name.to_owned(), reason }))
    }
}

#[async_trait]
impl Builtin for Refused {
    async fn execute(&self, _: BuiltinContext<'_>) -> Result<ExecResult> {
        Ok(ExecResult::err(format!("{}: {}\n", self.name, self.reason), NOT_FOUND))
    }
}

/// Built-in imitations of such programs, which would only seem to work: they make something up, or files that nothing else
/// reads.
pub const LEFT_OUT: &[&str] = &[
    "vi", "vim", "nano", "less", "more", "man", "ssh", "scp", "sftp", "git", "sudo", "su", "doas", "curl", "wget",
    "http", "parallel", "retry", "zip", "unzip", "free", "uptime", "df", "ps", "pgrep", "pkill", "nproc",
];
