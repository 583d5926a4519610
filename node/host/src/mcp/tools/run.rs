//! `run`: what a program prints.

use std::sync::Arc;

use gaia_core::build::Command;
use rmcp::model::{JsonObject, Tool};
use schemars::JsonSchema;
use serde::Deserialize;

use super::arguments::{self, Detail};
use super::build::{Order, build};
use super::report::{Built, Shape, answer};
use super::{Entry, Work, looks_only};
use crate::mcp::{Shared, answer as answers};
use crate::store::Owner;

const DESCRIPTION: &str = "Compiles a Rust program and runs it in a sandbox without network; answers \
    with what it printed, or with the compiler's messages. `code` is as for compile; `stdin` is what \
    the program reads.";

/// The jail holds them in memory.
const STDIN_BYTES_MAX: usize = 1 << 20;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    code: String,
    #[serde(default)]
    stdin: String,
    #[serde(default)]
    detail: Detail,
}

/// The tool.
pub fn entry() -> Entry {
    let tool = Tool::new("run", DESCRIPTION, arguments::schema::<Arguments>())
        .with_raw_output_schema(answers::schema::<Built>())
        .with_annotations(looks_only("Run Rust"));
    Entry { tool, begin }
}

fn begin(shared: &Arc<Shared>, owner: &Owner, given: JsonObject) -> Result<Work, String> {
    let Arguments { code, stdin, detail } = arguments::parse(given)?;
    arguments::text("code", &code, shared.body_bytes_max)?;
    if stdin.len() > STDIN_BYTES_MAX {
        return Err(format!("argument `stdin`: more than {STDIN_BYTES_MAX} bytes"));
    }
    let (shared, owner) = (Arc::clone(shared), owner.clone());
    Ok(Box::new(move |tell| {
        Box::pin(async move {
            tell.step("compiling and running");
            let order = Order { owner: owner.clone(), code, command: Command::Run, stdin };
            match build(&shared, order).await {
                Ok(report) => answer(&shared, &report, Shape { owner, detail }),
                Err(reason) => answers::failure(&reason),
            }
        })
    }))
}
