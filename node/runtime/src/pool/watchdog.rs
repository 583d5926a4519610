//! The thread that looks after time.

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use super::shared::Shared;

/// Ends after [`Shared::close`].
pub(super) fn spawn(shared: Arc<Shared>) -> std::io::Result<JoinHandle<()>> {
    Builder::new().name("app-watchdog".into()).spawn(move || {
        while !shared.is_closed() {
            shared.look();
        }
    })
}
