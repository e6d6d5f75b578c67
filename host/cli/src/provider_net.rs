//! The network that a model's provider gets: to one origin, with one key, and nowhere else.

use std::sync::Arc;

use wardian_host::wit::{NetLimits, NetPort, NetReach, NetRedirects, NetRule, NetSchemes, NetVerdict};
use wardian_host::{Code, Credential, Host, Net, NetOptions, SystemResolver};

use crate::failure::Failure;
use crate::model::Chosen;
use crate::net::machine_roots;

/// Bytes of a request: a long conversation with its images.
const REQUEST_BYTES_MAX: u64 = 256 << 20;

/// Bytes of an answer on the wire; the provider has the same bound.
const RESPONSE_BYTES_MAX: u64 = 1 << 30;

/// Requests at once: an agent asks one model.
const CONCURRENT_MAX: u32 = 4;

/// What the agent's budget bounds is not bounded here once more.
fn limits(chosen: &Chosen) -> NetLimits {
    let silence_ms = u32::try_from(chosen.silence_seconds_max.saturating_mul(1_000)).unwrap_or(u32::MAX);
    NetLimits {
        requests_max: u32::MAX,
        concurrent_max: CONCURRENT_MAX,
        redirects_max: 0,
        request_bytes_max: REQUEST_BYTES_MAX,
        response_bytes_max: RESPONSE_BYTES_MAX,
        first_byte_ms_max: silence_ms,
        between_bytes_ms_max: silence_ms,
        total_ms_max: u32::MAX,
        ..NetLimits::default()
    }
}

/// The rule that lets a provider reach its service.
fn rule(chosen: &Chosen) -> Result<NetRule, Failure> {
    let origin = wardian_host::origin(chosen.base_url.as_str())
        .map_err(|reason| Failure::usage(format!("the base URL cannot be used: {reason}")))?;
    Ok(NetRule {
        name: format!("models.{}", chosen.service.name()),
        verdict: NetVerdict::Allow,
        schemes: if origin.scheme == "https" { NetSchemes::HTTPS } else { NetSchemes::HTTP },
        host: if origin.host.contains(':') { format!("[{}]", origin.host) } else { origin.host },
        port: Some(NetPort::Number(origin.port)),
        methods: vec!["POST".to_owned()],
        content_types: Vec::new(),
        // A server that the user named may be anywhere, in the house above all.
        reach: if chosen.is_own { NetReach::Any } else { NetReach::Public },
    })
}

pub async fn provider_net(host: &Host, netfetch: Code, chosen: &Chosen) -> Result<Net, Failure> {
    let credential = chosen.credential.as_ref().map(|credential| {
        Credential::new(chosen.base_url.as_str(), credential.header, credential.value.reveal()).map_err(Failure::usage)
    });
    let options = NetOptions {
        netfetch,
        rules: vec![rule(chosen)?],
        unlisted_max: NetVerdict::Deny,
        limits: limits(chosen),
        redirects: NetRedirects::Refuse,
        credentials: credential.transpose()?.into_iter().collect(),
        resolver: Arc::new(SystemResolver),
        roots: machine_roots(),
    };
    Ok(Net::new(host, options).await?)
}
