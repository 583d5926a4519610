//! What answers look like.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gaia_core::coder::Progress;
use gaia_sandbox::builder::{Answer, Program, Step};
use serde_json::{Value, json};

use crate::compile::{Done, JobState};
use crate::http::routes::coder;

/// An answer with its files.
pub fn wire(answer: &Answer) -> Value {
    let mut value = serde_json::to_value(answer).expect("our own answers have string keys only");
    for (key, files) in [("programs", &answer.programs), ("rustdoc_json", &answer.documents)] {
        if !files.is_empty() {
            value[key] = files.iter().map(program).collect();
        }
    }
    value
}

fn program(program: &Program) -> Value {
    json!({
        "name": program.name,
        "bytes": program.bytes.len(),
        "content_base64": STANDARD.encode(&program.bytes),
    })
}

/// A job as it is now.
pub fn job(id: &str, state: &JobState) -> Value {
    let mut value = json!({"id": id, "object": "job", "state": word(state)});
    match state {
        JobState::Done(done, _) => value["result"] = ended(done),
        JobState::Failed(reason) => value["error"] = json!({"message": reason}),
        JobState::Telling(progress) => value["progress"] = json!(progress),
        JobState::Queued | JobState::Working(_) => {}
    }
    value
}

fn ended(done: &Done) -> Value {
    match done {
        Done::Compiled(answer) => wire(answer),
        Done::Made(made) => coder::wire::made(made),
    }
}

fn word(state: &JobState) -> &'static str {
    match state {
        JobState::Queued => "queued",
        JobState::Working(Step::Compiling) => "compiling",
        JobState::Working(Step::Running) => "running",
        JobState::Telling(Progress::Writing { .. }) => "writing",
        JobState::Telling(_) => "working",
        JobState::Done(..) => "done",
        JobState::Failed(_) => "failed",
    }
}
