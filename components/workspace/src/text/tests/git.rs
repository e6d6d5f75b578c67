use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::*;

fn git(folder: &Path, arguments: &[&str]) -> Output {
    Command::new("git")
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "core.autocrlf=false"])
        .args(arguments)
        .output()
        .expect("these tests compare with git")
}

fn done(output: Output) -> Vec<u8> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

type Tree = BTreeMap<String, (Mode, Vec<u8>)>;

fn write(folder: &Path, tree: &Tree) {
    for (path, (mode, bytes)) in tree {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if *mode == Mode::Symlink {
            std::os::unix::fs::symlink(std::str::from_utf8(bytes).unwrap(), path).unwrap();
        } else {
            use std::os::unix::fs::PermissionsExt as _;
            fs::write(&path, bytes).unwrap();
            let bits = if *mode == Mode::Executable { 0o755 } else { 0o644 };
            fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
        }
    }
}

fn read(folder: &Path, path: &str) -> Option<(Mode, Vec<u8>)> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join(path);
    let metadata = fs::symlink_metadata(&path).ok()?;
    if metadata.is_symlink() {
        let target = fs::read_link(path).unwrap();
        return Some((Mode::Symlink, target.into_os_string().into_encoded_bytes()));
    }
    let mode = if metadata.permissions().mode() & 0o100 != 0 { Mode::Executable } else { Mode::File };
    Some((mode, fs::read(path).unwrap()))
}

/// A repository with one tree committed and the other one staged.
fn repository(before: &Tree, after: &Tree) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    done(git(folder.path(), &["init", "-q"]));
    write(folder.path(), before);
    done(git(folder.path(), &["add", "-A", "-f"]));
    done(git(folder.path(), &["commit", "-q", "--allow-empty", "-m", "before"]));
    for path in before.keys() {
        fs::remove_file(folder.path().join(path)).unwrap();
    }
    write(folder.path(), after);
    done(git(folder.path(), &["add", "-A", "-f"]));
    folder
}

/// What git prints of each file, without digests.
fn patches(repository: &Path, context: u32) -> Vec<String> {
    let output = done(git(repository, &["diff", "--cached", "-M", &format!("-U{context}")]));
    let output = String::from_utf8(output).unwrap();
    let mut patches: Vec<String> = Vec::new();
    for line in output.split_inclusive('\n') {
        if line.starts_with("diff --git ") {
            patches.push(String::new());
        }
        if !line.starts_with("index ") {
            patches.last_mut().unwrap().push_str(line);
        }
    }
    patches
}

fn content_of<'a>(tree: &'a Tree, path: &'a str) -> Option<Content<'a>> {
    tree.get(path).map(|(mode, bytes)| Content { path, mode: *mode, bytes })
}

/// Takes our patches of all files to the tree before, and looks what becomes of it.
fn check_applied(before: &Tree, after: &Tree, ours: &[String], context: u32) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), before);
    let patch = tempfile::NamedTempFile::new().unwrap();
    fs::write(patch.path(), ours.concat()).unwrap();
    let flag = if context == 0 { "--unidiff-zero" } else { "--whitespace=nowarn" };
    done(git(folder.path(), &["apply", flag, "--whitespace=nowarn", patch.path().to_str().unwrap()]));
    for path in before.keys().chain(after.keys()) {
        assert_eq!(read(folder.path(), path).as_ref(), after.get(path), "{path}");
    }
}

#[test]
fn hunks_are_those_of_git() {
    for context in [3, 0, 1, 10] {
        let (mut before, mut after) = (Tree::new(), Tree::new());
        for number in 0..300 {
            let random = &mut Random::new(number * 7 + u64::from(context));
            let (old, new) = versions(random);
            before.insert(format!("file{number:03}"), (Mode::File, old));
            after.insert(format!("file{number:03}"), (Mode::File, new));
        }
        let theirs = patches(repository(&before, &after).path(), context);
        let ours: Vec<String> = before
            .keys()
            .map(|path| unified(content_of(&before, path), content_of(&after, path), context))
            .filter(|patch| !patch.is_empty())
            .collect();
        check_applied(&before, &after, &ours, context);
        assert_eq!(ours.len(), theirs.len());
        let same = ours.iter().zip(&theirs).filter(|(our, their)| our == their).count();
        println!("context {context}: {same} of {} patches are git's", ours.len());
        assert!(same * 100 >= ours.len() * 95);
    }
}

type Entry = Option<(&'static str, Mode, Vec<u8>)>;

/// Changes of every kind, each told apart by its path before and after.
fn changes() -> Vec<(Entry, Entry)> {
    use Mode::{Executable, File, Symlink};
    let text = |number: usize| (0..number).map(|line| format!("line {line}\n")).collect::<String>().into_bytes();
    let both = |path, old: &[u8], new: &[u8]| (Some((path, File, old.to_vec())), Some((path, File, new.to_vec())));
    let moved = |from, to, old: Vec<u8>, new: Vec<u8>| (Some((from, File, old)), Some((to, File, new)));
    vec![
        both("a file with spaces", b"one\n", b"two\n"),
        both("a\ttab", b"one\n", b"two\n"),
        both("backslash\\ and \"quote\" and\nline", b"one\n", b"two\n"),
        both("bell\x07\x08\x0b\x0c\r\x01\x7f", b"one\n", b"two\n"),
        both("binary", b"\0one", b"\0two"),
        both("binary now", b"one\n", b"\0two"),
        both("filled", b"", b"one\n"),
        both("emptied", b"one", b""),
        both("größe/äöü 日本", b"one\n", b"two\n"),
        both(
            "heading",
            &[b"fn a_head() {  \n    b\n".repeat(9), text(20)].concat(),
            &b"fn a_head() {  \n    b\n".repeat(9),
        ),
        both("long heading", &[&text(1), &*b"\t\n".repeat(9), &text(1)].concat().repeat(12), &b"\t\n".repeat(9)),
        both("unterminated", b"one\ntwo", b"one\ntwo\n"),
        both("unterminated too", b"one\ntwo", b"one\nthree"),
        (None, Some(("new", File, b"one\ntwo".to_vec()))),
        (None, Some(("new and empty", File, Vec::new()))),
        (None, Some(("new and \u{e9}", Executable, b"#!\n".to_vec()))),
        (None, Some(("new binary", File, b"\0".to_vec()))),
        (None, Some(("new link", Symlink, b"target".to_vec()))),
        (Some(("old", File, b"gone\n".to_vec())), None),
        (Some(("old binary", File, [b"\0".to_vec(), text(9)].concat())), None),
        (Some(("old link", Symlink, b"gone".to_vec())), None),
        (Some(("link", Symlink, b"here".to_vec())), Some(("link", Symlink, b"there".to_vec()))),
        (Some(("link to file", Symlink, b"a".to_vec())), Some(("link to file", File, b"b\n".to_vec()))),
        (Some(("file to link", File, b"a\n".to_vec())), Some(("file to link", Symlink, b"b".to_vec()))),
        (Some(("mode", File, b"a\n".to_vec())), Some(("mode", Executable, b"a\n".to_vec()))),
        (Some(("mode and more", Executable, b"a\n".to_vec())), Some(("mode and more", File, b"b\n".to_vec()))),
        moved("moved from", "moved/to", text(30), text(30)),
        moved("moved and ä", "moved and changed", text(40), text(42)),
        (Some(("moved binary", Executable, [b"\0".to_vec(), text(50)].concat())), {
            Some(("moved/binary", File, [b"\0".to_vec(), text(51)].concat()))
        }),
    ]
}

#[test]
fn patches_of_every_kind_are_those_of_git() {
    let (mut before, mut after) = (Tree::new(), Tree::new());
    let mut ours = Vec::new();
    for (old, new) in &changes() {
        let content = |side: &Entry, tree: &mut Tree| {
            let (path, mode, bytes) = side.clone()?;
            tree.insert(path.to_owned(), (mode, bytes));
            Some(path)
        };
        let (from, to) = (content(old, &mut before), content(new, &mut after));
        let content = |tree, path: Option<_>| path.and_then(|path| content_of(tree, path));
        ours.push(unified(content(&before, from), content(&after, to), 3));
    }
    let exact = |patch: &String| patch.split_inclusive('\n').filter(|line| !line.starts_with("similarity")).collect();
    let sorted = |patches: &[String]| -> Vec<String> {
        let mut patches: Vec<String> = patches.iter().map(exact).collect();
        patches.sort();
        patches
    };
    let theirs = patches(repository(&before, &after).path(), 3);
    let (our, their) = (sorted(&ours), sorted(&theirs));
    // One of ours has two of git's, for a change of type.
    assert_eq!(our.concat().lines().collect::<Vec<_>>(), their.concat().lines().collect::<Vec<_>>());
    let similar = |patches: &[String]| patches.concat().matches("similarity index 9").count();
    assert_eq!(similar(&ours), similar(&theirs));

    // All that is in patches, arrives.
    ours.retain(|patch| !patch.contains("Binary files"));
    let without_binaries =
        |tree: &Tree| -> Tree { tree.clone().into_iter().filter(|(path, _)| !path.contains("binary")).collect() };
    check_applied(&without_binaries(&before), &without_binaries(&after), &ours, 3);
}

#[test]
fn what_no_patch_can_carry_is_named() {
    let latin = |bytes: &'static [u8]| Some(Content { path: "x", mode: Mode::File, bytes });
    assert_eq!(
        unified(latin(b"gr\xfc\xdfe\n"), latin(b"gr\xfc\xdfe!\n"), 3),
        "diff --git a/x b/x\nBinary files a/x and b/x differ\n"
    );
    assert_eq!(unified(latin(b""), None, 3), "diff --git a/x b/x\ndeleted file mode 100644\n");
    assert_eq!(unified(latin(b"a"), latin(b"a"), 3), "");
    assert_eq!(unified(None, None, 3), "");
}

/// Three versions of a text, whose changes are mostly apart.
fn three_versions(random: &mut Random) -> [Vec<u8>; 3] {
    let style = STYLES[random.below(STYLES.len())];
    let base = lines(random, style, 80);
    let (ours, theirs) = (random.below(4), random.below(4));
    let (ours, theirs) = (edited(random, style, &base, ours), edited(random, style, &base, theirs));
    let unterminated = random.one_in(4);
    [base, ours, theirs].map(|lines| {
        let mut text = lines.concat().into_bytes();
        if unterminated {
            text.pop();
        }
        text
    })
}

#[test]
fn merges_are_those_of_git() {
    let folder = tempfile::tempdir().unwrap();
    let (mut both, mut only_git, mut neither) = (0, 0, 0);
    for seed in 0..300 {
        let versions = three_versions(&mut Random::new(seed));
        for (name, text) in ["base", "ours", "theirs"].iter().zip(&versions) {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let output = git(folder.path(), &["merge-file", "-p", "ours", "base", "theirs"]);
        let [base, ours, theirs] = &versions;
        match (merge(base, ours, theirs), output.status.success()) {
            (Some(merged), clean) => {
                assert!(clean, "{seed}: git sees a conflict");
                assert_eq!(String::from_utf8_lossy(&merged), String::from_utf8_lossy(&output.stdout), "{seed}");
                both += 1;
            }
            (None, true) => only_git += 1,
            (None, false) => neither += 1,
        }
    }
    println!("merged by both {both}, by git only {only_git}, by neither {neither}");
    assert!(only_git * 100 <= both);
}
