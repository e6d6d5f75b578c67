//! Which paths of a project a session never sees, which it cannot change, and which are not worth a review.
//!
//! Names are looked at as any file system may understand them, not only the host's: a project is cloned from one to the
//! other, and hiding a name too many costs less than showing a key.

use std::borrow::Cow;
use std::collections::BTreeMap;

mod names;
mod patterns;
#[cfg(test)]
mod tests;

use patterns::{Patterns, Verdict};

/// A rule of the defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// A name, in lowercase, that may begin or end with `*`.
    pub pattern: &'static str,
    /// Why.
    pub reason: &'static str,
}

const fn rule(pattern: &'static str, reason: &'static str) -> Rule {
    Rule { pattern, reason }
}

/// What is hidden in every project, at any depth, with all that is below. No project can take one of these back.
///
/// Not in here, as a project works with them and most hold no secrets: `.npmrc`, `.yarnrc.yml`, `.envrc`, `*.crt`, `*.tfstate`.
/// A project that keeps secrets in one of these says so in its `.wardianignore`.
pub const HIDDEN: &[Rule] = &[
    rule(".git", "what it says is run: hooks and settings; its history holds what was removed, and perhaps credentials"),
    rule(".env", "secrets of an environment"),
    rule(".env.*", "secrets of an environment"),
    // Certificates too, but nothing in the name tells them apart, and one hidden certificate is no harm.
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
    rule("id_ecdsa_sk", "a private key of SSH"),
    rule("id_ed25519", "a private key of SSH"),
    rule("id_ed25519_sk", "a private key of SSH"),
    rule(".ssh", "keys and hosts of SSH"),
    rule(".gnupg", "keys of GnuPG"),
    rule(".aws", "credentials of AWS"),
    rule(".netrc", "passwords for hosts"),
    rule("_netrc", "passwords for hosts, on Windows"),
    rule(".git-credentials", "passwords of git"),
    rule(".pgpass", "passwords of PostgreSQL"),
    rule(".htpasswd", "passwords of a web server"),
    rule(".pypirc", "passwords of package indexes"),
];

/// What [`HIDDEN`] does not mean.
pub const SHOWN: &[Rule] = &[
    rule(".env*.example", "says which variables there are, without their values"),
    rule(".env*.sample", "says which variables there are, without their values"),
    rule(".env*.template", "says which variables there are, without their values"),
    rule(".env*.dist", "says which variables there are, without their values"),
];

/// What a session sees but never changes: these decide what it may do. In the project's root.
pub const READ_ONLY: &[Rule] = &[
    rule(IGNORE_FILE, "what is hidden"),
    rule("wardian.toml", "the project's settings"),
];

/// What is not reviewed unless the project says otherwise, in the syntax of `.gitignore`.
pub const IGNORED: &[Rule] = &[
    rule("node_modules/", "packages of npm"),
    rule("target/", "build output of Cargo, Maven and sbt"),
    rule("__pycache__/", "compiled Python"),
    rule(".venv/", "Python and its packages"),
    rule(".DS_Store", "views of the macOS Finder"),
];

/// The file in a project's root that says what else is hidden, in the syntax of `.gitignore`.
pub const IGNORE_FILE: &str = ".wardianignore";
