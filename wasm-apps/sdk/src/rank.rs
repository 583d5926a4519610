//! From a query and documents to scores.

use std::time::Duration;

use gaia_protocol::{
    ErrorCode, Event, FinishReason, GuestModel, Input, PairForm, RankTask, TokenText, Usage,
};
use serde_json::json;
use serde_json::value::RawValue;

use crate::tokenize::Frame;
use crate::window::{self, Feed, Pace};
use crate::{
    Context, Events, Failure, Flow, Graph, Guard, Model, ModelError, Session, Sink, Strictness,
};

/// No context holds more of a document that is read in part; and the engine tokenizes twice as much at
/// least, so that query and template have room beside it.
const DOCUMENT_BYTES_MAX: usize = 512 << 10;

/// Attempts to cut a document until a template around it fits: where it is cut, other tokens come out.
const CUTS_MAX: usize = 8;

/// Documents to score.
#[derive(Clone, Copy, Debug)]
pub struct RankJob<'a> {
    /// The query and the documents.
    pub task: &'a RankTask,
    /// The model: a reranker, and how long a pair may be.
    pub card: &'a GuestModel,
    /// Pairs that the engine gets at once, so that it can batch them; at least 1.
    pub window: usize,
    /// How long a pair may wait for room in the engine's queue.
    pub patience: Duration,
}

/// Scores all documents: an [`Event::Score`] for each, in order, and [`Event::Finish`].
/// [`Flow::Stop`] means that the client went away in between.
///
/// Query and document are text to the tokenizer, whatever they spell.
///
/// # Errors
/// A [`Failure`] to report; no [`Event::Finish`] was emitted then.
pub fn rank<G: Graph, S: Sink>(
    model: &Model<G>,
    job: RankJob<'_>,
    events: &mut Events<S>,
) -> Result<Flow, Failure> {
    let Some(form) = &job.card.pair else {
        let message = "this model is no reranker: it was not loaded with kind = \"rerank\"";
        return Err(Failure::new(ErrorCode::InvalidRequest, message).at("model"));
    };
    let reader = Reader::open(model, job.card)?;
    let query = reader.shield(&job.task.query);
    let mut pairs = Pairs { job, form, reader, query, query_tokens: vec![], around: 0, events };
    pairs.read_query()?;
    let pace = Pace { window: job.window, patience: job.patience };
    let Some(prompt_tokens) = window::pass(model, &mut pairs, pace)? else {
        return Ok(Flow::Stop);
    };
    let usage = Usage { prompt_tokens, completion_tokens: 0, ..Usage::default() };
    Ok(events.emit(&Event::finish(FinishReason::Stop, usage))?)
}

/// Turns texts of strangers into tokens.
struct Reader<'a, C> {
    session: Session<C>,
    frame: Frame,
    guard: Guard<'a>,
}

impl<'a, C: Context> Reader<'a, C> {
    fn open<G: Graph<Context = C>>(
        model: &Model<G>,
        card: &'a GuestModel,
    ) -> Result<Self, ModelError> {
        let mut session = model.session()?;
        // Otherwise the model would begin to compute each text.
        session.set_options(&json!({"embedding": false, "token-break": true}))?;
        let frame = Frame::of(&mut session, card)?;
        Ok(Self { session, frame, guard: Guard::new(&card.control_tokens) })
    }

    /// The text with nothing in it that reads as a control token.
    fn shield(&self, text: &str) -> String {
        self.guard.shield(text, Strictness::Spelled)
    }

    /// The tokens of a text that is shielded, without what the tokenizer adds.
    fn tokens(&mut self, shielded: &str) -> Result<Vec<TokenText>, ModelError> {
        self.session.set_prompt(shielded)?;
        let mut tokens = self.session.tokens()?;
        self.frame.take_off(&mut tokens);
        Ok(tokens)
    }
}

/// The pairs of a task.
struct Pairs<'a, C, S> {
    job: RankJob<'a>,
    form: &'a PairForm,
    reader: Reader<'a, C>,
    /// The query, shielded.
    query: String,
    /// Its tokens; none if a template takes it as text.
    query_tokens: Vec<u32>,
    /// Tokens of a pair without its document.
    around: usize,
    events: &'a mut Events<S>,
}

impl<C: Context, S: Sink> Pairs<'_, C, S> {
    fn read_query(&mut self) -> Result<(), Failure> {
        self.measure().map_err(|error| self.too_long_query(error))?;
        if self.around < self.limit() {
            return Ok(());
        }
        let tokens = u32::try_from(self.around).ok();
        Err(self.too_long_query(ModelError::PromptTooLong { tokens }))
    }

    fn measure(&mut self) -> Result<(), ModelError> {
        let PairForm { before, between, after, template, .. } = self.form;
        if let Some(template) = template {
            self.around = self.reader.tokens(&filled(template, &self.query, ""))?.len();
            return Ok(());
        }
        self.query_tokens = ids(&self.reader.tokens(&self.query)?);
        self.around = self.query_tokens.len() + before.len() + between.len() + after.len();
        Ok(())
    }

    /// Tokens of a pair.
    fn limit(&self) -> usize {
        self.job.card.context_tokens as usize
    }

    fn pair(&mut self, document: &str) -> Result<Vec<u32>, ModelError> {
        let document = if self.job.task.truncate { head(document) } else { document };
        let shielded = self.reader.shield(document);
        match &self.form.template {
            Some(template) => self.told(template, shielded),
            None => self.joined(&shielded),
        }
    }

    /// The tokens of query and document with the model's marks around them.
    fn joined(&mut self, document: &str) -> Result<Vec<u32>, ModelError> {
        let mut document = ids(&self.reader.tokens(document)?);
        if self.job.task.truncate {
            document.truncate(self.limit() - self.around);
        }
        let PairForm { before, between, after, .. } = self.form;
        let parts: [&[u32]; 5] = [before, &self.query_tokens, between, &document, after];
        self.fitting(parts.concat())
    }

    /// The tokens of a template with query and document in it.
    fn told(&mut self, template: &str, mut document: String) -> Result<Vec<u32>, ModelError> {
        let mut cuts = if self.job.task.truncate { CUTS_MAX } else { 0 };
        loop {
            let tokens = ids(&self.reader.tokens(&filled(template, &self.query, &document))?);
            let over = tokens.len().saturating_sub(self.limit());
            if over == 0 || cuts == 0 || document.is_empty() {
                return self.fitting(tokens);
            }
            let own = self.reader.tokens(&document)?;
            document = self.reader.shield(&spelled(&own[..own.len().saturating_sub(over)]));
            cuts -= 1;
        }
    }

    fn fitting(&self, tokens: Vec<u32>) -> Result<Vec<u32>, ModelError> {
        if tokens.len() <= self.limit() {
            return Ok(tokens);
        }
        Err(ModelError::PromptTooLong { tokens: u32::try_from(tokens.len()).ok() })
    }

    fn too_long_query(&self, error: ModelError) -> Failure {
        let ModelError::PromptTooLong { tokens } = error else { return error.into() };
        let (length, limit) = (count(tokens), self.limit());
        let message = format!(
            "query takes {length} tokens with what the model puts around it, but the model takes {limit} \
             for query and document together; shorten it"
        );
        Failure::new(ErrorCode::PromptTooLong, message).at("query")
    }

    fn score(&self, output: &RawValue) -> Result<f32, ModelError> {
        let numbers: Vec<f64> = serde_json::from_str(output.get())?;
        let wanted = if self.form.gives_probability { 2 } else { 1 };
        if numbers.len() != wanted {
            let reason = format!("the model gave {} numbers for a pair", numbers.len());
            return Err(ModelError::Refused { reason });
        }
        let probability = |number: f64| match self.form.gives_probability {
            true => number,
            false => 1.0 / (1.0 + (-number).exp()),
        };
        Ok(probability(numbers[0]) as f32)
    }
}

impl<C: Context, S: Sink> Feed<C> for Pairs<'_, C, S> {
    fn count(&self) -> usize {
        self.job.task.documents.len()
    }

    fn set(&mut self, index: u32, session: &mut Session<C>) -> Result<u32, ModelError> {
        let task = self.job.task;
        let tokens = self.pair(&task.documents[index as usize])?;
        session.set_input(&Input::Tokens(tokens))
    }

    fn emit(&mut self, index: u32, output: &RawValue, tokens: u32) -> Result<Flow, Failure> {
        let score = self.score(output).map_err(|error| {
            Failure::new(ErrorCode::Internal, format!("documents[{index}]: {error}"))
        })?;
        Ok(self.events.emit(&Event::Score { index, score, tokens })?)
    }

    fn explain(&self, error: ModelError, index: u32) -> Failure {
        let ModelError::PromptTooLong { tokens } = error else { return error.into() };
        let (length, limit) = (count(tokens), self.limit());
        let or = match self.job.task.truncate {
            true => "",
            false => ", or set truncate to read its beginning alone",
        };
        let message = format!(
            "documents[{index}] has {length} tokens together with the query, but the model takes \
             {limit}; split it{or}"
        );
        Failure::new(ErrorCode::PromptTooLong, message).at(format!("documents[{index}]"))
    }
}

/// A length for people; the engine counts no text that is hopelessly long.
fn count(tokens: Option<u32>) -> String {
    tokens.filter(|tokens| *tokens > 0).map_or("too many".into(), |tokens| tokens.to_string())
}

fn ids(tokens: &[TokenText]) -> Vec<u32> {
    tokens.iter().map(|token| token.id).collect()
}

/// As much of a text as any context can hold.
fn head(text: &str) -> &str {
    let mut ends = (0..=text.len().min(DOCUMENT_BYTES_MAX)).rev();
    &text[..ends.find(|end| text.is_char_boundary(*end)).unwrap_or(0)]
}

/// What tokens spell, without a character that is cut at the end.
fn spelled(tokens: &[TokenText]) -> String {
    let bytes: Vec<u8> = tokens.iter().flat_map(|token| &token.bytes).copied().collect();
    let text = String::from_utf8_lossy(&bytes);
    text.trim_end_matches(char::REPLACEMENT_CHARACTER).to_owned()
}

/// The template with both texts in it. What a text spells is not looked at again.
fn filled(template: &str, query: &str, document: &str) -> String {
    let mut text = String::with_capacity(template.len() + query.len() + document.len());
    for (index, part) in template.split("{query}").enumerate() {
        let put_query = if index == 0 { "" } else { query };
        text.push_str(put_query);
        for (index, part) in part.split("{document}").enumerate() {
            let put_document = if index == 0 { "" } else { document };
            text.push_str(put_document);
            text.push_str(part);
        }
    }
    text
}

#[cfg(test)]
#[path = "rank_tests.rs"]
mod tests;
