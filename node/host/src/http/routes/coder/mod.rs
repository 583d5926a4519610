//! Rust Coder's use cases over HTTP: explaining and scoring.

mod describe;
mod errors;
mod explain;
mod score;

use std::sync::Arc;

use gaia_core::build::{BuildError, BuildJob, BuildReply, Builder, ExplainReply};
use gaia_core::coder::Coder;

use crate::compile::{Offer, OwnersBuilder};
use crate::http::State;
use crate::http::openapi::Routes;
use crate::store::Owner;

/// The routes.
pub fn router() -> Routes {
    Routes::default()
        .route(describe::explain(), explain::post)
        .route(describe::score(), score::post)
}

/// What the use cases work with, for one owner.
fn coder(state: &State, owner: &Owner) -> Coder {
    state.coder_with(owner, builder(state, owner))
}

/// The compiler, or one that says why there is none.
fn builder(state: &State, owner: &Owner) -> Arc<dyn Builder> {
    match &state.compile {
        Offer::Open(service) => Arc::new(OwnersBuilder::new(Arc::clone(service), owner.clone())),
        Offer::Closed(reason) => Arc::new(NoBuilder(reason.clone())),
    }
}

/// Stands where nothing is compiled: explanations do without.
struct NoBuilder(String);

impl Builder for NoBuilder {
    fn run(&self, _: BuildJob) -> BuildReply<'_> {
        Box::pin(std::future::ready(Err(BuildError::Unavailable(self.0.clone()))))
    }

    fn explain<'a>(&'a self, _: &'a str) -> ExplainReply<'a> {
        Box::pin(std::future::ready(Err(BuildError::Unavailable(self.0.clone()))))
    }
}
