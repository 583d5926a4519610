//! Strict stand-ins for the host and the model, for native tests of apps.
//!
//! They are stricter than the node: a call out of order panics instead of being an errno.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gaia_protocol::{Event, TokenLogprob, TokenText};

use crate::{Context, Errno, Flow, Graph, HostError, Output, Sink};

/// A host that keeps all events and can lose its client.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    /// What was emitted.
    pub events: Vec<Event>,
    /// The client goes away after this many events.
    pub stop_after: Option<usize>,
}

impl Sink for Recorder {
    fn send(&mut self, json: &[u8]) -> Result<Flow, HostError> {
        let is_over = |event: &Event| matches!(event, Event::Finish { .. } | Event::Error { .. });
        assert!(!self.events.last().is_some_and(is_over), "an event after the last one");
        assert!(self.stop_after.is_none_or(|limit| self.events.len() < limit), "after Stop");
        self.events.push(serde_json::from_slice(json).expect("the JSON of an event"));
        match self.stop_after {
            Some(limit) if self.events.len() >= limit => Ok(Flow::Stop),
            _ => Ok(Flow::Continue),
        }
    }
}

/// What a scripted model does.
#[derive(Clone, Debug)]
pub struct Script {
    /// The pieces it answers with, to whatever prompt.
    pub pieces: Vec<Vec<u8>>,
    /// How it ends after the last piece.
    pub end: Errno,
    /// What it answers to every text, instead of taking it.
    pub set_input_errno: Option<Errno>,
    /// Words (its tokens) that a text may have.
    pub prompt_tokens_max: u32,
    /// Texts that may wait to be computed.
    pub queue_max: usize,
    /// How many calls of `compute` find the queue full, over all contexts.
    pub compute_busy: usize,
    /// Every text's vector, as JSON.
    pub vector: String,
    /// Texts get `<s>` before and `</s>` behind them.
    pub framed: bool,
    /// What the engine says against the options, at the first step.
    pub refusal: Option<String>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            pieces: Vec::new(),
            end: Errno::EndOfSequence,
            set_input_errno: None,
            prompt_tokens_max: 10_000,
            queue_max: 100,
            compute_busy: 0,
            vector: "[1.0]".into(),
            framed: false,
            refusal: None,
        }
    }
}

impl Script {
    /// A model that answers with these pieces and then ends.
    #[must_use]
    pub fn answer(pieces: &[&str]) -> Self {
        let pieces = pieces.iter().map(|piece| piece.as_bytes().to_vec()).collect();
        Self { pieces, ..Self::default() }
    }
}

/// A model that follows a [`Script`].
#[derive(Clone, Debug)]
pub struct ScriptedGraph {
    script: Rc<Script>,
    /// Texts set and not yet computed, over all contexts.
    waiting: Rc<Cell<usize>>,
    /// Calls of `compute` that found the queue full.
    refused: Rc<Cell<usize>>,
    /// All inputs, over all contexts: index and text.
    inputs: Rc<RefCell<Vec<(usize, String)>>>,
}

impl ScriptedGraph {
    /// A model that follows `script`.
    #[must_use]
    pub fn new(script: Script) -> Self {
        Self {
            script: script.into(),
            waiting: Rc::default(),
            refused: Rc::default(),
            inputs: Rc::default(),
        }
    }

    /// All inputs so far: index (0 text, 1 options, 2 tokens) and text.
    #[must_use]
    pub fn inputs(&self) -> Vec<(usize, String)> {
        self.inputs.borrow().clone()
    }
}

impl Graph for ScriptedGraph {
    type Context = ScriptedContext;

    fn open_context(&self) -> Result<ScriptedContext, Errno> {
        Ok(ScriptedContext { graph: self.clone(), tokens: vec![], state: State::Empty })
    }
}

/// A context of a [`ScriptedGraph`].
#[derive(Debug)]
pub struct ScriptedContext {
    graph: ScriptedGraph,
    /// The input's words.
    tokens: Vec<String>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Empty,
    Set,
    Computed,
    /// This many pieces were computed.
    Single(usize),
    Ended,
}

impl Context for ScriptedContext {
    fn set_input(&mut self, index: usize, text: &[u8]) -> Result<(), Errno> {
        if index == 2 {
            return self.set_tokens(text);
        }
        let text = std::str::from_utf8(text).expect("texts are UTF-8");
        self.graph.inputs.borrow_mut().push((index, text.to_owned()));
        match index {
            0 => self.set_text(text),
            1 => {
                serde_json::from_str::<serde_json::Value>(text).expect("options are JSON");
                Ok(())
            }
            _ => panic!("there is no input {index}"),
        }
    }

    fn compute(&mut self) -> Result<(), Errno> {
        assert_eq!(self.state, State::Set, "compute needs a text");
        if self.graph.refused.get() < self.graph.script.compute_busy {
            self.graph.refused.set(self.graph.refused.get() + 1);
            return Err(Errno::Busy);
        }
        self.graph.waiting.set(self.graph.waiting.get() - 1);
        self.state = State::Computed;
        Ok(())
    }

    fn compute_single(&mut self) -> Result<(), Errno> {
        let done = match self.state {
            State::Set => 0,
            State::Single(done) => done,
            state => panic!("compute_single in state {state:?}"),
        };
        if self.graph.script.refusal.is_some() {
            return Err(Errno::InvalidArgument);
        }
        let is_more = done < self.graph.script.pieces.len();
        self.state = if is_more { State::Single(done + 1) } else { State::Ended };
        if is_more { Ok(()) } else { Err(self.graph.script.end) }
    }

    fn finish_single(&mut self) -> Result<(), Errno> {
        assert!(self.state != State::Empty, "there is nothing to finish");
        self.state = State::Empty;
        Ok(())
    }

    fn output(&self, output: Output, buffer: &mut [u8]) -> Result<usize, Errno> {
        let script = &self.graph.script;
        let bytes = match (output, self.state) {
            (Output::Metadata, _) => {
                let error = serde_json::to_string(&script.refusal).expect("a text is JSON");
                let tokens = self.tokens.len();
                format!(r#"{{"input_tokens":{tokens},"cached_tokens":1,"error":{error}}}"#).into()
            }
            (Output::Whole, State::Computed) => {
                format!(r#"{{"n_embedding":1,"embedding":{}}}"#, script.vector).into()
            }
            (Output::Token, State::Single(done)) => script.pieces[done - 1].clone(),
            (Output::Logprob, State::Single(done)) => logprob(&script.pieces[done - 1]),
            (Output::InputTokens, _) => self.pieces(),
            (Output::PromptLogprobs, State::Single(_) | State::Ended) => {
                let scored = self.tokens.iter().skip(1).map(|token| logprob(token.as_bytes()));
                let scored = scored.map(|json| String::from_utf8(json).expect("JSON"));
                format!("[{}]", scored.collect::<Vec<_>>().join(",")).into()
            }
            (output, state) => panic!("no {output:?} in state {state:?}"),
        };
        buffer.get_mut(..bytes.len()).ok_or(Errno::TooLarge)?.copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

/// Every token is as likely as any other.
fn logprob(bytes: &[u8]) -> Vec<u8> {
    let token = TokenText { id: 0, bytes: bytes.to_vec() };
    let logprob = TokenLogprob { token, logprob: Some(-1.0), top: vec![] };
    serde_json::to_vec(&logprob).expect("numbers and bytes are JSON")
}

impl ScriptedContext {
    /// Every number is the word that spells it; 0 is no token.
    fn set_tokens(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        assert_eq!(bytes.len() % 4, 0, "tokens have 32 bits");
        let numbers =
            bytes.chunks(4).map(|four| u32::from_le_bytes(four.try_into().expect("four")));
        let numbers: Vec<u32> = numbers.collect();
        let words: Vec<String> = numbers.iter().map(u32::to_string).collect();
        self.graph.inputs.borrow_mut().push((2, words.join(" ")));
        if numbers.contains(&0) {
            return Err(Errno::InvalidArgument);
        }
        self.tokens = words;
        self.wait();
        Ok(())
    }

    /// An input that was set and not computed is not waited for any more.
    fn wait(&mut self) {
        let more = usize::from(self.state != State::Set);
        self.graph.waiting.set(self.graph.waiting.get() + more);
        self.state = State::Set;
    }

    /// The tokens as `get_output` gives them.
    fn pieces(&self) -> Vec<u8> {
        let mut bytes = vec![];
        for (id, token) in (1_u32..).zip(&self.tokens) {
            bytes.extend(id.to_le_bytes());
            bytes.extend((token.len() as u32).to_le_bytes());
            bytes.extend(token.as_bytes());
        }
        bytes
    }

    fn set_text(&mut self, text: &str) -> Result<(), Errno> {
        let script = &self.graph.script;
        if let Some(errno) = script.set_input_errno {
            return Err(errno);
        }
        let frame = |mark: &str| script.framed.then(|| mark.to_owned());
        let words = text.split_whitespace().map(str::to_owned);
        self.tokens = frame("<s>").into_iter().chain(words).chain(frame("</s>")).collect();
        if self.tokens.len() > script.prompt_tokens_max as usize {
            return Err(Errno::PromptTooLong);
        }
        if self.graph.waiting.get() >= script.queue_max {
            return Err(Errno::Busy);
        }
        self.wait();
        Ok(())
    }
}
