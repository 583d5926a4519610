//! Models that other OpenAI-compatible servers hold: `[[upstreams]]` of the config.
//!
//! ```text
//! gaia-node start
//! └─ probe, one per upstream     asks now and then whether the server is there
//! ```
//!
//! A task becomes a request ([`chat`], [`complete`], [`vectors`]), a [`Server`] sends it, and what comes
//! back becomes events: a stream of chunks by [`chunks`], read in [`text`].
//!
//! Invariants:
//! - The server is foreign: a chunk that is not what was asked for ends the answer with an error that
//!   says so, and nothing that comes is unlimited in size, silence or number.
//! - Dropping the stream closes the connection.
//! - Only what was never sent is sent again.
//! - What can't be passed on is refused by name before anything is sent.
//! - No key, no header's value and no address is in an error or in `/v1/info`.

mod chat;
mod chunks;
mod complete;
mod error;
mod model;
mod probe;
mod sampling;
mod server;
#[cfg(test)]
mod tests;
mod text;
mod vectors;
mod wire;

use std::sync::Arc;

use anyhow::{Context, Result};
use gaia_core::{Models, Served};
use tokio::task::JoinSet;

pub use self::model::Upstream;
use crate::config::UpstreamConfig;

/// The upstreams of a node. Dropping it ends their probes.
pub struct Upstreams {
    _probes: JoinSet<()>,
}

impl Upstreams {
    /// Adds a model for each of `configs` to `models`, and begins to look whether they can be reached.
    /// Call it inside a runtime.
    ///
    /// # Errors
    /// A key can't be read, a header can't be sent, or a name is taken.
    pub fn start(configs: &[UpstreamConfig], models: &Models) -> Result<Self> {
        let mut probes = JoinSet::new();
        for config in configs {
            let adding = || format!("adding the upstream {}", config.name);
            let upstream = Arc::new(Upstream::open(config.clone()).with_context(adding)?);
            probes.spawn(probe::watch(Arc::clone(upstream.server())));
            let served = Served { model: upstream, aliases: config.aliases.clone() };
            models.insert(served).with_context(adding)?;
        }
        Ok(Self { _probes: probes })
    }
}
