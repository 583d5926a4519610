//! Looks at a GGUF file's header before llama.cpp maps it.

use std::ffi::{CStr, CString};
use std::path::Path;
use std::ptr::NonNull;

use llama_cpp_sys_2 as sys;

use crate::LoadError;

/// What the header promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Bytes that the file must hold.
    pub(crate) file_bytes: u64,
    /// Bytes of all tensors.
    pub(crate) tensor_bytes: u64,
    /// Bytes of each layer's tensors.
    pub(crate) layers: Vec<u64>,
    /// Bytes of the tensors that make the output.
    pub(crate) output_bytes: u64,
    /// What it says that comes out for a whole text.
    pub(crate) pooling: Pooling,
    /// It has a head that scores.
    pub(crate) ranks: bool,
    /// The kind of projector that it is, if it is one that reads pictures.
    pub(crate) projector: Option<String>,
}

/// What comes out for a whole text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pooling {
    /// The file says nothing of it: it is no embedding model's.
    Absent,
    /// A vector.
    Vector,
    /// A score.
    Score,
}

impl Header {
    /// Reads the header and the table of tensors; no tensor.
    ///
    /// # Errors
    /// [`LoadError::Damaged`].
    pub(crate) fn read(path: &Path) -> Result<Self, LoadError> {
        let refuse = |reason: String| LoadError::Damaged { path: path.to_path_buf(), reason };
        let name =
            super::c_path(path).ok_or_else(|| refuse("its path holds a zero byte".into()))?;
        super::take_errors();
        let params = sys::gguf_init_params { no_alloc: true, ctx: std::ptr::null_mut() };
        // SAFETY: the path outlives the call; without a context nothing else is allocated.
        let gguf = unsafe { sys::gguf_init_from_file(name.as_ptr(), params) };
        let gguf = NonNull::new(gguf).ok_or_else(|| refuse(super::take_errors()))?;
        let header = measure(gguf);
        // SAFETY: made above and not used after this.
        unsafe { sys::gguf_free(gguf.as_ptr()) };
        if header.tensor_bytes == 0 {
            Err(refuse("it lists no tensors".into()))
        } else {
            Ok(header)
        }
    }
}

fn measure(gguf: NonNull<sys::gguf_context>) -> Header {
    let gguf = gguf.as_ptr();
    let (mut end, mut tensor_bytes) = (0_u64, 0_u64);
    let mut parts = Parts::default();
    // SAFETY: the context is valid, and every index is below the count of tensors.
    let data_offset = unsafe {
        for index in 0..sys::gguf_get_n_tensors(gguf) {
            let offset = sys::gguf_get_tensor_offset(gguf, index) as u64;
            let bytes = sys::gguf_get_tensor_size(gguf, index) as u64;
            end = end.max(offset.saturating_add(bytes));
            tensor_bytes = tensor_bytes.saturating_add(bytes);
            parts.add(&super::string(sys::gguf_get_tensor_name(gguf, index)), bytes);
        }
        sys::gguf_get_data_offset(gguf) as u64
    };
    let file_bytes = data_offset.saturating_add(end);
    let architecture = text(gguf, c"general.architecture");
    let pooling = architecture.as_deref().map_or(Pooling::Absent, |name| pooling(gguf, name));
    let output_bytes = parts.output_bytes(pooling != Pooling::Absent);
    let is_jina = architecture.as_deref() == Some("jina-bert-v2");
    let ranks = parts.has_head || (is_jina && parts.has_head_layer);
    let (layers, projector) = (parts.layers, projector(gguf));
    Header { file_bytes, tensor_bytes, layers, output_bytes, pooling, ranks, projector }
}

/// No model of today has a tenth of these; a damaged file may name any.
const LAYERS_MAX: usize = 10_000;

/// Bytes of tensors, by the part of the model that their names tell.
#[derive(Default)]
struct Parts {
    layers: Vec<u64>,
    tokens: u64,
    output: u64,
    has_output: bool,
    /// There is a head that scores.
    has_head: bool,
    /// There is a layer before it, which is all that Jina's first rerankers have.
    has_head_layer: bool,
}

impl Parts {
    fn add(&mut self, name: &str, bytes: u64) {
        let layer = name.strip_prefix("blk.").and_then(|rest| rest.split('.').next());
        let layer = layer.and_then(|number| number.parse::<usize>().ok());
        match layer {
            Some(layer) if layer < LAYERS_MAX => {
                self.layers.resize(self.layers.len().max(layer + 1), 0);
                self.layers[layer] = self.layers[layer].saturating_add(bytes);
            }
            _ if name.starts_with("token_embd") => self.tokens = self.tokens.saturating_add(bytes),
            _ => self.output = self.output.saturating_add(bytes),
        }
        self.has_output |= name == "output.weight";
        self.has_head |= name == "cls.output.weight";
        self.has_head_layer |= name == "cls.weight";
    }

    /// A model without an output of its own turns its first tensor around, from a second copy. One
    /// that makes vectors has no output of tokens.
    fn output_bytes(&self, has_pooling: bool) -> u64 {
        let copied = if self.has_output || has_pooling { 0 } else { self.tokens };
        self.output.saturating_add(copied)
    }
}

fn pooling(gguf: *const sys::gguf_context, architecture: &str) -> Pooling {
    let Ok(name) = CString::new(format!("{architecture}.pooling_type")) else {
        return Pooling::Absent;
    };
    // SAFETY: the context is valid; the key exists and holds a number before it is read as one.
    unsafe {
        let key = sys::gguf_find_key(gguf, name.as_ptr());
        if key < 0 {
            return Pooling::Absent;
        }
        let is_number = sys::gguf_get_kv_type(gguf, key) == sys::GGUF_TYPE_UINT32;
        let is_score = is_number
            && i64::from(sys::gguf_get_val_u32(gguf, key))
                == i64::from(sys::LLAMA_POOLING_TYPE_RANK);
        if is_score { Pooling::Score } else { Pooling::Vector }
    }
}

/// As mtmd reads it: a file with a projector for sounds too names each apart.
fn projector(gguf: *const sys::gguf_context) -> Option<String> {
    let mut keys = [c"clip.projector_type", c"clip.vision.projector_type"].into_iter();
    keys.find_map(|key| text(gguf, key).filter(|kind| !kind.is_empty()))
}

fn text(gguf: *const sys::gguf_context, key: &CStr) -> Option<String> {
    // SAFETY: the context is valid; the key exists and holds a text before it is read as one.
    unsafe {
        let key = sys::gguf_find_key(gguf, key.as_ptr());
        let is_text = key >= 0 && sys::gguf_get_kv_type(gguf, key) == sys::GGUF_TYPE_STRING;
        is_text.then(|| super::string(sys::gguf_get_val_str(gguf, key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(tensors: &[(&str, u64)]) -> Parts {
        let mut parts = Parts::default();
        tensors.iter().for_each(|(name, bytes)| parts.add(name, *bytes));
        parts
    }

    #[test]
    fn tensors_belong_to_the_layer_they_name() {
        let parts = parts(&[("blk.1.attn_q.weight", 3), ("blk.0.a", 1), ("blk.1.b", 2)]);
        assert_eq!(parts.layers, [1, 5]);
        let wild = super::tests::parts(&[("blk.99999999.a", 7), ("blk.x.a", 1)]);
        assert_eq!((wild.layers.len(), wild.output), (0, 8));
    }

    #[test]
    fn an_output_that_is_not_there_is_a_copy_of_the_input() {
        let own =
            parts(&[("token_embd.weight", 10), ("output.weight", 4), ("output_norm.weight", 1)]);
        assert_eq!(own.output_bytes(false), 5);
        let tied = parts(&[("token_embd.weight", 10), ("output_norm.weight", 1)]);
        assert_eq!(tied.output_bytes(false), 11);
        assert_eq!(tied.output_bytes(true), 1);
    }
}
