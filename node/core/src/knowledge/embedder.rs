//! What a collection's points are when a model of this node makes their vectors.

use gaia_protocol::{EmbedTask, Input, ModelKind};

use super::CollectionSpec;
use crate::{ModelStatus, Node, ServeError, embed};

/// The points of a new collection: vectors of the named embedding model, or of the only one.
///
/// # Errors
/// There is no such model, or it can't be loaded.
pub async fn spec_for(node: &Node, model: Option<&str>) -> Result<CollectionSpec, ServeError> {
    let model = node.models.choose(model, ModelKind::Embedding)?;
    let dimension = match model.status() {
        ModelStatus::Ready(card) => card.embedding_dimension,
        // It is loaded on demand: a text tells.
        _ => {
            let task = EmbedTask { inputs: vec![Input::Text("dimension".into())] };
            let made = embed(node, Some(model.name()), task).await?;
            made.vectors.first().map_or(0, |vector| u32::try_from(vector.len()).unwrap_or(0))
        }
    };
    let embedder = Some(model.name().to_owned());
    Ok(CollectionSpec { dimension, embedder, ..CollectionSpec::default() })
}
