//! `wardian:host/sandbox`: starts tools for the session.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::watch;
use wasmtime::component::Resource;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

use crate::agent::State;
use crate::agent::bindings::wardian::host::sandbox::{Component, Host, HostRunning};
use crate::capability::UiFuture;
use crate::capability::activities::{Activities, Answered};
use crate::capability::approver::Pending;
use crate::tool::{ToolCallOptions, lost};
use crate::wit::{Activity, Answer, Fault, Finished, Grant, ToolCall};

/// A call under way. Dropping it ends the instance: its thread gives up at the next epoch or host call.
pub struct Running {
    finished: watch::Receiver<Option<Finished>>,
    task: tokio::task::AbortHandle,
    activities: Arc<Activities>,
    ahead: Arc<Ahead>,
}

/// What a call waits for besides its own code. Calls that it is followed by look at it, too.
#[derive(Default)]
struct Ahead {
    /// Questions of the session about this call.
    awaited: Mutex<Vec<watch::Receiver<Option<Answer>>>>,
    /// Calls that its code makes, as long as they exist.
    inner: Mutex<Vec<Follows>>,
}

#[derive(Clone)]
struct Follows {
    finished: watch::Receiver<Option<Finished>>,
    activities: Weak<Activities>,
    ahead: Weak<Ahead>,
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ahead {
    /// Ready when the question is answered, or an inner call has something.
    fn ready(&self) -> UiFuture<()> {
        let inner = {
            let mut inner = held(&self.inner);
            // A call that was dropped has nothing any more.
            inner.retain(|inner| inner.ahead.strong_count() > 0);
            inner.clone()
        };
        let never: UiFuture<()> = Box::pin(std::future::pending());
        let answered = held(&self.awaited).clone().into_iter().fold(never, |others, mut question| {
            Box::pin(async move {
                tokio::select! {
                    () = others => {}
                    _ = question.wait_for(Option::is_some) => {}
                }
            })
        });
        inner.into_iter().fold(answered, |others, inner| {
            Box::pin(async move {
                tokio::select! {
                    () = others => {}
                    () = inner.ready() => {}
                }
            })
        })
    }
}

impl Ahead {
    /// What was answered, and is known to be, makes nothing ready any more.
    fn forget_answered(&self) {
        held(&self.awaited).retain(|question| question.borrow().is_none() && question.has_changed().is_ok());
    }
}

impl Follows {
    async fn ready(mut self) {
        let (Some(activities), Some(ahead)) = (self.activities.upgrade(), self.ahead.upgrade()) else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = self.finished.wait_for(Option::is_some) => {}
            () = activities.some() => {}
            () = ahead.ready() => {}
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[async_trait]
impl Pollable for Running {
    async fn ready(&mut self) {
        tokio::select! {
            // An error means that the call's task is gone; `finish` says so.
            _ = self.finished.wait_for(Option::is_some) => {}
            () = self.activities.some() => {}
            () = self.ahead.ready() => {}
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
        let activities = Activities::of_call();
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
        let running = Running { finished, task: task.abort_handle(), activities, ahead: Arc::default() };
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
        self.table.get(&running)?.ahead.forget_answered();
        Ok(())
    }

    fn awaits(&mut self, running: Resource<Running>, question: Resource<Pending>) -> wasmtime::Result<()> {
        let answer = self.table.get(&question)?.answer.clone();
        held(&self.table.get(&running)?.ahead.awaited).push(answer);
        Ok(())
    }

    fn answer_call(&mut self, running: Resource<Running>, id: u32, result: Answered) -> wasmtime::Result<()> {
        self.activities_of(&running)?.answer_call(id, result);
        self.table.get(&running)?.ahead.forget_answered();
        Ok(())
    }

    fn follows(&mut self, running: Resource<Running>, inner: Resource<Running>) -> wasmtime::Result<()> {
        let Running { finished, activities, ahead, .. } = self.table.get(&inner)?;
        let follows = Follows {
            finished: finished.clone(),
            activities: Arc::downgrade(activities),
            ahead: Arc::downgrade(ahead),
        };
        let ahead = &self.table.get(&running)?.ahead;
        ahead.forget_answered();
        held(&ahead.inner).push(follows);
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
