//! LoRA adapters: small matrices that change a model's weights while it computes.

use std::sync::Arc;

use llama_cpp_sys_2 as sys;

use super::{Context, Header, Model};
use crate::{LoadError, Lora};

/// The adapters of one model. llama.cpp frees them with it.
pub(crate) struct Adapters {
    adapters: Vec<*mut sys::llama_adapter_lora>,
    scales: Vec<f32>,
    _model: Arc<Model>,
}

impl Adapters {
    /// Loads adapters; before any context, which must know of them.
    ///
    /// # Errors
    /// [`LoadError`] that names the adapter's file.
    pub(crate) fn load(model: &Arc<Model>, loras: &[Lora]) -> Result<Self, LoadError> {
        let adapters = loras.iter().map(|lora| load(model, lora)).collect::<Result<_, _>>()?;
        let scales = loras.iter().map(|lora| lora.scale).collect();
        Ok(Self { adapters, scales, _model: Arc::clone(model) })
    }

    /// Puts the adapters to work. False: llama.cpp refused.
    pub(crate) fn attach(&mut self, context: &mut Context) -> bool {
        if self.adapters.is_empty() {
            return true;
        }
        // SAFETY: both lists have as many entries; the adapters live as long as the model, which the
        // context holds.
        let code = unsafe {
            sys::llama_set_adapters_lora(
                context.as_ptr(),
                self.adapters.as_mut_ptr(),
                self.adapters.len(),
                self.scales.as_mut_ptr(),
            )
        };
        code == 0
    }
}

fn load(model: &Model, lora: &Lora) -> Result<*mut sys::llama_adapter_lora, LoadError> {
    let refuse = |reason: String| LoadError::Refused { path: lora.path.clone(), reason };
    let found = crate::file::check(&lora.path)?;
    let expected = Header::read(&lora.path)?.file_bytes;
    if expected > found {
        return Err(LoadError::Truncated { path: lora.path.clone(), expected, found });
    }
    let name = super::c_path(&lora.path);
    let name = name.ok_or_else(|| refuse("its path holds a zero byte".into()))?;
    super::take_errors();
    // SAFETY: the model lives; the path outlives the call.
    let adapter = unsafe { sys::llama_adapter_lora_init(model.as_ptr(), name.as_ptr()) };
    if adapter.is_null() { Err(refuse(super::take_errors())) } else { Ok(adapter) }
}
