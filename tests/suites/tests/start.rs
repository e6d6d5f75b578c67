//! The first start, and the compiled code that makes later ones fast.

use std::fs;

use serde_json::json;
use suites::world::World;

fn model(world: &World) -> String {
    world.scenario(&json!({"turns": [
        {"calls": [{"tool": "Glob", "input": {"pattern": "*"}}]}, {"text": "Here."},
    ]}))
}

#[test]
fn two_first_starts_at_once() {
    let world = World::cold();
    let model = model(&world);
    let arguments = ["run", "-m", &model, "Hello."];
    let (one, other) = (world.start(&arguments), world.start(&arguments));
    let (one, other) = (one.wait().exits(0), other.wait().exits(0));
    one.says(&["compiling component agent"]).prints(&["Here."]);
    other.prints(&["Here."]);
    assert_eq!(world.sessions().len(), 2);
    for session in world.sessions() {
        world.check(&session);
    }
    let third = world.wardian(&arguments).exits(0);
    assert!(!third.stderr.contains("compiling"), "{third}");
    let left: Vec<_> = fs::read_dir(world.home().join("cache"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "key" && !name.ends_with(".cwasm") && !name.ends_with(".note"))
        .collect();
    assert!(left.is_empty(), "temporary files are left behind: {left:?}");
}

#[test]
fn compiled_code_that_was_changed_is_not_used() {
    let world = World::with_own_cache();
    let model = model(&world);
    let cache = world.home().join("cache");
    let compiled =
        || fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some());
    // In the header of each file: in code, a changed byte might go unnoticed by luck.
    for path in compiled() {
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes.len() / 2;
        bytes[at] ^= 0x40;
        fs::write(&path, bytes).unwrap();
    }
    world.wardian(&["run", "-m", &model, "Hello."]).exits(0).prints(&["Here."]);
    world.check(&world.session());
}

#[test]
fn a_cache_with_rubbish_in_it_is_no_obstacle() {
    let world = World::with_own_cache();
    let model = model(&world);
    for entry in fs::read_dir(world.home().join("cache")).unwrap() {
        fs::write(entry.unwrap().path(), "rubbish").unwrap();
    }
    world.wardian(&["run", "-m", &model, "Hello."]).exits(0).prints(&["Here."]);
    world.wardian(&["run", "-m", &model, "Hello."]).exits(0).prints(&["Here."]);
}

#[cfg(unix)]
#[test]
fn what_is_kept_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::with_own_cache();
    world.wardian(&["run", "-m", &model(&world), "Hello."]).exits(0);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let session = world.session();
    assert_eq!(mode(&session.folder), 0o700);
    assert_eq!(mode(&world.home().join("cache/key")), 0o600);
}
