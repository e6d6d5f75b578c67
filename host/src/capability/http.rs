//! `wasi:http`: requests of code, as far as the network policy lets them.
//!
//! What is allowed is the component `netfetch`'s to say (`policy.rs`), at every hop. Here are the means: names and
//! connections (`net.rs`, `connect.rs`), the walk along redirects (`send.rs`), and bodies counted and timed (`body.rs`).
//! `client.rs` sends what the host's own user wants to send.

mod body;
pub mod client;
mod connect;
pub mod net;
pub(crate) mod policy;
mod send;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use wasmtime::component::{Component, Linker};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpHooks, WasiHttpView};

use super::activities::Activities;
use crate::wit::NetVerdict;
use net::Net;
use send::Sending;

/// Headers that code may build at once, in memory; what is sent has a bound of its own.
const FIELDS_BYTES_MAX: usize = 256 << 10;

/// What one write to a body may carry.
const WRITE_BYTES_MAX: usize = 256 << 10;

/// What code sends requests with, shared by all that it starts: one policy, one count. By default nothing is sent.
#[derive(Clone, Default)]
pub struct Network(Option<Arc<Sending>>);

impl Network {
    /// For code that needs the hosts `within` at most. `unlisted` is what becomes of those that no rule names.
    pub fn new(net: &Net, activities: &Arc<Activities>, within: Vec<String>, unlisted: NetVerdict) -> Self {
        Self(Some(Arc::new(Sending {
            options: net.policy(within, unlisted),
            net: net.clone(),
            policy: tokio::sync::Mutex::default(),
            activities: activities.clone(),
            under_way: Arc::default(),
            is_over: AtomicBool::new(false),
        })))
    }
}

/// A store's part of `wasi:http`.
pub(crate) struct Http {
    pub(crate) ctx: WasiHttpCtx,
    pub(crate) hooks: Hooks,
}

pub(crate) struct Hooks(Network);

impl Http {
    pub(crate) fn new(network: Network) -> Self {
        let mut ctx = WasiHttpCtx::new();
        ctx.set_field_size_limit(FIELDS_BYTES_MAX);
        Self { ctx, hooks: Hooks(network) }
    }
}

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Io,
    ) -> Box<dyn Future<Output = Result<(http::Response<WasiBody>, Io), Error>> + Send> {
        let sending = self.0.0.clone();
        Box::new(async move {
            let sending = sending.ok_or(Error::HttpRequestDenied)?;
            let response = sending.send(request, options).await?;
            Ok((response, Box::new(async { Ok(()) }) as Io))
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        WRITE_BYTES_MAX
    }
}

/// Lends `wasi:http`.
pub(crate) fn add_to_linker<T: WasiHttpView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)
}

/// The import of a component by which it sends requests, if it has one.
pub(crate) fn import(component: &Component) -> Option<String> {
    let engine = component.engine();
    let names = component.component_type();
    let mut imports = names.imports(engine).map(|(name, _)| name.to_owned());
    imports.find(|name| name.starts_with("wasi:http/outgoing-handler@"))
}

/// Why code that imports this must not run without the power.
pub(crate) fn refusal(name: &str, import: &str) -> String {
    format!("{name} imports {import}, which needs the power `net`, and no host is allowed here: --net HOST allows one")
}
