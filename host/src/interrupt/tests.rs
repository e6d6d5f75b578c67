//! Code without an end is ended, wherever it is, by either way.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::command::{Killed, Status};
use crate::wit::{FileAccess, Limits, Powers};
use crate::{Activities, Command, Commands, Exit, Files, Host, HostOptions, Input, Network, Output, Process, Start};

/// What the guest does without end.
const REGISTERS: &str = "(local.set $n (i64.add (local.get $n) (i64.const 1)))";
const CALLS: &str = "(local.set $n (call $next (local.get $n)))";
const INDIRECT: &str = "(local.set $n (call_indirect (param i64) (result i64) (local.get $n) (i32.const 0)))";
const MEMORY: &str = "(i64.store (i32.const 8) (i64.add (i64.load (i32.const 8)) (i64.const 1)))";
/// The engine does these two outside of the guest's code.
const FILL: &str = "(memory.fill (i32.const 0) (i32.const 1) (i32.const 65536))";
const GROW: &str = "(drop (memory.grow (i32.const 0)))";
const HOST: &str = "(local.set $n (call $now))";

fn guest(body: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
            (import "wasi:clocks/monotonic-clock@0.2.6" (instance $clock (export "now" (func (result u64)))))
            (core func $now (canon lower (func $clock "now")))
            (core module $m
                (import "clock" "now" (func $now (result i64)))
                (memory 4)
                (table 1 funcref)
                (elem (i32.const 0) $next)
                (func $next (param i64) (result i64) (i64.add (local.get 0) (i64.const 1)))
                (func (export "run") (result i32) (local $n i64)
                    (loop $again {body} (br $again))
                    (i32.const 0)))
            (core instance $clocks (export "now" (func $now)))
            (core instance $i (instantiate $m (with "clock" (instance $clocks))))
            (func $run (result (result)) (canon lift (core func $i "run")))
            (instance $exported (export "run" (func $run)))
            (export "wasi:cli/run@0.2.6" (instance $exported)))"#
    );
    wat::parse_str(text).unwrap()
}

fn command(host: &Host, body: &str) -> Command {
    Command::new(host, host.load("guest", &guest(body), None).unwrap()).unwrap()
}

fn spawn(command: &Command, limits: Limits) -> Process {
    command.spawn(Start {
        argv: vec!["guest".to_owned()],
        env: Vec::new(),
        cwd: "/".to_owned(),
        stdin: Input::null(),
        stdout: Output::null(),
        stderr: Output::null(),
        powers: Powers { files: FileAccess::None, net: vec![], process: vec![], env: vec![] },
        files: Files { project: PathBuf::from("/"), layer: None, direct: true },
        network: Network::default(),
        activities: Activities::unwatched(),
        limits,
        commands: Commands::new(Vec::new()),
    })
}

/// A process whose thread does not come back has no peak of memory: nobody looked at it.
fn has_ended(exit: &Exit) -> bool {
    exit.memory_peak_bytes == 4 << 16
}

fn hosts() -> [Host; 2] {
    let host = Host::new(HostOptions::default()).unwrap();
    [host.for_commands(), host]
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn commands_are_compiled_without_checks_here() {
    let host = Host::new(HostOptions::default()).unwrap();
    let code = host.for_commands().load("guest", &guest(REGISTERS), None).unwrap();
    assert!(code.watchdog.is_some());
    assert!(host.load("guest", &guest(REGISTERS), None).unwrap().watchdog.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_code_does_without_end_is_ended_at_its_limits() {
    for host in hosts() {
        for body in [REGISTERS, CALLS, INDIRECT, MEMORY, FILL, GROW, HOST] {
            let command = command(&host, body);
            let limits = Limits { wall_ms_max: 60, ..Limits::default() };
            let exit = spawn(&command, limits).wait().await;
            let Status::Killed(Killed::Limit(limit)) = &exit.status else { panic!("{body}: {exit:?}") };
            assert_eq!((&*limit.name, limit.at), ("wall-ms-max", 60), "{body}");
            assert!(has_ended(&exit), "{body}: {exit:?}");

            let limits = Limits { cpu_ms_max: 50, wall_ms_max: 20_000, ..Limits::default() };
            let exit = spawn(&command, limits).wait().await;
            let Status::Killed(Killed::Limit(limit)) = &exit.status else { panic!("{body}: {exit:?}") };
            assert_eq!((&*limit.name, limit.at), ("cpu-ms-max", 50), "{body}");
            assert!(has_ended(&exit), "{body}: {exit:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_is_killed_at_any_moment_and_others_go_on() {
    for host in hosts() {
        let mixed = [REGISTERS, CALLS, INDIRECT, MEMORY, FILL, GROW, HOST].concat();
        let command = Arc::new(command(&host, &mixed));
        for round in 0..150_u64 {
            let mut first = spawn(&command, Limits::default());
            let mut second = spawn(&command, Limits::default());
            tokio::time::sleep(Duration::from_micros(round * 37 % 3000)).await;
            let begin = Instant::now();
            first.kill();
            assert_eq!(first.wait().await.status, Status::Killed(Killed::Killed));
            assert_eq!(second.exit(), None, "round {round}: the other one was not meant");
            second.kill();
            let exit = second.wait().await;
            assert_eq!(exit.status, Status::Killed(Killed::Killed));
            assert!(begin.elapsed() < Duration::from_secs(5), "round {round}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn code_that_breaks_is_not_taken_for_code_that_was_ended() {
    for host in hosts() {
        let exit = spawn(&command(&host, "unreachable"), Limits::default()).wait().await;
        let Status::Killed(Killed::Trapped(what)) = exit.status else { panic!("{exit:?}") };
        assert!(what.contains("unreachable"), "{what}");
    }
}
