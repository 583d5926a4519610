//! From a text to its tokens, and back.

use gaia_protocol::{Event, FinishReason, GuestModel, Input, TokenText, TokenizeTask, Usage};
use serde_json::json;

use crate::{
    Context, Events, Failure, Flow, Graph, Guard, Model, ModelError, Session, Sink, Strictness,
};

/// Tokens of one event: some 30 kB of JSON.
const TOKENS_PER_EVENT: usize = 512;

/// Tells a text's tokens, or what tokens stand for: [`Event::Tokens`] and [`Event::Finish`].
///
/// # Errors
/// A [`Failure`] to report; no [`Event::Finish`] was emitted then.
pub fn tokenize<G: Graph, S: Sink>(
    model: &Model<G>,
    (card, task): (&GuestModel, &TokenizeTask),
    events: &mut Events<S>,
) -> Result<Flow, Failure> {
    let mut session = model.session()?;
    let tokens = tokens(&mut session, card, task).map_err(|error| match error {
        ModelError::Refused { .. } => Failure::from(error).at("tokens"),
        error => Failure::from(error).at("content"),
    })?;
    let prompt_tokens = u32::try_from(tokens.len()).unwrap_or(u32::MAX);
    for lot in tokens.chunks(TOKENS_PER_EVENT) {
        if events.emit(&Event::Tokens { tokens: lot.to_vec() })? == Flow::Stop {
            return Ok(Flow::Stop);
        }
    }
    let usage = Usage { prompt_tokens, ..Usage::default() };
    Ok(events.emit(&Event::finish(FinishReason::Stop, usage))?)
}

fn tokens<C: Context>(
    session: &mut Session<C>,
    card: &GuestModel,
    task: &TokenizeTask,
) -> Result<Vec<TokenText>, ModelError> {
    // An embedding model would begin to compute the text's vector.
    session.set_options(&json!({"embedding": false, "token-break": !task.parse_special}))?;
    let Input::Text(text) = &task.input else {
        session.set_input(&task.input)?;
        return session.tokens();
    };
    let shielded;
    let text = if task.parse_special {
        text
    } else {
        shielded = Guard::new(&card.control_tokens).shield(text, Strictness::Spelled);
        &shielded
    };
    session.set_prompt(text)?;
    let mut tokens = session.tokens()?;
    if !task.add_special {
        Frame::of(session, card)?.take_off(&mut tokens);
    }
    Ok(tokens)
}

/// How many tokens the tokenizer adds before and behind a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    before: usize,
    behind: usize,
}

impl Frame {
    /// Looks at a text of nothing. What the session was set to is gone.
    ///
    /// # Errors
    /// As [`Session::set_prompt`].
    pub(crate) fn of<C: Context>(
        session: &mut Session<C>,
        card: &GuestModel,
    ) -> Result<Self, ModelError> {
        session.set_prompt("")?;
        let all = session.tokens()?.len();
        let before = usize::from(card.adds_bos).min(all);
        Ok(Self { before, behind: all - before })
    }

    /// Leaves the text's own tokens.
    pub(crate) fn take_off(self, tokens: &mut Vec<TokenText>) {
        tokens.truncate(tokens.len().saturating_sub(self.behind));
        tokens.drain(..self.before.min(tokens.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Recorder, Script, ScriptedGraph};

    fn run(task: &TokenizeTask) -> Vec<Event> {
        let model = Model::new(ScriptedGraph::new(Script { framed: true, ..Script::default() }));
        let card = GuestModel { adds_bos: true, ..GuestModel::default() };
        let mut events = Events::new(Recorder::default());
        assert_eq!(tokenize(&model, (&card, task), &mut events), Ok(Flow::Continue));
        events.into_sink().events
    }

    fn pieces(events: &[Event]) -> Vec<String> {
        let tokens = events.iter().filter_map(|event| match event {
            Event::Tokens { tokens } => Some(tokens),
            _ => None,
        });
        tokens.flatten().map(|token| String::from_utf8_lossy(&token.bytes).into_owned()).collect()
    }

    #[test]
    fn the_frame_is_there_only_if_asked_for() {
        let task = TokenizeTask { input: "one two".into(), ..TokenizeTask::default() };
        assert_eq!(pieces(&run(&task)), ["one", "two"]);
        let framed = TokenizeTask { add_special: true, ..task };
        assert_eq!(pieces(&run(&framed)), ["<s>", "one", "two", "</s>"]);
    }

    #[test]
    fn a_long_text_takes_several_events() {
        let task =
            TokenizeTask { input: Input::Text("a ".repeat(1000)), ..TokenizeTask::default() };
        let events = run(&task);
        assert_eq!((events.len(), pieces(&events).len()), (3, 1000));
    }
}
