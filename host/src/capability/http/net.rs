//! The network of one session: its rules, its secrets, its connections.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use tokio::sync::OnceCell;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use super::connect::Pool;
use super::policy::{Broken, Netfetch, Options, describe};
use crate::wit::{NetLimits, NetOrigin, NetPort, NetReach, NetRedirects, NetRule, NetSchemes, NetVerdict};
use crate::{Code, Error, Host};

impl Default for NetLimits {
    /// For tools: what a page or a package takes, and no more than a call may last.
    fn default() -> Self {
        Self {
            requests_max: 200,
            concurrent_max: 8,
            redirects_max: 10,
            url_bytes_max: 8 << 10,
            header_bytes_max: 64 << 10,
            request_bytes_max: 64 << 20,
            response_bytes_max: 256 << 20,
            connect_ms_max: 10_000,
            first_byte_ms_max: 60_000,
            between_bytes_ms_max: 30_000,
            total_ms_max: 120_000,
        }
    }
}

/// Resolves names. What it answers is checked before anything connects.
pub trait Resolver: Send + Sync + 'static {
    /// All addresses of a name.
    fn resolve(&self, host: String, port: u16) -> Resolving;
}

/// A lookup under way.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// The machine's own resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, host: String, port: u16) -> Resolving {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

/// Certificates of those who may vouch for servers, in DER. Asked for once, where TLS is first needed; may block.
pub type Roots = Arc<dyn Fn() -> Result<Vec<Vec<u8>>, String> + Send + Sync>;

/// A header that the host adds to requests to one origin, and to no other. No component sees it.
#[derive(Clone)]
pub struct Credential {
    pub(crate) origin: NetOrigin,
    pub(crate) header: http::HeaderName,
    pub(crate) value: http::HeaderValue,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("origin", &self.origin).field("header", &self.header).finish_non_exhaustive()
    }
}

/// Scheme, host and port of a URL, as the URL standard writes them. The error is one line, without the URL.
pub fn origin(url: &str) -> Result<NetOrigin, String> {
    let url = url::Url::parse(url).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("its scheme is {}, not http or https", url.scheme()));
    }
    let host = match url.host().ok_or("it has no host")? {
        url::Host::Domain(name) => name.strip_suffix('.').unwrap_or(name).to_owned(),
        url::Host::Ipv4(address) => address.to_string(),
        url::Host::Ipv6(address) => address.to_string(),
    };
    let port = url.port_or_known_default().ok_or("it has no port")?;
    Ok(NetOrigin { scheme: url.scheme().to_owned(), host, port })
}

impl Credential {
    /// For the origin of `url`. The error never has the value in it.
    pub fn new(url: &str, header: &str, value: &str) -> Result<Self, String> {
        let origin = origin(url).map_err(|reason| format!("the URL of a credential is refused: {reason}"))?;
        let header = header.parse().map_err(|_| format!("{header:?} is no name of a header"))?;
        let mut value = http::HeaderValue::from_str(value)
            .map_err(|_| format!("the value for {header} has characters that no header may have"))?;
        value.set_sensitive(true);
        Ok(Self { origin, header, value })
    }
}

/// What a session's requests are decided and made by.
pub struct NetOptions {
    /// The component `netfetch`.
    pub netfetch: Code,
    /// What the user allows, asks to be asked about, and denies.
    pub rules: Vec<NetRule>,
    /// What becomes at most of requests to hosts that no rule names; a grant may be stricter.
    pub unlisted_max: NetVerdict,
    /// Bounds of each call.
    pub limits: NetLimits,
    /// What becomes of a response that redirects.
    pub redirects: NetRedirects,
    /// Added at the edge.
    pub credentials: Vec<Credential>,
    /// Looks names up.
    pub resolver: Arc<dyn Resolver>,
    /// Who may vouch for servers.
    pub roots: Roots,
}

impl NetOptions {
    /// For a model's provider: the origin of `base_url` and no other, with the patience that models need. `named_by_user`
    /// says that the user wrote the URL, and so meant wherever it leads: a server on this machine, or in the same network.
    ///
    /// # Errors
    /// One line: the URL is none that requests can be sent to.
    pub fn only(
        netfetch: Code,
        base_url: &str,
        named_by_user: bool,
        credentials: Vec<Credential>,
        roots: Roots,
    ) -> Result<Self, String> {
        let NetOrigin { scheme, host, port } = origin(base_url)?;
        let rule = NetRule {
            name: format!("the model's server {host}"),
            verdict: NetVerdict::Allow,
            schemes: if scheme == "https" { NetSchemes::HTTPS } else { NetSchemes::HTTP },
            host,
            port: Some(NetPort::Number(port)),
            methods: Vec::new(),
            content_types: Vec::new(),
            reach: if named_by_user { NetReach::Any } else { NetReach::Public },
        };
        let limits = NetLimits {
            // Budgets bound what a model is asked; a session may go on for as long as its user wants.
            requests_max: u32::MAX,
            redirects_max: 0,
            first_byte_ms_max: 600_000,
            between_bytes_ms_max: 300_000,
            total_ms_max: 3_600_000,
            ..NetLimits::default()
        };
        Ok(Self {
            netfetch,
            rules: vec![rule],
            unlisted_max: NetVerdict::Deny,
            limits,
            redirects: NetRedirects::Refuse,
            credentials,
            resolver: Arc::new(SystemResolver),
            roots,
        })
    }
}

/// The network of one session, or of its model's provider. Cheap to clone; connections are shared.
#[derive(Clone)]
pub struct Net(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) netfetch: Netfetch,
    rules: Vec<NetRule>,
    unlisted_max: NetVerdict,
    limits: NetLimits,
    redirects: NetRedirects,
    pub(crate) credentials: Vec<Credential>,
    pub(crate) resolver: Arc<dyn Resolver>,
    roots: Roots,
    tls: OnceCell<Arc<ClientConfig>>,
    pub(crate) pool: Mutex<HashMap<NetOriginKey, Pool>>,
}

pub(crate) type NetOriginKey = (String, String, u16);

impl Net {
    /// Checks the rules once, so that a mistake in them is found before anything runs.
    ///
    /// # Errors
    /// [`Error::Policy`] for rules that are malformed, or that this host cannot enforce.
    pub async fn new(host: &Host, options: NetOptions) -> Result<Self, Error> {
        let netfetch = Netfetch::new(host, &options.netfetch)?;
        let NetOptions { rules, unlisted_max, limits, redirects, credentials, resolver, roots, .. } = options;
        let net = Self(Arc::new(Inner {
            netfetch,
            rules,
            unlisted_max,
            limits,
            redirects,
            credentials,
            resolver,
            roots,
            tls: OnceCell::new(),
            pool: Mutex::default(),
        }));
        match net.0.netfetch.policy(&net.policy(vec!["*".to_owned()], NetVerdict::Deny)).await {
            Ok(_) => Ok(net),
            Err(Broken::Invalid(invalid)) => Err(Error::Policy(describe(&invalid))),
            Err(Broken::Code(reason)) => Err(Error::Policy(format!("the network policy broke: {reason}"))),
        }
    }

    /// The policy of a call that needs `within` at most.
    pub(crate) fn policy(&self, within: Vec<String>, unlisted: NetVerdict) -> Options {
        let Inner { rules, unlisted_max, limits, redirects, .. } = &*self.0;
        let unlisted = if unlisted == NetVerdict::Deny || *unlisted_max == NetVerdict::Deny {
            NetVerdict::Deny
        } else if unlisted == NetVerdict::Ask || *unlisted_max == NetVerdict::Ask {
            NetVerdict::Ask
        } else {
            NetVerdict::Allow
        };
        Options { rules: rules.clone(), within, unlisted, limits: *limits, redirects: *redirects }
    }

    /// Whether any request could be allowed, or be asked about.
    pub(crate) fn allows_anything(&self, unlisted: NetVerdict) -> bool {
        let options = self.policy(Vec::new(), unlisted);
        options.unlisted != NetVerdict::Deny || options.rules.iter().any(|rule| rule.verdict != NetVerdict::Deny)
    }

    pub(crate) fn limits(&self) -> NetLimits {
        self.0.limits
    }
}

impl Inner {
    /// Made at the first request that needs it: reading the machine's certificates takes milliseconds.
    pub(crate) async fn tls(&self) -> Result<Arc<ClientConfig>, String> {
        let made = self.tls.get_or_try_init(|| async {
            let roots = self.roots.clone();
            let roots = tokio::task::spawn_blocking(move || roots()).await.map_err(|error| error.to_string())??;
            let mut store = RootCertStore::empty();
            let (taken, _) = store.add_parsable_certificates(roots.into_iter().map(CertificateDer::from));
            if taken == 0 {
                return Err("this machine trusts no certificate authority: install its certificates".to_owned());
            }
            let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| error.to_string())?;
            let mut config = config.with_root_certificates(store).with_no_client_auth();
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            Ok(Arc::new(config))
        });
        made.await.cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_does_not_show_its_value() {
        let credential = Credential::new("https://API.example.:443/v1", "Authorization", "Bearer SECRET").unwrap();
        assert_eq!((credential.origin.host.as_str(), credential.origin.port), ("api.example", 443));
        assert!(!format!("{credential:?}").contains("SECRET"));
        for (url, header, value) in [
            ("ftp://SECRET.example", "a", "b"),
            ("https://a.example", "a b", "SECRET"),
            ("https://a.example", "a", "SECRET\n"),
        ] {
            let error = Credential::new(url, header, value).unwrap_err();
            assert!(!error.contains("SECRET"), "{error}");
        }
    }
}
