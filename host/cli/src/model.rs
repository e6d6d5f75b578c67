//! Which model: what `-m` and `model` name, and what its provider is told.
//!
//! A key goes to the host as a [`Secret`], never into a provider's configuration: the host adds it to requests on their
//! way out, to the one origin that it belongs to.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use url::{Host, Url};

use crate::failure::Failure;
use crate::settings::Settings;

pub const DEFAULT: &str = "demo";

/// Seconds in which a server sends nothing of an answer. Models think for minutes.
const SILENCE_SECONDS_MAX: u64 = 600;
/// What that may be set to: a day.
const SILENCE_SECONDS_LIMIT: u64 = 86_400;

/// What a model is given by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Model {
    /// The embedded scenario.
    Demo,
    /// A scenario file.
    Script(PathBuf),
    Service(Service, String),
}

/// A protocol that models are served over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    OpenAi,
    Chat,
    Anthropic,
}

/// A key, which is in no debug output and no message.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// For the host alone.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// What the settings say about a service.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceFile {
    pub base_url: Option<String>,
    pub key: Option<Secret>,
    /// Further fields of each request.
    pub options: toml::Table,
    pub silence_seconds_max: Option<u64>,
}

/// US dollars for a million tokens.
#[derive(Debug, Default, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    pub input: f64,
    /// Input that came from the service's cache; without it as any other input.
    pub cached: Option<f64>,
    pub output: f64,
}

/// A header that the host adds to requests to the base URL's origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    pub header: &'static str,
    pub value: Secret,
}

/// A service as a run uses it.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    pub service: Service,
    pub base_url: Url,
    /// The user said where it is.
    pub is_own: bool,
    /// What a server may be silent for.
    pub silence_seconds_max: u64,
    /// What its provider finds in its configuration.
    pub config: HashMap<String, String>,
    pub credential: Option<Credential>,
}

impl Model {
    /// What a name names.
    pub fn parse(name: &str) -> Result<Self, Failure> {
        if name == DEFAULT {
            return Ok(Self::Demo);
        }
        if let Some(file) = name.strip_prefix("script:") {
            return Ok(Self::Script(PathBuf::from(file)));
        }
        let service = name.split_once('/').filter(|(_, model)| !model.is_empty());
        let known = service.and_then(|(prefix, model)| Some((Service::named(prefix)?, model)));
        let (service, model) = known.ok_or_else(|| {
            Failure::usage(format!("there is no model {name:?}")).hint(
                "models are: demo · script:FILE · openai/NAME · chat/NAME (any compatible server) · anthropic/NAME",
            )
        })?;
        Ok(Self::Service(service, model.to_owned()))
    }

    /// The component that speaks to it.
    pub fn provider(&self) -> &'static str {
        match self {
            Self::Demo | Self::Script(_) => "provider-script",
            Self::Service(Service::OpenAi, _) => "provider-openai",
            Self::Service(Service::Chat, _) => "provider-chat",
            Self::Service(Service::Anthropic, _) => "provider-anthropic",
        }
    }
}

impl Service {
    pub const ALL: [Self; 3] = [Self::OpenAi, Self::Chat, Self::Anthropic];

    /// As it stands before the slash, and in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Chat => "chat",
            Self::Anthropic => "anthropic",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }

    /// Variables of the environment: base URL and key.
    pub fn variables(self) -> (&'static str, &'static str) {
        match self {
            Self::OpenAi => ("OPENAI_BASE_URL", "OPENAI_API_KEY"),
            Self::Chat => ("CHAT_BASE_URL", "CHAT_API_KEY"),
            Self::Anthropic => ("ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"),
        }
    }

    /// None where there is no service of that name, only servers.
    fn default_base_url(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("https://api.openai.com/v1"),
            Self::Chat => None,
            Self::Anthropic => Some("https://api.anthropic.com"),
        }
    }

    fn header(self, key: &Secret) -> (&'static str, Secret) {
        match self {
            Self::OpenAi | Self::Chat => ("authorization", Secret(format!("Bearer {}", key.reveal()))),
            Self::Anthropic => ("x-api-key", key.clone()),
        }
    }

    /// What holds for this service, from the environment and the user's settings.
    pub fn choose(
        self,
        model: &str,
        settings: &Settings,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Chosen, Failure> {
        let file = settings.models.get(self);
        let (url_variable, key_variable) = self.variables();
        let env = |name: &str| env(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let given = env(url_variable).or_else(|| file.base_url.clone());
        let is_own = given.is_some();
        let base_url = given.or_else(|| self.default_base_url().map(str::to_owned)).ok_or_else(|| {
            Failure::usage(format!("{}/{model} has no server", self.name()))
                .hint(format!("say where it is: export {url_variable}=http://127.0.0.1:8080/v1"))
        })?;
        let base_url = self.base_url(&base_url)?;
        let key = env(key_variable).map(Secret).or_else(|| file.key.clone());
        if key.is_none() && !is_own {
            return Err(Failure::usage(format!("{}/{model} needs a key", self.name()))
                .hint(format!("export {key_variable}=…, or use -m demo, which needs none")));
        }
        let credential = key.map(|key| self.credential(&key, &base_url)).transpose()?;
        let options = serde_json::to_string(&file.options)
            .map_err(|error| Failure::usage(format!("the options of models.{} are no JSON: {error}", self.name())))?;
        let mut config = HashMap::from([
            ("base-url".to_owned(), base_url.to_string()),
            ("model".to_owned(), model.to_owned()),
            ("options".to_owned(), options),
        ]);
        let silence_seconds_max = file.silence_seconds_max.unwrap_or(SILENCE_SECONDS_MAX);
        if !(1..=SILENCE_SECONDS_LIMIT).contains(&silence_seconds_max) {
            return Err(Failure::usage(format!(
                "models.{}.silence_seconds_max must be from 1 to {SILENCE_SECONDS_LIMIT}",
                self.name()
            )));
        }
        config.insert("silence-seconds-max".to_owned(), silence_seconds_max.to_string());
        Ok(Chosen { service: self, base_url, is_own, silence_seconds_max, config, credential })
    }

    /// Never repeats the text: it may have a password in it.
    fn base_url(self, text: &str) -> Result<Url, Failure> {
        let wrong = |what: String| {
            let (variable, _) = self.variables();
            Failure::usage(format!("the base URL of {} {what}", self.name()))
                .hint(format!("it is in {variable} or in models.{}.base_url of your settings", self.name()))
        };
        let mut url = Url::parse(text).map_err(|error| wrong(format!("is none: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("must begin with http:// or https://".to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("must not have a user name or a password in it".to_owned()));
        }
        url.set_fragment(None);
        Ok(url)
    }

    fn credential(self, key: &Secret, base_url: &Url) -> Result<Credential, Failure> {
        let (_, variable) = self.variables();
        if !key.reveal().chars().all(|c| c.is_ascii_graphic()) {
            return Err(Failure::usage(format!("the key of {} has characters that no key has", self.name()))
                .hint(format!("look at {variable}, or at models.{}.key in your settings", self.name())));
        }
        if base_url.scheme() == "http" && !is_loopback(base_url) {
            return Err(Failure::usage(format!(
                "the key of {} would be sent over the network in the clear",
                self.name()
            ))
            .hint(format!("use an https:// base URL, or unset {variable} if the server needs no key")));
        }
        let (header, value) = self.header(key);
        Ok(Credential { header, value })
    }
}

/// What never leaves this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// `[models.*]`.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Services {
    openai: ServiceFile,
    chat: ServiceFile,
    anthropic: ServiceFile,
}

impl Services {
    pub fn get(&self, service: Service) -> &ServiceFile {
        match service {
            Service::OpenAi => &self.openai,
            Service::Chat => &self.chat,
            Service::Anthropic => &self.anthropic,
        }
    }
}

/// `[prices]`, by the model's name as `-m` has it.
pub type Prices = BTreeMap<String, Price>;

/// Tokens of a run, as the service counted them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tokens {
    pub input: u64,
    /// Part of `input`.
    pub cached: u64,
    pub output: u64,
}

impl Price {
    /// US dollars.
    pub fn of(&self, tokens: Tokens) -> f64 {
        let cached = tokens.cached.min(tokens.input);
        let fresh = tokens.input - cached;
        let million = 1e6;
        (fresh as f64 * self.input
            + cached as f64 * self.cached.unwrap_or(self.input)
            + tokens.output as f64 * self.output)
            / million
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(service: Service, settings: &str, env: &[(&str, &str)]) -> Result<Chosen, String> {
        let settings = Settings::for_models(toml::from_str(settings).unwrap());
        let env = |name: &str| env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        service.choose("m", &settings, env).map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn names_of_models() {
        assert_eq!(Model::parse("demo").unwrap(), Model::Demo);
        assert_eq!(Model::parse("script:a/b.json").unwrap(), Model::Script("a/b.json".into()));
        let model = Model::parse("chat/org/name:7b").unwrap();
        assert_eq!((&model, model.provider()), (&Model::Service(Service::Chat, "org/name:7b".into()), "provider-chat"));
        for wrong in ["", "gpt", "openai/", "google/x", "script"] {
            assert!(Model::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn keys_go_where_they_belong() {
        let chosen = choose(Service::OpenAi, "", &[("OPENAI_API_KEY", " sk-1 ")]).unwrap();
        assert_eq!((chosen.base_url.as_str(), chosen.is_own), ("https://api.openai.com/v1", false));
        let credential = chosen.credential.unwrap();
        assert_eq!(credential.header, "authorization");
        assert_eq!(credential.value.reveal(), "Bearer sk-1");
        assert!(chosen.config.values().all(|value| !value.contains("sk-1")), "{:?}", chosen.config);

        let settings = "anthropic = { key = 'k', base_url = 'http://127.0.0.1:99/x/' }";
        let chosen = choose(Service::Anthropic, settings, &[]).unwrap();
        assert_eq!((chosen.base_url.as_str(), chosen.is_own), ("http://127.0.0.1:99/x/", true));
        assert_eq!(chosen.credential.unwrap().header, "x-api-key");
        // The environment wins over the file.
        let chosen = choose(Service::Anthropic, settings, &[("ANTHROPIC_API_KEY", "e")]).unwrap();
        assert_eq!(chosen.credential.unwrap().value.reveal(), "e");
    }

    #[test]
    fn what_is_missing_or_wrong_is_named_and_no_secret_is() {
        for (service, env, words) in [
            (Service::OpenAi, &[][..], "OPENAI_API_KEY"),
            (Service::Chat, &[], "CHAT_BASE_URL"),
            (Service::Chat, &[("CHAT_BASE_URL", "ftp://h")], "http://"),
            (Service::Chat, &[("CHAT_BASE_URL", "https://u:hunter2@h")], "password"),
            (Service::Chat, &[("CHAT_BASE_URL", "http://h"), ("CHAT_API_KEY", "hunter2")], "in the clear"),
            (Service::Chat, &[("CHAT_BASE_URL", "https://h"), ("CHAT_API_KEY", "hunter2\n x")], "characters"),
        ] {
            let error = choose(service, "", env).unwrap_err();
            assert!(error.contains(words) && !error.contains("hunter2"), "{words}: {error}");
        }
        let chosen = choose(Service::Chat, "", &[("CHAT_BASE_URL", "http://h:11434/v1")]).unwrap();
        assert_eq!((chosen.credential, chosen.base_url.as_str()), (None, "http://h:11434/v1"));
    }

    #[test]
    fn options_reach_the_provider() {
        let settings =
            "chat = { base_url = 'http://[::1]:1', options = { temperature = 0.5 }, silence_seconds_max = 5 }";
        let chosen = choose(Service::Chat, settings, &[]).unwrap();
        assert_eq!(chosen.config["options"], r#"{"temperature":0.5}"#);
        assert_eq!(chosen.config["silence-seconds-max"], "5");
        let debugged = format!("{:?}", toml::from_str::<ServiceFile>("key = 'hunter2'").unwrap());
        assert!(!debugged.contains("hunter2"), "{debugged}");
    }

    #[test]
    fn a_silence_has_bounds() {
        for (seconds, holds) in [(0, false), (1, true), (86_400, true), (86_401, false)] {
            let settings = format!("chat = {{ base_url = 'http://[::1]:1', silence_seconds_max = {seconds} }}");
            assert_eq!(choose(Service::Chat, &settings, &[]).is_ok(), holds, "{seconds}");
        }
    }

    #[test]
    fn prices_are_for_a_million() {
        let tokens = Tokens { input: 1_000_000, cached: 400_000, output: 100_000 };
        let price = Price { input: 2.0, cached: Some(0.5), output: 10.0 };
        assert!((price.of(tokens) - 2.4).abs() < 1e-9);
        assert!((Price { cached: None, ..price }.of(tokens) - 3.0).abs() < 1e-9);
    }
}
