//! From a prompt to a streamed answer.

use gaia_protocol::{
    Channel, ErrorCode, Event, FinishReason, Format, Input, Sampling, TokenLogprob, TokenText,
    Usage,
};
use serde::Serialize;

use crate::pieces;
use crate::{
    Answer, Context, EndReason, Events, Failure, Flow, ModelError, Session, Sink, Speaker, Step,
};

/// Everything that one answer needs.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerateJob<'a> {
    /// What the model reads, control tokens and all.
    pub prompt: &'a Input,
    /// What the answer begins with, before the model's own text.
    pub echo: Option<&'a Input>,
    /// How the engine computes.
    pub options: GenerateOptions,
    /// Strings that end the answer; they are not part of it.
    pub stop: &'a [String],
    /// Tokens that prompt and answer may take: `request.model.context_tokens`.
    pub context_tokens: u32,
    /// The request's field that the prompt was made of, for errors.
    pub param: &'static str,
    /// The request's field that the grammar was made of, for errors.
    pub grammar_param: &'static str,
}

/// Options of the GGML backend. `None` leaves the choice to the engine.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct GenerateOptions {
    /// Tokens to generate at most.
    #[serde(rename = "n-predict", skip_serializing_if = "Option::is_none")]
    pub tokens_max: Option<u32>,
    /// 0 is greedy.
    #[serde(rename = "temp", skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// Nucleus size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f32>,
    /// Only so many of the likeliest tokens; 0: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// Only tokens with this share of the likeliest one's probability.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f32>,
    /// Subtracted for each time a token stands in the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f32>,
    /// Subtracted if a token stands in the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f32>,
    /// Above 1, what stood lately becomes unlikelier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat_penalty: Option<f32>,
    /// Added to these tokens' logits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub logit_bias: Vec<(u32, f32)>,
    /// The same seed gives the same answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u32>,
    /// Tell each token's probability, and those of so many of the likeliest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<u32>,
    /// Tell the probabilities of the prompt's tokens.
    #[serde(skip_serializing_if = "is_false")]
    pub prompt_logprobs: bool,
    /// Go on when the model would end.
    #[serde(skip_serializing_if = "is_false")]
    pub ignore_eos: bool,
    /// What the answer must look like.
    #[serde(flatten)]
    pub grammar: Option<Grammar>,
    /// Whether U+FDD0 in the prompt cuts it (see [`crate::TOKEN_BREAK`]).
    pub token_break: bool,
    /// Whether the prompt shows pictures (see [`crate::PICTURE_MARK`]).
    #[serde(skip_serializing_if = "is_false")]
    pub pictures: bool,
}

/// What an answer must look like, as the engine reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grammar {
    /// A JSON schema, as text.
    JsonSchema(String),
    /// GBNF.
    #[serde(rename = "grammar")]
    Gbnf(String),
    /// llguidance's Lark.
    LarkGrammar(String),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl GenerateOptions {
    /// The options that a request asks for.
    #[must_use]
    pub fn new(sampling: &Sampling, tokens_max: Option<u32>) -> Self {
        let sampling = sampling.clone();
        Self {
            tokens_max,
            temperature: sampling.temperature,
            top_p: sampling.top_p,
            top_k: sampling.top_k,
            min_p: sampling.min_p,
            frequency_penalty: sampling.frequency_penalty,
            presence_penalty: sampling.presence_penalty,
            repeat_penalty: sampling.repeat_penalty,
            logit_bias: sampling.logit_bias,
            seed: sampling.seed,
            logprobs: sampling.logprobs,
            prompt_logprobs: false,
            ignore_eos: sampling.ignore_eos,
            grammar: None,
            token_break: false,
            pictures: false,
        }
    }
}

impl Grammar {
    /// What a format asks of the engine.
    #[must_use]
    pub fn of(format: &Format) -> Option<Self> {
        match format {
            Format::Text => None,
            Format::JsonObject => Some(Self::JsonSchema(r#"{"type":"object"}"#.into())),
            Format::JsonSchema(schema) => Some(Self::JsonSchema(schema.to_string())),
            Format::Grammar(gbnf) => Some(Self::Gbnf(gbnf.clone())),
        }
    }
}

/// Answers a prompt: [`Event::Prompt`], what `speaker` makes of the model's text, and
/// [`Event::Finish`]. [`Flow::Stop`] means that the client went away in between.
///
/// The engine admits a prompt with the first step, so [`Event::Prompt`] waits for it: a full queue
/// or a prompt too long is then the first event, and the node can still choose the HTTP status.
///
/// # Errors
/// A [`Failure`] to report; no [`Event::Finish`] was emitted then.
pub fn generate<C: Context, S: Sink>(
    session: &mut Session<C>,
    job: &GenerateJob<'_>,
    speaker: &mut dyn Speaker,
    events: &mut Events<S>,
) -> Result<Flow, Failure> {
    let prompt_tokens = prepare(session, job).map_err(|error| explain(error, job, job.param))?;
    let mut work =
        Work { session, job, speaker, answer: Answer::new(job.stop), telling: Telling::default() };
    let mut end = work.advance()?;
    let cached_tokens = work.session.cached_tokens()?;
    let mut flow = events.emit(&Event::Prompt { tokens: prompt_tokens, cached_tokens })?;
    if flow == Flow::Continue {
        flow = work.echo(events)?;
    }
    while end.is_none() && flow == Flow::Continue {
        flow = work.tell(events)?;
        if flow == Flow::Continue {
            end = work.advance()?;
        }
    }
    // The place is freed before the last events wait for a slow client. A failure here costs the
    // answer nothing: it is whole, and the instance's end frees the place too.
    work.session.finish().unwrap_or_else(|error| eprintln!("{error}"));
    let Some(reason) = end.filter(|_| flow == Flow::Continue) else { return Ok(Flow::Stop) };
    work.end(reason, (prompt_tokens, cached_tokens), events)
}

fn prepare<C: Context>(session: &mut Session<C>, job: &GenerateJob<'_>) -> Result<u32, ModelError> {
    session.set_options(&job.options)?;
    let tokens = session.set_input(job.prompt)?;
    match tokens < job.context_tokens {
        true => Ok(tokens),
        false => Err(ModelError::PromptTooLong { tokens: Some(tokens) }),
    }
}

/// An answer on its way.
struct Work<'w, C> {
    session: &'w mut Session<C>,
    job: &'w GenerateJob<'w>,
    speaker: &'w mut dyn Speaker,
    answer: Answer,
    telling: Telling,
}

/// What was not told yet, and what was.
#[derive(Default)]
struct Telling {
    events: Vec<Event>,
    /// Of the tokens whose text was not told yet.
    logprobs: Vec<TokenLogprob>,
    /// What the last of those told has beyond the text.
    rest: Vec<u8>,
    tokens: u32,
    reasoning_tokens: u32,
}

impl<C: Context> Work<'_, C> {
    /// Adds one token to the answer, or says why there is no further one.
    fn advance(&mut self) -> Result<Option<FinishReason>, Failure> {
        // A prompt whose tokens are scored must be computed even if no token is wanted.
        let is_first_score = self.job.options.prompt_logprobs && self.answer.tokens() == 0;
        if self.job.options.tokens_max.is_some_and(|limit| self.answer.tokens() >= limit)
            && !is_first_score
        {
            self.answer.cut();
            return Ok(Some(FinishReason::Length));
        }
        if self.speaker.has_enough() {
            return Ok(Some(FinishReason::Stop));
        }
        let step = self
            .session
            .next_token()
            .map_err(|error| explain(error, self.job, self.job.grammar_param))?;
        let end = match step {
            Step::Token(bytes) => self.answer.push(bytes).then_some(FinishReason::Stop),
            Step::End(end) => return Ok(Some(self.finish(end))),
        };
        if self.job.options.logprobs.is_some() {
            self.telling.logprobs.push(self.session.logprob()?);
        }
        Ok(end)
    }

    fn finish(&mut self, end: EndReason) -> FinishReason {
        match end {
            // A limit of nothing ends like the model does.
            EndReason::EndOfGeneration if self.job.options.tokens_max == Some(0) => {
                FinishReason::Length
            }
            EndReason::EndOfGeneration => {
                self.answer.finish();
                self.answer.count();
                FinishReason::Stop
            }
            EndReason::ContextFull => {
                self.answer.cut();
                FinishReason::Length
            }
        }
    }

    /// Begins the answer with the text that it shall begin with.
    fn echo<S: Sink>(&mut self, events: &mut Events<S>) -> Result<Flow, Failure> {
        let Some(echo) = self.job.echo else { return Ok(Flow::Continue) };
        let text = match echo {
            Input::Text(text) => text.clone(),
            Input::Tokens(_) => spelled(&self.session.tokens()?),
        };
        let mut logprobs = vec![];
        if self.job.options.prompt_logprobs {
            let first = self.session.tokens()?.into_iter().next();
            let scored = self.session.prompt_logprobs()?;
            let unscored = |token| TokenLogprob { token, logprob: None, top: vec![] };
            logprobs.extend(first.map(unscored).into_iter().chain(scored));
        }
        for event in pieces::of_echo(&text, logprobs) {
            if events.emit(&event)? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::Continue)
    }

    /// Hands over what the text so far makes.
    fn tell<S: Sink>(&mut self, events: &mut Events<S>) -> Result<Flow, Failure> {
        if let Some((text, tokens)) = self.answer.delta() {
            self.speaker.say(text, &mut self.telling.events);
            self.telling.tokens += tokens;
            self.answer.take();
        }
        self.telling.send(events)
    }

    fn end<S: Sink>(
        &mut self,
        reason: FinishReason,
        (prompt_tokens, cached_tokens): (u32, u32),
        events: &mut Events<S>,
    ) -> Result<Flow, Failure> {
        if self.tell(events)? == Flow::Stop {
            return Ok(Flow::Stop);
        }
        let reason = self.speaker.finish(reason, &mut self.telling.events);
        if self.telling.send(events)? == Flow::Stop {
            return Ok(Flow::Stop);
        }
        let usage = Usage {
            prompt_tokens,
            completion_tokens: self.answer.tokens(),
            cached_tokens,
            reasoning_tokens: self.telling.reasoning_tokens,
        };
        // A call goes first: what ended it matters to nobody.
        let is_stop = reason == FinishReason::Stop;
        let stop_string = self.answer.stopped_by().filter(|_| is_stop).map(str::to_owned);
        Ok(events.emit(&Event::Finish { reason, usage, stop_string })?)
    }
}

impl Telling {
    /// Sends the events. The first one brings the tokens along; content brings the probabilities of
    /// the tokens that it was made of.
    fn send<S: Sink>(&mut self, events: &mut Events<S>) -> Result<Flow, Failure> {
        let scores = !self.logprobs.is_empty();
        let cut = |event| pieces::of(event, scores);
        for mut event in std::mem::take(&mut self.events).into_iter().flat_map(cut) {
            match &mut event {
                Event::Delta { text, tokens, channel, logprobs } => {
                    *tokens = std::mem::take(&mut self.tokens);
                    let scored = self.scored(text);
                    match channel {
                        Channel::Content => *logprobs = scored,
                        Channel::Reasoning => self.reasoning_tokens += *tokens,
                    }
                }
                Event::ToolCall { tokens, .. } => *tokens = std::mem::take(&mut self.tokens),
                Event::ToolArguments { text, tokens, .. } => {
                    *tokens = std::mem::take(&mut self.tokens);
                    self.scored(text);
                }
                _ => {}
            }
            if events.emit(&event)? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::Continue)
    }

    /// Takes the tokens that a text was made of. Those before it made none: marks, and blanks around
    /// them. Those behind it are still held back. A token belongs to the text that it begins. Bytes
    /// that are no characters can't be found again: such a text takes all tokens.
    fn scored(&mut self, text: &str) -> Vec<TokenLogprob> {
        if self.logprobs.is_empty() && self.rest.is_empty() {
            return vec![];
        }
        let mut bytes = std::mem::take(&mut self.rest);
        let mut ends = vec![bytes.len()];
        for scored in &self.logprobs {
            bytes.extend(&scored.token.bytes);
            ends.push(bytes.len());
        }
        let found = bytes.windows(text.len().max(1)).position(|window| window == text.as_bytes());
        let Some(start) = found else { return std::mem::take(&mut self.logprobs) };
        let end = start + text.len();
        // A token begins where the one before it ends.
        let begun = ends[..self.logprobs.len()].iter().take_while(|begin| **begin < end).count();
        let unheard = ends[1..=begun].iter().take_while(|end| **end <= start).count();
        self.rest = bytes[end..ends[begun].max(end)].to_vec();
        let mut taken: Vec<TokenLogprob> = self.logprobs.drain(..begun).collect();
        taken.drain(..unheard);
        taken
    }
}

/// The text of tokens; what is no character becomes U+FFFD.
fn spelled(tokens: &[TokenText]) -> String {
    let bytes: Vec<u8> = tokens.iter().flat_map(|token| &token.bytes).copied().collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Adds what the person who sent the request needs to know.
fn explain(error: ModelError, job: &GenerateJob<'_>, blame: &str) -> Failure {
    match error {
        ModelError::PromptTooLong { tokens } => {
            let length = tokens.map_or("too many".into(), |tokens| tokens.to_string());
            let message = format!(
                "the prompt has {length} tokens, but the model's context holds {} for prompt and \
                 answer together; shorten {}",
                job.context_tokens, job.param
            );
            Failure::new(ErrorCode::PromptTooLong, message).at(job.param)
        }
        ModelError::Refused { reason } => {
            Failure::new(ErrorCode::InvalidRequest, format!("{blame}: {reason}")).at(blame)
        }
        error => error.into(),
    }
}
