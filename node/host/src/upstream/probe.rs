//! Looks now and then whether a server is there.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use gaia_net::{Call, CallError, Method};
use gaia_protocol::Input;
use serde_json::Value;
use tokio::time::sleep;

use super::server::Server;
use super::vectors;

/// Between two looks at a server that is there.
const EVERY: Duration = Duration::from_secs(30);

/// Before the second look at one that is not; doubles up to [`EVERY`].
const RETRY: Duration = Duration::from_millis(500);

/// A list of models comes at once.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Looks for ever.
pub async fn watch(server: Arc<Server>) {
    let mut wait = RETRY;
    loop {
        if probe(&server).await.is_ok() {
            wait = RETRY;
            sleep(EVERY).await;
        } else {
            sleep(wait).await;
            wait = wait.saturating_mul(2).min(EVERY);
        }
    }
}

/// Asks for the list of models, and once for the length of a vector. What is no refusal of the key and
/// no failure will do: some servers list nothing.
pub async fn probe(server: &Arc<Server>) -> Result<()> {
    let call = Call { method: Method::Get, body: None, ..server.call("/models", Value::Null) };
    match server.json(&Call { timeout: TIMEOUT, ..call }).await {
        Err(CallError::Status { status: 400 | 404 | 405, .. }) | Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    if server.lacks_dimension() {
        let made = vectors::ask(server, &[Input::from("dimension")]).await;
        if let Err(error) = made {
            server.note_gone(&format!("it made no vector: {error}"));
            return Err(error.into());
        }
    }
    Ok(())
}
