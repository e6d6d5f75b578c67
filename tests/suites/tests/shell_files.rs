//! What the shell and the coreutils do to files: bits, links, copies. Both on the workspace and on the project itself.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use suites::process::Done;
use suites::world::World;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// On the workspace, and then on the project itself.
fn both(check: impl Fn(&World, &dyn Fn(&str) -> Done)) {
    for flags in [&["sh"][..], &["sh", "--direct"]] {
        let world = World::new();
        world.file("plain.txt", "text\n");
        world.file("run.sh", "#!/bin/sh\necho ran $1\n");
        for (name, mode) in [("plain.txt", 0o640), ("run.sh", 0o755)] {
            fs::set_permissions(world.project().join(name), PermissionsExt::from_mode(mode)).unwrap();
        }
        check(&world, &|script| world.wardian(&[flags, &["-c", script]].concat()));
    }
}

#[test]
fn bits_are_shown_changed_and_meant() {
    both(|_, sh| {
        let lines = [
            ("stat -c %a plain.txt run.sh", "640\n755\n"),
            (
                "ls -l plain.txt run.sh | awk '{ print $1, $3, $4, $5 }'",
                "-rw-r----- sandbox sandbox 5\n-rwxr-xr-x sandbox sandbox 22\n",
            ),
            ("[ -x run.sh ] && ! [ -x plain.txt ] && [[ -x run.sh && ! -x plain.txt ]] && echo yes", "yes\n"),
            ("./run.sh a", "ran a\n"),
            ("./plain.txt 2>/dev/null; echo $?", "126\n"),
            ("chmod +x plain.txt; echo 'echo too' > plain.txt; ./plain.txt; stat -c %a plain.txt", "too\n751\n"),
            ("chmod 600 run.sh; ./run.sh 2>/dev/null; echo $?; [ -x run.sh ] || echo no", "126\nno\n"),
            (
                "chmod u=rw,go=r run.sh; chmod -v a-w run.sh",
                "mode of 'run.sh' changed from 0644 (rw-r--r--) to 0444 (r--r--r--)\n",
            ),
            ("[ -w plain.txt ] && ! [ -w run.sh ] && echo yes", "yes\n"),
            ("mkdir d; touch d/a d/b; chmod -R 700 d; stat -c %a d/a d/b", "700\n700\n"),
            ("chmod --reference=plain.txt d/a; stat -c %a d/a", "751\n"),
            (
                "cp plain.txt copy; cp -p plain.txt kept; cat plain.txt > new; stat -c %a copy kept new",
                "751\n751\n644\n",
            ),
            ("umask 077; echo x > secret; umask 002; echo x > shared; stat -c %a secret shared", "600\n664\n"),
            ("(umask 077); echo x > usual; stat -c %a usual", "644\n"),
            (
                "chmod 9 plain.txt 2>&1; chmod +q plain.txt 2>&1; chmod +x missing 2>&1",
                "chmod: invalid mode: '9'\nchmod: invalid mode: '+q'\nchmod: cannot access 'missing': No such file or directory\n",
            ),
        ];
        // One script: each line goes on where the last one ended.
        let script: String = lines.iter().map(|(line, _)| format!("({line})\n")).collect();
        let expected: String = lines.iter().map(|(_, shown)| *shown).collect();
        let done = sh(&script);
        assert_eq!(done.stdout, expected, "{done}");
    });
}

#[test]
fn bits_arrive_in_the_project() {
    let world = World::new();
    world.file("f", "x");
    world.wardian(&["sh", "--direct", "-c", "chmod 751 f; echo x > g; chmod 600 g"]).exits(0);
    assert_eq!((mode(&world.project().join("f")), mode(&world.project().join("g"))), (0o751, 0o600));
}

#[test]
fn scripts_below_tmp_have_bits_too() {
    both(|_, sh| {
        let script =
            "echo 'echo ran' > /tmp/s; /tmp/s 2>/dev/null; echo $?; chmod +x /tmp/s; /tmp/s; stat -c %a /tmp/s";
        let done = sh(script).exits(0);
        assert_eq!(done.stdout, "126\nran\n755\n", "{done}");
    });
}

#[test]
fn folders_are_copied_moved_and_found() {
    both(|_, sh| {
        let lines = [
            ("mkdir -p a/b; echo 1 > a/b/f; cp -r a new; cat new/b/f", "1\n"),
            ("mkdir into; cp -r a into; cp plain.txt run.sh into; ls into", "a\nplain.txt\nrun.sh\n"),
            (
                "mv -v into/plain.txt moved; mv moved into; ls into",
                "renamed 'into/plain.txt' -> 'moved'\na\nmoved\nrun.sh\n",
            ),
            ("mkdir t; mv -t t into/moved into/run.sh; ls t", "moved\nrun.sh\n"),
            ("mv a/b /tmp/b && cat /tmp/b/f && mv /tmp/b a && ls a", "1\nb\n"),
            ("echo 2 > g; mv -n g plain.txt; echo $?; cat plain.txt; ls g", "0\ntext\ng\n"),
            (
                "realpath a/../a/b; realpath --relative-to=t a/b; cd a; realpath b",
                "/workspace/a/b\n../a/b\n/workspace/a/b\n",
            ),
            ("ln -s $PWD/a/b/f link; cat link; readlink link; ln -sf a/b/f link; readlink link", "1\na/b/f\na/b/f\n"),
            (
                "ln -s /workspace/a t/dir; cat t/dir/b/f; cp -rL t/dir t/copy; cat t/copy/b/f; rm -r t/dir t/copy",
                "1\n1\n",
            ),
            (
                "printf 0123456789 > n; dd if=n bs=2 skip=1 count=2 2>/dev/null; dd if=n of=m bs=1x2 seek=1 count=1 2>/dev/null; od -c m | head -1",
                "2345",
            ),
            ("", "0000000  \\0  \\0   0   1\n"),
            (
                "mkdir -pv p/q; mkdir -m 700 r; rm -v n; rm -rf p r",
                "mkdir: created directory 'p'\nmkdir: created directory 'p/q'\nremoved 'n'\n",
            ),
        ];
        let script: String =
            lines.iter().filter(|(line, _)| !line.is_empty()).map(|(line, _)| format!("({line})\n")).collect();
        let expected: String = lines.iter().map(|(_, shown)| *shown).collect();
        let done = sh(&script);
        assert_eq!(done.stdout, expected, "{done}");
    });
}

#[test]
fn what_one_command_reads_the_next_does_not() {
    both(|_, sh| {
        for (script, shown) in [
            ("seq 6 > f; while read i; do echo =$i; head -n 1; done < f", "=1\n2\n=3\n4\n=5\n6\n"),
            ("seq 3 > f; { head -c 2; cat; } < f", "1\n2\n3\n"),
            ("seq 3 > f; { cat; cat; } < f", "1\n2\n3\n"),
            ("seq 3 > f; { read x; echo got $x; wc -l; } < f", "got 1\n2\n"),
        ] {
            assert_eq!(sh(script).exits(0).stdout, shown, "{script}");
        }
    });
}
