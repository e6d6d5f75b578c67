//! Scripts that mean harm, or mean well and never end: each ends by a limit that is named, and the session goes on. And values
//! that look like commands stay values.

use serde_json::{Value, json};
use suites::world::World;

/// Milliseconds that a call may take which would never end. Long enough for the other limits to be reached first.
const CALL_MS: u64 = 4_000;

/// The same for one that ends, on a busy machine.
const PATIENCE_MS: u64 = 60_000;

fn bash(world: &World, session: &str, script: &str, timeout_ms: u64) -> Value {
    let input = json!({"command": script, "timeout_ms": timeout_ms}).to_string();
    world.wardian(&["call", "--json", "--session", session, "Bash", &input]).exits(0).json()["output"].clone()
}

#[test]
fn whatever_a_script_does_it_ends_by_a_limit_and_the_session_goes_on() {
    let world = World::new();
    world.wardian(&["call", "Write", r#"{"file_path": "began.txt", "content": ""}"#]).exits(0);
    let session = world.session().id;
    bash(&world, &session, "kept=yes", PATIENCE_MS);
    let never = "wall_ms_max reached (4000)";
    for (script, limit) in [
        ("f() { f; }; f", "maximum function depth exceeded (300)"),
        ("f() { f | f & f; }; f", never),
        ("f() { (f); }; f", "maximum subshell depth exceeded (32)"),
        ("while :; do (:) & done", never),
        ("trap '' TERM INT PIPE HUP; while :; do echo x; done > /dev/null", never),
        ("yes > /dev/null", never),
        ("x=$(yes)", "live intermediate bytes"),
        ("x=x; while :; do x=$x$x; done", "variable byte limit (67108864) exceeded"),
        (r#"eval "$(printf 'cat | %.0s' {1..9999}) cat" < /dev/null"#, "maximum concurrent jobs exceeded (64)"),
        ("case a in a) b) echo;; esac", "syntax error near unexpected token"),
        ("loop='loop+1'; echo $((loop))", "expression recursion level exceeded"),
    ] {
        let output = bash(&world, &session, script, CALL_MS);
        let text = output["text"].as_str().unwrap();
        assert!(text.contains(limit), "{script}: {output}");
        assert_ne!(output["data"]["status"], 0, "{script}: {output}");
    }
    // Each part of a pipeline has a copy of every variable.
    bash(&world, &session, "unset x", PATIENCE_MS);
    // What is merely long is no harm.
    for (script, text) in [
        (r#"eval "$(printf 'true | %.0s' {1..9999}) echo end""#, "end\n"),
        ("yes | head -2", "y\ny\n"),
        ("f() { if [ $1 -gt 0 ]; then f $(($1 - 1)); else echo end; fi; }; f 290", "end\n"),
        ("echo {1..20000} | wc -w; seq 300000 | tail -1", "20000\n300000\n"),
        ("echo $kept", "yes\n"),
    ] {
        let output = bash(&world, &session, script, PATIENCE_MS);
        assert!(output["text"].as_str().unwrap().ends_with(text), "{script}: {output}");
    }
}

#[test]
fn values_that_look_like_commands_stay_values() {
    let world = World::new();
    world.file("list.txt", "$(touch pwned)\n`touch pwned`\n; touch pwned\n");
    world.file("$(touch pwned)", "named\n");
    let script = r#"
        x='$(touch pwned)'; y='`touch pwned`'; z='; touch pwned #'
        echo $x "$x" $y "$y" $z "$z"
        for line in "$x" $y; do echo "$line" $line; done
        while read -r line; do echo $line "$line"; done < list.txt
        cat <<EOF
$x $y $z
EOF
        case $x in "$x") echo same;; esac
        [[ $x == "$x" ]] && [ "$x" = "$x" ] && echo equal
        printf '%s\n' "$x" "$z"; printf -v copy '%s' "$x"; echo "$copy"
        a=("$x" "$y"); echo "${a[@]}" "${#a[0]}" "${x/touch/rm}" "${x@Q}"
        f() { echo "$1" $2; local v=$1; echo "$v"; }; f "$x" "$z"
        ls; cat './$(touch pwned)'; for name in *; do echo "$name"; done
        find . -type f -exec echo {} \; ; find . -type f | xargs -d '\n' -n1 echo
        X=$x env | grep ^X=; sh -c 'echo "$1" $1' sh "$x"
        awk -v v="$x" 'BEGIN { print v }'; echo "$x" | sed "s/touch/rm/"; jq -n --arg v "$x" '$v'
        echo "arguments: $* $@"
    "#;
    let done =
        world.wardian(&["sh", "--env", "GIVEN=$(touch pwned)", "-c", script, "sh", "$(touch pwned)", "`touch pwned`"]);
    let done = done.exits(0);
    assert!(done.stdout.contains("arguments: $(touch pwned) `touch pwned` $(touch pwned) `touch pwned`\n"), "{done}");
    assert!(!done.stdout.lines().any(|line| line == "pwned" || line == "./pwned"), "{done}");
    world.wardian(&["sh", "-c", "test -e pwned"]).exits(1);
    let sessions = world.sessions();
    assert!(sessions.is_empty(), "nothing was written");
}
