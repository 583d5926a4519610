//! `POST /v1/chunks`: cuts an uploaded text where its sentences and headings end, as LlamaEdge does.

use axum::extract::Request;
use axum::response::Response;
use gaia_core::{Models, ServeError};
use gaia_documents::{Markup, Splitter};
use gaia_protocol::ModelKind;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::{Shared, files};
use crate::http::error::ApiError;
use crate::http::fields::{Fields, must_be};
use crate::http::openapi::{Operation, Schema, Tag};
use crate::http::{State, auth, body, json};
use crate::ingest::measure;
use crate::store::FileInfo;

/// A longer text is cut by hand first: all of it is held in memory, several times.
const TEXT_BYTES_MAX: u64 = 4 << 20;

/// The route.
pub fn operation() -> Operation {
    let body = Schema::object()
        .needs("id", Schema::text().says("An uploaded file whose name ends in .txt or .md."))
        .needs("chunk_capacity", Schema::integer().least(1).says("Tokens of a chunk at most."))
        .may(
            "filename",
            Schema::text().says("The file's name, to be sure that it is the right one."),
        )
        .may("model", Schema::text().says("Whose tokens are counted."));
    let answer = Schema::open()
        .needs("id", Schema::text())
        .needs("filename", Schema::text())
        .needs("chunks", Schema::list(Schema::text()));
    Operation::post("/v1/chunks", "chunks")
        .tag(Tag::Knowledge)
        .says("Cuts an uploaded text where its sentences and headings end, as LlamaEdge does.")
        .takes(body, json!({"id": "file-1", "chunk_capacity": 100}))
        .answers(answer)
}

/// Cuts a text into chunks.
pub async fn post(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let owner = auth::owner(&request);
    let asked = Asked::parse(body::read_fields(&state, request).await?)?;
    let file = files::find(&state, &owner, &asked.id)?;
    let markup = asked.check(&file)?;
    let text = read(&state, &file).await?;
    let model = counting_model(&state.node.models, asked.model.as_deref())?;
    let work = measure(&state.node, &model, &text);
    let measure = timeout(state.request_timeout, work).await;
    let measure = measure.unwrap_or(Err(ServeError::TimeLimit))?;
    let splitter = Splitter { markup, measure, capacity: asked.capacity };
    let chunks = cut(&state, splitter, text).await?;
    Ok(json::ok(&json!({"id": file.id, "filename": file.filename, "chunks": chunks})))
}

struct Asked {
    id: String,
    filename: Option<String>,
    capacity: usize,
    model: Option<String>,
}

impl Asked {
    fn parse(mut fields: Fields) -> Result<Self, ApiError> {
        let id = fields.string("id")?;
        let id = id.ok_or_else(|| ApiError::invalid("id", "`id` is missing"))?;
        let capacity = fields.count("chunk_capacity")?.ok_or_else(|| {
            ApiError::invalid("chunk_capacity", "`chunk_capacity` is missing: give tokens a chunk")
        })?;
        let (filename, model) = (fields.string("filename")?, fields.string("model")?);
        fields.finish(&[])?;
        Ok(Self { id, filename, capacity: capacity as usize, model })
    }

    /// How to cut `file`, if it is the one that is meant and a text.
    fn check(&self, file: &FileInfo) -> Result<Markup, ApiError> {
        if self.filename.as_ref().is_some_and(|name| *name != file.filename) {
            let message = format!("`filename`: the file {} has another name", file.id);
            return Err(ApiError::invalid("filename", message));
        }
        if file.bytes > TEXT_BYTES_MAX {
            let what = format!("a file of at most {TEXT_BYTES_MAX} bytes");
            return Err(must_be("id", &what));
        }
        let ending = file.filename.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        match ending.as_deref() {
            Some("txt") => Ok(Markup::Plain),
            Some("md") => Ok(Markup::Markdown),
            _ => Err(must_be("id", "a file whose name ends in .txt or .md")),
        }
    }
}

/// Cuts a text on a thread of its own.
async fn cut(state: &State, splitter: Splitter, text: String) -> Result<Vec<String>, ServeError> {
    let permit = state.node.admission.admit()?;
    let (sender, receiver) = oneshot::channel();
    spawn_blocking(move || {
        let _permit = permit;
        let chunks = splitter.chunks(&text, || sender.is_closed());
        // Nobody waits any more: then it was not finished either.
        let _ = sender.send(chunks);
    });
    match timeout(state.request_timeout, receiver).await {
        Ok(Ok(chunks)) => Ok(chunks),
        Ok(Err(_)) => Err(ServeError::App { message: "the text could not be cut".into() }),
        Err(_) => Err(ServeError::TimeLimit),
    }
}

async fn read(state: &State, file: &FileInfo) -> Result<String, ApiError> {
    let failed = |error: std::io::Error| files::refusal(error.into());
    let mut content = state.files.read(file).await.map_err(failed)?;
    let mut bytes = vec![];
    content.read_to_end(&mut bytes).await.map_err(failed)?;
    String::from_utf8(bytes).map_err(|_| must_be("id", "a file in UTF-8"))
}

/// The named model, or else the one that will turn the chunks into vectors, or else the only one.
fn counting_model(models: &Models, name: Option<&str>) -> Result<String, ServeError> {
    let model = match (name, models.choose(None, ModelKind::Embedding)) {
        (None, Ok(only)) => Ok(only),
        (name, _) => models.choose_any(name),
    };
    model.map(|model| model.name().to_owned())
}
