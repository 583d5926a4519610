//! Use case: give points the vectors of another model.

use gaia_protocol::{EmbedTask, Input, ModelKind};
use serde_json::Value;

use super::{CollectionSpec, KnowledgeError, Point};
use crate::{Node, ServeError, embed};

/// The name of the embedding model of that name or alias, or of the only one.
///
/// # Errors
/// There is none, or several and no name.
pub fn embedder(node: &Node, name: Option<&str>) -> Result<String, ServeError> {
    Ok(node.models.choose(name, ModelKind::Embedding)?.name().to_owned())
}

/// Values of the vectors that a model makes; it is loaded for that if it is loaded on demand.
///
/// # Errors
/// As [`embed`].
pub async fn dimension(node: &Node, model: &str) -> Result<usize, ServeError> {
    let task = EmbedTask { inputs: vec![Input::Text("a".into())] };
    let embeddings = embed(node, Some(model), task).await?;
    Ok(embeddings.vectors.first().map_or(0, Vec::len))
}

/// Gives points the vectors that a model makes of their texts, as when they were brought in.
///
/// # Errors
/// A point has no text; as [`embed`].
pub async fn embed_anew(
    node: &Node,
    (model, spec): (&str, &CollectionSpec),
    points: &mut [Point],
) -> Result<(), ServeError> {
    let prefix = spec.text_prefix.as_deref().unwrap_or_default();
    let inputs: Result<Vec<_>, _> = points.iter().map(|point| input(point, prefix)).collect();
    let embeddings = embed(node, Some(model), EmbedTask { inputs: inputs? }).await?;
    points.iter_mut().zip(embeddings.vectors).for_each(|(point, vector)| point.vector = vector);
    Ok(())
}

/// What is embedded of a point: its headings give the text its context.
fn input(point: &Point, prefix: &str) -> Result<Input, KnowledgeError> {
    let text = point.text();
    if text.trim().is_empty() {
        let message = format!("the point {} has no text that could be embedded", point.id);
        return Err(KnowledgeError::Unreadable { message });
    }
    Ok(Input::Text(match point.payload.get("heading").and_then(Value::as_str) {
        Some(heading) if !heading.is_empty() => format!("{prefix}{heading}\n{text}"),
        _ => format!("{prefix}{text}"),
    }))
}
