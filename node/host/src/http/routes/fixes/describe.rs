//! What the document says of these routes.

use serde_json::json;

use super::{PAGE, PAGE_MAX};
use crate::http::openapi::{Operation, Schema, Tag};

/// Some fixes.
pub fn list() -> Operation {
    let embedder = "The model by which near fixes are found; without one, code and words do.";
    let answer = Schema::open()
        .needs("fixes", Schema::list(fix()))
        .needs("next", Schema::text().or_null().says("Where the next page begins."))
        .needs("embedder", Schema::text().or_null().says(embedder));
    let limit = Schema::integer().within(1, PAGE_MAX).default(PAGE);
    Operation::get("/v1/fixes", "list_fixes")
        .tag(Tag::RustCoder)
        .says("Lists the fixes that the coder remembers and that may help whoever asks.")
        .query("from", Schema::text(), "`next` of the page before.")
        .query("limit", limit, "Fixes of the page at most.")
        .answers(answer)
}

/// Fixes for other nodes.
pub fn export() -> Operation {
    Operation::get("/v1/fixes/export", "export_fixes")
        .tag(Tag::RustCoder)
        .says("The fixes that the coder remembers as JSON lines, which another node can import.")
        .answers_in("application/jsonl", Schema::text().says("One fix a line."))
}

/// Fixes of other nodes.
pub fn import() -> Operation {
    let trusted = "They help everyone at once, and their counts are taken over. Otherwise they help \
                   this key alone until they have helped twice, and are counted from 0.";
    let origin = "Where they come from: a name.";
    let body = Schema::object()
        .needs("lines", Schema::text().says("JSON lines, as an export has them."))
        .needs("origin", Schema::text().says(origin))
        .may("trusted", Schema::flag().default(false).says(trusted));
    let refused = Schema::open().needs("fix", Schema::integer()).needs("reason", Schema::text());
    let answer = Schema::open()
        .needs("imported", Schema::integer().says("New fixes."))
        .needs("known", Schema::integer().says("Fixes that were here already."))
        .needs("refused_count", Schema::integer())
        .needs("refused", Schema::list(refused).says("The first of them, counted from 1."));
    let line = r#"{"message":"mismatched types","before":"a","after":"a.into()"}"#;
    Operation::post("/v1/fixes/import", "import_fixes")
        .tag(Tag::RustCoder)
        .says("Takes over fixes of another node. It takes an admin key or a trusted one.")
        .takes(body, json!({"origin": "club", "lines": line}))
        .answers(answer)
}

/// Forgets a fix.
pub fn forget() -> Operation {
    Operation::delete("/v1/fixes/{id}", "forget_fix")
        .tag(Tag::RustCoder)
        .segment("id", "The fix's id.")
        .says("Forgets a fix; an admin key forgets those of others, too.")
        .answers(Schema::open().needs("id", Schema::text()).needs("deleted", Schema::flag()))
}

fn fix() -> Schema {
    Schema::open()
        .needs("id", Schema::text())
        .may("code", Schema::text().says("The error's number or the lint's name."))
        .needs("message", Schema::text().says("Without what is particular to one project."))
        .needs("before", Schema::text().says("The lines as they were."))
        .needs("after", Schema::text().says("The lines as they are."))
        .needs("explanation", Schema::text())
        .needs("origin", Schema::text().says("Where it comes from; empty: another key."))
        .needs("trusted", Schema::flag())
        .needs("used", Schema::integer().says("How often it was tried."))
        .needs("helped", Schema::integer().says("How often an error went away by it."))
}
