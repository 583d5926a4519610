//! What the document says of these routes.

use gaia_sandbox::builder::Task;
use serde_json::json;

use super::request::{ARTIFACTS, STDIN_BYTES_MAX, WORDS_MAX};
use crate::http::openapi::{Operation, Schema, Tag};
use crate::http::routes::coder::made;

const JOB: &str = "/v1/jobs/{id}";

/// Does a job.
pub fn compile() -> Operation {
    Operation::post("/v1/compile", "compile_project")
        .tag(Tag::RustCoder)
        .says(
            "Checks, builds, tests or runs a Rust project in a sandbox, and answers with the verdict \
             and with diagnostics as data. Send `code` for one file, `files` for a project.",
        )
        .takes(takes(), json!({"code": "fn main() {}"}))
        .answers(answer())
}

/// Begins a job.
pub fn begin_job() -> Operation {
    Operation::post("/v1/jobs", "begin_job")
        .tag(Tag::RustCoder)
        .says("As compile_project, but it answers at once with an id to ask for; then get_job.")
        .takes(takes(), json!({"code": "fn main() {}"}))
        .status(202)
        .answers(job())
        .or_answers(
            200,
            answer().says("A project that is refused as it is gets its answer at once."),
        )
}

/// How far a job is.
pub fn get_job() -> Operation {
    of_job(Operation::get(JOB, "get_job"))
        .says("How far a job is, and its answer once it has one.")
        .answers(job())
}

/// Ends a job.
pub fn delete_job() -> Operation {
    let answer = Schema::open().needs("id", Schema::text()).needs("deleted", Schema::flag());
    of_job(Operation::delete(JOB, "delete_job"))
        .says("Ends a job, if it has not ended, and forgets it.")
        .answers(answer)
}

/// The steps of a job.
pub fn job_events() -> Operation {
    of_job(Operation::get("/v1/jobs/{id}/events", "job_events"))
        .says("Each step of a job as it begins, then its answer.")
        .streams("Events `state`, then `result`, each a job.")
}

/// The project of a job.
pub fn job_download() -> Operation {
    of_job(Operation::get("/v1/jobs/{id}/download", "job_download"))
        .says("The project that a job has repaired or made, as a zip file.")
        .answers_in("application/zip", Schema::bytes())
}

/// A file of it.
pub fn job_file() -> Operation {
    of_job(Operation::get("/v1/jobs/{id}/files/{*path}", "job_file"))
        .segment("path", "The file's path in the project.")
        .says("One file of the project that a job has repaired or made.")
        .answers_in("text/plain", Schema::text())
}

/// Rust Coder's own.
pub fn rust_coder_compile() -> Operation {
    let error = Schema::open()
        .needs("full_error", Schema::text())
        .needs("error_message", Schema::text())
        .needs("error_location", Schema::text());
    let answer = Schema::open()
        .needs("success", Schema::flag())
        .needs("files", Schema::list(Schema::text()))
        .needs("build_output", Schema::text())
        .may("run_output", Schema::text())
        .may("error_details", error);
    Operation::post("/compile", "compile")
        .tag(Tag::RustCoder)
        .says(
            "Builds and runs a Rust project that comes as text: one file, or several, each behind a \
             line `[filename: PATH]`. `success` tells whether it was built.",
        )
        .takes(Schema::open().needs("code", Schema::text().says("The text.")), json!({"code": "fn main() {}"}))
        .answers(answer)
        .refuses_as("RustCoderError")
}

fn of_job(operation: Operation) -> Operation {
    operation.tag(Tag::RustCoder).segment("id", "The job's id.")
}

/// The forms in which a project comes.
pub fn source(body: Schema) -> Schema {
    let files = Schema::map(Schema::text());
    let editions = ["2015", "2018", "2021", "2024"];
    let flat = "One source file, or several, each behind a line `[filename: PATH]`.";
    body.may("code", Schema::text().says(flat))
        .may("files", files.says("Instead of code: texts by their paths, with a Cargo.toml."))
        .may("archive", Schema::text().says("Instead of code: a zip or tar.gz file in base64."))
        .may("edition", Schema::words(&editions).says("With code alone."))
}

/// How much of the answer is wanted.
pub fn detail(body: Schema) -> Schema {
    let details = Schema::words(&["summary", "evidence", "raw"]).default("evidence");
    body.may("detail", details.says("How much the answer tells."))
}

fn takes() -> Schema {
    let words = || Schema::list(Schema::text()).items(0, WORDS_MAX);
    let time = || Schema::integer().least(1);
    let stdin = format!("What the program reads, at most {STDIN_BYTES_MAX} bytes.");
    Schema::object()
        .with(source)
        .may("command", Schema::words(&Task::WORDS).default("check"))
        .with(detail)
        .may("release", Schema::flag().says("With optimizations."))
        .may("target", Schema::words(&["native", "wasm32-wasip1"]).default("native"))
        .may("features", words())
        .may("default_features", Schema::flag().default(true))
        .may("all_features", Schema::flag())
        .may("bin", Schema::text().says("Which of several programs."))
        .may("args", words().says("The program's arguments."))
        .may("stdin", Schema::text().says(&stdin))
        .may("explain", Schema::flag().says("Add the compiler's explanations of its errors."))
        .may("programs", Schema::flag().says("Short for that word in artifacts."))
        .may("artifacts", Schema::list(Schema::words(&ARTIFACTS)).says("Files to answer with."))
        .may("compile_time_ms", time().says("Milliseconds that compiling may take."))
        .may("run_time_ms", time().says("Milliseconds that the program may take."))
}

/// What became of a job.
pub fn answer() -> Schema {
    let verdicts = [
        "ok",
        "compile_error",
        "test_failure",
        "runtime_failure",
        "timeout",
        "out_of_memory",
        "output_limit",
        "cancelled",
        "refused",
    ];
    let texts = || Schema::list(Schema::text());
    let tally = ["errors", "warnings", "tests_passed", "tests_failed", "tests_ignored"]
        .iter()
        .fold(Schema::open(), |tally, name| tally.needs(name, Schema::integer()));
    Schema::open()
        .needs("verdict", Schema::words(&verdicts))
        .needs("detail", Schema::text())
        .needs("tally", tally)
        .may("lines", texts().says("A line for each message."))
        .may("diagnostics", Schema::list(diagnostic()))
        .may("tests", Schema::list(test()))
        .may("exit_code", Schema::integer().says("The program's status."))
        .may("stdout", Schema::text())
        .may("stderr", Schema::text())
        .may("reasons", texts().says("Why it was refused."))
        .may("notes", texts().says("What it ran into."))
        .may("explanations", Schema::map(Schema::text()).says("By the numbers of errors."))
        .may("files", Schema::map(Schema::text()).says("What fmt has changed."))
        .may("programs", Schema::list(Schema::open()).says("In base64."))
        .may("rustdoc_json", Schema::list(Schema::open()).says("In base64."))
        .needs("timings", Schema::map(Schema::integer()).says("In milliseconds."))
}

fn diagnostic() -> Schema {
    let span = Schema::open()
        .needs("file", Schema::text())
        .needs("line_start", Schema::integer())
        .needs("line_end", Schema::integer())
        .needs("column_start", Schema::integer())
        .needs("column_end", Schema::integer());
    Schema::open()
        .needs("level", Schema::text().says("error, warning and so on."))
        .may("code", Schema::text().says("An error's number, or a lint's name."))
        .needs("message", Schema::text())
        .needs("spans", Schema::list(span).says("Places, the primary ones first."))
        .needs("suggestions", Schema::list(Schema::open()))
        .needs("rendered", Schema::text().says("As the compiler prints it."))
}

fn test() -> Schema {
    Schema::open()
        .needs("name", Schema::text())
        .needs("status", Schema::words(&["passed", "failed", "ignored"]))
        .may("output", Schema::text())
}

/// A job as it is now.
pub fn job() -> Schema {
    let states = ["queued", "compiling", "running", "writing", "working", "done", "failed"];
    Schema::open()
        .needs("id", Schema::text())
        .needs("object", Schema::words(&["job"]))
        .needs("state", Schema::words(&states))
        .may("progress", Schema::open().says("The last step of a repair or a generation."))
        .may("result", Schema::either([answer(), made()]).says("By what the job was to do."))
        .may("error", Schema::open().needs("message", Schema::text()))
}
