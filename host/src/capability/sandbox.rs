//! `wardian:host/sandbox`: starts tools for the session.

use std::sync::Arc;

use tokio::sync::watch;
use wasmtime::component::Resource;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

use crate::agent::State;
use crate::agent::bindings::wardian::host::sandbox::{Component, Host, HostRunning};
use crate::tool::{ToolCallOptions, lost};
use crate::wit::{Fault, Finished, Grant, ToolCall};

/// A call under way. Dropping it ends the instance: its thread gives up at the next epoch or host call.
pub struct Running {
    finished: watch::Receiver<Option<Finished>>,
    task: tokio::task::AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[async_trait]
impl Pollable for Running {
    async fn ready(&mut self) {
        // An error means that the call's task is gone; `finish` says so.
        let _ = self.finished.wait_for(Option::is_some).await;
    }
}

impl Host for State {
    fn components(&mut self) -> wasmtime::Result<Vec<Component>> {
        let component = |tool: &crate::Tool| Component {
            name: tool.code().name.clone(),
            digest: tool.code().digest.clone(),
            tools: tool.tools().to_vec(),
        };
        Ok(self.tools.iter().map(component).collect())
    }

    fn start_tool(
        &mut self,
        component: String,
        call: ToolCall,
        grant: Grant,
    ) -> wasmtime::Result<Result<Resource<Running>, Fault>> {
        let Some(tool) = self.tools.iter().find(|tool| tool.code().digest == component) else {
            return Ok(Err(Fault::NotFound(component)));
        };
        let (ui, id) = (self.ui.clone(), call.id.clone());
        let progress = Arc::new(move |update| ui.progress(&id, update));
        let (files, commands) = (self.files.clone(), self.commands.clone());
        let options = ToolCallOptions { grant, files, commands, progress: Some(progress) };
        let (send, finished) = watch::channel(None);
        let spawned = tool.spawn(call, options);
        let task = tokio::spawn(async move {
            let _ = send.send(Some(spawned.finish().await));
        });
        let running = Running { finished, task: task.abort_handle() };
        Ok(Ok(self.table.push(running)?))
    }
}

impl HostRunning for State {
    fn subscribe(&mut self, running: Resource<Running>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(&mut self.table, running)
    }

    fn finish(&mut self, running: Resource<Running>) -> wasmtime::Result<Option<Finished>> {
        let running = self.table.get_mut(&running)?;
        let gone = running.finished.has_changed().is_err();
        let finished = running.finished.borrow_and_update().clone();
        Ok(finished.or_else(|| gone.then(|| lost("the call's task is gone"))))
    }

    fn drop(&mut self, running: Resource<Running>) -> wasmtime::Result<()> {
        self.table.delete(running)?;
        Ok(())
    }
}
