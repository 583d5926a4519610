//! Which collection a name means: the switch to a restored one.

use std::collections::BTreeMap;

use gaia_core::KnowledgeError;
use qdrant_client::qdrant::alias_operations::Action;
use qdrant_client::qdrant::{AliasOperations, ChangeAliases, CreateAlias};

use super::Inner;
use super::catalog::{Entry, aliases, name_of, physical};
use super::client::{Client, Effort};
use super::collections::{done, drop_collection, drop_quietly};
use super::failure::Failure;

/// Lets a name mean a new collection, and deletes the one that it meant before if that is ours.
pub(super) async fn switch(inner: &Inner, name: &str, new: &str) -> Result<(), KnowledgeError> {
    let old = match inner.catalog.find_anew(name).await {
        Err(KnowledgeError::UnknownCollection { .. }) => None,
        found => Some(found?),
    };
    match old {
        Some(old) if !old.is_alias() => return replace(inner, &old, new).await,
        None => set_alias(&inner.client, name, new).await?,
        Some(old) => {
            set_alias(&inner.client, name, new).await?;
            inner.catalog.pin(name, None);
            if old.is_ours() {
                drop_quietly(inner, &old.physical).await;
            }
        }
    }
    inner.catalog.forget();
    Ok(())
}

/// Where the name is a collection's own: it goes, then the alias comes.
async fn replace(inner: &Inner, old: &Entry, new: &str) -> Result<(), KnowledgeError> {
    let name = &old.collection.name;
    inner.catalog.pin(name, Some(new));
    if let Err(failure) = drop_collection(&inner.client, name).await {
        inner.catalog.pin(name, None);
        return Err(failure.into());
    }
    match set_alias(&inner.client, name, new).await {
        Ok(()) => inner.catalog.pin(name, None),
        // It is the collection of that name here, and will be everywhere.
        Err(error) => tracing::error!(
            collection = new, name, %error,
            "a restored collection could not be named on the server: the next connection will do so"
        ),
    }
    Ok(())
}

/// Lets a name mean a collection, whatever it meant before. That is one action: of several in one
/// request, Qdrant would keep the first ones if a later one failed.
async fn set_alias(client: &Client, name: &str, new: &str) -> Result<(), Failure> {
    let create = CreateAlias { collection_name: new.to_owned(), alias_name: name.to_owned() };
    let create = AliasOperations { action: Some(Action::CreateAlias(create)) };
    let request = ChangeAliases { actions: vec![create], timeout: None };
    let ask = || {
        let (mut collections, request) = (client.collections(), request.clone());
        async move { collections.update_aliases(request).await }
    };
    client.call(Effort::Write, ask).await.and_then(done)
}

/// Names the collections that were verified by a process that ended before it could name them.
pub(super) async fn adopt(inner: &Inner) -> Result<(), KnowledgeError> {
    let names = physical(&inner.client).await?;
    let aliases = aliases(&inner.client).await?;
    let is_taken = |name: &str| {
        names.iter().any(|one| one == name) || aliases.iter().any(|(alias, _)| alias == name)
    };
    let mut orphans = BTreeMap::new();
    for candidate in &names {
        let Some(name) = name_of(candidate).filter(|name| !is_taken(name)) else { continue };
        if is_ready(inner, candidate).await? {
            orphans.insert(name, candidate);
        }
    }
    for (name, new) in orphans {
        tracing::info!(collection = %new, name, "a restored collection gets its name");
        set_alias(&inner.client, name, new).await?;
    }
    Ok(())
}

async fn is_ready(inner: &Inner, physical: &str) -> Result<bool, Failure> {
    match inner.catalog.describe(physical).await {
        Ok(Ok(found)) => Ok(found.ready.as_deref() == Some(physical)),
        Ok(Err(_)) => Ok(false),
        Err(failure) if failure.is_unknown() => Ok(false),
        Err(failure) => Err(failure),
    }
}

/// Deletes what earlier restores of that name left behind because their process ended; `since` is a
/// stamp, and what is younger may be somebody's who is at work.
pub(super) async fn sweep(inner: &Inner, name: &str, since: &str) -> Result<(), Failure> {
    let aliases = aliases(&inner.client).await?;
    let is_named = |physical: &str| aliases.iter().any(|(_, meant)| meant == physical);
    for candidate in physical(&inner.client).await? {
        let is_old = candidate.rsplit_once('@').is_some_and(|(_, stamp)| stamp < since);
        if name_of(&candidate) == Some(name) && is_old && !is_named(&candidate) {
            drop_quietly(inner, &candidate).await;
        }
    }
    Ok(())
}
