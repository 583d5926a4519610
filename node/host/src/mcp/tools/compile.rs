//! `compile`: what the compiler says of code.

use std::sync::Arc;

use gaia_core::build::Command;
use rmcp::model::{JsonObject, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arguments::{self, Detail};
use super::build::{Order, build};
use super::report::{Built, Shape, answer};
use super::{Entry, Work, looks_only};
use crate::mcp::{Shared, answer as answers};
use crate::store::Owner;

const DESCRIPTION: &str = "Checks Rust code with the real compiler, in a sandbox, and answers with its \
    messages. `code` is one source file, or several, each after a line `[filename: src/lib.rs]`. \
    command: check (fastest), clippy, or test to run its tests. What takes longer than 50 s answers \
    with a job for wait_for_job.";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    code: String,
    #[serde(default)]
    command: Wanted,
    #[serde(default)]
    detail: Detail,
}

#[derive(Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
#[serde(rename_all = "snake_case")]
enum Wanted {
    #[default]
    Check,
    Clippy,
    Test,
}

impl From<Wanted> for Command {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Check => Self::Check,
            Wanted::Clippy => Self::Clippy,
            Wanted::Test => Self::Test,
        }
    }
}

/// The tool.
pub fn entry() -> Entry {
    let tool = Tool::new("compile", DESCRIPTION, arguments::schema::<Arguments>())
        .with_raw_output_schema(answers::schema::<Built>())
        .with_annotations(looks_only("Compile Rust"));
    Entry { tool, begin }
}

fn begin(shared: &Arc<Shared>, owner: &Owner, given: JsonObject) -> Result<Work, String> {
    let Arguments { code, command, detail } = arguments::parse(given)?;
    arguments::text("code", &code, shared.body_bytes_max)?;
    let (shared, owner) = (Arc::clone(shared), owner.clone());
    Ok(Box::new(move |tell| {
        Box::pin(async move {
            tell.step("compiling");
            let order =
                Order { owner: owner.clone(), code, command: command.into(), stdin: String::new() };
            match build(&shared, order).await {
                Ok(report) => answer(&shared, &report, Shape { owner, detail }),
                Err(reason) => answers::failure(&reason),
            }
        })
    }))
}
