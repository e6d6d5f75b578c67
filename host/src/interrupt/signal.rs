//! The signal, its handler, and where in memory the code of a component is.

use std::cell::Cell;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

use object::read::elf::ElfFile64;
use object::{Object, ObjectSection, ObjectSymbol};
use wasmtime::component::Component;
use wasmtime::{Engine, Module};
use wasmtime_environ::iterate_traps;
use wasmtime_environ::obj::ELF_WASMTIME_TRAPS;

/// Nobody minds it, unless it is handled: it tells of urgent data of sockets.
const SIGNAL: libc::c_int = libc::SIGURG;

/// `(module (func unreachable))`
const UNREACHABLE: [u8; 25] = [
    0, b'a', b's', b'm', 1, 0, 0, 0, // a module
    1, 4, 1, 0x60, 0, 0, // types: one function, from nothing to nothing
    3, 2, 1, 0, // functions: one of that type
    10, 5, 1, 3, 0, 0x00, 0x0B, // code: no locals, unreachable, end
];

/// An instruction that traps, in code that is there for nothing else.
pub(super) struct Trap {
    address: usize,
    _code: Module,
}

impl Trap {
    /// None: the engine does not do what it did when this was written. Tests say so.
    pub(super) fn new(engine: &Engine) -> Option<Self> {
        let code = Module::new(engine, UNREACHABLE).ok()?;
        let range = code.image_range();
        // SAFETY: the engine keeps its image there, and does not change it, as long as there is the module.
        let image = unsafe { image(range.start, range.end) };
        let file = ElfFile64::<object::Endianness>::parse(image).ok()?;
        let traps = file.section_by_name(ELF_WASMTIME_TRAPS)?.data().ok()?;
        let (offset, _) = iterate_traps(traps)?.next()?;
        let address = text(&file, image)? + offset as usize;
        Some(Self { address, _code: code })
    }
}

/// What the handler needs to know.
pub(super) struct Target {
    /// Where functions begin and end, in order.
    bodies: Vec<(usize, usize)>,
    trap: usize,
}

impl Target {
    pub(super) fn new(component: &Component, trap: &Trap) -> Option<Self> {
        Some(Self { bodies: bodies(component)?, trap: trap.address })
    }

    fn is_in_body(&self, at: usize) -> bool {
        let next = self.bodies.partition_point(|(start, _)| *start <= at);
        next > 0 && self.bodies.get(next - 1).is_some_and(|(_, end)| at < *end)
    }
}

/// Where the functions of a component are, which is what the engine names so in the image that it made. None: it names
/// things otherwise than when this was written.
pub(super) fn bodies(component: &Component) -> Option<Vec<(usize, usize)>> {
    let range = component.image_range();
    // SAFETY: as above.
    let image = unsafe { image(range.start, range.end) };
    let file = ElfFile64::<object::Endianness>::parse(image).ok()?;
    let text = text(&file, image)?;
    let mut bodies: Vec<(usize, usize)> = file
        .symbols()
        .filter(|symbol| symbol.name_bytes().is_ok_and(is_function))
        .map(|symbol| (text + symbol.address() as usize, text + (symbol.address() + symbol.size()) as usize))
        .collect();
    bodies.sort_unstable();
    (!bodies.is_empty()).then_some(bodies)
}

/// `wasm[3]::function[4]::name`, and none of the trampolines around them.
fn is_function(name: &[u8]) -> bool {
    let rest = name.strip_prefix(b"wasm[").and_then(|rest| rest.iter().position(|c| *c == b']').map(|at| &rest[at..]));
    rest.is_some_and(|rest| rest.starts_with(b"]::function["))
}

unsafe fn image<'a>(start: *const u8, end: *const u8) -> &'a [u8] {
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts(start, end.offset_from_unsigned(start)) }
}

/// Where the code of an image begins; symbols count from there.
fn text(file: &ElfFile64<'_, object::Endianness>, image: &[u8]) -> Option<usize> {
    let section = file.section_by_name(".text")?;
    let (offset, _) = section.file_range()?;
    (image.as_ptr() as usize).checked_add(offset as usize)?.checked_sub(section.address() as usize)
}

thread_local! {
    /// What the watchdog fills in when this thread's code has to end. Null while it runs none that is watched.
    static TARGET: Cell<*const AtomicPtr<Target>> = const { Cell::new(ptr::null()) };
}

/// From now on the calling thread's code ends when it gets the signal and `target` is set.
pub(super) fn enter(target: *const AtomicPtr<Target>) -> *const AtomicPtr<Target> {
    TARGET.replace(target)
}

/// Of the thread that is watched.
#[derive(Clone, Copy)]
pub(super) struct Thread {
    id: libc::pthread_t,
    clock: libc::clockid_t,
}

impl Thread {
    pub(super) fn current() -> Option<Self> {
        // SAFETY: it asks for the thread that is asking.
        let id = unsafe { libc::pthread_self() };
        let mut clock = 0;
        // SAFETY: that thread exists, and the clock's number is written to a variable of ours.
        (unsafe { libc::pthread_getcpuclockid(id, &raw mut clock) } == 0).then_some(Self { id, clock })
    }

    /// Its time on a processor since it began.
    pub(super) fn cpu_ms(self) -> u64 {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the time is written to a variable of ours; a thread that is gone is an error and nothing worse.
        match unsafe { libc::clock_gettime(self.clock, &raw mut time) } {
            0 => time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000,
            _ => 0,
        }
    }

    /// # Safety
    /// The thread has not ended.
    pub(super) unsafe fn signal(self) {
        // SAFETY: the caller's.
        unsafe { libc::pthread_kill(self.id, SIGNAL) };
    }
}

/// Once in a process. None: the system refuses.
pub(super) fn install() -> Option<()> {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| {
        // SAFETY: all zeros are a valid value; the fields that matter follow.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = handle as *const () as usize;
        // Calls of the system go on afterwards, where they can; guests have stacks of their own, which may be full.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        // SAFETY: the handler does only what handlers may do.
        unsafe {
            libc::sigemptyset(&raw mut action.sa_mask);
            libc::sigaction(SIGNAL, &raw const action, ptr::null_mut()) == 0
        }
    });
    installed.then_some(())
}

/// Runs on the thread whose code has to end, between two of its instructions. It allocates nothing, locks nothing and
/// calls nobody.
extern "C" fn handle(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let target = TARGET.get();
    if target.is_null() {
        return;
    }
    // SAFETY: it is there as long as the thread is watched, see `enter`; so is what it points to once it is set.
    let Some(target) = (unsafe { (*target).load(Ordering::Acquire).as_ref() }) else { return };
    // SAFETY: with SA_SIGINFO the system hands over what the thread was doing.
    let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let at = &mut registers[libc::REG_RIP as usize];
    if target.is_in_body(*at as usize) {
        *at = target.trap as i64;
    }
}
