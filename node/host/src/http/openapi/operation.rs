//! What one method of one path does.

use axum::routing::MethodFilter;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::Schema;

/// Which part of the node a route belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// The APIs of OpenAI and Anthropic, and what local servers add to them.
    OpenAi,
    /// Knowledge bases and vector stores.
    Knowledge,
    /// Compiling and repairing Rust.
    RustCoder,
    /// The node itself.
    Node,
}

impl Tag {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::OpenAi, Self::Knowledge, Self::RustCoder, Self::Node];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "OpenAI",
            Self::Knowledge => "Knowledge",
            Self::RustCoder => "Rust Coder",
            Self::Node => "Node",
        }
    }

    /// What it is, in words.
    pub fn description(self) -> &'static str {
        match self {
            Self::OpenAi => {
                "Chat, completions, embeddings, reranking, files: the APIs of OpenAI and Anthropic."
            }
            Self::Knowledge => "Knowledge bases and vector stores.",
            Self::RustCoder => "Rust projects: compiling, testing, running, repairing.",
            Self::Node => "The node, its models and its pages.",
        }
    }
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// Everyone.
    Open,
    /// Whoever has a key, if the node has keys.
    Key,
    /// Whoever may manage the node.
    Admin,
}

/// Where a schema comes from.
#[derive(Clone)]
enum Source {
    Made(Schema),
    Typed(fn(&mut SchemaGenerator) -> schemars::Schema),
}

impl Source {
    fn resolve(&self, generator: &mut SchemaGenerator) -> Value {
        match self {
            Self::Made(schema) => schema.clone().into(),
            Self::Typed(describe) => describe(generator).into(),
        }
    }
}

/// A body in one of its forms.
#[derive(Clone)]
struct Content {
    media: &'static str,
    source: Source,
    example: Option<Value>,
}

const JSON: &str = "application/json";

/// A route's description.
#[derive(Clone)]
pub struct Operation {
    filter: MethodFilter,
    method: &'static str,
    path: &'static str,
    id: &'static str,
    tag: Tag,
    description: String,
    parameters: Vec<Value>,
    body: Option<Content>,
    status: u16,
    answers: Vec<Content>,
    /// Good answers of another status.
    others: Vec<(u16, Content)>,
    errors: &'static str,
    access: Access,
}

impl Operation {
    /// `GET path`; `id` is its name among all operations.
    pub fn get(path: &'static str, id: &'static str) -> Self {
        Self::new((MethodFilter::GET, "get"), path, id)
    }

    /// `POST path`.
    pub fn post(path: &'static str, id: &'static str) -> Self {
        Self::new((MethodFilter::POST, "post"), path, id)
    }

    /// `PUT path`.
    pub fn put(path: &'static str, id: &'static str) -> Self {
        Self::new((MethodFilter::PUT, "put"), path, id)
    }

    /// `DELETE path`.
    pub fn delete(path: &'static str, id: &'static str) -> Self {
        Self::new((MethodFilter::DELETE, "delete"), path, id)
    }

    fn new(
        (filter, method): (MethodFilter, &'static str),
        path: &'static str,
        id: &'static str,
    ) -> Self {
        Self {
            filter,
            method,
            path,
            id,
            tag: Tag::OpenAi,
            description: String::new(),
            parameters: vec![],
            body: None,
            status: 200,
            answers: vec![],
            others: vec![],
            errors: "Error",
            access: Access::Key,
        }
    }

    /// The same on another path, under another name.
    pub fn also(self, path: &'static str, id: &'static str) -> Self {
        Self { path, id, ..self }
    }

    /// The part of the node that it belongs to; OpenAI's if nothing is said.
    pub fn tag(self, tag: Tag) -> Self {
        Self { tag, ..self }
    }

    /// What it does, for people and for agents that choose among tools.
    pub fn says(self, description: &str) -> Self {
        Self { description: description.to_owned(), ..self }
    }

    /// A part of the path: `{name}`.
    pub fn segment(self, name: &str, description: &str) -> Self {
        self.parameter(json!({
            "name": name,
            "in": "path",
            "required": true,
            "description": description,
            "schema": Value::from(Schema::text()),
        }))
    }

    /// A parameter of the query that may be left out.
    pub fn query(self, name: &str, schema: Schema, description: &str) -> Self {
        self.parameter(json!({
            "name": name,
            "in": "query",
            "required": false,
            "description": description,
            "schema": Value::from(schema),
        }))
    }

    /// A parameter of the query that must be there.
    pub fn needs_query(self, name: &str, schema: Schema, description: &str) -> Self {
        let mut same = self.query(name, schema, description);
        if let Some(parameter) = same.parameters.last_mut() {
            parameter["required"] = json!(true);
        }
        same
    }

    /// The query of a list that comes in pages.
    pub fn pages(self, most: usize) -> Self {
        self.query("after", Schema::text(), "The id behind which the page begins.")
            .query("limit", Schema::integer().within(1, most), "Entries of the page at most.")
            .query("order", Schema::words(&["asc", "desc"]).default("desc"), "By time of creation.")
    }

    fn parameter(mut self, parameter: Value) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// The JSON object that it takes; `example` is a good one, as small as may be.
    pub fn takes(self, schema: Schema, example: Value) -> Self {
        let source = Source::Made(schema);
        Self { body: Some(Content { media: JSON, source, example: Some(example) }), ..self }
    }

    /// What it takes that is no JSON: a form, or bytes. It has a limit of its own on its size.
    pub fn takes_upload(self, media: &'static str, schema: Schema) -> Self {
        let source = Source::Made(schema);
        Self { body: Some(Content { media, source, example: None }), ..self }
    }

    /// The JSON that it answers.
    pub fn answers(self, schema: Schema) -> Self {
        self.answer(JSON, Source::Made(schema))
    }

    /// The JSON that it answers: a value of this type.
    pub fn answers_with<T: JsonSchema>(self) -> Self {
        self.answer(JSON, Source::Typed(SchemaGenerator::subschema_for::<T>))
    }

    /// The JSON that it answers: a page of a list of values of this type.
    pub fn answers_page_of<T: JsonSchema>(self) -> Self {
        self.answer(JSON, Source::Typed(page_of::<T>))
    }

    /// What it answers that is no JSON.
    pub fn answers_in(self, media: &'static str, schema: Schema) -> Self {
        self.answer(media, Source::Made(schema))
    }

    /// It can answer as a stream of server-sent events instead.
    pub fn streams(self, description: &str) -> Self {
        // OpenAPI 3.1 has no schema for events: some readers hold one against each event, others against
        // the whole text.
        self.answers_in("text/event-stream", Schema::any().says(description))
    }

    fn answer(mut self, media: &'static str, source: Source) -> Self {
        self.answers.push(Content { media, source, example: None });
        self
    }

    /// The status of a good answer, where it is not 200.
    pub fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// A good answer, in JSON, that has another status.
    pub fn or_answers(mut self, status: u16, schema: Schema) -> Self {
        self.others
            .push((status, Content { media: JSON, source: Source::Made(schema), example: None }));
        self
    }

    /// The common schema of its refusals, where it is not OpenAI's.
    pub fn refuses_as(self, errors: &'static str) -> Self {
        Self { errors, ..self }
    }

    /// It needs no key.
    pub fn for_everyone(self) -> Self {
        Self { access: Access::Open, ..self }
    }

    /// It takes a key that may manage the node.
    pub fn for_admins(self) -> Self {
        Self { access: Access::Admin, ..self }
    }

    /// Its method.
    pub fn filter(&self) -> MethodFilter {
        self.filter
    }

    /// Its method, as the document writes it.
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// Its path.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// Whether its body is no JSON.
    pub fn is_upload(&self) -> bool {
        self.body.as_ref().is_some_and(|body| body.media != JSON)
    }

    /// It as the document has it.
    pub fn describe(&self, generator: &mut SchemaGenerator) -> Value {
        let mut described = json!({
            "operationId": self.id,
            "tags": [self.tag.name()],
            "description": self.words(),
            "responses": self.responses(generator),
        });
        if !self.parameters.is_empty() {
            described["parameters"] = json!(self.parameters);
        }
        if let Some(body) = &self.body {
            let content = contents(std::slice::from_ref(body), generator);
            described["requestBody"] = json!({"required": true, "content": content});
        }
        if self.access == Access::Open {
            described["security"] = json!([]);
        }
        described
    }

    fn words(&self) -> String {
        match self.access {
            Access::Admin => {
                format!("{} It takes a key that may manage the node.", self.description)
            }
            Access::Open | Access::Key => self.description.clone(),
        }
    }

    fn responses(&self, generator: &mut SchemaGenerator) -> Value {
        let error = Content {
            media: JSON,
            source: Source::Made(Schema::named(self.errors)),
            example: None,
        };
        let mut good = json!({"description": "It is done."});
        if !self.answers.is_empty() {
            good["content"] = contents(&self.answers, generator);
        }
        let refused = json!({
            "description": "It is refused, or it failed: the message says why and what to do.",
            "content": contents(&[error], generator),
        });
        let mut responses = json!({self.status.to_string(): good, "default": refused});
        for (status, other) in &self.others {
            let content = contents(std::slice::from_ref(other), generator);
            responses[status.to_string()] = json!({"description": "As said.", "content": content});
        }
        responses
    }
}

fn page_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> schemars::Schema {
    let mut page = Value::from(Schema::page(Schema::any()));
    page["properties"]["data"]["items"] = generator.subschema_for::<T>().into();
    page.try_into().expect("a page's schema is an object")
}

fn contents(list: &[Content], generator: &mut SchemaGenerator) -> Value {
    let content = |content: &Content| {
        let mut described = json!({"schema": content.source.resolve(generator)});
        if let Some(example) = &content.example {
            described["example"] = example.clone();
        }
        (content.media.to_owned(), described)
    };
    Value::Object(list.iter().map(content).collect::<Map<_, _>>())
}
