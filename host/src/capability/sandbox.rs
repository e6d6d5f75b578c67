//! `wardian:host/sandbox`: starts tools for the session.

use std::sync::Arc;

use tokio::sync::watch;
use wasmtime::component::Resource;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

use crate::agent::State;
use crate::agent::bindings::wardian::host::sandbox::{Component, Host, HostRunning};
use crate::capability::activities::Activities;
use crate::capability::approver::Pending;
use crate::tool::{ToolCallOptions, lost};
use crate::wit::{Activity, Answer, Fault, Finished, Grant, ToolCall};

/// A call under way. Dropping it ends the instance: its thread gives up at the next epoch or host call.
pub struct Running {
    finished: watch::Receiver<Option<Finished>>,
    task: tokio::task::AbortHandle,
    activities: Arc<Activities>,
    /// A question of the session about this call.
    awaited: Option<watch::Receiver<Option<Answer>>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[async_trait]
impl Pollable for Running {
    async fn ready(&mut self) {
        let answered = async {
            match &mut self.awaited {
                Some(awaited) => drop(awaited.wait_for(Option::is_some).await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // An error means that the call's task is gone; `finish` says so.
            _ = self.finished.wait_for(Option::is_some) => {}
            () = self.activities.some() => {}
            () = answered => {}
        }
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

    fn own_activities(&mut self) -> wasmtime::Result<Vec<Activity>> {
        Ok(self.activities.take())
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
        let activities = Arc::<Activities>::default();
        let (files, net, commands) = (self.files.clone(), self.net.clone(), self.commands.clone());
        let (own, progress) = (activities.clone(), Some(progress as _));
        let jobs = Some(self.jobs.clone());
        let options = ToolCallOptions { grant, files, net, activities: own, commands, jobs, progress };
        let (send, finished) = watch::channel(None);
        let spawned = tool.spawn(call, options);
        let ended = activities.clone();
        let task = tokio::spawn(async move {
            let finished = spawned.finish().await;
            // Before it is over: whoever sees the end can take everything.
            ended.close();
            let _ = send.send(Some(finished));
        });
        let running = Running { finished, task: task.abort_handle(), activities, awaited: None };
        Ok(Ok(self.table.push(running)?))
    }
}

impl State {
    fn activities_of(&mut self, running: &Resource<Running>) -> wasmtime::Result<Arc<Activities>> {
        Ok(self.table.get(running)?.activities.clone())
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

    fn activities(&mut self, running: Resource<Running>) -> wasmtime::Result<Vec<Activity>> {
        Ok(self.activities_of(&running)?.take())
    }

    fn answer(&mut self, running: Resource<Running>, id: u32, allowed: bool) -> wasmtime::Result<()> {
        self.activities_of(&running)?.answer(id, allowed);
        // Or it would be ready for ever.
        self.table.get_mut(&running)?.awaited = None;
        Ok(())
    }

    fn awaits(&mut self, running: Resource<Running>, question: Resource<Pending>) -> wasmtime::Result<()> {
        let answer = self.table.get(&question)?.answer.clone();
        self.table.get_mut(&running)?.awaited = Some(answer);
        Ok(())
    }

    fn end(&mut self, running: Resource<Running>) -> wasmtime::Result<Vec<Activity>> {
        self.table.get(&running)?.task.abort();
        let activities = self.activities_of(&running)?;
        activities.close();
        Ok(activities.take())
    }

    fn drop(&mut self, running: Resource<Running>) -> wasmtime::Result<()> {
        self.table.delete(running)?;
        Ok(())
    }
}
