//! One execution context: input in, computing, output out.
//!
//! States: without input → with input → answering (single mode) → with input again. As in the stock
//! plugin, an answer that ended starts over if it is computed again, and setting an input ends the
//! answer under way but leaves the last output readable. Unlike there, single mode heeds `n-predict`
//! and `reverse-prompt`, and a prompt that is too long never fails `set_input`, only computing:
//! guests count a prompt's tokens by setting it.

use std::sync::Arc;
use std::time::Duration;

use gaia_protocol::TOKEN_BREAK;

use super::errno::Errno;
use super::model::{Answer, Model, Refusal, Scene, Scores, Step, Token, Vector};
use super::options::Options;
use super::output;
use super::scene::{self, Piece};
use crate::port::{Halt, Patience, Pictures};

/// How long computing waits before it looks whether the request still stands.
const WAIT: Duration = Duration::from_millis(50);

/// One context of one graph.
pub(super) struct Context {
    model: Arc<dyn Model>,
    options: Options,
    input: Vec<Token>,
    /// The input in its place, if it shows pictures.
    scene: Option<Box<dyn Scene>>,
    /// Submitted by `set_input`, so that a guest with many contexts gets them batched.
    vector: Option<Result<Box<dyn Vector>, Errno>>,
    answer: Option<Box<dyn Answer>>,
    output: Vec<u8>,
    /// Where the last token's piece starts in `output`.
    last_piece: usize,
    output_tokens: usize,
    cached_tokens: u32,
    /// JSON of the last token's probability, and of the prompt's tokens'.
    logprob: Vec<u8>,
    prompt_logprobs: Vec<u8>,
    /// Why the last computation failed, where there is more to say than its number.
    error: Option<String>,
}

/// How one token's step changed the answer.
enum Progress {
    Goes,
    Ended(Errno),
}

impl Context {
    pub(super) fn new(model: Arc<dyn Model>, options: Options) -> Self {
        Self {
            model,
            options,
            input: Vec::new(),
            scene: None,
            vector: None,
            answer: None,
            output: Vec::new(),
            last_piece: 0,
            output_tokens: 0,
            cached_tokens: 0,
            logprob: Vec::new(),
            prompt_logprobs: Vec::new(),
            error: None,
        }
    }

    /// `set_input(1)`.
    pub(super) fn set_options(&mut self, json: &[u8]) -> Result<(), Errno> {
        self.options = self.options.merged(json)?;
        Ok(())
    }

    /// `set_input(0)`; the prompt may show these pictures.
    pub(super) fn set_prompt(&mut self, bytes: &[u8], shown: Pictures<'_>) -> Result<(), Errno> {
        let prompt = std::str::from_utf8(bytes).map_err(|_| Errno::InvalidEncoding)?;
        self.forget_input();
        if scene::shows(prompt, shown, &self.options) {
            let scene = self.scene(prompt, shown).map_err(|refusal| self.refused(refusal))?;
            self.scene = Some(scene);
        } else {
            self.input = self.tokens(prompt)?;
        }
        self.begin();
        Ok(())
    }

    /// A prompt that shows pictures.
    fn scene(&self, prompt: &str, shown: Pictures<'_>) -> Result<Box<dyn Scene>, Refusal> {
        let mut scene = self.model.scene()?;
        let (before, after) = self.frame()?;
        scene.add_text(&before);
        for piece in scene::pieces(prompt, shown)? {
            match piece {
                Piece::Text(text) => scene.add_text(&self.pieces(text)?),
                Piece::Picture(picture) => scene.add_picture(&picture)?,
            }
        }
        scene.add_text(&after);
        Ok(scene)
    }

    /// Keeps the reason of a refusal for the guest.
    fn refused(&mut self, refusal: Refusal) -> Errno {
        self.error = refusal.reason;
        refusal.errno
    }

    /// How much of the context the input takes.
    fn input_length(&self) -> usize {
        self.scene.as_ref().map_or(self.input.len(), |scene| scene.tokens())
    }

    /// `set_input(2)`, an extension: the prompt as tokens, 32 bits each, little-endian.
    pub(super) fn set_tokens(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        let (tokens, rest) = bytes.as_chunks::<4>();
        let tokens: Vec<Token> = tokens.iter().map(|bytes| Token::from_le_bytes(*bytes)).collect();
        let unknown = tokens.iter().find(|token| !self.model.has(**token));
        self.error = unknown.map(|token| format!("{token} is not a token of this model"));
        if !rest.is_empty() || unknown.is_some() {
            return Err(Errno::InvalidArgument);
        }
        self.forget_input();
        self.input = tokens;
        self.begin();
        Ok(())
    }

    fn forget_input(&mut self) {
        self.answer = None;
        self.vector = None;
        self.error = None;
        self.cached_tokens = 0;
        self.scene = None;
        self.input.clear();
    }

    fn begin(&mut self) {
        if self.options.enable_log {
            tracing::info!(tokens = self.input_length(), "a guest set a prompt");
        }
        if self.embeds() && !self.input.is_empty() {
            self.vector = Some(self.model.embed(&self.input));
        }
    }

    /// `compute`: the whole answer, or the vector.
    pub(super) fn compute(&mut self, patience: &dyn Patience) -> Result<(), Halt> {
        self.clear();
        if self.input_length() == 0 {
            return Err(Errno::InvalidArgument.into());
        }
        if self.embeds() {
            return self.compute_vector(patience);
        }
        loop {
            match self.step(patience)? {
                Progress::Goes => {}
                Progress::Ended(Errno::EndOfSequence) => return Ok(()),
                Progress::Ended(errno) => return Err(errno.into()),
            }
        }
    }

    /// `compute_single`: one token more.
    pub(super) fn compute_single(&mut self, patience: &dyn Patience) -> Result<(), Halt> {
        if self.embeds() {
            return Err(Errno::UnsupportedOperation.into());
        }
        if self.answer.is_none() {
            self.clear();
        }
        match self.step(patience)? {
            Progress::Goes => Ok(()),
            Progress::Ended(errno) => Err(errno.into()),
        }
    }

    /// `fini_single`: forget the answer, keep the input.
    pub(super) fn finish_single(&mut self) {
        if self.options.enable_log {
            tracing::info!(tokens = self.output_tokens, "a guest ended an answer");
        }
        self.clear();
    }

    /// `get_output(0)`: all that was computed.
    pub(super) fn output(&self) -> &[u8] {
        &self.output
    }

    /// `get_output_single(0)`: the last token's bytes, which may be a part of a character.
    pub(super) fn last_piece(&self) -> &[u8] {
        self.output.get(self.last_piece..).unwrap_or_default()
    }

    /// `get_output(1)`.
    pub(super) fn metadata(&self) -> Vec<u8> {
        let counts = output::Counts {
            input_tokens: self.input_length(),
            output_tokens: self.output_tokens,
            cached_tokens: self.cached_tokens,
            error: self.error.as_deref(),
        };
        output::metadata(self.model.facts(), &counts)
    }

    /// `get_output(2)`, an extension: the input's tokens and what each stands for.
    pub(super) fn input_tokens(&self) -> Vec<u8> {
        output::tokens(self.model.as_ref(), &self.input)
    }

    /// `get_output(3)`, an extension: JSON of the prompt's log probabilities.
    pub(super) fn prompt_logprobs(&self) -> &[u8] {
        &self.prompt_logprobs
    }

    /// `get_output_single(2)`, an extension: JSON of the last token's log probability.
    pub(super) fn logprob(&self) -> &[u8] {
        &self.logprob
    }

    fn embeds(&self) -> bool {
        self.options.embedding.unwrap_or(self.model.facts().embeds_only)
    }

    fn clear(&mut self) {
        self.answer = None;
        self.output.clear();
        self.last_piece = 0;
        self.output_tokens = 0;
        self.error = None;
        self.logprob.clear();
        self.prompt_logprobs.clear();
    }

    fn tokens(&self, prompt: &str) -> Result<Vec<Token>, Errno> {
        if !self.options.token_break || !prompt.contains(TOKEN_BREAK) {
            return self.model.tokenize(prompt, true);
        }
        let (before, after) = self.frame()?;
        let mut tokens = before;
        tokens.extend(self.pieces(prompt)?);
        tokens.extend(after);
        Ok(tokens)
    }

    /// The tokens of a part of a text, cut at each `TOKEN_BREAK` if that was asked for.
    fn pieces(&self, text: &str) -> Result<Vec<Token>, Errno> {
        if !self.options.token_break {
            return self.model.tokenize(text, false);
        }
        let mut tokens = vec![];
        for piece in text.split(TOKEN_BREAK).filter(|piece| !piece.is_empty()) {
            tokens.extend(self.model.tokenize(piece, false)?);
        }
        Ok(tokens)
    }

    /// What the tokenizer adds before and after a whole text.
    fn frame(&self) -> Result<(Vec<Token>, Vec<Token>), Errno> {
        let mut before = self.model.tokenize("", true)?;
        let count = usize::from(self.model.facts().adds_bos).min(before.len());
        let after = before.split_off(count);
        Ok((before, after))
    }

    fn compute_vector(&mut self, patience: &dyn Patience) -> Result<(), Halt> {
        let submitted = self.vector.take().unwrap_or_else(|| self.model.embed(&self.input));
        let mut vector = submitted?;
        let values = loop {
            patience.check()?;
            if let Some(values) = vector.wait(WAIT)? {
                break values;
            }
        };
        self.output = output::embedding(&values).ok_or(Errno::RuntimeError)?;
        Ok(())
    }

    /// One step of the answer, which starts if there is none. Every end drops it.
    fn step(&mut self, patience: &dyn Patience) -> Result<Progress, Halt> {
        let step = self.next_step(patience);
        let progress = match step {
            Ok(Step::Token(token)) => self.append(token),
            Ok(Step::EndOfGeneration(token)) => {
                self.append(token);
                Progress::Ended(Errno::EndOfSequence)
            }
            Ok(Step::LimitReached) => Progress::Ended(Errno::EndOfSequence),
            Ok(Step::ContextFull) => Progress::Ended(Errno::ContextFull),
            Err(halt) => {
                self.answer = None;
                return Err(halt);
            }
        };
        if matches!(progress, Progress::Ended(_)) {
            self.answer = None;
        }
        Ok(progress)
    }

    fn next_step(&mut self, patience: &dyn Patience) -> Result<Step, Halt> {
        if self.options.predict_tokens == Some(0) && !self.options.prompt_logprobs {
            return Ok(Step::LimitReached);
        }
        let is_first = self.answer.is_none();
        if is_first {
            self.answer = Some(self.start()?);
        }
        let answer = self.answer.as_mut().expect("it was just started");
        let step = loop {
            patience.check()?;
            if let Some(step) = answer.next(WAIT)? {
                break step;
            }
        };
        self.note_scores(is_first);
        Ok(step)
    }

    fn start(&mut self) -> Result<Box<dyn Answer>, Errno> {
        if self.input_length() == 0 {
            return Err(Errno::InvalidArgument);
        }
        let started = match &self.scene {
            Some(scene) => scene.generate(&self.options),
            None => self.model.generate(&self.input, &self.options),
        };
        started.map_err(|refusal| self.refused(refusal))
    }

    /// Keeps what the engine tells with a step.
    fn note_scores(&mut self, is_first: bool) {
        let Some(answer) = &self.answer else { return };
        let json = |scores: &Scores| output::logprob(self.model.as_ref(), scores);
        if is_first {
            self.cached_tokens = answer.cached_tokens();
        }
        if is_first && self.options.prompt_logprobs {
            let all: Vec<_> = answer.prompt_scores().iter().map(json).collect();
            self.prompt_logprobs = serde_json::to_vec(&all).expect("finite numbers and texts");
        }
        self.logprob.clear();
        if let Some(scores) = answer.scores() {
            serde_json::to_writer(&mut self.logprob, &json(&scores))
                .expect("finite numbers and texts");
        }
    }

    /// Adds a token's piece; the reverse prompt ends the answer, and is part of it.
    fn append(&mut self, token: Token) -> Progress {
        self.last_piece = self.output.len();
        self.output.extend_from_slice(&self.model.piece(token));
        self.output_tokens += 1;
        if self.ends_with_reverse_prompt() {
            return Progress::Ended(Errno::EndOfSequence);
        }
        Progress::Goes
    }

    /// Whether the last piece completed the reverse prompt.
    fn ends_with_reverse_prompt(&self) -> bool {
        let Some(reverse) = &self.options.reverse_prompt else { return false };
        let start = self.last_piece.saturating_sub(reverse.len() - 1);
        self.output[start..].windows(reverse.len()).any(|window| window == reverse.as_bytes())
    }
}

#[cfg(test)]
#[path = "context_tests.rs"]
mod tests;
