//! `search_knowledge`: passages of the knowledge bases that answer a question.

use std::sync::Arc;

use gaia_core::ServeError;
use gaia_core::knowledge::{Passage, Retrieval, Target, retrieve};
use rmcp::model::{CallToolResult, JsonObject, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arguments;
use super::{Entry, Work, looks_only};
use crate::mcp::answer::{self, Answer, failure, fit};
use crate::mcp::{Shared, documents};
use crate::store::Owner;

const DESCRIPTION: &str = "Searches the node's knowledge bases (the Rust books, references and \
    whatever else it was given) for passages that answer a question. `collection` limits the search to \
    one of them. Cite what you use by `document`.";

/// Bytes of a question, as its model would cut them anyway.
const QUERY_BYTES_MAX: usize = 8 << 10;
/// Bytes of a passage as it is told.
const PASSAGE_BYTES_MAX: usize = 1500;
/// Collections that are searched if none is named.
const COLLECTIONS_MAX: usize = 16;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    query: String,
    #[serde(default)]
    collection: Option<String>,
    /// Passages at most, 1 to 20.
    #[serde(default = "limit")]
    limit: usize,
}

fn limit() -> usize {
    5
}

/// What was found.
#[derive(Serialize, JsonSchema)]
struct Found {
    passages: Vec<Told>,
}

/// A passage.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct Told {
    collection: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heading: Option<String>,
    score: f32,
    text: String,
    /// The whole document.
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<String>,
}

/// The tool.
pub fn entry() -> Entry {
    let tool = Tool::new("search_knowledge", DESCRIPTION, arguments::schema::<Arguments>())
        .with_raw_output_schema(answer::schema::<Found>())
        .with_annotations(looks_only("Search the knowledge bases"));
    Entry { tool, begin }
}

fn begin(shared: &Arc<Shared>, _: &Owner, given: JsonObject) -> Result<Work, String> {
    let Arguments { query, collection, limit } = arguments::parse(given)?;
    arguments::text("query", &query, QUERY_BYTES_MAX)?;
    if !(1..=20).contains(&limit) {
        return Err(format!("argument `limit`: {limit} is not from 1 to 20"));
    }
    let shared = Arc::clone(shared);
    Ok(Box::new(move |tell| {
        Box::pin(async move {
            tell.step("searching");
            match search(&shared, query, (collection, limit)).await {
                Ok(passages) => tell_passages(&passages),
                Err(error) => failure(&error.to_string()),
            }
        })
    }))
}

/// Searches one collection, or all.
///
/// # Errors
/// As [`retrieve`].
pub async fn search(
    shared: &Shared,
    query: String,
    (collection, limit): (Option<String>, usize),
) -> Result<Vec<Passage>, ServeError> {
    let node = &shared.parts.node;
    let names = match collection {
        Some(name) => vec![name],
        None => {
            let all = node.knowledge()?.collections().await?;
            let filled = all.into_iter().filter(|collection| collection.points > 0);
            filled.map(|collection| collection.name).take(COLLECTIONS_MAX).collect()
        }
    };
    if names.is_empty() {
        return Ok(vec![]);
    }
    let target = |collection| Target { collection, limit, score_threshold: None };
    let targets = names.into_iter().map(target).collect();
    let retrieval = Retrieval { query, targets, ..Retrieval::default() };
    let mut passages = retrieve(node, &retrieval).await?;
    passages.truncate(limit);
    Ok(passages)
}

fn tell_passages(passages: &[Passage]) -> CallToolResult {
    let text = match passages {
        [] => "nothing was found".to_owned(),
        found => lines(found),
    };
    let passages = passages.iter().map(told).collect();
    Answer::new(text, &Found { passages }).into_result()
}

/// Passages to read, each with where it is from.
pub fn lines(passages: &[Passage]) -> String {
    let block = |(place, passage): (usize, &Passage)| {
        let document = passage.document().unwrap_or(&passage.collection);
        let heading = passage.heading().map(|heading| format!(" › {heading}")).unwrap_or_default();
        let text = fit(passage.text(), PASSAGE_BYTES_MAX);
        format!("[{}] {document}{heading}\n{text}", place + 1)
    };
    passages.iter().enumerate().map(block).collect::<Vec<_>>().join("\n\n")
}

/// A passage as data.
pub fn told(passage: &Passage) -> Told {
    Told {
        collection: passage.collection.clone(),
        document: passage.document().map(str::to_owned),
        heading: passage.heading().map(str::to_owned),
        score: passage.score,
        text: fit(passage.text(), PASSAGE_BYTES_MAX),
        uri: passage.document().map(|name| documents::uri(&passage.collection, name)),
    }
}
