//! `wasi:http`: requests of code, as far as the network policy lets them.
//!
//! What is allowed is the component `netfetch`'s to say (`policy.rs`), at every hop. Here are the means: names and
//! connections (`net.rs`, `connect.rs`), the walk along redirects (`send.rs`), bodies counted and timed (`body.rs`), and
//! what the session is told (`activities.rs`).

pub(crate) mod activities;
mod body;
mod connect;
pub mod net;
pub(crate) mod policy;
mod send;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use wasmtime::component::{Component, Linker};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpHooks, WasiHttpView};

use crate::wit::{Activity, NetVerdict};
use activities::Activities;
use net::Net;
use send::Sending;

/// Headers that code may build at once, in memory; what is sent has a bound of its own.
const FIELDS_BYTES_MAX: usize = 256 << 10;

/// What one write to a body may carry.
const WRITE_BYTES_MAX: usize = 256 << 10;

/// The network, as a call has it.
#[derive(Clone)]
pub struct NetCall {
    /// The session's.
    pub net: Net,
    pub(crate) activities: Arc<Activities>,
}

impl NetCall {
    /// For one call that the caller itself watches.
    pub fn new(net: Net) -> Self {
        Self { net, activities: Arc::default() }
    }

    /// Takes what the call did so far.
    pub fn activities(&self) -> Vec<Activity> {
        self.activities.take()
    }
}

/// A store's part of `wasi:http`.
pub(crate) struct Http {
    pub(crate) ctx: WasiHttpCtx,
    pub(crate) hooks: Hooks,
}

/// Without anything to send with, nothing is sent.
pub(crate) struct Hooks(Option<Arc<Sending>>);

impl Http {
    /// For code that needs the hosts `within` at most.
    pub(crate) fn new(call: Option<&NetCall>, within: Vec<String>, unlisted: NetVerdict) -> Self {
        let mut ctx = WasiHttpCtx::new();
        ctx.set_field_size_limit(FIELDS_BYTES_MAX);
        let sending = call.map(|call| {
            Arc::new(Sending {
                options: call.net.policy(within, unlisted),
                net: call.net.clone(),
                policy: tokio::sync::Mutex::default(),
                activities: call.activities.clone(),
                under_way: Arc::default(),
                is_over: AtomicBool::new(false),
            })
        });
        Self { ctx, hooks: Hooks(sending) }
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
        let sending = self.0.clone();
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
