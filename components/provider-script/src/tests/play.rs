//! Turns, streaming and time.

use super::*;
use crate::world::wardian::agent::types::Usage;

#[test]
fn each_request_takes_the_next_turn_until_none_is_left() {
    let mut player = player(r#"{"turns": [{"text": "one"}, {"text": "two"}]}"#);
    let compact = Request { purpose: Purpose::Compact, ..request(vec![user("p")]) };
    assert_eq!(text(&mut player, &request(vec![user("p")])), "one");
    assert_eq!(text(&mut player, &compact), "two");
    assert_eq!(protocol(answer(&mut player, &request(vec![]))), "the scenario is over: it has 2 turns");
    let mut player = self::player(r#"{"turns": [{}]}"#);
    assert_eq!(answer(&mut player, &request(vec![])).expect("empty").stop, Some(StopReason::EndTurn));
    assert_eq!(protocol(answer(&mut player, &request(vec![]))), "the scenario is over: it has 1 turn");
}

#[test]
fn text_streams_in_a_few_words_and_keeps_every_byte() {
    let said = "  Zwei  Bäume\n\nund drei\tFarne — 🌿🌿 ".to_owned() + &"ü".repeat(200);
    let scenario = serde_json::json!({"turns": [{"reasoning": "I think so, yes indeed", "text": said}]});
    let streamed = events(&mut player(&scenario.to_string()), &request(vec![])).expect("events");
    let texts: Vec<&str> = streamed
        .iter()
        .filter_map(|event| if let Event::Text(text) = event { Some(text.as_str()) } else { None })
        .collect();
    assert_eq!(texts.concat(), said);
    assert!(texts.len() > 6, "{texts:?}");
    assert!(texts.iter().all(|text| text.len() <= 80 && text.split_whitespace().count() <= 3), "{texts:?}");
    assert_eq!(texts[0], "  Zwei  Bäume\n\nund ");
    assert_eq!(streamed[0], Event::Reasoning("I think so, ".into()));
}

#[test]
fn calls_follow_the_text_with_their_input_in_pieces() {
    let content = "é".repeat(1000);
    let scenario = serde_json::json!({"turns": [{"text": "Hm.", "calls": [
        {"tool": "Write", "input": {"z": 1, "content": content, "a": [null, 1.5]}},
        {"tool": "Read"},
        {"tool": "Read", "input": "{not json"},
    ]}]});
    let mut player = player(&scenario.to_string());
    let streamed = events(&mut player, &request(vec![])).expect("events");
    let deltas: Vec<_> = streamed.iter().filter(|event| matches!(event, Event::CallDelta(_))).collect();
    assert!(deltas.len() >= 2000 / 256, "in pieces: {}", deltas.len());
    assert_eq!(streamed.last(), Some(&Event::Stop(StopReason::ToolCalls)));

    let mut player = self::player(&scenario.to_string());
    let answer = answer(&mut player, &request(vec![])).expect("an answer");
    assert_eq!(answer.text, "Hm.");
    let expected = [
        ("call_1_1", "Write", format!(r#"{{"z":1,"content":"{content}","a":[null,1.5]}}"#)),
        ("call_1_2", "Read", "{}".into()),
        ("call_1_3", "Read", "{not json".into()),
    ];
    assert_eq!(answer.calls, expected.map(|(id, tool, input)| (id.into(), tool.into(), input)));
}

#[test]
fn ids_stay_unique_in_a_resumed_session() {
    let scenario = r#"{"turns": [{"calls": [{"tool": "Read"}, {"tool": "Read"}]}]}"#;
    let ids = |messages| {
        let answer = answer(&mut player(scenario), &request(messages)).expect("an answer");
        answer.calls.into_iter().map(|(id, ..)| id).collect::<Vec<_>>()
    };
    assert_eq!(ids(vec![]), ["call_1_1", "call_1_2"]);
    assert_eq!(ids(vec![assistant(&["call_1_1", "call_1_1_2"])]), ["call_1_1_3", "call_1_2"]);
    let mut answered = result("Read", "", None);
    if let Message::Tool(message) = &mut answered {
        message.call_id = "call_1_2".into();
    }
    assert_eq!(ids(vec![answered]), ["call_1_1", "call_1_2_2"]);
}

#[test]
fn usage_is_estimated_from_bytes() {
    let mut asked = request(vec![user("12345678")]);
    asked.tools.clear();
    asked.system = "1234".into();
    let mut player = player(r#"{"turns": [{"text": "12345", "calls": [{"tool": "Read"}]}]}"#);
    let streamed = events(&mut player, &asked).expect("events");
    let usage = Usage { input_tokens: 3, cached_tokens: 0, output_tokens: 3 };
    assert_eq!(streamed[streamed.len() - 2], Event::Usage(usage));
}

#[test]
fn expect_looks_at_the_results_since_the_last_answer() {
    let expects = |what: &str, messages: Vec<Message>| {
        let scenario = serde_json::json!({"turns": [{}, {"expect": what}]});
        let mut player = player(&scenario.to_string());
        answer(&mut player, &request(vec![])).expect("turn 1");
        answer(&mut player, &request(messages))
    };
    let messages = || {
        vec![
            user("p"),
            assistant(&["a"]),
            result("Read", "old", None),
            assistant(&["b", "c"]),
            result("Read", "new text", Some(r#"{"key":5}"#)),
            failed("Bash", "needs process"),
        ]
    };
    for found in ["new text", r#""key":5"#, "needs process", ""] {
        expects(found, messages()).unwrap_or_else(|error| panic!("{found}: {error:?}"));
    }
    assert_eq!(
        protocol(expects("old", messages())),
        r#"turn 2 expects "old" in the newest results, but they begin with "new text\nnot-permitted: needs process""#
    );
    assert_eq!(
        protocol(expects("x", vec![user("x"), assistant(&[])])),
        r#"turn 2 expects "x" in the newest results, but there are none"#
    );
    let long = vec![result("Read", &"ü".repeat(500), None)];
    let shown = format!("begin with \"{}…\"", "ü".repeat(100));
    assert!(protocol(expects("x", long)).ends_with(&shown));
}

#[test]
fn delay_and_pace_hold_events_back() {
    const MS: u64 = 1_000_000;
    let mut player = player(r#"{"turns": [{"delay_ms": 30, "pace_ms": 5, "text": "one two three four"}]}"#);
    let mut play = player.begin(&request(vec![])).expect("it begins");
    play.start(|| 1000 * MS);
    assert_eq!(play.wait_ns(|| 1000 * MS), 30 * MS);
    assert_eq!(play.next(|| 1029 * MS), Ok(None));
    assert_eq!(play.wait_ns(|| 1029 * MS), MS);
    assert_eq!(play.next(|| 1030 * MS), Ok(Some(Event::Text("one two three ".into()))));
    assert_eq!(play.next(|| 1034 * MS), Ok(None));
    assert_eq!(play.wait_ns(|| 1034 * MS), MS);
    // Late is late: the pause counts from the event, not from when it was due.
    assert_eq!(play.next(|| 1050 * MS), Ok(Some(Event::Text("four".into()))));
    assert_eq!(play.wait_ns(|| 1050 * MS), 5 * MS);
    assert_eq!(play.wait_ns(|| 1060 * MS), 0);
}

#[test]
fn an_error_waits_for_its_delay_and_endless_delays_do_not_overflow() {
    let late = format!(
        r#"{{"turns": [{{"delay_ms": 1, "error": {{"kind": "auth", "message": "m"}}}}, {{"delay_ms": {}}}]}}"#,
        u64::MAX
    );
    let mut player = player(&late);
    let mut play = player.begin(&request(vec![])).expect("the error comes later");
    play.start(|| 5);
    assert_eq!(play.next(|| 5), Ok(None));
    assert_eq!(play.next(|| 1_000_005), Err(ModelError::Auth("m".into())));
    let mut play = player.begin(&request(vec![])).expect("it begins");
    play.start(|| 7);
    assert_eq!(play.wait_ns(|| 7), u64::MAX - 7);
}

#[test]
fn restart_begins_again_for_each_prompt_but_not_for_a_retry() {
    let turns = r#""turns": [{"error": {"kind": "overloaded", "message": "m"}}, {"text": "a"}, {"text": "b"}]"#;
    let first = || request(vec![user("p")]);
    let second = || request(vec![user("p"), assistant(&[]), user("q")]);

    let mut restarting = player(&format!(r#"{{{turns}, "restart": true}}"#));
    assert!(restarting.begin(&first()).is_err());
    assert_eq!(text(&mut restarting, &first()), "a");
    assert!(restarting.begin(&second()).is_err(), "the second prompt is at turn 1 again");
    assert_eq!(text(&mut restarting, &second()), "a");
    assert_eq!(text(&mut restarting, &request(vec![user("p"), assistant(&[]), result("Read", "", None)])), "b");

    // After a compaction a new prompt may come with as many messages as an old one.
    let overloaded = Some(ModelError::Overloaded("m".into()));
    assert_eq!(restarting.begin(&second()).err(), overloaded);

    let mut plain = player(&format!("{{{turns}}}"));
    assert!(plain.begin(&first()).is_err());
    assert_eq!(text(&mut plain, &second()), "a");
}

#[test]
fn compact_answers_a_summary_without_taking_a_turn() {
    let mut player = player(
        r#"{"template": true, "compact": "Asked: {{ prompt }}", "restart": true, "turns": [{"text": "a"}, {"text": "b"}]}"#,
    );
    let compact = Request { purpose: Purpose::Compact, ..request(vec![user("p"), user("q")]) };
    assert_eq!(text(&mut player, &request(vec![user("p")])), "a");
    let summary = answer(&mut player, &compact).expect("a summary");
    assert_eq!((summary.text.as_str(), summary.stop), ("Asked: q", Some(StopReason::EndTurn)));
    assert_eq!(text(&mut player, &request(vec![user("p"), assistant(&[])])), "b");
}
