//! A projector: what turns pictures into rows of numbers that a model reads like tokens.

use std::ffi::CString;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

use llama_cpp_sys_2 as sys;

use super::Model;
use super::context::Position;
use crate::Token;

/// A loaded projector, freed by drop.
pub(crate) struct Projector {
    context: NonNull<sys::mtmd_context>,
    /// Held while a picture is encoded: the rows lie in the context until the next one.
    encoding: Mutex<()>,
    /// Numbers of a row.
    width: usize,
    // Its vocabulary is used: freed after the context, by the order of fields.
    _model: Arc<Model>,
}

// SAFETY: mtmd reads its context alone when it cuts pictures up, from any thread, as its header says;
// what encoding changes is behind `encoding`.
unsafe impl Send for Projector {}
// SAFETY: as above.
unsafe impl Sync for Projector {}

/// How a projector is loaded.
pub(crate) struct ProjectorPlan {
    /// Its GGUF file.
    pub(crate) path: CString,
    /// CPU threads.
    pub(crate) threads: u32,
    /// Rows of a picture at most, where a larger one makes more; `None`: the projector's own limit.
    pub(crate) rows_max: Option<u32>,
    /// The GPU that computes it, by its place in ggml's list; `None`: the processor.
    pub(crate) gpu: Option<usize>,
}

/// A part of a picture as the projector cut it.
pub(crate) enum Seen {
    /// Tokens around it.
    Text(Vec<Token>),
    /// Rows to encode.
    Rows { rows: usize, places: usize, chunk: Chunk },
}

impl Projector {
    /// Loads a projector for a model. `None`: llama.cpp refused; the log has its reason.
    pub(crate) fn load(model: &Arc<Model>, plan: &ProjectorPlan) -> Option<Self> {
        let gpu: Vec<usize> = plan.gpu.into_iter().collect();
        let devices = super::backend::handles(&gpu);
        // SAFETY: returns plain numbers and texts that live as long as the program.
        let mut params = unsafe { sys::mtmd_context_params_default() };
        params.use_gpu = plan.gpu.is_some();
        params.device = devices[0];
        params.n_threads = plan.threads.cast_signed();
        params.print_timings = false;
        params.image_max_tokens = plan.rows_max.map_or(-1, u32::cast_signed);
        // SAFETY: the path outlives the call, and the model the context, which holds it.
        let context =
            unsafe { sys::mtmd_init_from_file(plan.path.as_ptr(), model.as_ptr(), params) };
        let context = NonNull::new(context)?;
        // SAFETY: reads a number.
        let width = unsafe { sys::llama_model_n_embd_inp(model.as_ptr()) };
        let width = usize::try_from(width).unwrap_or(0);
        Some(Self { context, encoding: Mutex::default(), width, _model: Arc::clone(model) })
    }

    fn as_ptr(&self) -> *mut sys::mtmd_context {
        self.context.as_ptr()
    }

    /// Whether it reads pictures, and not sounds alone.
    pub(crate) fn sees(&self) -> bool {
        // SAFETY: the context lives.
        unsafe { sys::mtmd_support_vision(self.as_ptr()) }
    }

    /// Whether the rows of a picture see each other, those behind them too.
    pub(crate) fn looks_ahead(&self) -> bool {
        // SAFETY: the context lives; null asks about pictures.
        unsafe { sys::mtmd_decode_use_non_causal(self.as_ptr(), std::ptr::null()) }
    }

    /// Numbers of a row.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Cuts a picture into what is to be encoded and the tokens around it. `None`: llama.cpp refused;
    /// the log has its reason.
    ///
    /// # Panics
    /// `rgb` has not three bytes for each pixel: the engine has checked that.
    pub(crate) fn cut(&self, (width, height): (u32, u32), rgb: &[u8]) -> Option<Vec<Seen>> {
        assert_eq!(rgb.len() as u64, u64::from(width) * u64::from(height) * 3);
        // SAFETY: copies that many bytes.
        let bitmap = unsafe { sys::mtmd_bitmap_init(width, height, rgb.as_ptr()) };
        let bitmap = Bitmap(NonNull::new(bitmap)?);
        // SAFETY: makes an empty list.
        let chunks = Chunks(NonNull::new(unsafe { sys::mtmd_input_chunks_init() })?);
        let part = sys::mtmd_input_part { text: std::ptr::null(), bitmap: bitmap.0.as_ptr() };
        let parts = [&raw const part];
        // SAFETY: the list of parts has one entry, and it and the bitmap outlive the call.
        let code = unsafe {
            sys::mtmd_tokenize_from_parts(
                self.as_ptr(),
                chunks.0.as_ptr(),
                parts.as_ptr(),
                parts.len(),
                false,
            )
        };
        (code == 0).then(|| Arc::new(chunks)).and_then(|chunks| list(&chunks))
    }

    /// The rows of a part of a picture, one after another. `None`: llama.cpp failed; the log has its
    /// reason.
    pub(crate) fn encode(&self, chunk: &Chunk, rows: usize) -> Option<Vec<f32>> {
        let _turn = self.encoding.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the chunk was cut by this context's projector and is no text.
        if unsafe { sys::mtmd_encode_chunk(self.as_ptr(), chunk.as_ptr()) } != 0 {
            return None;
        }
        // SAFETY: the context lives; what it answers stays until the next picture is encoded, for
        // which the lock must be free.
        let numbers = unsafe { sys::mtmd_get_output_embd(self.as_ptr()) };
        let length = rows.checked_mul(self.width)?;
        // SAFETY: there are as many rows as the chunk has tokens, each as wide as the model's input.
        (!numbers.is_null())
            .then(|| unsafe { std::slice::from_raw_parts(numbers, length) }.to_vec())
    }
}

impl Drop for Projector {
    fn drop(&mut self) {
        // SAFETY: made in `load` and used no more.
        unsafe { sys::mtmd_free(self.as_ptr()) }
    }
}

struct Bitmap(NonNull<sys::mtmd_bitmap>);

impl Drop for Bitmap {
    fn drop(&mut self) {
        // SAFETY: made by llama.cpp and used no more.
        unsafe { sys::mtmd_bitmap_free(self.0.as_ptr()) }
    }
}

/// What a picture was cut into.
struct Chunks(NonNull<sys::mtmd_input_chunks>);

// SAFETY: they are never changed after they were made.
unsafe impl Send for Chunks {}
// SAFETY: as above.
unsafe impl Sync for Chunks {}

impl Drop for Chunks {
    fn drop(&mut self) {
        // SAFETY: made by llama.cpp and used no more.
        unsafe { sys::mtmd_input_chunks_free(self.0.as_ptr()) }
    }
}

/// A part of a picture, prepared for the projector.
pub(crate) struct Chunk {
    chunks: Arc<Chunks>,
    index: usize,
}

impl Chunk {
    fn as_ptr(&self) -> *const sys::mtmd_input_chunk {
        // SAFETY: the index was below the list's length when this was made, and the list is never
        // changed.
        unsafe { sys::mtmd_input_chunks_get(self.chunks.0.as_ptr(), self.index) }
    }

    /// Its tokens, if it is text.
    fn text(&self) -> Option<Vec<Token>> {
        let mut count = 0;
        // SAFETY: the chunk lives; a text's tokens are as many as it says.
        unsafe {
            if sys::mtmd_input_chunk_get_type(self.as_ptr()) != sys::MTMD_INPUT_CHUNK_TYPE_TEXT {
                return None;
            }
            let tokens = sys::mtmd_input_chunk_get_tokens_text(self.as_ptr(), &raw mut count);
            if tokens.is_null() {
                return Some(vec![]);
            }
            let tokens = std::slice::from_raw_parts(tokens, count);
            Some(tokens.iter().copied().map(Token).collect())
        }
    }

    /// Its rows, and the positions that they take. `None`: it is no picture.
    fn size(&self) -> Option<(usize, usize)> {
        if self.picture().is_null() {
            return None;
        }
        // SAFETY: the chunk lives; these read numbers.
        let (rows, places) = unsafe {
            (
                sys::mtmd_input_chunk_get_n_tokens(self.as_ptr()),
                sys::mtmd_input_chunk_get_n_pos(self.as_ptr()),
            )
        };
        let places = usize::try_from(places).ok()?;
        (1..=rows).contains(&places).then_some((rows, places))
    }

    fn picture(&self) -> *const sys::mtmd_image_tokens {
        // SAFETY: the chunk lives; what is no picture is answered by null.
        unsafe { sys::mtmd_input_chunk_get_tokens_image(self.as_ptr()) }
    }

    /// Where some of its rows stand in a sequence if the picture stands at `start`.
    ///
    /// # Panics
    /// It has fewer rows.
    pub(crate) fn positions(&self, start: usize, rows: Range<usize>) -> Vec<Position> {
        let count = self.size().map_or(0, |(count, _)| count);
        assert!(rows.end <= count, "{rows:?} of {count}");
        let start = sys::llama_pos::try_from(start).expect("a context is far smaller");
        let position = |row| {
            // SAFETY: the chunk is a picture, and has this row.
            let place =
                unsafe { sys::mtmd_image_tokens_get_decoder_pos(self.picture(), start, row) };
            [place.t, place.y, place.x, place.z].map(u32::cast_signed)
        };
        rows.map(position).collect()
    }
}

impl std::fmt::Debug for Chunk {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Chunk").field("index", &self.index).finish_non_exhaustive()
    }
}

fn list(chunks: &Arc<Chunks>) -> Option<Vec<Seen>> {
    // SAFETY: the list lives.
    let count = unsafe { sys::mtmd_input_chunks_size(chunks.0.as_ptr()) };
    let seen = |index| {
        let chunk = Chunk { chunks: Arc::clone(chunks), index };
        if let Some(tokens) = chunk.text() {
            return Some(Seen::Text(tokens));
        }
        let (rows, places) = chunk.size()?;
        Some(Seen::Rows { rows, places, chunk })
    };
    (0..count).map(seen).collect()
}
