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

/// Lets a name mean a new collection, which was verified, and deletes the one that it meant before if
/// that is ours. Whatever fails, the new one stays on the server: an answer that is lost does not tell
/// what was done, and it may be the only one by now. [`adopt`] names it if nothing else has the name.
pub(super) async fn switch(inner: &Inner, name: &str, new: &str) -> Result<(), KnowledgeError> {
    let switched = begin(inner, name, new).await;
    if let Err(error) = &switched {
        tracing::error!(
            collection = new, name, %error,
            "a new collection could not be named: it stays on the server, and the next connection \
             names it if nothing else has the name"
        );
    }
    inner.catalog.forget();
    switched
}

async fn begin(inner: &Inner, name: &str, new: &str) -> Result<(), KnowledgeError> {
    let old = match inner.catalog.find_anew(name).await {
        Err(KnowledgeError::UnknownCollection { .. }) => None,
        found => Some(found?),
    };
    match old {
        Some(old) if !old.is_alias() => replace(inner, &old, new).await,
        None => Ok(give_name(inner, name, new).await?),
        Some(old) => {
            give_name(inner, name, new).await?;
            inner.catalog.pin(name, None);
            if old.is_ours() {
                drop_quietly(inner, &old.physical).await;
            }
            Ok(())
        }
    }
}

/// Where the name is a collection's own: it goes, then the alias comes.
async fn replace(inner: &Inner, old: &Entry, new: &str) -> Result<(), KnowledgeError> {
    let name = &old.collection.name;
    inner.catalog.pin(name, Some(new));
    if let Err(failure) = drop_collection(&inner.client, name).await
        && !is_gone(inner, name).await
    {
        inner.catalog.pin(name, None);
        return Err(failure.into());
    }
    match give_name(inner, name, new).await {
        Ok(()) => inner.catalog.pin(name, None),
        // It is the collection of that name here, and will be everywhere.
        Err(error) => tracing::error!(
            collection = new, name, %error,
            "a restored collection could not be named on the server: the next connection will do so"
        ),
    }
    Ok(())
}

/// Whether the server says that there is no collection of that own name.
async fn is_gone(inner: &Inner, name: &str) -> bool {
    physical(&inner.client).await.is_ok_and(|names| names.iter().all(|one| one != name))
}

/// Lets a name mean a collection; if that seems to fail, the server is asked whether it was done.
async fn give_name(inner: &Inner, name: &str, new: &str) -> Result<(), Failure> {
    let Err(failure) = set_alias(&inner.client, name, new).await else { return Ok(()) };
    let aliases = aliases(&inner.client).await.unwrap_or_default();
    let is_done = aliases.iter().any(|(alias, meant)| alias == name && meant == new);
    if is_done { Ok(()) } else { Err(failure) }
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

/// Names the collections that were verified by a process that could not name them.
pub(super) async fn adopt(inner: &Inner) -> Result<(), KnowledgeError> {
    let names = Names::read(inner).await?;
    let mut orphans = BTreeMap::new();
    for candidate in &names.physical {
        let Some(name) = name_of(candidate).filter(|name| !names.have(name)) else { continue };
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

/// Whether a collection was verified as what it is now.
async fn is_ready(inner: &Inner, physical: &str) -> Result<bool, Failure> {
    match inner.catalog.describe(physical).await {
        Ok(Ok(found)) => Ok(found.ready.as_deref() == Some(physical)),
        Ok(Err(_)) => Ok(false),
        Err(failure) if failure.is_unknown() => Ok(false),
        Err(failure) => Err(failure),
    }
}

/// Deletes what earlier restores of that name left behind; `since` is a stamp, and what is younger may
/// be somebody's who is at work. Where nothing has the name, what was verified is all there is of it;
/// a server without metadata does not know what was.
pub(super) async fn sweep(inner: &Inner, name: &str, since: &str) -> Result<(), Failure> {
    let names = Names::read(inner).await?;
    let has_other = names.have(name);
    for candidate in names.unnamed_of(name) {
        let is_old = candidate.rsplit_once('@').is_some_and(|(_, stamp)| stamp < since);
        if is_old && (has_other || (inner.has_metadata && !is_ready(inner, candidate).await?)) {
            drop_quietly(inner, candidate).await;
        }
    }
    Ok(())
}

/// Deletes what was verified for a name but not given it, before the name's own collection goes:
/// [`adopt`] would bring it back.
pub(super) async fn disown(inner: &Inner, entry: &Entry) -> Result<(), Failure> {
    let names = Names::read(inner).await?;
    let others = names.unnamed_of(&entry.collection.name).filter(|one| *one != entry.physical);
    for candidate in others {
        if is_ready(inner, candidate).await? {
            drop_collection(&inner.client, candidate).await?;
        }
    }
    Ok(())
}

/// All names on the server.
struct Names {
    /// The collections' own.
    physical: Vec<String>,
    /// Aliases, and what they mean.
    aliases: Vec<(String, String)>,
}

impl Names {
    async fn read(inner: &Inner) -> Result<Self, Failure> {
        let physical = physical(&inner.client).await?;
        Ok(Self { physical, aliases: aliases(&inner.client).await? })
    }

    /// Whether something has that name.
    fn have(&self, name: &str) -> bool {
        self.physical.iter().any(|one| one == name)
            || self.aliases.iter().any(|(alias, _)| alias == name)
    }

    /// The collections that were made for a name and that no alias means.
    fn unnamed_of(&self, name: &str) -> impl Iterator<Item = &str> {
        let is_named = |one: &str| self.aliases.iter().any(|(_, meant)| meant == one);
        let all = self.physical.iter().map(String::as_str);
        all.filter(move |one| name_of(one) == Some(name) && !is_named(one))
    }
}
