//! llama.cpp's log lines become `tracing` events.
//!
//! The callback is per process by llama.cpp's design. Error lines are kept per thread: a model is
//! loaded on one thread, and another thread's errors are not its reason.

use std::cell::RefCell;
use std::ffi::{c_char, c_void};
use std::sync::Once;

use llama_cpp_sys_2 as sys;

/// Bytes of error lines that are kept for the next [`take_errors`].
const ERRORS_BYTES_MAX: usize = 4096;

thread_local! {
    static ERRORS: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Sends llama.cpp's log, and what ggml says before it aborts, to `tracing`, from the first call on.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the callbacks live as long as the program and take any text.
        unsafe {
            sys::llama_log_set(Some(on_line), std::ptr::null_mut());
            sys::mtmd_log_set(Some(on_line), std::ptr::null_mut());
            sys::ggml_set_abort_callback(Some(on_abort));
        }
    });
}

/// The error lines of this thread since the last call, oldest first, on one line.
pub(crate) fn take_errors() -> String {
    let text = ERRORS.with_borrow_mut(std::mem::take);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Must not unwind: it is called from C++.
unsafe extern "C" fn on_line(level: sys::ggml_log_level, text: *const c_char, _: *mut c_void) {
    let text = super::string(text);
    let line = text.trim_end();
    match level {
        sys::GGML_LOG_LEVEL_ERROR => {
            remember(line);
            tracing::error!(target: "llama", "{line}");
        }
        sys::GGML_LOG_LEVEL_WARN => tracing::warn!(target: "llama", "{line}"),
        _ => tracing::debug!(target: "llama", "{line}"),
    }
}

/// The process ends after this; whoever supervises it finds the reason in its log.
unsafe extern "C" fn on_abort(message: *const c_char) {
    tracing::error!(target: "llama", "ggml aborts: {}", super::string(message));
}

fn remember(line: &str) {
    ERRORS.with_borrow_mut(|errors| {
        if errors.len() + line.len() <= ERRORS_BYTES_MAX {
            errors.push_str(line);
            errors.push('\n');
        }
    });
}
