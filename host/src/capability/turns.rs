//! `wardian:host/turns`: who may change a session's layer, one instance after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};
use wasmtime::component::Resource;

use super::Lent;
use super::lent::wardian::host::turns::{Host, HostTurn};

/// How long an instance waits for its turn.
const WAIT: Duration = Duration::from_secs(10);

/// The turns of one session's layer. Everything in this process that works on the layer shares them; the session's lock
/// keeps other processes off it.
#[derive(Debug, Default)]
pub struct Turns {
    // First come, first served.
    lock: Arc<Mutex<()>>,
    ended: AtomicU64,
}

impl Turns {
    fn turn(self: &Arc<Self>, guard: OwnedMutexGuard<()>) -> Turn {
        Turn { turns: self.clone(), _guard: guard }
    }

    async fn take(self: &Arc<Self>, wait: Duration) -> Option<Turn> {
        // Nearly always it is free, and a timer costs more than the turn.
        if let Ok(guard) = self.lock.clone().try_lock_owned() {
            return Some(self.turn(guard));
        }
        let guard = tokio::time::timeout(wait, self.lock.clone().lock_owned()).await.ok()?;
        Some(self.turn(guard))
    }

    fn ended(&self) -> u64 {
        self.ended.load(Ordering::Acquire)
    }
}

/// A turn that was taken. It is in the table of its instance's store, and ends with it at the latest.
pub struct Turn {
    turns: Arc<Turns>,
    _guard: OwnedMutexGuard<()>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Before the next one is let in, which is when the guard is dropped.
        self.turns.ended.fetch_add(1, Ordering::AcqRel);
    }
}

impl Host for Lent<'_> {
    async fn take(&mut self) -> wasmtime::Result<Option<Resource<Turn>>> {
        match self.turns.take(WAIT).await {
            Some(turn) => Ok(Some(self.table.push(turn)?)),
            None => Ok(None),
        }
    }

    fn ended(&mut self) -> wasmtime::Result<u64> {
        Ok(self.turns.ended())
    }
}

impl HostTurn for Lent<'_> {
    fn drop(&mut self, turn: Resource<Turn>) -> wasmtime::Result<()> {
        self.table.delete(turn)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime::component::ResourceTable;

    #[tokio::test]
    async fn one_at_a_time_and_each_end_counts() {
        let turns = Arc::new(Turns::default());
        let first = turns.take(WAIT).await.unwrap();
        let waiting = tokio::spawn({
            let turns = turns.clone();
            async move { turns.take(WAIT).await.map(|_| turns.ended()) }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!waiting.is_finished());
        assert_eq!(turns.ended(), 0);
        drop(first);
        assert_eq!(waiting.await.unwrap(), Some(1), "the second saw the end of the first");
        assert_eq!(turns.ended(), 2);
    }

    #[tokio::test]
    async fn whoever_waits_too_long_gets_none() {
        let turns = Arc::new(Turns::default());
        let _held = turns.take(WAIT).await.unwrap();
        assert!(turns.take(Duration::from_millis(20)).await.is_none());
    }

    #[tokio::test]
    async fn a_turn_ends_with_its_store() {
        let turns = Arc::new(Turns::default());
        let mut table = ResourceTable::new();
        let taken = Lent { table: &mut table, turns: &turns, directory: None }.take().await.unwrap();
        assert!(taken.is_some());
        drop(table);
        assert_eq!(turns.ended(), 1);
        assert!(turns.take(WAIT).await.is_some());
    }
}
