//! What the document says of these routes.

use serde_json::json;

use super::explain::Whole;
use super::score::CANDIDATES_MAX;
use crate::http::openapi::{Operation, Schema, Tag};
use crate::http::routes::compile::describe::{detail, job, source};

/// Repairs.
pub fn repair() -> Operation {
    let body = Schema::object()
        .with(source)
        .may("description", Schema::text().says("What the project is meant to do."))
        .may("goal", Schema::words(&["check", "test"]).default("test"))
        .may("without_model", Schema::flag().says("By the compiler and the memory alone."))
        .with(shared);
    Operation::post("/v1/repair", "repair_project")
        .tag(Tag::RustCoder)
        .says(
            "Mends a Rust project that does not compile or whose tests fail: by the compiler's own \
             suggestions, by fixes that helped before, and by a model. Answers with the change as a \
             diff; the result is never worse than what came. With `background`, 202 with a job.",
        )
        .takes(body, json!({"code": "fn main() {}"}))
        .answers(made())
        .or_answers(202, job().says("With `background`: what is asked for later."))
        .streams("With `stream`: events `progress`, then `result` or `error`.")
}

/// Makes a project.
pub fn generate() -> Operation {
    let tests = Schema::flag().default(true).says("Whether it is to have tests, and to pass them.");
    let body = Schema::object()
        .needs("description", Schema::text().says("What it is to do."))
        .may("requirements", Schema::text().says("What it must have or hold to."))
        .may("kind", Schema::words(&["bin", "lib", "workspace"]).default("bin"))
        .may("name", Schema::text().says("The package's name."))
        .may("tests", tests)
        .may("collections", Schema::either([Schema::text(), Schema::list(Schema::text())]))
        .with(shared);
    Operation::post("/v1/generate", "generate_project")
        .tag(Tag::RustCoder)
        .says(
            "Makes a whole Rust project from a description; it is compiled, tested and mended before \
             it is returned. `success` tells whether it came out well. With `background`, 202 with a \
             job, whose project can be downloaded.",
        )
        .takes(body, json!({"description": "A program that prints the first ten primes"}))
        .answers(made())
        .or_answers(202, job().says("With `background`: what is asked for later."))
        .streams("With `stream`: events `progress`, then `result` or `error`.")
}

/// What both take.
fn shared(body: Schema) -> Schema {
    let least = || Schema::integer().least(1);
    let stream = "Answer in server-sent events: each step, then the result.";
    body.may("model", Schema::text().says("A chat model, instead of the node's coding model."))
        .may("attempts", Schema::integer().least(0).says("Rounds of the model at most."))
        .may("tokens", least().says("Tokens that the model writes at most."))
        .may("time_ms", least().says("From the request to the answer, in milliseconds."))
        .may("candidates", least().says("Answers of the model in one round."))
        .may("learn", Schema::flag().default(true).says("Whether what helped is remembered."))
        .with(detail)
        .may("stream", Schema::flag().says(stream))
        .may("background", Schema::flag().says("Answer at once with a job to ask for."))
}

/// A project that was repaired or made.
pub fn made() -> Schema {
    let texts = || Schema::map(Schema::text());
    let text = || Schema::text().or_null();
    Schema::open()
        .needs("object", Schema::words(&["repair", "project"]))
        .needs("success", Schema::flag())
        .needs("message", Schema::text().says("What became of it, in a sentence or two."))
        .needs("by", text().says("The stage that reached the goal."))
        .needs("model", text())
        .needs("changed", Schema::list(Schema::text()).says("Paths of the files that changed."))
        .needs("files", texts().says("The changed files, or all: texts by their paths."))
        .may("diff", Schema::text().says("The change, as a unified diff."))
        .may("combined_text", text().says("The whole project as one text that can be sent back."))
        .needs("attempts", Schema::list(Schema::open()).says("All that was compiled."))
        .needs("report", Schema::open().says("What is left to do: verdict, lines, diagnostics."))
        .may("spent", Schema::open().says("Builds, tokens, milliseconds."))
}

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
