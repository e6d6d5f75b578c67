//! A policy's options, checked once: what is malformed, and what this host cannot enforce, makes no policy.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::address::{holds, not_public};
use crate::exports::wardian::netfetch::policy::{
    Abilities, Invalid, Limits, Options, Port, Reach, Redirects, Rule, Schemes, Verdict,
};
use crate::pattern::{HostPattern, host_and_port};
use crate::place::{Place, is_of_another_protocol};

/// A rule that is known to be whole.
pub struct Compiled {
    pub name: String,
    pub verdict: Verdict,
    schemes: Schemes,
    host: HostPattern,
    port: Option<Port>,
    methods: Vec<String>,
    pub content_types: Vec<String>,
    pub reach: Reached,
}

/// Where a rule may lead.
pub enum Reached {
    /// Public addresses, and these networks.
    Public(Vec<IpNet>),
    Any,
}

impl Reached {
    /// What the address is, if it is not reached.
    pub fn refuses(&self, address: IpAddr) -> Option<&'static str> {
        match self {
            Self::Any => None,
            Self::Public(and) if and.iter().any(|network| holds(network, address)) => None,
            Self::Public(_) => not_public(address),
        }
    }

    /// Whether more than public addresses are reached.
    pub fn is_wider(&self) -> bool {
        !matches!(self, Self::Public(networks) if networks.is_empty())
    }
}

pub struct Checked {
    pub rules: Vec<Compiled>,
    pub within: Vec<(HostPattern, Option<Port>)>,
    pub unlisted: Verdict,
    pub limits: Limits,
    pub follows: bool,
}

/// Limits of zero that would forbid everything are mistakes; those that forbid one thing are not.
fn check_limits(limits: &Limits) -> Result<(), Invalid> {
    let at_least_one = [
        ("requests-max", u64::from(limits.requests_max)),
        ("concurrent-max", limits.concurrent_max.into()),
        ("url-bytes-max", limits.url_bytes_max.into()),
        ("header-bytes-max", limits.header_bytes_max.into()),
        ("connect-ms-max", limits.connect_ms_max.into()),
        ("first-byte-ms-max", limits.first_byte_ms_max.into()),
        ("between-bytes-ms-max", limits.between_bytes_ms_max.into()),
        ("total-ms-max", limits.total_ms_max.into()),
    ];
    match at_least_one.into_iter().find(|(_, value)| *value == 0) {
        Some((name, _)) => Err(Invalid::Setting((name.to_owned(), "it must be at least 1".to_owned()))),
        None => Ok(()),
    }
}

pub fn check(options: Options, abilities: Abilities) -> Result<Checked, Invalid> {
    check_limits(&options.limits)?;
    let needs = |what: &str, ability: &str| Invalid::Unenforceable((what.to_owned(), ability.to_owned()));
    let sees_addresses = abilities.contains(Abilities::ADDRESSES);
    let follows = options.redirects == Redirects::Follow;
    if follows && !abilities.contains(Abilities::REDIRECTS) {
        return Err(needs("redirects", "redirects"));
    }
    if options.unlisted != Verdict::Deny && !sees_addresses {
        return Err(needs("unlisted", "addresses"));
    }
    let mut rules = Vec::new();
    for rule in options.rules {
        let name = rule.name.clone();
        let compiled = compile(rule).map_err(|reason| Invalid::Rule((name.clone(), reason)))?;
        let leads_by_name = !matches!(compiled.host, HostPattern::Address(_));
        let checks_addresses = matches!(compiled.reach, Reached::Public(_));
        if compiled.verdict != Verdict::Deny && leads_by_name && checks_addresses && !sees_addresses {
            return Err(needs(&name, "addresses"));
        }
        rules.push(compiled);
    }
    let within = options.within.iter().map(|text| host_and_port(text)).collect::<Result<_, _>>();
    let within = within.map_err(|reason| Invalid::Setting(("within".to_owned(), reason)))?;
    Ok(Checked { rules, within, unlisted: options.unlisted, limits: options.limits, follows })
}

fn compile(rule: Rule) -> Result<Compiled, String> {
    let Rule { name, verdict, schemes, host, port, methods, content_types, reach } = rule;
    if schemes.is_empty() {
        return Err("it has no scheme".to_owned());
    }
    if let Some(method) =
        methods.iter().find(|method| method.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-'))
    {
        return Err(format!("{method:?} is no method: they are upper case"));
    }
    let is_type = |text: &String| {
        text.split_once('/').is_some_and(|(kind, sub)| !kind.is_empty() && kind != "*" && !sub.is_empty())
    };
    if let Some(text) = content_types.iter().find(|text| !is_type(text)) {
        return Err(format!("{text:?} is no content type: text/html or text/*"));
    }
    if verdict == Verdict::Deny && !content_types.is_empty() {
        return Err(
            "it denies by content type, which is known only once the request was sent: allow those you want".to_owned()
        );
    }
    if verdict == Verdict::Deny && matches!(reach, Reach::Networks(_)) {
        return Err("it denies and names networks: what is not public is denied unless a rule allows it".to_owned());
    }
    if port == Some(Port::Number(0)) {
        return Err("its port is 0".to_owned());
    }
    let host = HostPattern::parse(&host)?;
    let reach = match reach {
        Reach::Any => Reached::Any,
        Reach::Public => Reached::Public(implied(&host)),
        Reach::Networks(networks) => {
            let mut reached = implied(&host);
            for text in networks {
                let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
                reached.push(network.map_err(|_| format!("{text:?} is no network: 10.0.0.0/8 or ::1/128"))?);
            }
            Reached::Public(reached)
        }
    };
    let content_types = content_types.iter().map(|text| text.to_ascii_lowercase()).collect();
    Ok(Compiled { name, verdict, schemes, host, port, methods, content_types, reach })
}

/// Who names an address means it.
fn implied(host: &HostPattern) -> Vec<IpNet> {
    match host {
        HostPattern::Address(address) => vec![IpNet::from(*address)],
        HostPattern::Name(name) | HostPattern::Below(name) if name == "localhost" || name.ends_with(".localhost") => {
            ["127.0.0.0/8", "::1/128"].iter().filter_map(|network| network.parse().ok()).collect()
        }
        _ => Vec::new(),
    }
}

impl Compiled {
    pub fn fits(&self, place: &Place, method: &str) -> bool {
        let scheme = if place.url.scheme() == "https" { Schemes::HTTPS } else { Schemes::HTTP };
        let port = match self.port {
            Some(Port::Number(number)) => number == place.port,
            Some(Port::Any) => !is_of_another_protocol(place.port),
            None => place.is_default_port(),
        };
        self.schemes.contains(scheme)
            && port
            && (self.methods.is_empty() || self.methods.iter().any(|allowed| allowed == method))
            && self.host.fits(&place.host)
    }
}

/// `within` names what code needs at most; a host without a port is meant on each.
pub fn is_within(within: &[(HostPattern, Option<Port>)], place: &Place) -> bool {
    within.iter().any(|(host, port)| {
        host.fits(&place.host)
            && match port {
                Some(Port::Number(number)) => *number == place.port,
                Some(Port::Any) | None => true,
            }
    })
}
