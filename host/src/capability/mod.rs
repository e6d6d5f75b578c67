//! What the host lends, one file for each capability.

pub(crate) mod activities;
pub(crate) mod approver;
pub(crate) mod control;
pub(crate) mod devices;
pub(crate) mod http;
pub(crate) mod jobs;
pub(crate) mod modes;
pub(crate) mod observer;
pub(crate) mod others;
pub(crate) mod output;
pub(crate) mod pipe;
pub(crate) mod process;
pub(crate) mod sandbox;
pub(crate) mod small_files;
pub(crate) mod start;
pub(crate) mod stdio;
pub(crate) mod turns;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use wasmtime::component::{HasData, HasSelf, Linker, ResourceTable};

use crate::agent::State;
use crate::agent::bindings::wardian::host;
use crate::wit::{Answer, Event, Question, Update};
use turns::Turns;

/// What the workspace needs of the host besides folders. It is part of the agent and of every tool, so these are lent to
/// stores of different kinds.
#[allow(missing_docs, reason = "generated; the contracts in wit/ say what things are")]
mod lent {
    wasmtime::component::bindgen!({
        inline: "
            package wardian:native;
            world lent {
                import wardian:host/devices@0.1.0;
                import wardian:host/turns@0.1.0;
                import wardian:host/modes@0.1.0;
                import wardian:host/small-files@0.1.0;
                import wardian:host/start@0.1.0;
            }
        ",
        path: [
            "../wit/wasi-io",
            "../wit/wasi-clocks",
            "../wit/wasi-filesystem",
            "../wit/wardian-tool",
            "../wit/wardian-agent",
            "../wit/wardian-host",
        ],
        world: "wardian:native/lent",
        imports: {
            "wardian:host/turns.take": async | trappable,
            default: trappable,
        },
        with: {
            "wasi:io": wasmtime_wasi::p2::bindings::io,
            "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
            "wasi:filesystem": wasmtime_wasi::p2::bindings::filesystem,
            "wardian:host/turns.turn": crate::capability::turns::Turn,
        },
    });
}

/// What a workspace offers and a host must where there is none: for commands that work on the project itself.
#[allow(missing_docs, reason = "generated; the contracts in wit/ say what things are")]
mod direct {
    wasmtime::component::bindgen!({
        inline: "
            package wardian:native;
            world direct {
                import wardian:workspace/modes@0.1.0;
            }
        ",
        path: ["../wit/wasi-io", "../wit/wasi-clocks", "../wit/wasi-filesystem", "../wit/wardian-workspace"],
        world: "wardian:native/direct",
        imports: { default: trappable },
        require_store_data_send: true,
        with: {
            "wasi:io": wasmtime_wasi::p2::bindings::io,
            "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
            "wasi:filesystem": wasmtime_wasi::p2::bindings::filesystem,
        },
    });
}

/// A future without a borrow, for traits that are used as objects.
pub type UiFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The user, as the host sees one.
pub trait Ui: Send + Sync + 'static {
    /// Shows what happens. Must not wait.
    fn event(&self, event: Event);

    /// Shows how the tool call with this id is getting on. Must not wait.
    fn progress(&self, id: &str, update: Update);

    /// Asks for a permission. Dropping the future withdraws the question.
    fn ask(&self, question: Question) -> UiFuture<Answer>;
}

/// The part of a store's data that the workspace's capabilities work on.
pub(crate) struct Lent<'a> {
    pub(crate) table: &'a mut ResourceTable,
    pub(crate) turns: &'a Arc<Turns>,
    /// Where relative paths start, for a program that does not know it otherwise.
    pub(crate) directory: Option<&'a str>,
}

/// What a store's data must have for a workspace in it.
pub(crate) trait Lender: Send + 'static {
    fn lent(&mut self) -> Lent<'_>;
}

struct HasLent;

impl HasData for HasLent {
    type Data<'a> = Lent<'a>;
}

/// Lends what the workspace needs.
pub(crate) fn add_workspace_to_linker<T: Lender>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    lent::wardian::host::devices::add_to_linker::<T, HasLent>(linker, T::lent)?;
    lent::wardian::host::turns::add_to_linker::<T, HasLent>(linker, T::lent)?;
    lent::wardian::host::modes::add_to_linker::<T, HasLent>(linker, T::lent)?;
    lent::wardian::host::small_files::add_to_linker::<T, HasLent>(linker, T::lent)?;
    lent::wardian::host::start::add_to_linker::<T, HasLent>(linker, T::lent)
}

/// Lends what a workspace would offer to whom it is composed with.
pub(crate) fn add_direct_to_linker<T: Lender>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    direct::wardian::workspace::modes::add_to_linker::<T, HasLent>(linker, T::lent)
}

/// Lends an agent everything in this folder.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    host::sandbox::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    host::approver::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    host::observer::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    host::control::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    add_workspace_to_linker(linker)
}
