//! From a type to the JSON Schema of an input, and from an input to the type.

use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use crate::ToolError;

/// The JSON Schema (2020-12) of a type, as short as it can be: models pay for each word of it at each turn.
pub fn schema<T: JsonSchema>() -> String {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.meta_schema = None;
        settings.inline_subschemas = true;
    });
    let mut schema =
        settings.with_transform(RecursiveTransform(drop_rust_formats)).into_generator().into_root_schema_for::<T>();
    // The name of a Rust type tells a model nothing.
    schema.remove("title");
    schema.to_value().to_string()
}

/// `uint32` and its kin are formats of Rust, not of JSON Schema; some model servers refuse what they do not know.
fn drop_rust_formats(schema: &mut Schema) {
    let rust = |format: &str| ["uint", "int", "float", "double"].iter().any(|known| format.starts_with(known));
    if schema.get("format").and_then(|format| format.as_str()).is_some_and(rust) {
        schema.remove("format");
    }
}

/// Reads an input; one that does not fit is named by an RFC 6901 pointer.
pub fn parse<T: DeserializeOwned>(input: &str) -> Result<T, ToolError> {
    let mut json = serde_json::Deserializer::from_str(input);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let message = error.inner().to_string();
        let message = match error.inner().classify() {
            // The pointer says where; a line and a column of JSON that a model has not seen would not.
            serde_json::error::Category::Data => match message.rsplit_once(" at line ") {
                Some((what, _)) => what.to_owned(),
                None => message,
            },
            _ => format!("not JSON: {message}"),
        };
        ToolError::invalid(pointer(error.path()), message)
    })?;
    json.end().map_err(|error| ToolError::invalid("", format!("not JSON: {error}")))?;
    Ok(value)
}

fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } | Segment::Enum { variant: key } => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Unknown => break,
        }
    }
    pointer
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[derive(Debug, serde::Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Input {
        /// Some lines.
        lines: Vec<Line>,
        #[serde(rename = "-n")]
        number: Option<u32>,
    }

    #[derive(Debug, serde::Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Line {
        #[serde(rename = "a/b~c")]
        length: u8,
    }

    fn refused(input: &str) -> (String, String) {
        match parse::<Input>(input) {
            Err(ToolError::InvalidInput(error)) => (error.pointer, error.message),
            other => panic!("{input}: {other:?}"),
        }
    }

    #[test]
    fn a_schema_is_an_object_of_its_own() {
        let schema: Value = serde_json::from_str(&schema::<Input>()).unwrap();
        assert_eq!(
            schema,
            json!({
                "type": "object",
                "properties": {
                    "lines": {
                        "description": "Some lines.",
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {"a/b~c": {"type": "integer", "minimum": 0, "maximum": 255}},
                            "required": ["a/b~c"],
                            "additionalProperties": false,
                        },
                    },
                    "-n": {"type": ["integer", "null"], "minimum": 0},
                },
                "required": ["lines"],
                "additionalProperties": false,
            })
        );
    }

    #[test]
    fn an_input_that_fits_is_read() {
        let input: Input = parse(r#"{"lines": [{"a/b~c": 7}], "-n": 1}"#).unwrap();
        assert_eq!((input.lines[0].length, input.number), (7, Some(1)));
    }

    #[test]
    fn a_wrong_value_is_pointed_at() {
        let (pointer, message) = refused(r#"{"lines": [{"a/b~c": 1}, {"a/b~c": "x"}]}"#);
        assert_eq!(pointer, "/lines/1/a~1b~0c");
        assert_eq!(message, "invalid type: string \"x\", expected u8");
    }

    #[test]
    fn an_unknown_field_is_pointed_at() {
        let (pointer, message) = refused(r#"{"lines": [], "m": 1}"#);
        assert_eq!(pointer, "/m");
        assert_eq!(message, "unknown field `m`, expected `lines` or `-n`");
    }

    #[test]
    fn a_missing_field_is_named_where_it_should_be() {
        let (pointer, message) = refused(r#"{"lines": [{}]}"#);
        assert_eq!((pointer.as_str(), message.as_str()), ("/lines/0", "missing field `a/b~c`"));
    }

    #[test]
    fn what_is_no_json_is_refused_as_a_whole() {
        for input in ["", "{", "{\"lines\": []} x", "lines"] {
            let (pointer, message) = refused(input);
            assert!(message.starts_with("not JSON: "), "{input}: {pointer} {message}");
        }
    }
}
