//! What the shell and the processes in it read: as it comes, and no more than they read.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use suites::dist::built;
use suites::process::until;
use suites::world::World;

#[test]
fn a_program_that_reads_nothing_leaves_the_input_to_the_loop() {
    let world = World::new();
    let programs = built("tests/programs.wasm").display().to_string();
    let run = |script: &str| world.wardian(&["sh", "--component", &programs, "-c", script]).exits(0).stdout;
    let three = "[\"programs\", \"arguments\", \"1\"]\n[\"programs\", \"arguments\", \"2\"]\n[\"programs\", \"arguments\", \"3\"]\n";
    let body = "while read x; do programs arguments $x; done";
    for from in [
        "for i in 1 2 3; do echo $i; done |",
        "seq 3 |",
        "cat <<< $'1\\n2\\n3' |",
        "programs arguments 1 > /dev/null; seq 3 |",
    ] {
        assert_eq!(run(&format!("{from} {body}")), three, "{from}");
    }
    assert_eq!(run(&format!("seq 3 > f; {body} < f")), three);
    // One that reads gets what is left.
    assert_eq!(run("for i in 1 2 3; do echo $i; done | { read x; programs count; }"), "4\n");
}

/// What comes on stdin is there when it comes, is taken when it is read, and may be of any size.
#[test]
fn stdin_is_a_stream() {
    let world = World::new();
    let programs = built("tests/programs.wasm").display().to_string();
    let script = "echo ready; read x; echo got $x; ls > /dev/null; read y; echo got $y; programs count";
    let mut command = world.command(&["sh", "--component", &programs, "-c", script]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut to = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "ready");
    to.write_all(b"one\n").unwrap();
    assert_eq!(lines.next().unwrap(), "got one");
    to.write_all(b"two\n").unwrap();
    assert_eq!(lines.next().unwrap(), "got two");
    // More than the shell's memory for variables, and than it once took in one piece.
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..80 {
        to.write_all(&piece).unwrap();
    }
    drop(to);
    assert_eq!(lines.next().unwrap(), (80 << 20).to_string());
    assert!(child.wait().unwrap().success());

    // A script that reads nothing does not wait for the end of what it could read.
    let mut command = world.command(&["sh", "-c", "echo hi; ls"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let open = child.stdin.take().unwrap();
    let status = until("the end of the script", || child.try_wait().unwrap());
    assert!(status.success());
    drop(open);
}
