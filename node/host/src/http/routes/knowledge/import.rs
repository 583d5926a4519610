//! `…/import`: a file of `…/export` becomes a collection. The body of `PUT` is the file, with the options
//! in the query; that of `POST` is a JSON object that names a file in `knowledge.snapshot_dirs` or an
//! `https` address. With `stream` the answer is events that tell how far it is.

use std::sync::Arc;

use axum::extract::{Path, Request};
use axum::http::Uri;
use axum::response::Response;
use gaia_core::KnowledgeError;
use gaia_core::knowledge::check_name;
use gaia_knowledge::portable::{self, ImportOptions, Imported, Rule, Step, Watch};
use serde_json::{Map, Value, json};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::handed::{self, Handed};
use super::snapshots::config;
use super::watched::{self, Work};
use crate::http::error::ApiError;
use crate::http::fields::{Fields, missing, must_be};
use crate::http::query::Query;
use crate::http::routes::Shared;
use crate::http::{State, body};
use crate::knowledge::{Snapshot, Trust};

/// Options that are strings, and those that are true or false.
const STRINGS: [&str; 3] = ["embedder", "query_prefix", "text_prefix"];
const FLAGS: [&str; 3] = ["reembed", "replace", "stream"];

/// What a request asks for besides the file.
struct Asked {
    options: ImportOptions,
    streams: bool,
}

/// Takes a file over that the body names.
pub async fn post(
    axum::extract::State(state): Shared,
    Path(collection): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let turn = turn(&state, &collection)?;
    let mut fields = body::read_fields(&state, request).await?;
    let source = fields.string("source")?.ok_or_else(|| missing("source"))?;
    let sha256 = fields.string("sha256")?;
    let asked = asked(&state, fields)?;
    let file = fetch(&state, &source, sha256.as_deref()).await?;
    answer(state, (collection, asked), (file, turn)).await
}

/// Takes the body over.
pub async fn put(
    axum::extract::State(state): Shared,
    Path(collection): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let turn = turn(&state, &collection)?;
    // Wrong options are told before anything is sent.
    let asked = asked(&state, of_query(request.uri())?)?;
    let file = handed::receive(&state, request.into_body()).await?;
    answer(state, (collection, asked), (file, turn)).await
}

fn turn(state: &State, collection: &str) -> Result<OwnedSemaphorePermit, ApiError> {
    check_name(collection)?;
    let turn = Arc::clone(&state.transfers).try_acquire_owned();
    Ok(turn.map_err(|_| KnowledgeError::Overloaded)?)
}

async fn answer(
    state: Arc<State>,
    (collection, asked): (String, Asked),
    held: (Handed, OwnedSemaphorePermit),
) -> Result<Response, ApiError> {
    let (tell, told) = watch::channel(Step::default());
    let file = held.0.path().to_owned();
    let options = ImportOptions { collection, file, ..asked.options };
    let work = work(state, options, tell, held);
    watched::answer(work, asked.streams.then_some(told)).await
}

/// The options of a query as those of a body.
fn of_query(uri: &Uri) -> Result<Fields, ApiError> {
    let (mut query, mut map) = (Query::parse(uri)?, Map::new());
    for name in STRINGS {
        query.take(name).and_then(|text| map.insert(name.into(), text.into()));
    }
    for name in FLAGS {
        let flag = query.take(name).map(|text| match text.as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(must_be(name, "true or false")),
        });
        flag.transpose()?.and_then(|flag| map.insert(name.into(), flag.into()));
    }
    query.finish()?;
    Fields::parse(Value::Object(map).to_string().as_bytes())
}

fn asked(state: &State, mut fields: Fields) -> Result<Asked, ApiError> {
    let config = config(state)?;
    let options = ImportOptions {
        bytes_max: config.unpacked_bytes_max,
        replaces: fields.flag("replace")?,
        embedder: fields.string("embedder")?,
        rule: match fields.maybe_flag("reembed")? {
            Some(true) => Rule::Anew,
            Some(false) => Rule::Keep,
            None if config.import_reembeds => Rule::IfOther,
            None => Rule::RefuseOther,
        },
        query_prefix: fields.string("query_prefix")?,
        text_prefix: fields.string("text_prefix")?,
        ..ImportOptions::default()
    };
    let streams = fields.flag("stream")?;
    fields.finish(&[])?;
    Ok(Asked { options, streams })
}

async fn fetch(state: &State, source: &str, sha256: Option<&str>) -> Result<Handed, ApiError> {
    let fetched = Snapshot { source, sha256, trust: Trust::Request }.fetch(config(state)?).await;
    let refused = |error: anyhow::Error| ApiError::invalid("source", format!("{error:#}"));
    fetched.map(Handed::Fetched).map_err(refused)
}

/// The import; it holds its file and its turn until its end.
fn work(
    state: Arc<State>,
    options: ImportOptions,
    tell: watch::Sender<Step>,
    held: (Handed, OwnedSemaphorePermit),
) -> Work {
    let watch: Watch = Box::new(move |step| {
        tell.send_replace(step);
    });
    Box::pin(async move {
        let _held = held;
        let imported = portable::import(&state.node, &options, watch).await?;
        Ok(described(&imported))
    })
}

fn described(imported: &Imported) -> Value {
    json!({
        "collection": imported.collection,
        "reembedded": imported.is_embedded_anew,
        "records": imported.summary.records,
        "records_sha256": imported.summary.sha256,
    })
}
