//! `wardian exec`: one process, its streams, its limits and its exit status.

use std::process::Stdio;

use suites::dist::{built, wardian};
use suites::process::Done;
use suites::world::World;

fn programs() -> String {
    built("tests/programs.wasm").display().to_string()
}

fn exec(world: &World, flags: &[&str], arguments: &[&str]) -> Done {
    let programs = programs();
    world.wardian(&[&["exec"], flags, &[&programs], arguments].concat())
}

#[test]
fn exit_statuses_arrive_as_they_are() {
    let world = World::new();
    for status in [0, 1, 2, 42, 126, 127, 141, 255] {
        exec(&world, &[], &["exit", &status.to_string()]).exits(status);
    }
    exec(&world, &[], &["break"]).exits(134).says(&["programs: its code broke"]);
    world.wardian(&["exec", "no-such-command"]).exits(127).says(&["there is no command \"no-such-command\""]);
}

#[test]
fn arguments_environment_and_directory_are_its_own() {
    let world = World::new();
    let done = exec(&world, &[], &["arguments", "a b", "$(x)", "--json", ""]).exits(0);
    assert_eq!(done.stdout, "[\"programs\", \"arguments\", \"a b\", \"$(x)\", \"--json\", \"\"]\n");
    let done = exec(&world, &["--env", "A=1", "--env", "HOME=/x"], &["environment"]).exits(0);
    done.prints(&["A=1\n", "HOME=/x\n", "PWD=/workspace\n"]);
    // Nothing of the user's.
    assert!(!exec(&world, &[], &["environment"]).stdout.contains("WARDIAN"));
    exec(&world, &[], &["directory"]).exits(0).prints(&["/workspace\n"]);
}

#[test]
fn files_are_the_sessions_or_with_direct_the_projects() {
    let world = World::new();
    world.file("a.txt", "before");
    exec(&world, &[], &["read", "a.txt"]).exits(0).prints(&["before"]);
    let done = exec(&world, &[], &["write", "a.txt", "after"]).exits(0);
    done.says(&["the project is as it was", "wardian changes"]);
    assert_eq!(std::fs::read_to_string(world.project().join("a.txt")).unwrap(), "before");
    let session = world.session().id;
    exec(&world, &["--session", &session], &["read", "a.txt"]).exits(0).prints(&["after"]);
    exec(&world, &["--direct"], &["write", "a.txt", "direct"]).exits(0);
    assert_eq!(std::fs::read_to_string(world.project().join("a.txt")).unwrap(), "direct");
    exec(&world, &["--direct"], &["read", "/etc/hostname"]).exits(2);
    // Nothing was changed: no session stays.
    let before = world.sessions().len();
    exec(&world, &[], &["read", "a.txt"]).exits(0);
    assert_eq!(world.sessions().len(), before);
}

#[test]
fn limits_end_it_and_are_named() {
    let world = World::new();
    exec(&world, &["--max-seconds", "1"], &["spin"]).exits(137).says(&["programs: wall_ms_max reached (1000)"]);
    exec(&world, &["--max-seconds", "1"], &["sleep", "60000"]).exits(137).says(&["wall_ms_max reached (1000)"]);
    exec(&world, &["--max-memory", "32"], &["grow", "64"]).exits(137).says(&["memory_bytes_max reached (33554432)"]);
    exec(&world, &["--max-memory", "128"], &["grow", "64"]).exits(0).prints(&["67108864"]);
}

#[test]
fn streams_flow_and_a_reader_who_leaves_ends_it() {
    let world = World::new();
    let programs = programs();
    let done = world.wardian_with("one two", &["exec", &programs, "copy"]).exits(0);
    assert_eq!(done.stdout, "one two");
    // More than could be held anywhere: whoever buffers it whole does not pass.
    let mut command = world.clean(wardian());
    command.args(["exec", "--max-memory", "32", &programs, "put", "3000000000"]).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    std::io::Read::read_exact(&mut stdout, &mut [0; 1000]).unwrap();
    drop(stdout);
    assert_eq!(child.wait().unwrap().code(), Some(141));
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it() {
    let world = World::new();
    for (signal, status) in [(rustix::process::Signal::INT, 130), (rustix::process::Signal::TERM, 143)] {
        let mut running = world.start(&["exec", &programs(), "say-and-sleep", "60000"]);
        suites::process::until("its first word", || running.stdout().contains("asleep").then_some(()));
        running.signal(signal);
        running.wait().exits(status);
    }
}
