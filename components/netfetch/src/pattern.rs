//! Hosts as rules write them.

use std::net::IpAddr;

use url::Host;

use crate::exports::wardian::netfetch::policy::Port;

/// The host of a rule.
#[derive(Debug, Clone, PartialEq)]
pub enum HostPattern {
    All,
    /// Each name below this one.
    Below(String),
    Name(String),
    Address(IpAddr),
}

impl HostPattern {
    /// Reads a host as the URL standard does, so that `EXAMPLE.org`, `0x7f.1` and `bücher.example` are what they are in a URL.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::All);
        }
        let (name, below) = match text.strip_prefix("*.") {
            Some(suffix) => (suffix, true),
            None => (text, false),
        };
        if name.contains('*') {
            return Err(format!("{text:?} is no host: `*` stands alone, or before the first dot"));
        }
        // An address of IPv6 may be written without its brackets.
        let bracketed = name.parse::<std::net::Ipv6Addr>().map(|address| format!("[{address}]"));
        let host = Host::parse(bracketed.as_deref().unwrap_or(name))
            .map_err(|error| format!("{text:?} is no host: {error}"))?;
        match (host, below) {
            (Host::Domain(name), _) => {
                let name = without_dot(&name).to_owned();
                if name.is_empty() {
                    return Err(format!("{text:?} is no host"));
                }
                Ok(if below { Self::Below(name) } else { Self::Name(name) })
            }
            (Host::Ipv4(address), false) => Ok(Self::Address(address.into())),
            (Host::Ipv6(address), false) => Ok(Self::Address(address.into())),
            _ => Err(format!("{text:?} is no host: nothing is below an address")),
        }
    }

    pub fn fits(&self, host: &Host<String>) -> bool {
        match (self, host) {
            (Self::All, _) => true,
            (Self::Name(name), Host::Domain(host)) => name == host,
            (Self::Below(suffix), Host::Domain(host)) => {
                host.strip_suffix(suffix.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            (Self::Address(address), Host::Ipv4(host)) => *address == *host,
            // One address of IPv4 has several forms in IPv6; a rule for it means them all.
            (Self::Address(address), Host::Ipv6(host)) => {
                *address == *host || host.to_ipv4_mapped().is_some_and(|host| *address == host)
            }
            _ => false,
        }
    }
}

/// `example.org.` is `example.org`.
pub fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// `HOST`, `HOST:PORT` or `HOST:*`, as powers and flags write it.
pub fn host_and_port(text: &str) -> Result<(HostPattern, Option<Port>), String> {
    let is_bare_v6 = text.parse::<std::net::Ipv6Addr>().is_ok();
    let split =
        text.rsplit_once(':').filter(|(host, _)| !is_bare_v6 && (!host.starts_with('[') || host.ends_with(']')));
    let (host, port) = match split {
        Some((host, "*")) => (host, Some(Port::Any)),
        Some((host, port)) => match port.parse() {
            Ok(number @ 1..) => (host, Some(Port::Number(number))),
            _ => return Err(format!("{text:?}: {port:?} is no port")),
        },
        None => (text, None),
    };
    Ok((HostPattern::parse(host)?, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, host: &str) -> bool {
        HostPattern::parse(pattern).unwrap().fits(&Host::parse(host).unwrap())
    }

    #[test]
    fn hosts_are_read_as_in_urls() {
        assert!(fits("EXAMPLE.org", "example.org") && fits("example.org.", "example.org"));
        assert!(fits("bücher.example", "xn--bcher-kva.example"));
        assert!(fits("0x7f.1", "127.0.0.1") && fits("127.0.0.1", "[::ffff:127.0.0.1]"));
        assert!(fits("::1", "[::1]") && fits("[::1]", "[::1]"));
        assert!(fits("*", "example.org") && fits("*", "1.1.1.1"));
    }

    #[test]
    fn a_suffix_means_what_is_below_it() {
        assert!(fits("*.example.org", "a.example.org") && fits("*.example.org", "a.b.example.org"));
        assert!(!fits("*.example.org", "example.org") && !fits("*.example.org", "badexample.org"));
        assert!(!fits("*.example.org", "example.org.evil.net"));
        assert!(!fits("example.org", "a.example.org"));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in ["", "a.*.b", "**", "*.1.1.1.1", "exa mple", "a/b", ".", "*."] {
            assert!(HostPattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ports() {
        let read = |text: &str| host_and_port(text).map(|(_, port)| port);
        assert_eq!(read("example.org"), Ok(None));
        assert_eq!(read("example.org:8080"), Ok(Some(Port::Number(8080))));
        assert_eq!(read("localhost:*"), Ok(Some(Port::Any)));
        assert_eq!(read("::1"), Ok(None));
        assert_eq!(read("[::1]:80"), Ok(Some(Port::Number(80))));
        assert_eq!(read("[::1]"), Ok(None));
        assert!(read("example.org:0").is_err() && read("example.org:x").is_err() && read("example.org:70000").is_err());
    }
}
