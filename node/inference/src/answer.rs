//! What a caller holds while the engine computes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use crate::queue::Inlet;
use crate::{ComputeError, Token};

/// One step of a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A token of the answer.
    Token(Token),
    /// The model ended the answer with this token. Final.
    EndOfGeneration(Token),
    /// The context is full. Final.
    ContextFull,
    /// `tokens_max` tokens were generated. Final.
    LimitReached,
}

impl Step {
    /// Whether nothing follows.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Token(_))
    }
}

/// How likely a token was, and what was likely in its place; by the model alone, before penalties,
/// temperature and constraints.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenScores {
    /// The token.
    pub token: Token,
    /// Natural logarithm of its probability.
    pub logprob: f32,
    /// The likeliest tokens in its place, likeliest first.
    pub top: Vec<(Token, f32)>,
}

/// A step on its way to its reader.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Delivery {
    pub(crate) step: Step,
    pub(crate) scores: Option<TokenScores>,
    /// With the first step, if they were asked for.
    pub(crate) prompt_scores: Vec<TokenScores>,
}

impl From<Step> for Delivery {
    fn from(step: Step) -> Self {
        Self { step, scores: None, prompt_scores: vec![] }
    }
}

/// A running generation. Dropping it cancels: its sequence is free before the next step.
pub struct Generation {
    inlet: Inlet<Delivery>,
    /// The final step, once it was taken.
    end: Option<Step>,
    scores: Option<TokenScores>,
    prompt_scores: Vec<TokenScores>,
    cached_tokens: Arc<AtomicU32>,
}

impl Generation {
    pub(crate) fn new(inlet: Inlet<Delivery>, cached_tokens: Arc<AtomicU32>) -> Self {
        Self { inlet, end: None, scores: None, prompt_scores: vec![], cached_tokens }
    }

    /// Tokens of the prompt that were found in the cache; known with the first step.
    #[must_use]
    pub fn cached_tokens(&self) -> u32 {
        self.cached_tokens.load(Relaxed)
    }

    /// How likely the token of the last step was, if that was asked for.
    #[must_use]
    pub fn scores(&self) -> Option<&TokenScores> {
        self.scores.as_ref()
    }

    /// How likely the prompt's tokens were, from the second on, if that was asked for; known with the
    /// first step.
    #[must_use]
    pub fn prompt_scores(&self) -> &[TokenScores] {
        &self.prompt_scores
    }

    /// The next step; `None` if there is none yet after `patience`. A final step is given again
    /// each time.
    ///
    /// # Errors
    /// The computation broke; nothing follows.
    pub fn next_timeout(&mut self, patience: Duration) -> Result<Option<Step>, ComputeError> {
        if self.end.is_some() {
            return Ok(self.end);
        }
        let Some(delivery) = self.inlet.take(patience)? else { return Ok(None) };
        let Delivery { step, scores, prompt_scores } = delivery;
        self.scores = scores;
        if !prompt_scores.is_empty() {
            self.prompt_scores = prompt_scores;
        }
        self.end = Some(step).filter(|step| step.is_final());
        Ok(Some(step))
    }
}

/// A text on its way to being a vector. Dropping it cancels.
pub struct PendingEmbedding(Inlet<Vec<f32>>);

impl PendingEmbedding {
    pub(crate) fn new(inlet: Inlet<Vec<f32>>) -> Self {
        Self(inlet)
    }

    /// The vector, of length one, or a pair's scores as the model gives them, one or more; `None` if it is
    /// not there after `patience`. It is given once.
    ///
    /// # Errors
    /// The computation broke, or the vector was taken before.
    pub fn wait_timeout(&mut self, patience: Duration) -> Result<Option<Vec<f32>>, ComputeError> {
        self.0.take(patience)
    }
}
