//! `wardian sh`, and the tools Bash and Command.

use serde_json::{Value, json};
use suites::dist::built;
use suites::journal::of;
use suites::process::Done;
use suites::world::World;

fn sh(world: &World, script: &str) -> Done {
    world.wardian(&["sh", "-c", script])
}

/// The shell with a command of ours in it.
fn sh_with_programs(world: &World, flags: &[&str], script: &str) -> Done {
    let programs = built("tests/programs.wasm").display().to_string();
    world.wardian(&[&["sh", "--component", &programs], flags, &["-c", script]].concat())
}

fn bash(world: &World, session: &str, input: &Value) -> Value {
    let input = input.to_string();
    let done = world.wardian(&["call", "--json", "--session", session, "Bash", &input]).exits(0);
    done.json()["output"].clone()
}

/// A session to make calls in.
fn session(world: &World) -> String {
    world.wardian(&["call", "Write", r#"{"file_path": "began.txt", "content": ""}"#]).exits(0);
    world.session().id
}

#[test]
fn statuses_and_arguments_are_the_scripts() {
    let world = World::new();
    world.file("s.sh", "echo \"$0 $# $2\"\nexit 7\n");
    for status in [0, 1, 2, 42, 255] {
        sh(&world, &format!("exit {status}")).exits(status);
    }
    sh(&world, "if then").exits(2);
    sh(&world, "no-such-command").exits(127).says(&["no-such-command: command not found"]);
    let done = world.wardian(&["sh", "s.sh", "a", "b c"]).exits(7);
    assert_eq!(done.stdout, "/workspace/s.sh 2 b c\n");
    let done = world.wardian(&["sh", "-c", "echo \"$0 $1\"", "name", "$(no)"]).exits(0);
    assert_eq!(done.stdout, "name $(no)\n");
    assert_eq!(world.wardian_with("echo from stdin", &["sh"]).exits(0).stdout, "from stdin\n");
    assert_eq!(world.wardian_with("a\nb\n", &["sh", "-c", "read x; echo got $x"]).exits(0).stdout, "got a\n");
    world.wardian(&["sh", "missing.sh"]).exits(127);
}

#[test]
fn the_usual_lines_work_on_the_project() {
    let world = World::new();
    world.file("src/a.rs", "fn a() {}\n// TODO one\n");
    world.file("src/b.rs", "fn b() {}\n// TODO two\n");
    let lines = [
        ("ls src", "a.rs\nb.rs\n"),
        ("grep -rn TODO src | sort | head -1", "src/a.rs:2:// TODO one\n"),
        ("cd src && pwd", "/workspace/src\n"),
        ("for f in src/*.rs; do wc -l < $f; done", "2\n2\n"),
        ("cat <<'EOF' > new.txt\n$HOME stays\nEOF\ncat new.txt", "$HOME stays\n"),
        ("x=$(cat src/a.rs | head -1); echo \"[$x]\"", "[fn a() {}]\n"),
        ("f() { echo $1; }; f hi | tr a-z A-Z", "HI\n"),
        ("sed -n '2,2p' src/b.rs", "// TODO two\n"),
        ("find . -name '*.rs' | sort", "./src/a.rs\n./src/b.rs\n"),
        ("sed -i 's/TODO/DONE/' src/a.rs && cat src/a.rs", "fn a() {}\n// DONE one\n"),
        ("false || echo no; true && echo yes", "no\nyes\n"),
        ("set -o pipefail; false | true; echo $?", "1\n"),
        ("echo '{\"a\": [1, 2]}' | jq -c .a", "[1,2]\n"),
    ];
    for (script, stdout) in lines {
        let done = sh(&world, script).exits(0);
        assert_eq!(done.stdout, stdout, "{script}\n{done}");
    }
    assert!(!world.project().join("new.txt").exists(), "the project is as it was");
}

#[test]
fn what_a_sandbox_does_not_have_is_said_in_one_line() {
    let world = World::new();
    for (line, reason) in [
        ("apt-get install x", "no packages"),
        ("pip install x", "cannot install"),
        ("sudo ls", "no other users"),
        ("docker ps", "no containers"),
        ("git status", ".git is hidden"),
        ("systemctl status", "no services"),
        ("vim a.txt", "nobody is at a terminal"),
    ] {
        let done = sh(&world, line).exits(127).says(&[reason]);
        let said = done.stderr.lines().filter(|line| !line.contains("compiling component")).count();
        assert_eq!(said, 1, "{done}");
    }
    sh(&world, "command -v docker").exits(1);
}

#[test]
fn commands_are_processes_with_pipes_between_them() {
    let world = World::new();
    let run = |script: &str| sh_with_programs(&world, &[], script);
    run("programs exit 42").exits(42);
    assert_eq!(run("echo abc | programs copy | tr a-z A-Z").exits(0).stdout, "ABC\n");
    assert_eq!(run("programs put 20000000 | programs count").exits(0).stdout, "20000000\n");
    assert_eq!(
        run("x=$(programs arguments a 'b c'); echo \"$x\"").exits(0).stdout,
        "[\"programs\", \"arguments\", \"a\", \"b c\"]\n"
    );
    assert_eq!(run("cd /tmp && X=1 programs directory").exits(0).stdout, "/tmp\n");
    assert_eq!(run("export X=1; programs environment | grep ^X=").exits(0).stdout, "X=1\n");
    assert_eq!(run("programs complain oops 2>&1 >/dev/null").exits(0).stdout, "oops\n");
    assert_eq!(run("programs write f.txt 'a b'; cat f.txt").exits(0).stdout, "a b");
    assert_eq!(run("echo abc > f.txt; programs read f.txt").exits(0).stdout, "abc\n");
    run("programs break").exits(134).says(&["programs: aborted"]);
    run("command -v programs").exits(0);
    // Whoever writes to a pipe that nobody reads any more ends.
    assert_eq!(run("programs put 100000000000 | head -c 2; echo ${PIPESTATUS[0]}").exits(0).stdout, "xx141\n");
}

#[test]
fn every_process_of_a_call_is_in_the_journal() {
    let world = World::new();
    let programs = built("tests/programs.wasm").display().to_string();
    let command = "programs exit 3; programs put 100000000000 | head -c 2";
    let bash = json!({"tool": "Bash", "input": {"command": command}});
    let model = world.scenario(&json!({"turns": [{"calls": [bash]}, {"text": "That was it."}]}));
    world.wardian(&["run", "-m", &model, "--approve", "all", "--component", &programs, "Go."]).exits(0);
    let session = world.session();
    let events = session.events();
    let call = of(&events, "tool.use")[0]["id"].as_str().unwrap().to_owned();
    let (starts, exits) = (of(&events, "process.start"), of(&events, "process.exit"));
    let argv = |start: &Value| {
        start["argv"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let argv: Vec<Vec<String>> = starts.iter().map(|start| argv(start)).collect();
    assert_eq!(argv[0].first().unwrap(), "sh");
    assert_eq!(
        argv[1..],
        [["programs", "exit", "3"], ["programs", "put", "100000000000"]].map(|words| words.map(str::to_owned).to_vec())
    );
    for (number, start) in starts.iter().enumerate() {
        let id = json!(format!("{call}/{}", number + 1));
        assert_eq!((&start["id"], &start["cwd"]), (&id, &json!("/workspace")));
        let exit = exits.iter().find(|exit| exit["id"] == id).unwrap();
        let expected =
            [(json!(0), Value::Null), (json!(3), Value::Null), (Value::Null, json!("nobody read its output"))];
        assert_eq!((&exit["status"], &exit["killed"]), (&expected[number].0, &expected[number].1), "{exit}");
        assert!(exit["memory_peak_bytes"].as_u64().unwrap() > 0, "{exit}");
    }
    assert_eq!(starts[1]["component"], starts[2]["component"]);
    assert_eq!((starts.len(), exits.len()), (3, 3));
    world.wardian(&["log"]).exits(0).prints(&[
        "process.start",
        "programs exit 3",
        "process.exit",
        "nobody read its output",
    ]);
    world.check(&session);
}

#[test]
fn a_script_in_the_background_is_looked_at_and_ended() {
    let world = World::new();
    let background = |command: &str| json!({"tool": "Bash", "input": {"command": command, "background": true}});
    let jobs = |input: Value| json!({"tool": "Jobs", "input": input});
    let model = world.scenario(&json!({"turns": [
        {"calls": [{"tool": "Bash", "input": {"command": "mkdir sub; cd sub"}}]},
        {"calls": [background("pwd; sleep 50; echo late")], "expect": ""},
        {"calls": [background("echo out; echo err >&2; exit 3")], "expect": "job 1 runs in the background"},
        {"calls": [jobs(json!({"job": 2, "wait_ms": 20_000}))], "expect": "job 2 runs in the background"},
        {"calls": [jobs(json!({}))], "expect": "out\nerr\n[job 2: exit status 3"},
        {"calls": [jobs(json!({"job": 1, "kill": true}))], "expect": "job 1: runs\njob 2: exit status 3"},
        {"calls": [jobs(json!({"job": 7}))], "expect": "/workspace/sub\n[job 1: ended after"},
        {"calls": [background("sleep 50")], "expect": "there is no job 7"},
        {"text": "That was it."},
    ]}));
    let started = std::time::Instant::now();
    world.wardian(&["run", "-m", &model, "--approve", "all", "Go."]).exits(0);
    assert!(started.elapsed() < std::time::Duration::from_secs(40), "nobody waits for what runs in the background");
    let session = world.session();
    let events = session.events();
    let ids = |kind| {
        of(&events, kind)
            .iter()
            .map(|event| event["id"].clone())
            .filter(|id| id.as_str().unwrap().starts_with("background/"))
            .collect::<Vec<_>>()
    };
    assert_eq!(ids("process.start"), ["background/1", "background/2", "background/3"]);
    assert_eq!(ids("process.exit"), ["background/2", "background/1"]);
    // What still ran ended with the program; whoever opens the session next says so.
    world.wardian(&["call", "--session", &session.id, "ListDir", r#"{"path": "."}"#]).exits(0);
    let events = session.events();
    let last = of(&events, "process.exit").pop().unwrap();
    assert_eq!((&last["id"], &last["killed"]), (&json!("background/3"), &json!("whoever ran the session ended")));
    world.check(&session);
}

#[test]
fn what_never_ends_is_ended_by_a_limit() {
    let world = World::new();
    let limited = ["--max-seconds", "2"];
    for script in ["while :; do :; done", "sleep 600", "programs spin", "programs spin | programs spin"] {
        let done = sh_with_programs(&world, &limited, script).exits(137).says(&["wall_ms_max reached (2000)"]);
        assert!(done.took.as_secs() < 30, "{done}");
    }
    for script in ["f() { f | f & f; }; f", "f() { f; }; f"] {
        let done = sh_with_programs(&world, &["--max-seconds", "10"], script);
        assert_ne!(done.code, Some(0), "{done}");
    }
    let done = sh_with_programs(&world, &["--max-seconds", "20"], "x=x; while :; do x=$x$x; done");
    assert_ne!(done.code, Some(0), "{done}");
    sh(&world, "yes | head -2").exits(0).prints(&["y\ny\n"]);
}

#[test]
fn the_tool_keeps_its_state_between_calls() {
    let world = World::new();
    world.file("src/a.txt", "here\n");
    let id = session(&world);
    let output = bash(&world, &id, &json!({"command": "cd src; x='a b'; export Y=2; f() { echo \"f:$1\"; }"}));
    assert_eq!(output["data"]["status"], 0, "{output}");
    let output = bash(&world, &id, &json!({"command": "pwd; echo \"$x\"; f \"$Y\"; cat a.txt"}));
    assert_eq!(output["text"], "/workspace/src\na b\nf:2\nhere\n", "{output}");
    let output =
        bash(&world, &id, &json!({"command": "cat; echo $A", "stdin": "in", "cwd": "/tmp", "env": {"A": "$(id)"}}));
    assert_eq!(output["text"], "in$(id)\n", "{output}");
    let output = bash(&world, &id, &json!({"command": "echo out; echo err >&2; exit 3"}));
    assert_eq!(output["text"], "out\nerr\n[exit status 3]", "{output}");
    assert_eq!(output["data"]["status"], 3);
    let output = bash(&world, &id, &json!({"command": "echo begun; sleep 60", "timeout_ms": 1500}));
    assert!(output["text"].as_str().unwrap().starts_with("begun\n[ended after "), "{output}");
    assert_eq!(output["data"]["killed"], "wall_ms_max reached (1500)");
    let output = bash(&world, &id, &json!({"command": "seq 1 20000"}));
    let path = output["data"]["output_path"].as_str().unwrap().to_owned();
    assert!(output["text"].as_str().unwrap().contains("bytes left out"), "{output}");
    let output = bash(&world, &id, &json!({"command": format!("wc -l < {path}")}));
    assert_eq!(output["text"].as_str().unwrap().trim(), "20000", "{output}");
    world.check(&world.sessions().into_iter().find(|session| session.id == id).unwrap());
}

#[test]
fn xargs_runs_as_many_at_once_as_it_is_told() {
    let world = World::new();
    // Each waits for what the other makes: one after the other would wait in vain.
    let wait = "touch $0; n=0; while [ ! -e $1 ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n + 1)); done; [ -e $1 ] && echo $0 met $1";
    let done = sh(&world, &format!("printf 'a b\\nb a\\n' | xargs -P 2 -L 1 sh -c '{wait}' | sort"));
    assert_eq!(done.exits(0).stdout, "a met b\nb met a\n");
    // No more than that at once, and all of them in the end.
    let done = sh(&world, "seq 40 | xargs -P 3 -n 1 sh -c 'mkdir $0; ls -d [0-9]* | wc -l; rmdir $0' | sort -n");
    let counts: Vec<u32> = done.exits(0).stdout.lines().map(|line| line.trim().parse().unwrap()).collect();
    assert!(counts.len() == 40 && counts.iter().all(|count| (1..=3).contains(count)), "{counts:?}");
    let done = sh(&world, "seq 300 | xargs -P 0 -n 1 echo | sort -n");
    assert_eq!(done.exits(0).stdout.lines().count(), 300);
    sh(&world, "seq 5 | xargs -P 3 -n 1 sh -c 'exit $0'").exits(123);
    sh(&world, "printf '1\n255\n' | xargs -P 2 -n 1 sh -c 'exit $0'").exits(124).says(&["exited with status 255"]);
    sh(&world, "echo a b | xargs -P 2 -t -n 1 echo").exits(0).says(&["echo a\necho b\n"]);
}

/// All of a turn run at once, and each leaves its state where the others do.
#[test]
fn calls_at_once_do_not_hinder_each_other() {
    let world = World::new();
    let calls: Vec<Value> =
        (0..16).map(|n| json!({"tool": "Bash", "input": {"command": format!("x={n}; echo $x")}})).collect();
    let again = json!({"tool": "Bash", "input": {"command": "echo $x"}});
    let model = world.scenario(&json!({"turns": [{"calls": calls}, {"calls": [again]}, {"text": "done"}]}));
    world.wardian(&["run", "--approve", "all", "-m", &model, "Go."]).exits(0);
    let session = world.session();
    let events = session.events();
    let results = of(&events, "tool.result");
    let texts: Vec<&str> = results.iter().map(|result| result["output"]["text"].as_str().unwrap()).collect();
    for n in 0..16 {
        assert!(texts.contains(&format!("{n}\n").as_str()), "{n} is not in {texts:?}");
    }
    // It has that of one of them.
    let last: u32 = texts[16].trim().parse().unwrap_or_else(|_| panic!("{texts:?}"));
    assert!(last < 16);
}

#[test]
fn a_command_takes_its_arguments_as_they_are() {
    let world = World::new();
    let programs = built("tests/programs.wasm").display().to_string();
    let call =
        |input: Value| world.wardian(&["call", "--json", "--component", &programs, "Command", &input.to_string()]);
    let done = call(json!({"argv": ["programs", "arguments", "$(x)", "a;b"]})).exits(0).json();
    assert_eq!(done["output"]["text"], "[\"programs\", \"arguments\", \"$(x)\", \"a;b\"]\n");
    let done = call(json!({"argv": ["programs", "copy"], "stdin": "x".repeat(100_000)})).exits(0).json();
    assert_eq!(done["output"]["data"]["output_bytes"], 100_000);
    call(json!({"argv": ["nope"]})).exits(1).says(&["there is no command `nope`"]);
    call(json!({"argv": []})).exits(2);
}
