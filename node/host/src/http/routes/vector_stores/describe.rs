//! What the document says of these routes.

use serde_json::json;

use super::PAGE;
use super::batches::FILES_MAX;
use super::parse::{DAYS_MAX, KEY_CHARS_MAX, PAIRS_MAX, VALUE_CHARS_MAX};
use super::search::{QUERIES_MAX, RESULTS, RESULTS_MAX};
use crate::http::openapi::{Operation, Schema, Tag};

const ALL: &str = "/v1/vector_stores";
const ONE: &str = "/v1/vector_stores/{id}";
const FILES: &str = "/v1/vector_stores/{id}/files";
const FILE: &str = "/v1/vector_stores/{id}/files/{file}";
const BATCHES: &str = "/v1/vector_stores/{id}/file_batches";
const BATCH: &str = "/v1/vector_stores/{id}/file_batches/{batch}";

/// Makes a store.
pub fn create_store(files_max: usize) -> Operation {
    let ids = Schema::list(Schema::text()).items(0, files_max);
    let body = Schema::object()
        .may("name", Schema::text())
        .may("description", Schema::text())
        .may("file_ids", ids.says("Uploaded files to bring in."))
        .may("chunking_strategy", chunking())
        .may("expires_after", expiry())
        .may("metadata", metadata());
    Operation::post(ALL, "create_vector_store")
        .tag(Tag::Knowledge)
        .says("Makes a vector store, and brings files in.")
        .takes(body, json!({"name": "notes"}))
        .answers(store())
}

/// The stores of whoever asks.
pub fn list_stores() -> Operation {
    in_pages(Operation::get(ALL, "list_vector_stores"))
        .tag(Tag::Knowledge)
        .says("Lists the vector stores of whoever asks.")
        .answers(Schema::page(store()))
}

/// One store.
pub fn get_store() -> Operation {
    of_store(Operation::get(ONE, "get_vector_store")).says("What one store is.").answers(store())
}

/// Changes a store.
pub fn modify_store() -> Operation {
    let body = Schema::object()
        .may("name", Schema::text())
        .may("metadata", metadata())
        .may("expires_after", expiry());
    of_store(Operation::post(ONE, "modify_vector_store"))
        .says("Changes what is noted of a store.")
        .takes(body, json!({"name": "notes"}))
        .answers(store())
}

/// Removes a store.
pub fn delete_store() -> Operation {
    of_store(Operation::delete(ONE, "delete_vector_store"))
        .says("Removes a store; its files stay.")
        .answers(deleted())
}

/// How passages are ranked.
pub fn ranking() -> Schema {
    let rankers = ["none", "auto", "default-2024-11-15"];
    let weights = Schema::object()
        .may("embedding_weight", Schema::number().within(0, 1_000_000))
        .may("text_weight", Schema::number().within(0, 1_000_000));
    Schema::object()
        .may("ranker", Schema::words(&rankers).says("none: by meaning alone."))
        .may("score_threshold", Schema::number().within(0, 1))
        .may("hybrid_search", weights.says("How much meaning and words count."))
}

/// Searches a store.
pub fn search() -> Operation {
    let queries = Schema::list(Schema::filled()).items(1, QUERIES_MAX);
    let results = Schema::integer().within(1, RESULTS_MAX).default(RESULTS);
    let body = Schema::object()
        .needs("query", Schema::either([Schema::filled(), queries]))
        .may("max_num_results", results)
        .may("filters", Schema::named("Filter"))
        .may("ranking_options", ranking())
        .may("rewrite_query", Schema::flag().says("False, or left out."));
    let text = Schema::open().needs("type", Schema::text()).needs("text", Schema::text());
    let found = Schema::open()
        .needs("file_id", Schema::text())
        .needs("filename", Schema::text())
        .needs("score", Schema::number())
        .needs("attributes", Schema::open())
        .needs("content", Schema::list(text));
    let answer = Schema::open()
        .needs("object", Schema::text())
        .needs("search_query", Schema::list(Schema::text()))
        .needs("data", Schema::list(found))
        .needs("has_more", Schema::flag());
    of_store(Operation::post("/v1/vector_stores/{id}/search", "search_vector_store"))
        .says("Finds passages in the files of a store.")
        .takes(body, json!({"query": "a"}))
        .answers(answer)
}

/// Brings a file in.
pub fn add_file() -> Operation {
    of_store(Operation::post(FILES, "add_vector_store_file"))
        .says("Brings an uploaded file into a store; it is answered before that is done.")
        .takes(new_file(), json!({"file_id": "file-1"}))
        .answers(file())
}

/// The files of a store.
pub fn list_files() -> Operation {
    with_filter(of_store(Operation::get(FILES, "list_vector_store_files")))
        .says("Lists the files of a store.")
        .answers(Schema::page(file()))
}

/// A file of a store.
pub fn get_file() -> Operation {
    of_file(Operation::get(FILE, "get_vector_store_file"))
        .says("How far a file of a store is.")
        .answers(file())
}

/// Changes a file's attributes.
pub fn modify_file() -> Operation {
    of_file(Operation::post(FILE, "modify_vector_store_file"))
        .says("Changes the attributes of a file of a store.")
        .takes(Schema::object().may("attributes", attributes()), json!({"attributes": {}}))
        .answers(file())
}

/// Lets a file go.
pub fn remove_file() -> Operation {
    of_file(Operation::delete(FILE, "remove_vector_store_file"))
        .says("Takes a file out of a store; the file itself stays.")
        .answers(deleted())
}

/// The text of a file.
pub fn file_content() -> Operation {
    let text = Schema::open().needs("type", Schema::text()).needs("text", Schema::text());
    let answer = Schema::open()
        .needs("file_id", Schema::text())
        .needs("filename", Schema::text())
        .needs("data", Schema::list(text));
    of_file(Operation::get(
        "/v1/vector_stores/{id}/files/{file}/content",
        "vector_store_file_content",
    ))
    .says("The texts of a file's chunks.")
    .answers(answer)
}

/// Brings files in.
pub fn add_batch() -> Operation {
    let body = Schema::object()
        .may("file_ids", Schema::list(Schema::text()).items(1, FILES_MAX))
        .may("files", Schema::list(new_file()).items(1, FILES_MAX).says("Instead of file_ids."))
        .may("attributes", attributes())
        .may("chunking_strategy", chunking());
    of_store(Operation::post(BATCHES, "add_vector_store_batch"))
        .says("Brings uploaded files into a store; it is answered before that is done.")
        .takes(body, json!({"file_ids": ["file-1"]}))
        .answers(batch())
}

/// How far a batch is.
pub fn get_batch() -> Operation {
    of_batch(Operation::get(BATCH, "get_vector_store_batch"))
        .says("How far the files of a batch are.")
        .answers(batch())
}

/// Gives a batch up.
pub fn cancel_batch() -> Operation {
    let path = "/v1/vector_stores/{id}/file_batches/{batch}/cancel";
    of_batch(Operation::post(path, "cancel_vector_store_batch"))
        .says("Gives a batch up: what waits stays out, what is there stays.")
        .answers(batch())
}

/// The files of a batch.
pub fn batch_files() -> Operation {
    let path = "/v1/vector_stores/{id}/file_batches/{batch}/files";
    with_filter(of_batch(Operation::get(path, "list_vector_store_batch_files")))
        .says("Lists the files of a batch.")
        .answers(Schema::page(file()))
}

fn in_pages(operation: Operation) -> Operation {
    operation.pages(PAGE.max).query("before", Schema::text(), "The id before which the page ends.")
}

fn with_filter(operation: Operation) -> Operation {
    let states = ["in_progress", "completed", "failed", "cancelled"];
    in_pages(operation).query("filter", Schema::words(&states), "Files of this state alone.")
}

fn of_store(operation: Operation) -> Operation {
    operation.tag(Tag::Knowledge).segment("id", "The store's id.")
}

fn of_file(operation: Operation) -> Operation {
    of_store(operation).segment("file", "The file's id.")
}

fn of_batch(operation: Operation) -> Operation {
    of_store(operation).segment("batch", "The batch's id.")
}

fn new_file() -> Schema {
    Schema::object()
        .needs("file_id", Schema::text())
        .may("attributes", attributes())
        .may("chunking_strategy", chunking())
}

fn chunking() -> Schema {
    let sizes = Schema::object()
        .needs("max_chunk_size_tokens", Schema::integer().within(100, 4096))
        .needs("chunk_overlap_tokens", Schema::integer().least(0));
    Schema::object()
        .needs("type", Schema::words(&["auto", "static"]))
        .may("static", sizes)
        .says("How files are cut.")
}

fn expiry() -> Schema {
    Schema::object()
        .needs("anchor", Schema::words(&["last_active_at"]))
        .needs("days", Schema::integer().within(1, DAYS_MAX))
        .says("When an unused store goes.")
}

fn metadata() -> Schema {
    let text = Schema::text().chars(VALUE_CHARS_MAX);
    Schema::map(text).entries(PAIRS_MAX, KEY_CHARS_MAX).says("What is noted of it.")
}

fn attributes() -> Schema {
    let text = Schema::text().chars(VALUE_CHARS_MAX);
    let plain = Schema::either([text, Schema::number(), Schema::flag()]);
    let what = "Plain values, which filters can ask for; names without . [ ] and quotation marks.";
    Schema::map(plain).entries(PAIRS_MAX, KEY_CHARS_MAX).says(what)
}

fn counts() -> Schema {
    ["in_progress", "completed", "cancelled", "failed", "total"]
        .iter()
        .fold(Schema::open(), |counts, name| counts.needs(name, Schema::integer()))
}

fn store() -> Schema {
    Schema::open()
        .needs("id", Schema::text())
        .needs("object", Schema::words(&["vector_store"]))
        .needs("created_at", Schema::integer())
        .needs("name", Schema::text())
        .needs("usage_bytes", Schema::integer())
        .needs("file_counts", counts())
        .needs("status", Schema::words(&["in_progress", "completed", "expired"]))
        .needs("metadata", Schema::open())
}

fn file() -> Schema {
    let states = ["in_progress", "completed", "failed", "cancelled"];
    Schema::open()
        .needs("id", Schema::text())
        .needs("object", Schema::words(&["vector_store.file"]))
        .needs("created_at", Schema::integer())
        .needs("vector_store_id", Schema::text())
        .needs("status", Schema::words(&states))
        .needs("attributes", Schema::open())
}

fn batch() -> Schema {
    Schema::open()
        .needs("id", Schema::text())
        .needs("object", Schema::words(&["vector_store.files_batch"]))
        .needs("vector_store_id", Schema::text())
        .needs("status", Schema::words(&["in_progress", "completed", "failed", "cancelled"]))
        .needs("file_counts", counts())
}

fn deleted() -> Schema {
    Schema::open()
        .needs("id", Schema::text())
        .needs("object", Schema::text())
        .needs("deleted", Schema::flag())
}
