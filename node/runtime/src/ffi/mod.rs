//! WasmEdge's C interface, wrapped so that the rest of the crate is safe code.
//!
//! Every C object has one owner that frees it on drop. Calls go through `wasmedge_sys::ffi` rather
//! than the crate's own `Executor`: that one changes the signal mask twice per host call, and its
//! `Statistics` is freed too early.

mod fault;
mod host;
mod instance;
mod log;
mod module;
mod pages;
mod poll;

pub(crate) use fault::hold_fault_handler;
pub(crate) use host::{Arguments, EndGuest, HostFunction, HostModule};
pub(crate) use instance::{Exit, Instance, InstancePlan, Stdio, StopSlot};
pub(crate) use module::{Compiler, Import, Mode, Module, ModuleOptions};
pub(crate) use pages::release_library_pages;
pub(crate) use poll::wait_readable;

use std::ffi::CStr;

use wasmedge_sys::ffi as c;

/// Bytes of a WebAssembly page.
pub(crate) const PAGE_BYTES: u64 = 65_536;

/// What WasmEdge says about a call that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    category: u32,
    code: u32,
    message: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl Failure {
    /// A C object could not be made: WasmEdge is out of memory.
    fn no_object(what: &str) -> Self {
        Self { category: 0, code: 0, message: format!("WasmEdge could not make its {what}") }
    }

    /// A failure found on our side of the interface.
    fn of_ours(message: String) -> Self {
        Self { category: 0, code: 0, message }
    }
}

/// WasmEdge's version, such as `0.17.1`.
pub(crate) fn version() -> String {
    // SAFETY: returns a static, NUL-terminated string.
    let text = unsafe { CStr::from_ptr(c::WasmEdge_VersionGet()) };
    text.to_string_lossy().into_owned()
}

/// Owns a C object: freed once, on drop.
macro_rules! owned {
    ($(#[$meta:meta])* $name:ident, $context:ident, $delete:ident) => {
        $(#[$meta])*
        pub(super) struct $name(std::ptr::NonNull<wasmedge_sys::ffi::$context>);

        impl $name {
            /// Takes a fresh object over; null means that it could not be made.
            fn own(
                pointer: *mut wasmedge_sys::ffi::$context,
            ) -> Result<Self, $crate::ffi::Failure> {
                std::ptr::NonNull::new(pointer)
                    .map(Self)
                    .ok_or_else(|| $crate::ffi::Failure::no_object(stringify!($name)))
            }

            fn as_ptr(&self) -> *mut wasmedge_sys::ffi::$context {
                self.0.as_ptr()
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: `own` took the only reference; nothing uses it after this.
                unsafe { wasmedge_sys::ffi::$delete(self.0.as_ptr()) }
            }
        }
    };
}
use owned;

/// A string that borrows `text`.
fn text(text: &str) -> c::WasmEdge_String {
    let length = u32::try_from(text.len()).expect("names are short");
    // SAFETY: only wraps pointer and length; every callee copies the text or reads it at once.
    unsafe { c::WasmEdge_StringWrap(text.as_ptr().cast(), length) }
}

/// The text of a string that WasmEdge owns.
///
/// # Safety
/// The object that `string` belongs to must live.
unsafe fn copy_text(string: c::WasmEdge_String) -> String {
    if string.Buf.is_null() {
        return String::new();
    }
    // SAFETY: the caller promises that pointer and length describe live memory.
    let bytes = unsafe { std::slice::from_raw_parts(string.Buf.cast(), string.Length as usize) };
    String::from_utf8_lossy(bytes).into_owned()
}

/// Turns WasmEdge's result into Rust's. `Terminated`, the end by `proc_exit`, counts as good.
fn check(result: c::WasmEdge_Result) -> Result<(), Failure> {
    // SAFETY: the three calls read a plain value; the message is a static, NUL-terminated string.
    unsafe {
        if c::WasmEdge_ResultOK(result) {
            return Ok(());
        }
        let message = CStr::from_ptr(c::WasmEdge_ResultGetMessage(result));
        Err(Failure {
            category: c::WasmEdge_ResultGetCategory(result),
            code: c::WasmEdge_ResultGetCode(result),
            message: message.to_string_lossy().into_owned(),
        })
    }
}
