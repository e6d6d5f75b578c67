//! What a scenario file may say, and how it is refused.

use super::*;

/// The documentation's example, between its fences.
fn example() -> &'static str {
    let page = include_str!("../../../../docs/scenario.md");
    let (_, rest) = page.split_once("```json example\n").expect("the example's fence");
    rest.split_once("\n```").expect("the end of the example").0
}

#[test]
fn the_documented_example_plays_as_documented() {
    let mut player = player(example());
    let mut messages = vec![user("What is TODO?")];

    let first = answer(&mut player, &request(messages.clone())).expect("turn 1");
    let called: Vec<_> = first.calls.iter().map(|(id, tool, _)| (id.as_str(), tool.as_str())).collect();
    assert_eq!(called, [("call_1_1", "Glob"), ("call_1_2", "Grep")]);
    assert_eq!(first.calls[0].2, r#"{"pattern":"**/*"}"#);

    messages.push(assistant(&["call_1_1", "call_1_2"]));
    messages.push(result("Glob", "a.rs\nb.rs", Some(r#"{"total": 1234, "files": []}"#)));
    messages.push(result("Grep", "a.rs", Some(r#"{"total_files": 1, "files": [{"path": "a \"1\".rs"}]}"#)));
    let second = answer(&mut player, &request(messages.clone())).expect("turn 2");
    assert_eq!(second.text, "1,234 files. I read the first one with a TODO.");
    assert_eq!(second.calls[0].2, r#"{"file_path": "a \"1\".rs", "limit": 20}"#);

    messages.push(assistant(&["call_2_1"]));
    messages.push(result("Read", "// TODO: water the ferns", None));
    let third = answer(&mut player, &request(messages.clone())).expect("turn 3");
    assert_eq!(third.text, "It begins:\n\n// TODO: water the ferns\n");
    assert_eq!(third.stop, Some(StopReason::EndTurn));

    // The same with nothing to find: the middle turn is passed over.
    let mut player = self::player(example());
    answer(&mut player, &request(vec![user("Again")])).expect("turn 1");
    let nothing = vec![user("Again"), assistant(&[]), result("Glob", "", None), result("Grep", "no match", None)];
    assert_eq!(text(&mut player, &request(nothing)), "There is no TODO here.");
}

#[test]
fn what_is_not_json_is_refused_with_line_and_column() {
    assert_eq!(
        refused("{\"turns\": [\n  {\"text\": \"a\"}\n  {}\n]}"),
        "the scenario is not valid: turn 2: expected `,` or `]` at line 3 column 3"
    );
    assert!(refused("").contains("line 1 column 0"), "{}", refused(""));
    assert!(refused("{\"turns\": []} x").contains("trailing characters at line 1 column 15"));
}

#[test]
fn an_unknown_key_is_named_with_its_turn() {
    let message = refused("{\"turns\": [{}, {\n\"txt\": \"a\"}]}");
    assert!(message.starts_with("the scenario is not valid: turn 2: unknown field `txt`"), "{message}");
    assert!(message.contains("at line 2 column"), "{message}");
    let message = refused(r#"{"turns": [{"calls": [{"tool": "A"}, {"tool": "B", "args": {}}]}]}"#);
    assert!(message.contains("turn 1: call 2: unknown field `args`"), "{message}");
    let message = refused(r#"{"turns": [{"raw": [{"text": "a"}, {"txet": "b"}]}]}"#);
    assert!(message.contains("turn 1: raw event 2: unknown variant `txet`"), "{message}");
    assert!(refused(r#"{"turns": [], "tempalte": true}"#).contains("unknown field `tempalte`"));
    let message = refused(r#"{"turns": [{"error": {"kind": "overloaded", "message": "m", "retry_after_ms": 1}}]}"#);
    assert!(message.contains("turn 1: unknown field `retry_after_ms`"), "{message}");
}

#[test]
fn a_wrong_shape_is_refused() {
    for (scenario, why) in [
        ("{}", "missing field `turns`"),
        ("[]", "expected an object"),
        (r#"{"turns": {}}"#, "expected an array of turns"),
        (r#"{"turns": [["text"]]}"#, "turn 1: invalid type: sequence, expected an object"),
        (r#"{"turns": [{"calls": [{"input": {}}]}]}"#, "turn 1: call 1: missing field `tool`"),
        (r#"{"turns": [{"text": 1}]}"#, "turn 1: invalid type: integer `1`, expected a string or an array of strings"),
        (r#"{"turns": [{"text": "a", "text": "b"}]}"#, "turn 1: duplicate field `text`"),
        (r#"{"turns": [{"delay_ms": -1}]}"#, "turn 1: invalid value: integer `-1`"),
        (r#"{"turns": [{"error": {"kind": "sulking", "message": "m"}}]}"#, "turn 1: unknown variant `sulking`"),
        (r#"{"turns": [{"raw": [], "text": "a"}]}"#, "turn 1: `raw` stands in the place of"),
        (r#"{"turns": [{"raw": [{"stop": "end-turn"}, {"text": "a"}]}]}"#, "turn 1: raw event 1: what comes after"),
        (r#"{"turns": [{"raw": [{"text": "a", "stop": "end-turn"}]}]}"#, "turn 1: raw event 1: "),
        (r#"{"turns": [{"raw": [{"repeat": {"times": 2}}]}]}"#, "turn 1: raw event 1: `repeat` takes exactly one"),
        (r#"{"turns": [{"raw": [{"repeat": {"text": "a", "reasoning": "b"}}]}]}"#, "takes exactly one"),
    ] {
        let message = refused(scenario);
        assert!(message.contains(why), "{scenario}: {message}");
    }
}

#[test]
fn size_and_lists_are_bounded() {
    let long = format!(r#"{{"turns": [{{"text": "{}"}}]}}"#, "x".repeat(4 * 1024 * 1024));
    assert!(refused(&long).contains("scenario-bytes-max is 4194304"));
    let turns = |count| format!(r#"{{"turns": [{}]}}"#, vec!["{}"; count].join(","));
    player(&turns(10_000));
    assert!(refused(&turns(10_001)).contains("more than 10000 turns"));
}

#[test]
fn deep_nesting_is_refused() {
    let deep =
        format!(r#"{{"turns": [{{"calls": [{{"tool": "A", "input": {}1{}}}]}}]}}"#, "[".repeat(5000), "]".repeat(5000));
    assert!(refused(&deep).contains("recursion limit"), "{}", refused(&deep));
}

#[test]
fn lines_are_a_string_or_an_array() {
    let mut player = player(r#"{"turns": [{"text": ["a", "", "b"]}, {"text": []}]}"#);
    assert_eq!(text(&mut player, &request(vec![])), "a\n\nb");
    assert_eq!(text(&mut player, &request(vec![])), "");
}
