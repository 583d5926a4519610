//! The error numbers of WasmEdge's WASI-NN.

use crate::memory::OutOfBounds;

/// What a call answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Errno {
    Success = 0,
    /// A handle, a device or an option's type is wrong, or there is no input.
    InvalidArgument = 1,
    /// The options are not JSON, or a text is not UTF-8.
    InvalidEncoding = 2,
    /// A pointer leaves the guest's memory.
    MissingMemory = 3,
    /// The engine's queue is full.
    Busy = 4,
    /// The engine failed, or the request was cancelled.
    RuntimeError = 5,
    /// Not offered by this backend.
    UnsupportedOperation = 6,
    /// The guest's buffer is too small, or its data over a limit.
    TooLarge = 7,
    /// No model of that name.
    NotFound = 8,
    /// The answer has ended.
    EndOfSequence = 100,
    /// Prompt and answer fill the context.
    ContextFull = 101,
    /// The prompt alone does not fit.
    PromptTooLong = 102,
    /// The model's file is missing.
    ModelNotFound = 103,
}

impl Errno {
    /// The number a guest sees.
    pub(crate) fn number(self) -> i32 {
        self as i32
    }
}

impl From<OutOfBounds> for Errno {
    fn from(_: OutOfBounds) -> Self {
        Self::MissingMemory
    }
}
