//! What was said, in forms that every protocol can use.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};

use crate::tool::{Image, Outcome, Part};
use crate::types::{CallError, CallErrorKind};

/// In place of a result without any text: services refuse empty ones.
const NOTHING: &str = "(no output)";

/// A part of a tool's result, as a model can take it.
#[derive(Debug)]
pub enum Block<'a> {
    Text(Cow<'a, str>),
    Image(&'a Image),
}

/// The result of a call: at least one block, texts joined where they stand together.
pub fn blocks(result: &Result<Outcome, CallError>) -> Vec<Block<'_>> {
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(error) => return vec![Block::Text(format!("Error ({}): {}", kind(error.kind), error.message).into())],
    };
    let mut blocks: Vec<Block> = Vec::new();
    for part in &outcome.parts {
        let text: Cow<str> = match part {
            Part::Image(image) => {
                blocks.push(Block::Image(image));
                continue;
            }
            Part::Text(text) => text.as_str().into(),
            Part::File(file) => format!("[file {} ({}, {} bytes)]", file.path, file.media_type, file.bytes).into(),
        };
        match blocks.last_mut() {
            Some(Block::Text(before)) => {
                let before = before.to_mut();
                before.push('\n');
                before.push_str(&text);
            }
            _ => blocks.push(Block::Text(text)),
        }
    }
    blocks.retain(|block| !matches!(block, Block::Text(text) if text.trim().is_empty()));
    if blocks.is_empty() {
        blocks.push(Block::Text(NOTHING.into()));
    }
    blocks
}

fn kind(kind: CallErrorKind) -> &'static str {
    match kind {
        CallErrorKind::UnknownTool => "unknown tool",
        CallErrorKind::InvalidInput => "invalid input",
        CallErrorKind::NotPermitted => "not permitted",
        CallErrorKind::Limit => "limit",
        CallErrorKind::Trapped => "the tool broke",
        CallErrorKind::Failed => "failed",
        CallErrorKind::Cancelled => "cancelled",
        CallErrorKind::Interrupted => "interrupted",
        CallErrorKind::Host => "host",
    }
}

/// An image as a URL that has it inside.
pub fn data_url(image: &Image) -> String {
    format!("data:{};base64,{}", image.media_type, base64(image))
}

pub fn base64(image: &Image) -> String {
    BASE64.encode(&image.bytes)
}

/// The input of an earlier call. What the model wrote may be no object, or no JSON at all; services insist on one, and the
/// model should see what it wrote.
pub fn input(text: &str) -> Map<String, Value> {
    if text.trim().is_empty() {
        return Map::new();
    }
    serde_json::from_str(text).unwrap_or_else(|_| {
        let mut map = Map::new();
        map.insert("not_a_json_object".to_owned(), text.into());
        map
    })
}

/// A tool's schema as JSON. It was checked where tools are listed.
pub fn schema(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| serde_json::json!({"type": "object"}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::Attachment;

    fn shown(parts: Vec<Part>) -> Vec<String> {
        let result = Ok(Outcome { parts, data: None, truncated: false });
        let show = |block: &Block| match block {
            Block::Text(text) => text.to_string(),
            Block::Image(image) => data_url(image),
        };
        blocks(&result).iter().map(show).collect()
    }

    #[test]
    fn results_are_never_empty_and_texts_are_joined() {
        let text = |text: &str| Part::Text(text.into());
        let image = || Part::Image(Image { media_type: "image/png".into(), bytes: vec![1, 2, 3] });
        let file = Part::File(Attachment { path: "a.pdf".into(), media_type: "application/pdf".into(), bytes: 9 });
        assert_eq!(shown(vec![]), [NOTHING]);
        assert_eq!(shown(vec![text(" \n")]), [NOTHING]);
        assert_eq!(
            shown(vec![text("a"), text("b"), image(), file]),
            ["a\nb", "data:image/png;base64,AQID", "[file a.pdf (application/pdf, 9 bytes)]"]
        );
        assert_eq!(shown(vec![text(""), image()]), ["data:image/png;base64,AQID"]);
        let error = Err(CallError { kind: CallErrorKind::NotPermitted, message: "no".into() });
        let [Block::Text(text)] = &blocks(&error)[..] else { panic!("one text") };
        assert_eq!(text, "Error (not permitted): no");
    }

    #[test]
    fn inputs_are_objects_whatever_the_model_wrote() {
        assert_eq!(Value::Object(input(r#"{"b":1,"a":2}"#)).to_string(), r#"{"b":1,"a":2}"#);
        assert_eq!(input("").len(), 0);
        assert_eq!(input(r#"{"cut": "of"#)["not_a_json_object"], r#"{"cut": "of"#);
        assert_eq!(input("[1]")["not_a_json_object"], "[1]");
    }
}
