use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::*;

#[test]
fn names_of_secrets_are_hidden() {
    for name in [
        ".git",
        ".GIT",
        ".env",
        ".env.local",
        ".Env.Production",
        "server.pem",
        "SERVER.KEY",
        ".pem",
        "a.b.p12",
        "id_rsa",
        "id_ed25519",
        ".ssh",
        ".gnupg",
        ".aws",
        ".netrc",
        "_netrc",
        ".git-credentials",
        ".pgpass",
        ".htpasswd",
        ".pypirc",
        "release.keystore",
        "x.jks",
        "x.pfx",
        "x.ppk",
        "id_dsa",
        "id_ecdsa",
    ] {
        assert!(hidden_name(name).is_some(), "{name}");
    }
    for name in [
        "",
        ".",
        "..",
        ".github",
        ".gitignore",
        ".gitattributes",
        ".gitmodules",
        "git",
        "env",
        ".environment",
        ".envrc",
        ".env.example",
        ".env.sample",
        ".env.template",
        ".env.dist",
        ".env.local.example",
        ".ENV.Example",
        "id_rsa.pub",
        "id_ed25519.pub",
        "pem",
        "key",
        "a.pem.txt",
        "keystore",
        "monkey",
        ".npmrc",
        "a~1",
        "größe",
        "日本語.rs",
        "ssh",
        "aws",
        "C:",
        "a:b",
        "a\\b",
    ] {
        assert_eq!(hidden_name(name), None, "{name}");
    }
    assert_eq!(hidden_name(".env.local").map(|rule| rule.pattern), Some(".env.*"));
}

#[test]
fn names_are_hidden_however_they_are_spelled() {
    for name in [
        // NTFS, as in git's own tests.
        ".git.",
        ".git ",
        ".git...",
        ".git. . ",
        "git~1",
        "GIT~1",
        "git~1.",
        ".git::$INDEX_ALLOCATION",
        ".git:x",
        "git~1:x",
        "a\\.git",
        ".git\\config",
        ".git\\",
        "a\\.git \\b",
        // HFS+.
        ".g\u{200c}it",
        "\u{200d}.git",
        ".git\u{feff}",
        ".\u{202a}G\u{206f}It",
        // Anything else.
        "ENV~1",
        "env~1.loc",
        "AWS~1",
        "GNUPG~1",
        "ID_ED2~1",
        "GIT-CR~1",
        "id_r\u{17f}a",
        "id_r\u{17f}a.",
        "x.\u{212a}ey",
        "server.pem ",
        "server.pem::$DATA",
        ".env~",
        "id_rsa~",
        ".env.example::$DATA\\..\\.env",
    ] {
        assert!(hidden_name(name).is_some(), "{name:?}");
    }
    for name in ["git~", "git~x", "gi~1", "gitt~1", ".git~1x", "\u{200c}git", ".g\u{200b}it", ".gít", ".env.example."]
    {
        let hidden = hidden_name(name);
        assert!(hidden.is_none() || name == ".git~1x" || name == "git~", "{name:?} {hidden:?}");
    }
}

#[test]
fn every_rule_applies_and_has_a_reason() {
    for rule in HIDDEN {
        assert_eq!(rule.pattern, rule.pattern.to_ascii_lowercase());
        assert!(hidden_name(&rule.pattern.replace('*', "x")).is_some(), "{rule:?}");
    }
    for rule in SHOWN {
        assert!(names::find(HIDDEN, &rule.pattern.replace('*', "x.")).is_some(), "{rule:?}");
        assert_eq!(hidden_name(&rule.pattern.replace('*', "x.")), None, "{rule:?}");
    }
    for rule in [HIDDEN, SHOWN, READ_ONLY, IGNORED].concat() {
        assert!(!rule.reason.is_empty() && rule.pattern.matches('*').count() <= 1);
    }
    assert!(!Ignores::default().is_ignored("a", false, none).unwrap());
}

#[test]
fn hidden_names_hide_what_is_below() {
    let rules = Rules::default();
    for path in [".git/config", "a/.git", "a/.ssh/known_hosts", "a/b/id_rsa", "a/.env"] {
        assert!(rules.is_hidden(path, None), "{path}");
    }
    for path in ["a", "a/b/c.rs", ".github/workflows/x.yml", "a/.env.example"] {
        assert!(!rules.is_hidden(path, None) && !rules.is_hidden_entry(path, None), "{path}");
    }
    assert!(!rules.is_hidden_entry(".git/config", Some(false)));
    assert!(rules.is_hidden_entry("a/.env", Some(false)));
}

#[test]
fn a_session_cannot_change_its_bounds() {
    let rules = Rules::default();
    for path in [".wardianignore", "wardian.toml", "Wardian.TOML", "wardian.toml.", "WARDIA~1.TOM", "wardian.toml:x"] {
        assert!(rules.is_read_only(path), "{path}");
    }
    for path in ["a/wardian.toml", "a/.wardianignore", "wardian", "wardian.toml.bak"] {
        assert!(!rules.is_read_only(path), "{path}");
    }
}

#[test]
fn a_project_hides_more_but_never_less() {
    let rules = Rules::parse(b"# Ours\nSecrets/\n*.secret\n!known.secret\n/only/root\n!.env\n!id_rsa\n").unwrap();
    let hidden = |path: &str| rules.is_hidden(path, Some(false));
    for path in
        ["secrets/a", "a/SECRETS/b/c", "x.secret", "X.Secret", "x.secret.", "only/root", ".env", "id_rsa", "a/.env"]
    {
        assert!(hidden(path), "{path}");
    }
    for path in ["secrets", "known.secret", "a/only/root", "a", "secret"] {
        assert!(!hidden(path), "{path}");
    }
    // What shows again means what it says.
    assert!(hidden("Known.secret"));
    assert!(rules.is_hidden("secrets", Some(true)));
    assert!(rules.is_hidden("secrets", None));
    assert!(rules.is_hidden_entry("a/secrets", None));
    assert!(!rules.is_hidden_entry("secrets/a", None));

    let rules = Rules::parse(b"*\n!*/\n!*.rs\n").unwrap();
    assert!(!rules.is_hidden("src", Some(true)) && !rules.is_hidden("src/a.rs", Some(false)));
    assert!(rules.is_hidden("src/a.txt", Some(false)) && rules.is_hidden("a", None));
}

#[test]
fn patterns_are_bounded() {
    let rules = |text: &[u8]| Rules::parse(text).map(|_| ());
    assert_eq!(rules(&b"a\n".repeat(1_000)), Ok(()));
    assert_eq!(rules(&b"a\n".repeat(1_001)), Err("line 1001: more than 1000 patterns".to_owned()));
    assert_eq!(rules(&vec![b'#'; 65_536]), Ok(()));
    assert_eq!(rules(&vec![b'#'; 65_537]), Err("it has 65537 bytes, more than 65536".to_owned()));
    assert_eq!(rules(b"ok\n**/a/**/b/**/c/**/d"), Ok(()));
    assert!(rules(format!("ok\n{}", "**/a/".repeat(5)).as_bytes()).unwrap_err().starts_with("line 2:"));
    assert!(rules("*a".repeat(17).as_bytes()).is_err());

    // The slowest that is allowed, on a long path.
    let patterns = ["**/a/".repeat(4) + "b", "*a".repeat(16) + "b", "**/*a".repeat(4) + "b"];
    let text = format!("{}\n", patterns.join("\n")).repeat(100);
    let rules = Rules::parse(text.as_bytes()).unwrap();
    let (deep, long) = ("a/".repeat(50) + "c", "a".repeat(250));
    let start = Instant::now();
    assert!(!rules.is_hidden_entry(&deep, None) && !rules.is_hidden_entry(&long, None));
    println!("300 of the slowest patterns: {:?}", start.elapsed());
}

fn none(_: &str) -> Result<Option<Vec<u8>>, Infallible> {
    Ok(None)
}

#[test]
fn build_output_is_ignored_unless_the_project_says_otherwise() {
    let mut ignores = Ignores::default();
    for path in ["target/a", "a/target/b/c", "node_modules/x/y", "a/__pycache__/x.pyc", ".DS_Store"] {
        assert!(ignores.is_ignored(path, false, none).unwrap(), "{path}");
    }
    for path in ["target", "a/b", "targets/a", "a/node_modules"] {
        assert!(!ignores.is_ignored(path, false, none).unwrap(), "{path}");
    }
    assert!(ignores.is_ignored("target", true, none).unwrap());

    let mut asked = Vec::new();
    let mut ignores = Ignores::default();
    let mut read = |path: &str| {
        asked.push(path.to_owned());
        Ok::<_, Infallible>(match path {
            ".gitignore" => Some(b"!/target/\n*.log\n".to_vec()),
            "a/.gitignore" => Some(b"!*.log\n".to_vec()),
            _ => None,
        })
    };
    let mut ignored = |path| ignores.is_ignored(path, false, &mut read).unwrap();
    assert!(!ignored("target/a") && ignored("b/target/a"));
    assert!(ignored("x.log") && ignored("b/x.log") && !ignored("a/x.log") && !ignored("a/b/x.log"));
    assert_eq!(asked, [".gitignore", "target/.gitignore", "b/.gitignore", "a/.gitignore", "a/b/.gitignore"]);
}

#[test]
fn a_failure_to_read_is_passed_on() {
    let mut ignores = Ignores::default();
    assert_eq!(ignores.is_ignored("a", false, |_| Err("cannot")), Err("cannot"));
    assert_eq!(ignores.is_ignored("a", false, |_| Ok::<_, &str>(Some(b"a".to_vec()))), Ok(true));
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

/// A line as one could be in a `.gitignore`, and some that only a test would write.
fn line(random: &mut Random) -> String {
    const PARTS: &[&str] = &[
        "a",
        "b",
        "ab",
        "x",
        "*",
        "?",
        "[ab]",
        "[!a]",
        "[^b]",
        "[a-c]",
        "*.b",
        "a*",
        "**",
        "a.b",
        "\\a",
        "\\*",
        "#c",
        "\\#c",
        "!b",
        "\\!b",
        "c d",
        "e\\ ",
        "\\[a]",
        "[[:alpha:]]",
        "[[:upper:]]",
        "a**",
        "*b*",
        "[a",
        "a]",
        "[]a]",
        "\\",
    ];
    let mut line = random.of(&["", "", "", "", "!", "/", "!/", "**/", " "]).to_owned();
    for part in 0..1 + random.below(3) {
        if part > 0 {
            line.push_str(random.of(&["/", "/", "/**/", "", "//"]));
        }
        line.push_str(random.of(PARTS));
    }
    line + random.of(&["", "", "", "/", "/*", "/**", " ", "\\ ", "\t", "\r", "  \r"])
}

fn git(folder: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    git
}

#[test]
fn what_is_ignored_is_what_git_ignores() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    assert!(git(root).args(["init", "-q"]).status().expect("these tests compare with git").success());
    let mut paths = Vec::new();
    let directories = ["", "a/", "a/b/", "a/b/ab/", "a/b/ab/x/", "ab/", "b/", "b/a/", "b/a/b/", "c d/"];
    directories.iter().for_each(|directory| fs::create_dir_all(root.join(directory)).unwrap());
    for directory in directories {
        if !directory.is_empty() {
            paths.push((directory.trim_end_matches('/').to_owned(), true));
        }
        for file in ["x", "a.b", "c d", "e ", "#c", "!b", "[a]", "aab", "B", "*", "\\", "bb"] {
            let path = format!("{directory}{file}");
            if !root.join(&path).exists() {
                fs::write(root.join(&path), "").unwrap();
                paths.push((path, false));
            }
        }
    }
    let (mut checked, mut ignored, mut differ) = (0, 0, 0);
    for seed in 1..=150u64 {
        let mut random = Random(0x9e37_79b9_7f4a_7c15u64.wrapping_mul(seed));
        let mut files = Vec::new();
        for directory in ["", "a/", "a/b/", "b/"] {
            let lines: Vec<String> = (0..random.below(5)).map(|_| line(&mut random)).collect();
            let path = format!("{directory}.gitignore");
            fs::write(root.join(&path), lines.join("\n")).unwrap();
            files.push((path, lines.join("\n")));
        }
        let mut child = git(root)
            .args(["check-ignore", "--no-index", "--stdin", "-z"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let all: String = paths.iter().map(|(path, _)| format!("{path}\0")).collect();
        child.stdin.take().unwrap().write_all(all.as_bytes()).unwrap();
        let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        let theirs: BTreeSet<&str> = output.split_terminator('\0').collect();
        let mut ignores = Ignores::default();
        for (path, is_directory) in &paths {
            let read = |path: &str| {
                let text = files.iter().find(|(file, _)| file == path).map(|(_, text)| text.clone().into_bytes());
                Ok::<_, Infallible>(text)
            };
            let our = ignores.is_ignored(path, *is_directory, read).unwrap();
            if our != theirs.contains(path.as_str()) {
                println!("{path:?} is ignored by {}: {files:?}", if our { "us" } else { "git" });
                differ += 1;
            }
            checked += 1;
            ignored += usize::from(our);
        }
    }
    println!("{checked} paths, {ignored} of them ignored; git differs on {differ}");
    assert!(differ == 0 && ignored > 1_000);
}

#[test]
#[cfg(not(debug_assertions))]
fn names_are_looked_at_fast() {
    for name in ["main.rs", "a_rather_long_name_of_a_file.component.ts", ".gitignore", "größe.txt", "id_rsa", "a~b"] {
        let start = Instant::now();
        let times = 1_000_000;
        for _ in 0..times {
            std::hint::black_box(hidden_name(std::hint::black_box(name)));
        }
        println!("{name}: {:?} each", start.elapsed() / times);
        assert!(start.elapsed() / times < std::time::Duration::from_micros(2));
    }
}

/// The documentation lists every default.
#[test]
fn the_documentation_lists_every_rule() {
    let docs = include_str!("../../../../docs/workspace.md");
    for rule in HIDDEN.iter().chain(SHOWN).chain(READ_ONLY).chain(IGNORED) {
        assert!(docs.contains(&format!("`{}`", rule.pattern)), "docs/workspace.md does not list {}", rule.pattern);
    }
}
