//! A guest's wild access becomes a trap of that guest; one of our own ends the process.
//!
//! Compiled guests don't check bounds, divisions or the depth of their stack: the hardware does, and
//! WasmEdge turns the signal into a trap by a long jump out of its signal handler. As it comes, that
//! has three gaps, which this file closes for the whole process, as signals are the process's:
//! - WasmEdge installs its handler while any compiled code runs and removes it after, with a window
//!   between counting and doing in which one guest's end disarms another. So one thread of ours, the
//!   keeper, stays inside compiled code for ever, and the handler stays too.
//! - It runs on the stack that just overflowed, so endless recursion would end the process. Ours
//!   runs on a signal stack and then calls WasmEdge's.
//! - It jumps out of any code, even host functions with locks held. Ours lets only guests trap.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use super::module::{Mode, Module, ModuleOptions};
use super::{EndGuest, Exit, Failure, HostFunction, HostModule, Instance, InstancePlan, Stdio};

/// Room for the handler, which walks the stack: WasmEdge records where a guest trapped.
const SIGNAL_STACK_BYTES: usize = 256 << 10;

const SIGNALS: [libc::c_int; 3] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE];

/// The address of WasmEdge's handler.
static GUEST_HANDLER: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// This thread runs a guest, and not a host function of it.
    static IN_GUEST: Cell<bool> = const { Cell::new(false) };
}

/// Marks a host function's time; a fault in it is ours.
pub(super) struct HostScope;

pub(super) fn enter_host() -> HostScope {
    IN_GUEST.set(false);
    HostScope
}

impl Drop for HostScope {
    fn drop(&mut self) {
        IN_GUEST.set(true);
    }
}

/// A thread that runs a compiled guest: it has a signal stack, and its faults are traps.
pub(super) struct GuestThread {
    _stack: Box<[u8]>,
    previous: libc::stack_t,
}

impl GuestThread {
    pub(super) fn enter() -> Result<Self, Failure> {
        let mut stack = vec![0; SIGNAL_STACK_BYTES].into_boxed_slice();
        let ours =
            libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: stack.len() };
        let mut previous = libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: 0, ss_size: 0 };
        // SAFETY: `ours` describes memory that lives until `drop` puts the previous stack back.
        if unsafe { libc::sigaltstack(&raw const ours, &raw mut previous) } != 0 {
            return Err(Failure::of_ours("the thread's signal stack could not be set".into()));
        }
        IN_GUEST.set(true);
        Ok(Self { _stack: stack, previous })
    }
}

impl Drop for GuestThread {
    fn drop(&mut self) {
        IN_GUEST.set(false);
        // SAFETY: puts back what `enter` found on this same thread (the type is not `Send`).
        unsafe { libc::sigaltstack(&raw const self.previous, std::ptr::null_mut()) };
    }
}

/// Starts the keeper, once per process. `compile` makes a module that runs compiled.
pub(crate) fn hold_fault_handler(
    compile: impl FnOnce(&[u8], ModuleOptions) -> Result<Module, String>,
) -> Result<(), Failure> {
    static KEEPER: OnceLock<Result<(), Failure>> = OnceLock::new();
    let start = || {
        let module = compile(KEEPER_WASM, KEEPER_OPTIONS).map_err(Failure::of_ours)?;
        start_keeper(module)
    };
    KEEPER.get_or_init(start).clone()
}

/// `(module (import "gaia_keeper" "park" (func (result i32)))
///          (func (export "_start") (drop (call 0))))`
const KEEPER_WASM: &[u8] = b"\0asm\x01\0\0\0\
    \x01\x08\x02\x60\0\x01\x7f\x60\0\0\
    \x02\x14\x01\x0bgaia_keeper\x04park\0\0\
    \x03\x02\x01\x01\
    \x07\x0a\x01\x06_start\0\x01\
    \x0a\x07\x01\x05\0\x10\0\x1a\x0b";

const KEEPER_OPTIONS: ModuleOptions =
    ModuleOptions { mode: Mode::Aot, metered: false, memory_pages_max: 1 };

const KEEPER_HOSTS: &[HostModule<SyncSender<Result<(), Failure>>>] = &[HostModule {
    name: "gaia_keeper",
    functions: &[HostFunction {
        name: "park",
        parameters: 0,
        call: |started, _memory, _arguments| park(started),
    }],
}];

fn start_keeper(module: Module) -> Result<(), Failure> {
    let (started, answer) = sync_channel(1);
    std::thread::Builder::new()
        .name("guest-faults".into())
        .spawn(move || {
            if let Err(failure) = run_keeper(&module, started.clone()) {
                // The receiver waits for exactly this.
                drop(started.send(Err(failure)));
            }
        })
        .map_err(|error| Failure::of_ours(format!("the fault keeper has no thread: {error}")))?;
    answer.recv().unwrap_or_else(|_| Err(Failure::of_ours("the fault keeper ended".into())))
}

/// Runs until the process ends, unless it fails.
fn run_keeper(module: &Module, started: SyncSender<Result<(), Failure>>) -> Result<(), Failure> {
    let null = std::fs::File::open("/dev/null")
        .map_err(|error| Failure::of_ours(format!("opening /dev/null: {error}")))?;
    let null = std::sync::Arc::new(null.into());
    let plan = InstancePlan {
        module,
        hosts: KEEPER_HOSTS,
        state: started,
        stdio: Stdio {
            input: std::sync::Arc::clone(&null),
            output: std::sync::Arc::clone(&null),
            error: null,
        },
        arguments: &[],
        folder: None,
        instructions_max: None,
        stop: std::sync::Arc::default(),
    };
    match Instance::new(plan)?.run() {
        Exit::Trap(message) => Err(Failure::of_ours(message)),
        other => Err(Failure::of_ours(format!("the fault keeper ended: {other:?}"))),
    }
}

/// Called from compiled code, so WasmEdge's handler is in place: puts ours before it and stays.
fn park(started: &SyncSender<Result<(), Failure>>) -> Result<i32, EndGuest> {
    let installed = SIGNALS.into_iter().try_for_each(install);
    let failed = installed.is_err();
    // The receiver waits for exactly this.
    drop(started.send(installed));
    if failed {
        return Err(EndGuest);
    }
    loop {
        std::thread::park();
    }
}

fn install(signal: libc::c_int) -> Result<(), Failure> {
    // SAFETY: all-zero is a valid `sigaction`: default action, no flags, empty mask.
    let mut theirs: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: only reads the current action.
    let read = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut theirs) };
    if read != 0 || theirs.sa_sigaction == libc::SIG_DFL {
        return Err(Failure::of_ours(format!("WasmEdge has no handler for signal {signal}")));
    }
    GUEST_HANDLER.store(theirs.sa_sigaction, Ordering::SeqCst);
    let mut ours = theirs;
    ours.sa_sigaction = on_fault as *const () as usize;
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: `on_fault` has the signature that SA_SIGINFO asks for.
    if unsafe { libc::sigaction(signal, &raw const ours, std::ptr::null_mut()) } != 0 {
        return Err(Failure::of_ours(format!("no handler could be set for signal {signal}")));
    }
    Ok(())
}

type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);

/// Runs on the signal stack; touches only atomics, a constant thread-local and system calls.
extern "C" fn on_fault(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    let handler = GUEST_HANDLER.load(Ordering::SeqCst);
    if IN_GUEST.get() && handler != 0 {
        // SAFETY: the address that `install` found: WasmEdge's handler, of this signature.
        let handler = unsafe { std::mem::transmute::<usize, Handler>(handler) };
        handler(signal, info, context);
    }
    // A fault of our own: the default action, when the instruction is tried again, is to die.
    // SAFETY: setting a signal's default action is always allowed.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}
