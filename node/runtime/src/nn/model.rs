//! What WASI-NN needs of an engine: one real implementation, and a strict fake in the tests.

use std::time::Duration;

use gaia_protocol::Picture;

use super::errno::Errno;
use super::options::Options;

/// A token's number in the vocabulary.
pub(crate) type Token = i32;

/// What the metadata says, and how prompts are put together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// llama.cpp's build number.
    pub(crate) build_number: i64,
    /// llama.cpp's commit.
    pub(crate) commit: String,
    /// The tokenizer puts a begin-of-sequence token first.
    pub(crate) adds_bos: bool,
    /// The model makes vectors and no text.
    pub(crate) embeds_only: bool,
}

/// One step of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The next token.
    Token(Token),
    /// The token with which the model ends its answer.
    EndOfGeneration(Token),
    /// There is no room for another token.
    ContextFull,
    /// The options' limit is reached.
    LimitReached,
}

/// A loaded model. Its methods return at once.
pub(crate) trait Model: Send + Sync {
    /// What never changes.
    fn facts(&self) -> &Facts;
    /// The tokens of `text`; spellings of special tokens become these tokens. `add_special` adds
    /// what the model wants before and after a whole text.
    fn tokenize(&self, text: &str, add_special: bool) -> Result<Vec<Token>, Errno>;
    /// A token's bytes, special tokens spelled out. May be a part of a character.
    fn piece(&self, token: Token) -> Vec<u8>;
    /// Whether a number is a token of the vocabulary.
    fn has(&self, token: Token) -> bool;
    /// Starts an answer.
    fn generate(&self, prompt: &[Token], options: &Options) -> Result<Box<dyn Answer>, Refusal>;
    /// An empty prompt that can hold pictures. The error: the model takes none.
    fn scene(&self) -> Result<Box<dyn Scene>, Refusal>;
    /// Starts a vector.
    fn embed(&self, tokens: &[Token]) -> Result<Box<dyn Vector>, Errno>;
}

/// A prompt with pictures.
pub(crate) trait Scene: Send {
    /// Adds text.
    fn add_text(&mut self, tokens: &[Token]);
    /// Adds a picture.
    fn add_picture(&mut self, picture: &Picture) -> Result<(), Refusal>;
    /// How much of the context it takes so far, in tokens.
    fn tokens(&self) -> usize;
    /// Starts an answer.
    fn generate(&self, options: &Options) -> Result<Box<dyn Answer>, Refusal>;
}

/// An answer under way; dropping it cancels it.
pub(crate) trait Answer {
    /// The next step, if there is one within `wait`. Steps that are not tokens end the answer.
    fn next(&mut self, wait: Duration) -> Result<Option<Step>, Errno>;
    /// Tokens of the prompt that were found in a cache; known with the first step.
    fn cached_tokens(&self) -> u32;
    /// How likely the last step's token was, if that was asked for.
    fn scores(&self) -> Option<Scores>;
    /// How likely the prompt's tokens were, from the second on; known with the first step.
    fn prompt_scores(&self) -> Vec<Scores>;
}

/// Why an answer does not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) errno: Errno,
    /// For the person who sent the request, where there is more to say than the number does.
    pub(crate) reason: Option<String>,
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self { errno, reason: None }
    }
}

/// How likely a token was, as a natural logarithm, and what was likely in its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scores {
    pub(crate) token: Token,
    pub(crate) logprob: f32,
    pub(crate) top: Vec<(Token, f32)>,
}

/// A vector under way; dropping it cancels it.
pub(crate) trait Vector {
    /// The vector, if it is there within `wait`.
    fn wait(&mut self, wait: Duration) -> Result<Option<Vec<f32>>, Errno>;
}
