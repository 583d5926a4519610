//! The words of a streamed answer.

use gaia_core::ServeError;
use gaia_protocol::Event;
use serde::Serialize;
use serde_json::{Value, json};

use super::Draft;
use super::answer::{Answer, State};
use super::item::{Item, Status};
use super::output::Change;
use crate::http::sse::{Chunks, Frame};

/// Streams a draft while it grows.
pub struct Stream {
    draft: Draft,
    told: Told,
}

/// The frames that are ready to be sent.
#[derive(Default)]
struct Told {
    frames: Vec<Frame>,
    sequence_number: u64,
}

#[derive(Serialize)]
struct WithAnswer<'a> {
    r#type: &'static str,
    sequence_number: u64,
    response: &'a Answer<'a>,
}

#[derive(Serialize)]
struct WithItem<'a> {
    r#type: &'static str,
    sequence_number: u64,
    output_index: usize,
    item: &'a Item,
}

impl Stream {
    /// Nothing is told yet.
    pub fn new(draft: Draft) -> Self {
        Self { draft, told: Told::default() }
    }

    fn tell(&mut self, name: &'static str, state: State<'_>) {
        self.told.answer(name, &self.draft.head.answer(&self.draft.output, state));
    }
}

impl Chunks for Stream {
    fn start(&mut self) -> Vec<Frame> {
        self.tell("response.created", State::InProgress);
        self.tell("response.in_progress", State::InProgress);
        self.told.take()
    }

    fn event(&mut self, _choice: u32, event: Event) -> Vec<Frame> {
        let told = &mut self.told;
        self.draft
            .output
            .apply(event, &mut |index, item, change| told.change(index, item, &change));
        told.take()
    }

    fn end(&mut self) -> Vec<Frame> {
        self.draft.keep();
        let answer = self.draft.head.answer(&self.draft.output, State::Ended);
        let name = match answer.status() {
            "incomplete" => "response.incomplete",
            _ => "response.completed",
        };
        self.told.answer(name, &answer);
        self.told.take()
    }

    fn fail(&mut self, error: ServeError) -> Vec<Frame> {
        let told = &mut self.told;
        let tell = &mut |index, item: &Item, change: Change<'_>| told.change(index, item, &change);
        self.draft.output.close(Status::Incomplete, tell);
        self.tell("response.failed", State::Failed(&error));
        self.told.take()
    }
}

impl Told {
    fn take(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.frames)
    }

    fn answer(&mut self, r#type: &'static str, response: &Answer<'_>) {
        let sequence_number = self.next();
        self.frames.push(Frame::named(r#type, &WithAnswer { r#type, sequence_number, response }));
    }

    fn change(&mut self, output_index: usize, item: &Item, change: &Change<'_>) {
        let sequence_number = self.next();
        let r#type = name(item, change);
        if matches!(change, Change::Added | Change::Done) {
            let event = WithItem { r#type, sequence_number, output_index, item };
            return self.frames.push(Frame::named(r#type, &event));
        }
        let mut event = json!({
            "type": r#type,
            "sequence_number": sequence_number,
            "item_id": item.id(),
            "output_index": output_index,
        });
        add_details(&mut event, item, change);
        self.frames.push(Frame::named(r#type, &event));
    }

    fn next(&mut self) -> u64 {
        let next = self.sequence_number;
        self.sequence_number += 1;
        next
    }
}

fn name(item: &Item, change: &Change<'_>) -> &'static str {
    match (change, item) {
        (Change::Added, _) => "response.output_item.added",
        (Change::Searching(name), _) => name,
        (Change::Done, _) => "response.output_item.done",
        (Change::PartAdded, _) => "response.content_part.added",
        (Change::PartDone, _) => "response.content_part.done",
        (Change::Grown { .. }, Item::FunctionCall { .. }) => {
            "response.function_call_arguments.delta"
        }
        (Change::Grown { .. }, Item::Reasoning { .. }) => "response.reasoning_text.delta",
        (Change::Grown { .. }, _) => "response.output_text.delta",
        (Change::Annotated { .. }, _) => "response.output_text.annotation.added",
        (Change::TextDone, Item::FunctionCall { .. }) => "response.function_call_arguments.done",
        (Change::TextDone, Item::Reasoning { .. }) => "response.reasoning_text.done",
        (Change::TextDone, _) => "response.output_text.done",
    }
}

/// A message or a thought has one part, the first.
fn add_details(event: &mut Value, item: &Item, change: &Change<'_>) {
    let parts = match item {
        Item::FunctionCall { name, arguments, .. } => {
            match change {
                Change::Grown { text, .. } => event["delta"] = json!(text),
                _ => (event["name"], event["arguments"]) = (json!(name), json!(arguments)),
            }
            return;
        }
        Item::Message { content, .. } | Item::Reasoning { content, .. } => content,
        Item::FunctionCallOutput { .. } | Item::FileSearchCall { .. } => return,
    };
    event["content_index"] = json!(0);
    let (first, is_message) = (parts.first(), matches!(item, Item::Message { .. }));
    match change {
        Change::Grown { text, logprobs } => {
            event["delta"] = json!(text);
            if is_message {
                event["logprobs"] = json!(logprobs);
            }
        }
        Change::Annotated { index, annotation } => {
            event["annotation_index"] = json!(index);
            event["annotation"] = json!(annotation);
        }
        Change::TextDone => {
            let part = json!(first);
            event["text"] = part["text"].clone();
            if is_message {
                event["logprobs"] = part["logprobs"].clone();
            }
        }
        _ => event["part"] = json!(first),
    }
}
