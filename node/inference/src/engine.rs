//! The handle that callers hold.

use std::sync::atomic::AtomicU32;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use crate::answer::{Generation, PendingEmbedding};
use crate::bell::Bell;
use crate::chooser::{self, Chooser};
use crate::constraint::Grammars;
use crate::counters::Counters;
use crate::embedder::Text;
use crate::ffi::{Model, Projector};
use crate::generator::Job;
use crate::inbox::{Inbox, Seats};
use crate::queue::queue;
use crate::sampler::Sampler;
use crate::{
    AdmitError, EngineConfig, EngineInfo, EngineStats, GenerateOptions, LoadError, LookError,
    Prompt, Sight, Token, TokenizeError, TokenizeOptions, Tuning,
};

/// Told how much of a model is loaded, from 0 to 1; false cancels.
pub type Progress = Box<dyn FnMut(f32) -> bool + Send>;

/// A loaded model and the thread that computes with it. Clones share it; when the last one is
/// dropped, the thread ends and whatever it was computing ends with an error.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

/// The parts of an engine, put together by `load`.
pub(crate) struct Inner {
    pub(crate) model: Arc<Model>,
    pub(crate) info: EngineInfo,
    pub(crate) desk: Desk,
    pub(crate) bell: Arc<Bell>,
    pub(crate) seats: Arc<Seats>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) run_ahead_tokens: usize,
    /// Requests that may wait.
    pub(crate) queue_max: u32,
    pub(crate) text_bytes_max: usize,
    /// What reads pictures.
    pub(crate) projector: Option<Arc<Projector>>,
    /// Tokens of a step.
    pub(crate) batch_tokens: usize,
    /// Made when the first constraint comes.
    pub(crate) grammars: OnceLock<Result<Grammars, String>>,
    /// `None` after the thread was joined.
    pub(crate) thread: Option<JoinHandle<()>>,
}

/// Where requests are handed in.
pub(crate) enum Desk {
    Generate(Arc<Inbox<Job>>),
    Embed(Arc<Inbox<Text>>),
}

impl Engine {
    /// Loads a model and starts its thread, with the settings that measurements chose.
    ///
    /// # Errors
    /// See [`LoadError`]; nothing stays behind.
    pub fn load(config: &EngineConfig, progress: Progress) -> Result<Self, LoadError> {
        Self::load_tuned(config, &Tuning::default(), progress)
    }

    /// As [`Engine::load`], for measuring other settings.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn load_tuned(
        config: &EngineConfig,
        tuning: &Tuning,
        progress: Progress,
    ) -> Result<Self, LoadError> {
        crate::load::load(config, tuning, progress).map(|inner| Self(Arc::new(inner)))
    }

    /// What is loaded.
    #[must_use]
    pub fn info(&self) -> &EngineInfo {
        &self.0.info
    }

    /// Turns text into tokens, on the calling thread.
    ///
    /// # Errors
    /// The text is longer than any that could fit the context.
    pub fn tokenize(
        &self,
        text: &str,
        options: TokenizeOptions,
    ) -> Result<Vec<Token>, TokenizeError> {
        let (bytes, limit) = (text.len(), self.0.text_bytes_max);
        if bytes > limit {
            return Err(TokenizeError::TooLong { bytes, limit });
        }
        self.0.model.tokenize(text, options)
    }

    /// The bytes that a token stands for, control tokens spelled out; empty for an unknown token.
    #[must_use]
    pub fn piece(&self, token: Token) -> Vec<u8> {
        self.0.model.piece(token)
    }

    /// Cuts a picture into what the model is going to read, on the calling thread: `rgb` has three
    /// bytes for each pixel, line by line.
    ///
    /// # Errors
    /// See [`LookError`].
    pub fn look(&self, width: u32, height: u32, rgb: &[u8]) -> Result<Sight, LookError> {
        let projector = self.0.projector.as_deref().ok_or(LookError::Blind)?;
        crate::eye::look(projector, (width, height), rgb, self.0.batch_tokens)
    }

    /// Starts an answer to `prompt`. Never blocks: the request waits for a sequence if none is
    /// free.
    ///
    /// # Errors
    /// See [`AdmitError`].
    pub fn generate(
        &self,
        prompt: impl Into<Prompt>,
        options: GenerateOptions,
    ) -> Result<Generation, AdmitError> {
        let prompt = prompt.into();
        let Desk::Generate(inbox) = &self.0.desk else {
            return Err(AdmitError::WrongKind(
                "makes embeddings or scores; it does not generate text",
            ));
        };
        if let Some(fault) = options.fault() {
            return Err(AdmitError::BadOptions(fault));
        }
        if let Some(fault) = fault_with_pictures(&prompt, &options) {
            return Err(AdmitError::BadOptions(fault));
        }
        // One place stays for the answer's first token.
        let limit = self.0.info.context_tokens as usize - 1;
        let text = prompt.text();
        self.0.check(&text, prompt.len(), limit)?;
        let seat = self.0.seats.take().ok_or(self.0.queue_full())?;
        let (outlet, inlet) = queue(self.0.run_ahead_tokens, Arc::clone(&self.0.bell));
        let cached_tokens = Arc::new(AtomicU32::new(0));
        let job = Job {
            tokens_max: options.tokens_max.unwrap_or(u32::MAX),
            scores_prompt: options.scores_prompt,
            sampler: self.0.chooser(options, &text)?,
            prompt: prompt.tokens,
            spots: prompt.spots,
            chunks: prompt.chunks,
            outlet,
            cached_tokens: Arc::clone(&cached_tokens),
            _seat: Some(seat),
        };
        let generation = Generation::new(inlet, cached_tokens);
        if inbox.push(job) { Ok(generation) } else { Err(AdmitError::Stopped) }
    }

    /// Starts to turn a tokenized text into a vector, or a tokenized pair into its score. Never blocks.
    ///
    /// # Errors
    /// See [`AdmitError`].
    pub fn embed(&self, tokens: Vec<Token>) -> Result<PendingEmbedding, AdmitError> {
        let Desk::Embed(inbox) = &self.0.desk else {
            return Err(AdmitError::WrongKind("generates text; it was not loaded to embed"));
        };
        self.0.check(&tokens, tokens.len(), self.0.info.context_tokens as usize)?;
        let seat = self.0.seats.take().ok_or(self.0.queue_full())?;
        let (outlet, inlet) = queue(1, Arc::clone(&self.0.bell));
        let text = Text { tokens, outlet, _seat: seat };
        if inbox.push(text) { Ok(PendingEmbedding::new(inlet)) } else { Err(AdmitError::Stopped) }
    }

    /// The engine's numbers now.
    #[must_use]
    pub fn stats(&self) -> EngineStats {
        self.0.counters.stats(self.0.seats.taken())
    }
}

impl Inner {
    /// Checks the tokens of a prompt that is `length` long, pictures included.
    fn check(&self, tokens: &[Token], length: usize, limit: usize) -> Result<(), AdmitError> {
        let vocabulary = 0..self.info.vocabulary_tokens.cast_signed();
        if length == 0 {
            return Err(AdmitError::EmptyPrompt);
        }
        if length > limit {
            return Err(AdmitError::PromptTooLong { tokens: length, limit });
        }
        match tokens.iter().find(|token| !vocabulary.contains(&token.0)) {
            Some(token) => Err(AdmitError::BadToken(token.0)),
            None => Ok(()),
        }
    }

    fn chooser(
        &self,
        mut options: GenerateOptions,
        prompt: &[Token],
    ) -> Result<Chooser, AdmitError> {
        let obedience = match &options.constraint {
            Some(constraint) => Some(self.grammars()?.compile(constraint)?),
            None => None,
        };
        let bias = chooser::bias(&mut options, || self.model.end_tokens());
        let scores = options.scores.map(|scores| scores as usize);
        let sampler = Sampler::new(options.sampling, prompt);
        Ok(Chooser { sampler, bias, obedience, scores, prompt_scores: vec![] })
    }

    fn grammars(&self) -> Result<&Grammars, AdmitError> {
        let grammars = self.grammars.get_or_init(|| Grammars::new(&self.model));
        grammars.as_ref().map_err(|error| AdmitError::BadConstraint(error.clone()))
    }

    fn queue_full(&self) -> AdmitError {
        AdmitError::QueueFull { limit: self.queue_max }
    }
}

/// What a prompt with pictures can't have.
fn fault_with_pictures(prompt: &Prompt, options: &GenerateOptions) -> Option<&'static str> {
    let last = prompt.spots.last()?;
    if last.end() == prompt.len() {
        return Some("a prompt can't end with a picture");
    }
    options.scores_prompt.then_some("a prompt with pictures can't be scored")
}

impl Drop for Inner {
    fn drop(&mut self) {
        match &self.desk {
            Desk::Generate(inbox) => inbox.close(),
            Desk::Embed(inbox) => inbox.close(),
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the engine's thread had panicked");
        }
    }
}
