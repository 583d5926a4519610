//! A collection that is made of points from elsewhere: filled beside, then given its name.

use gaia_core::KnowledgeError;
use gaia_core::knowledge::{Collection, Import, check_name};

use super::catalog::Entry;
use super::collections::{drop_quietly, make};
use super::restore::{self, stamp};
use super::{Inner, spec, switch};

/// Fills a new collection and gives it the name, at once or not at all.
pub(super) async fn import(
    inner: &Inner,
    mut import: Import,
) -> Result<Collection, KnowledgeError> {
    check_name(&import.collection)?;
    spec::check(&import.spec).map_err(KnowledgeError::invalid)?;
    check_free(inner, &import.collection, import.replaces).await?;
    let _permit = inner.restoring.try_acquire().map_err(|_| KnowledgeError::Overloaded)?;
    let name = import.collection.clone();
    restore::sweep(inner, &name).await?;
    let side = format!("{name}@{}", stamp());
    if let Err(error) = take(inner, &mut import, &side).await {
        drop_quietly(inner, &side).await;
        return Err(error);
    }
    switch::switch(inner, &name, &side).await?;
    Ok(inner.catalog.find_anew(&name).await?.collection.clone())
}

async fn check_free(inner: &Inner, name: &str, replaces: bool) -> Result<(), KnowledgeError> {
    if replaces {
        return Ok(());
    }
    match inner.catalog.find_anew(name).await {
        Err(KnowledgeError::UnknownCollection { .. }) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(KnowledgeError::CollectionExists { name: name.to_owned() }),
    }
}

/// Fills the new collection, verifies it, and notes what it is.
async fn take(inner: &Inner, import: &mut Import, side: &str) -> Result<(), KnowledgeError> {
    let has_keywords = inner.catalog.makes_keywords(&import.spec)?;
    make(inner, side, (&import.spec, has_keywords)).await?;
    let found = inner.catalog.describe(side).await?;
    let found = found.map_err(KnowledgeError::unavailable)?;
    let entry = inner.catalog.entry(&import.collection, (side, found));
    let points = fill(inner, import, &entry).await?;
    let count = restore::count(inner, side).await?;
    if count != points {
        let twice = points.saturating_sub(count);
        let message = format!("of {points} points {twice} have the id of another: give each once");
        return Err(KnowledgeError::Unreadable { message });
    }
    restore::describe(inner, side, &import.spec).await?;
    check_free(inner, &import.collection, import.replaces).await
}

/// Writes all points; returns how many came.
async fn fill(inner: &Inner, import: &mut Import, entry: &Entry) -> Result<u64, KnowledgeError> {
    let mut count = 0;
    loop {
        let batch = import.points.next().await?;
        if batch.is_empty() {
            return Ok(count);
        }
        count += batch.len() as u64;
        inner.points(entry).upsert(&batch).await?;
    }
}
