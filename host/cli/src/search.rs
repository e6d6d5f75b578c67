//! `[search]` in settings, and the keys of search services: what WebSearch is told, and what the host adds on the way.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use wardian_host::wit::{NetPort, NetReach, NetRule, NetSchemes, NetVerdict};
use wardian_host::{Credential, origin};

use crate::failure::Failure;

/// The tool, and the component that it is in.
pub const TOOL: &str = "WebSearch";
pub const COMPONENT: &str = "tool-web";

/// How to come by it.
pub const HINT: &str = "it needs a key of a search service: get one at tavily.com or brave.com/search/api, and set \
                        TAVILY_API_KEY or BRAVE_API_KEY (docs/tools.md)";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Service {
    Tavily,
    Brave,
}

impl Service {
    const ALL: [Self; 2] = [Self::Tavily, Self::Brave];

    /// As the component knows it.
    fn name(self) -> &'static str {
        match self {
            Self::Tavily => "tavily",
            Self::Brave => "brave",
        }
    }

    /// The variable of the environment that has the key.
    fn variable(self) -> &'static str {
        match self {
            Self::Tavily => "TAVILY_API_KEY",
            Self::Brave => "BRAVE_API_KEY",
        }
    }

    fn base_url(self) -> &'static str {
        match self {
            Self::Tavily => "https://api.tavily.com",
            Self::Brave => "https://api.search.brave.com",
        }
    }

    /// The header that has the key, and what stands before it.
    fn header(self) -> (&'static str, &'static str) {
        match self {
            Self::Tavily => ("authorization", "Bearer "),
            Self::Brave => ("x-subscription-token", ""),
        }
    }

    fn method(self) -> &'static str {
        match self {
            Self::Tavily => "POST",
            Self::Brave => "GET",
        }
    }
}

/// What the settings say.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SearchFile {
    service: Option<Service>,
    base_url: Option<String>,
    key: Option<String>,
}

/// Settings may be printed; secrets may not.
impl fmt::Debug for SearchFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SearchFile").field("service", &self.service).finish_non_exhaustive()
    }
}

/// A service with a key.
#[derive(Debug)]
pub struct Search {
    /// What the component finds in its configuration.
    pub config: HashMap<String, String>,
    /// For the host alone.
    pub credential: Credential,
    /// That it may be asked.
    pub rule: NetRule,
}

impl SearchFile {
    /// The service, if there is a key for one: that of the settings, or the first whose key the environment has.
    pub fn choose(self, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Search>, Failure> {
        let Self { service, base_url, key } = self;
        if service.is_none() && (base_url.is_some() || key.is_some()) {
            return Err(Failure::usage("`search` names no service").hint("add service = \"tavily\" or \"brave\""));
        }
        let of = |service: Service| variable(service.variable()).filter(|key| !key.is_empty());
        let chosen = match service {
            Some(service) => key.filter(|key| !key.is_empty()).or_else(|| of(service)).map(|key| (service, key)),
            None => Service::ALL.into_iter().find_map(|service| Some((service, of(service)?))),
        };
        chosen.map(|(service, key)| search(service, base_url, &key)).transpose()
    }
}

fn search(service: Service, base_url: Option<String>, key: &str) -> Result<Search, Failure> {
    let base_url = base_url.unwrap_or_else(|| service.base_url().to_owned());
    let wrong = |what: &str, reason: String| Failure::usage(format!("the {what} for WebSearch: {reason}"));
    let at = origin(&base_url).map_err(|reason| wrong("base URL", reason))?;
    let (header, prefix) = service.header();
    let credential =
        Credential::new(&base_url, header, &format!("{prefix}{key}")).map_err(|reason| wrong("key", reason))?;
    let rule = NetRule {
        name: format!("search ({})", service.name()),
        verdict: NetVerdict::Allow,
        schemes: if at.scheme == "https" { NetSchemes::HTTPS } else { NetSchemes::HTTP },
        host: at.host,
        port: Some(NetPort::Number(at.port)),
        methods: vec![service.method().to_owned()],
        content_types: Vec::new(),
        reach: NetReach::Public,
    };
    let config = [("search", service.name().to_owned()), ("search-base-url", base_url)];
    let config = config.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Ok(Search { config, credential, rule })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(file: &str, variables: &[(&str, &str)]) -> Result<Option<Search>, Failure> {
        let file: SearchFile = toml::from_str(file).unwrap();
        file.choose(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    fn chosen(file: &str, variables: &[(&str, &str)]) -> Option<(String, String, String)> {
        let search = choose(file, variables).unwrap()?;
        Some((search.config["search"].clone(), search.config["search-base-url"].clone(), search.rule.host))
    }

    #[test]
    fn a_key_is_what_makes_a_service() {
        let own = |name: &str, host: &str| Some((name.to_owned(), format!("https://{host}"), host.to_owned()));
        let (tavily, brave) = (own("tavily", "api.tavily.com"), own("brave", "api.search.brave.com"));
        assert_eq!(chosen("", &[]), None);
        assert_eq!(chosen("", &[("BRAVE_API_KEY", "k"), ("TAVILY_API_KEY", "")]), brave);
        assert_eq!(chosen("", &[("BRAVE_API_KEY", "k"), ("TAVILY_API_KEY", "k")]), tavily);
        assert_eq!(chosen("service = \"brave\"", &[("BRAVE_API_KEY", "k"), ("TAVILY_API_KEY", "k")]), brave);
        assert_eq!(chosen("service = \"brave\"\nkey = \"k\"", &[]), brave);
        assert_eq!(chosen("service = \"brave\"", &[("TAVILY_API_KEY", "k")]), None);
        let elsewhere = chosen("service = \"tavily\"\nkey = \"k\"\nbase_url = \"http://127.0.0.1:8080/x\"", &[]);
        assert_eq!(elsewhere.unwrap(), ("tavily".into(), "http://127.0.0.1:8080/x".into(), "127.0.0.1".into()));
    }

    #[test]
    fn the_key_is_only_where_it_belongs() {
        let search = choose("service = \"tavily\"\nkey = \"SECRET\"", &[]).unwrap().unwrap();
        assert!(!format!("{search:?}").contains("SECRET"));
        let file: SearchFile = toml::from_str("service = \"tavily\"\nkey = \"SECRET\"").unwrap();
        assert!(!format!("{file:?}").contains("SECRET"));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_key() {
        for file in [
            "key = \"SECRET\"",
            "base_url = \"https://a.test\"",
            "service = \"tavily\"\nkey = \"SECRET\\n\"",
            "service = \"tavily\"\nkey = \"SECRET\"\nbase_url = \"ftp://a.test\"",
        ] {
            let error = format!("{:?}", choose(file, &[]).unwrap_err());
            assert!(!error.contains("SECRET"), "{error}");
        }
        assert!(toml::from_str::<SearchFile>("service = \"other\"").is_err());
    }
}
