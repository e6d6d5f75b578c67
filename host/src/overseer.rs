//! The thread that looks after processes: it ends those whose time is over or whose end was asked for, and answers for one
//! whose own thread does not come back.
//!
//! One thread for all of them, which looks every few milliseconds: a timer and a task for each would cost a short process
//! more than the process itself.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::capability::activities::Activities;
use crate::command::{Exit, Killed, Status};
use crate::engine::EPOCH_MS;
use crate::interrupt::{Interrupt, Watched, Watching};
use crate::wit::LimitFault;

/// How long the thread of a process may be overdue before it is given up: it hangs in a system call.
const OVERDUE: Duration = Duration::from_millis(500);

/// Looks at nobody before it sleeps. Processes that follow each other closely then need not wake it.
const IDLE_LOOKS: u32 = 20;

/// Between two tries to find a thread in its code.
const RETRY: Duration = Duration::from_micros(20);

/// Looks after the processes of one host. Cheap to clone; its thread ends with the last of it.
#[derive(Clone)]
pub(crate) struct Overseer {
    owner: Arc<Owner>,
}

struct Owner(Arc<Shared>);

#[derive(Default)]
struct Shared {
    processes: Mutex<Processes>,
    wake: Condvar,
}

#[derive(Default)]
struct Processes {
    by_number: HashMap<u64, Overseen>,
    next: u64,
    is_asleep: bool,
    is_over: bool,
}

struct Overseen {
    end: Arc<End>,
    wall_ms_max: u64,
    /// How long its call had stood still when it began.
    still: Duration,
    /// Since when its end is due.
    due: Option<Instant>,
    is_given_up: bool,
    /// While its thread runs code that does not look at epochs.
    watched: Option<Watched>,
}

/// The end of a process: how to bring it about, and whom it is told.
pub(crate) struct End {
    pub(crate) told: watch::Sender<Option<Exit>>,
    pub(crate) interrupt: Arc<Interrupt>,
    pub(crate) activities: Arc<Activities>,
    /// Its number among those that report to the same activities.
    pub(crate) number: u32,
    pub(crate) begin: Instant,
}

impl End {
    /// The first word on how a process ended holds.
    pub(crate) fn tell(&self, exit: Exit) {
        self.told.send_if_modified(|known| {
            let is_first = known.is_none();
            if is_first {
                // Before anybody who waits for it goes on.
                self.activities.process_ended(self.number, &exit);
                *known = Some(exit);
            }
            is_first
        });
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.processes().is_over = true;
        self.0.wake.notify_all();
    }
}

impl Overseer {
    /// Starts the thread.
    pub(crate) fn start() -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let looking = shared.clone();
        std::thread::Builder::new().name("wardian-overseer".to_owned()).spawn(move || looking.look_on())?;
        Ok(Self { owner: Arc::new(Owner(shared)) })
    }

    /// Looks after a process from now on, until the result is dropped.
    pub(crate) fn oversee(&self, end: Arc<End>, wall_ms_max: u64) -> Place {
        let still = end.activities.stood_still();
        let overseen = Overseen { end, wall_ms_max, still, due: None, is_given_up: false, watched: None };
        let mut processes = self.owner.0.processes();
        let number = processes.next;
        processes.next += 1;
        processes.by_number.insert(number, overseen);
        let is_asleep = processes.is_asleep;
        drop(processes);
        if is_asleep {
            self.owner.0.wake.notify_all();
        }
        Place { shared: self.owner.0.clone(), number }
    }

    /// Asks for the end of a process.
    pub(crate) fn end(&self, interrupt: &Interrupt, why: Killed) {
        interrupt.reason.give(why);
        // Not between its look at the reasons and its wait.
        drop(self.owner.0.processes());
        self.owner.0.wake.notify_all();
    }
}

/// A process is looked after while this exists.
pub(crate) struct Place {
    shared: Arc<Shared>,
    number: u64,
}

impl Place {
    /// Watches the calling thread, too, until the result is dropped.
    pub(crate) fn watch(&self, watched: Watched, watching: Watching) -> Attached<'_> {
        self.set(Some(watched));
        Attached(self, Some(watching))
    }

    fn set(&self, watched: Option<Watched>) {
        let mut processes = self.shared.processes();
        let before =
            processes.by_number.get_mut(&self.number).map(|process| std::mem::replace(&mut process.watched, watched));
        drop(processes);
        drop(before);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let gone = self.shared.processes().by_number.remove(&self.number);
        drop(gone);
    }
}

/// A thread is watched while this exists, which is not longer than the thread.
pub(crate) struct Attached<'a>(&'a Place, Option<Watching>);

impl Drop for Attached<'_> {
    fn drop(&mut self) {
        self.1.take();
        // Signals are sent under the lock alone: from then on there are none.
        self.0.set(None);
    }
}

impl Shared {
    fn processes(&self) -> MutexGuard<'_, Processes> {
        self.processes.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn look_on(&self) {
        let mut processes = self.processes();
        let mut idle = 0;
        while !processes.is_over {
            processes = if idle >= IDLE_LOOKS {
                processes.is_asleep = true;
                let mut woken = self.wake.wait(processes).unwrap_or_else(|poisoned| poisoned.into_inner());
                woken.is_asleep = false;
                woken
            } else {
                let pause = match processes.by_number.values().any(Overseen::is_eager) {
                    true => RETRY,
                    false => Duration::from_millis(EPOCH_MS),
                };
                self.wake.wait_timeout(processes, pause).unwrap_or_else(|poisoned| poisoned.into_inner()).0
            };
            idle = if processes.by_number.is_empty() { idle.saturating_add(1) } else { 0 };
            let overdue: Vec<_> = processes.by_number.values_mut().filter_map(Overseen::look).collect();
            if !overdue.is_empty() {
                drop(processes);
                for (end, why) in overdue {
                    end.tell(Exit::of(Status::Killed(why), end.begin));
                }
                processes = self.processes();
            }
        }
    }
}

impl Overseen {
    fn is_eager(&self) -> bool {
        self.watched.as_ref().is_some_and(Watched::is_eager)
    }

    /// Gives the end, and why, where that has to be told because the process's thread does not.
    fn look(&mut self) -> Option<(Arc<End>, Killed)> {
        let reason = &self.end.interrupt.reason;
        if self.due.is_none() {
            // The time in which the user is asked about a request is not the process's.
            let still = self.end.activities.stood_still().saturating_sub(self.still);
            if self.end.begin.elapsed().saturating_sub(still) > Duration::from_millis(self.wall_ms_max) {
                reason.give(Killed::Limit(LimitFault { name: "wall-ms-max".to_owned(), at: self.wall_ms_max }));
            }
        }
        if let Some(watched) = &mut self.watched {
            watched.look();
        }
        let why = reason.get()?;
        let due = *self.due.get_or_insert_with(Instant::now);
        let is_overdue = !self.is_given_up && due.elapsed() > OVERDUE;
        self.is_given_up |= is_overdue;
        is_overdue.then(|| (self.end.clone(), why.clone()))
    }
}
