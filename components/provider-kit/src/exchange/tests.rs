use std::cell::Cell;

use super::*;
use crate::testing::{self, Gathered, Played};
use crate::types::StopReason;

/// A protocol as small as can be: each event is text, `end` is the end.
struct Plain;

impl Reader for Plain {
    fn event(&mut self, _: &str, data: &str, answer: &mut Answer) -> Result<(), ModelError> {
        if data == "end" {
            answer.stop(StopReason::EndTurn)
        } else {
            answer.text(data)
        }
        Ok(())
    }

    fn document(&mut self, document: &str, answer: &mut Answer) -> Result<(), ModelError> {
        answer.text(document);
        answer.stop(StopReason::EndTurn);
        Ok(())
    }

    fn end(&mut self, answer: &mut Answer) {
        if answer.has_text() {
            answer.stop(StopReason::MaxTokens);
        }
    }
}

fn read(played: Played) -> Result<Gathered, ModelError> {
    testing::read_with(Plain, "plain", played).map_err(|(error, _)| error)
}

fn events(body: &str) -> Played {
    Played::new(200, "text/event-stream; charset=utf-8", body.as_bytes(), 1)
}

fn broken() -> NetworkError {
    NetworkError { kind: NetworkKind::Reset, message: "reset".to_owned() }
}

fn protocol(played: Played) -> String {
    match read(played) {
        Err(ModelError::Protocol(message)) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn text_survives_any_cut() {
    let text = "Grüße, 世界 🌍";
    for bytes in 1..8 {
        let body = format!("data: {text}\n\ndata: end\n\n");
        let played = Played::new(200, "text/event-stream", body.as_bytes(), bytes);
        assert_eq!(read(played).unwrap().text, text, "in pieces of {bytes}");
    }
}

#[test]
fn what_follows_the_end_is_of_no_interest() {
    assert_eq!(read(events("data: a\n\ndata: end\n\ndata: b\n\n").broken(broken())).unwrap().text, "a");
}

#[test]
fn the_end_of_the_body_is_waited_for_but_not_long() {
    // With time standing still, the bytes after the last word are read to their end.
    let mut exchange = Exchange::new(events("data: end\n\n: bye\n\n"), Plain, "plain", &testing::config(), 0);
    while !matches!(exchange.next(|| 0), Ok(Some(Event::Stop(_)))) {}
    // A body without an end.
    let waits = |sign: &[u8], bytes: usize| {
        let body = [b"data: end\n\n", sign.repeat(100_000).as_slice()].concat();
        let played = Played::new(200, "text/event-stream", &body, bytes);
        let mut exchange = Exchange::new(played, Plain, "plain", &testing::config(), 0);
        let looks = Cell::new(0);
        while !matches!(exchange.next(|| looks.get() * 1_000_000), Ok(Some(Event::Stop(_)))) {
            looks.set(looks.get() + 1);
        }
        looks.get()
    };
    assert!((50..60).contains(&waits(b":\n\n", 11)), "by time");
    assert!(waits(b":\n\n", 50_000) < 10, "by bytes");
}

#[test]
fn a_stream_that_breaks_off_is_an_error_unless_all_was_said() {
    assert_eq!(read(events("data: a\n\n")).unwrap().stop, Some(StopReason::MaxTokens));
    assert_eq!(read(events("data: a\n\n").broken(broken())).unwrap().stop, Some(StopReason::MaxTokens));
    assert_eq!(read(events(": nothing\n\n").broken(broken())), Err(ModelError::Network(broken())));
    let Err(ModelError::Network(error)) = read(events("")) else { panic!("no error") };
    assert_eq!(error.kind, NetworkKind::Reset);
}

#[test]
fn documents_come_whole_or_not_at_all() {
    let document = |body: &[u8]| Played::new(200, "Application/JSON", body, 3);
    assert_eq!(read(document("{ü}".as_bytes())).unwrap().text, "{ü}");
    assert_eq!(read(document(b"{").broken(broken())), Err(ModelError::Network(broken())));
    assert!(protocol(document(b"\xff")).contains("UTF-8"));
}

#[test]
fn bodies_have_bounds() {
    let event = format!("data: {}\n\n", "x".repeat(EVENT_BYTES_MAX + 1));
    let played = |media_type, body: &str| Played::new(200, media_type, body.as_bytes(), 1 << 20);
    assert!(protocol(played("text/event-stream", &event)).contains("an event has more than"));
    assert!(protocol(played("application/json", &"x".repeat(DOCUMENT_BYTES_MAX + 1))).contains("more than"));
    let error = played_error(500, &"x".repeat(10 * ERROR_BYTES_MAX));
    assert!(matches!(read(error), Err(ModelError::Overloaded(_))));
}

fn played_error(status: u16, body: &str) -> Played {
    Played::new(status, "application/json", body.as_bytes(), 1000)
}

#[test]
fn an_error_counts_even_when_its_body_breaks_off() {
    let Err(ModelError::RateLimited(limited)) =
        read(played_error(429, "{\"error\":").header("retry-after", "3").broken(broken()))
    else {
        panic!("not limited")
    };
    assert_eq!(limited.retry_after_ms, Some(3_000));
}

#[test]
fn what_is_no_answer_is_refused() {
    assert!(protocol(Played::new(200, "text/html", b"<html>", 9)).contains("base URL"));
    assert!(protocol(events("data: a\n\n").header("content-encoding", "gzip")).contains("compressed"));
    assert!(read(Played::new(200, "", b"data: end\n\n", 9)).is_ok());
}

#[test]
fn after_the_end_there_is_an_error() {
    let mut exchange = Exchange::new(events("data: end\n\n"), Plain, "plain", &testing::config(), 0);
    while !matches!(exchange.next(|| 0), Ok(Some(Event::Stop(_)))) {}
    assert!(matches!(exchange.next(|| 0), Err(ModelError::Protocol(_))));
}

/// Seconds after which an answer that only ever sends `sign` is given up.
fn patience(sign: &str) -> u64 {
    let body = sign.repeat(1_000);
    let played = Played::new(200, "text/event-stream", body.as_bytes(), sign.len().max(1));
    let mut exchange = Exchange::new(played, Plain, "plain", &testing::config(), 0);
    let seconds = Cell::new(0);
    loop {
        // A second passes with each look.
        match exchange.next(|| seconds.get() * NS_PER_SECOND) {
            Err(ModelError::Network(error)) if error.kind == NetworkKind::Timeout => return seconds.get(),
            Err(error) => panic!("{error:?}"),
            Ok(_) => seconds.set(seconds.get() + 1),
        }
        assert!(seconds.get() < 900, "it has no end");
    }
}

#[test]
fn signs_of_life_are_no_answer() {
    let seconds = patience(": still here\n\n");
    let most = testing::config().silence_seconds_max;
    assert!((most..most + 3).contains(&seconds), "{seconds}");
}

#[test]
fn an_answer_that_goes_on_has_all_the_time() {
    let body = "data: a\n\n".repeat(100) + "data: end\n\n";
    let played = Played::new(200, "text/event-stream", body.as_bytes(), 9);
    let mut exchange = Exchange::new(played, Plain, "plain", &testing::config(), 0);
    let minutes = Cell::new(0);
    let mut gathered = Gathered::default();
    while gathered.stop.is_none() {
        if let Some(event) = exchange.next(|| minutes.get() * 20 * NS_PER_SECOND).unwrap() {
            gathered.take(event);
        }
        minutes.set(minutes.get() + 1);
    }
    assert!(gathered.text.starts_with("aa") && gathered.text.len() == 100, "{gathered:?}");
}
