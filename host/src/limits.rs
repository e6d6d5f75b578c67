//! The bounds of one call, and what counts towards them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use wasmtime::{CallHook, ResourceLimiter, Store, Trap, UpdateDeadline};

use crate::engine::EPOCH_MS;
use crate::family::Family;
use crate::interrupt::Interrupt;
use crate::wit::LimitFault;

pub use crate::agent::bindings::wardian::host::types::Limits;

impl Default for Limits {
    /// Enough for honest work on large projects, little enough that a call gone wild does no harm:
    /// 2 minutes, 1 minute of processor time, 512 MiB, 100,000 table elements, 4 MiB of output, 50 million host calls.
    fn default() -> Self {
        Self {
            wall_ms_max: 120_000,
            cpu_ms_max: 60_000,
            memory_bytes_max: 512 << 20,
            table_elements_max: 100_000,
            output_bytes_max: 4 << 20,
            hostcalls_max: 50_000_000,
        }
    }
}

/// A single host call may carry a little more than the output limit before the output is measured.
const HOSTCALL_SLACK_BYTES: u64 = 1 << 20;

/// What a single host call may carry where the output is not limited, or hardly.
const HOSTCALL_BYTES_MAX: u64 = 257 << 20;

/// Bytes that a call has put out, and the first limit that it reached. Shared with the call's streams.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    output_bytes: AtomicU64,
    output_bytes_max: u64,
    reached: Mutex<Option<LimitFault>>,
}

impl Meter {
    pub(crate) fn new(output_bytes_max: u64) -> Arc<Self> {
        Arc::new(Self { output_bytes_max, ..Self::default() })
    }

    pub(crate) fn reach(&self, name: &str, at: u64) {
        if let Ok(mut reached) = self.reached.lock() {
            reached.get_or_insert_with(|| LimitFault { name: name.to_owned(), at });
        }
    }

    pub(crate) fn output_bytes_max(&self) -> u64 {
        self.output_bytes_max
    }

    pub(crate) fn reached(&self) -> Option<LimitFault> {
        self.reached.lock().ok()?.clone()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.output_bytes.load(Ordering::Relaxed) > self.output_bytes_max
    }

    /// Counts output; false when that is too much.
    pub(crate) fn put_out(&self, bytes: u64) -> bool {
        let total = self.output_bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let fits = total <= self.output_bytes_max;
        if !fits {
            self.reach("output-bytes-max", self.output_bytes_max);
        }
        fits
    }
}

/// Watches the memory and tables of one store.
pub(crate) struct Limiter {
    limits: Limits,
    meter: Arc<Meter>,
    memory_bytes: u64,
    pub(crate) memory_bytes_peak: u64,
    table_elements: u64,
    cpu_ms: u64,
    hostcalls: u64,
    /// Where others run on the same account.
    family: Option<Arc<Family>>,
    /// Whoever calls the host over and over is ended there: it is seldom found in its own code.
    pub(crate) interrupt: Option<Arc<Interrupt>>,
}

impl Drop for Limiter {
    fn drop(&mut self) {
        if let Some(family) = &self.family {
            family.give_memory_back(self.memory_bytes);
        }
    }
}

/// What a store's data must have to be limited.
pub(crate) trait Limited: Send + 'static {
    fn limiter(&mut self) -> &mut Limiter;
}

impl Limiter {
    pub(crate) fn new(limits: Limits, meter: Arc<Meter>) -> Self {
        let (memory_bytes, memory_bytes_peak, table_elements, cpu_ms, hostcalls) = (0, 0, 0, 0, 0);
        Self {
            limits,
            meter,
            memory_bytes,
            memory_bytes_peak,
            table_elements,
            cpu_ms,
            hostcalls,
            family: None,
            interrupt: None,
        }
    }

    /// Memory and time count for the family as well, which has bounds of its own.
    pub(crate) fn with_family(mut self, family: Arc<Family>) -> Self {
        self.family = Some(family);
        self
    }

    /// Begins anew for what is in the store already. False: that is more memory than may be.
    pub(crate) fn renew(&mut self, limits: Limits, meter: Arc<Meter>, family: Option<Arc<Family>>) -> bool {
        let bytes = self.memory_bytes;
        let fits = bytes <= limits.memory_bytes_max && family.as_ref().is_none_or(|family| family.take_memory(bytes));
        if let Some(family) = std::mem::replace(&mut self.family, family.filter(|_| fits)) {
            family.give_memory_back(bytes);
        }
        (self.limits, self.meter) = (limits, meter);
        (self.memory_bytes_peak, self.cpu_ms, self.hostcalls) = (bytes, 0, 0);
        fits
    }

    /// Makes every limit but wall time, which belongs to whoever waits, hold for `store`.
    pub(crate) fn install<T: Limited>(store: &mut Store<T>) {
        let limits = store.data_mut().limiter().limits;
        store.limiter(|data| data.limiter());
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut context| {
            let limiter = context.data_mut().limiter();
            limiter.cpu_ms += EPOCH_MS;
            let fits = limiter.family.as_ref().is_none_or(|family| family.take_cpu(EPOCH_MS));
            if !fits || limiter.cpu_ms > limiter.limits.cpu_ms_max {
                limiter.meter.reach("cpu-ms-max", limiter.limits.cpu_ms_max);
                return Err(wasmtime::Error::msg("cpu-ms-max reached"));
            }
            // Gives whoever waits for this store a chance to end it.
            Ok(UpdateDeadline::Yield(1))
        });
        store.call_hook(|mut context, hook| {
            if matches!(hook, CallHook::CallingHost) {
                let limiter = context.data_mut().limiter();
                if limiter.interrupt.as_ref().is_some_and(|interrupt| interrupt.reason.get().is_some()) {
                    return Err(Trap::Interrupt.into());
                }
                limiter.hostcalls += 1;
                if limiter.hostcalls > limiter.limits.hostcalls_max {
                    limiter.meter.reach("hostcalls-max", limiter.limits.hostcalls_max);
                    return Err(wasmtime::Error::msg("hostcalls-max reached"));
                }
                // Not every way out can refuse by itself: a report of progress returns nothing.
                if limiter.meter.is_over() {
                    return Err(wasmtime::Error::msg("output-bytes-max reached"));
                }
            }
            Ok(())
        });
        let bytes = limits.output_bytes_max.saturating_add(HOSTCALL_SLACK_BYTES).min(HOSTCALL_BYTES_MAX);
        store.set_hostcall_fuel(usize::try_from(bytes).unwrap_or(usize::MAX));
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current) as u64;
        let after = self.memory_bytes.saturating_add(more);
        let fits =
            after <= self.limits.memory_bytes_max && self.family.as_ref().is_none_or(|family| family.take_memory(more));
        if !fits {
            self.meter.reach("memory-bytes-max", self.limits.memory_bytes_max);
            return Ok(false);
        }
        self.memory_bytes = after;
        self.memory_bytes_peak = self.memory_bytes_peak.max(after);
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let after = self.table_elements.saturating_add(desired.saturating_sub(current) as u64);
        if after > u64::from(self.limits.table_elements_max) {
            self.meter.reach("table-elements-max", self.limits.table_elements_max.into());
            return Ok(false);
        }
        self.table_elements = after;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Host, HostOptions};
    use wasmtime::component::{Component, Linker};

    struct Data(Limiter);

    impl Limited for Data {
        fn limiter(&mut self) -> &mut Limiter {
            &mut self.0
        }
    }

    /// `grow` asks for so many table elements, `remember` for so many pages of memory; -1 says that it got none.
    const GUEST: &str = r#"(component
        (core module $m
            (table $t 10 funcref)
            (memory 1)
            (func (export "grow") (param i32) (result i32) (table.grow $t (ref.null func) (local.get 0)))
            (func (export "remember") (param i32) (result i32) (memory.grow (local.get 0))))
        (core instance $i (instantiate $m))
        (func (export "grow") (param "n" u32) (result s32) (canon lift (core func $i "grow")))
        (func (export "remember") (param "n" u32) (result s32) (canon lift (core func $i "remember"))))"#;

    async fn ask(function: &str, n: u32) -> (i32, Option<String>) {
        let host = Host::new(HostOptions::default()).unwrap();
        let limits = Limits { table_elements_max: 100, memory_bytes_max: 10 << 16, ..Limits::default() };
        let meter = Meter::new(limits.output_bytes_max);
        let mut store = Store::new(host.engine(), Data(Limiter::new(limits, meter.clone())));
        Limiter::install(&mut store);
        let component = Component::new(host.engine(), wat::parse_str(GUEST).unwrap()).unwrap();
        let instance = Linker::new(host.engine()).instantiate_async(&mut store, &component).await.unwrap();
        let function = instance.get_typed_func::<(u32,), (i32,)>(&mut store, function).unwrap();
        let (result,) = function.call_async(&mut store, (n,)).await.unwrap();
        (result, meter.reached().map(|limit| limit.name))
    }

    #[tokio::test]
    async fn tables_grow_up_to_their_limit() {
        assert_eq!(ask("grow", 90).await, (10, None));
        assert_eq!(ask("grow", 91).await, (-1, Some("table-elements-max".to_owned())));
    }

    #[tokio::test]
    async fn memories_grow_up_to_their_limit() {
        assert_eq!(ask("remember", 9).await, (1, None));
        assert_eq!(ask("remember", 10).await, (-1, Some("memory-bytes-max".to_owned())));
    }
}
