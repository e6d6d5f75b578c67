//! Which paths of a project a session never sees, which it cannot change, and which are not worth a review.
//!
//! Names are understood as any file system may do it, not only the host's: a name too many that is hidden costs less than a key
//! that is shown.

mod ignores;
mod names;
mod patterns;
#[cfg(test)]
mod tests;

pub use ignores::Ignores;
pub use names::hidden_name;
use patterns::{Case, Patterns};

/// A rule of the defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// A name in lowercase, in which one `*` stands for whatever is there.
    pub pattern: &'static str,
    /// Why.
    pub reason: &'static str,
    star: Option<usize>,
}

/// What is hidden in every project, at any depth, with all that is below. No project can take one of these back.
///
/// Not in here, since projects need them and most hold no secrets: `.npmrc`, `.yarnrc.yml`, `.envrc`, `*.crt`. A project that
/// keeps secrets in one of them says so in its [`IGNORE_FILE`].
pub const HIDDEN: &[Rule] = &[
    rule(".git", "its hooks and settings are run, and its history has what was removed"),
    rule(".env", "secrets of an environment"),
    rule(".env.*", "secrets of an environment"),
    // Certificates too: their names do not tell them apart, and to hide one is less harm than to show a key.
    rule("*.pem", "private keys"),
    rule("*.key", "private keys"),
    rule("*.ppk", "private keys of PuTTY"),
    rule("*.p12", "private keys with their certificates"),
    rule("*.pfx", "private keys with their certificates"),
    rule("*.jks", "private keys of Java"),
    rule("*.keystore", "private keys of Java and Android"),
    rule("id_rsa", "a private key of SSH"),
    rule("id_dsa", "a private key of SSH"),
    rule("id_ecdsa", "a private key of SSH"),
    rule("id_ed25519", "a private key of SSH"),
    rule(".ssh", "keys of SSH"),
    rule(".gnupg", "keys of GnuPG"),
    rule(".aws", "keys of AWS"),
    rule(".netrc", "passwords for hosts"),
    rule("_netrc", "passwords for hosts, on Windows"),
    rule(".git-credentials", "passwords of git"),
    rule(".pgpass", "passwords of PostgreSQL"),
    rule(".htpasswd", "passwords of a web server"),
    rule(".pypirc", "passwords of package indexes"),
];

/// What of [`HIDDEN`] is shown all the same.
pub const SHOWN: &[Rule] = &[
    rule(".env.*example", "names variables, not their values"),
    rule(".env.*sample", "names variables, not their values"),
    rule(".env.*template", "names variables, not their values"),
    rule(".env.*dist", "names variables, not their values"),
];

/// What a session sees in the project's root and cannot change: it would change its own bounds.
pub const READ_ONLY: &[Rule] =
    &[rule(IGNORE_FILE, "says what is hidden"), rule("wardian.toml", "the project's settings, permissions among them")];

/// What is left out of a review unless the project's `.gitignore` takes it back; in the syntax of that file.
pub const IGNORED: &[Rule] = &[
    rule("node_modules/", "packages of npm"),
    rule("target/", "build output of Cargo and Maven"),
    rule("__pycache__/", "compiled Python"),
    rule(".venv/", "a Python with its packages"),
    rule(".DS_Store", "how macOS shows a folder"),
];

/// The file in a project's root that says what is hidden in it besides [`HIDDEN`].
pub const IGNORE_FILE: &str = ".wardianignore";

/// The longest [`IGNORE_FILE`], in bytes, and the longest `.gitignore` that is looked at.
pub const IGNORE_BYTES_MAX: usize = 64 * 1024;

/// The most patterns in either.
pub const IGNORE_PATTERNS_MAX: usize = 1_000;

const fn rule(pattern: &'static str, reason: &'static str) -> Rule {
    let mut star = None;
    let mut at = 0;
    while at < pattern.len() {
        if pattern.as_bytes()[at] == b'*' {
            star = Some(at);
        }
        at += 1;
    }
    Rule { pattern, reason, star }
}

/// What one project hides.
#[derive(Debug, Default)]
pub struct Rules {
    own: Patterns,
}

impl Rules {
    /// The defaults and the patterns of an [`IGNORE_FILE`], which have the syntax of `.gitignore`. Fails, and says why, where
    /// there is too much of it to be matched for each use of a file.
    pub fn parse(ignore_file: &[u8]) -> Result<Self, String> {
        // A host's file system may ignore case, so what hides does; what shows again means what it says.
        Ok(Self { own: Patterns::parse(ignore_file, Case::FoldHiding)? })
    }

    /// Whether a path is hidden, by its own name or by that of a directory above. Where it is not known whether it is a
    /// directory, it is hidden if either would be.
    pub fn is_hidden(&self, path: &str, is_directory: Option<bool>) -> bool {
        path.split('/').any(|name| hidden_name(name).is_some()) || self.own_hide(path, is_directory, true)
    }

    /// The same for a path whose directory is known not to be hidden.
    pub fn is_hidden_entry(&self, path: &str, is_directory: Option<bool>) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        hidden_name(name).is_some() || self.own_hide(path, is_directory, false)
    }

    /// Whether there are more rules than the defaults.
    pub fn has_own(&self) -> bool {
        !self.own.is_empty()
    }

    /// Whether a path cannot be changed.
    pub fn is_read_only(&self, path: &str) -> bool {
        names::find(READ_ONLY, path).is_some()
    }

    fn own_hide(&self, path: &str, is_directory: Option<bool>, above: bool) -> bool {
        if self.own.is_empty() {
            return false;
        }
        let hides = |path: &str, is_directory| self.own.verdict(path, is_directory) == Some(true);
        let hide = |path: &str| {
            let mut directories = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
            (above && directories.any(|directory| hides(directory, true)))
                || (is_directory != Some(false) && hides(path, true))
                || (is_directory != Some(true) && hides(path, false))
        };
        // Also as a file system would understand the names that has its own idea of them.
        hide(path) || names::plain_path(path).is_some_and(|plain| hide(&plain))
    }
}
