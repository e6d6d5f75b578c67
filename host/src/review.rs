//! Reviewing what a session changed: `wardian:workspace/review`, as the composed agent exports it.
//!
//! None of it needs an open session. The outer error is the host's or the agent's; the inner one is an answer. What
//! writes to the project needs [`ProjectAccess::Write`](crate::ProjectAccess), and says `read-only` without it.

use wasmtime::component::ResourceAny;

use crate::Error;
use crate::agent::Agent;
use crate::wit::{Change, ChangeList, Commit, CommitOptions, FileDiff, ReviewError, ReviewOptions, Touches};

/// What a commit would do. It belongs to the agent that made it; one that is not applied is forgotten with its agent.
#[derive(Debug)]
pub struct Plan(ResourceAny);

/// One call of the interface: looks after epochs and puts a trap in the host's words.
macro_rules! review {
    ($agent:ident, $call:ident($($argument:expr),*)) => {{
        let _ticking = $agent.host.ticking();
        let review = $agent.agent.wardian_workspace_review();
        let result = review.$call(&mut $agent.store, $($argument),*).await;
        result.map_err(|error| $agent.trapped(&error))
    }};
}

impl Agent {
    /// What changed.
    pub async fn changes(&mut self, options: &ReviewOptions) -> Result<Result<ChangeList, ReviewError>, Error> {
        review!(self, call_changes(options))
    }

    /// One change in full, with `context` lines around each hunk and at most `lines_max` lines of hunks.
    pub async fn diff(
        &mut self,
        path: &str,
        context: u32,
        lines_max: u32,
    ) -> Result<Result<FileDiff, ReviewError>, Error> {
        review!(self, call_diff(path, context, lines_max))
    }

    /// One change as a patch in git's format.
    pub async fn unified(&mut self, path: &str, context: u32) -> Result<Result<String, ReviewError>, Error> {
        review!(self, call_unified(path, context))
    }

    /// What a commit would do.
    pub async fn plan(&mut self, options: &CommitOptions) -> Result<Result<Plan, ReviewError>, Error> {
        let plan = review!(self, call_prepare(options))?;
        Ok(plan.map(Plan))
    }

    /// The changes of a plan, by path.
    pub async fn plan_changes(&mut self, plan: &Plan) -> Result<Vec<Change>, Error> {
        let _ticking = self.host.ticking();
        let review = self.agent.wardian_workspace_review();
        let result = review.plan().call_changes(&mut self.store, plan.0).await;
        result.map_err(|error| self.trapped(&error))
    }

    /// Commits a plan: all of it or, after any failure, nothing.
    pub async fn apply(&mut self, plan: Plan) -> Result<Result<Commit, ReviewError>, Error> {
        let _ticking = self.host.ticking();
        let review = self.agent.wardian_workspace_review();
        let result = review.plan().call_apply(&mut self.store, plan.0).await;
        let result = result.map_err(|error| self.trapped(&error))?;
        // What was applied stays applied, whatever becomes of the plan.
        let _ = plan.0.resource_drop_async(&mut self.store).await;
        Ok(result)
    }

    /// Drops changes at and below `paths`, all if there are none; ignored ones only if asked for. Returns their paths.
    pub async fn discard(
        &mut self,
        paths: &[String],
        ignored: bool,
    ) -> Result<Result<Vec<String>, ReviewError>, Error> {
        review!(self, call_discard(paths, ignored))
    }

    /// Takes the last commit out of the project again.
    pub async fn undo(&mut self) -> Result<Result<Commit, ReviewError>, Error> {
        review!(self, call_undo())
    }

    /// Finishes a commit or undo that a crash interrupted. None: there was none.
    pub async fn recover(&mut self) -> Result<Result<Option<Commit>, ReviewError>, Error> {
        review!(self, call_recover())
    }

    /// Commits and undos with a number above `after`, in order.
    pub async fn history(&mut self, after: u64) -> Result<Result<Vec<Commit>, ReviewError>, Error> {
        review!(self, call_history(after))
    }

    /// Where [`Agent::since`] would go on from now.
    pub async fn cursor(&mut self) -> Result<Result<u64, ReviewError>, Error> {
        review!(self, call_cursor())
    }

    /// Paths that were touched since `cursor`; 0 is the beginning.
    pub async fn since(&mut self, cursor: u64) -> Result<Result<Touches, ReviewError>, Error> {
        review!(self, call_since(cursor))
    }
}
