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

/// A block of an archive.
const BLOCK: usize = 512;

/// An archive with one file.
pub fn tar(content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; BLOCK];
    header[..10].copy_from_slice(b"shelf.json");
    header[100..107].copy_from_slice(b"0000644");
    header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar  \0");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let padding = content.len().next_multiple_of(BLOCK) - content.len();
    [&header[..], content, &vec![0; padding + 2 * BLOCK]].concat()
}

/// The collection in an archive.
pub fn untar(archive: &[u8]) -> Result<Shelf, String> {
    let header = archive.get(..BLOCK).ok_or("failed to read the archive")?;
    let size = std::str::from_utf8(&header[124..135]).map_err(|error| error.to_string())?;
    let size = usize::from_str_radix(size, 8).map_err(|error| error.to_string())?;
    let (content, end) = (&archive[BLOCK..], size.next_multiple_of(BLOCK));
    if !header.starts_with(b"shelf.json\0") || content.len() < end + 2 * BLOCK {
        return Err("failed to unpack: unexpected end of file".into());
    }
    let content = &content[..size];
    if content.starts_with(b"rocksdb") {
        return Err("Failed to load storage type, RocksDB is not supported in this version".into());
    }
    serde_json::from_slice(content).map_err(|error| error.to_string())
}
