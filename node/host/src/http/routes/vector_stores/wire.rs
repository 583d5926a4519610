//! Stores, files and batches as OpenAI's clients read them.

use serde::Serialize;
use serde_json::{Value, json};

use super::status;
use crate::store::{Batch, FileStatus, StoreFile, VectorStore};

/// How many files are how far.
#[derive(Default, Serialize)]
struct Counts {
    in_progress: usize,
    completed: usize,
    cancelled: usize,
    failed: usize,
    total: usize,
}

impl<'a> FromIterator<&'a StoreFile> for Counts {
    fn from_iter<T: IntoIterator<Item = &'a StoreFile>>(files: T) -> Self {
        let mut counts = Self::default();
        for file in files {
            counts.total += 1;
            match file.status {
                FileStatus::InProgress => counts.in_progress += 1,
                FileStatus::Completed => counts.completed += 1,
                FileStatus::Cancelled => counts.cancelled += 1,
                FileStatus::Failed => counts.failed += 1,
                FileStatus::Removed => counts.total -= 1,
            }
        }
        counts
    }
}

/// A store.
pub fn store(store: &VectorStore) -> Value {
    let completed = store.files.iter().filter(|file| file.status == FileStatus::Completed);
    let expires_after = store.expires_after_days;
    json!({
        "id": store.id,
        "object": "vector_store",
        "created_at": store.created_at,
        "name": store.name,
        "description": store.description,
        "usage_bytes": completed.map(|file| file.bytes).sum::<u64>(),
        "file_counts": store.visible().collect::<Counts>(),
        "status": status(store),
        "expires_after": expires_after.map(|days| json!({"anchor": "last_active_at", "days": days})),
        "expires_at": store.expires_at(),
        "last_active_at": store.last_active_at,
        "metadata": store.metadata,
    })
}

/// A file of a store.
pub fn file(store: &VectorStore, file: &StoreFile) -> Value {
    let is_done = file.status == FileStatus::Completed;
    json!({
        "id": file.id,
        "object": "vector_store.file",
        "usage_bytes": if is_done { file.bytes } else { 0 },
        "created_at": file.created_at,
        "vector_store_id": store.id,
        "status": file.status.word(),
        "last_error": file.error,
        "attributes": file.attributes,
        "chunking_strategy": {
            "type": "static",
            "static": {
                "max_chunk_size_tokens": file.chunker.tokens_max,
                "chunk_overlap_tokens": file.chunker.overlap_tokens,
            },
        },
    })
}

/// Files that came together.
pub fn batch(store: &VectorStore, batch: &Batch) -> Value {
    let files = store.visible().filter(|file| file.batch.as_ref() == Some(&batch.id));
    let counts: Counts = files.collect();
    let status = match &counts {
        counts if counts.in_progress > 0 => "in_progress",
        _ if batch.cancelled => "cancelled",
        counts if counts.total > 0 && counts.failed == counts.total => "failed",
        _ => "completed",
    };
    json!({
        "id": batch.id,
        "object": "vector_store.files_batch",
        "created_at": batch.created_at,
        "vector_store_id": store.id,
        "status": status,
        "file_counts": counts,
    })
}

/// A page of a list.
pub fn page(data: &[Value], has_more: bool) -> Value {
    json!({
        "object": "list",
        "data": data,
        "first_id": data.first().map(|thing| &thing["id"]),
        "last_id": data.last().map(|thing| &thing["id"]),
        "has_more": has_more,
    })
}
