//! Use case: say something else of a document that is there, without embedding it again.

use serde_json::{Map, Value};

use super::{Change, Filter, Scan};
use crate::{Node, ServeError};

/// Points that are rewritten at once: with their vectors they are a few megabytes.
const PAGE: usize = 256;

/// Gives all chunks of a document these attributes in place of those they had; returns how many there
/// are.
///
/// # Errors
/// The knowledge base's own.
pub async fn set_attributes(
    node: &Node,
    collection: &str,
    (document, attributes): (&str, &Map<String, Value>),
) -> Result<usize, ServeError> {
    let knowledge = node.knowledge()?;
    let mut scan = Scan {
        collection: collection.to_owned(),
        filter: Some(Filter::text("document", document)),
        limit: PAGE,
        with_vectors: true,
        after: None,
    };
    let mut count = 0;
    loop {
        let mut page = knowledge.scan(scan.clone()).await?;
        count += page.points.len();
        page.points.iter_mut().for_each(|point| put(&mut point.payload, attributes));
        if !page.points.is_empty() {
            knowledge.change(collection, Change::Upsert(page.points)).await?;
        }
        match page.next {
            Some(next) => scan.after = Some(next),
            None => return Ok(count),
        }
    }
}

fn put(payload: &mut Map<String, Value>, attributes: &Map<String, Value>) {
    match attributes.is_empty() {
        true => drop(payload.remove("attributes")),
        false => drop(payload.insert("attributes".into(), attributes.clone().into())),
    }
}
