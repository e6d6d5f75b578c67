//! The component `netfetch`, as the host consults it: one instance for each call that uses the network.

use std::time::Duration;

use wasmtime::Store;
use wasmtime::component::{Linker, ResourceAny, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::limits::{Limited, Limiter, Limits, Meter};
use crate::{Code, Error, Host};

#[allow(missing_docs, reason = "generated; the contracts in wit/ say what things are")]
pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        inline: "
            package wardian:native;
            world netfetch {
                export wardian:netfetch/policy@0.1.0;
            }
        ",
        path: ["../wit/wardian-netfetch"],
        world: "wardian:native/netfetch",
        exports: { default: async },
        additional_derives: [Clone, PartialEq],
    });
}

pub(crate) use bindings::exports::wardian::netfetch::policy::{
    Abilities, Checked, Decision, Denial, Header, Invalid, Options, Request,
};

/// One decision takes microseconds; these only stop code gone wild.
const LIMITS: Limits = Limits {
    wall_ms_max: u64::MAX,
    cpu_ms_max: 10_000,
    memory_bytes_max: 64 << 20,
    table_elements_max: 10_000,
    output_bytes_max: 64 << 20,
    hostcalls_max: 1_000_000,
};

/// No decision takes longer than this.
const DECISION: Duration = Duration::from_secs(2);

pub(crate) struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    limiter: Limiter,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl Limited for State {
    fn limiter(&mut self) -> &mut Limiter {
        &mut self.limiter
    }
}

/// Linked and ready.
#[derive(Clone)]
pub(crate) struct Netfetch {
    host: Host,
    pre: bindings::NetfetchPre<State>,
}

/// The policy of one call.
pub(crate) struct Policy {
    host: Host,
    store: Store<State>,
    netfetch: bindings::Netfetch,
    policy: ResourceAny,
}

/// Why there is no policy, or no decision.
#[derive(Debug)]
pub(crate) enum Broken {
    Invalid(Invalid),
    /// The component broke: then nothing is sent.
    Code(String),
}

/// In words, for people.
pub(crate) fn describe(invalid: &Invalid) -> String {
    match invalid {
        Invalid::Rule((name, reason)) => format!("the network rule {name}: {reason}"),
        Invalid::Setting((name, reason)) => format!("the network setting {name}: {reason}"),
        Invalid::Unenforceable((name, ability)) => {
            format!("this host cannot enforce the network rule {name}: it lacks the ability `{ability}`")
        }
    }
}

impl Netfetch {
    pub(crate) fn new(host: &Host, code: &Code) -> Result<Self, Error> {
        let link = |source| Error::Link { name: code.name.clone(), source };
        let mut linker = Linker::new(host.engine());
        // Rust's library imports it; nothing is lent with it.
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(link)?;
        let pre = linker.instantiate_pre(&code.component).map_err(link)?;
        Ok(Self { host: host.clone(), pre: bindings::NetfetchPre::new(pre).map_err(link)? })
    }

    /// This host sees addresses and redirects.
    pub(crate) async fn policy(&self, options: &Options) -> Result<Policy, Broken> {
        let code = |error: wasmtime::Error| Broken::Code(error.root_cause().to_string());
        let limiter = Limiter::new(LIMITS, Meter::new(LIMITS.output_bytes_max));
        let state = State { wasi: WasiCtxBuilder::new().build(), table: ResourceTable::new(), limiter };
        let mut store = Store::new(self.host.engine(), state);
        Limiter::install(&mut store);
        let _ticking = self.host.ticking();
        let netfetch = self.pre.instantiate_async(&mut store).await.map_err(code)?;
        let guest = netfetch.wardian_netfetch_policy();
        let policy = guest.policy().call_make(&mut store, options, Abilities::all()).await.map_err(code)?;
        let policy = policy.map_err(Broken::Invalid)?;
        Ok(Policy { host: self.host.clone(), store, netfetch, policy })
    }
}

/// One call of the component: bounded, and a trap is an answer.
macro_rules! consult {
    ($policy:ident, $call:ident($($argument:expr),*)) => {{
        let _ticking = $policy.host.ticking();
        let guest = $policy.netfetch.wardian_netfetch_policy().policy();
        let call = guest.$call(&mut $policy.store, $policy.policy, $($argument),*);
        match tokio::time::timeout(DECISION, call).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(broke(&error.root_cause().to_string())),
            Err(_) => Err(broke("it does not answer")),
        }
    }};
}

/// A policy that broke denies.
fn broke(reason: &str) -> Denial {
    Denial { rule: "netfetch".to_owned(), reason: format!("the network policy broke: {reason}"), shown: String::new() }
}

impl Policy {
    pub(crate) async fn decide(&mut self, request: &Request) -> Decision {
        consult!(self, call_decide(request)).unwrap_or_else(Decision::Deny)
    }

    pub(crate) async fn allow_host(&mut self, host: &str) -> Result<(), Denial> {
        consult!(self, call_allow_host(host))
    }

    pub(crate) async fn addresses(&mut self, decision: u32, addresses: &[String]) -> Result<(), Denial> {
        consult!(self, call_addresses(decision, addresses)).and_then(|answer| answer)
    }

    pub(crate) async fn redirect(
        &mut self,
        decision: u32,
        hop: u32,
        status: u16,
        location: Option<Vec<u8>>,
    ) -> Option<Decision> {
        match consult!(self, call_redirect(decision, hop, status, location.as_deref())) {
            Ok(answer) => answer,
            Err(denial) => Some(Decision::Deny(denial)),
        }
    }

    pub(crate) async fn response(
        &mut self,
        decision: u32,
        status: u16,
        content_type: Option<&[u8]>,
    ) -> Result<(), Denial> {
        consult!(self, call_response(decision, status, content_type)).and_then(|answer| answer)
    }

    pub(crate) async fn forget(&mut self, decision: u32) {
        // There is nothing to be done about a policy that broke; the next decision says so.
        let _: Result<(), Denial> = consult!(self, call_forget(decision));
    }
}
