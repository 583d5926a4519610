//! The engine of `gaia-inference` as WASI-NN's model.

use std::sync::Arc;
use std::time::Duration;

use gaia_inference::{
    AdmitError, Constraint, Engine, GenerateOptions, Generation, LookError, PendingEmbedding,
    Prompt, Sampling, TokenizeError, TokenizeOptions,
};
use gaia_protocol::Picture;

use super::errno::Errno;
use super::model::{Answer, Facts, Model, Refusal, Scene, Scores, Step, Token, Vector};
use super::options::{Grammar, Options};

/// An engine that many instances share.
pub(crate) fn shared(engine: Engine) -> Arc<dyn Model> {
    let facts = facts(&engine);
    Arc::new(SharedEngine { engine, facts })
}

struct SharedEngine {
    engine: Engine,
    facts: Facts,
}

impl Model for SharedEngine {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn tokenize(&self, text: &str, add_special: bool) -> Result<Vec<Token>, Errno> {
        let options = TokenizeOptions { add_special, parse_special: true };
        let tokens = self.engine.tokenize(text, options).map_err(|error| match error {
            TokenizeError::TooLong { .. } => Errno::PromptTooLong,
            TokenizeError::Failed { .. } => failed(&error),
        })?;
        Ok(tokens.into_iter().map(|token| token.0).collect())
    }

    fn piece(&self, token: Token) -> Vec<u8> {
        self.engine.piece(gaia_inference::Token(token))
    }

    fn has(&self, token: Token) -> bool {
        u32::try_from(token).is_ok_and(|id| id < self.engine.info().vocabulary_tokens)
    }

    fn generate(&self, prompt: &[Token], options: &Options) -> Result<Box<dyn Answer>, Refusal> {
        start(&self.engine, wrap(prompt).into(), options)
    }

    fn scene(&self) -> Result<Box<dyn Scene>, Refusal> {
        if !self.engine.info().takes_pictures {
            return Err(unseen(&LookError::Blind));
        }
        Ok(Box::new(EngineScene { engine: self.engine.clone(), prompt: Prompt::default() }))
    }

    fn embed(&self, tokens: &[Token]) -> Result<Box<dyn Vector>, Errno> {
        let pending = self.engine.embed(wrap(tokens)).map_err(|error| refused(&error))?;
        Ok(Box::new(EngineVector(pending)))
    }
}

fn start(engine: &Engine, prompt: Prompt, options: &Options) -> Result<Box<dyn Answer>, Refusal> {
    let options = GenerateOptions {
        sampling: sampling(options),
        tokens_max: options.predict_tokens,
        constraint: options.grammar.as_ref().map(constraint),
        scores: options.logprobs,
        scores_prompt: options.prompt_logprobs,
    };
    let answer = engine.generate(prompt, options).map_err(|error| Refusal {
        errno: refused(&error),
        reason: matches!(error, AdmitError::BadConstraint(_)).then(|| error.to_string()),
    })?;
    Ok(Box::new(EngineAnswer(answer)))
}

struct EngineScene {
    engine: Engine,
    prompt: Prompt,
}

impl Scene for EngineScene {
    fn add_text(&mut self, tokens: &[Token]) {
        self.prompt.push(&wrap(tokens));
    }

    fn add_picture(&mut self, picture: &Picture) -> Result<(), Refusal> {
        let sight = self.engine.look(picture.width(), picture.height(), picture.rgb());
        self.prompt.push_picture(&sight.map_err(|error| unseen(&error))?);
        Ok(())
    }

    fn tokens(&self) -> usize {
        self.prompt.len()
    }

    fn generate(&self, options: &Options) -> Result<Box<dyn Answer>, Refusal> {
        start(&self.engine, self.prompt.clone(), options)
    }
}

fn unseen(error: &LookError) -> Refusal {
    tracing::warn!(%error, "a picture of a guest is not taken");
    Refusal { errno: Errno::InvalidArgument, reason: Some(error.to_string()) }
}

fn constraint(grammar: &Grammar) -> Constraint {
    match grammar {
        Grammar::JsonSchema(text) => Constraint::JsonSchema(text.clone()),
        Grammar::Gbnf(text) => Constraint::Gbnf(text.clone()),
        Grammar::Lark(text) => Constraint::Lark(text.clone()),
    }
}

struct EngineAnswer(Generation);

fn scores(scores: &gaia_inference::TokenScores) -> Scores {
    let top = scores.top.iter().map(|(token, logprob)| (token.0, *logprob)).collect();
    Scores { token: scores.token.0, logprob: scores.logprob, top }
}

impl Answer for EngineAnswer {
    fn cached_tokens(&self) -> u32 {
        self.0.cached_tokens()
    }

    fn scores(&self) -> Option<Scores> {
        self.0.scores().map(scores)
    }

    fn prompt_scores(&self) -> Vec<Scores> {
        self.0.prompt_scores().iter().map(scores).collect()
    }

    fn next(&mut self, wait: Duration) -> Result<Option<Step>, Errno> {
        let step = self.0.next_timeout(wait).map_err(|error| failed(&error))?;
        Ok(step.map(|step| match step {
            gaia_inference::Step::Token(token) => Step::Token(token.0),
            gaia_inference::Step::EndOfGeneration(token) => Step::EndOfGeneration(token.0),
            gaia_inference::Step::ContextFull => Step::ContextFull,
            gaia_inference::Step::LimitReached => Step::LimitReached,
        }))
    }
}

struct EngineVector(PendingEmbedding);

impl Vector for EngineVector {
    fn wait(&mut self, wait: Duration) -> Result<Option<Vec<f32>>, Errno> {
        self.0.wait_timeout(wait).map_err(|error| failed(&error))
    }
}

fn wrap(tokens: &[Token]) -> Vec<gaia_inference::Token> {
    tokens.iter().map(|token| gaia_inference::Token(*token)).collect()
}

/// The guest's wishes over the engine's defaults, within what the engine takes: the stock plugin
/// takes any number, and a guest made for it may rely on that.
fn sampling(options: &Options) -> Sampling {
    let mut sampling = Sampling { seed: options.seed, ..Sampling::default() };
    let default = sampling.clone();
    // A nucleus of nothing still holds the likeliest token.
    sampling.top_p = options.top_p.map_or(default.top_p, |p| p.clamp(f32::MIN_POSITIVE, 1.0));
    sampling.min_p = options.min_p.map_or(default.min_p, |p| p.min(1.0));
    sampling.temperature = options.temperature.unwrap_or(default.temperature);
    sampling.top_k = options.top_k.map_or(default.top_k, |k| u32::try_from(k).unwrap_or(0));
    sampling.repeat_penalty = match options.repeat_penalty {
        Some(penalty) if penalty > 0.0 => penalty,
        _ => default.repeat_penalty,
    };
    sampling.frequency_penalty = options.frequency_penalty.unwrap_or(default.frequency_penalty);
    sampling.presence_penalty = options.presence_penalty.unwrap_or(default.presence_penalty);
    sampling.ignore_end = options.ignore_end;
    sampling.logit_bias = options
        .logit_bias
        .iter()
        .map(|(token, bias)| (gaia_inference::Token(*token), *bias))
        .collect();
    // Below 0 means the whole context.
    sampling.penalty_last_tokens = options
        .penalty_last_tokens
        .map_or(default.penalty_last_tokens, |last| u32::try_from(last).unwrap_or(u32::MAX));
    sampling
}

fn facts(engine: &Engine) -> Facts {
    let info = engine.info();
    Facts {
        build_number: info.llama_build_number,
        commit: info.llama_commit.clone(),
        adds_bos: info.adds_bos,
        embeds_only: info.embeds_only,
    }
}

fn refused(error: &AdmitError) -> Errno {
    match error {
        AdmitError::QueueFull { .. } => Errno::Busy,
        AdmitError::PromptTooLong { .. } => Errno::PromptTooLong,
        AdmitError::EmptyPrompt
        | AdmitError::BadToken(_)
        | AdmitError::BadOptions(_)
        | AdmitError::BadConstraint(_) => {
            tracing::warn!(%error, "the engine refuses what a guest asks for");
            Errno::InvalidArgument
        }
        AdmitError::WrongKind(_) => {
            tracing::warn!(%error, "a guest uses a model for what it is not");
            Errno::UnsupportedOperation
        }
        AdmitError::Stopped => failed(error),
    }
}

fn failed(error: &dyn std::fmt::Display) -> Errno {
    tracing::error!(%error, "the engine failed");
    Errno::RuntimeError
}
