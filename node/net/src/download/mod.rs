//! Downloads that survive cuts: what has come stays in `FILE.part` beside the file, with a note of
//! what it is part of in `FILE.part.json`, and the next download of the same URL goes on there.

mod error;
mod local;
mod options;
mod part;
mod remote;
mod retry;

use std::path::Path;

pub use error::DownloadError;
pub use options::{Options, Progress, Retry};

use crate::target::{Target, parse};
use part::Part;

/// A whole, verified file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Downloaded {
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, also when none was asked for.
    pub sha256: [u8; 32],
    /// How many of the bytes were there from an earlier try.
    pub bytes_resumed: u64,
}

/// Fetches a URL (http, https, `file:`) or copies a path to `file`, whose folder must exist. A file
/// that stands there is replaced, once the new one is whole, verified and on the disk.
///
/// A download goes on where it stopped if the server says by its ETag or Last-Modified that the file
/// is still the same. Dropping the future leaves what has come for the next try. After a power cut
/// only `sha256` can tell that a resumed file is whole: give it where it is known.
///
/// # Errors
/// See [`DownloadError`]. Connections that fail, silence, cuts and statuses 408, 429 and 5xx are tried
/// again first.
pub async fn download(
    url: &str,
    file: &Path,
    mut options: Options,
) -> Result<Downloaded, DownloadError> {
    let target = parse(url, options.private_addresses)?;
    let mut part = Part::open(file, &options).await?;
    if let Err(error) = fill(&target, &mut part, &mut options).await {
        if part.bytes() == 0 {
            part.discard().await;
        }
        return Err(error);
    }
    part.finish(options.sha256).await
}

async fn fill(
    target: &Target,
    part: &mut Part,
    options: &mut Options,
) -> Result<(), DownloadError> {
    let url = match target {
        Target::Remote(url) => url,
        Target::Local(path) => return local::copy(path, part, options).await,
    };
    retry::fetch(url, part, options).await?;
    if part.is_spoiled(options.sha256) {
        part.restart(None).await?;
        retry::fetch(url, part, options).await?;
    }
    Ok(())
}
