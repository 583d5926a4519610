//! Puts an answer's items together from its events.

use gaia_core::knowledge::Sources;
use gaia_protocol::{Channel, Event, FinishReason, Usage};

use super::file_search::Searchable;
use super::item::{Annotation, Item, Logprob, Part, Speaker, Status};
use super::namespaces::Namespaces;
use crate::http::ids::new_id;

/// What an answer consists of so far. One item at a time is open: the last.
#[derive(Debug, Default)]
pub struct Output {
    items: Vec<Item>,
    open: Option<Kind>,
    end: Option<(FinishReason, Usage)>,
    sources: Sources,
    /// Where searches are told: the tool that searches files was given.
    files: Option<Searchable>,
    /// How many searches were told.
    searches: usize,
    /// Where the functions stand that may be called.
    namespaces: Namespaces,
}

/// What happens to the last item.
#[derive(Debug, PartialEq)]
pub enum Change<'a> {
    /// It begins, empty.
    Added,
    /// Its part begins, empty.
    PartAdded,
    /// It grew.
    Grown {
        /// By this text or these arguments.
        text: &'a str,
        /// Made of these tokens.
        logprobs: &'a [Logprob],
    },
    /// It rests on a source.
    Annotated {
        /// Which of its sources.
        index: usize,
        /// The source.
        annotation: &'a Annotation,
    },
    /// The search that it is has got so far.
    Searching(&'static str),
    /// Its text is whole.
    TextDone,
    /// Its part is whole.
    PartDone,
    /// It is whole.
    Done,
}

/// Who is told of the changes, each with the place and the state of the item.
pub type Tell<'a> = &'a mut dyn FnMut(usize, &Item, Change<'_>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Thought,
    Call,
}

impl Output {
    /// Nothing yet; its texts cite `sources`, which may come while it grows. Searches in `files` are
    /// items of it.
    pub fn resting_on(sources: Sources, files: Option<Searchable>) -> Self {
        Self { sources, files, ..Self::default() }
    }

    /// The same, with calls of functions in `namespaces`.
    pub fn calling(self, namespaces: Namespaces) -> Self {
        Self { namespaces, ..self }
    }

    /// What it rests on.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The items so far.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// How the answer ended, if it has.
    pub fn end(&self) -> Option<(FinishReason, Usage)> {
        self.end
    }

    /// Takes the next event.
    pub fn apply(&mut self, event: Event, tell: Tell<'_>) {
        self.tell_searches(tell);
        match event {
            Event::Delta { text, channel, logprobs, .. } => {
                let logprobs: Vec<_> = logprobs.iter().map(Logprob::from).collect();
                if text.is_empty() && logprobs.is_empty() {
                    return;
                }
                let kind = if channel.is_content() { Kind::Text } else { Kind::Thought };
                if self.open != Some(kind) {
                    self.close(Status::Completed, tell);
                    self.begin_text(channel, tell);
                }
                self.grow(&text, &logprobs, tell);
            }
            Event::ToolCall { name, .. } => {
                self.close(Status::Completed, tell);
                self.begin_call(name, tell);
            }
            Event::ToolArguments { text, .. } if self.open == Some(Kind::Call) => {
                self.grow(&text, &[], tell);
            }
            Event::Finish { reason, usage, .. } => {
                let cut = reason == FinishReason::Length;
                self.close(if cut { Status::Incomplete } else { Status::Completed }, tell);
                self.end = Some((reason, usage));
            }
            _ => {}
        }
    }

    /// Ends the open item, as whole or cut off.
    pub fn close(&mut self, status: Status, tell: Tell<'_>) {
        let Some(kind) = self.open.take() else { return };
        self.annotate(tell);
        self.tell(Change::TextDone, tell);
        if kind != Kind::Call {
            self.tell(Change::PartDone, tell);
        }
        self.items.last_mut().expect("the open one").set_status(status);
        self.tell(Change::Done, tell);
    }

    /// Searches were made since the last event.
    fn tell_searches(&mut self, tell: Tell<'_>) {
        let Some(files) = self.files.clone() else { return };
        for search in self.sources.searches(self.searches) {
            self.close(Status::Completed, tell);
            self.searches += 1;
            let (id, queries) = (new_id("fs_"), vec![search.query.clone()]);
            let status = Status::InProgress;
            self.items.push(Item::FileSearchCall { id, queries, results: None, status });
            self.tell(Change::Added, tell);
            self.tell(Change::Searching("response.file_search_call.in_progress"), tell);
            self.tell(Change::Searching("response.file_search_call.searching"), tell);
            if let Some(Item::FileSearchCall { results, status, .. }) = self.items.last_mut() {
                (*results, *status) = (files.results(&search), Status::Completed);
            }
            self.tell(Change::Searching("response.file_search_call.completed"), tell);
            self.tell(Change::Done, tell);
        }
    }

    /// Cites what is known when a text ends.
    fn annotate(&mut self, tell: Tell<'_>) {
        let citations = self.sources.get().unwrap_or_default();
        let Some(parts) = self.items.last_mut().and_then(Item::parts_mut) else { return };
        let Some(part) = parts.last_mut() else { return };
        let annotations = part.annotate(&citations, self.files.as_ref()).to_vec();
        for (index, annotation) in annotations.iter().enumerate() {
            self.tell(Change::Annotated { index, annotation }, tell);
        }
    }

    fn begin_text(&mut self, channel: Channel, tell: Tell<'_>) {
        let (status, content) = (Status::InProgress, vec![]);
        let (item, part, kind) = if channel.is_content() {
            let (id, role) = (new_id("msg_"), Speaker::Assistant);
            let item = Item::Message { id, status, role, content };
            (item, Part::output(String::new()), Kind::Text)
        } else {
            let item = Item::Reasoning { id: new_id("rs_"), summary: [], content, status };
            (item, Part::Thought { text: String::new() }, Kind::Thought)
        };
        self.begin(item, kind, tell);
        if let Some(parts) = self.items.last_mut().and_then(Item::parts_mut) {
            parts.push(part);
        }
        self.tell(Change::PartAdded, tell);
    }

    fn begin_call(&mut self, name: String, tell: Tell<'_>) {
        let (id, call_id) = (new_id("fc_"), new_id("call_"));
        let (arguments, status) = (String::new(), Status::InProgress);
        let (namespace, name) = self.namespaces.split(name);
        let call = Item::FunctionCall { id, call_id, name, namespace, arguments, status };
        self.begin(call, Kind::Call, tell);
    }

    fn begin(&mut self, item: Item, kind: Kind, tell: Tell<'_>) {
        self.items.push(item);
        self.open = Some(kind);
        self.tell(Change::Added, tell);
    }

    fn grow(&mut self, text: &str, logprobs: &[Logprob], tell: Tell<'_>) {
        match self.items.last_mut().expect("one is open") {
            Item::FunctionCall { arguments, .. } => arguments.push_str(text),
            item => {
                let part = item.parts_mut().and_then(|parts| parts.last_mut());
                part.expect("texts begin with a part").push(text, logprobs);
            }
        }
        self.tell(Change::Grown { text, logprobs }, tell);
    }

    fn tell(&self, change: Change<'_>, tell: Tell<'_>) {
        let index = self.items.len() - 1;
        tell(index, &self.items[index], change);
    }
}
