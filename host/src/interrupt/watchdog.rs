//! The thread that watches processes: it counts their time, and ends those that have to end.

use std::collections::HashMap;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use wasmtime::Engine;
use wasmtime::component::Component;

use super::Reason;
use super::signal::{self, Target, Thread, Trap};
use crate::command::Killed;
use crate::engine::EPOCH_MS;
use crate::family::Family;
use crate::limits::Meter;
use crate::wit::LimitFault;

/// How often it is tried to find a thread in its code, before that is done less often: it waits in a call of the system.
/// Code that calls the host over and over is found in itself once in some hundred times, so tries follow each other fast.
const EAGER_TRIES: u32 = 20_000;
const RETRY: Duration = Duration::from_micros(20);

/// Watches the processes of one engine. Cheap to clone; its thread ends with the last of it.
#[derive(Clone)]
pub(crate) struct Watchdog {
    owner: Arc<Owner>,
}

struct Owner(Arc<Shared>);

struct Shared {
    engine: Engine,
    runs: Mutex<HashMap<u64, Watched>>,
    number: AtomicU64,
    wake: Condvar,
    stopped: AtomicBool,
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

struct Watched {
    interrupt: Arc<Interrupt>,
    component: Component,
    thread: Thread,
    account: Account,
    /// Time of its thread: when it began, and how much was counted since.
    begin_ms: u64,
    counted_ms: u64,
    tries: u32,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::Release);
        drop(self.0.runs());
        self.0.wake.notify_all();
    }
}

impl Watchdog {
    /// None: this system does not let it, and code is to look at epochs.
    pub(crate) fn new(engine: &Engine) -> Option<Self> {
        signal::install()?;
        let shared = Arc::new(Shared {
            engine: engine.clone(),
            runs: Mutex::default(),
            number: AtomicU64::default(),
            wake: Condvar::new(),
            stopped: AtomicBool::new(false),
            trap: OnceLock::new(),
        });
        let watching = shared.clone();
        std::thread::Builder::new().name("wardian-watch".to_owned()).spawn(move || watching.watch()).ok()?;
        Some(Self { owner: Arc::new(Owner(shared)) })
    }

    /// Whether code of this component could be ended. To be asked before it runs for the first time.
    pub(crate) fn can_end(&self, component: &Component) -> bool {
        self.owner.0.trap().is_some() && signal::bodies(component).is_some()
    }

    /// Asks for the end of a process.
    pub(crate) fn end(&self, interrupt: &Interrupt, why: Killed) {
        interrupt.reason.give(why);
        self.owner.0.wake.notify_all();
    }

    /// Watches the calling thread while it runs code of this component. None: the system does not let it.
    pub(crate) fn watch(
        &self,
        interrupt: &Arc<Interrupt>,
        component: &Component,
        account: Account,
    ) -> Option<Watching> {
        let (interrupt, component, thread) = (interrupt.clone(), component.clone(), Thread::current()?);
        let before = signal::enter(&raw const interrupt.target);
        let shared = self.owner.0.clone();
        let number = shared.number.fetch_add(1, Ordering::Relaxed);
        let begin_ms = thread.cpu_ms();
        let watched =
            Watched { interrupt: interrupt.clone(), component, thread, account, begin_ms, counted_ms: 0, tries: 0 };
        let mut runs = shared.runs();
        let is_first = runs.is_empty();
        runs.insert(number, watched);
        drop(runs);
        if is_first {
            shared.wake.notify_all();
        }
        Some(Watching { shared, number, before, _interrupt: interrupt })
    }
}

/// The thread that this was made on is watched while it exists, and it is dropped there.
pub(crate) struct Watching {
    shared: Arc<Shared>,
    number: u64,
    /// A pointer, so this stays on its thread.
    before: *const AtomicPtr<Target>,
    /// The handler may look at it until then.
    _interrupt: Arc<Interrupt>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        signal::enter(self.before);
        // Signals are sent under the lock alone: from then on there are none.
        self.shared.runs().remove(&self.number);
    }
}

impl Shared {
    fn runs(&self) -> MutexGuard<'_, HashMap<u64, Watched>> {
        self.runs.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn trap(&self) -> Option<&Trap> {
        self.trap.get_or_init(|| Trap::new(&self.engine)).as_ref()
    }

    fn watch(&self) {
        let mut runs = self.runs();
        while !self.stopped.load(Ordering::Acquire) {
            runs = if runs.is_empty() {
                self.wake.wait(runs).unwrap_or_else(|poisoned| poisoned.into_inner())
            } else {
                let pause = match runs.values().any(Watched::is_eager) {
                    true => RETRY,
                    false => Duration::from_millis(EPOCH_MS),
                };
                self.wake.wait_timeout(runs, pause).unwrap_or_else(|poisoned| poisoned.into_inner()).0
            };
            for watched in runs.values_mut() {
                watched.look(self);
            }
        }
    }
}

impl Watched {
    /// It has to end, and may be found in its code any moment.
    fn is_eager(&self) -> bool {
        self.interrupt.reason.get().is_some() && self.tries < EAGER_TRIES
    }

    fn look(&mut self, shared: &Shared) {
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
        let aim = || shared.trap().and_then(|trap| Target::new(&self.component, trap));
        if let Some(target) = self.interrupt.owned.get_or_init(aim) {
            self.interrupt.target.store(ptr::from_ref(target).cast_mut(), Ordering::Release);
            // SAFETY: the thread takes itself out of the list before it ends, for which it needs the lock that is held here.
            unsafe { self.thread.signal() };
        }
    }
}
