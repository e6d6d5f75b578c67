//! What the host tells a provider, through `wasi:config/store`.

use serde_json::{Map, Value};

use crate::base_url::BaseUrl;
use crate::types::ModelError;

/// Seconds in which a server sends nothing of an answer, unless configured. Models think for minutes.
const SILENCE_SECONDS_MAX: u64 = 600;

#[derive(Debug, Clone)]
pub struct Config {
    pub base: BaseUrl,
    /// As the service calls it.
    pub model: String,
    /// Further fields of each request, as the user wants them.
    pub options: Map<String, Value>,
    pub silence_seconds_max: u64,
}

impl Config {
    /// # Errors
    /// `invalid-request`, with the key that is missing or wrong.
    pub fn read(get: impl Fn(&str) -> Result<Option<String>, String>) -> Result<Self, ModelError> {
        let invalid = |problem: String| ModelError::InvalidRequest(problem);
        let optional = |key: &str| {
            get(key).map_err(|problem| invalid(format!("the configuration cannot be read ({key}): {problem}")))
        };
        let needed = |key: &str| {
            let value = optional(key)?.filter(|value| !value.is_empty());
            value.ok_or_else(|| invalid(format!("the configuration has no key `{key}`")))
        };
        let base = BaseUrl::parse(&needed("base-url")?).map_err(invalid)?;
        let model = needed("model")?;
        let options = match optional("options")? {
            Some(text) => serde_json::from_str(&text)
                .map_err(|error| invalid(format!("the configuration's `options` are no JSON object: {error}")))?,
            None => Map::new(),
        };
        let silence_seconds_max = match optional("silence-seconds-max")? {
            Some(text) => {
                let seconds = text.parse().ok().filter(|seconds| (1..=86_400).contains(seconds));
                seconds.ok_or_else(|| invalid("`silence-seconds-max` must be from 1 to 86400".to_owned()))?
            }
            None => SILENCE_SECONDS_MAX,
        };
        Ok(Self { base, model, options, silence_seconds_max })
    }

    /// Puts the user's options into the body of a request. `false` takes out a field that has more to it than yes or no:
    /// TOML has no null.
    ///
    /// # Errors
    /// `invalid-request` for one of the fields that only the provider may set, because the conversation is in them.
    pub fn apply(&self, body: &mut Map<String, Value>, own: &[&str]) -> Result<(), ModelError> {
        for (key, value) in &self.options {
            if own.contains(&key.as_str()) {
                return Err(ModelError::InvalidRequest(format!(
                    "the option `{key}` cannot be set: Wardian sets it in each request"
                )));
            }
            let is_more = |value: &Value| value.is_object() || value.is_array();
            if value.is_null() || value == false && body.get(key).is_some_and(is_more) {
                body.shift_remove(key);
            } else {
                body.insert(key.clone(), value.clone());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, ModelError> {
        Config::read(|key| Ok(pairs.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned())))
    }

    #[test]
    fn needs_a_base_url_and_a_model() {
        let both = [("base-url", "http://h/v1"), ("model", "m")];
        let config = read(&both).unwrap();
        assert_eq!((config.model.as_str(), config.silence_seconds_max), ("m", SILENCE_SECONDS_MAX));
        for missing in 0..both.len() {
            let Err(ModelError::InvalidRequest(message)) = read(&both[1 - missing..][..1]) else { panic!("no error") };
            assert!(message.contains(both[missing].0), "{message}");
        }
        let error = Config::read(|_| Err("gone".to_owned())).unwrap_err();
        assert!(format!("{error:?}").contains("gone"));
    }

    #[test]
    fn options_add_replace_and_remove_but_not_what_is_ours() {
        let mut config =
            read(&[("base-url", "http://h"), ("model", "m"), ("options", r#"{"a":1,"b":false,"d":false}"#)]).unwrap();
        let mut body = json!({"b": {"x": 2}, "c": 3}).as_object().unwrap().clone();
        config.apply(&mut body, &["messages"]).unwrap();
        assert_eq!(Value::Object(body.clone()), json!({"c": 3, "a": 1, "d": false}));
        config.options.insert("messages".into(), json!([]));
        assert!(config.apply(&mut body, &["messages"]).is_err());
        assert!(read(&[("base-url", "http://h"), ("model", "m"), ("options", "[1]")]).is_err());
        assert!(read(&[("base-url", "http://h"), ("model", "m"), ("silence-seconds-max", "0")]).is_err());
    }
}
