//! Where a request goes: a URL, taken apart as the URL standard says.

use std::net::IpAddr;

use url::{Host, Url};

use crate::exports::wardian::netfetch::policy::Origin;
use crate::pattern::without_dot;

/// A URL that may be asked about.
#[derive(Debug, Clone)]
pub struct Place {
    pub url: Url,
    pub host: Host<String>,
    pub port: u16,
}

impl Place {
    /// Reads a URL, relative to `base` if it is. The error is one line.
    pub fn read(text: &str, base: Option<&Url>, bytes_max: u32) -> Result<Self, String> {
        if text.len() > bytes_max as usize {
            return Err(format!("it has {} bytes, more than url-bytes-max ({bytes_max})", text.len()));
        }
        let mut url = Url::options().base_url(base).parse(text).map_err(|error| error.to_string())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("its scheme is {}, not http or https", url.scheme()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it has a user name or a password in it".to_owned());
        }
        url.set_fragment(None);
        // The same place with and without it, so that no rule is passed by a dot.
        if let Some(name) = url.domain().filter(|name| name.ends_with('.')) {
            let name = without_dot(name).to_owned();
            if name.is_empty() || name.ends_with('.') {
                return Err("its host has an empty label".to_owned());
            }
            url.set_host(Some(&name)).map_err(|error| error.to_string())?;
        }
        let host = url.host().map(|host| host.to_owned()).ok_or("it has no host")?;
        let port = url.port_or_known_default().filter(|port| *port != 0).ok_or("its port is 0")?;
        if url.as_str().len() > bytes_max as usize {
            return Err(format!("it has more than url-bytes-max bytes ({bytes_max})"));
        }
        Ok(Self { url, host, port })
    }

    pub fn address(&self) -> Option<IpAddr> {
        match &self.host {
            Host::Ipv4(address) => Some((*address).into()),
            Host::Ipv6(address) => Some((*address).into()),
            Host::Domain(_) => None,
        }
    }

    pub fn is_default_port(&self) -> bool {
        self.url.port().is_none()
    }

    /// As rules write it.
    pub fn named(&self) -> String {
        if self.is_default_port() { self.host.to_string() } else { format!("{}:{}", self.host, self.port) }
    }

    pub fn origin(&self) -> Origin {
        let host = match &self.host {
            Host::Ipv6(address) => address.to_string(),
            host => host.to_string(),
        };
        Origin { scheme: self.url.scheme().to_owned(), host, port: self.port }
    }

    pub fn same_origin(&self, other: &Self) -> bool {
        self.url.origin() == other.url.origin()
    }

    /// For people: a secret in a query is nobody's business.
    pub fn shown(&self) -> String {
        let mut shown = self.url.clone();
        let hidden: Option<Vec<String>> = self.url.query().map(|query| {
            let parts = query.split('&').filter(|part| !part.is_empty());
            parts.map(|part| part.split_once('=').map_or("…".to_owned(), |(name, _)| format!("{name}=…"))).collect()
        });
        shown.set_query(None);
        match hidden {
            Some(parts) => format!("{shown}?{}", parts.join("&")),
            None => shown.into(),
        }
    }
}

/// Ports of other protocols, which servers of them could be made to obey: the list of the Fetch standard.
const OTHER_PROTOCOLS: [u16; 82] = [
    1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110,
    111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532,
    540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061,
    6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];

pub fn is_of_another_protocol(port: u16) -> bool {
    OTHER_PROTOCOLS.contains(&port)
}
