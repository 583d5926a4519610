//! What the document says of the routes for collections, documents and snapshots.

use serde_json::json;

use super::collections::{CHUNK_TOKENS, OVERLAP_TOKENS};
use crate::http::openapi::{Operation, Schema, Tag};

const ALL: &str = "/v1/knowledge/collections";
const ONE: &str = "/v1/knowledge/collections/{name}";
const DOCUMENTS: &str = "/v1/knowledge/collections/{name}/documents";

const EXPORT: &str = "/v1/knowledge/collections/{name}/export";
const IMPORT: &str = "/v1/knowledge/collections/{name}/import";

const REPLACE: &str = "Whether it may take the place of a collection of that name.";
const REEMBED: &str =
    "Make new vectors, or keep those of the file; without it, as the config says.";
const EMBEDDER: &str = "The model that is to serve it.";
const PREFIX: &str = "What the model wants before a text, for new vectors.";
const STATE: &str =
    "Whether it can be used; of one that is broken, the other numbers mean nothing.";
const PROGRESS: &str = "Events `progress`, and at the end `done` or `error`.";

/// All collections.
pub fn list_collections() -> Operation {
    Operation::get(ALL, "list_collections")
        .tag(Tag::Knowledge)
        .says("Lists the knowledge bases of this node.")
        .answers(Schema::open().needs("collections", Schema::list(collection())))
}

/// One collection.
pub fn get_collection() -> Operation {
    of_one(Operation::get(ONE, "get_collection"))
        .says("What one collection is.")
        .answers(collection())
}

/// Makes a collection.
pub fn create_collection() -> Operation {
    let distances = ["Cosine", "Dot", "Euclid", "Manhattan"];
    let overlap = "Tokens of the chunk before that a chunk begins with.";
    let body = Schema::object()
        .needs("name", Schema::text().says("Letters, digits, `_`, `-` and `.`."))
        .may("embedder", Schema::text().says("The model that makes the vectors."))
        .may("dimension", Schema::integer().within(1, 65_536).says("As the embedder's, mostly."))
        .may("distance", Schema::words(&distances).default("Cosine"))
        .may("chunk_tokens", Schema::integer().within(16, 8192).default(CHUNK_TOKENS))
        .may(
            "overlap_tokens",
            Schema::integer().within(0, 4096).default(OVERLAP_TOKENS).says(overlap),
        )
        .may("query_prefix", Schema::text().says("What the embedder wants before a question."))
        .may("text_prefix", Schema::text().says("What the embedder wants before a passage."))
        .may("language", Schema::text().says("The language of the texts, for the search by words."))
        .may("description", Schema::text().says("What it holds, for people."));
    Operation::post(ALL, "create_collection")
        .tag(Tag::Knowledge)
        .says("Makes a collection.")
        .takes(body, json!({"name": "notes", "dimension": 4}))
        .status(201)
        .answers(collection())
}

/// Removes a collection.
pub fn delete_collection() -> Operation {
    let answer = Schema::open().needs("name", Schema::text()).needs("deleted", Schema::flag());
    of_one(Operation::delete(ONE, "delete_collection"))
        .says("Removes a collection and all that is in it.")
        .answers(answer)
}

/// Brings indices up to date.
pub fn optimize() -> Operation {
    of_one(Operation::post("/v1/knowledge/collections/{name}/optimize", "optimize_collection"))
        .says("Brings a collection's indices up to date; opens again what could not be read.")
        .answers(collection())
}

/// The documents of a collection.
pub fn list_documents() -> Operation {
    let document = Schema::open()
        .needs("name", Schema::text())
        .needs("hash", Schema::text())
        .needs("chunks", Schema::integer())
        .may("attributes", Schema::open());
    of_one(Operation::get(DOCUMENTS, "list_documents"))
        .says("Lists the documents of a collection.")
        .answers(Schema::open().needs("documents", Schema::list(document)))
}

/// Brings a document in.
pub fn put_document() -> Operation {
    let answer = Schema::open()
        .needs("name", Schema::text())
        .needs("collection", Schema::text())
        .needs("written", Schema::integer())
        .needs("kept", Schema::integer())
        .needs("removed", Schema::integer());
    of_one(Operation::put(DOCUMENTS, "put_document"))
        .says(
            "Brings a document in: text, Markdown, HTML, PDF or Rust. One of its name is replaced.",
        )
        .needs_query("name", Schema::text(), "The document's name, with its ending.")
        .query("attributes", Schema::text(), "A JSON object, which filters can ask for.")
        .takes_upload("application/octet-stream", Schema::bytes())
        .answers(answer)
}

/// Removes a document.
pub fn delete_document() -> Operation {
    let answer = Schema::open()
        .needs("name", Schema::text())
        .needs("deleted", Schema::flag())
        .needs("chunks", Schema::integer());
    of_one(Operation::delete(DOCUMENTS, "delete_document"))
        .says("Removes a document from a collection.")
        .needs_query("name", Schema::text(), "The document's name.")
        .answers(answer)
}

/// Writes a snapshot.
pub fn write_snapshot() -> Operation {
    let file = Schema::text().says("A new file in one of the folders of knowledge.snapshot_dirs.");
    let answer = Schema::open()
        .needs("collection", Schema::text())
        .needs("file", Schema::text())
        .needs("bytes", Schema::integer());
    of_one(Operation::post("/v1/knowledge/collections/{name}/snapshot", "write_snapshot"))
        .says("Writes a snapshot of a collection to a file of this machine.")
        .takes(Schema::object().needs("file", file), json!({"file": "/snapshots/notes.snapshot"}))
        .answers(answer)
}

/// Takes a snapshot over.
pub fn restore_snapshot() -> Operation {
    let source = "A file in one of the folders of knowledge.snapshot_dirs, or an https address.";
    let body = Schema::object()
        .needs("snapshot", Schema::text().says(source))
        .may("sha256", Schema::text().says("The snapshot's digest, which is checked."))
        .may("embedder", Schema::text().says("The model that made the vectors."))
        .may("stream", Schema::flag().default(false));
    of_one(Operation::post("/v1/knowledge/collections/{name}/restore", "restore_snapshot"))
        .says("Replaces a collection by a snapshot, of this node or of Qdrant.")
        .takes(body, json!({"snapshot": "/snapshots/notes.snapshot"}))
        .answers(collection())
        .streams(PROGRESS)
}

/// A collection as a file.
pub fn export() -> Operation {
    of_one(Operation::get(EXPORT, "export_collection"))
        .says("A collection as one file that outlives engines and embedding models: JSON lines under zstd.")
        .answers_in("application/zstd", Schema::bytes())
}

/// The same, into a file of this machine.
pub fn write_export() -> Operation {
    let file = Schema::text().says("A new file in one of the folders of knowledge.snapshot_dirs.");
    let answer = Schema::open()
        .needs("collection", Schema::text())
        .needs("file", Schema::text())
        .needs("bytes", Schema::integer())
        .needs("points", Schema::integer())
        .needs("records_sha256", Schema::text());
    of_one(Operation::post(EXPORT, "write_export"))
        .says("Writes a collection to a file of this machine that outlives engines and models.")
        .takes(Schema::object().needs("file", file), json!({"file": "/snapshots/notes.jsonl.zst"}))
        .answers(answer)
}

/// Takes an export over.
pub fn import() -> Operation {
    let source = "A file in one of the folders of knowledge.snapshot_dirs, or an https address.";
    let body = Schema::object()
        .needs("source", Schema::text().says(source))
        .may("sha256", Schema::text().says("The file's digest, which is checked."))
        .may("replace", Schema::flag().default(false).says(REPLACE))
        .may("reembed", Schema::flag().says(REEMBED))
        .may("embedder", Schema::text().says(EMBEDDER))
        .may("query_prefix", Schema::text().says(PREFIX))
        .may("text_prefix", Schema::text().says(PREFIX))
        .may("stream", Schema::flag().default(false));
    of_one(Operation::post(IMPORT, "import_collection"))
        .says("Makes a collection of an exported file: all of it or nothing.")
        .takes(body, json!({"source": "/snapshots/notes.jsonl.zst"}))
        .answers(imported())
        .streams(PROGRESS)
}

/// The same, of a body.
pub fn import_upload() -> Operation {
    of_one(Operation::put(IMPORT, "import_upload"))
        .says("Makes a collection of an exported file, which is the body: all of it or nothing.")
        .query("replace", Schema::flag(), REPLACE)
        .query("reembed", Schema::flag(), REEMBED)
        .query("embedder", Schema::text(), EMBEDDER)
        .query("query_prefix", Schema::text(), PREFIX)
        .query("text_prefix", Schema::text(), PREFIX)
        .query("stream", Schema::flag(), PROGRESS)
        .takes_upload("application/zstd", Schema::bytes())
        .answers(imported())
        .streams(PROGRESS)
}

fn imported() -> Schema {
    Schema::open()
        .needs("collection", collection())
        .needs("reembedded", Schema::flag().says("Its vectors are new."))
        .needs("records", Schema::integer())
        .needs("records_sha256", Schema::text())
}

fn of_one(operation: Operation) -> Operation {
    operation.tag(Tag::Knowledge).segment("name", "The collection's name.")
}

fn collection() -> Schema {
    let chunker = Schema::open()
        .needs("tokens_max", Schema::integer())
        .needs("overlap_tokens", Schema::integer());
    Schema::open()
        .needs("name", Schema::text())
        .needs("dimension", Schema::integer())
        .needs("distance", Schema::text())
        .may("embedder", Schema::text())
        .may("chunker", chunker)
        .may("description", Schema::text())
        .needs("points", Schema::integer().says("Passages."))
        .needs("has_keywords", Schema::flag().says("It can be searched by words."))
        .needs("state", Schema::words(&["ready", "broken"]).says(STATE))
        .may("reason", Schema::text().says("Why it is broken."))
}
