//! llama.cpp's C interface behind safe types. The only place of this crate with `unsafe`.

mod backend;
mod context;
mod gguf;
mod log;
mod lora;
mod model;
mod projector;
mod threads;

pub(crate) use backend::{cpu_features, devices, load_backends};
pub(crate) use context::{Context, ContextPlan, Rows};
pub(crate) use gguf::{Header, Pooling};
pub(crate) use log::{install as install_log, take_errors};
pub(crate) use lora::Adapters;
pub(crate) use model::{Model, Sizes};
pub(crate) use projector::{Chunk, Projector, ProjectorPlan, Seen};

use llama_cpp_sys_2 as sys;

use std::ffi::{CStr, CString, c_char};
use std::path::Path;

/// Copies a C string; empty for null.
fn string(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not null, and llama.cpp's strings end with a zero byte.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// A path for C; `None` if it holds a zero byte.
pub(crate) fn c_path(path: &Path) -> Option<CString> {
    use std::os::unix::ffi::OsStrExt;
    CString::new(path.as_os_str().as_bytes()).ok()
}

/// llama.cpp's version.
pub(crate) fn llama_version() -> String {
    // SAFETY: a constant of the library.
    string(unsafe { sys::llama_version() })
}

/// The commit that ggml was built from, or its version where the sources carry none.
pub(crate) fn llama_commit() -> String {
    // SAFETY: constants of the library.
    let (commit, version) = unsafe { (sys::ggml_commit(), sys::ggml_version()) };
    let commit = string(commit);
    if commit == "unknown" { format!("ggml-{}", string(version)) } else { commit }
}
