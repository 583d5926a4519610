//! From texts to vectors.

use std::time::Duration;

use gaia_protocol::{ErrorCode, Event, FinishReason, Input, Usage};
use serde_json::value::RawValue;

use crate::window::{self, Feed, Pace};
use crate::{Context, Events, Failure, Flow, Graph, Model, ModelError, Session, Sink};

/// Texts to embed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbedJob<'a> {
    /// The texts.
    pub inputs: &'a [Input],
    /// Texts that the engine gets at once, so that it can batch them; at least 1.
    pub window: usize,
    /// Tokens that one text may have: `request.model.context_tokens`.
    pub context_tokens: u32,
    /// How long a text may wait for room in the engine's queue.
    pub patience: Duration,
}

/// Embeds all texts: an [`Event::Embedding`] for each, in order, and [`Event::Finish`].
/// [`Flow::Stop`] means that the client went away in between.
///
/// The engine works on up to `window` texts while the app reads the oldest one's vector. A text that
/// finds its queue full waits, at most `patience`.
///
/// # Errors
/// A [`Failure`] to report; no [`Event::Finish`] was emitted then.
pub fn embed<G: Graph, S: Sink>(
    model: &Model<G>,
    job: EmbedJob<'_>,
    events: &mut Events<S>,
) -> Result<Flow, Failure> {
    let pace = Pace { window: job.window, patience: job.patience };
    let mut feed = Texts { job, events };
    let Some(prompt_tokens) = window::pass(model, &mut feed, pace)? else {
        return Ok(Flow::Stop);
    };
    let usage = Usage { prompt_tokens, completion_tokens: 0, ..Usage::default() };
    Ok(events.emit(&Event::finish(FinishReason::Stop, usage))?)
}

struct Texts<'a, S> {
    job: EmbedJob<'a>,
    events: &'a mut Events<S>,
}

impl<C: Context, S: Sink> Feed<C> for Texts<'_, S> {
    fn count(&self) -> usize {
        self.job.inputs.len()
    }

    fn set(&mut self, index: u32, session: &mut Session<C>) -> Result<u32, ModelError> {
        match session.set_input(&self.job.inputs[index as usize])? {
            tokens if tokens > self.job.context_tokens => {
                Err(ModelError::PromptTooLong { tokens: Some(tokens) })
            }
            tokens => Ok(tokens),
        }
    }

    fn emit(&mut self, index: u32, output: &RawValue, tokens: u32) -> Result<Flow, Failure> {
        Ok(self.events.emit_embedding(index, output, tokens)?)
    }

    fn explain(&self, error: ModelError, index: u32) -> Failure {
        let ModelError::PromptTooLong { tokens } = error else { return error.into() };
        let length = tokens.map_or("too many".into(), |tokens| tokens.to_string());
        let message = format!(
            "input[{index}] has {length} tokens, but the model takes {} per text; split it",
            self.job.context_tokens
        );
        Failure::new(ErrorCode::PromptTooLong, message).at("input")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Errno;
    use crate::testing::{Recorder, Script, ScriptedGraph};
    use crate::window::PAUSE;

    const JOB: EmbedJob<'_> =
        EmbedJob { inputs: &[], window: 4, context_tokens: 8, patience: Duration::from_secs(60) };

    fn texts(count: usize) -> Vec<Input> {
        (0..count).map(|index| Input::Text("word ".repeat(index % 3 + 1))).collect()
    }

    fn run(script: Script, inputs: &[Input]) -> (Result<Flow, Failure>, Vec<Event>) {
        let model = Model::new(ScriptedGraph::new(script));
        let mut events = Events::new(Recorder::default());
        let job = EmbedJob { inputs, ..JOB };
        let result = embed(&model, job, &mut events);
        (result, events.into_sink().events)
    }

    #[test]
    fn a_text_too_long_is_named_by_its_index() {
        let inputs = [Input::from("a"), Input::Text("word ".repeat(9))];
        for prompt_tokens_max in [8, 100] {
            let (result, events) = run(Script { prompt_tokens_max, ..Script::default() }, &inputs);
            let failure = result.expect_err("too long");
            assert_eq!(failure.code, ErrorCode::PromptTooLong);
            assert_eq!(failure.param.as_deref(), Some("input"));
            assert!(failure.message.starts_with("input[1] has 9 tokens, but the model takes 8"));
            assert_eq!(events, []);
        }
    }

    #[test]
    fn a_queue_that_is_full_from_the_start_is_overload() {
        let script = Script { set_input_errno: Some(Errno::Busy), ..Script::default() };
        assert_eq!(run(script, &texts(2)).0.expect_err("busy").code, ErrorCode::Overloaded);
    }

    #[test]
    fn a_queue_that_stays_full_longer_than_the_patience_is_overload() {
        let model = Model::new(ScriptedGraph::new(Script { compute_busy: 9, ..Script::default() }));
        let mut events = Events::new(Recorder::default());
        let inputs = texts(2);
        let job = EmbedJob { inputs: &inputs, patience: PAUSE, ..JOB };
        let failure = embed(&model, job, &mut events).expect_err("busy");
        assert_eq!(failure.code, ErrorCode::Overloaded);
    }

    #[test]
    fn a_queue_that_is_full_for_a_while_costs_only_time() {
        let inputs = texts(3);
        let (result, events) = run(Script { compute_busy: 3, ..Script::default() }, &inputs);
        assert_eq!((result, events.len()), (Ok(Flow::Continue), 4));
    }

    #[test]
    fn all_texts_come_in_order_through_a_window_and_a_short_queue() {
        for queue_max in [1, 3, 100] {
            let inputs = texts(23);
            let (result, events) = run(Script { queue_max, ..Script::default() }, &inputs);
            assert_eq!(result, Ok(Flow::Continue));
            assert_eq!(events.len(), 24);
            for (place, event) in events[..23].iter().enumerate() {
                let tokens = (place % 3 + 1) as u32;
                let expected = Event::Embedding { index: place as u32, vector: vec![1.0], tokens };
                assert_eq!(*event, expected);
            }
            let usage = Usage { prompt_tokens: 45, completion_tokens: 0, ..Usage::default() };
            assert_eq!(events[23], Event::finish(FinishReason::Stop, usage));
        }
    }

    #[test]
    fn a_client_that_went_away_ends_it() {
        let model = Model::new(ScriptedGraph::new(Script::default()));
        let mut events = Events::new(Recorder { stop_after: Some(2), ..Recorder::default() });
        let inputs = texts(5);
        let job = EmbedJob { inputs: &inputs, ..JOB };
        assert_eq!(embed(&model, job, &mut events), Ok(Flow::Stop));
        assert_eq!(events.into_sink().events.len(), 2);
    }
}
