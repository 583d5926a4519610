//! ggml's backends: loadable modules, one for each kind of processor.

use std::ffi::CStr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use llama_cpp_sys_2 as sys;

use crate::{Device, LoadError};

/// Loads every backend module in `dir` that this machine can run; for CPUs, the best variant. Does
/// nothing if the process has a CPU backend already: ggml's registry is one per process.
///
/// # Errors
/// [`LoadError::NoBackend`]: there is none for the processor.
pub(crate) fn load_backends(dir: &Path) -> Result<(), LoadError> {
    static REGISTRY: Mutex<()> = Mutex::new(());
    let _guard = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    if cpu_registry().is_null() {
        let path = super::c_path(dir).ok_or_else(|| missing(dir))?;
        // SAFETY: the path ends with a zero byte and outlives the calls; the guard keeps other
        // threads from loading at the same time.
        unsafe {
            // In this order: without a backend, llama.cpp loads those of its own build folder.
            sys::ggml_backend_load_all_from_path(path.as_ptr());
            sys::llama_backend_init();
        }
    }
    if cpu_registry().is_null() { Err(missing(dir)) } else { Ok(()) }
}

fn missing(dir: &Path) -> LoadError {
    LoadError::NoBackend { dir: dir.to_path_buf() }
}

/// The registry of the CPU backend; null if none is loaded.
pub(super) fn cpu_registry() -> sys::ggml_backend_reg_t {
    // SAFETY: looks up a device by type; null means that there is none.
    let device = unsafe { sys::ggml_backend_dev_by_type(sys::GGML_BACKEND_DEVICE_TYPE_CPU) };
    if device.is_null() {
        return std::ptr::null_mut();
    }
    // SAFETY: the device was just found and devices live as long as the process.
    unsafe { sys::ggml_backend_dev_backend_reg(device) }
}

/// The devices of all loaded backends.
pub(crate) fn devices() -> Vec<Device> {
    // SAFETY: reads ggml's registry.
    let count = unsafe { sys::ggml_backend_dev_count() };
    (0..count).map(device).collect()
}

fn device(index: usize) -> Device {
    let (mut free, mut total) = (0, 0);
    // SAFETY: `index` is below the count, so the device exists; both numbers outlive the call.
    unsafe {
        let device = sys::ggml_backend_dev_get(index);
        sys::ggml_backend_dev_memory(device, &raw mut free, &raw mut total);
        Device {
            name: super::string(sys::ggml_backend_dev_name(device)),
            description: super::string(sys::ggml_backend_dev_description(device)),
            is_gpu: sys::ggml_backend_dev_type(device) == sys::GGML_BACKEND_DEVICE_TYPE_GPU,
            memory_free_bytes: free as u64,
            memory_total_bytes: total as u64,
        }
    }
}

/// The features of the processor that the CPU backend was compiled for, such as `AVX2 AVX512`.
pub(crate) fn cpu_features() -> String {
    type GetFeatures =
        unsafe extern "C" fn(sys::ggml_backend_reg_t) -> *mut sys::ggml_backend_feature;
    let registry = cpu_registry();
    let Some(function) = cpu_function(c"ggml_backend_get_features") else { return String::new() };
    let mut names = vec![];
    // SAFETY: the name stands for a function of this type (ggml-backend.h); its answer is an array
    // that ends with a null name and lives as long as the process.
    unsafe {
        let get: GetFeatures = std::mem::transmute(function);
        let mut feature = get(registry);
        while !feature.is_null() && !(*feature).name.is_null() {
            if super::string((*feature).value) == "1" {
                names.push(super::string((*feature).name));
            }
            feature = feature.add(1);
        }
    }
    names.join(" ")
}

/// A function that the CPU backend module exports by name.
pub(super) fn cpu_function(name: &CStr) -> Option<std::ptr::NonNull<std::ffi::c_void>> {
    let registry = cpu_registry();
    if registry.is_null() {
        return None;
    }
    // SAFETY: the registry lives as long as the process and the name ends with a zero byte.
    std::ptr::NonNull::new(unsafe {
        sys::ggml_backend_reg_get_proc_address(registry, name.as_ptr())
    })
}
