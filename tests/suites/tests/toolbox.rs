//! Utilities that are no coreutils: against the machine's own, where it has them, and there and back.

use std::process::{Command, Stdio};

use suites::process::Done;
use suites::world::World;

fn sh(world: &World, script: &str) -> Done {
    world.wardian(&["sh", "--direct", "-c", script])
}

/// A world with files to look at.
fn world() -> World {
    let world = World::new();
    world.file("text.txt", &"The quick brown fox, line by line.\n".repeat(7));
    world.file("zeros.bin", &("\0".repeat(64) + "some text\x01\x02and more\0" + &"\0".repeat(40)));
    world.file("empty", "");
    let all: Vec<u8> = (0..=255).cycle().take(700).collect();
    std::fs::write(world.project().join("all.bin"), all).unwrap();
    world
}

/// What the machine's own program prints, or none where there is none.
fn native(world: &World, script: &str) -> Option<String> {
    let program = script.split(' ').next().unwrap();
    let exists = Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
    if !exists.is_ok_and(|status| status.success()) {
        eprintln!("{program} is not installed: not compared");
        return None;
    }
    let mut command = world.clean("sh");
    let output = command.args(["-c", script]).env("LC_ALL", "C").stdin(Stdio::null()).output().unwrap();
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn dumps_are_as_the_machines_own() {
    let world = world();
    let mut scripts = Vec::new();
    for file in ["text.txt", "zeros.bin", "all.bin", "empty"] {
        for options in
            ["", "-p", "-b -l 50", "-e", "-g1 -c 20", "-i", "-u -s 3", "-a", "-c 5 -g 3", "-o 16 -l 40", "-s -20"]
        {
            scripts.push(format!("xxd {options} {file}"));
        }
        for options in [
            "-C",
            "-C -v",
            "-C -n 20 -s 5",
            "-ve '1/1 \"%02x\"'",
            "-e '\"%08_ax \" 4/2 \"%d \" \"\\n\"'",
            "-e '8/1 \"%3_u\" \"\\n\"'",
        ] {
            scripts.push(format!("hexdump {options} {file}"));
        }
        for options in ["", "-n 6", "-t d", "-t x -n 5", "-o", "-f", "-w"] {
            scripts.push(format!("strings {options} {file}"));
        }
    }
    // Blanks at the ends of lines are left out.
    for options in ["", "-b", "-c", "-d", "-o", "-x", "-v"] {
        scripts.push(format!("hexdump {options} all.bin | sed 's/ *$//'"));
        scripts.push(format!("hexdump {options} zeros.bin | sed 's/ *$//'"));
    }
    let mut compared = 0;
    for script in scripts {
        // The real one fails on it.
        if script == "xxd -s -20 empty" {
            continue;
        }
        let Some(expected) = native(&world, &script) else { continue };
        let done = sh(&world, &script);
        assert_eq!(done.stdout, expected, "{script}\n{done}");
        compared += 1;
    }
    eprintln!("{compared} compared");
}

#[test]
fn what_was_dumped_is_made_of_it_again() {
    let world = world();
    for script in [
        "xxd all.bin | xxd -r | cmp - all.bin",
        "xxd -p all.bin | xxd -r -p | cmp - all.bin",
        "xxd -i < all.bin | xxd -r -i | cmp - all.bin",
        "uuencode all.bin x | uudecode -o - | cmp - all.bin",
        "uuencode -m all.bin x | uudecode -o - | cmp - all.bin",
        "uuencode all.bin named > u; uudecode u; cmp named all.bin",
        "mkdir -p d/e; cp all.bin d/e/f; ln -s f d/e/l; find d | cpio -o --quiet > a.cpio; rm -r d; cpio -id --quiet < a.cpio; cmp d/e/f all.bin && test $(readlink d/e/l) = f",
        "mkdir -p g; echo x > g/h; find g | cpio -pd --quiet out && cat out/g/h",
        "printf 'g/h\\n' | cpio -o -H odc --quiet | cpio -t --quiet | grep -x g/h",
    ] {
        sh(&world, script).exits(0);
    }
}

#[test]
fn what_cannot_be_done_is_said() {
    let world = world();
    for (script, status, reason) in [
        ("xxd -E all.bin", 1, "option -E is not supported"),
        ("hexdump -e '\"%q\"' all.bin", 1, "bad conversion character %q"),
        ("hexdump -C missing", 1, "missing: "),
        ("strings -Q all.bin", 1, "option '-Q' is not supported"),
        ("uudecode text.txt", 1, "there is no `begin' line"),
        ("cpio -i < text.txt", 2, "it is no archive that is known here"),
        ("cpio -i < empty", 2, "premature end of archive"),
        ("cpio -o -A", 2, "option '-A' is not supported"),
        ("find . -inum 3", 1, "`-inum' is not supported"),
        ("diff --line-format=%q empty all.bin", 2, "line format '%q'"),
    ] {
        sh(&world, script).exits(status).says(&[reason]);
    }
}

#[test]
fn find_knows_permissions_owners_and_files_to_write_to() {
    let world = world();
    for (script, stdout) in [
        ("chmod 640 text.txt; find text.txt -perm -400 -perm 640 ! -perm /001 ! -executable", "text.txt\n"),
        ("chmod u+x text.txt; find text.txt -perm /100 -executable", "text.txt\n"),
        ("chmod a-w text.txt; find text.txt -readable ! -writable; chmod u+w text.txt", "text.txt\n"),
        ("find text.txt -perm 000; find text.txt -user root -o -print 2>&1 | head -1 | cut -c1-5", "find:\n"),
        ("find text.txt -printf '%m %M %u\\n'", "740 -rwxr----- sandbox\n"),
        ("find text.txt -user sandbox -ls | awk '{ print $2, $3, $4 }'", "-rwxr----- sandbox sandbox\n"),
        ("echo text.txt | cpio -o --quiet | cpio -itv --quiet | cut -c1-10", "-rwxr-----\n"),
        ("uuencode text.txt x | head -1; uuencode text.txt x | uudecode; stat -c %a x", "begin 740 x\n740\n"),
        ("find . -name 'e*' -fprint list; cat list", "./empty\n"),
        (
            "yes n | find text.txt -ok echo {} \\; 2>/dev/null; yes | find text.txt -ok echo {} \\; 2>/dev/null",
            "text.txt\n",
        ),
        ("ln -s text.txt l; find . -samefile l | sort", "./l\n./text.txt\n"),
    ] {
        let done = sh(&world, script);
        assert_eq!(done.stdout, stdout, "{script}\n{done}");
    }
}

#[test]
fn lines_of_a_difference_have_formats() {
    let world = World::new();
    world.file("a", "int f() {\n 1\n 2\n 3\n 4\n}\n");
    world.file("b", "int f() {\n 1\n 2\n 3\n 5\n}\n");
    for options in [
        "--old-line-format=-%l --new-line-format=+%L --unchanged-line-format=",
        "--line-format=%dn:%L",
        "-U0 --label x --label y -F f",
        "-U0 --label x --label y --show-function-line='{$'",
    ] {
        let script = format!("diff {options} a b");
        let Some(expected) = native(&world, &script) else { continue };
        let done = sh(&world, &script).exits(1);
        assert_eq!(done.stdout, expected, "{script}\n{done}");
    }
    sh(&world, "echo x | diff - -").exits(0);
}

#[test]
fn databases_are_sqlites_own() {
    let world = World::new();
    let run = |script: &str, stdout: &str| {
        let done = sh(&world, script).exits(0);
        assert_eq!(done.stdout, stdout, "{script}\n{done}");
    };
    run("sqlite3 a.db 'create table t(a integer primary key, b text); insert into t(b) values (1),(2),(null)'", "");
    run("sqlite3 a.db 'select * from t'", "1|1\n2|2\n3|\n");
    run("sqlite3 -csv -header a.db 'select a, b from t where a < 3'", "a,b\r\n1,1\r\n2,2\r\n");
    run("sqlite3 -json a.db 'select a from t where a = 2'", "[{\"a\":2}]\n");
    run("sqlite3 -separator , a.db 'select a, b from t limit 1'", "1,1\n");
    run("printf '.mode line\\nselect a from t limit 1;\\n' | sqlite3 a.db", "a: 1\n");
    run("sqlite3 a.db .tables", "t\n");
    run("sqlite3 a.db .schema", "CREATE TABLE t(a integer primary key, b text);\n");
    run("cd /tmp && sqlite3 /workspace/a.db 'select count(*) from t'", "3\n");
    run("mkdir -p d && cd d && sqlite3 ../a.db '.dump t' | sqlite3 b.db && sqlite3 b.db 'select sum(a) from t'", "6\n");
    run("printf 'x,y\\n1,2\\n' > c.csv; sqlite3 :memory: -cmd '.import --csv c.csv c' 'select x + y from c'", "3\n");
    run("sqlite3 :memory: \"select json_extract('{\\\"a\\\": [1, 2]}', '$.a[1]'), sqrt(16)\"", "2|4.0\n");
    // One transaction that is taken back, and one whose program is ended in its midst.
    run("sqlite3 a.db 'begin; delete from t; rollback; select count(*) from t'", "3\n");
    sh(&world, "sqlite3 a.db 'select nowhere from t'").exits(1).says(&["no such column: nowhere"]);
    sh(&world, "sqlite3 a.db 'selec'").exits(1).says(&["syntax error"]);
    // What the real one reads, where it is: the file is one of SQLite's.
    if let Some(counted) = native(&world, "sqlite3 a.db 'pragma integrity_check; select count(*) from t'") {
        assert_eq!(counted, "ok\n3\n");
    }
}

#[test]
fn zip_archives_are_read_by_others_and_others_are_read() {
    let world = World::new();
    world.file("d/a.txt", "text\n");
    world.file("d/e/b.txt", "more\n");
    let run = |script: &str, shown: &str| {
        let done = sh(&world, script).exits(0);
        assert_eq!(done.stdout, shown, "{script}\n{done}");
    };
    run(
        "chmod 755 d/a.txt; zip -rq9 a.zip d -x '*b.txt'; python3 -c \"import zipfile; z = zipfile.ZipFile('a.zip'); \
         print(z.namelist(), z.testzip(), z.read('d/a.txt'), oct(z.getinfo('d/a.txt').external_attr >> 16 & 0o777))\"",
        "['d/', 'd/a.txt', 'd/e/'] None b'text\\n' 0o755\n",
    );
    run(
        "zip a.zip d/e/b.txt; unzip -l a.zip | tail -1; unzip -q a.zip -d out; cat out/d/e/b.txt; stat -c %a out/d/a.txt",
        "  adding: d/e/b.txt\n       10                     4 files\nmore\n755\n",
    );
    run(
        "python3 -c \"import zipfile; zipfile.ZipFile('p.zip', 'w', zipfile.ZIP_DEFLATED).writestr('../x', 'y' * 99)\"; \
         unzip -q p.zip 2>/dev/null; echo $?; ls ../x 2>/dev/null; unzip -p a.zip '*b.txt'",
        "1\nmore\n",
    );
    sh(&world, "echo no > n.zip; unzip n.zip").exits(9).says(&["n.zip"]);
}
