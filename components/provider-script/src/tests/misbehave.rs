//! Models that misbehave: raw events and errors.

use super::*;
use crate::world::wardian::agent::types::{NetworkError, NetworkKind, RateLimited, Usage};

/// The events of a turn that need not be well formed, and how it ended.
fn raw(turn: &str, events_max: usize) -> (Vec<Event>, Option<ModelError>) {
    let mut play = player(&format!(r#"{{"turns": [{turn}]}}"#)).begin(&request(vec![])).expect("it begins");
    let mut events = Vec::new();
    while events.len() < events_max {
        match play.next(no_clock) {
            Ok(event) => events.push(event.expect("no delay")),
            Err(error) => return (events, Some(error)),
        }
    }
    (events, None)
}

#[test]
fn raw_events_are_sent_as_they_are() {
    let turn = r#"{"raw": [
        {"reasoning": "r"}, {"text": "many words that stay in one piece"},
        {"call-start": {"id": "a", "tool": "T"}}, {"call-delta": {"id": "b", "input": "{\"x\": "}}, {"call-end": "c"},
        {"state": "s"}, {"usage": {"input_tokens": 1, "output_tokens": 2}}, {"usage": {}},
        {"stop": "max-tokens"}]}"#;
    let (events, error) = raw(turn, 100);
    let shown: Vec<String> = events.iter().map(|event| format!("{event:?}")).collect();
    assert_eq!(shown.len(), 9, "{shown:?}");
    assert_eq!(events[1], Event::Text("many words that stay in one piece".into()));
    assert!(shown[2].contains("\"a\"") && shown[3].contains("\"b\"") && shown[4].contains("\"c\""), "{shown:?}");
    assert_eq!(events[6], Event::Usage(Usage { input_tokens: 1, cached_tokens: 0, output_tokens: 2 }));
    assert_eq!(events[8], Event::Stop(StopReason::MaxTokens));
    assert_eq!(error, Some(ModelError::Protocol("the answer is over".into())));
}

#[test]
fn raw_events_without_a_stop_break_off() {
    let (events, error) = raw(r#"{"raw": [{"text": "a"}]}"#, 100);
    assert_eq!(events, [Event::Text("a".into())]);
    assert_eq!(error, Some(ModelError::Protocol("the answer ended without a stop".into())));
}

#[test]
fn repeat_sends_an_event_so_many_times_or_for_ever() {
    let (events, _) =
        raw(r#"{"raw": [{"repeat": {"text": "x", "times": 3}}, {"repeat": {"reasoning": "y", "times": 0}}]}"#, 100);
    assert_eq!(events, vec![Event::Text("x".into()); 3]);
    for endless in
        [r#"{"text": "x"}"#, r#"{"text": "x", "times": null}"#, r#"{"call-delta": {"id": "a", "input": "x"}}"#]
    {
        let (events, error) = raw(&format!(r#"{{"raw": [{{"repeat": {endless}}}]}}"#), 50_000);
        assert_eq!((events.len(), error), (50_000, None), "{endless}");
    }
}

#[test]
fn an_error_fails_the_request_and_the_retry_takes_the_next_turn() {
    let mut player = player(
        r#"{"turns": [
        {"error": {"kind": "rate-limited", "message": "slow down", "retry_after_ms": 1500}},
        {"text": "Half a", "error": {"kind": "overloaded", "message": "busy"}},
        {"text": "done"}]}"#,
    );
    let limited = RateLimited { message: "slow down".into(), retry_after_ms: Some(1500) };
    let first = player.begin(&request(vec![])).err();
    assert_eq!(first, Some(ModelError::RateLimited(limited)), "at once, not through `next`");
    let mut half = player.begin(&request(vec![])).expect("it begins");
    assert_eq!(half.next(no_clock), Ok(Some(Event::Text("Half a".into()))));
    assert_eq!(half.next(no_clock), Err(ModelError::Overloaded("busy".into())));
    assert_eq!(half.next(no_clock), Err(ModelError::Protocol("the answer is over".into())));
    assert_eq!(text(&mut player, &request(vec![])), "done");
}

#[test]
fn every_kind_of_error_has_its_case() {
    let error = |json: &str| {
        let scenario = format!(r#"{{"turns": [{{"error": {json}}}]}}"#);
        player(&scenario).begin(&request(vec![])).expect_err("an error")
    };
    let m = || "m".to_owned();
    for (kind, expected) in [
        ("auth", ModelError::Auth(m())),
        ("quota", ModelError::Quota(m())),
        ("rate-limited", ModelError::RateLimited(RateLimited { message: m(), retry_after_ms: None })),
        ("overloaded", ModelError::Overloaded(m())),
        ("invalid-request", ModelError::InvalidRequest(m())),
        ("content-filter", ModelError::ContentFilter(m())),
        ("network", ModelError::Network(NetworkError { kind: NetworkKind::Other, message: m() })),
        ("protocol", ModelError::Protocol(m())),
    ] {
        assert_eq!(error(&format!(r#"{{"kind": "{kind}", "message": "m"}}"#)), expected);
    }
    for (network, kind) in [
        ("dns", NetworkKind::Dns),
        ("connect", NetworkKind::Connect),
        ("tls", NetworkKind::Tls),
        ("reset", NetworkKind::Reset),
        ("timeout", NetworkKind::Timeout),
        ("refused-by-policy", NetworkKind::RefusedByPolicy),
    ] {
        let expected = ModelError::Network(NetworkError { kind, message: m() });
        assert_eq!(error(&format!(r#"{{"kind": "network", "message": "m", "network": "{network}"}}"#)), expected);
    }
}
