//! Texts turned into vectors by a server, a batch at a time.

use std::sync::Arc;

use futures_util::{TryStreamExt, stream};
use gaia_core::{EventStream, ServeError};
use gaia_protocol::{EmbedTask, Event, FinishReason, Input, Usage};
use serde_json::json;

use super::server::{Place, Server};
use super::wire::Vectors;

/// Texts of one request: what every server takes, and little enough to be answered in time.
const BATCH_MAX: usize = 64;

/// Starts to turn texts into vectors.
///
/// # Errors
/// [`ServeError::UpstreamBusy`]: there is no place.
pub fn stream(server: &Arc<Server>, task: EmbedTask) -> Result<EventStream, ServeError> {
    let place = server.place()?;
    let events = async move {
        let events = all(place, &task.inputs).await;
        events.map(|events| stream::iter(events.into_iter().map(Ok)))
    };
    Ok(Box::pin(stream::once(events).try_flatten()))
}

async fn all(mut place: Place, inputs: &[Input]) -> Result<Vec<Event>, ServeError> {
    match events(&place, inputs).await {
        Ok((mut events, usage)) => {
            place.embedded(inputs.len());
            place.ended(&usage);
            events.push(Event::finish(FinishReason::Stop, usage));
            Ok(events)
        }
        Err(error) => {
            place.failed();
            Err(error)
        }
    }
}

async fn events(place: &Place, inputs: &[Input]) -> Result<(Vec<Event>, Usage), ServeError> {
    let mut events = vec![];
    let mut usage = Usage::default();
    // A list holds texts or tokens, never both.
    let is_text = |input: &Input| input.as_text().is_some();
    let alike = inputs.chunk_by(|one, other| is_text(one) == is_text(other));
    for batch in alike.flat_map(|alike| alike.chunks(BATCH_MAX)) {
        let answer = ask(place.server(), batch).await?;
        let first = u32::try_from(events.len()).unwrap_or(u32::MAX);
        events.extend(
            answer.vectors.into_iter().zip(first..).map(|(vector, index)| Event::Embedding {
                index,
                vector,
                tokens: 0,
            }),
        );
        usage.prompt_tokens = usage.prompt_tokens.saturating_add(answer.tokens);
    }
    Ok((events, usage))
}

/// The vectors of some inputs, in their order, each of length one.
#[derive(Debug)]
pub struct Answered {
    vectors: Vec<Vec<f32>>,
    tokens: u32,
}

/// Asks for the vectors of at most [`BATCH_MAX`] inputs.
pub async fn ask(server: &Server, inputs: &[Input]) -> Result<Answered, ServeError> {
    let model = &server.config().model;
    let body = json!({"model": model, "input": inputs, "encoding_format": "float"});
    let call = server.call("/embeddings", body);
    let answer = server.json(&call).await.map_err(|error| server.failed(&error))?;
    let answer: Vectors =
        serde_json::from_value(answer).map_err(|_| wrong("answered without vectors"))?;
    let tokens = answer.usage.map_or(0, |usage| Usage::from(usage).prompt_tokens);
    let mut vectors = vec![vec![]; inputs.len()];
    for entry in answer.data {
        let place = vectors.get_mut(entry.index as usize).filter(|place| place.is_empty());
        let place = place.ok_or_else(|| wrong("gave a vector that nobody asked for"))?;
        *place = unit(entry.embedding)?;
        let length = u32::try_from(place.len()).unwrap_or(u32::MAX);
        if !server.learn_dimension(length) {
            return Err(wrong("gave a vector of another length than before"));
        }
    }
    if vectors.iter().any(Vec::is_empty) {
        return Err(wrong("gave too few vectors"));
    }
    Ok(Answered { vectors, tokens })
}

/// The same direction, of length one: not every server makes them so.
fn unit(vector: Vec<f32>) -> Result<Vec<f32>, ServeError> {
    let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    if !length.is_finite() || length == 0.0 {
        return Err(wrong("gave a vector that is empty, zero or not finite"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "it was an f32 before")]
    let scaled = vector.into_iter().map(|value| (f64::from(value) / length) as f32);
    Ok(scaled.collect())
}

fn wrong(what: &str) -> ServeError {
    ServeError::Upstream { message: what.into() }
}
