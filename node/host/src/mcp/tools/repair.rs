//! `compile_and_fix`: broken code in, the change that repairs it out.

use std::sync::Arc;

use gaia_core::coder::{Budget, Repair, Repaired};
use rmcp::model::{JsonObject, Tool};
use schemars::JsonSchema;
use serde::Deserialize;

use super::arguments::{self, Detail};
use super::made::{Output, answer, remembers, work};
use super::{Entry, Work, build};
use crate::coder::Order;
use crate::mcp::answer::{failure, schema};
use crate::mcp::{Shared, jobs};
use crate::store::Owner;

const DESCRIPTION: &str = "Repairs a Rust project that does not compile or whose tests fail: tries the \
    compiler's own suggestions, remembered fixes and a coding model, and compiles every try. Answers \
    with the diff, and with what is left if it could not; the code is never worse than it came, and \
    tests are never removed. `code` is as for compile; `description` says what the code is meant to do; \
    max_attempts is rounds of the model. detail=raw adds all files. Takes minutes at times: then it \
    answers with a job for wait_for_job.";

/// Rounds of the model at most.
const ATTEMPTS_MAX: u32 = 10;
const DESCRIPTION_BYTES_MAX: usize = 16 << 10;
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    code: String,
    #[serde(default = "description")]
    description: String,
    #[serde(default = "max_attempts")]
    max_attempts: u32,
    #[serde(default)]
    detail: Detail,
}

fn description() -> String {
    "A Rust project".to_owned()
}

fn max_attempts() -> u32 {
    3
}

/// The tool.
pub fn entry() -> Entry {
    let tool = Tool::new("compile_and_fix", DESCRIPTION, arguments::schema::<Arguments>())
        .with_raw_output_schema(schema::<Output>())
        .with_annotations(remembers("Repair Rust"));
    Entry { tool, begin }
}

fn begin(shared: &Arc<Shared>, owner: &Owner, given: JsonObject) -> Result<Work, String> {
    let Arguments { code, description, max_attempts, detail } = arguments::parse(given)?;
    arguments::text("code", &code, shared.body_bytes_max)?;
    arguments::text("description", &description, DESCRIPTION_BYTES_MAX)?;
    let budget = shared.parts.budget;
    if !(1..=ATTEMPTS_MAX).contains(&max_attempts) {
        return Err(format!(
            "argument `max_attempts`: {max_attempts} is not from 1 to {ATTEMPTS_MAX}"
        ));
    }
    let (shared, owner) = (Arc::clone(shared), owner.clone());
    Ok(Box::new(move |tell| {
        Box::pin(async move {
            tell.step("compiling");
            // As with Rust Coder, more than the node gives is no error.
            let budget = Budget { attempts: max_attempts.min(budget.attempts), ..budget };
            let request =
                Repair { description: Some(description), budget, learn: true, ..Repair::default() };
            match repair(&shared, &owner, (code, request, tell)).await {
                Ok(repaired) => answer(&shared, &owner, (repaired, detail)),
                Err(reason) => failure(&reason),
            }
        })
    }))
}

async fn repair(
    shared: &Arc<Shared>,
    owner: &Owner,
    (code, request, tell): (String, Repair, jobs::Tell),
) -> Result<Repaired, String> {
    let (coder, files) = build::coder_of(shared, owner, code).await?;
    let request = Repair { files, ..request };
    work(shared, owner, (coder, Order::Repair(Box::new(request), vec![]), tell)).await
}
