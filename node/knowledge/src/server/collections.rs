//! Collections: made and deleted.

use gaia_core::KnowledgeError;
use gaia_core::knowledge::CollectionSpec;
use qdrant_client::qdrant::{
    CollectionOperationResponse, CreateFieldIndexCollection, DeleteCollection, FieldType,
};

use super::client::{Client, Effort};
use super::failure::Failure;
use super::{Inner, points, spec, switch};

/// Makes a collection.
pub(super) async fn create(
    inner: &Inner,
    name: &str,
    spec: &CollectionSpec,
) -> Result<(), KnowledgeError> {
    spec::check(spec).map_err(KnowledgeError::invalid)?;
    let has_keywords = inner.catalog.makes_keywords(spec)?;
    if !inner.has_metadata && spec::extras(spec).is_some() {
        return Err(KnowledgeError::invalid(
            "the Qdrant server is older than 1.16 and can't remember the embedder, the language and \
             the like: update it, or give only dimension and distance",
        ));
    }
    let exists = || KnowledgeError::CollectionExists { name: name.to_owned() };
    inner.catalog.forget();
    let listing = inner.catalog.now().await?;
    if !matches!(listing.find(name), Err(KnowledgeError::UnknownCollection { .. })) {
        return Err(exists());
    }
    match make(inner, name, (spec, has_keywords)).await {
        Err(failure) if failure.is_existing() => Err(exists()),
        made => Ok(made?),
    }
}

/// Makes a collection under its own name; a failure leaves none.
pub(super) async fn make(
    inner: &Inner,
    physical: &str,
    (spec, has_keywords): (&CollectionSpec, bool),
) -> Result<(), Failure> {
    let request = spec::create(physical, spec, has_keywords);
    let ask = || {
        let (mut collections, request) = (inner.client.collections(), request.clone());
        async move { collections.create(request).await }
    };
    let made = inner.client.call(Effort::Once, ask).await.and_then(done);
    inner.catalog.forget();
    made?;
    let indexed = index_documents(&inner.client, physical).await;
    if indexed.is_err() {
        drop_quietly(inner, physical).await;
    }
    indexed
}

/// Lets points be found by their document without looking at each.
pub(super) async fn index_documents(client: &Client, physical: &str) -> Result<(), Failure> {
    let request = CreateFieldIndexCollection {
        collection_name: physical.to_owned(),
        wait: Some(true),
        field_name: "document".into(),
        field_type: Some(FieldType::Keyword.into()),
        ..CreateFieldIndexCollection::default()
    };
    let ask = || {
        let (mut points, request) = (client.points(), request.clone());
        async move { points.create_field_index(request).await }
    };
    points::completed(client.call(Effort::Write, ask).await?)
}

/// Deletes a collection; with it, Qdrant deletes the alias that means it.
pub(super) async fn delete(inner: &Inner, name: &str) -> Result<(), KnowledgeError> {
    let entry = inner.catalog.find_anew(name).await?;
    if entry.is_alias() && !entry.is_ours() {
        let physical = &entry.physical;
        return Err(KnowledgeError::invalid(format!(
            "`{name}` is only another name of the collection `{physical}`: delete that"
        )));
    }
    switch::disown(inner, &entry).await?;
    drop_collection(&inner.client, &entry.physical).await?;
    inner.catalog.pin(name, None);
    Ok(())
}

/// Deletes a collection by its own name; if it is gone already, that is as good.
pub(super) async fn drop_collection(client: &Client, physical: &str) -> Result<(), Failure> {
    let request = DeleteCollection { collection_name: physical.to_owned(), timeout: None };
    let ask = || {
        let (mut collections, request) = (client.collections(), request.clone());
        async move { collections.delete(request).await }
    };
    client.call(Effort::Once, ask).await.map(|_| ())
}

/// Deletes what is no longer needed; if that fails, it stays on the server and does no harm.
pub(super) async fn drop_quietly(inner: &Inner, physical: &str) {
    let dropped = drop_collection(&inner.client, physical).await;
    if let Err(error) =
        dropped.or_else(|failure| if failure.is_unknown() { Ok(()) } else { Err(failure) })
    {
        tracing::warn!(collection = physical, %error, "a collection that is no longer needed stays on the server");
    }
    inner.catalog.forget();
}

/// An operation on collections must say that it was done.
pub(super) fn done(answer: CollectionOperationResponse) -> Result<(), Failure> {
    if answer.result { Ok(()) } else { Err(Failure::broken("it says that nothing was done")) }
}
