//! The coder for whoever asks.

use std::sync::Arc;

use gaia_core::Builder;
use gaia_core::coder::fixes::Asker;
use gaia_core::coder::{Coder, Memory};

use super::State;
use super::error::ApiError;
use super::routes::compile::service;
use crate::clock::HostClock;
use crate::coder::{FixKeeper, OwnersMemory};
use crate::compile::OwnersBuilder;
use crate::config::CoderConfig;
use crate::store::Owner;

/// What the coder works with.
pub struct Coding {
    /// `[coder]` of the config.
    pub config: CoderConfig,
    /// The memory of fixes, or why there is none.
    pub fixes: Result<Arc<FixKeeper>, &'static str>,
}

impl Default for Coding {
    fn default() -> Self {
        let fixes = Err("this node has no knowledge base, so it remembers no fixes");
        Self { config: CoderConfig::default(), fixes }
    }
}

impl State {
    /// The coder for projects of `owner` that are texts alone.
    ///
    /// # Errors
    /// 503: nothing is compiled here, with the reason.
    pub fn coder_for(&self, owner: &Owner) -> Result<Coder, ApiError> {
        let service = Arc::clone(service(self)?);
        Ok(self.coder_with(owner, Arc::new(OwnersBuilder::new(service, owner.clone()))))
    }

    /// The coder for `owner` with a builder of one's own, such as [`OwnersBuilder::of_project`].
    pub fn coder_with(&self, owner: &Owner, builder: Arc<dyn Builder>) -> Coder {
        let memory = |keeper: &Arc<FixKeeper>| -> Arc<dyn Memory> {
            Arc::new(OwnersMemory::new(Arc::clone(keeper), self.asker(owner)))
        };
        Coder {
            node: self.node.clone(),
            builder,
            memory: self.coding.fixes.as_ref().ok().map(memory),
            clock: Arc::new(HostClock::default()),
            model: self.coding.config.model.clone(),
            edits: self.coding.config.edits,
        }
    }

    /// `owner` as the memory knows him. Trusted are admin keys, those that the config names, and
    /// everyone on a node without keys that only this machine reaches.
    pub fn asker(&self, owner: &Owner) -> Asker {
        let trusted = match owner.name() {
            Some(name) => {
                self.auth.is_admin_name(name)
                    || self.coding.config.trusted_keys.iter().any(|trusted| trusted == name)
            }
            None => !self.auth.has_keys() && self.listens_on_loopback,
        };
        Asker { owner: owner.name().unwrap_or_default().to_owned(), trusted }
    }
}
