//! A journal's events without what differs from run to run: how cases in `tests/cases/session` say what they expect.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// Fields of each type that a case compares. `id` is not among them: see [`compact`].
const FIELDS: [(&str, &[&str]); 10] = [
    ("session.start", &["approve", "resumed"]),
    ("user.message", &["text"]),
    ("model.request", &["purpose"]),
    ("model.response", &["text", "tool_calls", "state", "stop", "error"]),
    ("permission.ask", &["tool", "powers", "summary"]),
    ("permission.answer", &["tool", "allowed", "by", "scope"]),
    ("tool.use", &["tool", "input"]),
    ("tool.result", &["tool", "text", "truncated", "error"]),
    ("context.compact", &["summary", "keep"]),
    ("session.end", &["stop", "text", "error"]),
];

/// The events in compact form: the fields above where they say something, a call's tool instead of its id.
///
/// The events of one answer's calls are put in the order of the calls: which of several calls comes first is chance.
pub fn compact(events: &[Value]) -> Vec<Value> {
    let mut calls: HashMap<&str, (usize, &str)> = HashMap::new();
    for response in events.iter().filter(|event| event["type"] == "model.response") {
        for call in response["tool_calls"].as_array().into_iter().flatten() {
            let (id, tool) = (text(&call["id"]), text(&call["tool"]));
            calls.insert(id, (calls.len(), tool));
        }
    }
    let place = |event: &Value| calls.get(text(&event["id"])).copied();
    let mut ordered: Vec<&Value> = Vec::new();
    let groups = events.chunk_by(|one, other| place(one).is_some() && place(other).is_some());
    for group in groups {
        let start = ordered.len();
        ordered.extend(group);
        ordered[start..].sort_by_key(|event| place(event).map(|(order, _)| order));
    }
    let one = |event: &&Value| compact_one(event, place(event).map(|(_, tool)| tool));
    ordered.iter().map(one).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn compact_one(event: &Value, tool: Option<&str>) -> Value {
    let kind = text(&event["type"]);
    let mut compact = Map::from_iter([("type".to_owned(), kind.into())]);
    let fields = FIELDS.iter().find(|(name, _)| *name == kind).map_or(&[][..], |(_, fields)| fields);
    for field in fields {
        let value = match *field {
            "tool" if event["tool"].is_null() => tool.map(Value::from),
            "text" if kind == "tool.result" => event.pointer("/output/text").cloned(),
            "tool_calls" => Some(event["tool_calls"].as_array().into_iter().flatten().map(call).collect()),
            field => event.get(field).cloned(),
        };
        let says_something = |value: &Value| match value {
            Value::Null => false,
            Value::Bool(value) => *value || *field == "allowed",
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            _ => true,
        };
        if let Some(value) = value.filter(says_something) {
            compact.insert((*field).to_owned(), value);
        }
    }
    compact.into()
}

fn call(call: &Value) -> Value {
    let fields = ["tool", "input"].map(|field| (field.to_owned(), call[field].clone()));
    Map::from_iter(fields).into()
}

/// What a string of an expectation may have in it to stand for any text.
pub const ANYTHING: &str = "[..]";

/// Whether a value is as expected. Objects must have the same fields.
pub fn matches(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::String(expected), Value::String(actual)) => matches_text(expected, actual),
        (Value::Array(expected), Value::Array(actual)) => {
            expected.len() == actual.len()
                && expected.iter().zip(actual).all(|(expected, actual)| matches(expected, actual))
        }
        (Value::Object(expected), Value::Object(actual)) => {
            let same = |(name, value): (&String, &Value)| actual.get(name).is_some_and(|other| matches(value, other));
            expected.len() == actual.len() && expected.iter().all(same)
        }
        (expected, actual) => expected == actual,
    }
}

fn matches_text(expected: &str, actual: &str) -> bool {
    let Some((start, rest)) = expected.split_once(ANYTHING) else { return expected == actual };
    let Some(mut actual) = actual.strip_prefix(start) else { return false };
    let (middle, end) = rest.rsplit_once(ANYTHING).map_or((None, rest), |(middle, end)| (Some(middle), end));
    for piece in middle.into_iter().flat_map(|middle| middle.split(ANYTHING)) {
        let Some(at) = actual.find(piece) else { return false };
        actual = &actual[at + piece.len()..];
    }
    actual.ends_with(end)
}

/// Events for a case's file: the actual ones, but expectations that hold are kept, with what stands for anything.
pub fn blessed(expected: &[Value], actual: &[Value]) -> Vec<Value> {
    let keep = |(index, actual): (usize, &Value)| match expected.get(index) {
        Some(expected) if matches(expected, actual) => expected.clone(),
        _ => actual.clone(),
    };
    actual.iter().enumerate().map(keep).collect()
}

/// Where expectation and journal differ first, for a person; none if they do not.
pub fn difference(expected: &[Value], actual: &[Value]) -> Option<String> {
    let longer = expected.len().max(actual.len());
    let differs = |index: &usize| match (expected.get(*index), actual.get(*index)) {
        (Some(expected), Some(actual)) => !matches(expected, actual),
        _ => true,
    };
    let at = (0..longer).find(differs)?;
    let show = |events: &[Value]| events.get(at).map_or("(no event)".to_owned(), Value::to_string);
    Some(format!("event {at}\n  expected: {}\n  journal:  {}", show(expected), show(actual)))
}
