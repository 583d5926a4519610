//! Copies a file of this machine, under the same limits as one that comes from afar.

use std::path::Path;

use tokio::io::AsyncReadExt;

use super::DownloadError;
use super::options::{Options, Progress};
use super::part::Part;

const PIECE_BYTES: usize = 1 << 20;

/// Copies `source` into the part file, from its beginning.
pub(super) async fn copy(
    source: &Path,
    part: &mut Part,
    options: &mut Options,
) -> Result<(), DownloadError> {
    part.restart(None).await?;
    let copied = copy_all(source, part, options).await;
    if copied.is_err() {
        part.discard().await;
    }
    copied
}

async fn copy_all(
    source: &Path,
    part: &mut Part,
    options: &mut Options,
) -> Result<(), DownloadError> {
    let total = checked_size(source, part).await?;
    let opened = tokio::fs::File::open(source).await;
    let mut file = opened.map_err(DownloadError::file("open", source))?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = file.read(&mut piece).await.map_err(DownloadError::file("read", source))?;
        if length == 0 {
            return Ok(());
        }
        let bytes = part.bytes() + length as u64;
        if bytes > part.bytes_max() {
            return Err(too_large(source, part));
        }
        part.write(&piece[..length]).await?;
        options.report(Progress { bytes, bytes_total: Some(total) });
    }
}

/// The size, of a file that is one and fits. Asked before opening: opening a pipe waits for its
/// other end.
async fn checked_size(source: &Path, part: &Part) -> Result<u64, DownloadError> {
    let metadata = tokio::fs::metadata(source).await;
    let metadata = metadata.map_err(DownloadError::file("read", source))?;
    if !metadata.is_file() {
        return Err(DownloadError::NotAFile { path: source.display().to_string() });
    }
    let (bytes_needed, bytes_free) = (metadata.len(), part.bytes_free()?);
    if bytes_needed > part.bytes_max() {
        return Err(too_large(source, part));
    }
    if bytes_needed > bytes_free {
        let path = part.target().display().to_string();
        return Err(DownloadError::NoRoom { path, bytes_needed, bytes_free });
    }
    Ok(bytes_needed)
}

fn too_large(source: &Path, part: &Part) -> DownloadError {
    let source_shown = source.display().to_string();
    DownloadError::TooLarge { source_shown, bytes_max: part.bytes_max() }
}
