//! What the document says of these routes.

use serde_json::json;

use crate::http::openapi::{Operation, Schema, Tag};

const ALL: &str = "/admin/models";
const ONE: &str = "/admin/models/{name}";

/// What is loaded.
pub fn list() -> Operation {
    Operation::get(ALL, "list_managed_models")
        .tag(Tag::Node)
        .says("Lists the models as their operator sees them: with files and reasons.")
        .answers(Schema::open().needs("models", Schema::list(entry())))
}

/// Adds a model.
pub fn create() -> Operation {
    let example = json!({"name": "chat", "kind": "chat", "path": "models/a.gguf", "app": "chat"});
    changing(Operation::post(ALL, "add_model"))
        .says("Adds a model and loads it.")
        .takes(keys().needs("name", Schema::text()), example)
}

/// Loads another file for a model.
pub fn swap() -> Operation {
    of_one(Operation::put(ONE, "swap_model"))
        .says("Changes a model's keys, loads it anew, and lets the old one go when it is idle.")
        .takes(keys(), json!({"path": "models/b.gguf"}))
}

/// Takes a model away.
pub fn remove() -> Operation {
    of_one(Operation::delete(ONE, "remove_model")).says("Takes a model away.")
}

/// Loads a model.
pub fn load() -> Operation {
    of_one(Operation::post("/admin/models/{name}/load", "load_model")).says("Loads a model.")
}

/// Lets a model's memory go.
pub fn unload() -> Operation {
    of_one(Operation::post("/admin/models/{name}/unload", "unload_model"))
        .says("Lets a model's memory go; it stays in the list.")
}

fn of_one(operation: Operation) -> Operation {
    changing(operation.segment("name", "The model's name."))
}

fn changing(operation: Operation) -> Operation {
    operation
        .tag(Tag::Node)
        .query("wait", Schema::flag(), "Answer when it is done; otherwise 202 when it has begun.")
        .answers(entry())
}

/// Which keys there are is for the config's reader to say.
fn keys() -> Schema {
    Schema::open()
        .may("kind", Schema::words(&["chat", "embedding", "rerank"]))
        .may("path", Schema::text().says("A GGUF file in one of admin.model_dirs."))
        .may("app", Schema::text().says("A wasm app in one of admin.app_dirs."))
        .says("Any of the keys of [[models]] of the node's config; null is the default.")
}

fn entry() -> Schema {
    Schema::open()
        .needs("name", Schema::text())
        .needs("state", Schema::text())
        .may("path", Schema::text())
        .may("last_error", Schema::text().or_null())
}
