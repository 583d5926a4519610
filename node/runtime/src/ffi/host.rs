//! Host functions: safe Rust functions of a state, the guest's memory and `i32` arguments.

use std::cell::{RefCell, UnsafeCell};
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use wasmedge_sys::ffi as c;

use super::{Failure, PAGE_BYTES, fault, owned, text};
use crate::memory::GuestMemory;

owned!(
    /// A module that a guest imports from.
    HostModuleContext, WasmEdge_ModuleInstanceContext, WasmEdge_ModuleInstanceDelete
);
owned!(FunctionType, WasmEdge_FunctionTypeContext, WasmEdge_FunctionTypeDelete);

/// The most parameters that a host function of ours has.
const PARAMETERS_MAX: usize = 6;

/// What a host function answers to end its guest at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EndGuest;

/// The user-level code that marks [`EndGuest`].
pub(super) const END_GUEST_CODE: u32 = 1;
/// The user-level code that marks a panic in a host function.
const PANIC_CODE: u32 = 2;

/// A call's arguments. Reading one beyond the function's own parameters gives 0.
#[derive(Clone, Copy)]
pub(crate) struct Arguments {
    values: [u32; PARAMETERS_MAX],
}

impl Arguments {
    /// The argument at `index`, as the unsigned number that pointers, lengths and handles are.
    pub(crate) fn at(&self, index: usize) -> u32 {
        self.values.get(index).copied().unwrap_or(0)
    }
}

/// One function of a [`HostModule`]: all parameters and the result are `i32`.
pub(crate) struct HostFunction<S> {
    pub(crate) name: &'static str,
    pub(crate) parameters: usize,
    pub(crate) call: fn(&mut S, &mut GuestMemory<'_>, Arguments) -> Result<i32, EndGuest>,
}

/// A module that guests import from.
pub(crate) struct HostModule<S: 'static> {
    pub(crate) name: &'static str,
    pub(crate) functions: &'static [HostFunction<S>],
}

/// What the host functions of one instance share. Freed after the instance.
pub(super) struct HostState<S> {
    state: UnsafeCell<S>,
    panic: RefCell<Option<String>>,
}

/// A [`HostState`] on the heap, at an address that the C side may keep.
pub(super) struct StateBox<S>(NonNull<HostState<S>>);

impl<S> StateBox<S> {
    pub(super) fn new(state: S) -> Self {
        let host = HostState { state: UnsafeCell::new(state), panic: RefCell::new(None) };
        Self(NonNull::from(Box::leak(Box::new(host))))
    }

    /// The message of a panic in a host function, if one ended the guest.
    pub(super) fn take_panic(&self) -> Option<String> {
        // SAFETY: the box is live; no guest runs while its owner calls this.
        unsafe { self.0.as_ref() }.panic.borrow_mut().take()
    }
}

impl<S> Drop for StateBox<S> {
    fn drop(&mut self) {
        // SAFETY: made by `Box::leak` in `new`; the instance's C objects were freed before.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// Links one C function to its Rust function and state.
struct Binding<S: 'static> {
    function: &'static HostFunction<S>,
    state: NonNull<HostState<S>>,
}

/// A [`HostModule`] made for one instance.
pub(super) struct BoundModule<S: 'static> {
    context: HostModuleContext,
    /// The C functions point into this.
    _bindings: Vec<Binding<S>>,
}

impl<S> BoundModule<S> {
    /// Makes the C side of `module`.
    pub(super) fn new(module: &HostModule<S>, state: &StateBox<S>) -> Result<Self, Failure> {
        // SAFETY: the name is copied.
        let context =
            HostModuleContext::own(unsafe { c::WasmEdge_ModuleInstanceCreate(text(module.name)) })?;
        let bindings: Vec<Binding<S>> =
            module.functions.iter().map(|function| Binding { function, state: state.0 }).collect();
        for binding in &bindings {
            add_function(&context, binding)?;
        }
        Ok(Self { context, _bindings: bindings })
    }

    pub(super) fn raw(&self) -> *mut c::WasmEdge_ModuleInstanceContext {
        self.context.as_ptr()
    }
}

/// A function type of `parameters` and `results`, all `i32`.
fn function_type(parameters: usize, results: usize) -> Result<FunctionType, Failure> {
    // SAFETY: returns a plain value.
    let list = [unsafe { c::WasmEdge_ValTypeGenI32() }; PARAMETERS_MAX];
    let [parameters, results] = [parameters, results]
        .map(|count| u32::try_from(count.min(PARAMETERS_MAX)).expect("at most PARAMETERS_MAX"));
    // SAFETY: both lengths are within `list`, which is copied.
    FunctionType::own(unsafe {
        c::WasmEdge_FunctionTypeCreate(list.as_ptr(), parameters, list.as_ptr(), results)
    })
}

fn add_function<S>(module: &HostModuleContext, binding: &Binding<S>) -> Result<(), Failure> {
    let kind = function_type(binding.function.parameters, 1)?;
    let data = std::ptr::from_ref(binding).cast_mut().cast::<c_void>();
    // SAFETY: the type is copied. `data` is a `Binding<S>` in a vector that is never changed and
    // that lives as long as the module; `trampoline::<S>` takes it for just that.
    unsafe {
        let function =
            c::WasmEdge_FunctionInstanceCreate(kind.as_ptr(), Some(trampoline::<S>), data, 0);
        if function.is_null() {
            return Err(Failure::no_object("host function"));
        }
        c::WasmEdge_ModuleInstanceAddFunction(
            module.as_ptr(),
            text(binding.function.name),
            function,
        );
    }
    Ok(())
}

/// What WasmEdge calls for every host function. A panic ends the guest, never the process.
unsafe extern "C" fn trampoline<S: 'static>(
    data: *mut c_void,
    frame: *const c::WasmEdge_CallingFrameContext,
    parameters: *const c::WasmEdge_Value,
    results: *mut c::WasmEdge_Value,
) -> c::WasmEdge_Result {
    let _host = fault::enter_host();
    // SAFETY: `add_function` passed a `Binding<S>` that lives as long as the function.
    let binding = unsafe { &*data.cast::<Binding<S>>() };
    // SAFETY: the state lives as long as the instance that is calling.
    let host = unsafe { binding.state.as_ref() };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: WasmEdge passes as many values as the function's type has parameters.
        let arguments = unsafe { read_arguments(parameters, binding.function.parameters) };
        // SAFETY: the frame lives for the call and the guest stands still meanwhile.
        let mut memory = unsafe { guest_memory(frame) };
        // SAFETY: an instance runs on one thread, and no host function calls into the guest, so
        // this is the only reference to the state.
        let state = unsafe { &mut *host.state.get() };
        (binding.function.call)(state, &mut memory, arguments)
    }));
    match outcome {
        Ok(Ok(value)) => {
            // SAFETY: the function's type has one result.
            unsafe { *results = c::WasmEdge_ValueGenI32(value) };
            c::WasmEdge_Result { Code: 0 }
        }
        Ok(Err(EndGuest)) => user_error(END_GUEST_CODE),
        Err(panic) => {
            *host.panic.borrow_mut() = Some(panic_text(panic.as_ref()));
            user_error(PANIC_CODE)
        }
    }
}

fn user_error(code: u32) -> c::WasmEdge_Result {
    // SAFETY: makes a plain value.
    unsafe { c::WasmEdge_ResultGen(c::WasmEdge_ErrCategory_UserLevelError, code) }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

/// # Safety
/// `parameters` must point to at least `count` values.
unsafe fn read_arguments(parameters: *const c::WasmEdge_Value, count: usize) -> Arguments {
    let mut values = [0; PARAMETERS_MAX];
    for (index, value) in values.iter_mut().enumerate().take(count) {
        // SAFETY: within the values that the caller promises; an i32 is the low 32 bits.
        *value = unsafe { (*parameters.add(index)).Value } as u32;
    }
    Arguments { values }
}

/// The calling guest's memory, empty if it has none.
///
/// # Safety
/// The frame must live, and the guest must stand still, as long as the result is used.
unsafe fn guest_memory<'a>(frame: *const c::WasmEdge_CallingFrameContext) -> GuestMemory<'a> {
    // SAFETY: the frame lives. WasmEdge hands out the base pointer only if the whole range is
    // inside the memory, which can't grow while the guest stands still.
    unsafe {
        let memory = c::WasmEdge_CallingFrameGetMemoryInstance(frame, 0);
        if memory.is_null() {
            return GuestMemory::new(&mut []);
        }
        let length = c::WasmEdge_MemoryInstanceGetPageSize(memory) * PAGE_BYTES;
        let base = c::WasmEdge_MemoryInstanceGetPointer(memory, 0, length);
        if base.is_null() || length == 0 {
            return GuestMemory::new(&mut []);
        }
        GuestMemory::new(std::slice::from_raw_parts_mut(base, length as usize))
    }
}
