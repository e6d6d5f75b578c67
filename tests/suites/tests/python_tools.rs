//! Programs of the tool Python that call other tools of their session, and interpreters that live on between calls.

use serde_json::{Value, json};
use suites::journal::of;
use suites::world::World;

/// A run in which the model has these programs run, one after the other, each expected to print something.
fn programs(world: &World, programs: &[(Value, &str)], flags: &[&str]) -> Vec<Value> {
    let mut turns: Vec<Value> = Vec::new();
    for (at, (input, _)) in programs.iter().enumerate() {
        let mut turn = json!({"text": "I try.", "calls": [{"tool": "Python", "input": input}]});
        if let Some((_, printed)) = at.checked_sub(1).map(|before| &programs[before]) {
            turn["expect"] = json!(printed);
        }
        turns.push(turn);
    }
    let printed = programs.last().map(|(_, printed)| *printed);
    turns.push(json!({"expect": printed, "text": "done"}));
    let model = world.scenario(&json!({"turns": turns}));
    world.wardian(&[&["run", "-m", &model, "go"], flags].concat()).exits(0);
    world.session().events()
}

const CALLS: &str = r#"
import wardian
open("before.txt", "w").write("mine")
found = wardian.call("Grep", pattern="beta", output_mode="count")
print("found", found)
wardian.call("Write", file_path="made.txt", content="by another tool")
print(open("made.txt").read())
for tool, input in (("Nothing", {}), ("Read", {"file_path": 5}), ("Read", {"file_path": "none"})):
    try:
        wardian.call(tool, **input)
    except wardian.CallError as error:
        print(error.kind)
"#;

#[test]
fn code_calls_other_tools_and_the_journal_has_each_call() {
    let world = World::new();
    world.file("notes.txt", "alpha\nbeta\n");
    let printed = "by another tool\nunknown-tool\ninvalid-input\nfailed";
    let events = programs(&world, &[(json!({"code": CALLS}), printed)], &["--approve", "all"]);
    let used = of(&events, "tool.use");
    let outer = used[0]["id"].as_str().unwrap();
    let inner = |number: u32| format!("{outer}/call-{number}");
    let ids: Vec<&str> = used.iter().filter_map(|event| event["id"].as_str()).collect();
    assert_eq!(ids, [outer, &inner(1), &inner(2), &inner(5)], "what was refused did not run");
    let results = of(&events, "tool.result");
    assert_eq!(results.len(), 6, "each call has a result");
    assert_eq!(results.last().unwrap()["id"], outer, "the caller's is the last");
    let changed = |path: &str| of(&events, "workspace.change").into_iter().find(|event| event["path"] == path).unwrap();
    assert_eq!(changed("before.txt")["id"], outer);
    assert_eq!(changed("made.txt")["id"], inner(2));
    world.check(&world.session());
}

#[test]
fn a_call_that_a_rule_refuses_is_an_exception_and_the_program_goes_on() {
    let world = World::new();
    world.settings("[[rule]]\ntool = \"Write\"\nverdict = \"deny\"\n");
    let code = "import wardian\ntry: wardian.call('Write', file_path='a', content='b')\n\
                except PermissionError as error: print(error)\nprint('alive')";
    let events = programs(&world, &[(json!({"code": code}), "a rule refuses it")], &["--approve", "all"]);
    let answers = of(&events, "permission.answer");
    assert!(answers.iter().any(|answer| answer["allowed"] == json!(false)), "{answers:?}");
    assert_eq!(of(&events, "tool.use").len(), 1);
    world.check(&world.session());
}

#[test]
fn calls_in_calls_are_bounded() {
    let world = World::new();
    let code = "import wardian\nprint(wardian.call('Python', code=open('deep.py').read()))";
    world.file("deep.py", code);
    let many = "import wardian\nfor n in range(300):\n  try: wardian.call('Glob', pattern='none')\n  \
                except wardian.CallError as error:\n    print(n, error.kind); break";
    let calls = [(json!({"code": code}), "3 deep already"), (json!({"code": many}), "256 limit")];
    programs(&world, &calls, &["--approve", "all"]);
    world.check(&world.session());
}

#[test]
fn a_class_that_cannot_be_hashed_does_not_keep_files_from_being_written() {
    let world = World::new();
    let session = |code: &str| json!({"code": code, "session": true});
    let class = "class M(type):\n    def __eq__(self, other): return self is other\nclass A(metaclass=M): pass\n";
    let calls = [
        (session(&format!("{class}a = A()\nf = open('left.txt', 'w')\nf.write('kept')\nprint('open')")), "open"),
        (session("print('it has', open('left.txt').read(), type(a).__name__)"), "it has kept A"),
    ];
    programs(&world, &calls, &["--approve", "all"]);
}

#[test]
fn without_a_session_no_tool_is_called() {
    let world = World::new();
    let code =
        "import wardian\ntry: wardian.call('Read', file_path='a')\nexcept PermissionError as error: print(error)";
    world.wardian(&["python", "--direct", "-c", code]).exits(0).prints(&["no session is here"]);
}

#[test]
fn an_interpreter_lives_on_between_calls_until_it_is_ended() {
    let world = World::new();
    let session = |code: &str| json!({"code": code, "session": true, "timeout_ms": 2000});
    let calls = [
        // A generator cannot be pickled: it is there because the interpreter is.
        (
            session("numbers = (n for n in range(10)); text = 'kept'\nprint(sum(1 for _ in zip(range(3), numbers)))"),
            "3",
        ),
        (session("print('next', next(numbers), text)"), "next 3 kept"),
        (session("import sys\nprint('args', sys.argv[1:], sys.stdin.read()); sys.exit(3)"), "exit status 3"),
        (session("print('still', next(numbers))"), "still 4"),
        // What a program wrote is in the file when it ends, though the file is still open.
        (session("held = open('held.txt', 'w'); print('wrote', held.write('one'))"), "wrote 3"),
        (session("print('read', open('held.txt').read(), held.write('two'))"), "read one 3"),
        (json!({"code": "print('then', open('held.txt').read())"}), "then onetwo"),
        // Who has the output of an earlier call writes to this one's; what else a program put in its place is gone.
        (
            session(
                "import logging, os, sys\nlog = logging.getLogger(); log.addHandler(logging.StreamHandler(sys.stdout))\n\
                 os.environ = {'A': 'b'}; os.environ['B'] = 'c'; sys.stdout = [sys.stdout]\nsys.stdout[0].write('put away')",
            ),
            "put away",
        ),
        (
            session("log.warning('heard'); print(os.environ.get('A'), type(os.environ).__name__, end='.')"),
            "heard\nNone _Environ.",
        ),
        (session("os.environ['C'] = 'd'; print('closed'); sys.stdout.close()"), "closed"),
        (session("print('opened', os.environ.get('C'))"), "opened None"),
        (session("text = 'lost'\nwhile True: pass"), "wall_ms_max reached"),
        (session("print('anew', text, 'numbers' in dir())"), "anew kept False"),
    ];
    let events = programs(&world, &calls, &["--approve", "all"]);
    let results = of(&events, "tool.result");
    let anew = results.last().expect("a result").to_string();
    assert!(anew.contains("started anew, without numbers"), "{anew}");
    world.check(&world.session());
}

#[test]
fn each_program_of_a_session_has_its_own_input_and_leaves_what_it_changed() {
    let world = World::new();
    let reads = |code: &str, stdin: &str| json!({"code": code, "stdin": stdin, "session": true});
    let session = |code: &str| json!({"code": code, "session": true, "timeout_ms": 2000});
    let calls = [
        (session("print('nothing read')"), "nothing read"),
        (reads("print('line', input())", "one\nleft over\n"), "line one"),
        (reads("print('all', repr(__import__('sys').stdin.read()))", "two"), "all 'two'"),
        (session("x = 1; print('set')"), "set"),
        (session("print('same', x)"), "same 1"),
        (session("x = 2; print('changed')"), "changed"),
        (session("while True: pass"), "wall_ms_max reached"),
        (session("print('anew', x)"), "anew 2"),
        (session("del x; print('gone')"), "gone"),
        (session("while True: pass"), "wall_ms_max reached"),
        (session("print('there', 'x' in dir())"), "there False"),
        (session("l = [1]; print('a list')"), "a list"),
        (session("l.append(2); print('longer')"), "longer"),
        (session("while True: pass"), "wall_ms_max reached"),
        (session("print('still', l)"), "still [1, 2]"),
        (session("l = 'plain'; print('plain')"), "plain"),
        (session("__import__('os').remove('/tmp/.python-session'); print('removed')"), "removed"),
        (session("while True: pass"), "wall_ms_max reached"),
        (session("print('written again', l)"), "written again plain"),
        (reads("__import__('sys').stdin.reconfigure(encoding='latin-1'); print('so')", ""), "so"),
        (reads("print('as ever', input())", "ä"), "as ever ä"),
    ];
    programs(&world, &calls, &["--approve", "all"]);
    world.check(&world.session());
}
