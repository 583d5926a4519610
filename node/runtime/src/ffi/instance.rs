//! One running instance of a module: its executor, store, WASI world and host functions.

use std::ffi::{CString, c_char, c_void};
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use wasmedge_sys::ffi as c;

use super::fault::GuestThread;
use super::host::{BoundModule, END_GUEST_CODE, StateBox};
use super::{Failure, HostModule, Module, check, owned, text};

owned!(Executor, WasmEdge_ExecutorContext, WasmEdge_ExecutorDelete);
owned!(Store, WasmEdge_StoreContext, WasmEdge_StoreDelete);
owned!(Statistics, WasmEdge_StatisticsContext, WasmEdge_StatisticsDelete);
owned!(ModuleInstance, WasmEdge_ModuleInstanceContext, WasmEdge_ModuleInstanceDelete);
owned!(FunctionInstance, WasmEdge_FunctionInstanceContext, WasmEdge_FunctionInstanceDelete);
owned!(FunctionType, WasmEdge_FunctionTypeContext, WasmEdge_FunctionTypeDelete);
owned!(Async, WasmEdge_Async, WasmEdge_AsyncDelete);

/// A guest's standard streams. WasmEdge reads and writes them but does not close them.
#[derive(Clone)]
pub(crate) struct Stdio {
    pub(crate) input: Arc<OwnedFd>,
    pub(crate) output: Arc<OwnedFd>,
    pub(crate) error: Arc<OwnedFd>,
}

/// What an instance is made of.
pub(crate) struct InstancePlan<'a, S: 'static> {
    /// The module.
    pub(crate) module: &'a Module,
    /// What it may import, besides WASI.
    pub(crate) hosts: &'a [HostModule<S>],
    /// The state of the host functions.
    pub(crate) state: S,
    /// Its standard streams.
    pub(crate) stdio: Stdio,
    /// Its arguments, program name first. There is no environment.
    pub(crate) arguments: &'a [String],
    /// A folder that it may read, as its root; nothing else of the file system is there.
    pub(crate) folder: Option<&'a Path>,
    /// Instructions it may run, if the module is metered.
    pub(crate) instructions_max: Option<u64>,
    /// Stops it from other threads.
    pub(crate) stop: Arc<StopSlot>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// `_start` returned, or the guest exited with this code.
    Code(u32),
    /// A trap, in WasmEdge's words.
    Trap(String),
    /// The instruction limit.
    InstructionLimit,
    /// [`StopSlot::stop`].
    Stopped,
    /// A host function ended it.
    EndedByHost,
    /// A host function panicked.
    Panic(String),
}

/// Where other threads find the means to stop an instance while it lives.
#[derive(Default)]
pub(crate) struct StopSlot {
    handle: Mutex<Option<StopHandle>>,
    meter: Mutex<Option<Meter>>,
}

impl StopSlot {
    /// Interrupts the guest at its next loop iteration or function call. Nothing happens if the
    /// instance is not made yet or gone already.
    pub(crate) fn stop(&self) {
        let slot = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = slot.as_ref() {
            // SAFETY: the slot is emptied before the executor that the handle stops is freed.
            unsafe { c::WasmEdge_AsyncCancel(handle.asynchronous.as_ptr()) }
        }
    }

    /// Starts counting instructions anew.
    pub(crate) fn reset_meter(&self) {
        let slot = self.meter.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(meter) = slot.as_ref() {
            // SAFETY: the slot is emptied before the statistics are freed; the counters are atomic.
            unsafe { c::WasmEdge_StatisticsClear(meter.0) }
        }
    }

    fn arm(&self, handle: StopHandle, meter: Option<Meter>) {
        *self.handle.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
        *self.meter.lock().unwrap_or_else(PoisonError::into_inner) = meter;
    }

    fn disarm(&self) {
        self.handle.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.meter.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// An executor's statistics, lent to its [`StopSlot`].
struct Meter(*mut c::WasmEdge_StatisticsContext);

// SAFETY: the only use is clearing atomic counters, under the slot's lock.
unsafe impl Send for Meter {}

/// A finished asynchronous call, kept because cancelling it stops its executor.
///
/// The C interface has no call to stop an executor, only one to cancel an asynchronous call, which
/// does nothing but stop the executor, whatever that runs. So an empty function is called
/// asynchronously once, and the guest itself then runs on our own thread: one thread per instance
/// instead of two, with a stack that we chose.
struct StopHandle {
    asynchronous: Async,
    /// The function that was called.
    _function: FunctionInstance,
}

// SAFETY: cancelling stores an atomic flag and wakes waiters, and is meant for other threads.
unsafe impl Send for StopHandle {}

impl StopHandle {
    fn new(executor: &Executor) -> Result<Self, Failure> {
        // SAFETY: no parameters and no results, so nothing is read through the null pointers.
        let kind = FunctionType::own(unsafe {
            c::WasmEdge_FunctionTypeCreate(std::ptr::null(), 0, std::ptr::null(), 0)
        })?;
        // SAFETY: the type is copied; `nothing` needs no data.
        let function = FunctionInstance::own(unsafe {
            let data = std::ptr::null_mut();
            c::WasmEdge_FunctionInstanceCreate(kind.as_ptr(), Some(nothing), data, 0)
        })?;
        // SAFETY: executor and function live until the call has ended, for which we wait.
        let asynchronous = Async::own(unsafe {
            let parameters = std::ptr::null();
            c::WasmEdge_ExecutorAsyncInvoke(executor.as_ptr(), function.as_ptr(), parameters, 0)
        })?;
        // SAFETY: the object lives.
        unsafe { c::WasmEdge_AsyncWait(asynchronous.as_ptr()) };
        Ok(Self { asynchronous, _function: function })
    }
}

unsafe extern "C" fn nothing(
    _data: *mut c_void,
    _frame: *const c::WasmEdge_CallingFrameContext,
    _parameters: *const c::WasmEdge_Value,
    _results: *mut c::WasmEdge_Value,
) -> c::WasmEdge_Result {
    c::WasmEdge_Result { Code: 0 }
}

/// An instance, ready to run once. It stays on the thread that made it. The fields are freed in
/// this order: whatever points into another object goes before it.
pub(crate) struct Instance<S: 'static> {
    stop: Disarm,
    active: ModuleInstance,
    executor: Executor,
    _store: Store,
    wasi: ModuleInstance,
    _hosts: Vec<BoundModule<S>>,
    _statistics: Option<Statistics>,
    state: StateBox<S>,
    _stdio: Stdio,
    _thread: GuestThread,
}

/// Empties a [`StopSlot`] on drop, before the executor goes.
struct Disarm(Arc<StopSlot>);

impl Drop for Disarm {
    fn drop(&mut self) {
        self.0.disarm();
    }
}

impl<S> Instance<S> {
    /// Makes an instance; nothing of the guest has run yet, but its start function if it has one.
    pub(crate) fn new(plan: InstancePlan<'_, S>) -> Result<Self, Failure> {
        let thread = GuestThread::enter()?;
        let state = StateBox::new(plan.state);
        let statistics = statistics(plan.instructions_max)?;
        let executor = executor(plan.module, statistics.as_ref(), plan.instructions_max)?;
        let handle = StopHandle::new(&executor)?;
        let meter = statistics.as_ref().map(|statistics| Meter(statistics.as_ptr()));
        plan.stop.arm(handle, meter);
        // From here on an early return empties the slot before the executor goes.
        let stop = Disarm(plan.stop);
        // SAFETY: takes nothing.
        let store = Store::own(unsafe { c::WasmEdge_StoreCreate() })?;
        let wasi = wasi(plan.arguments, plan.folder, &plan.stdio)?;
        register(&executor, &store, wasi.as_ptr())?;
        let mut hosts = Vec::with_capacity(plan.hosts.len());
        for host in plan.hosts {
            let bound = BoundModule::new(host, &state)?;
            register(&executor, &store, bound.raw())?;
            hosts.push(bound);
        }
        let active = instantiate(&executor, &store, plan.module)?;
        Ok(Self {
            stop,
            active,
            executor,
            _store: store,
            wasi,
            _hosts: hosts,
            _statistics: statistics,
            state,
            _stdio: plan.stdio,
            _thread: thread,
        })
    }

    /// Runs `_start` to its end.
    pub(crate) fn run(self) -> Exit {
        // SAFETY: the instance lives; a missing function gives null, which invoking refuses.
        let result = unsafe {
            let start =
                c::WasmEdge_ModuleInstanceFindFunction(self.active.as_ptr(), text("_start"));
            let nothing = std::ptr::null();
            c::WasmEdge_ExecutorInvoke(
                self.executor.as_ptr(),
                start,
                nothing,
                0,
                std::ptr::null_mut(),
                0,
            )
        };
        self.stop.0.disarm();
        if let Err(failure) = check(result) {
            return self.failed(failure);
        }
        // SAFETY: the WASI module lives.
        Exit::Code(unsafe { c::WasmEdge_ModuleInstanceWASIGetExitCode(self.wasi.as_ptr()) })
    }

    fn failed(&self, failure: Failure) -> Exit {
        if failure.category == c::WasmEdge_ErrCategory_UserLevelError {
            let panic = self.state.take_panic();
            return match (panic, failure.code) {
                (Some(message), _) => Exit::Panic(message),
                (None, END_GUEST_CODE) => Exit::EndedByHost,
                (None, code) => Exit::Trap(format!("a host function failed with code {code}")),
            };
        }
        match failure.code {
            c::WasmEdge_ErrCode_CostLimitExceeded => Exit::InstructionLimit,
            c::WasmEdge_ErrCode_Interrupted => Exit::Stopped,
            _ => Exit::Trap(failure.message),
        }
    }
}

fn statistics(instructions_max: Option<u64>) -> Result<Option<Statistics>, Failure> {
    if instructions_max.is_none() {
        return Ok(None);
    }
    // SAFETY: takes nothing.
    Statistics::own(unsafe { c::WasmEdge_StatisticsCreate() }).map(Some)
}

fn executor(
    module: &Module,
    statistics: Option<&Statistics>,
    instructions_max: Option<u64>,
) -> Result<Executor, Failure> {
    let pointer = statistics.map_or(std::ptr::null_mut(), Statistics::as_ptr);
    // SAFETY: the configuration is copied; the statistics outlive the executor (see `Instance`).
    let executor =
        Executor::own(unsafe { c::WasmEdge_ExecutorCreate(module.configure().raw(), pointer) })?;
    if let Some(limit) = instructions_max {
        // After the executor was made, which sets a limit of its own.
        // SAFETY: `pointer` is live: statistics are made whenever there is a limit.
        unsafe { c::WasmEdge_StatisticsSetCostLimit(pointer, limit) };
    }
    Ok(executor)
}

/// A WASI world of arguments, standard streams and perhaps a folder.
fn wasi(
    arguments: &[String],
    folder: Option<&Path>,
    stdio: &Stdio,
) -> Result<ModuleInstance, Failure> {
    let arguments = c_strings(arguments.iter().cloned(), "an argument holds a NUL")?;
    // WasmEdge's own words: the guest's name, the host's, and what may be done there.
    let folders = folder.map(|folder| format!("/:{}:readonly", folder.display()));
    let folders = c_strings(folders, "the folder's path holds a NUL")?;
    let (arguments, folders) = (Pointers::of(&arguments)?, Pointers::of(&folders)?);
    let [input, output, error] =
        [&stdio.input, &stdio.output, &stdio.error].map(|stream| stream.as_raw_fd());
    // SAFETY: the strings live for the call and are copied; there are no environment variables. The
    // descriptors stay open as long as the instance, which keeps `stdio`.
    ModuleInstance::own(unsafe {
        c::WasmEdge_ModuleInstanceCreateWASIWithFds(
            arguments.list.as_ptr(),
            arguments.length,
            std::ptr::null(),
            0,
            folders.list.as_ptr(),
            folders.length,
            input,
            output,
            error,
        )
    })
}

fn c_strings(
    texts: impl IntoIterator<Item = String>,
    wrong: &str,
) -> Result<Vec<CString>, Failure> {
    let texts: Result<_, _> = texts.into_iter().map(CString::new).collect();
    texts.map_err(|_| Failure::of_ours(wrong.into()))
}

/// A list of strings as C takes it; it borrows them.
struct Pointers<'a> {
    list: Vec<*const c_char>,
    length: u32,
    _texts: PhantomData<&'a CString>,
}

impl<'a> Pointers<'a> {
    fn of(texts: &'a [CString]) -> Result<Self, Failure> {
        let length = u32::try_from(texts.len())
            .map_err(|_| Failure::of_ours("there are too many arguments".into()))?;
        let list = texts.iter().map(|text| text.as_ptr()).collect();
        Ok(Self { list, length, _texts: PhantomData })
    }
}

fn register(
    executor: &Executor,
    store: &Store,
    module: *mut c::WasmEdge_ModuleInstanceContext,
) -> Result<(), Failure> {
    // SAFETY: all three live; the module outlives the store (see `Instance`).
    check(unsafe { c::WasmEdge_ExecutorRegisterImport(executor.as_ptr(), store.as_ptr(), module) })
}

fn instantiate(
    executor: &Executor,
    store: &Store,
    module: &Module,
) -> Result<ModuleInstance, Failure> {
    let mut active = std::ptr::null_mut();
    // SAFETY: all live for the call; on success `active` is a fresh object.
    check(unsafe {
        c::WasmEdge_ExecutorInstantiate(
            executor.as_ptr(),
            &raw mut active,
            store.as_ptr(),
            module.raw(),
        )
    })?;
    ModuleInstance::own(active)
}
