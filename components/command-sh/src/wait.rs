//! Waits: for processes and their streams, which WASI's poll knows, and for timers, which the runtime knows.
//!
//! There is one thread. Where nothing can go on, it waits in `wasi:io/poll` for all streams that somebody waits for, and
//! not longer than a moment: nobody tells when the runtime's next timer is due.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::io::poll::{Pollable, poll};

/// How late a timer may be.
const MOMENT: Duration = Duration::from_millis(2);

thread_local! {
    static WAITING: RefCell<Vec<Waiting>> = const { RefCell::new(Vec::new()) };
}

struct Waiting {
    id: u64,
    pollable: Arc<Pollable>,
    waker: Waker,
}

/// Waits until it is ready. No stream may be dropped before what it is waited for with, so the wait ends with the future.
pub async fn ready(pollable: Pollable) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    struct Registered(u64);
    impl Drop for Registered {
        fn drop(&mut self) {
            WAITING.with_borrow_mut(|waiting| waiting.retain(|entry| entry.id != self.0));
        }
    }
    let pollable = Arc::new(pollable);
    let registered = Registered(NEXT.fetch_add(1, Ordering::Relaxed));
    poll_fn(|context| {
        if pollable.ready() {
            return Poll::Ready(());
        }
        let entry = Waiting { id: registered.0, pollable: pollable.clone(), waker: context.waker().clone() };
        WAITING.with_borrow_mut(|waiting| {
            waiting.retain(|known| known.id != registered.0);
            waiting.push(entry);
        });
        Poll::Pending
    })
    .await;
}

/// Wakes the runtime, and remembers that there is something to do.
struct Work {
    is_there: AtomicBool,
    root: Waker,
}

impl Wake for Work {
    fn wake(self: Arc<Self>) {
        self.is_there.store(true, Ordering::Release);
        self.root.wake_by_ref();
    }
}

/// Runs a future to its end.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("it needs no thread");
    let mut work = pin!(work);
    runtime.block_on(poll_fn(|context| {
        let state = Arc::new(Work { is_there: AtomicBool::new(false), root: context.waker().clone() });
        let waker = Waker::from(state.clone());
        let polled = work.as_mut().poll(&mut Context::from_waker(&waker));
        if polled.is_pending() {
            if !state.is_there.load(Ordering::Acquire) {
                wait_a_moment();
            }
            // The runtime looks at its timers, and comes back.
            context.waker().wake_by_ref();
        }
        polled
    }))
}

fn wait_a_moment() {
    let waiting: Vec<(Arc<Pollable>, Waker)> = WAITING
        .with_borrow(|waiting| waiting.iter().map(|entry| (entry.pollable.clone(), entry.waker.clone())).collect());
    let moment = monotonic_clock::subscribe_duration(MOMENT.as_nanos() as u64);
    let all: Vec<&Pollable> = waiting.iter().map(|(pollable, _)| &**pollable).chain([&moment]).collect();
    for at in poll(&all) {
        if let Some((_, waker)) = waiting.get(at as usize) {
            waker.wake_by_ref();
        }
    }
}
