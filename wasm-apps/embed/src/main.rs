//! Turns texts into vectors, or ranks documents, with a GGML model.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::Duration;

use gaia_app_sdk::{
    EmbedJob, EmbedTask, ErrorCode, Events, Failure, Flow, Graph, GuestModel, Input, Model,
    RankJob, Sink, Task, embed, rank, serve, tokenize,
};

/// Texts that the engine gets at once: two batches of 16, one to compute and one to wait, so that it
/// never waits for this app; few enough that other requests find room in its queue.
const WINDOW: usize = 32;

/// How long a text may wait for room in the engine's queue, which takes a batch every few
/// milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    serve(|request, events| {
        let task = match &request.task {
            Task::Embed(task) => task,
            Task::Tokenize(task) => {
                let model = Model::load(&request.model.name)?;
                return tokenize(&model, (&request.model, task), events);
            }
            Task::Rank(task) => {
                let (card, patience) = (&request.model, PATIENCE);
                let job = RankJob { task, card, window: WINDOW, patience };
                return rank(&Model::load(&card.name)?, job, events);
            }
            Task::Chat(_) | Task::Complete(_) => {
                let message = "this model computes vectors or scores; it can't generate text";
                return Err(Failure::new(ErrorCode::InvalidRequest, message).at("model"));
            }
        };
        if request.model.pair.is_some() {
            let message = "this model ranks documents; it makes no vectors";
            return Err(Failure::new(ErrorCode::InvalidRequest, message).at("model"));
        }
        check(task)?;
        answer(&Model::load(&request.model.name)?, &request.model, task, events)
    })
}

fn answer<G: Graph, S: Sink>(
    model: &Model<G>,
    card: &GuestModel,
    task: &EmbedTask,
    events: &mut Events<S>,
) -> Result<Flow, Failure> {
    let context_tokens = card.context_tokens;
    let job = EmbedJob { inputs: &task.inputs, window: WINDOW, context_tokens, patience: PATIENCE };
    embed(model, job, events)
}

fn check(task: &EmbedTask) -> Result<(), Failure> {
    let invalid = |message| Err(Failure::new(ErrorCode::InvalidRequest, message).at("input"));
    if task.inputs.is_empty() {
        return invalid("there is nothing to embed: input is empty".to_owned());
    }
    match task.inputs.iter().position(Input::is_empty) {
        Some(index) => invalid(format!("input[{index}] is an empty text")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaia_app_sdk::Event;
    use gaia_app_sdk::testing::{Recorder, Script, ScriptedGraph};

    fn task(inputs: &[&str]) -> EmbedTask {
        EmbedTask { inputs: inputs.iter().map(|text| Input::from(*text)).collect() }
    }

    #[test]
    fn nothing_and_empty_texts_are_refused_by_place() {
        for (inputs, words) in [(&[][..], "nothing to embed"), (&["a", ""], "input[1]")] {
            let failure = check(&task(inputs)).expect_err("refused");
            assert_eq!(failure.code, ErrorCode::InvalidRequest);
            assert_eq!(failure.param.as_deref(), Some("input"));
            assert!(failure.message.contains(words), "{failure}");
        }
    }

    #[test]
    fn more_texts_than_the_window_all_get_their_vector() {
        let texts = vec!["a"; WINDOW * 2 + 1];
        let model = Model::new(ScriptedGraph::new(Script::default()));
        let card = GuestModel { context_tokens: 8, ..GuestModel::default() };
        let mut events = Events::new(Recorder::default());
        assert_eq!(answer(&model, &card, &task(&texts), &mut events), Ok(Flow::Continue));
        let events = events.into_sink().events;
        assert_eq!(events.len(), texts.len() + 1);
        assert!(matches!(events.last(), Some(Event::Finish { .. })));
    }
}
