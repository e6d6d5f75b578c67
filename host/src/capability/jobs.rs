//! `wardian:process/jobs`: processes that outlive the call that starts them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime::component::Linker;

use super::activities::Activities;
use super::http::Network;
use super::process::bindings::wardian::process::jobs::{self as contract, Job};
use super::process::bindings::wardian::process::process::{Command, SpawnError};
use super::process::{HasStarter, Starter, Starts, told};
use crate::command::Process;
use crate::kept::Kept;

/// Jobs that run at once.
const RUNNING_MAX: usize = 8;

/// Jobs that have ended and are still told about.
const ENDED_MAX: usize = 32;

/// From start to end.
const WALL_MS_MAX: u64 = 3_600_000;

/// The jobs of a session, and the instances that it keeps. Dropping it ends them.
pub struct Jobs {
    by_id: Mutex<BTreeMap<u32, Running>>,
    /// Of all jobs together, and what they start.
    activities: Arc<Activities>,
    /// What calls leave for later calls.
    pub(crate) kept: Arc<Kept>,
}

struct Running {
    process: Process,
    argv: Vec<String>,
    label: String,
}

impl Jobs {
    pub(crate) fn new(activities: Arc<Activities>) -> Arc<Self> {
        Arc::new(Self { by_id: Mutex::default(), activities, kept: Arc::default() })
    }

    fn by_id(&self) -> MutexGuard<'_, BTreeMap<u32, Running>> {
        // Nothing in here is left half done by a panic.
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn add_to_linker<T: Starts>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    contract::add_to_linker::<T, HasStarter>(linker, |data| Starter::new(data.caller()))
}

impl contract::Host for Starter<'_> {
    fn start(&mut self, command: Command, label: String) -> wasmtime::Result<Result<u32, SpawnError>> {
        let (argv, wall_ms_max) = (command.argv.clone(), command.limits.wall_ms_max);
        let mut prepared = match self.prepare(command)? {
            Ok(prepared) => prepared,
            Err(error) => return Ok(Err(error)),
        };
        if prepared.stdin.is_some() || prepared.stdout.is_some() || prepared.stderr.is_some() {
            return Ok(Err(SpawnError::Invalid("a job has no pipes: its starter may be gone before it".to_owned())));
        }
        let Some(jobs) = self.caller.jobs.clone() else {
            return Ok(Err(SpawnError::Invalid("there is no session that jobs could belong to".to_owned())));
        };
        let mut by_id = jobs.by_id();
        if by_id.values().filter(|job| job.process.exit().is_none()).count() >= RUNNING_MAX {
            return Ok(Err(SpawnError::TooMany(RUNNING_MAX as u32)));
        }
        let ended: Vec<u32> = by_id.iter().filter(|(_, job)| job.process.exit().is_some()).map(|(id, _)| *id).collect();
        for id in ended.iter().take(ended.len().saturating_sub(ENDED_MAX)) {
            by_id.remove(id);
        }
        prepared.start.limits.wall_ms_max = wall_ms_max.unwrap_or(WALL_MS_MAX).min(WALL_MS_MAX);
        prepared.start.network = Network::default();
        prepared.start.activities = jobs.activities.clone();
        // A family of its own: that of its starter ends with the call.
        let process = prepared.command.spawn(prepared.start);
        let id = process.number();
        by_id.insert(id, Running { process, argv, label });
        Ok(Ok(id))
    }

    fn jobs(&mut self) -> wasmtime::Result<Vec<Job>> {
        let Some(jobs) = &self.caller.jobs else { return Ok(Vec::new()) };
        let job = |(id, job): (&u32, &Running)| Job {
            id: *id,
            argv: job.argv.clone(),
            label: job.label.clone(),
            exit: job.process.exit().map(told),
        };
        Ok(jobs.by_id().iter().map(job).collect())
    }

    fn kill(&mut self, id: u32) -> wasmtime::Result<bool> {
        let Some(jobs) = &self.caller.jobs else { return Ok(false) };
        Ok(jobs.by_id().get(&id).map(|job| job.process.kill()).is_some())
    }
}
