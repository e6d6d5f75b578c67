//! Checks a call's input against its tool's JSON Schema.

use std::collections::HashMap;

use serde_json::Value;

/// Mistakes that one message names.
const MISTAKES_MAX: usize = 3;

/// Schemas, compiled when they are first needed.
#[derive(Default)]
pub struct Schemas(HashMap<String, Result<jsonschema::Validator, String>>);

impl Schemas {
    /// The parsed input, or what is wrong with it: each mistake after the pointer to where it is.
    pub fn check(&mut self, tool: &str, schema: &str, input: &str) -> Result<Value, String> {
        let input: Value = serde_json::from_str(input).map_err(|error| format!("the input is no JSON: {error}"))?;
        let validator = self.0.entry(tool.to_owned()).or_insert_with(|| {
            let schema: Value = serde_json::from_str(schema).map_err(|error| error.to_string())?;
            jsonschema::validator_for(&schema).map_err(|error| error.to_string())
        });
        let validator =
            validator.as_ref().map_err(|error| format!("the tool's own input schema is broken: {error}"))?;
        let mistakes: Vec<String> = validator
            .iter_errors(&input)
            .take(MISTAKES_MAX)
            .map(|error| {
                let pointer = error.instance_path().to_string();
                if pointer.is_empty() { error.to_string() } else { format!("{pointer}: {error}") }
            })
            .collect();
        if mistakes.is_empty() { Ok(input) } else { Err(mistakes.join("; ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{
        "type": "object",
        "properties": {"edits": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}}},
        "required": ["edits"],
        "additionalProperties": false
    }"#;

    fn check(input: &str) -> Result<Value, String> {
        Schemas::default().check("T", SCHEMA, input)
    }

    #[test]
    fn good_input_passes() {
        assert_eq!(check(r#"{"edits": [{"n": 1}]}"#).unwrap()["edits"][0]["n"], 1);
    }

    #[test]
    fn mistakes_are_named_with_their_pointer() {
        let error = check(r#"{"edits": [{"n": 1}, {"n": "x"}]}"#).unwrap_err();
        assert!(error.starts_with("/edits/1/n: "), "{error}");
        let error = check("{}").unwrap_err();
        assert!(error.contains("edits"), "{error}");
        assert!(check(r#"{"edits": [], "more": 1}"#).unwrap_err().contains("more"));
    }

    #[test]
    fn broken_json_and_broken_schemas_are_named() {
        assert!(check("{\"edits\": [").unwrap_err().starts_with("the input is no JSON"));
        let error = Schemas::default().check("T", "{\"type\": 7}", "{}").unwrap_err();
        assert!(error.contains("own input schema is broken"), "{error}");
    }
}
