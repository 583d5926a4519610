//! Finds a collection to use.

use super::{Change, Collection, CollectionState, Knowledge, KnowledgeError};

/// The collection of that name. One that could not be read is opened again if its time has come.
///
/// # Errors
/// There is none, or it can't be read; the knowledge base's own.
pub async fn find(knowledge: &dyn Knowledge, name: &str) -> Result<Collection, KnowledgeError> {
    let found = find_all(knowledge, &[name]).await?.pop();
    Ok(found.expect("one for each name"))
}

/// The collections of these names, in their order.
pub(super) async fn find_all(
    knowledge: &dyn Knowledge,
    names: &[&str],
) -> Result<Vec<Collection>, KnowledgeError> {
    let mut all = knowledge.collections().await?;
    for name in names {
        if !named(&all, name)?.is_ready() {
            knowledge.change(name, Change::Reopen).await?;
            all = knowledge.collections().await?;
        }
    }
    names.iter().map(|name| usable(named(&all, name)?)).collect()
}

fn named<'a>(all: &'a [Collection], name: &str) -> Result<&'a Collection, KnowledgeError> {
    let found = all.iter().find(|collection| collection.name == name);
    found.ok_or_else(|| KnowledgeError::UnknownCollection {
        name: name.to_owned(),
        known: all.iter().map(|collection| collection.name.clone()).collect(),
    })
}

fn usable(found: &Collection) -> Result<Collection, KnowledgeError> {
    match &found.state {
        CollectionState::Ready => Ok(found.clone()),
        CollectionState::Broken { reason } => {
            Err(KnowledgeError::Broken { name: found.name.clone(), reason: reason.clone() })
        }
    }
}
