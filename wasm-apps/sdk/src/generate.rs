//! From a prompt to a streamed answer.

use gaia_protocol::{ErrorCode, Event, FinishReason, Sampling, Usage};
use serde::Serialize;

use crate::{Answer, Context, EndReason, Events, Failure, Flow, ModelError, Session, Sink, Step};

/// Everything that one answer needs.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerateJob<'a> {
    /// What the model reads, control tokens and all.
    pub prompt: &'a str,
    /// How the engine computes.
    pub options: GenerateOptions,
    /// Strings that end the answer; they are not part of it.
    pub stop: &'a [String],
    /// Tokens that prompt and answer may take: `request.model.context_tokens`.
    pub context_tokens: u32,
    /// The request's field that the prompt was made of, for errors.
    pub param: &'static str,
}

/// Options of the GGML backend. `None` leaves the choice to the engine.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct GenerateOptions {
    /// Tokens to generate at most.
    #[serde(rename = "n-predict", skip_serializing_if = "Option::is_none")]
    pub tokens_max: Option<u32>,
    /// 0 is greedy.
    #[serde(rename = "temp", skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// Nucleus size.
    #[serde(rename = "top-p", skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f32>,
    /// The same seed gives the same answer.
    #[serde(rename = "seed", skip_serializing_if = "Option::is_none")]
    pub seed: Option<u32>,
    /// Whether U+FDD0 in the prompt cuts it (see [`crate::TOKEN_BREAK`]).
    #[serde(rename = "token-break")]
    pub token_break: bool,
}

impl GenerateOptions {
    /// The options that a request asks for.
    #[must_use]
    pub fn new(sampling: &Sampling, tokens_max: Option<u32>) -> Self {
        let Sampling { temperature, top_p, seed, .. } = *sampling;
        Self { tokens_max, temperature, top_p, seed, token_break: false }
    }
}

/// Answers a prompt: [`Event::Prompt`], an [`Event::Delta`] per token that has text to show, and
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
    events: &mut Events<S>,
) -> Result<Flow, Failure> {
    let prompt_tokens = prepare(session, job).map_err(|error| explain(error, job))?;
    let mut answer = Answer::new(job.stop);
    let mut end = advance(session, job, &mut answer)?;
    let mut flow = events.emit(&Event::Prompt { tokens: prompt_tokens, cached_tokens: 0 })?;
    while end.is_none() && flow == Flow::Continue {
        flow = send_delta(&mut answer, events)?;
        if flow == Flow::Continue {
            end = advance(session, job, &mut answer)?;
        }
    }
    // The place is freed before the last events wait for a slow client. A failure here costs the
    // answer nothing: it is whole, and the instance's end frees the place too.
    session.finish().unwrap_or_else(|error| eprintln!("{error}"));
    let Some(reason) = end.filter(|_| flow == Flow::Continue) else { return Ok(Flow::Stop) };
    if send_delta(&mut answer, events)? == Flow::Stop {
        return Ok(Flow::Stop);
    }
    let usage = Usage { prompt_tokens, completion_tokens: answer.tokens(), ..Usage::default() };
    Ok(events.emit(&Event::Finish { reason, usage })?)
}

fn prepare<C: Context>(session: &mut Session<C>, job: &GenerateJob<'_>) -> Result<u32, ModelError> {
    session.set_options(&job.options)?;
    let tokens = session.set_prompt(job.prompt)?;
    match tokens < job.context_tokens {
        true => Ok(tokens),
        false => Err(ModelError::PromptTooLong { tokens: Some(tokens) }),
    }
}

/// Adds one token to the answer, or says why there is no further one.
fn advance<C: Context>(
    session: &mut Session<C>,
    job: &GenerateJob<'_>,
    answer: &mut Answer,
) -> Result<Option<FinishReason>, Failure> {
    if job.options.tokens_max.is_some_and(|limit| answer.tokens() >= limit) {
        answer.cut();
        return Ok(Some(FinishReason::Length));
    }
    Ok(match session.next_token().map_err(|error| explain(error, job))? {
        Step::Token(bytes) => answer.push(bytes).then_some(FinishReason::Stop),
        Step::End(end) => Some(finish(answer, end)),
    })
}

fn finish(answer: &mut Answer, end: EndReason) -> FinishReason {
    match end {
        EndReason::EndOfGeneration => {
            answer.finish();
            answer.count();
            FinishReason::Stop
        }
        EndReason::ContextFull => {
            answer.cut();
            FinishReason::Length
        }
    }
}

fn send_delta<S: Sink>(answer: &mut Answer, events: &mut Events<S>) -> Result<Flow, Failure> {
    let Some((text, tokens)) = answer.delta() else { return Ok(Flow::Continue) };
    let flow = events.emit_delta(text, tokens)?;
    answer.take();
    Ok(flow)
}

/// Adds what the person who sent the request needs to know.
fn explain(error: ModelError, job: &GenerateJob<'_>) -> Failure {
    let ModelError::PromptTooLong { tokens } = error else { return error.into() };
    let length = tokens.map_or("too many".into(), |tokens| tokens.to_string());
    let message = format!(
        "the prompt has {length} tokens, but the model's context holds {} for prompt and answer \
         together; shorten {}",
        job.context_tokens, job.param
    );
    Failure::new(ErrorCode::PromptTooLong, message).at(job.param)
}
