//! `wardian:host/approver`: asks the user.

use tokio::sync::watch;
use wasmtime::component::Resource;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

use crate::agent::State;
use crate::agent::bindings::wardian::host::approver::{Host, HostPending};
use crate::wit::{Answer, Question};

/// A question that the user sees. Dropping it withdraws the question.
pub struct Pending {
    pub(crate) answer: watch::Receiver<Option<Answer>>,
    task: tokio::task::AbortHandle,
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[async_trait]
impl Pollable for Pending {
    async fn ready(&mut self) {
        let _ = self.answer.wait_for(Option::is_some).await;
    }
}

impl Host for State {
    fn ask(&mut self, question: Question) -> wasmtime::Result<Resource<Pending>> {
        let (send, answer) = watch::channel(None);
        let asking = self.ui.ask(question);
        let task = tokio::spawn(async move {
            let _ = send.send(Some(asking.await));
        });
        Ok(self.table.push(Pending { answer, task: task.abort_handle() })?)
    }
}

impl HostPending for State {
    fn subscribe(&mut self, pending: Resource<Pending>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(&mut self.table, pending)
    }

    fn answer(&mut self, pending: Resource<Pending>) -> wasmtime::Result<Option<Answer>> {
        let pending = self.table.get_mut(&pending)?;
        let gone = pending.answer.has_changed().is_err();
        let answer = *pending.answer.borrow_and_update();
        // A question whose user interface failed was not answered with yes.
        Ok(answer.or(gone.then_some(Answer::Unavailable)))
    }

    fn drop(&mut self, pending: Resource<Pending>) -> wasmtime::Result<()> {
        self.table.delete(pending)?;
        Ok(())
    }
}
