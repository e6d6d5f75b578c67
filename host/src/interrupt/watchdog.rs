//! Watches threads: counts their time, and aims at those whose code has to end.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, OnceLock};

use wasmtime::Engine;
use wasmtime::component::Component;

use super::Reason;
use super::signal::{self, Target, Thread, Trap};
use crate::command::Killed;
use crate::family::Family;
use crate::limits::Meter;
use crate::wit::LimitFault;

/// How often it is tried to find a thread in its code, before that is done less often: it waits in a call of the system.
/// Code that calls the host over and over is found in itself once in some hundred times, so tries follow each other fast.
const EAGER_TRIES: u32 = 20_000;

/// Ends code of one engine. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Watchdog {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Engine,
    /// Where code goes on that has to end. Made when it is needed first.
    trap: OnceLock<Option<Trap>>,
}

/// Who pays for a process's time on a processor.
pub(crate) struct Account {
    pub(crate) cpu_ms_max: u64,
    pub(crate) family: Arc<Family>,
    pub(crate) meter: Arc<Meter>,
}

/// By this one process is ended.
#[derive(Default)]
pub(crate) struct Interrupt {
    pub(crate) reason: Reason,
    /// Null, or what `owned` holds: the handler of the signal reads nothing else.
    target: AtomicPtr<Target>,
    owned: OnceLock<Option<Target>>,
}

/// A thread that runs code.
pub(crate) struct Watched {
    shared: Arc<Shared>,
    interrupt: Arc<Interrupt>,
    component: Component,
    thread: Thread,
    account: Account,
    /// Time of its thread: when it began, and how much was counted since.
    begin_ms: u64,
    counted_ms: u64,
    tries: u32,
}

impl Watchdog {
    /// None: this system does not let it, and code is to look at epochs.
    pub(crate) fn new(engine: &Engine) -> Option<Self> {
        signal::install()?;
        Some(Self { shared: Arc::new(Shared { engine: engine.clone(), trap: OnceLock::new() }) })
    }

    /// Whether code of this component could be ended. To be asked before it runs for the first time.
    pub(crate) fn can_end(&self, component: &Component) -> bool {
        self.shared.trap().is_some() && signal::bodies(component).is_some()
    }

    /// To watch the calling thread while it runs code of this component. None: the system does not let it.
    pub(crate) fn watch(
        &self,
        interrupt: &Arc<Interrupt>,
        component: &Component,
        account: Account,
    ) -> Option<(Watched, Watching)> {
        let (shared, interrupt, component) = (self.shared.clone(), interrupt.clone(), component.clone());
        let thread = Thread::current()?;
        let before = signal::enter(&raw const interrupt.target);
        let watching = Watching { before, _interrupt: interrupt.clone() };
        let begin_ms = thread.cpu_ms();
        let watched = Watched { shared, interrupt, component, thread, account, begin_ms, counted_ms: 0, tries: 0 };
        Some((watched, watching))
    }
}

/// Signals have an effect on the thread that this was made on while it exists, and it is dropped there.
pub(crate) struct Watching {
    /// A pointer, so this stays on its thread.
    before: *const AtomicPtr<Target>,
    /// The handler may look at it until then.
    _interrupt: Arc<Interrupt>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        signal::enter(self.before);
    }
}

impl Shared {
    fn trap(&self) -> Option<&Trap> {
        self.trap.get_or_init(|| Trap::new(&self.engine)).as_ref()
    }
}

impl Watched {
    /// It has to end, and may be found in its code any moment.
    pub(crate) fn is_eager(&self) -> bool {
        self.interrupt.reason.get().is_some() && self.tries < EAGER_TRIES
    }

    /// Counts its time, and signals it where it has to end. Its thread has not ended.
    pub(crate) fn look(&mut self) {
        let used_ms = self.thread.cpu_ms().saturating_sub(self.begin_ms);
        let more = used_ms.saturating_sub(self.counted_ms);
        self.counted_ms += more;
        let fits = more == 0 || self.account.family.take_cpu(more);
        let at = self.account.cpu_ms_max;
        if !fits || self.counted_ms > at {
            self.account.meter.reach("cpu-ms-max", at);
            self.interrupt.reason.give(Killed::Limit(LimitFault { name: "cpu-ms-max".to_owned(), at }));
        }
        if self.interrupt.reason.get().is_none() {
            return;
        }
        self.tries = self.tries.saturating_add(1);
        let aim = || self.shared.trap().and_then(|trap| Target::new(&self.component, trap));
        if let Some(target) = self.interrupt.owned.get_or_init(aim) {
            self.interrupt.target.store(ptr::from_ref(target).cast_mut(), Ordering::Release);
            // SAFETY: whoever looks holds the lock that the thread needs to be watched no longer, before it ends.
            unsafe { self.thread.signal() };
        }
    }
}
