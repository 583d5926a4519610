//! Snapshots: a tar archive with a collection as JSON in it.

use qdrant_client::qdrant as wire;
use sha2::{Digest, Sha256};
use tonic::{Request, Response, Status};

use super::{Qdrant, Shelf, absent};

/// An answer of a service.
type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl wire::snapshots_server::Snapshots for Qdrant {
    async fn create(
        &self,
        request: Request<wire::CreateSnapshotRequest>,
    ) -> Answer<wire::CreateSnapshotResponse> {
        let collection = self.enter("create_snapshot", request).await?.collection_name;
        let state = &mut *self.state();
        let json = serde_json::to_vec(state.shelf(&collection)?).expect("it is JSON");
        let archive = tar(&json);
        let name = format!("{collection}-{}.snapshot", state.snapshots.len());
        let description = wire::SnapshotDescription {
            name: name.clone(),
            size: archive.len() as i64,
            checksum: Some(format!("{:x}", Sha256::digest(&archive))),
            creation_time: None,
        };
        state.snapshots.insert((collection, name), archive);
        let snapshot_description = Some(description);
        Ok(Response::new(wire::CreateSnapshotResponse { snapshot_description, time: 0.0 }))
    }

    async fn delete(
        &self,
        request: Request<wire::DeleteSnapshotRequest>,
    ) -> Answer<wire::DeleteSnapshotResponse> {
        let request = self.enter("delete_snapshot", request).await?;
        self.state().shelf(&request.collection_name)?;
        let key = (request.collection_name, request.snapshot_name);
        let known = self.state().snapshots.remove(&key);
        known.ok_or_else(|| Status::not_found("Not found: Snapshot"))?;
        Ok(Response::new(wire::DeleteSnapshotResponse { time: 0.0 }))
    }

    absent! {
        list(ListSnapshotsRequest) -> ListSnapshotsResponse;
        create_full(CreateFullSnapshotRequest) -> CreateSnapshotResponse;
        list_full(ListFullSnapshotsRequest) -> ListSnapshotsResponse;
        delete_full(DeleteFullSnapshotRequest) -> DeleteSnapshotResponse;
    }
}

/// An archive with one file.
pub fn tar(content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..10].copy_from_slice(b"shelf.json");
    header[257..262].copy_from_slice(b"ustar");
    let size = format!("{:011o}", content.len());
    header[124..135].copy_from_slice(size.as_bytes());
    [&header[..], content].concat()
}

/// The collection in an archive.
pub fn untar(archive: &[u8]) -> Result<Shelf, String> {
    let header = archive.get(..512).ok_or("failed to read the archive")?;
    let size = std::str::from_utf8(&header[124..135]).map_err(|error| error.to_string())?;
    let size = usize::from_str_radix(size, 8).map_err(|error| error.to_string())?;
    let content = &archive[512..];
    if content.len() != size {
        return Err("failed to unpack: unexpected end of file".into());
    }
    if content.starts_with(b"rocksdb") {
        return Err("Failed to load storage type, RocksDB is not supported in this version".into());
    }
    serde_json::from_slice(content).map_err(|error| error.to_string())
}
