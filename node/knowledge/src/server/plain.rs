//! Compressed snapshots, made plain: a Qdrant server takes only tar archives.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use gaia_archive::{Compression, PackError, pack};
use gaia_core::KnowledgeError;

use super::beside::Beside;
use crate::embedded::{SnapshotLimits, room, unpack_tar};

/// How large a compressed snapshot may be, and where it is made plain.
#[derive(Clone)]
pub(super) struct Making {
    pub limits: SnapshotLimits,
    /// Without one, beside the snapshot.
    pub folder: Option<PathBuf>,
}

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

impl Making {
    /// Makes a plain snapshot of a compressed one; the way leads over its files, so that nothing of it
    /// goes to the server that no snapshot may hold.
    pub(super) async fn make_plain(&self, file: &Path) -> Result<Plain, KnowledgeError> {
        let (making, file) = (self.clone(), file.to_owned());
        let made = tokio::task::spawn_blocking(move || making.make(&file)).await;
        made.map_err(|_| KnowledgeError::unavailable("the unpacking was broken off"))?
            .map(Plain::Made)
    }

    fn make(&self, file: &Path) -> Result<Beside, KnowledgeError> {
        let name = file.file_name().unwrap_or_default();
        let beside = match &self.folder {
            Some(folder) => Beside::new(&folder.join(name))?,
            None => Beside::new(file)?,
        };
        let folder = beside.folder().join("content");
        unpack_tar(file, &folder, self.limits)?;
        room::check(beside.folder(), room::taken(&folder)?)?;
        let packed = pack(&folder, &beside.file(), Compression::None, &|_| true);
        packed.map_err(|error| failed(file, &error))?;
        // The plain file alone is needed, and it has the same size.
        if let Err(error) = std::fs::remove_dir_all(&folder) {
            tracing::warn!(%error, "what was unpacked stays until the snapshot is restored");
        }
        Ok(beside)
    }
}

fn failed(file: &Path, error: &PackError) -> KnowledgeError {
    if let PackError::File { source, .. } = error
        && matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
    {
        return KnowledgeError::DiskFull;
    }
    KnowledgeError::unavailable(format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn making(bytes_max: u64) -> Making {
        Making { limits: SnapshotLimits { bytes_max }, folder: None }
    }

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
            let refused = making(1 << 20).make(&file).err().expect("it is refused");
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
        let made = making(1 << 20).make(&file).expect("it is made");
        let plain = std::fs::read(made.file()).expect("it is there");
        assert_eq!(&plain[257..262], b"ustar");
        drop(made);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 2);
    }

    #[test]
    fn more_than_the_limit_is_refused_and_scratch_has_its_own_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let (content, scratch) = (folder.path().join("content"), folder.path().join("scratch"));
        for folder in [&content, &scratch] {
            std::fs::create_dir(folder).expect("a folder");
        }
        std::fs::write(content.join("config.json"), vec![1; 1000]).expect("a file");
        let file = folder.path().join("a.snapshot.tar.gz");
        pack(&content, &file, Compression::Gzip, &|_| true).expect("it is packed");
        let making = |bytes_max| Making { folder: Some(scratch.clone()), ..making(bytes_max) };
        let refused = making(999).make(&file).err().expect("it is too large");
        assert!(matches!(refused, KnowledgeError::Unreadable { .. }), "{refused:?}");
        assert_eq!(std::fs::read_dir(&scratch).expect("a folder").count(), 0);
        let made = making(1000).make(&file).expect("it is made");
        assert_eq!(made.folder().parent(), Some(&*scratch));
    }
}
