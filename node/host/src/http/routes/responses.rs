//! `POST /v1/responses`: OpenAI's newer API for conversations.
//!
//! A request becomes items ([`input`]) and settings ([`settings`]); the items become the messages of
//! a chat task ([`conversation`]). Its events become items again ([`output`]), told one by one
//! ([`stream`]) or all at once ([`answer`]), and kept for the next request ([`stored`]).

mod answer;
mod conversation;
mod describe;
mod file_search;
mod input;
mod item;
mod namespaces;
mod output;
mod settings;
pub mod stored;
mod stream;
#[cfg(test)]
mod tests;
mod tools;

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use gaia_core::ServeError;
use gaia_protocol::{ChatTask, ModelKind};

use self::answer::Head;
pub use self::describe::routes;
use self::item::Item;
use self::output::Output;
use self::settings::{Settings, Task};
use self::stored::{Budget, Stored};
use self::stream::Stream;
use super::Shared;
use crate::http::error::ApiError;
use crate::http::fields::Fields;
use crate::http::ids::{new_id, now_s};
use crate::http::knowledge::Wish;
use crate::http::pictures::Pictures;
use crate::http::running::Running;
use crate::http::{self, State, auth, body, json, sse};
use crate::store::{Entry, Owner};

/// What this API calls fields of a conversation that the core and its apps have other names for.
const NAMES: [(&str, &str); 2] = [("messages", "input"), ("response_format", "text.format")];

/// Answers, whole or streamed.
pub async fn post(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let owner = auth::owner(&request);
    let asked = Asked::parse(body::read_fields(&state, request).await?)?;
    let streamed = asked.streamed;
    let started = asked.start(&state, owner).await;
    let (draft, running) = started.map_err(|error| error.rename(&NAMES))?;
    let answered =
        if streamed { stream(draft, running).await } else { whole(draft, running).await };
    answered.map_err(|error| ApiError::from(error).blame("input").rename(&NAMES))
}

async fn whole(mut draft: Draft, mut running: Running) -> Result<Response, ServeError> {
    while let Some(next) = running.next().await {
        let (_choice, event) = next?;
        draft.output.apply(event, &mut |_, _, _| {});
    }
    draft.keep();
    Ok(json::ok(&draft.head.answer(&draft.output, answer::State::Ended)))
}

async fn stream(draft: Draft, mut running: Running) -> Result<Response, ServeError> {
    running.open().await?;
    Ok(sse::response(running, Stream::new(draft)))
}

/// A request whose every field is right.
struct Asked {
    model: Option<String>,
    streamed: bool,
    input: Vec<input::Input>,
    settings: Settings,
    task: Task,
    wish: Wish,
}

impl Asked {
    fn parse(mut fields: Fields) -> Result<Self, ApiError> {
        let (model, streamed) = (fields.string("model")?, fields.flag("stream")?);
        let input = input::read(fields.required("input")?)?;
        let wish = Wish::take(&mut fields)?;
        let (settings, task) = settings::take(fields)?;
        Ok(Self { model, streamed, input, settings, task, wish })
    }

    async fn start(self, state: &Arc<State>, owner: Owner) -> Result<(Draft, Running), ApiError> {
        let Self { model, input, settings, task, wish, .. } = self;
        let mut budget = Budget::new(state);
        let before = match &settings.previous_response_id {
            Some(id) => stored::history(state, &owner, id, &mut budget)?,
            None => vec![],
        };
        let input = stored::resolve(state, &owner, input, &mut budget)?;
        let mut pictures = Pictures::default();
        let instructions = settings.instructions.as_deref();
        let said: Vec<_> = before.iter().flat_map(|turn| turn.items()).collect();
        let messages = conversation::messages(instructions, (&said, &input), &mut pictures)?;
        let Task { tools, format, template_options, sampling, .. } = task;
        let (wish, searchable) = match task.file_search {
            Some(search) => {
                let (wish, found) = search.open(state, &owner, (wish, task.with_results)).await?;
                (wish, Some(found))
            }
            None => (wish, None),
        };
        let (max_tokens, stop) = (settings.max_output_tokens, vec![]);
        let namespaces = task.namespaces;
        let task = ChatTask {
            messages,
            tools,
            format,
            template_options,
            sampling,
            max_tokens,
            stop,
            ..ChatTask::default()
        };
        let asked = http::Asked { owner: owner.clone(), model, task, pictures, choices: 1, wish };
        let running = state.answer(asked).await?;
        let settings = completed(state, running.model(), settings);
        let (id, created_at) = (new_id("resp_"), now_s());
        let head = Head { id, created_at, model: running.model().to_owned(), settings };
        let state = Arc::clone(state);
        let output = Output::resting_on(running.sources().clone(), searchable).calling(namespaces);
        Ok((Draft { head, output, input, owner, state }, running))
    }
}

/// What is known of settings that the request leaves open.
fn completed(state: &State, model: &str, settings: Settings) -> Settings {
    let served = state.node.models.choose(Some(model), ModelKind::Chat);
    let is_own = served.is_ok_and(|model| model.is_own());
    if is_own { settings.with_defaults() } else { settings }
}

/// An answer that is being made.
struct Draft {
    head: Head,
    output: Output,
    input: Vec<Item>,
    owner: Owner,
    state: Arc<State>,
}

impl Draft {
    /// Keeps the answer, which is whole, if that is wanted.
    fn keep(&mut self) {
        if !self.head.settings.store {
            return;
        }
        let answer = self.head.answer(&self.output, answer::State::Ended);
        let body = serde_json::to_string(&answer).expect("our own answers have string keys only");
        let input = std::mem::take(&mut self.input);
        let output = self.output.items().to_vec();
        let parts = input.iter().chain(&output).map(|item| item.id().to_owned()).collect();
        let input_bytes = serde_json::to_vec(&input).map_or(0, |json| json.len());
        // The output is in the body, too.
        let bytes = 2 * body.len() + input_bytes;
        let previous = self.head.settings.previous_response_id.clone();
        let value = Stored { body, previous, input, output };
        self.state.responses.insert(&self.owner, &self.head.id, Entry { value, bytes, parts });
    }
}
