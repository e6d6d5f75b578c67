//! Which addresses are public: everything else is reached only where a rule names it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// From the registry of special-purpose addresses, with what such an address is. Providers of machines put services that
/// hand out keys on some of them.
const NOT_PUBLIC_V4: [(&str, &str); 17] = [
    ("0.0.0.0/8", "an address of this host"),
    ("10.0.0.0/8", "a private address"),
    ("100.64.0.0/10", "an address of a carrier's network"),
    ("127.0.0.0/8", "a loopback address"),
    ("168.63.129.16/32", "an address of a metadata service"),
    ("169.254.0.0/16", "a link-local address"),
    ("172.16.0.0/12", "a private address"),
    ("192.0.0.0/24", "a reserved address"),
    ("192.0.2.0/24", "an address for documentation"),
    ("192.88.99.0/24", "a reserved address"),
    ("192.168.0.0/16", "a private address"),
    ("198.18.0.0/15", "an address for benchmarks"),
    ("198.51.100.0/24", "an address for documentation"),
    ("203.0.113.0/24", "an address for documentation"),
    ("224.0.0.0/4", "a multicast address"),
    ("240.0.0.0/4", "a reserved address"),
    ("255.255.255.255/32", "a broadcast address"),
];

const NOT_PUBLIC_V6: [(&str, &str); 11] = [
    ("::/128", "an address of this host"),
    ("::1/128", "a loopback address"),
    ("100::/64", "an address that discards"),
    ("2001::/23", "an address of a tunnel or a protocol"),
    ("2001:db8::/32", "an address for documentation"),
    ("2002::/16", "an address of a tunnel (6to4)"),
    ("3fff::/20", "an address for documentation"),
    ("fc00::/7", "a private address"),
    ("fe80::/10", "a link-local address"),
    ("fec0::/10", "a private address"),
    ("ff00::/8", "a multicast address"),
];

/// All that is given out to the public.
const GLOBAL_V6: &str = "2000::/3";

/// An address of IPv4, for networks that have only IPv6.
const NAT64: &str = "64:ff9b::/96";

fn find<N: std::str::FromStr, A>(
    table: &[(&str, &'static str)],
    contains: impl Fn(&N, &A) -> bool,
    address: &A,
) -> Option<&'static str> {
    let fits = |network: &str| network.parse::<N>().is_ok_and(|network| contains(&network, address));
    table.iter().find(|(network, _)| fits(network)).map(|(_, what)| *what)
}

/// What the address is, if it is no public one.
pub fn not_public(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => not_public_v4(address),
        IpAddr::V6(address) => not_public_v6(address),
    }
}

fn not_public_v4(address: Ipv4Addr) -> Option<&'static str> {
    find(&NOT_PUBLIC_V4, |network: &Ipv4Net, address| network.contains(address), &address)
}

fn not_public_v6(address: Ipv6Addr) -> Option<&'static str> {
    if let Some(inside) = v4_inside(address) {
        return not_public_v4(inside);
    }
    let within = |network: &str| network.parse::<Ipv6Net>().is_ok_and(|network| network.contains(&address));
    find(&NOT_PUBLIC_V6, |network: &Ipv6Net, address| network.contains(address), &address)
        .or_else(|| (!within(GLOBAL_V6)).then_some("a reserved address"))
}

/// The address of IPv4 that an address of IPv6 stands for.
fn v4_inside(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., a, b, c, d] = address.octets();
    let nat64 = NAT64.parse::<Ipv6Net>().is_ok_and(|network| network.contains(&address));
    address.to_ipv4_mapped().or(nat64.then(|| Ipv4Addr::new(a, b, c, d)))
}

/// Whether the network holds the address, or the address of IPv4 that it stands for.
pub fn holds(network: &IpNet, address: IpAddr) -> bool {
    let inside = match address {
        IpAddr::V6(address) => v4_inside(address).map(IpAddr::V4),
        IpAddr::V4(_) => None,
    };
    network.contains(&address) || inside.is_some_and(|inside| network.contains(&inside))
}

/// As a resolver or a URL writes it: with brackets or a zone, too.
pub fn parse(text: &str) -> Option<IpAddr> {
    let text = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    text.split('%').next()?.parse().ok()
}

/// Names that never lead to a public address, whatever they resolve to.
pub fn special_name(host: &str) -> Option<&'static str> {
    let below = |suffix: &str| host == suffix || host.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.'));
    if below("localhost") {
        return Some("a name for loopback");
    }
    ["local", "internal", "home.arpa", "localdomain"]
        .iter()
        .any(|suffix| below(suffix))
        .then_some("a name in a private network")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_networks() {
        for (network, _) in NOT_PUBLIC_V4 {
            assert!(network.parse::<Ipv4Net>().is_ok(), "{network}");
        }
        for (network, _) in NOT_PUBLIC_V6 {
            assert!(network.parse::<Ipv6Net>().is_ok(), "{network}");
        }
        assert!(GLOBAL_V6.parse::<Ipv6Net>().is_ok() && NAT64.parse::<Ipv6Net>().is_ok());
    }

    #[test]
    fn what_stands_for_an_address_of_ipv4_is_judged_as_that() {
        let what = |text: &str| not_public(parse(text).unwrap());
        assert_eq!(what("::ffff:127.0.0.1"), Some("a loopback address"));
        assert_eq!(what("64:ff9b::a00:1"), Some("a private address"));
        assert_eq!(what("::ffff:1.1.1.1"), None);
        assert_eq!(what("64:ff9b::1.1.1.1"), None);
        assert_eq!(what("64:ff9b:1::1.1.1.1"), Some("a reserved address"));
        assert_eq!(what("::127.0.0.1"), Some("a reserved address"));
        assert_eq!(what("fe80::1%eth0"), Some("a link-local address"));
        let loopback: IpNet = "127.0.0.0/8".parse().unwrap();
        assert!(holds(&loopback, parse("::ffff:127.0.0.1").unwrap()) && !holds(&loopback, parse("::1").unwrap()));
    }

    #[test]
    fn names_that_are_never_public() {
        for name in ["localhost", "a.localhost", "printer.local", "metadata.google.internal", "x.home.arpa"] {
            assert!(special_name(name).is_some(), "{name}");
        }
        for name in ["example.org", "notlocalhost", "localhost.example.org", "internal.example.org"] {
            assert!(special_name(name).is_none(), "{name}");
        }
    }
}
