//! Compressed snapshots, made plain: a Qdrant server takes only tar archives.

use std::path::{Path, PathBuf};

use gaia_archive::{Compression, Limits, UnpackError, Watch, pack, unpack};
use gaia_core::KnowledgeError;

use super::beside::Beside;

/// What a snapshot holds at most. The ratio is gzip's own limit: a new collection is mostly zeros.
const LIMITS: Limits =
    Limits { bytes_max: 256 << 30, files_max: 100_000, path_bytes_max: 1024, ratio_max: 1_100 };

/// The beginnings of gzip and zstd.
const COMPRESSED: [&[u8]; 2] = [&[0x1f, 0x8b], &[0x28, 0xb5, 0x2f, 0xfd]];

/// A plain snapshot; what was made for it goes with it.
pub(super) enum Plain {
    /// The file as it came.
    AsItIs(PathBuf),
    /// A file of our own.
    Made(Beside),
}

impl Plain {
    /// Where it is.
    pub(super) fn path(&self) -> PathBuf {
        match self {
            Self::AsItIs(path) => path.clone(),
            Self::Made(beside) => beside.file(),
        }
    }
}

/// Whether a file that begins so is compressed.
pub(super) fn is_compressed(beginning: &[u8]) -> bool {
    COMPRESSED.iter().any(|magic| beginning.starts_with(magic))
}

/// Makes a plain snapshot of a compressed one, beside it; the way leads over its files, so that
/// nothing of it goes to the server that no snapshot may hold.
pub(super) async fn make_plain(file: &Path) -> Result<Plain, KnowledgeError> {
    let file = file.to_owned();
    let made = tokio::task::spawn_blocking(move || make(&file)).await;
    made.map_err(|_| KnowledgeError::unavailable("the unpacking was broken off"))?.map(Plain::Made)
}

fn make(file: &Path) -> Result<Beside, KnowledgeError> {
    let beside = Beside::new(file)?;
    let folder = beside.folder().join("content");
    unpack(file, &folder, LIMITS, Watch::default()).map_err(|error| unreadable(file, error))?;
    let packed = pack(&folder, &beside.file(), Compression::None, &|_| true);
    packed.map_err(|error| KnowledgeError::unavailable(format!("{}: {error}", file.display())))?;
    // The plain file alone is needed, and it has the same size.
    if let Err(error) = std::fs::remove_dir_all(&folder) {
        tracing::warn!(%error, "what was unpacked stays until the snapshot is restored");
    }
    Ok(beside)
}

fn unreadable(file: &Path, error: UnpackError) -> KnowledgeError {
    if let UnpackError::File { source, .. } = &error
        && source.kind() == std::io::ErrorKind::StorageFull
    {
        return KnowledgeError::DiskFull;
    }
    KnowledgeError::Unreadable { message: format!("{}: {error}", file.display()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_or_no_archive_is_refused_and_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let content = folder.path().join("content");
        std::fs::create_dir(&content).expect("a folder");
        std::fs::write(content.join("config.json"), b"{}").expect("a file");
        let whole = folder.path().join("whole.tar.gz");
        pack(&content, &whole, Compression::Gzip, &|_| true).expect("it is packed");
        let whole = std::fs::read(&whole).expect("it is there");
        let file = folder.path().join("a.snapshot.tar.gz");
        for bytes in [&whole[..whole.len() / 2], &[0x1f, 0x8b, 8, 0], b"text"] {
            std::fs::write(&file, bytes).expect("a file");
            let refused = make(&file).err().expect("it is refused");
            assert!(matches!(refused, KnowledgeError::Unreadable { .. }), "{refused:?}");
        }
        let left = std::fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(left, 3);
    }

    #[test]
    fn what_was_made_goes_with_its_use() {
        let folder = tempfile::tempdir().expect("a folder");
        let content = folder.path().join("content");
        std::fs::create_dir(&content).expect("a folder");
        std::fs::write(content.join("config.json"), b"{}").expect("a file");
        let file = folder.path().join("a.snapshot.tar.gz");
        pack(&content, &file, Compression::Zstd, &|_| true).expect("it is packed");
        let made = make(&file).expect("it is made");
        let plain = std::fs::read(made.file()).expect("it is there");
        assert_eq!(&plain[257..262], b"ustar");
        drop(made);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 2);
    }
}
