//! The engine, configured here and nowhere else.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Duration;

use sha2::{Digest, Sha256};
use wasmtime::component::Component;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::Error;
use crate::cache::Cache;
use crate::interrupt::Watchdog;
use crate::overseer::Overseer;

/// Length of an epoch: how often running code is looked at, and the unit in which processor time is measured.
pub(crate) const EPOCH_MS: u64 = 10;

/// Instances that may exist at once in this process; each call of a tool is one.
const INSTANCES_MAX: u32 = 256;

/// What a tool that is composed with the workspace has at most, with a little to spare. Only address space is set aside.
const CORE_INSTANCES_EACH: u32 = 16;
const MEMORIES_EACH: u32 = 3;
const TABLES_EACH: u32 = 8;

/// Memories, tables and core instances that one component may have: an agent composed of several parts has many.
const PARTS_PER_COMPONENT_MAX: u32 = 64;

/// Address space of one linear memory; the limit of a call is lower. What is not touched costs nothing.
const MEMORY_BYTES_MAX: usize = 4 << 30;

const TABLE_ELEMENTS_MAX: usize = 200_000;

/// Deep enough for CPython, whose own limit on recursion must be reached first: it raises an error where a trap would end
/// everything. Only address space is set aside.
const WASM_STACK_BYTES_MAX: usize = 64 << 20;

/// More than the wasm stack: host calls run on it, too.
const ASYNC_STACK_BYTES: usize = 66 << 20;

/// Part of a used memory that is kept mapped and zeroed by hand, which is faster than mapping it anew.
const KEEP_RESIDENT_BYTES: usize = 256 << 10;

fn config(looks_at_epochs: bool) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(looks_at_epochs)
        .wasm_component_model(true)
        .concurrency_support(false)
        .memory_init_cow(true)
        // No part of a backtrace is shown to anybody; without the map compiled code is a third smaller.
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false)
        .max_wasm_stack(WASM_STACK_BYTES_MAX)
        .async_stack_size(ASYNC_STACK_BYTES);
    config
}

fn pooling() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(INSTANCES_MAX)
        .total_core_instances(INSTANCES_MAX * CORE_INSTANCES_EACH)
        .total_memories(INSTANCES_MAX * MEMORIES_EACH)
        .total_tables(INSTANCES_MAX * TABLES_EACH)
        .total_stacks(INSTANCES_MAX)
        .max_core_instances_per_component(PARTS_PER_COMPONENT_MAX)
        .max_memories_per_component(PARTS_PER_COMPONENT_MAX)
        .max_tables_per_component(PARTS_PER_COMPONENT_MAX)
        .max_memory_size(MEMORY_BYTES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        // Where the system tells which pages were written to, those alone are reset.
        .pagemap_scan(Enabled::Auto)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(KEEP_RESIDENT_BYTES);
    pool
}

/// Where the host keeps what it derives.
#[derive(Debug, Clone, Default)]
pub struct HostOptions {
    /// Folder for compiled code; none compiles anew in each process.
    pub cache: Option<PathBuf>,
}

/// The engine with its cache and its clock. Cheap to clone.
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

struct Inner {
    options: HostOptions,
    engine: Engine,
    cache: Option<Cache>,
    overseer: Overseer,
    /// Ends code that does not look at epochs. None: it does.
    watchdog: Option<Watchdog>,
    /// For code that does not. None where that cannot be.
    commands: OnceLock<Option<Host>>,
    /// By digest or key.
    loaded: Mutex<HashMap<String, Component>>,
    /// None: nothing looks at epochs.
    ticker: Option<Arc<Ticker>>,
}

/// A component that is ready to run.
#[derive(Clone)]
pub struct Code {
    /// Its folder's name.
    pub name: String,
    /// Lowercase hex SHA-256 of the component's own bytes, also where it was composed with the workspace.
    pub digest: String,
    pub(crate) component: Component,
    /// Ends it. None: it looks at epochs.
    pub(crate) watchdog: Option<Watchdog>,
    /// Its files are the workspace's.
    pub(crate) in_workspace: bool,
}

impl Host {
    /// Sets up the engine. On machines where address space is short, instances are allocated one by one instead of
    /// from a pool: slower, otherwise the same.
    pub fn new(options: HostOptions) -> Result<Self, Error> {
        let engine = engine(true)?;
        // This one ends by itself where the next one cannot start.
        let overseer = Overseer::start().map_err(Error::Thread)?;
        let ticker = Arc::new(Ticker::default());
        ticker.clone().start(engine.clone()).map_err(Error::Thread)?;
        Ok(Self::with(options, engine, overseer, Some(ticker), None))
    }

    fn with(
        options: HostOptions,
        engine: Engine,
        overseer: Overseer,
        ticker: Option<Arc<Ticker>>,
        watchdog: Option<Watchdog>,
    ) -> Self {
        let cache = options.cache.clone().map(|folder| Cache::new(folder, &compatibility(&engine)));
        let (commands, loaded) = (OnceLock::new(), Mutex::default());
        Self { inner: Arc::new(Inner { options, engine, cache, overseer, watchdog, commands, loaded, ticker }) }
    }

    /// The same for code that runs as a [`crate::Command`]: faster, where such code can be ended without its help.
    pub fn for_commands(&self) -> Host {
        if self.inner.watchdog.is_some() {
            return self.clone();
        }
        let commands = self.inner.commands.get_or_init(|| {
            let engine = engine(false).ok()?;
            let watchdog = Watchdog::new(&engine)?;
            let (options, overseer) = (self.inner.options.clone(), self.inner.overseer.clone());
            Some(Self::with(options, engine, overseer, None, Some(watchdog)))
        });
        commands.as_ref().unwrap_or(self).clone()
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    pub(crate) fn overseer(&self) -> &Overseer {
        &self.inner.overseer
    }

    /// Whether loading a component with this digest, or under this key, would have to compile.
    pub fn is_compiled(&self, key: &str) -> bool {
        self.inner.cache.as_ref().is_some_and(|cache| cache.has(key))
    }

    /// Compiles a component, or takes the compiled code from the cache.
    ///
    /// `digest` is the lowercase hex SHA-256 of `bytes` where the caller knows it from a source as trustworthy as the
    /// bytes; none computes it.
    pub fn load(&self, name: &str, bytes: &[u8], digest: Option<&str>) -> Result<Code, Error> {
        let digest = digest.map_or_else(|| sha256(bytes), str::to_owned);
        let component = self.component(name, &digest, || Ok(Cow::Borrowed(bytes)))?;
        Ok(self.code(name, digest, component, false))
    }

    /// As [`Host::load`], with bytes that are asked for only where no compiled code is at hand, so `digest` must be theirs.
    ///
    /// # Errors
    /// Those of [`Host::load`], and [`Error::Compose`] with the reason that `bytes` gives.
    pub fn load_lazily(
        &self,
        name: &str,
        digest: &str,
        bytes: impl FnOnce() -> Result<Vec<u8>, String>,
    ) -> Result<Code, Error> {
        let failed = |reason| Error::Compose { name: name.to_owned(), reason };
        let component = self.component(name, digest, || bytes().map(Cow::Owned).map_err(failed))?;
        Ok(self.code(name, digest.to_owned(), component, false))
    }

    /// The same for a tool that sees files through the workspace. Its composition with the workspace is asked for only
    /// where no compiled code is at hand, so `key` must stand for all that it follows from: lowercase hex SHA-256.
    ///
    /// `digest` is that of the tool alone, by which it is known.
    ///
    /// # Errors
    /// Those of [`Host::load`], and [`Error::Compose`] with the reason that `compose` gives.
    pub fn load_in_workspace(
        &self,
        name: &str,
        digest: &str,
        key: &str,
        compose: impl FnOnce() -> Result<Vec<u8>, String>,
    ) -> Result<Code, Error> {
        let failed = |reason| Error::Compose { name: name.to_owned(), reason };
        let component = self.component(name, key, || compose().map(Cow::Owned).map_err(failed))?;
        Ok(self.code(name, digest.to_owned(), component, true))
    }

    fn code(&self, name: &str, digest: String, component: Component, in_workspace: bool) -> Code {
        let watchdog = self.inner.watchdog.clone();
        Code { name: name.to_owned(), digest, component, watchdog, in_workspace }
    }

    fn component<'a>(
        &self,
        name: &str,
        key: &str,
        bytes: impl FnOnce() -> Result<Cow<'a, [u8]>, Error>,
    ) -> Result<Component, Error> {
        if let Ok(loaded) = self.inner.loaded.lock()
            && let Some(component) = loaded.get(key)
        {
            return Ok(component.clone());
        }
        let engine = &self.inner.engine;
        let cache = self.inner.cache.as_ref();
        let cached = || cache.and_then(|cache| cache.load(engine, key));
        let compile = || {
            let failed = |source| Error::Compile { name: name.to_owned(), source };
            let component = Component::new(engine, bytes()?).map_err(failed)?;
            if self.inner.watchdog.as_ref().is_some_and(|watchdog| !watchdog.can_end(&component)) {
                return Err(failed(wasmtime::Error::msg("the engine does not say where its functions are")));
            }
            if let Some(cache) = cache {
                // A cache that cannot be written makes the next start slow, nothing worse.
                let _ = component.serialize().map(|compiled| cache.store(key, &compiled));
            }
            // A mapped file's pages are there already where an instance touches them first; those that were compiled to are not.
            Ok(cached().unwrap_or(component))
        };
        let alone = || {
            let _turn = cache.and_then(|cache| cache.turn(key));
            cached().map_or_else(compile, Ok)
        };
        let component = cached().map_or_else(alone, Ok)?;
        if let Ok(mut loaded) = self.inner.loaded.lock() {
            loaded.insert(key.to_owned(), component.clone());
        }
        Ok(component)
    }

    /// Keeps epochs going while code runs.
    pub(crate) fn ticking(&self) -> Option<Ticking> {
        self.inner.ticker.clone().map(Ticker::run)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(ticker) = &self.ticker {
            ticker.stopped.store(true, Ordering::Release);
            // Not between its look and its wait.
            drop(ticker.lock.lock());
            ticker.wake.notify_all();
        }
    }
}

fn engine(looks_at_epochs: bool) -> Result<Engine, Error> {
    let mut pooled = config(looks_at_epochs);
    pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling()));
    Engine::new(&pooled).or_else(|_| Engine::new(&config(looks_at_epochs))).map_err(Error::Engine)
}

/// Lowercase hex SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Compiled code runs only under the engine, configuration and processor that it was compiled for.
fn compatibility(engine: &Engine) -> String {
    struct Collect(Sha256);
    impl Hasher for Collect {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut collect = Collect(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut collect);
    let digest = collect.0.finalize();
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Advances the engine's epoch while there is code to watch, and sleeps otherwise.
#[derive(Default)]
struct Ticker {
    running: AtomicUsize,
    stopped: AtomicBool,
    lock: Mutex<()>,
    wake: Condvar,
}

impl Ticker {
    fn start(self: Arc<Self>, engine: Engine) -> std::io::Result<()> {
        let spawned = std::thread::Builder::new().name("wardian-epoch".to_owned()).spawn(move || {
            while !self.stopped.load(Ordering::Acquire) {
                if self.running.load(Ordering::Acquire) == 0 {
                    let Ok(guard) = self.lock.lock() else { return };
                    let idle =
                        |_: &mut ()| self.running.load(Ordering::Acquire) == 0 && !self.stopped.load(Ordering::Acquire);
                    drop(self.wake.wait_while(guard, idle));
                    continue;
                }
                std::thread::sleep(Duration::from_millis(EPOCH_MS));
                engine.increment_epoch();
            }
        });
        spawned.map(drop)
    }

    fn run(self: Arc<Self>) -> Ticking {
        if self.running.fetch_add(1, Ordering::AcqRel) == 0 {
            let _guard = self.lock.lock();
            self.wake.notify_all();
        }
        Ticking(self)
    }
}

/// Epochs advance while one of these exists.
pub(crate) struct Ticking(Arc<Ticker>);

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "k1";

    #[test]
    fn a_composition_is_asked_for_only_where_no_code_is_at_hand() {
        let folder = tempfile::tempdir().unwrap();
        let options = HostOptions { cache: Some(folder.path().to_owned()) };
        let host = Host::new(options.clone()).unwrap();
        let code = host.load_in_workspace("tool-x", "d1", KEY, || Ok(b"(component)".to_vec()));
        assert!(matches!(code, Err(Error::Compile { .. })), "text is no component");
        assert!(!host.is_compiled(KEY));
        let bytes = wat::parse_str("(component)").unwrap();
        let code = host.load_in_workspace("tool-x", "d1", KEY, || Ok(bytes)).unwrap();
        assert_eq!((&*code.name, &*code.digest, code.in_workspace), ("tool-x", "d1", true));
        // In this process, and in the next one.
        for host in [host, Host::new(options).unwrap()] {
            assert!(host.is_compiled(KEY));
            host.load_in_workspace("tool-x", "d1", KEY, || Err("not again".to_owned())).unwrap();
            let other = host.load_in_workspace("tool-x", "d1", "k2", || Err("it does not fit".to_owned()));
            let error = other.err().unwrap().to_string();
            assert_eq!(error, "cannot put component tool-x into the workspace: it does not fit");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_was_just_compiled_is_mapped_from_the_cache_as_later() {
        let folder = tempfile::tempdir().unwrap();
        let options = HostOptions { cache: Some(folder.path().to_owned()) };
        // Large enough to be mapped.
        let text = format!(r#"(component (core module (memory 96) (data (i32.const 0) "{}")))"#, "x".repeat(5 << 20));
        let bytes = wat::parse_str(text).unwrap();
        for _ in ["compiles", "finds it"] {
            let host = Host::new(options.clone()).unwrap();
            let code = host.load_in_workspace("large", "d1", KEY, || Ok(bytes.clone())).unwrap();
            let at = code.component.image_range().start as usize;
            let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
            let is_there = |line: &&str| {
                let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
                (usize::from_str_radix(start, 16).unwrap()..usize::from_str_radix(end, 16).unwrap()).contains(&at)
            };
            let line = maps.lines().find(is_there).unwrap();
            assert!(line.contains(folder.path().to_str().unwrap()), "{line}");
        }
    }
}
