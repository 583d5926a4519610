//! WasmEdge's own log, which would go to standard output, goes to `tracing` instead.

use std::sync::Once;

use wasmedge_sys::ffi as c;

/// Redirects WasmEdge's log. The log is the process's, so this happens once.
pub(super) fn redirect() {
    static REDIRECTED: Once = Once::new();
    REDIRECTED.call_once(|| {
        // SAFETY: `forward` has the callback's signature and lives as long as the process.
        unsafe { c::WasmEdge_LogSetCallback(Some(forward)) };
    });
}

/// What WasmEdge calls an error is mostly a guest's trap, which the caller reports: debug level.
unsafe extern "C" fn forward(message: *const c::WasmEdge_LogMessage) {
    if message.is_null() || !tracing::enabled!(target: "wasmedge", tracing::Level::DEBUG) {
        return;
    }
    // SAFETY: WasmEdge passes a message that lives for the call.
    let text = unsafe { super::copy_text((*message).Message) };
    tracing::debug!(target: "wasmedge", "{}", text.trim_end());
}
