//! The memory as the port of the use cases, for one who asks.

use std::sync::Arc;

use gaia_core::coder::fixes::Asker;
use gaia_core::coder::{Fix, Memory, MemoryReply, Symptom};

use super::FixKeeper;

/// The node's memory as one owner sees it.
pub struct OwnersMemory {
    keeper: Arc<FixKeeper>,
    asker: Asker,
}

impl OwnersMemory {
    /// For `asker`.
    #[must_use]
    pub fn new(keeper: Arc<FixKeeper>, asker: Asker) -> Self {
        Self { keeper, asker }
    }
}

impl Memory for OwnersMemory {
    fn similar(&self, symptom: Symptom, limit: usize) -> MemoryReply<'_, Vec<Fix>> {
        Box::pin(
            async move { self.keeper.store().await?.similar(&self.asker, &symptom, limit).await },
        )
    }

    fn remember(&self, fix: Fix) -> MemoryReply<'_, ()> {
        Box::pin(self.keeper.remember(self.asker.clone(), fix))
    }

    fn judge(&self, id: &str, helped: bool) -> MemoryReply<'_, ()> {
        let id = id.to_owned();
        Box::pin(async move { self.keeper.judge(self.asker.clone(), &id, helped).await })
    }
}
