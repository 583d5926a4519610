//! What a caller holds while the engine computes.

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

/// A running generation. Dropping it cancels: its sequence is free before the next step.
pub struct Generation {
    inlet: Inlet<Step>,
    /// The final step, once it was taken.
    end: Option<Step>,
}

impl Generation {
    pub(crate) fn new(inlet: Inlet<Step>) -> Self {
        Self { inlet, end: None }
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
        let step = self.inlet.take(patience)?;
        self.end = step.filter(|step| step.is_final());
        Ok(step)
    }
}

/// A text on its way to being a vector. Dropping it cancels.
pub struct PendingEmbedding(Inlet<Vec<f32>>);

impl PendingEmbedding {
    pub(crate) fn new(inlet: Inlet<Vec<f32>>) -> Self {
        Self(inlet)
    }

    /// The vector, of length one; `None` if it is not there after `patience`. It is given once.
    ///
    /// # Errors
    /// The computation broke, or the vector was taken before.
    pub fn wait_timeout(&mut self, patience: Duration) -> Result<Option<Vec<f32>>, ComputeError> {
        self.0.take(patience)
    }
}
