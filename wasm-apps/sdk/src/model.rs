//! A model and one conversation with it.

use gaia_protocol::{Input, TokenLogprob, TokenText};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Context, Errno, Graph, Output, WasiNn};

/// Bytes of the first output buffer: more than any token, and most vectors.
const BUFFER_BYTES: usize = 16 << 10;

/// Bytes of an output at most: a vector of 64k numbers, or the pieces of a million tokens.
const BUFFER_BYTES_MAX: usize = 16 << 20;

/// Why the model did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The host has no model of this name.
    #[error("no model named {name:?} is loaded for this app")]
    NotFound {
        /// The name.
        name: String,
    },
    /// The model's queue is full: try again later.
    #[error("the model has no room for another request now; try again later")]
    Busy,
    /// The prompt or input does not fit the context.
    #[error("the text does not fit the model's context")]
    PromptTooLong {
        /// Its length, if the engine got as far as counting.
        tokens: Option<u32>,
    },
    /// The engine can't do what was asked, and says why.
    #[error("{reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// A WASI-NN call failed in another way.
    #[error("the engine failed in {call}: {errno}")]
    Call {
        /// The call.
        call: &'static str,
        /// Its answer.
        errno: Errno,
    },
    /// The engine's output is over 16 MiB.
    #[error("the engine's output is over {BUFFER_BYTES_MAX} bytes")]
    OutputTooLarge,
    /// The engine's output is not the JSON it should be.
    #[error("the engine's output is not as agreed: {0}")]
    Output(#[from] serde_json::Error),
}

/// A loaded model.
#[derive(Debug)]
pub struct Model<G = WasiNn> {
    graph: G,
}

impl Model {
    /// Finds the model that the node loaded for this app: `request.model.name`.
    ///
    /// # Errors
    /// [`ModelError::NotFound`], [`ModelError::Call`].
    pub fn load(name: &str) -> Result<Self, ModelError> {
        match WasiNn::load(name) {
            Ok(graph) => Ok(Self { graph }),
            Err(Errno::NotFound) => Err(ModelError::NotFound { name: name.to_owned() }),
            Err(errno) => Err(ModelError::Call { call: "load_by_name", errno }),
        }
    }
}

impl<G: Graph> Model<G> {
    /// A model that is there already.
    pub fn new(graph: G) -> Self {
        Self { graph }
    }

    /// Opens a session: one prompt and its answer, or one input and its vector, at a time. Sessions
    /// of one model compute side by side.
    ///
    /// # Errors
    /// [`ModelError::Busy`] if there are too many, [`ModelError::Call`].
    pub fn session(&self) -> Result<Session<G::Context>, ModelError> {
        let context = self.graph.open_context().map_err(failed("init_execution_context"))?;
        Ok(Session { context, buffer: vec![0; BUFFER_BYTES] })
    }
}

/// One prompt and its answer at a time.
#[derive(Debug)]
pub struct Session<C> {
    context: C,
    buffer: Vec<u8>,
}

/// One step of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// The bytes of one more token: any bytes, cut anywhere.
    Token(&'a [u8]),
    /// There is no more.
    End(EndReason),
}

/// Why there is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The model ended its answer, or `n-predict` tokens are made (count them to know).
    EndOfGeneration,
    /// Prompt and answer fill the context.
    ContextFull,
}

/// What `get_output` says at index 1.
#[derive(Deserialize)]
struct Metadata {
    input_tokens: u32,
    /// What only the node's own backend says.
    #[serde(default)]
    cached_tokens: u32,
    error: Option<String>,
}

/// What `get_output` says at index 0 of an embedding model.
#[derive(Deserialize)]
struct Embedding<'a> {
    #[serde(borrow)]
    embedding: &'a RawValue,
}

impl<C: Context> Session<C> {
    /// Sets options of the GGML backend, such as [`crate::GenerateOptions`]: before the prompt.
    ///
    /// # Errors
    /// [`ModelError::Call`] for a value that the engine does not take.
    pub fn set_options(&mut self, options: &impl Serialize) -> Result<(), ModelError> {
        let json = serde_json::to_vec(options)?;
        self.context.set_input(1, &json).map_err(failed("set_input(1)"))
    }

    /// Sets the prompt, or the text to embed, and returns its length in tokens. Whatever the session
    /// did before is over.
    ///
    /// # Errors
    /// [`ModelError::PromptTooLong`], [`ModelError::Busy`], [`ModelError::Refused`] for a picture that
    /// the model can't read, [`ModelError::Call`].
    pub fn set_prompt(&mut self, prompt: &str) -> Result<u32, ModelError> {
        match self.context.set_input(0, prompt.as_bytes()) {
            Ok(()) => self.prompt_tokens(),
            Err(Errno::PromptTooLong) => {
                Err(ModelError::PromptTooLong { tokens: self.prompt_tokens().ok() })
            }
            Err(errno) => Err(self.refused("set_input(0)", errno)),
        }
    }

    /// Sets the prompt as text or as tokens; as [`Self::set_prompt`].
    ///
    /// # Errors
    /// As [`Self::set_prompt`], and [`ModelError::Refused`] for a token that the model does not have.
    pub fn set_input(&mut self, input: &Input) -> Result<u32, ModelError> {
        let tokens = match input {
            Input::Text(text) => return self.set_prompt(text),
            Input::Tokens(tokens) => tokens,
        };
        let bytes: Vec<u8> = tokens.iter().flat_map(|token| token.to_le_bytes()).collect();
        match self.context.set_input(2, &bytes) {
            Ok(()) => self.prompt_tokens(),
            Err(errno) => Err(self.refused("set_input(2)", errno)),
        }
    }

    /// The tokens of the prompt that was set, and what each stands for.
    ///
    /// # Errors
    /// [`ModelError::Call`], [`ModelError::OutputTooLarge`].
    pub fn tokens(&mut self) -> Result<Vec<TokenText>, ModelError> {
        let mut rest = self.read(Output::InputTokens)?;
        let mut tokens = vec![];
        while let Some((head, after)) = rest.split_at_checked(8) {
            let [id, length] = [0, 4].map(|at| {
                u32::from_le_bytes(head[at..at + 4].try_into().expect("four of eight bytes"))
            });
            let cut = after.split_at_checked(length as usize);
            let (bytes, next) = cut.ok_or(ModelError::OutputTooLarge)?;
            tokens.push(TokenText { id, bytes: bytes.to_vec() });
            rest = next;
        }
        Ok(tokens)
    }

    /// How likely the newest token was.
    ///
    /// # Errors
    /// [`ModelError::Call`], [`ModelError::Output`].
    pub fn logprob(&mut self) -> Result<TokenLogprob, ModelError> {
        Ok(serde_json::from_slice(self.read(Output::Logprob)?)?)
    }

    /// How likely the prompt's tokens were, from the second on; known with the first step.
    ///
    /// # Errors
    /// [`ModelError::Call`], [`ModelError::Output`].
    pub fn prompt_logprobs(&mut self) -> Result<Vec<TokenLogprob>, ModelError> {
        Ok(serde_json::from_slice(self.read(Output::PromptLogprobs)?)?)
    }

    /// Tokens of the prompt that were found in a cache; known with the first step.
    ///
    /// # Errors
    /// [`ModelError::Call`], [`ModelError::Output`].
    pub fn cached_tokens(&mut self) -> Result<u32, ModelError> {
        Ok(self.metadata()?.cached_tokens)
    }

    /// Computes and returns the next step of the answer.
    ///
    /// # Errors
    /// [`ModelError::PromptTooLong`], [`ModelError::Busy`], [`ModelError::Refused`],
    /// [`ModelError::Call`].
    pub fn next_token(&mut self) -> Result<Step<'_>, ModelError> {
        match self.context.compute_single() {
            Ok(()) => Ok(Step::Token(self.read(Output::Token)?)),
            // The bytes that come with this errno spell the end token: they are not the answer's.
            Err(Errno::EndOfSequence) => Ok(Step::End(EndReason::EndOfGeneration)),
            Err(Errno::ContextFull) => Ok(Step::End(EndReason::ContextFull)),
            Err(errno) => Err(self.refused("compute_single", errno)),
        }
    }

    /// The error of a call, with the engine's reason if it gives one.
    fn refused(&mut self, call: &'static str, errno: Errno) -> ModelError {
        let reason = match errno {
            Errno::InvalidArgument => self.metadata().ok().and_then(|metadata| metadata.error),
            _ => None,
        };
        reason.map_or_else(|| failed(call)(errno), |reason| ModelError::Refused { reason })
    }

    /// Ends the answer, so that the model's place is free before the app returns.
    ///
    /// # Errors
    /// [`ModelError::Call`].
    pub fn finish(&mut self) -> Result<(), ModelError> {
        self.context.finish_single().map_err(failed("fini_single"))
    }

    /// Computes the vector of the text that [`Self::set_prompt`] set. May be called again after
    /// [`ModelError::Busy`].
    ///
    /// # Errors
    /// [`ModelError::PromptTooLong`], [`ModelError::Busy`], [`ModelError::Call`].
    pub fn compute(&mut self) -> Result<(), ModelError> {
        self.context.compute().map_err(failed("compute"))
    }

    /// The vector that [`Self::compute`] made: a JSON array of numbers.
    ///
    /// # Errors
    /// [`ModelError::Call`], [`ModelError::OutputTooLarge`], [`ModelError::Output`].
    pub fn embedding(&mut self) -> Result<&RawValue, ModelError> {
        let output = self.read(Output::Whole)?;
        Ok(serde_json::from_slice::<Embedding>(output)?.embedding)
    }

    fn prompt_tokens(&mut self) -> Result<u32, ModelError> {
        Ok(self.metadata()?.input_tokens)
    }

    fn metadata(&mut self) -> Result<Metadata, ModelError> {
        Ok(serde_json::from_slice(self.read(Output::Metadata)?)?)
    }

    /// Copies an output out, into a larger buffer if need be.
    fn read(&mut self, output: Output) -> Result<&[u8], ModelError> {
        let mut result = self.context.output(output, &mut self.buffer);
        while result == Err(Errno::TooLarge) {
            if self.buffer.len() >= BUFFER_BYTES_MAX {
                return Err(ModelError::OutputTooLarge);
            }
            self.buffer.resize(self.buffer.len() * 4, 0);
            result = self.context.output(output, &mut self.buffer);
        }
        let bytes = result.map_err(failed("get_output"))?;
        self.buffer.get(..bytes).ok_or(ModelError::OutputTooLarge)
    }
}

fn failed(call: &'static str) -> impl Fn(Errno) -> ModelError {
    move |errno| match errno {
        Errno::Busy => ModelError::Busy,
        Errno::PromptTooLong => ModelError::PromptTooLong { tokens: None },
        errno => ModelError::Call { call, errno },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Script, ScriptedGraph};

    fn session(script: Script) -> Session<crate::testing::ScriptedContext> {
        Model::new(ScriptedGraph::new(script)).session().expect("opens")
    }

    #[test]
    fn a_prompt_too_long_is_told_with_its_length_if_known() {
        let mut session = session(Script { prompt_tokens_max: 3, ..Script::default() });
        assert_eq!(session.set_prompt("one two three").expect("fits"), 3);
        let error = session.set_prompt("one two three four").expect_err("too long");
        assert!(matches!(error, ModelError::PromptTooLong { tokens: Some(4) }), "{error:?}");
    }

    #[test]
    fn a_full_queue_is_busy() {
        let mut session =
            session(Script { set_input_errno: Some(Errno::Busy), ..Script::default() });
        assert!(matches!(session.set_prompt("a"), Err(ModelError::Busy)));
    }

    #[test]
    fn other_errors_name_the_call() {
        let script = Script { set_input_errno: Some(Errno::InvalidEncoding), ..Script::default() };
        let error = session(script).set_prompt("a").expect_err("refused");
        assert_eq!(error.to_string(), "the engine failed in set_input(0): invalid encoding (2)");
    }

    #[test]
    fn tokens_come_one_by_one_and_the_end_token_s_bytes_do_not() {
        let mut session = session(Script::answer(&["Hi", " there"]));
        session.set_prompt("a").expect("set");
        assert_eq!(session.next_token().expect("token"), Step::Token(b"Hi"));
        assert_eq!(session.next_token().expect("token"), Step::Token(b" there"));
        assert_eq!(session.next_token().expect("end"), Step::End(EndReason::EndOfGeneration));
        session.finish().expect("finished");
    }

    #[test]
    fn a_large_output_gets_a_larger_buffer_and_a_huge_one_an_error() {
        let numbers = |count| format!("[{}0]", "0,".repeat(count));
        let vector = numbers(40_000);
        let mut small = session(Script { vector: vector.clone(), ..Script::default() });
        small.set_prompt("a").expect("set");
        small.compute().expect("computed");
        assert_eq!(small.embedding().expect("vector").get(), vector);
        let mut huge = session(Script { vector: numbers(9_000_000), ..Script::default() });
        huge.set_prompt("a").expect("set");
        huge.compute().expect("computed");
        assert!(matches!(huge.embedding(), Err(ModelError::OutputTooLarge)));
    }
}
