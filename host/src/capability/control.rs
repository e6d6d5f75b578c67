//! `wardian:host/control`: the user's hand on the run.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use wasmtime::component::Resource;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

use crate::agent::State;
use crate::agent::bindings::wardian::host::control::{Host, Interrupt};

/// When a run has to end.
pub(crate) struct Control {
    cancelled: watch::Sender<bool>,
    deadline: Option<Instant>,
}

impl Control {
    pub(crate) fn new(cancelled: watch::Sender<bool>) -> Self {
        Self { cancelled, deadline: None }
    }
}

struct Interrupted {
    cancelled: watch::Receiver<bool>,
    deadline: Option<Instant>,
}

#[async_trait]
impl Pollable for Interrupted {
    async fn ready(&mut self) {
        let cancelled = self.cancelled.wait_for(|cancelled| *cancelled);
        match self.deadline {
            Some(deadline) => {
                let _ = tokio::time::timeout_at(deadline, cancelled).await;
            }
            None => {
                let _ = cancelled.await;
            }
        }
    }
}

impl Host for State {
    fn begin(&mut self, deadline_ms: Option<u64>) -> wasmtime::Result<()> {
        // A cancellation that came before the run began was meant for it: the one who cancels resets it.
        self.control.deadline = deadline_ms.and_then(|ms| Instant::now().checked_add(Duration::from_millis(ms)));
        Ok(())
    }

    fn interrupted(&mut self) -> wasmtime::Result<Resource<DynPollable>> {
        let interrupted =
            Interrupted { cancelled: self.control.cancelled.subscribe(), deadline: self.control.deadline };
        let interrupted = self.table.push(interrupted)?;
        subscribe(&mut self.table, interrupted)
    }

    fn reason(&mut self) -> wasmtime::Result<Option<Interrupt>> {
        if *self.control.cancelled.borrow() {
            return Ok(Some(Interrupt::Cancelled));
        }
        let passed = self.control.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        Ok(passed.then_some(Interrupt::Deadline))
    }
}
