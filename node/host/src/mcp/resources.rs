//! What clients can read: knowledge bases, their documents, and whole outputs of calls.

use gaia_core::ServeError;
use gaia_core::knowledge::{Collection, KnowledgeError};
use rmcp::model::{ErrorData, ReadResourceResult, Resource, ResourceContents, ResourceTemplate};

use super::answer::fit;
use super::{Shared, documents};
use crate::store::Owner;

/// Bytes of a resource at most.
const BYTES_MAX: usize = 256 << 10;

/// Each knowledge base.
///
/// # Errors
/// The knowledge base can't be asked.
pub async fn list(shared: &Shared) -> Result<Vec<Resource>, ErrorData> {
    let Some(knowledge) = &shared.parts.node.knowledge else { return Ok(vec![]) };
    let all = knowledge.collections().await.map_err(|error| failed(&error.into()))?;
    Ok(all.iter().filter(|one| one.is_ready()).map(resource).collect())
}

fn resource(collection: &Collection) -> Resource {
    let name = &collection.name;
    let description = collection.spec.description.as_deref().unwrap_or("a knowledge base");
    Resource::new(format!("knowledge://{name}"), name)
        .with_description(format!("{description} ({} passages)", collection.points))
        .with_mime_type("text/plain")
}

/// What else can be read.
pub fn templates() -> Vec<ResourceTemplate> {
    vec![
        ResourceTemplate::new("knowledge://{collection}/{document}", "document")
            .with_description("A document of a knowledge base, as search_knowledge names it")
            .with_mime_type("text/plain"),
        ResourceTemplate::new("log://{id}", "log")
            .with_description("The whole output of a call, as its answer links to it")
            .with_mime_type("text/plain"),
    ]
}

/// Reads one.
///
/// # Errors
/// There is none, or it can't be read.
pub async fn read(
    shared: &Shared,
    owner: &Owner,
    uri: &str,
) -> Result<ReadResourceResult, ErrorData> {
    let text = if let Some(id) = uri.strip_prefix("log://") {
        shared.logs.get(owner, id).map(|log| log.to_string())
    } else if let Some((collection, document)) = documents::parse(uri) {
        let read = read_knowledge(shared, collection, document.as_deref()).await;
        read.map_err(|error| failed(&error))?
    } else {
        None
    };
    let text = text.ok_or_else(|| not_there(uri))?;
    Ok(ReadResourceResult::new(vec![ResourceContents::text(fit(&text, BYTES_MAX), uri)]))
}

async fn read_knowledge(
    shared: &Shared,
    collection: &str,
    document: Option<&str>,
) -> Result<Option<String>, ServeError> {
    if let Some(document) = document {
        let read = documents::read(shared, collection, document).await;
        return match read {
            Err(ServeError::Knowledge(KnowledgeError::UnknownCollection { .. })) => Ok(None),
            read => read,
        };
    }
    let all = shared.parts.node.knowledge()?.collections().await?;
    let found = all.iter().find(|known| known.name == collection);
    Ok(found.map(|found| {
        let description = found.spec.description.as_deref().unwrap_or("a knowledge base");
        format!(
            "{}: {description}\n{} passages; search them with search_knowledge, collection={:?}",
            found.name, found.points, found.name
        )
    }))
}

fn not_there(uri: &str) -> ErrorData {
    let shown: String = uri.chars().take(200).collect();
    let message = format!("there is no resource {shown:?}, or it was forgotten");
    ErrorData::resource_not_found(message, None)
}

fn failed(error: &ServeError) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}
