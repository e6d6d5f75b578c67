//! The sandboxed CPython, held against what `python3` does: see python-runtime/cases.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use suites::dist;
use suites::process::Done;
use suites::world::World;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python-runtime")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn python(world: &World, arguments: &[&str]) -> Done {
    world.wardian(&[&["python"], arguments].concat())
}

/// What the user is told about the session's changes is no word of the program's.
fn said(done: &Done) -> String {
    done.stderr
        .lines()
        .filter(|line| !line.starts_with("the project is as it was;"))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// A case's name and what is wrong with it.
fn check(case: &Path) -> Result<(), String> {
    let world = World::new();
    let name = case.file_name().unwrap().to_string_lossy().into_owned();
    fs::copy(case, world.project().join(&name)).unwrap();
    let files = case.with_extension("files");
    if files.is_dir() {
        copy(&files, &world.project());
    }
    let arguments = read(&case.with_extension("args"));
    let arguments: Vec<&str> = ["python", &name].into_iter().chain(arguments.lines()).collect();
    let done = world.wardian_with(&read(&case.with_extension("in")), &arguments);
    let status = read(&case.with_extension("status")).trim().parse().unwrap_or(0);
    let out = String::from_utf8_lossy(&fs::read(case.with_extension("out")).unwrap_or_default()).into_owned();
    let is_right = done.code == Some(status) && done.stdout == out && said(&done) == read(&case.with_extension("err"));
    if is_right { Ok(()) } else { Err(format!("{name}: {done}")) }
}

#[test]
fn cases_put_out_what_they_should() {
    let mut cases: Vec<PathBuf> =
        fs::read_dir(folder().join("cases")).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|extension| extension == "py"));
    cases.sort();
    assert!(cases.len() >= 60, "{}", cases.len());
    // The first start compiles the component, and says so.
    python(&World::new(), &["-c", ""]).exits(0);
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(what) = check(case) {
                        wrong.lock().unwrap().push(what);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// Every name that `sys.stdlib_module_names` has, against the list of those that cannot be imported, by name.
#[test]
fn the_standard_library_can_be_imported() {
    const PROGRAM: &str = "
import importlib, sys
for name in sorted(sys.stdlib_module_names - {'antigravity', 'this'}):
    try:
        importlib.import_module(name)
        print(name, 'is there')
    except ModuleNotFoundError as error:
        print(name, error.msg)
";
    let world = World::new();
    let done = python(&world, &["-c", PROGRAM]).exits(0);
    let found: BTreeMap<&str, &str> = done.stdout.lines().filter_map(|line| line.split_once(' ')).collect();
    assert!(found.len() > 290, "{done}");
    let expected = read(&folder().join("absent.txt"));
    let expected: Vec<&str> = expected.lines().filter(|line| !line.starts_with('#')).collect();
    let absent: Vec<&str> = found.iter().filter(|(_, what)| **what != "is there").map(|(name, _)| *name).collect();
    assert_eq!(absent, expected);
    // Whoever asks for what a user would ask for is told why.
    for name in absent.iter().filter(|name| !name.starts_with('_') && !WINDOWS.contains(name)) {
        assert!(found[name].contains("Wardian's sandbox"), "{name}: {}", found[name]);
    }
}

/// Of other systems: no Python here has them.
const WINDOWS: [&str; 4] = ["msvcrt", "nt", "winreg", "winsound"];

#[test]
fn options_are_those_of_python3() {
    let world = World::new();
    let prints = |arguments: &[&str], text: &str| {
        let done = python(&world, arguments).exits(0);
        assert_eq!(done.stdout.trim_end(), text, "{arguments:?}: {done}");
    };
    prints(&["--version"], "Python 3.14.0");
    prints(&["-V"], "Python 3.14.0");
    prints(&["-c", "import sys; print(sys.argv)", "a", "-x", "--", "-c"], "['-c', 'a', '-x', '--', '-c']");
    prints(&["-Oc", "assert False; print(__debug__)"], "False");
    prints(&["-OO", "-c", "def f(): 'doc'\nprint(f.__doc__)"], "None");
    prints(&["-I", "-c", "import sys; print(sys.flags.isolated, '' in sys.path)"], "1 False");
    prints(&["-S", "-c", "import builtins; print(hasattr(builtins, 'exit'))"], "False");
    prints(
        &["-W", "error", "-c", "import warnings\ntry: warnings.warn('x')\nexcept UserWarning: print('raised')"],
        "raised",
    );
    prints(&["-X", "utf8", "-u", "-B", "-E", "-s", "-q", "-c", "print('ok')"], "ok");
    python(&world, &["-Z"]).exits(2).says(&["Unknown option: -Z", "usage: python3"]);
    python(&world, &["-c"]).exits(2).says(&["Argument expected for the -c option"]);
    python(&world, &["missing.py"]).exits(2).says(&["can't open file '/workspace/missing.py'"]);
    python(&world, &["-m", "missing_module"]).exits(1).says(&["No module named missing_module"]);
    world.wardian_with("print(21 * 2)\n", &["python"]).exits(0).prints(&["42"]);
    world.wardian_with("import sys; print(sys.argv)\n", &["python", "-", "x"]).exits(0).prints(&["['-', 'x']"]);
    world.wardian_with("{\"b\": [1]}", &["python", "-m", "json.tool", "--compact"]).exits(0).prints(&["{\"b\":[1]}"]);
    world.file("package/__main__.py", "import sys\nprint('main of', __package__, sys.argv[0])\n");
    python(&world, &["package"]).exits(0).prints(&["main of"]);
    python(&world, &["-m", "package"]).exits(0).prints(&["main of package"]);
}

#[test]
fn pytest_runs_the_projects_tests() {
    let world = World::new();
    world.file("shop.py", "def total(prices):\n    return sum(prices)\n");
    world.file(
        "test_shop.py",
        "import shop\n\n\ndef test_total(tmp_path, capsys):\n    (tmp_path / 'x').write_text('1')\n    print('seen')\n    \
         assert capsys.readouterr().out == 'seen\\n'\n    assert shop.total([1, 2]) == 3\n\n\ndef test_wrong():\n    \
         assert shop.total([1, 2]) == 4\n",
    );
    let done = python(&world, &["-m", "pytest", "-q", "-p", "no:cacheprovider"]).exits(1);
    done.prints(&["1 failed, 1 passed", "assert 3 == 4", "where 3 = <function total"]);
}

#[test]
fn bombs_end_by_their_limit() {
    let world = World::new();
    let run = |flags: &[&str], code: &str| world.wardian(&[&["python"], flags, &["-c", code]].concat());
    run(&["--max-seconds", "1"], "print('before')\nwhile True: pass")
        .exits(137)
        .prints(&["before"])
        .says(&["wall_ms_max"]);
    run(
        &["--max-memory", "128"],
        "held = []\ntry:\n    while True: held.append(bytearray(1 << 20))\nexcept MemoryError:\n    \
         held.clear()\n    print('still here')",
    )
    .exits(0)
    .prints(&["still here"]);
    run(&[], "'x' * 10**11").exits(1).says(&["OverflowError"]);
    run(&[], "def f(): f()\nf()").exits(1).says(&["RecursionError"]);
    run(&[], "import json; json.loads('[' * 100000)").exits(1).says(&["RecursionError"]);
    run(&[], "import os; os._exit(9)").exits(9);
    run(&[], "import os; os.fork()").exits(1).says(&["AttributeError", "Wardian's sandbox"]);
    run(&[], "import os\nwhile True: os.fork()").exits(1);
    run(&[], "open('/etc/passwd')").exits(1).says(&["FileNotFoundError"]);
    run(&[], "open('../../../../etc/passwd')").exits(1).says(&["Error"]);
    run(&[], "import threading; threading.Thread(target=print).start()").exits(1).says(&["no threads"]);
}

#[test]
fn the_environment_is_empty_but_for_what_is_given() {
    let world = World::new();
    let program = "import os; print(sorted(os.environ), os.environ.get('GIVEN'), os.getcwd())";
    let done = world.wardian(&["python", "--env", "GIVEN=yes", "-c", program]).exits(0);
    assert!(done.stdout.contains("yes /workspace"), "{done}");
    assert!(!done.stdout.contains(suites::world::SECRET.0), "{done}");
}

#[test]
fn a_session_of_variables_is_kept_between_programs() {
    let world = World::new();
    let kept = "WARDIAN_SESSION=/workspace/.state";
    let steps = [
        ("import math\nx = [1]\ny = x\ndef f(): return x\nclass C:\n    def g(self): return f()", ""),
        ("x.append(2); print(y, f(), C().g(), math.pi > 3)", "[1, 2] [1, 2] [1, 2] True"),
        ("x = 'new'; print(f(), y)", "new [1, 2]"),
        ("print(x, y)", "new [1, 2]"),
    ];
    for (program, prints) in steps {
        let done = world.wardian(&["python", "--direct", "--env", kept, "-c", program]).exits(0);
        assert_eq!(done.stdout.trim_end(), prints, "{program}: {done}");
    }
    let running = "running = (n for n in [1]); z = 1";
    world.wardian(&["python", "--direct", "--env", kept, "-c", running]).exits(0).says(&["not kept", "running"]);
    world.wardian(&["python", "--direct", "--env", kept, "-c", "print(z, x)"]).exits(0).prints(&["1 new"]);
}

/// What the tool says, as text, and its data.
fn tool(world: &World, input: serde_json::Value, flags: &[&str]) -> (String, serde_json::Value) {
    let input = input.to_string();
    let done = world.wardian(&[&["call", "Python", &input, "--json"], flags].concat()).exits(0);
    let outcome = done.json();
    (outcome.to_string(), outcome)
}

#[test]
fn the_tool_runs_programs_and_keeps_variables_if_asked() {
    let world = World::new();
    world.file("data.txt", "seven");
    let model = world.scenario(&serde_json::json!({"turns": [{"text": "hello"}]}));
    world.wardian(&["run", "-m", &model, "hi"]).exits(0);
    let session = world.sessions().pop().expect("a session");
    let in_session = ["--session", session.id.as_str()];
    let code = "import sys\nprint(open('data.txt').read(), sys.argv[1:], sys.stdin.read())\nx = 41";
    let input = serde_json::json!({"code": code, "args": ["a"], "stdin": "in", "session": true});
    let (text, _) = tool(&world, input, &in_session);
    assert!(text.contains("seven ['a'] in"), "{text}");
    let (text, _) = tool(&world, serde_json::json!({"code": "print(x + 1)", "session": true}), &in_session);
    assert!(text.contains("42"), "{text}");
    let (text, _) = tool(&world, serde_json::json!({"code": "print(x)"}), &in_session);
    assert!(text.contains("NameError") && text.contains("exit status 1"), "{text}");
    let (text, _) = tool(&world, serde_json::json!({"code": "while True: pass", "timeout_ms": 300}), &in_session);
    assert!(text.contains("wall_ms_max reached (300)"), "{text}");
    let svg = "display('<svg xmlns=\"http://www.w3.org/2000/svg\"/>')\nprint('after')";
    let (text, outcome) = tool(&world, serde_json::json!({"code": svg}), &in_session);
    assert!(text.contains("after") && text.contains("image/svg+xml"), "{outcome}");
}

#[test]
fn the_component_is_small_and_names_no_folder_of_this_machine() {
    let component = fs::read(dist::folder().join("python/python_runtime.wasm")).unwrap();
    assert!(component.len() <= 37_000_000, "{} bytes", component.len());
    let here = env!("CARGO_MANIFEST_DIR").trim_end_matches("tests/suites");
    assert!(!component.windows(here.len()).any(|window| window == here.as_bytes()), "{here} is in it");
}
