//! `[net]` in settings and `--net`: what tools may ask of whom, and the secrets that the host adds on the way.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use wardian_host::wit::{NetLimits, NetPort, NetReach, NetRedirects, NetRule, NetSchemes, NetVerdict};
use wardian_host::{Code, Credential, NetOptions, Roots, SystemResolver};

use crate::failure::Failure;
use crate::search::Search;
use crate::settings::VerdictFile;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetFile {
    redirects: Option<RedirectsFile>,
    requests_max: Option<u32>,
    concurrent_max: Option<u32>,
    redirects_max: Option<u32>,
    url_bytes_max: Option<u32>,
    header_bytes_max: Option<u32>,
    request_bytes_max: Option<u64>,
    response_bytes_max: Option<u64>,
    connect_ms_max: Option<u32>,
    first_byte_ms_max: Option<u32>,
    between_bytes_ms_max: Option<u32>,
    total_ms_max: Option<u32>,
    rule: Vec<NetRuleFile>,
    credential: Vec<CredentialFile>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RedirectsFile {
    Refuse,
    Follow,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NetRuleFile {
    verdict: VerdictFile,
    host: String,
    port: Option<PortFile>,
    #[serde(default)]
    schemes: Vec<SchemeFile>,
    #[serde(default)]
    methods: Vec<String>,
    #[serde(default)]
    content_types: Vec<String>,
    networks: Option<NetworksFile>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a port, or \"*\"")]
enum PortFile {
    Number(u16),
    Text(AnyFile),
}

#[derive(Debug, Deserialize)]
enum AnyFile {
    #[serde(rename = "*")]
    Any,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SchemeFile {
    Http,
    Https,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a list of networks, or \"*\"")]
enum NetworksFile {
    Any(AnyFile),
    List(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CredentialFile {
    url: String,
    header: String,
    /// Name of the environment variable that holds it …
    env: Option<String>,
    /// … or itself.
    value: Option<String>,
    #[serde(default)]
    prefix: String,
}

/// Settings may be printed; secrets may not.
impl std::fmt::Debug for CredentialFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialFile").field("url", &self.url).field("header", &self.header).finish_non_exhaustive()
    }
}

/// What holds after files and flags.
#[derive(Debug, Default)]
pub struct Net {
    pub rules: Vec<NetRule>,
    limits: NetLimits,
    refuses_redirects: bool,
    pub credentials: Vec<Credential>,
}

impl NetFile {
    /// Why this must not stand in a project's file.
    pub fn widens(&self) -> Option<&'static str> {
        if self.rule.iter().any(|rule| rule.verdict == VerdictFile::Allow) {
            return Some("an allow rule of the network");
        }
        if self.rule.iter().any(|rule| rule.networks.is_some()) {
            return Some("a network rule with `networks`");
        }
        (!self.credential.is_empty()).then_some("`net.credential`")
    }
}

fn rule(rule: NetRuleFile, file: &str, number: usize) -> NetRule {
    let schemes = rule.schemes.iter().fold(NetSchemes::empty(), |all, scheme| {
        all | match scheme {
            SchemeFile::Http => NetSchemes::HTTP,
            SchemeFile::Https => NetSchemes::HTTPS,
        }
    });
    NetRule {
        name: format!("{file}: net.rule {number} ({})", rule.host),
        verdict: match rule.verdict {
            VerdictFile::Allow => NetVerdict::Allow,
            VerdictFile::Ask => NetVerdict::Ask,
            VerdictFile::Deny => NetVerdict::Deny,
        },
        schemes: if schemes == NetSchemes::empty() { NetSchemes::HTTP | NetSchemes::HTTPS } else { schemes },
        host: rule.host,
        port: match rule.port {
            None => None,
            Some(PortFile::Number(number)) => Some(NetPort::Number(number)),
            Some(PortFile::Text(AnyFile::Any)) => Some(NetPort::Any),
        },
        methods: rule.methods,
        content_types: rule.content_types,
        reach: match rule.networks {
            None => NetReach::Public,
            Some(NetworksFile::Any(AnyFile::Any)) => NetReach::Any,
            Some(NetworksFile::List(networks)) => NetReach::Networks(networks),
        },
    }
}

/// `--net HOST`, `HOST:PORT` or `HOST:*`.
fn flag(text: &str) -> Result<NetRule, Failure> {
    let wrong =
        |what: &str| Failure::usage(format!("--net {text}: {what}")).hint("--net HOST, --net HOST:PORT or --net '*'");
    // An address of IPv6 has colons of its own: with a port it stands in brackets.
    let is_address = text.parse::<std::net::Ipv6Addr>().is_ok() || (text.starts_with('[') && text.ends_with(']'));
    let (host, port) = match text.rsplit_once(':').filter(|_| !is_address) {
        None => (text, None),
        Some((host, "*")) => (host, Some(NetPort::Any)),
        Some((host, port)) => match port.parse() {
            Ok(number @ 1..) => (host, Some(NetPort::Number(number))),
            _ => return Err(wrong("it has no such port")),
        },
    };
    if host.is_empty() {
        return Err(wrong("there is no host"));
    }
    Ok(NetRule {
        name: format!("--net {text}"),
        verdict: NetVerdict::Allow,
        schemes: NetSchemes::HTTP | NetSchemes::HTTPS,
        host: host.to_owned(),
        port,
        methods: Vec::new(),
        content_types: Vec::new(),
        reach: NetReach::Public,
    })
}

fn credential(credential: CredentialFile, path: &Path) -> Result<Option<Credential>, Failure> {
    let CredentialFile { url, header, env, value, prefix } = credential;
    let wrong = |reason: String| Failure::usage(format!("{}: net.credential for {header}: {reason}", path.display()));
    let value = match (&env, value) {
        (Some(name), None) => match std::env::var(name) {
            Ok(value) if !value.is_empty() => value,
            // Whoever has no key goes without: what needs it says so.
            _ => return Ok(None),
        },
        (None, Some(value)) => value,
        _ => return Err(wrong("it needs either `env` or `value`".to_owned())),
    };
    Credential::new(&url, &header, &format!("{prefix}{value}")).map(Some).map_err(wrong)
}

impl Net {
    pub fn merge(project: (NetFile, &str), user: (NetFile, &str, &Path), flags: &[String]) -> Result<Self, Failure> {
        let ((project, project_name), (user, user_name, user_path)) = (project, user);
        let default = NetLimits::default();
        // The lower of the two files' bounds; the user's may be above the default.
        macro_rules! limits {
            ($($name:ident),*) => {
                NetLimits { $($name: {
                    let most = user.$name.unwrap_or(default.$name);
                    project.$name.map_or(most, |own| own.min(most))
                }),* }
            };
        }
        let limits = limits!(
            requests_max,
            concurrent_max,
            redirects_max,
            url_bytes_max,
            header_bytes_max,
            request_bytes_max,
            response_bytes_max,
            connect_ms_max,
            first_byte_ms_max,
            between_bytes_ms_max,
            total_ms_max
        );
        let refuses = |file: &NetFile| file.redirects == Some(RedirectsFile::Refuse);
        let refuses_redirects = refuses(&project) || refuses(&user);
        fn named(rules: Vec<NetRuleFile>, file: &str) -> impl Iterator<Item = NetRule> {
            rules.into_iter().enumerate().map(move |(index, file_rule)| rule(file_rule, file, index + 1))
        }
        let mut rules: Vec<NetRule> = flags.iter().map(|text| flag(text)).collect::<Result<_, _>>()?;
        rules.extend(named(user.rule, user_name));
        rules.extend(named(project.rule, project_name));
        let credentials = user.credential.into_iter().map(|file| credential(file, user_path));
        let credentials = credentials.filter_map(Result::transpose).collect::<Result<_, _>>()?;
        Ok(Self { rules, limits, refuses_redirects, credentials })
    }

    /// Whoever has a key for a search service means searches to reach it.
    pub fn lend(&mut self, search: &Search) {
        self.rules.push(search.rule.clone());
        self.credentials.push(search.credential.clone());
    }

    pub fn options(&self, netfetch: Code, unlisted_max: NetVerdict) -> NetOptions {
        NetOptions {
            netfetch,
            rules: self.rules.clone(),
            unlisted_max,
            limits: self.limits,
            redirects: if self.refuses_redirects { NetRedirects::Refuse } else { NetRedirects::Follow },
            credentials: self.credentials.clone(),
            resolver: Arc::new(SystemResolver),
            roots: machine_roots(),
        }
    }
}

/// Those that this machine trusts.
pub fn machine_roots() -> Roots {
    Arc::new(|| {
        let found = rustls_native_certs::load_native_certs();
        match (found.certs.is_empty(), found.errors.first()) {
            (true, Some(error)) => Err(format!("cannot read this machine's certificates: {error}")),
            _ => Ok(found.certs.into_iter().map(|certificate| certificate.to_vec()).collect()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> NetFile {
        toml::from_str(text).unwrap()
    }

    fn merge(project: &str, user: &str, flags: &[&str]) -> Result<Net, Failure> {
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        Net::merge((file(project), "wardian.toml"), (file(user), "config.toml", Path::new("config.toml")), &flags)
    }

    #[test]
    fn a_project_narrows() {
        assert!(file("[[rule]]\nverdict = \"allow\"\nhost = \"a\"").widens().is_some());
        assert!(file("[[rule]]\nverdict = \"ask\"\nhost = \"a\"\nnetworks = \"*\"").widens().is_some());
        assert!(file("[[credential]]\nurl = \"u\"\nheader = \"h\"\nvalue = \"v\"").widens().is_some());
        assert!(file("[[rule]]\nverdict = \"deny\"\nhost = \"a\"").widens().is_none());
        let net = merge("response_bytes_max = 5\nrequests_max = 1000000", "redirects_max = 99", &[]).unwrap();
        assert_eq!(net.limits.response_bytes_max, 5);
        assert_eq!(net.limits.requests_max, NetLimits::default().requests_max);
        assert_eq!(net.limits.redirects_max, 99);
        assert!(merge("redirects = \"refuse\"", "redirects = \"follow\"", &[]).unwrap().refuses_redirects);
        assert!(!merge("redirects = \"follow\"", "", &[]).unwrap().refuses_redirects);
    }

    #[test]
    fn rules_are_named_by_where_they_stand() {
        let rule = "[[rule]]\nverdict = \"deny\"\nhost = \"a.example\"\n";
        let net = merge(rule, &rule.repeat(2), &["b.example:8080", "::1", "[::1]:80", "*"]).unwrap();
        let names: Vec<&str> = net.rules.iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(names[..4], ["--net b.example:8080", "--net ::1", "--net [::1]:80", "--net *"]);
        assert_eq!(names[5], "config.toml: net.rule 2 (a.example)");
        assert_eq!(names[6], "wardian.toml: net.rule 1 (a.example)");
        assert_eq!((&net.rules[0].host[..], net.rules[0].port), ("b.example", Some(NetPort::Number(8080))));
        assert_eq!((&net.rules[1].host[..], net.rules[1].port), ("::1", None));
        for wrong in ["a:0", "a:x", ":80", ""] {
            assert!(merge("", "", &[wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_credential_is_said_without_it() {
        let of = |more: &str| {
            merge("", &format!("[[credential]]\nurl = \"https://a.example\"\nheader = \"h\"\n{more}"), &[])
        };
        assert_eq!(of("value = \"SECRET\"").unwrap().credentials.len(), 1);
        assert_eq!(of("env = \"WARDIAN_NO_SUCH_VARIABLE\"").unwrap().credentials.len(), 0);
        let error = format!("{:?}", of("value = \"SECRET\\n\"").unwrap_err());
        assert!(!error.contains("SECRET"), "{error}");
        assert!(of("").is_err());
        let file = file("[[credential]]\nurl = \"u\"\nheader = \"h\"\nvalue = \"SECRET\"");
        assert!(!format!("{file:?}").contains("SECRET"));
    }
}
