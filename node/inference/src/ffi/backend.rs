//! ggml's backends: loadable modules, one for each kind of processor.

use std::ffi::CStr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use llama_cpp_sys_2 as sys;

use crate::{Device, DeviceKind, LoadError};

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
        explain_missing(dir);
    }
    if cpu_registry().is_null() { Err(missing(dir)) } else { Ok(()) }
}

/// ggml passes over a module that can't be loaded without a word: its driver may be missing, say.
/// Loaded by name, it says why.
fn explain_missing(dir: &Path) {
    for (name, file) in [(c"Vulkan", "libggml-vulkan.so"), (c"CUDA", "libggml-cuda.so")] {
        let file = dir.join(file);
        // SAFETY: looks up a name that ends with a zero byte.
        let known = !unsafe { sys::ggml_backend_reg_by_name(name.as_ptr()) }.is_null();
        let path = if known || !file.is_file() { None } else { super::c_path(&file) };
        let Some(path) = path else { continue };
        // SAFETY: the path ends with a zero byte and outlives the call; the caller holds the guard.
        if unsafe { sys::ggml_backend_load(path.as_ptr()) }.is_null() {
            let reason = super::take_errors();
            tracing::warn!(module = %file.display(), reason, "a GPU backend can't be used");
        }
    }
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
    // SAFETY: all zero is a valid value of this struct of pointers, numbers and flags.
    let mut props: sys::ggml_backend_dev_props = unsafe { std::mem::zeroed() };
    // SAFETY: `index` is below the count, so the device exists; the struct outlives the call.
    unsafe { sys::ggml_backend_dev_get_props(sys::ggml_backend_dev_get(index), &raw mut props) };
    let description = super::string(props.description);
    Device {
        name: super::string(props.name),
        kind: kind(props.type_, &description),
        description,
        id: super::string(props.device_id),
        memory_free_bytes: props.memory_free as u64,
        memory_total_bytes: props.memory_total as u64,
        layers: 0,
        memory_used_bytes: 0,
    }
}

/// ggml's Vulkan backend calls any device that it is told to use a GPU; the processor's drivers are
/// known by name.
fn kind(kind: sys::ggml_backend_dev_type, description: &str) -> DeviceKind {
    let is_software = ["llvmpipe", "SwiftShader"].iter().any(|name| description.contains(name));
    match kind {
        sys::GGML_BACKEND_DEVICE_TYPE_GPU | sys::GGML_BACKEND_DEVICE_TYPE_IGPU if is_software => {
            DeviceKind::SoftwareGpu
        }
        sys::GGML_BACKEND_DEVICE_TYPE_GPU => DeviceKind::Gpu,
        sys::GGML_BACKEND_DEVICE_TYPE_IGPU => DeviceKind::IntegratedGpu,
        sys::GGML_BACKEND_DEVICE_TYPE_CPU => DeviceKind::Processor,
        _ => DeviceKind::Accelerator,
    }
}

/// The devices at these places of ggml's list, as llama.cpp wants them: ended by a null.
pub(super) fn handles(places: &[usize]) -> Vec<sys::ggml_backend_dev_t> {
    // SAFETY: the places come from `devices`; ggml's list only grows.
    let handles = places.iter().map(|place| unsafe { sys::ggml_backend_dev_get(*place) });
    handles.chain([std::ptr::null_mut()]).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_that_poses_as_a_gpu_is_recognized() {
        let llvmpipe = "llvmpipe (LLVM 15.0.6, 256 bits)";
        for posed in [sys::GGML_BACKEND_DEVICE_TYPE_GPU, sys::GGML_BACKEND_DEVICE_TYPE_IGPU] {
            assert_eq!(kind(posed, llvmpipe), DeviceKind::SoftwareGpu);
            assert_ne!(kind(posed, "NVIDIA H200"), DeviceKind::SoftwareGpu);
        }
        assert_eq!(kind(sys::GGML_BACKEND_DEVICE_TYPE_CPU, "llvmpipe"), DeviceKind::Processor);
    }
}
