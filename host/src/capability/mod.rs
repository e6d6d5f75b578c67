//! What the host lends, one file for each capability.

pub(crate) mod approver;
pub(crate) mod control;
pub(crate) mod observer;
pub(crate) mod output;
pub(crate) mod sandbox;

use std::future::Future;
use std::pin::Pin;

use wasmtime::component::{HasSelf, Linker};

use crate::agent::State;
use crate::agent::bindings::wardian::host;
use crate::wit::{Answer, Event, Question, Update};

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

/// Lends an agent everything in this folder.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    host::sandbox::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    host::approver::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    host::observer::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    host::control::add_to_linker::<_, HasSelf<_>>(linker, |state| state)
}
