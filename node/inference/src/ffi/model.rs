//! A loaded model: weights and vocabulary, shared by all threads.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::NonNull;

use llama_cpp_sys_2 as sys;

use crate::placement::Placement;
use crate::{EngineConfig, LoadError, PairForm, SplitMode, Token, TokenizeError, TokenizeOptions};

/// A model, freed by drop.
pub(crate) struct Model {
    model: NonNull<sys::llama_model>,
}

// SAFETY: llama.cpp changes a model only while it loads; afterwards it is read alone, from any
// thread.
unsafe impl Send for Model {}
// SAFETY: as above.
unsafe impl Sync for Model {}

/// Called with the share loaded; false stops.
type Progress<'a> = &'a mut dyn FnMut(f32) -> bool;

/// What llama.cpp hands back to [`on_progress`].
struct Report<'a> {
    progress: Progress<'a>,
    cancelled: bool,
}

impl Model {
    /// Loads the file of `config`.
    ///
    /// # Errors
    /// [`LoadError::Refused`] with llama.cpp's reason, [`LoadError::Cancelled`].
    pub(crate) fn load(
        config: &EngineConfig,
        placement: &Placement,
        progress: Progress,
    ) -> Result<Self, LoadError> {
        Self::read(config, placement, &parameters(config, placement), progress)
    }

    /// The model without its weights: it knows its sizes and can't compute. Takes little memory.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub(crate) fn sketch(config: &EngineConfig) -> Result<Self, LoadError> {
        let placement = Placement::default();
        let mut params = parameters(config, &placement);
        params.no_alloc = true;
        params.load_mode = sys::LLAMA_LOAD_MODE_NONE;
        Self::read(config, &placement, &params, &mut |_| true)
    }

    fn read(
        config: &EngineConfig,
        placement: &Placement,
        params: &sys::llama_model_params,
        progress: Progress,
    ) -> Result<Self, LoadError> {
        let path = &config.model_path;
        let refuse = |reason: String| LoadError::Refused { path: path.clone(), reason };
        let name =
            super::c_path(path).ok_or_else(|| refuse("its path holds a zero byte".into()))?;
        let mut report = Report { progress, cancelled: false };
        let split = tensor_split(config);
        let mut devices = super::backend::handles(&placement.gpus);
        let mut params = *params;
        // An empty list keeps llama.cpp from choosing for itself.
        params.devices = devices.as_mut_ptr();
        params.tensor_split = if split.is_empty() { std::ptr::null() } else { split.as_ptr() };
        params.progress_callback = Some(on_progress);
        params.progress_callback_user_data = (&raw mut report).cast();
        super::take_errors();
        // SAFETY: everything that the parameters point to outlives the call.
        let model = unsafe { sys::llama_model_load_from_file(name.as_ptr(), params) };
        match NonNull::new(model) {
            Some(model) => Ok(Self { model }),
            None if report.cancelled => Err(LoadError::Cancelled),
            None => Err(refuse(super::take_errors())),
        }
    }

    pub(super) fn as_ptr(&self) -> *mut sys::llama_model {
        self.model.as_ptr()
    }

    fn vocab(&self) -> *const sys::llama_vocab {
        // SAFETY: the model is loaded; its vocabulary lives as long as it.
        unsafe { sys::llama_model_get_vocab(self.as_ptr()) }
    }

    /// Turns text into tokens.
    ///
    /// # Errors
    /// The text is too long for llama.cpp.
    pub(crate) fn tokenize(
        &self,
        text: &str,
        options: TokenizeOptions,
    ) -> Result<Vec<Token>, TokenizeError> {
        let failed = || TokenizeError::Failed(text.len());
        let length = i32::try_from(text.len()).map_err(|_| failed())?;
        // A token is at least a byte long, but for the ones added and a blank put before the text.
        let mut tokens = vec![0; text.len() + 8];
        let room = i32::try_from(tokens.len()).map_err(|_| failed())?;
        // SAFETY: both buffers are as long as said.
        let count = unsafe {
            sys::llama_tokenize(
                self.vocab(),
                text.as_ptr().cast(),
                length,
                tokens.as_mut_ptr(),
                room,
                options.add_special,
                options.parse_special,
            )
        };
        let count = usize::try_from(count).map_err(|_| failed())?;
        tokens.truncate(count);
        Ok(tokens.into_iter().map(Token).collect())
    }

    /// The bytes that a token stands for, control tokens spelled out; empty for an unknown token.
    pub(crate) fn piece(&self, token: Token) -> Vec<u8> {
        if !self.has(token) {
            return vec![];
        }
        let mut bytes = vec![0_u8; 64];
        for _ in 0..2 {
            let room = i32::try_from(bytes.len()).expect("64, or what llama.cpp asked for");
            // SAFETY: the token is in the vocabulary and the buffer is as long as said.
            let written = unsafe {
                let buffer = bytes.as_mut_ptr().cast::<c_char>();
                sys::llama_token_to_piece(self.vocab(), token.0, buffer, room, 0, true)
            };
            match usize::try_from(written) {
                Ok(written) => {
                    bytes.truncate(written);
                    return bytes;
                }
                Err(_) => bytes.resize(written.unsigned_abs() as usize, 0),
            }
        }
        vec![]
    }

    /// Whether the model can generate: it has a decoder, and no encoder that would have to run
    /// before it.
    pub(crate) fn generates(&self) -> bool {
        // SAFETY: the model lives.
        unsafe {
            sys::llama_model_has_decoder(self.as_ptr())
                && !sys::llama_model_has_encoder(self.as_ptr())
        }
    }

    /// Whether a place in the text is learned and not computed: there is none beyond the trained
    /// context.
    pub(crate) fn has_learned_places(&self) -> bool {
        // SAFETY: the model lives.
        unsafe { sys::llama_model_rope_type(self.as_ptr()) == sys::LLAMA_ROPE_TYPE_NONE }
    }

    /// Whether its state does not grow with the text, in part or in whole.
    pub(crate) fn is_recurrent(&self) -> bool {
        // SAFETY: the model lives.
        unsafe {
            sys::llama_model_is_recurrent(self.as_ptr())
                || sys::llama_model_is_hybrid(self.as_ptr())
        }
    }

    /// Whether two models read and write the same tokens.
    pub(crate) fn has_vocabulary_of(&self, other: &Self) -> bool {
        let count = self.vocabulary_tokens();
        let mut tokens = (0..count).map(|id| Token(id.cast_signed()));
        count == other.vocabulary_tokens()
            && tokens.all(|token| self.piece(token) == other.piece(token))
    }

    /// All tokens that end a generation, the usual one first.
    pub(crate) fn end_tokens(&self) -> Vec<Token> {
        // SAFETY: the vocabulary lives.
        let usual = [unsafe { sys::llama_vocab_eot(self.vocab()) }, unsafe {
            sys::llama_vocab_eos(self.vocab())
        }];
        let all = (0..self.vocabulary_tokens()).map(u32::cast_signed);
        let mut ends: Vec<Token> = vec![];
        for token in usual.into_iter().chain(all).map(Token) {
            if self.has(token) && self.is_end_of_generation(token) && !ends.contains(&token) {
                ends.push(token);
            }
        }
        ends
    }

    /// Whether a token's spelling is no text of an answer.
    pub(crate) fn is_control(&self, token: Token) -> bool {
        let control = sys::LLAMA_TOKEN_ATTR_CONTROL | sys::LLAMA_TOKEN_ATTR_UNKNOWN;
        // SAFETY: the vocabulary lives; the token is in it.
        self.has(token)
            && unsafe { sys::llama_vocab_get_attr(self.vocab(), token.0) & control != 0 }
    }

    /// Whether a part of a text is tokenized as it is, with nothing put before it.
    pub(crate) fn tokenizes_parts(&self) -> bool {
        // SAFETY: the vocabulary lives.
        unsafe { sys::llama_vocab_type(self.vocab()) == sys::LLAMA_VOCAB_TYPE_BPE }
    }

    /// Whether a token ends a generation.
    pub(crate) fn is_end_of_generation(&self, token: Token) -> bool {
        // SAFETY: the vocabulary lives; llama.cpp takes any id here.
        unsafe { sys::llama_vocab_is_eog(self.vocab(), token.0) }
    }

    /// Number of tokens in the vocabulary.
    pub(crate) fn vocabulary_tokens(&self) -> u32 {
        // SAFETY: the vocabulary lives.
        unsafe { sys::llama_vocab_n_tokens(self.vocab()) }.unsigned_abs()
    }

    fn has(&self, token: Token) -> bool {
        (0..self.vocabulary_tokens()).contains(&token.0.cast_unsigned())
    }

    /// Bytes of the longest token.
    pub(crate) fn piece_bytes_max(&self) -> usize {
        let tokens = (0..self.vocabulary_tokens()).map(|id| Token(id.cast_signed()));
        tokens.map(|token| self.piece(token).len()).max().unwrap_or(0)
    }

    /// Spellings of all control tokens: what llama.cpp reads as a token when it parses specials and
    /// what a person's text must not become.
    pub(crate) fn control_tokens(&self) -> Vec<String> {
        let wanted = sys::LLAMA_TOKEN_ATTR_CONTROL | sys::LLAMA_TOKEN_ATTR_UNKNOWN;
        let all = (0..self.vocabulary_tokens()).map(u32::cast_signed).filter(|token| {
            // SAFETY: the token is in the vocabulary.
            unsafe { sys::llama_vocab_get_attr(self.vocab(), *token) & wanted != 0 }
        });
        let spellings = all.map(|token| self.spelling(token));
        spellings.filter(|spelling| !spelling.is_empty()).collect()
    }

    /// Spelling of the begin-of-sequence token, empty if there is none.
    pub(crate) fn bos_token(&self) -> String {
        // SAFETY: the vocabulary lives.
        self.spelling(unsafe { sys::llama_vocab_bos(self.vocab()) })
    }

    /// Spelling of the end-of-sequence token, empty if there is none.
    pub(crate) fn eos_token(&self) -> String {
        // SAFETY: the vocabulary lives.
        self.spelling(unsafe { sys::llama_vocab_eos(self.vocab()) })
    }

    /// Spellings of the tokens around prefix, suffix and middle of a text to fill, if it has them.
    pub(crate) fn fill_tokens(&self) -> Option<[String; 3]> {
        // SAFETY: the vocabulary lives.
        let tokens = unsafe {
            [
                sys::llama_vocab_fim_pre(self.vocab()),
                sys::llama_vocab_fim_suf(self.vocab()),
                sys::llama_vocab_fim_mid(self.vocab()),
            ]
        };
        let spellings = tokens.map(|token| self.spelling(token));
        spellings.iter().all(|spelling| !spelling.is_empty()).then_some(spellings)
    }

    fn spelling(&self, token: sys::llama_token) -> String {
        String::from_utf8_lossy(&self.piece(Token(token))).into_owned()
    }

    /// Whether the tokenizer itself adds the begin-of-sequence token.
    pub(crate) fn adds_bos(&self) -> bool {
        // SAFETY: the vocabulary lives.
        unsafe { sys::llama_vocab_get_add_bos(self.vocab()) }
    }

    /// Numbers that its head for ranking gives for a sequence.
    pub(crate) fn scores(&self) -> u32 {
        // SAFETY: reads a number, which is 1 unless the file says more.
        unsafe { sys::llama_model_n_cls_out(self.as_ptr()) }
    }

    /// How a pair of a query and a document is put together for its head for ranking.
    pub(crate) fn pair_form(&self) -> PairForm {
        // SAFETY: the vocabulary lives; these read numbers.
        let (bos, eos, sep, adds) = unsafe {
            let vocab = self.vocab();
            let adds = [
                sys::llama_vocab_get_add_bos(vocab),
                sys::llama_vocab_get_add_eos(vocab),
                sys::llama_vocab_get_add_sep(vocab),
            ];
            let (eos, sep) = (sys::llama_vocab_eos(vocab), sys::llama_vocab_sep(vocab));
            (sys::llama_vocab_bos(vocab), eos, sep, adds)
        };
        let end = if self.has(Token(eos)) { eos } else { sep };
        let [bos, end, sep] = [(bos, adds[0]), (end, adds[1]), (sep, adds[2])]
            .map(|(token, added)| Some(Token(token)).filter(|token| added && self.has(*token)));
        PairForm {
            before: bos.into_iter().collect(),
            between: end.into_iter().chain(sep).collect(),
            after: end.into_iter().collect(),
            template: self.template(c"rerank"),
            gives_probability: false,
        }
    }

    /// A named template, if the file has one.
    fn template(&self, name: &CStr) -> Option<String> {
        // SAFETY: the name is a text; the template lives as long as the model.
        let template = unsafe { sys::llama_model_chat_template(self.as_ptr(), name.as_ptr()) };
        (!template.is_null()).then(|| super::string(template))
    }

    /// A text from the file's metadata.
    pub(crate) fn metadata(&self, key: &str) -> Option<String> {
        let key = CString::new(key).ok()?;
        let mut bytes = vec![0_u8; 256];
        for _ in 0..2 {
            // SAFETY: the buffer is as long as said; llama.cpp cuts what does not fit.
            let length = unsafe {
                let buffer = bytes.as_mut_ptr().cast::<c_char>();
                sys::llama_model_meta_val_str(self.as_ptr(), key.as_ptr(), buffer, bytes.len())
            };
            let length = usize::try_from(length).ok()?;
            if length < bytes.len() {
                bytes.truncate(length);
                return Some(String::from_utf8_lossy(&bytes).into_owned());
            }
            bytes.resize(length + 1, 0);
        }
        None
    }

    /// The default chat template in Jinja, if the file has one.
    pub(crate) fn chat_template(&self) -> Option<String> {
        // SAFETY: null asks for the default template; the text lives as long as the model.
        let template = unsafe { sys::llama_model_chat_template(self.as_ptr(), std::ptr::null()) };
        (!template.is_null()).then(|| super::string(template))
    }

    /// llama.cpp's line on architecture, size and quantization.
    pub(crate) fn description(&self) -> String {
        let mut text = vec![0_u8; 256];
        // SAFETY: the buffer is as long as said.
        unsafe {
            sys::llama_model_desc(self.as_ptr(), text.as_mut_ptr().cast::<c_char>(), text.len());
        }
        super::string(text.as_ptr().cast())
    }

    /// Sizes that llama.cpp read from the file.
    pub(crate) fn sizes(&self) -> Sizes {
        let natural = |number: i32| u32::try_from(number).unwrap_or(0);
        let model = self.as_ptr();
        // SAFETY: the model lives; these read numbers.
        unsafe {
            Sizes {
                bytes: sys::llama_model_size(model),
                parameters: sys::llama_model_n_params(model),
                context_train_tokens: natural(sys::llama_model_n_ctx_train(model)),
                embedding_dimension: natural(sys::llama_model_n_embd_out(model)),
                layers: natural(sys::llama_model_n_layer(model)),
                hidden: natural(sys::llama_model_n_embd(model)),
                heads: natural(sys::llama_model_n_head(model)).max(1),
                heads_kv: natural(sys::llama_model_n_head_kv(model)),
            }
        }
    }
}

/// Sizes of a model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Bytes of all tensors.
    pub(crate) bytes: u64,
    /// Number of parameters.
    pub(crate) parameters: u64,
    /// Tokens the model was trained with.
    pub(crate) context_train_tokens: u32,
    /// Length of an embedding vector.
    pub(crate) embedding_dimension: u32,
    /// Number of layers.
    pub(crate) layers: u32,
    /// Width of the hidden state.
    pub(crate) hidden: u32,
    /// Attention heads.
    pub(crate) heads: u32,
    /// Heads of keys and values.
    pub(crate) heads_kv: u32,
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: made by llama.cpp, and no context outlives the `Arc` that holds this.
        unsafe { sys::llama_model_free(self.as_ptr()) }
    }
}

/// `tensor_split` as llama.cpp wants it: an entry per possible device.
fn tensor_split(config: &EngineConfig) -> Vec<f32> {
    if config.tensor_split.is_empty() {
        return vec![];
    }
    // SAFETY: reads a constant.
    let devices = unsafe { sys::llama_max_devices() };
    let mut split = config.tensor_split.clone();
    split.resize(devices, 0.0);
    split
}

fn split_mode(mode: SplitMode) -> sys::llama_split_mode {
    match mode {
        SplitMode::None => sys::LLAMA_SPLIT_MODE_NONE,
        SplitMode::Layer => sys::LLAMA_SPLIT_MODE_LAYER,
        SplitMode::Row => sys::LLAMA_SPLIT_MODE_ROW,
    }
}

fn parameters(config: &EngineConfig, placement: &Placement) -> sys::llama_model_params {
    // SAFETY: returns plain numbers.
    let mut params = unsafe { sys::llama_model_default_params() };
    params.n_gpu_layers = i32::try_from(placement.layers).unwrap_or(i32::MAX);
    params.split_mode = split_mode(config.split_mode);
    params.main_gpu = i32::try_from(placement.main_gpu).unwrap_or(i32::MAX);
    params.load_mode =
        if config.use_mmap { sys::LLAMA_LOAD_MODE_MMAP } else { sys::LLAMA_LOAD_MODE_NONE };
    params
}

unsafe extern "C" fn on_progress(share: f32, report: *mut c_void) -> bool {
    // SAFETY: llama.cpp passes back the pointer that `load` gave it, to a report that outlives the
    // loading, on the thread that loads.
    let report = unsafe { &mut *report.cast::<Report>() };
    // A panic must not unwind through C++; the loading stops instead.
    let call = std::panic::AssertUnwindSafe(|| (report.progress)(share));
    let goes_on = std::panic::catch_unwind(call).unwrap_or(false);
    report.cancelled |= !goes_on;
    goes_on
}
