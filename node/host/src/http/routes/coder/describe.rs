//! What the document says of these routes.

use serde_json::json;

use super::explain::Whole;
use super::score::CANDIDATES_MAX;
use crate::http::openapi::{Operation, Schema, Tag};
use crate::http::routes::compile::describe::source;

/// Explains.
pub fn explain() -> Operation {
    let code = "An error's number such as E0502, what the compiler printed, a source file, or one of \
                the compiler's messages as an object.";
    let body = Schema::object()
        .may("code", Schema::either([Schema::text(), Schema::open()]).says(code))
        .may("files", Schema::map(Schema::text()).says("A project: texts by their paths."))
        .may("archive", Schema::text().says("A project: a zip or tar.gz file in base64."))
        .may("question", Schema::text().says("What is to be explained."))
        .may("collections", Schema::list(Schema::text()).items(0, 16).says("Knowledge bases."))
        .may("model", Schema::text().says("A chat model."))
        .may("without_model", Schema::flag().says("Only what is known for sure."))
        .may("max_tokens", Schema::integer().least(1).says("Tokens of the explanation at most."))
        .may("stream", Schema::flag().says("Answer in server-sent events."));
    Operation::post("/v1/explain", "explain_error")
        .tag(Tag::RustCoder)
        .says(
            "Explains an error of the Rust compiler, a project's errors, or answers a question, with \
             the compiler's own explanations and passages of the knowledge base.",
        )
        .takes(body, json!({"code": "E0502"}))
        .answers_with::<Whole<'static>>()
        .streams("With `stream`: chat.completion.chunk objects, then `[DONE]`.")
}

/// Scores.
pub fn score() -> Operation {
    let weight = || Schema::number().within(0, 1000);
    let weights = Schema::object()
        .may("compiles", weight())
        .may("warnings", weight())
        .may("clippy", weight())
        .may("tests", weight());
    let candidate = Schema::object().with(source).says("A project, as compile_project takes it.");
    let tests = "Files that each candidate gets in place of its own: texts by their paths.";
    let body = Schema::object()
        .needs("candidates", Schema::list(candidate).items(1, CANDIDATES_MAX))
        .may("tests", Schema::map(Schema::text()).says(tests))
        .may("weights", weights.says("How much each part counts."));
    let result = Schema::open()
        .needs("index", Schema::integer())
        .needs("score", Schema::number().or_null().says("From 0 to 1; null if nothing is known."))
        .may("verdict", Schema::text())
        .may("error", Schema::open().needs("message", Schema::text()));
    let answer = Schema::open()
        .needs("object", Schema::words(&["scores"]))
        .needs("weights", Schema::map(Schema::number()))
        .needs("results", Schema::list(result).says("In the order of the candidates."));
    Operation::post("/v1/score", "score")
        .tag(Tag::RustCoder)
        .says("Compiles, lints and tests Rust projects; each gets a number from 0 to 1 and its parts.")
        .takes(body, json!({"candidates": [{"code": "fn main() {}"}]}))
        .answers(answer)
}
