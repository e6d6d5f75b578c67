//! Ends code that computes, without a check in each of its loops.
//!
//! Code that looks at an epoch in each loop can be ended at each of them, and an interpreter pays a sixth of its time for
//! that. So where the system allows it, processes are compiled without: the [overseer](crate::overseer) watches them, and when
//! one of them has to end, its own thread is sent a signal. If the handler finds it in compiled code, it makes it go on at an instruction that
//! traps; from there on the engine ends the code as it does for any other trap. If it is found elsewhere, in the host or in
//! what the engine calls for its code, nothing happens, and it is tried again a moment later: whatever computes without end
//! is in its own code most of the time.
//!
//! Only bodies of functions count as code: while they run, the engine has written down how to leave them. The few
//! instructions by which the host enters code come before that.

use std::sync::OnceLock;

use tokio::sync::Notify;

use crate::command::Killed;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod signal;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod watchdog;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) use watchdog::{Account, Interrupt, Watchdog, Watched, Watching};

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod none;
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub(crate) use none::{Account, Interrupt, Watchdog, Watched, Watching};

/// Why code has to end. The first reason holds.
#[derive(Debug, Default)]
pub(crate) struct Reason {
    why: OnceLock<Killed>,
    /// Wakes who waits for it.
    given: Notify,
}

impl Reason {
    pub(crate) fn give(&self, why: Killed) {
        if self.why.set(why).is_ok() {
            self.given.notify_one();
        }
    }

    pub(crate) fn get(&self) -> Option<&Killed> {
        self.why.get()
    }

    /// Waits until there is one. For one at a time.
    pub(crate) async fn given(&self) -> &Killed {
        loop {
            if let Some(why) = self.get() {
                return why;
            }
            self.given.notified().await;
        }
    }
}

#[cfg(test)]
mod tests;
