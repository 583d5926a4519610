//! Snapshots: made by the server, brought here, deleted there.

use std::path::Path;

use gaia_core::KnowledgeError;
use qdrant_client::qdrant::{CreateSnapshotRequest, DeleteSnapshotRequest, SnapshotDescription};

use super::Inner;
use super::beside::{Beside, failed, parent};
use super::client::Effort;
use super::failure::Failure;
use super::rest::{Rest, Snapshot};

/// Writes a snapshot of a collection to a new file; a failure leaves no file.
pub(super) async fn snapshot(inner: &Inner, name: &str, file: &Path) -> Result<(), KnowledgeError> {
    let rest = rest(inner)?;
    check_new(file)?;
    let entry = inner.catalog.find_anew(name).await?;
    let beside = Beside::new(file)?;
    let made = create(inner, &entry.physical).await?;
    let brought = bring(rest, &entry.physical, &made, &beside.file()).await;
    delete(inner, &entry.physical, &made.name).await;
    brought?;
    place(&beside.file(), file)
}

/// The REST interface, which snapshots need.
pub(super) fn rest(inner: &Inner) -> Result<&Rest, KnowledgeError> {
    inner.rest.as_ref().ok_or_else(|| {
        KnowledgeError::invalid(
            "snapshots need the address of Qdrant's REST interface, whose port is 6333 as a rule: set \
             `rest_url`",
        )
    })
}

fn check_new(file: &Path) -> Result<(), KnowledgeError> {
    let shown = file.display();
    if file.symlink_metadata().is_ok() {
        let message = format!("{shown} is there already: choose another name");
        return Err(KnowledgeError::invalid(message));
    }
    if file.file_name().is_none() || !parent(file).is_dir() {
        let message = format!("{shown} can't be made: its folder does not exist");
        return Err(KnowledgeError::invalid(message));
    }
    Ok(())
}

async fn create(inner: &Inner, physical: &str) -> Result<SnapshotDescription, Failure> {
    let request = CreateSnapshotRequest { collection_name: physical.to_owned() };
    let ask = || {
        let (mut snapshots, request) = (inner.client.snapshots(), request.clone());
        async move { snapshots.create(request).await }
    };
    let answer = inner.client.call(Effort::Snapshot, ask).await?;
    answer.snapshot_description.ok_or_else(|| Failure::broken("it made no snapshot"))
}

async fn bring(
    rest: &Rest,
    collection: &str,
    made: &SnapshotDescription,
    part: &Path,
) -> Result<(), Failure> {
    let bytes =
        u64::try_from(made.size).map_err(|_| Failure::broken("the snapshot has no size"))?;
    let sha256 = made.checksum.as_deref();
    rest.download(Snapshot { collection, name: &made.name, bytes, sha256 }, part).await
}

/// Deletes a snapshot on the server; if that fails, it stays there and takes room.
pub(super) async fn delete(inner: &Inner, physical: &str, snapshot: &str) {
    let request = DeleteSnapshotRequest {
        collection_name: physical.to_owned(),
        snapshot_name: snapshot.to_owned(),
    };
    let ask = || {
        let (mut snapshots, request) = (inner.client.snapshots(), request.clone());
        async move { snapshots.delete(request).await }
    };
    if let Err(error) = inner.client.call(Effort::Once, ask).await
        && !error.is_unknown()
    {
        tracing::warn!(snapshot, %error, "a snapshot that is no longer needed stays on the server");
    }
}

/// Gives the complete file its name, and lets that outlive a loss of power.
fn place(part: &Path, file: &Path) -> Result<(), KnowledgeError> {
    check_new(file)?;
    let placed = std::fs::rename(part, file)
        .and_then(|()| std::fs::File::open(parent(file)))
        .and_then(|folder| folder.sync_all());
    placed.map_err(|error| failed(file, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_or_has_no_folder_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.snapshot");
        assert!(check_new(&file).is_ok());
        assert!(check_new(&folder.path().join("none/a.snapshot")).is_err());
        std::fs::write(&file, b"x").expect("a file");
        assert!(check_new(&file).is_err());
        assert!(check_new(folder.path()).is_err());
    }
}
