//! A strict model for tests: its tokens are characters, its answer is a script.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gaia_protocol::Picture;

use super::errno::Errno;
use super::model::{Answer, Facts, Model, Refusal, Scene, Scores, Step, Token, Vector};
use super::options::Options;

pub(crate) const BOS: Token = 1;
pub(crate) const SEP: Token = 2;

/// What `generate` and `embed` do.
#[derive(Clone, Debug)]
pub(crate) enum Script {
    /// These steps; asking for more than a final one panics.
    Steps(Vec<Step>),
    /// No step ever comes.
    Silent,
    /// This errno at once.
    Refuses(Errno),
}

pub(crate) struct FakeModel {
    facts: Facts,
    script: Script,
    /// The options of every `generate`.
    pub(crate) seen: Mutex<Vec<Options>>,
    /// Inputs of every `embed`.
    pub(crate) embedded: Mutex<Vec<Vec<Token>>>,
    /// Prompts with pictures of every `generate`, each picture as its width in brackets.
    scenes: Arc<Mutex<Vec<String>>>,
}

impl FakeModel {
    /// A model that adds [`BOS`] and answers by `script`.
    pub(crate) fn chat(script: Script) -> Arc<Self> {
        let facts =
            Facts { build_number: 7, commit: "fake".into(), adds_bos: true, embeds_only: false };
        Self::of(facts, script)
    }

    fn of(facts: Facts, script: Script) -> Arc<Self> {
        let (seen, embedded, scenes) = (Mutex::default(), Mutex::default(), Arc::default());
        Arc::new(Self { facts, script, seen, embedded, scenes })
    }

    /// The prompts with pictures that were answered.
    pub(crate) fn scenes(&self) -> Vec<String> {
        self.scenes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A model that frames a text with [`BOS`] and [`SEP`] and only embeds.
    pub(crate) fn embedder(script: Script) -> Arc<Self> {
        let facts = Facts { adds_bos: true, embeds_only: true, ..Facts::default() };
        Self::of(facts, script)
    }

    /// Answers `text`, then ends with `<end>`.
    pub(crate) fn says(text: &str) -> Arc<Self> {
        let mut steps: Vec<Step> = text.chars().map(|c| Step::Token(c as Token)).collect();
        steps.push(Step::EndOfGeneration(SEP));
        Self::chat(Script::Steps(steps))
    }
}

impl Model for FakeModel {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn tokenize(&self, text: &str, add_special: bool) -> Result<Vec<Token>, Errno> {
        let before = (add_special && self.facts.adds_bos).then_some(BOS);
        let after = (add_special && self.facts.embeds_only).then_some(SEP);
        let middle = text.chars().map(|character| character as Token);
        Ok(before.into_iter().chain(middle).chain(after).collect())
    }

    fn piece(&self, token: Token) -> Vec<u8> {
        if token == SEP {
            return b"<end>".to_vec();
        }
        let character = u32::try_from(token).ok().and_then(char::from_u32);
        character.expect("a token of this model").to_string().into_bytes()
    }

    fn has(&self, token: Token) -> bool {
        (0..0x1_0000).contains(&token)
    }

    fn generate(&self, prompt: &[Token], options: &Options) -> Result<Box<dyn Answer>, Refusal> {
        assert!(!prompt.is_empty(), "an empty prompt must not reach the engine");
        assert!(!self.facts.embeds_only, "an embedding model can't generate");
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(options.clone());
        match &self.script {
            Script::Refuses(errno) => {
                Err(Refusal { errno: *errno, reason: Some("the script says so".into()) })
            }
            Script::Silent => Ok(Box::new(FakeAnswer::new(None, options))),
            Script::Steps(steps) => {
                Ok(Box::new(FakeAnswer::new(Some(steps.iter().copied().collect()), options)))
            }
        }
    }

    fn scene(&self) -> Result<Box<dyn Scene>, Refusal> {
        if self.facts.embeds_only {
            let reason = Some("the model takes no pictures".to_owned());
            return Err(Refusal { errno: Errno::InvalidArgument, reason });
        }
        let Script::Steps(steps) = &self.script else { panic!("no script for pictures") };
        let (steps, scenes) = (steps.clone(), Arc::clone(&self.scenes));
        Ok(Box::new(FakeScene { text: String::new(), tokens: 0, steps, scenes }))
    }

    fn embed(&self, tokens: &[Token]) -> Result<Box<dyn Vector>, Errno> {
        self.embedded.lock().unwrap_or_else(PoisonError::into_inner).push(tokens.to_vec());
        match &self.script {
            Script::Refuses(errno) => Err(*errno),
            Script::Silent => Ok(Box::new(FakeVector(None))),
            Script::Steps(_) => Ok(Box::new(FakeVector(Some(vec![0.6, -0.8])))),
        }
    }
}

/// A row for each pixel.
struct FakeScene {
    text: String,
    tokens: usize,
    steps: Vec<Step>,
    scenes: Arc<Mutex<Vec<String>>>,
}

impl Scene for FakeScene {
    fn add_text(&mut self, tokens: &[Token]) {
        let characters = tokens.iter().map(|token| char::from_u32(token.cast_unsigned()));
        self.text.extend(characters.map(|character| character.expect("a token of this model")));
        self.tokens += tokens.len();
    }

    fn add_picture(&mut self, picture: &Picture) -> Result<(), Refusal> {
        assert_eq!(picture.rgb().len() as u32, picture.width() * picture.height() * 3);
        self.text.push_str(&format!("[{}]", picture.width()));
        self.tokens += (picture.width() * picture.height()) as usize;
        Ok(())
    }

    fn tokens(&self) -> usize {
        self.tokens
    }

    fn generate(&self, options: &Options) -> Result<Box<dyn Answer>, Refusal> {
        self.scenes.lock().unwrap_or_else(PoisonError::into_inner).push(self.text.clone());
        let steps = self.steps.iter().copied().collect();
        Ok(Box::new(FakeAnswer::new(Some(steps), options)))
    }
}

struct FakeAnswer {
    steps: Option<VecDeque<Step>>,
    left: u32,
    last: Token,
    scores: bool,
}

impl FakeAnswer {
    fn new(steps: Option<VecDeque<Step>>, options: &Options) -> Self {
        let left = options.predict_tokens.unwrap_or(u32::MAX);
        Self { steps, left, last: 0, scores: options.logprobs.is_some() }
    }

    fn score(&self) -> Scores {
        Scores { token: self.last, logprob: -0.5, top: vec![(BOS, -1.0)] }
    }
}

impl Answer for FakeAnswer {
    fn cached_tokens(&self) -> u32 {
        3
    }

    fn scores(&self) -> Option<Scores> {
        self.scores.then(|| self.score())
    }

    fn prompt_scores(&self) -> Vec<Scores> {
        vec![self.score()]
    }

    fn next(&mut self, wait: Duration) -> Result<Option<Step>, Errno> {
        let Some(steps) = &mut self.steps else {
            std::thread::sleep(wait);
            return Ok(None);
        };
        if self.left == 0 {
            steps.clear();
            return Ok(Some(Step::LimitReached));
        }
        self.left -= 1;
        let step = steps.pop_front().expect("nobody asks after the end");
        if let Step::Token(token) = step {
            self.last = token;
        }
        Ok(Some(step))
    }
}

struct FakeVector(Option<Vec<f32>>);

impl Vector for FakeVector {
    fn wait(&mut self, wait: Duration) -> Result<Option<Vec<f32>>, Errno> {
        if self.0.is_none() {
            std::thread::sleep(wait);
        }
        Ok(self.0.take())
    }
}
