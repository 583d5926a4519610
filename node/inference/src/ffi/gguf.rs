//! Looks at a GGUF file's header before llama.cpp maps it.

use std::ffi::CString;
use std::path::Path;
use std::ptr::NonNull;

use llama_cpp_sys_2 as sys;

use crate::LoadError;

/// What the header promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Bytes that the file must hold.
    pub(crate) file_bytes: u64,
    /// Bytes of all tensors.
    pub(crate) tensor_bytes: u64,
    /// It says how to pool the vectors of a text into one: it is an embedding model's.
    pub(crate) has_pooling: bool,
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
    // SAFETY: the context is valid, and every index is below the count of tensors.
    let data_offset = unsafe {
        for index in 0..sys::gguf_get_n_tensors(gguf) {
            let offset = sys::gguf_get_tensor_offset(gguf, index) as u64;
            let bytes = sys::gguf_get_tensor_size(gguf, index) as u64;
            end = end.max(offset.saturating_add(bytes));
            tensor_bytes = tensor_bytes.saturating_add(bytes);
        }
        sys::gguf_get_data_offset(gguf) as u64
    };
    let file_bytes = data_offset.saturating_add(end);
    Header { file_bytes, tensor_bytes, has_pooling: has_pooling(gguf) }
}

fn has_pooling(gguf: *const sys::gguf_context) -> bool {
    // SAFETY: the context is valid; the key exists and holds a text before it is read as one.
    unsafe {
        let key = sys::gguf_find_key(gguf, c"general.architecture".as_ptr());
        if key < 0 || sys::gguf_get_kv_type(gguf, key) != sys::GGUF_TYPE_STRING {
            return false;
        }
        let architecture = super::string(sys::gguf_get_val_str(gguf, key));
        let pooling = CString::new(format!("{architecture}.pooling_type"));
        pooling.is_ok_and(|pooling| sys::gguf_find_key(gguf, pooling.as_ptr()) >= 0)
    }
}
