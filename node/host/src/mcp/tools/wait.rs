//! `wait_for_job`: the answer of a call that took longer than clients wait.

use rmcp::model::{JsonObject, Tool};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{arguments, looks_only};

/// What it is called.
pub const NAME: &str = "wait_for_job";

const DESCRIPTION: &str = "Waits for a call that handed back a job, and answers as that call would \
    have. If it is still working after 50 s the answer says so: call again with the same job.";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    job: String,
}

/// The tool.
pub fn tool() -> Tool {
    Tool::new(NAME, DESCRIPTION, arguments::schema::<Arguments>())
        .with_annotations(looks_only("Wait for a job"))
}

/// The job to wait for.
///
/// # Errors
/// Names the argument at fault.
pub fn job(given: JsonObject) -> Result<String, String> {
    arguments::parse::<Arguments>(given).map(|arguments| arguments.job)
}
