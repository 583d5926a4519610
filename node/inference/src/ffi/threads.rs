//! The threads that compute a step: made once, kept for the context's life.

use std::collections::BTreeSet;
use std::ptr::NonNull;

use llama_cpp_sys_2 as sys;

/// A ggml thread pool.
pub(super) struct ThreadPool {
    pool: NonNull<sys::ggml_threadpool>,
    /// The threads that came with the pool; with the one that computes they are all.
    helpers: BTreeSet<u32>,
}

// SAFETY: a thread pool is bound to no thread; it is used by the one that owns it.
unsafe impl Send for ThreadPool {}

impl ThreadPool {
    /// `None` if the CPU backend offers no pools; ggml then makes threads for each step.
    /// `poll_level` says how long an idle thread spins before it sleeps, 0 to 100.
    pub(super) fn new(threads: u32, poll_level: u32) -> Option<Self> {
        type New =
            unsafe extern "C" fn(*mut sys::ggml_threadpool_params) -> *mut sys::ggml_threadpool;
        let function = super::backend::cpu_function(c"ggml_threadpool_new")?;
        let before = crate::processor::thread_ids();
        // SAFETY: the name stands for a function of this type (ggml-cpu.h); it copies the
        // parameters.
        let pool = unsafe {
            let mut params = sys::ggml_threadpool_params_default(i32::try_from(threads).ok()?);
            params.poll = poll_level;
            let new: New = std::mem::transmute(function);
            new(&raw mut params)
        };
        let helpers = &crate::processor::thread_ids() - &before;
        NonNull::new(pool).map(|pool| Self { pool, helpers })
    }

    pub(super) fn helpers(&self) -> &BTreeSet<u32> {
        &self.helpers
    }

    pub(super) fn as_ptr(&self) -> *mut sys::ggml_threadpool {
        self.pool.as_ptr()
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        type Free = unsafe extern "C" fn(*mut sys::ggml_threadpool);
        let function = super::backend::cpu_function(c"ggml_threadpool_free")
            .expect("the backend that made the pool is still loaded");
        // SAFETY: the name stands for a function of this type; nothing uses the pool any more.
        unsafe {
            let free: Free = std::mem::transmute(function);
            free(self.pool.as_ptr());
        }
    }
}
