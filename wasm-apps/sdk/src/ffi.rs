//! The two functions of import module `gaia_app`, and nothing else that is unsafe.

#[cfg(target_family = "wasm")]
pub use guest::{emit, next_request};
#[cfg(not(target_family = "wasm"))]
pub use native::{emit, next_request};

/// What `next_request` answers when its buffer is too small; `emit`, when the event is too large.
pub const TOO_LARGE: i32 = 7;

/// What `next_request` answers when this instance gets no further request.
pub const NO_REQUEST: i32 = 100;

/// What both answer outside a Gaia node: WASI-NN's "unsupported operation".
pub const NOT_IN_A_NODE: i32 = 6;

#[cfg(target_family = "wasm")]
mod guest {
    mod imports {
        #[link(wasm_import_module = "gaia_app")]
        unsafe extern "C" {
            pub fn next_request(buffer: *mut u8, buffer_bytes: usize, needed: *mut u32) -> i32;
            pub fn emit(event: *const u8, event_bytes: usize) -> i32;
        }
    }

    /// Waits for the request and copies it into `buffer` if it fits. Returns the errno and the
    /// request's length in bytes.
    pub fn next_request(buffer: &mut [u8]) -> (i32, usize) {
        let mut needed = 0_u32;
        // SAFETY: the host writes at most `buffer.len()` bytes to `buffer` and 4 bytes to `needed`,
        // both of which live and are borrowed exclusively until the call returns.
        let errno =
            unsafe { imports::next_request(buffer.as_mut_ptr(), buffer.len(), &raw mut needed) };
        (errno, needed as usize)
    }

    /// Hands over one event and returns the errno.
    pub fn emit(event: &[u8]) -> i32 {
        // SAFETY: the host only reads, and only the `event.len()` bytes of a live slice.
        unsafe { imports::emit(event.as_ptr(), event.len()) }
    }
}

#[cfg(not(target_family = "wasm"))]
mod native {
    /// There is no host outside wasm.
    pub fn next_request(_buffer: &mut [u8]) -> (i32, usize) {
        (super::NOT_IN_A_NODE, 0)
    }

    /// There is no host outside wasm.
    pub fn emit(_event: &[u8]) -> i32 {
        super::NOT_IN_A_NODE
    }
}
