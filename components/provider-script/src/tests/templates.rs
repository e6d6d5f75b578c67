//! Jinja: what it sees, and its bounds.

use super::*;

fn template(text: &str) -> Player {
    player(&serde_json::json!({"template": true, "turns": [{"text": text}]}).to_string())
}

fn conversation() -> Vec<Message> {
    vec![
        user("first"),
        assistant(&["a"]),
        result(
            "Glob",
            "a.rs",
            Some(r#"{"total": 1, "files": [{"path": "a.rs"}], "big": 12345678901, "neg": -4, "half": 0.5}"#),
        ),
        user("second"),
        assistant(&["b"]),
        result("Read", "one\ntwo", None),
        assistant(&["c"]),
        failed("Bash", "needs process"),
        result("Read", "", Some("not json")),
    ]
}

fn render(text: &str) -> String {
    self::text(&mut template(text), &request(conversation()))
}

#[test]
fn templates_see_results_prompt_and_tools() {
    assert_eq!(render("{{ prompt }} {{ tools|join(',') }}"), "second Glob,Read");
    assert_eq!(render("{{ results|map(attribute='tool')|join(' ') }}"), "Glob Read Bash Read");
    assert_eq!(render("{{ run|map(attribute='tool')|join(' ') }}"), "Read Bash Read");
    assert_eq!(render("{{ last|map(attribute='tool')|join(' ') }}"), "Bash Read");
    assert_eq!(
        render("{{ results[1].text }}|{{ results[1].data is none }}|{{ results[1].error is none }}"),
        "one\ntwo|True|True"
    );
    assert_eq!(render("{{ last[0].error }}|{{ last[0].text }}|{{ last[1].data is none }}"), "needs process||True");
    assert_eq!(
        render(
            "{{ results[0].data.files[0].path }} {{ results[0].data.big + 1 }} {{ results[0].data.neg }} {{ results[0].data.half }}"
        ),
        "a.rs 12345678902 -4 0.5"
    );
    assert_eq!(render("<{{ results[9].data.files[3].path }}>"), "<>", "what is not there is empty, however deep");
}

#[test]
fn the_strings_of_inputs_are_templates_and_the_rest_is_not() {
    let scenario = r#"{"template": true, "turns": [{"reasoning": "{{ 1 + 1 }}", "calls": [
        {"tool": "{{ 1 }}", "input": {"{{ 2 }}": ["{{ prompt }}", {"n": 3, "s": "a{{ 4 }}"}]}},
        {"tool": "Read", "input": "{\"offset\": {{ 40 + 2 }}, \"path\": {{ prompt|tojson }}}"}]}]}"#;
    let answer = answer(&mut player(scenario), &request(vec![user("p \"q\"")])).expect("an answer");
    assert_eq!(answer.reasoning, "2");
    assert_eq!(answer.calls[0].1, "{{ 1 }}");
    assert_eq!(answer.calls[0].2, r#"{"{{ 2 }}":["p \"q\"",{"n":3,"s":"a4"}]}"#);
    assert_eq!(answer.calls[1].2, r#"{"offset": 42, "path": "p \"q\""}"#);
}

#[test]
fn without_template_braces_are_text() {
    let mut player =
        player(r#"{"turns": [{"text": "{{ 1 }} {% if", "calls": [{"tool": "R", "input": {"a": "{{ 2 }}"}}]}]}"#);
    let answer = answer(&mut player, &request(vec![])).expect("an answer");
    assert_eq!(answer.text, "{{ 1 }} {% if");
    assert_eq!(answer.calls[0].2, r#"{"a":"{{ 2 }}"}"#);
}

#[test]
fn when_passes_over_turns_and_calls() {
    let scenario = r#"{"turns": [
        {"when": "last", "text": "never"},
        {"when": ["prompt == 'p'", "and not last"], "calls": [
            {"tool": "A", "when": "false"}, {"tool": "B", "when": "'Read' in tools"}]},
        {"text": "all calls are left out", "calls": [{"tool": "C", "when": "false"}]},
        {"text": "end"},
        {"when": "false"}]}"#;
    let mut player = player(scenario);
    let first = answer(&mut player, &request(vec![user("p")])).expect("turn 2");
    assert_eq!(first.calls, [("call_2_2".into(), "B".into(), "{}".into())]);
    assert_eq!(text(&mut player, &request(vec![])), "end");
    assert_eq!(protocol(answer(&mut player, &request(vec![]))), "the scenario is over: it has 5 turns");
}

#[test]
fn the_prelude_defines_for_all_and_prints_nothing() {
    let scenario = r#"{"template": true, "prelude": ["{% set n = 7 %}", "noise", "{% macro twice(x) %}{{ x }}{{ x }}{% endmacro %}"],
        "turns": [{"when": "n == 8"}, {"when": "twice(n)", "text": "\n  {% if true %}\n{{ twice(n) }} \n{% endif %}", "calls": [
            {"tool": "R", "when": "n == 7", "input": {"a": "{{ n }}\n"}}]}]}"#;
    let answer = answer(&mut player(scenario), &request(vec![])).expect("turn 2");
    assert_eq!(answer.text, "\n77 \n");
    assert_eq!(answer.calls[0].2, r#"{"a":"7\n"}"#);
}

#[test]
fn a_syntax_error_shows_before_the_first_turn() {
    for (scenario, why) in [
        (r#"{"template": true, "turns": [{}, {"text": ["a", "{{ 1 +"]}]}"#, "turn 2, text: syntax error: "),
        (
            r#"{"template": true, "turns": [{"calls": [{"tool": "R", "input": {"a": ["{% if %}"]}}]}]}"#,
            "turn 1, call 1, input: ",
        ),
        (r#"{"turns": [{"when": "a b"}]}"#, "turn 1, when: syntax error: "),
        (r#"{"turns": [{"calls": [{"tool": "R", "when": "("}]}]}"#, "turn 1, call 1, when: "),
        (r#"{"template": true, "turns": [], "prelude": "{% macro %}"}"#, "prelude: syntax error: "),
        (r#"{"template": true, "turns": [], "compact": "{{"}"#, "compact: syntax error: "),
    ] {
        let message = refused(scenario);
        assert!(message.starts_with("the scenario is not valid: ") && message.contains(why), "{message}");
    }
    assert!(refused(r#"{"template": true, "turns": [{"text": ["a", "{{ 1 +"]}]}"#).ends_with("(line 2)"));
}

#[test]
fn a_failing_template_names_turn_key_and_line() {
    let scenario = r#"{"template": true, "prelude": ["{% set a = 1 %}", "{% set b = 2 %}"],
        "turns": [{"text": ["", "{{ 'x' - 1 }}"]}, {"calls": [{"tool": "R", "input": {"a": "{{ nope() }}"}}]}]}"#;
    let mut player = player(scenario);
    let first = invalid(answer(&mut player, &request(vec![])));
    assert!(first.starts_with("turn 1, text: invalid operation: ") && first.ends_with("(line 2)"), "{first}");
    let second = invalid(answer(&mut player, &request(vec![])));
    assert!(second.starts_with("turn 2, call 1, input: unknown function"), "{second}");
    let broken = r#"{"template": true, "prelude": ["", "{{ 1 / 'x' }}"], "turns": [{"text": "{{ 1 }}"}]}"#;
    let message = invalid(answer(&mut self::player(broken), &request(vec![])));
    assert!(message.ends_with("(line 2 of the prelude)"), "{message}");
}

#[test]
fn fuel_output_and_results_are_bounded() {
    let fail = |text: &str| invalid(answer(&mut template(text), &request(vec![])));
    let endless = "{% for a in range(9000) %}{% for b in range(9000) %}{% set c = a + b %}{% endfor %}{% endfor %}";
    assert!(fail(endless).contains("template-fuel-max is 2000000"), "{}", fail(endless));
    let large = "{% for a in range(2000) %}{{ 'x' * 1000 }}{% endfor %}";
    assert!(fail(large).contains("template-output-bytes-max, 1048576"), "{}", fail(large));
    let nested = |depth| {
        format!("{{% macro m(n) %}}{{% if n %}}{{{{ m(n - 1) }}}}{{% endif %}}{{% endmacro %}}{{{{ m({depth}) }}}}")
    };
    assert_eq!(render(&nested(5)), "");
    assert!(fail(&nested(20)).contains("recursion limit exceeded"), "{}", fail(&nested(20)));

    let huge = vec![result("Read", &"x".repeat(16 * 1024 * 1024 + 1), None)];
    let message = invalid(answer(&mut template("{{ 1 }}"), &request(huge.clone())));
    assert!(message.contains("results-bytes-max is 16777216"), "{message}");
    assert_eq!(text(&mut player(r#"{"turns": [{"text": "plain"}]}"#), &request(huge)), "plain");
}

#[test]
fn filters_make_numbers_and_columns_readable() {
    for (expression, expected) in [
        ("0|commas", "0"),
        ("999|commas", "999"),
        ("1000|commas", "1,000"),
        ("-1234567|commas", "-1,234,567"),
        ("nothing|commas", "0"),
        ("0|bytes", "0 B"),
        ("1023|bytes", "1023 B"),
        ("1024|bytes", "1.0 KiB"),
        ("1536|bytes", "1.5 KiB"),
        ("1048575|bytes", "1.0 MiB"),
        ("5368709120|bytes", "5.0 GiB"),
        ("9223372036854775807|bytes", "8192.0 PiB"),
        ("'né'|ljust(4) ~ '.'", "né  ."),
        ("7|rjust(3)", "  7"),
        ("'long'|rjust(2)", "long"),
        ("'abcdef\\nab'|clip(3)", "ab…\nab"),
        ("'abc'|clip(3)", "abc"),
        ("'abc'|clip(0)", ""),
    ] {
        assert_eq!(render(&format!("{{{{ {expression} }}}}")), expected, "{expression}");
    }
    for bad in ["'x'|commas", "1.5|bytes", "1|ljust(1001)", "'a'|clip(2000)"] {
        invalid(answer(&mut template(&format!("{{{{ {bad} }}}}")), &request(vec![])));
    }
}
