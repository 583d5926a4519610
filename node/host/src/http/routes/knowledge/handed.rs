//! A file that a request brings or names.

use std::path::Path;

use axum::body::Body;
use axum::http::StatusCode;
use gaia_core::KnowledgeError;
use http_body_util::BodyExt;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::snapshots::config;
use crate::http::State;
use crate::http::error::ApiError;
use crate::http::ids::new_id;
use crate::http::routes::files::too_slow;
use crate::knowledge::{Fetched, Scratch};

/// It goes with this, unless it was the operator's.
pub enum Handed {
    /// It was the request's body.
    Received(Scratch),
    /// It is on this machine or was downloaded.
    Fetched(Fetched),
}

impl Handed {
    /// Where it is.
    pub fn path(&self) -> &Path {
        match self {
            Self::Received(scratch) => &scratch.file,
            Self::Fetched(fetched) => &fetched.file,
        }
    }
}

/// Writes a body to a file, within the limit on snapshots.
pub async fn receive(state: &State, mut body: Body) -> Result<Handed, ApiError> {
    let config = config(state)?;
    let scratch = Scratch::new(config, &new_id("")).map_err(KnowledgeError::unavailable)?;
    let mut file = File::create_new(&scratch.file).await.map_err(failed)?;
    let mut bytes = 0;
    loop {
        let frame = timeout(state.body_timeout, body.frame()).await.map_err(|_| too_slow())?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| {
            ApiError::new(StatusCode::BAD_REQUEST, "the body broke off before its end")
        })?;
        let data = frame.into_data().unwrap_or_default();
        bytes += data.len() as u64;
        if bytes > config.snapshot_bytes_max {
            return Err(too_large(config.snapshot_bytes_max));
        }
        file.write_all(&data).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    Ok(Handed::Received(scratch))
}

fn too_large(limit: u64) -> ApiError {
    let message = format!("the file is larger than this node's limit of {limit} bytes");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, message).with_code("file_too_large")
}

fn failed(error: std::io::Error) -> ApiError {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            KnowledgeError::DiskFull.into()
        }
        _ => KnowledgeError::unavailable(error).into(),
    }
}
