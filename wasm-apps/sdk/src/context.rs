//! WASI-NN, as far as the sdk uses it, behind two traits so that all else can be tested natively.

use wasmedge_wasi_nn::{
    BackendError, ExecutionTarget, GraphBuilder, GraphEncoding, GraphExecutionContext, TensorType,
};

/// The answers of WASI-NN's calls but "success".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Errno {
    /// An argument is not what it should be.
    #[error("invalid argument (1)")]
    InvalidArgument,
    /// The options are not JSON.
    #[error("invalid encoding (2)")]
    InvalidEncoding,
    /// The guest exports no memory.
    #[error("missing memory (3)")]
    MissingMemory,
    /// No room now.
    #[error("busy (4)")]
    Busy,
    /// The engine failed.
    #[error("runtime error (5)")]
    RuntimeError,
    /// The engine can't do this.
    #[error("unsupported operation (6)")]
    UnsupportedOperation,
    /// The guest's buffer is too small.
    #[error("too large for the buffer (7)")]
    TooLarge,
    /// No graph of this name.
    #[error("not found (8)")]
    NotFound,
    /// The answer is at its end.
    #[error("end of sequence (100)")]
    EndOfSequence,
    /// Prompt and answer fill the context.
    #[error("context full (101)")]
    ContextFull,
    /// The prompt alone is over the context.
    #[error("prompt too long (102)")]
    PromptTooLong,
    /// The graph's file is missing.
    #[error("model not found (103)")]
    ModelNotFound,
    /// A number that this version of the guest crate does not know.
    #[error("errno {0}")]
    Other(i32),
}

/// What [`Context::output`] can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// All of the answer, or the vector as JSON (`get_output`, index 0).
    Whole,
    /// Token counts as JSON (`get_output`, index 1).
    Metadata,
    /// The newest token's bytes (`get_output_single`, index 0).
    Token,
    /// The newest token's probability as JSON (`get_output_single`, index 2).
    Logprob,
    /// The input's tokens (`get_output`, index 2).
    InputTokens,
    /// The prompt's tokens' probabilities as JSON (`get_output`, index 3).
    PromptLogprobs,
}

/// A loaded model.
pub trait Graph {
    /// What computes.
    type Context: Context;

    /// Opens one more execution context: a prompt or an input of its own.
    ///
    /// # Errors
    /// Every [`Errno`] of `init_execution_context`.
    fn open_context(&self) -> Result<Self::Context, Errno>;
}

/// One execution context of a model.
pub trait Context {
    /// Sets the prompt or input text (index 0), the options as JSON (index 1), or the prompt as
    /// tokens, 32 bits each, little-endian (index 2).
    ///
    /// # Errors
    /// Every [`Errno`] of `set_input`.
    fn set_input(&mut self, index: usize, text: &[u8]) -> Result<(), Errno>;

    /// Computes all of the output.
    ///
    /// # Errors
    /// Every [`Errno`] of `compute`.
    fn compute(&mut self) -> Result<(), Errno>;

    /// Computes one token.
    ///
    /// # Errors
    /// Every [`Errno`] of `compute_single`; the three ends of an answer are among them.
    fn compute_single(&mut self) -> Result<(), Errno>;

    /// Ends a token-by-token answer, at its end or before: the model's place is free again.
    ///
    /// # Errors
    /// Every [`Errno`] of `fini_single`.
    fn finish_single(&mut self) -> Result<(), Errno>;

    /// Copies output into `buffer` and returns its length in bytes.
    ///
    /// # Errors
    /// [`Errno::TooLarge`] if `buffer` is too small: try again with a larger one.
    fn output(&self, output: Output, buffer: &mut [u8]) -> Result<usize, Errno>;
}

/// A model that the host loaded, through the `wasmedge-wasi-nn` crate.
#[derive(Debug)]
pub struct WasiNn(wasmedge_wasi_nn::Graph);

impl WasiNn {
    /// Finds the model by name.
    ///
    /// # Errors
    /// [`Errno::NotFound`] if the host has none of that name.
    pub fn load(name: &str) -> Result<Self, Errno> {
        let builder = GraphBuilder::new(GraphEncoding::Ggml, ExecutionTarget::AUTO);
        Ok(Self(builder.build_from_cache(name)?))
    }
}

impl Graph for WasiNn {
    type Context = GraphExecutionContext;

    fn open_context(&self) -> Result<Self::Context, Errno> {
        Ok(self.0.init_execution_context()?)
    }
}

impl Context for GraphExecutionContext {
    fn set_input(&mut self, index: usize, text: &[u8]) -> Result<(), Errno> {
        Ok(Self::set_input(self, index, TensorType::U8, &[text.len()], text)?)
    }

    fn compute(&mut self) -> Result<(), Errno> {
        Ok(Self::compute(self)?)
    }

    fn compute_single(&mut self) -> Result<(), Errno> {
        Ok(Self::compute_single(self)?)
    }

    fn finish_single(&mut self) -> Result<(), Errno> {
        Ok(self.fini_single()?)
    }

    fn output(&self, output: Output, buffer: &mut [u8]) -> Result<usize, Errno> {
        Ok(match output {
            Output::Whole => self.get_output(0, buffer)?,
            Output::Metadata => self.get_output(1, buffer)?,
            Output::Token => self.get_output_single(0, buffer)?,
            Output::Logprob => self.get_output_single(2, buffer)?,
            Output::InputTokens => self.get_output(2, buffer)?,
            Output::PromptLogprobs => self.get_output(3, buffer)?,
        })
    }
}

impl From<wasmedge_wasi_nn::Error> for Errno {
    fn from(error: wasmedge_wasi_nn::Error) -> Self {
        let wasmedge_wasi_nn::Error::BackendError(error) = error else {
            return Self::Other(-1); // The crate reads files only where it loads a model from files.
        };
        match error {
            BackendError::InvalidArgument => Self::InvalidArgument,
            BackendError::InvalidEncoding => Self::InvalidEncoding,
            BackendError::MissingMemory => Self::MissingMemory,
            BackendError::Busy => Self::Busy,
            BackendError::RuntimeError => Self::RuntimeError,
            BackendError::UnsupportedOperation => Self::UnsupportedOperation,
            BackendError::TooLarge => Self::TooLarge,
            BackendError::NotFound => Self::NotFound,
            BackendError::EndOfSequence => Self::EndOfSequence,
            BackendError::ContextFull => Self::ContextFull,
            BackendError::PromptTooLong => Self::PromptTooLong,
            BackendError::ModelNotFound => Self::ModelNotFound,
            BackendError::UnknownError(number) => Self::Other(number),
        }
    }
}
