//! What the document says of Rust Coder's own routes.

use serde_json::json;

use crate::http::openapi::{Operation, Schema, Tag};

/// Compiles and mends.
pub fn compile_and_fix() -> Operation {
    let attempts = "Rounds of the model at most, within what the node allows.";
    let body = Schema::open()
        .needs("code", code())
        .needs("description", Schema::text().says("What the project is meant to do."))
        .may("max_attempts", Schema::integer().least(1).says(attempts));
    let attempt = Schema::open()
        .needs("attempt", Schema::integer())
        .needs("success", Schema::flag())
        .needs("output", Schema::text());
    let answer = built()
        .needs("attempts", Schema::list(attempt))
        .needs("run_output", Schema::text().or_null());
    of(Operation::post("/compile-and-fix", "compile_and_fix"))
        .says(
            "Compiles a Rust project that comes as text and mends it until it compiles and its tests \
             pass. `success` tells whether that went well; `combined_text` is the project as it is then.",
        )
        .takes(body, json!({"code": "fn main() {}", "description": "It does nothing"}))
        .answers(answer)
}

/// Begins to make a project.
pub fn generate() -> Operation {
    of(Operation::post("/generate", "generate"))
        .says(
            "Begins to make a Rust project from a description, and answers at once with its \
             `project_id`; then ask project_status.",
        )
        .takes(description(), json!({"description": "A program that prints ten primes"}))
        .answers(status())
}

/// Makes a project.
pub fn generate_sync() -> Operation {
    of(Operation::post("/generate-sync", "generate_sync"))
        .says("Makes a Rust project from a description, and answers when it is there.")
        .takes(description(), json!({"description": "A program that prints ten primes"}))
        .answers(built())
}

/// How far a project is.
pub fn project() -> Operation {
    of_project(Operation::get("/project/{id}", "project_status"))
        .says("How far a project is that `generate` has begun, and what became of it.")
        .answers(status())
}

/// A file of a project.
pub fn file() -> Operation {
    of_project(Operation::get("/project/{id}/files/{*path}", "project_file"))
        .segment("path", "The file's path in the project.")
        .says("One file of a project that was made.")
        .answers_in("text/plain", Schema::text())
}

/// A whole project.
pub fn download() -> Operation {
    of_project(Operation::get("/project/{id}/download", "project_download"))
        .says("A project that was made, as a zip file.")
        .answers_in("application/zip", Schema::bytes())
}

fn of(operation: Operation) -> Operation {
    operation.tag(Tag::RustCoder).refuses_as("RustCoderError")
}

fn of_project(operation: Operation) -> Operation {
    of(operation).segment("id", "The project's id.")
}

fn code() -> Schema {
    Schema::text().says("One source file, or several, each behind a line `[filename: PATH]`.")
}

fn description() -> Schema {
    Schema::open()
        .needs("description", Schema::text().says("What it is to do."))
        .may("requirements", Schema::text().says("What it must have or hold to."))
}

fn built() -> Schema {
    Schema::open()
        .needs("success", Schema::flag())
        .needs("message", Schema::text())
        .needs("combined_text", Schema::text().or_null().says("The project as one text."))
        .needs("files", Schema::map(Schema::text()))
        .needs("build_output", Schema::text())
        .needs("build_success", Schema::flag())
}

fn status() -> Schema {
    let words = ["processing", "generating", "compiling", "error", "completed", "failed"];
    Schema::open()
        .needs("project_id", Schema::text())
        .needs("status", Schema::words(&words))
        .needs("message", Schema::text())
        .needs("files", Schema::list(Schema::text()).or_null())
        .needs("build_output", Schema::text().or_null())
        .needs("run_output", Schema::text().or_null())
}
