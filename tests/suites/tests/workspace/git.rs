//! Git, the real one, agrees: on the patch, on the tree that it makes, and on what differs.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use serde_json::json;
use suites::dist::guests;
use suites::files::Step;
use suites::overlay::tree;
use suites::process::{Done, Running};
use suites::random::Random;
use suites::world::World;

use super::model;

fn git(world: &World, folder: &Path, arguments: &[&str]) -> Done {
    let mut command = world.clean("git");
    command.current_dir(folder).args(arguments);
    Running::new(command).wait()
}

/// What a patch says of each file: its new name, or its old one if it goes, with its headers and where its hunks are.
fn summary(patch: &str) -> BTreeMap<String, Vec<String>> {
    let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut current = String::new();
    for line in patch.lines() {
        if let Some(names) = line.strip_prefix("diff --git ") {
            current = names.rsplit_once(" b/").map_or(names, |(_, name)| name).trim_end_matches('"').to_owned();
            files.entry(current.clone()).or_default();
        } else if let Some(hunk) = line.strip_prefix("@@ ") {
            let hunk = hunk.split(" @@").next().unwrap();
            files.get_mut(&current).unwrap().push(hunk.to_owned());
        } else if ["new file", "deleted", "rename", "old mode", "new mode"].iter().any(|start| line.starts_with(start))
        {
            // Git was given two folders, and says so in the names.
            files.get_mut(&current).unwrap().push(line.replace("before/", "").replace("after/", ""));
        }
    }
    files
}

fn line(random: &mut Random) -> String {
    ["fn name() {\n", "}\n", "\n", "    let x = 1;\n", "the same line\n"][random.below(5)].to_owned()
}

/// An edited text.
fn edit(random: &mut Random, text: &str, count: &mut u32) -> String {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    for _ in 0..=random.below(4) {
        *count += 1;
        let at = random.below(lines.len() + 1);
        match random.below(4) {
            0 if at < lines.len() => drop(lines.remove(at)),
            1 if at < lines.len() => lines[at] = format!("changed {count}\n"),
            2 => lines.insert(at, line(random)),
            _ => lines.insert(at, format!("added {count}\n")),
        }
    }
    let mut text = lines.concat();
    if random.one_in(6) {
        text = text.trim_end_matches('\n').to_owned();
    }
    text
}

const NAMES: &[&str] = &[
    "plain.txt",
    "with space.txt",
    "\u{e4}\u{f6}\u{fc}.txt",
    "quote\".txt",
    "tab\there",
    "dir/one.rs",
    "dir/two.rs",
    "dir/sub/three.rs",
    "script.sh",
    "dir/tool",
    "last",
];

fn populate(world: &World, random: &mut Random) {
    for name in NAMES {
        let text: String = (0..40).map(|number| format!("{name} {number} {}", line(random))).collect();
        world.file(name, &text);
    }
    for name in ["script.sh", "dir/tool"] {
        fs::set_permissions(world.project().join(name), PermissionsExt::from_mode(0o755)).unwrap();
    }
    symlink("plain.txt", world.project().join("link")).unwrap();
    symlink("dir/sub", world.project().join("dir/to")).unwrap();
}

fn edits(world: &World, random: &mut Random) -> Vec<Step> {
    let (mut steps, mut count) = (Vec::new(), 0);
    for name in NAMES {
        let text = fs::read_to_string(world.project().join(name)).unwrap();
        let mut write = |path: &str| Step::Write { path: path.into(), text: edit(random, &text, &mut count) };
        let new_name = format!("{name}.moved");
        match (name.len() * 7 + steps.len()) % 5 {
            0 => steps.push(Step::Rename { from: (*name).into(), to: new_name }),
            1 => {
                steps.push(Step::Rename { from: (*name).into(), to: new_name.clone() });
                steps.push(write(&new_name));
            }
            2 => steps.push(Step::Unlink { path: (*name).into() }),
            _ => steps.push(write(name)),
        }
    }
    steps.extend([
        Step::Write { path: "new file".into(), text: "all\nof it\nis new".into() },
        Step::Write { path: "empty".into(), text: String::new() },
        Step::Mkdir { path: "made".into() },
        Step::Write { path: "made/inner".into(), text: "inner\n".into() },
        Step::Unlink { path: "link".into() },
        Step::Symlink { target: "dir/one.rs".into(), path: "link".into() },
        Step::Symlink { target: "../new file".into(), path: "made/link".into() },
        Step::Unlink { path: "dir/to".into() },
    ]);
    steps
}

#[test]
fn a_patch_makes_of_a_copy_what_a_commit_makes_of_the_project() {
    for seed in 0..4 {
        let world = World::new();
        let random = &mut Random::new(seed);
        populate(&world, random);
        let (before, applied) = (world.folder().join("before"), world.folder().join("applied"));
        model::copy(&world.project(), &before);
        model::copy(&world.project(), &applied);

        let input = json!({ "root": "/workspace", "steps": edits(&world, random) }).to_string();
        world.wardian(&["call", "Files", &input, "--component", &guests()]).exits(0);
        let patch = world.wardian(&["diff"]).exits(0).stdout;
        assert_eq!(tree(&world.project()), tree(&before), "a diff changes nothing");
        fs::write(world.folder().join("patch"), &patch).unwrap();
        git(&world, &applied, &["apply", "--whitespace=nowarn", "../patch"]).exits(0);
        world.wardian(&["commit", "--all", "--yes"]).exits(0);
        assert_eq!(tree(&applied), tree(&world.project()), "seed {seed}:\n{patch}");
        assert_eq!(model::modes(&applied), model::modes(&world.project()), "seed {seed}:\n{patch}");

        // And git finds the same differences in the same places.
        fs::rename(world.project(), world.folder().join("after")).unwrap();
        let compare = ["-c", "core.quotepath=true", "diff", "--no-index", "--no-color", "-M", "before", "after"];
        let theirs = git(&world, world.folder(), &compare).exits(1).stdout;
        let theirs = ["before/", "after/"].iter().fold(theirs, |text, folder| {
            text.replace(&format!("a/{folder}"), "a/").replace(&format!("b/{folder}"), "b/")
        });
        assert_eq!(summary(&patch), summary(&theirs), "seed {seed}:\n{patch}\n---\n{theirs}");
        fs::rename(world.folder().join("after"), world.project()).unwrap();

        world.wardian(&["undo"]).exits(0);
        assert_eq!(tree(&world.project()), tree(&before));
        assert_eq!(model::modes(&world.project()), model::modes(&before));
    }
}
