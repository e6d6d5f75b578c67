//! A process with all that it starts, and they start: what holds for them together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::wit::Limits;

/// Processes of one family that run at once. A pipeline has a dozen; a program that starts itself has no end.
pub(crate) const PROCESSES_MAX: u32 = 64;

/// How deep processes may start each other.
pub(crate) const DEPTH_MAX: u32 = 16;

/// What a family uses, and what it may use: as much as its first member.
#[derive(Debug)]
pub(crate) struct Family {
    processes: AtomicU32,
    memory_bytes: AtomicU64,
    memory_bytes_max: u64,
    cpu_ms: AtomicU64,
    cpu_ms_max: u64,
}

impl Family {
    /// Takes memory for one of its processes; false where there is no more.
    pub(crate) fn take_memory(&self, bytes: u64) -> bool {
        let taken = self.memory_bytes.try_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
            let after = taken.saturating_add(bytes);
            (after <= self.memory_bytes_max).then_some(after)
        });
        taken.is_ok()
    }

    pub(crate) fn give_memory_back(&self, bytes: u64) {
        self.memory_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Counts time on a processor; false when that is too much.
    pub(crate) fn take_cpu(&self, ms: u64) -> bool {
        self.cpu_ms.fetch_add(ms, Ordering::Relaxed).saturating_add(ms) <= self.cpu_ms_max
    }
}

/// The place of one process in its family, until it ends.
pub(crate) struct Member {
    family: Arc<Family>,
    depth: u32,
}

/// So many run already, or are nested so deep.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooMany(pub(crate) u32);

impl Member {
    /// The first of a new family.
    pub(crate) fn first(limits: &Limits) -> Self {
        let family = Family {
            processes: AtomicU32::new(1),
            memory_bytes: AtomicU64::new(0),
            memory_bytes_max: limits.memory_bytes_max,
            cpu_ms: AtomicU64::new(0),
            cpu_ms_max: limits.cpu_ms_max,
        };
        Self { family: Arc::new(family), depth: 0 }
    }

    pub(crate) fn family(&self) -> Arc<Family> {
        self.family.clone()
    }

    /// A place for a process that this one starts.
    pub(crate) fn child(&self) -> Result<Self, TooMany> {
        if self.depth >= DEPTH_MAX {
            return Err(TooMany(DEPTH_MAX));
        }
        let one_more = |processes: u32| (processes < PROCESSES_MAX).then_some(processes + 1);
        match self.family.processes.try_update(Ordering::Relaxed, Ordering::Relaxed, one_more) {
            Ok(_) => Ok(Self { family: self.family.clone(), depth: self.depth + 1 }),
            Err(_) => Err(TooMany(PROCESSES_MAX)),
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.family.processes.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_bounded_in_breadth_and_depth() {
        let first = Member::first(&Limits::default());
        let mut children: Vec<Member> = (1..PROCESSES_MAX).map(|_| first.child().unwrap()).collect();
        assert_eq!(first.child().err(), Some(TooMany(PROCESSES_MAX)));
        children.pop();
        let mut line = vec![first.child().unwrap()];
        children.clear();
        while line.len() < DEPTH_MAX as usize {
            line.push(line[line.len() - 1].child().unwrap());
        }
        assert_eq!(line[line.len() - 1].child().err(), Some(TooMany(DEPTH_MAX)));
        drop(line);
        assert_eq!(first.family.processes.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn memory_and_time_hold_for_all_together() {
        let first = Member::first(&Limits { memory_bytes_max: 100, cpu_ms_max: 20, ..Limits::default() });
        let family = first.child().unwrap().family();
        assert!(first.family.take_memory(60) && family.take_memory(40));
        assert!(!family.take_memory(1));
        first.family.give_memory_back(60);
        assert!(family.take_memory(60));
        assert!(first.family.take_cpu(10) && family.take_cpu(10) && !first.family.take_cpu(10));
    }
}
