//! `generate`: a whole project from a description.

use std::sync::Arc;

use gaia_core::coder::{self, Generate, Repaired};
use rmcp::model::{JsonObject, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arguments::{self, Detail};
use super::made::{Output, answer, remembers, work};
use super::{Entry, Work, build};
use crate::coder::Order;
use crate::mcp::answer::{failure, schema};
use crate::mcp::{Shared, jobs};
use crate::store::Owner;

const DESCRIPTION: &str = "Writes a whole Rust project with the node's coding model, compiles it, tests \
    it and repairs it before it is handed out. Answers with all files, each after a line \
    `[filename: …]`. kind: bin, lib or workspace. Takes minutes: then it answers with a job for \
    wait_for_job.";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    description: String,
    #[serde(default)]
    requirements: String,
    #[serde(default)]
    kind: Kind,
}

#[derive(Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    Bin,
    Lib,
    Workspace,
}

impl From<Kind> for coder::Kind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Bin => Self::Bin,
            Kind::Lib => Self::Lib,
            Kind::Workspace => Self::Workspace,
        }
    }
}

/// The tool.
pub fn entry() -> Entry {
    let tool = Tool::new("generate", DESCRIPTION, arguments::schema::<Arguments>())
        .with_raw_output_schema(schema::<Output>())
        .with_annotations(remembers("Write a Rust project"));
    Entry { tool, begin }
}

fn begin(shared: &Arc<Shared>, owner: &Owner, given: JsonObject) -> Result<Work, String> {
    let Arguments { description, requirements, kind } = arguments::parse(given)?;
    arguments::text("description", &description, shared.body_bytes_max)?;
    let request = Generate {
        description,
        requirements: Some(requirements).filter(|text| !text.trim().is_empty()),
        kind: kind.into(),
        tests: true,
        budget: shared.parts.budget,
        learn: true,
        ..Generate::default()
    };
    let (shared, owner) = (Arc::clone(shared), owner.clone());
    Ok(Box::new(move |tell| {
        Box::pin(async move {
            tell.step("waiting for its turn");
            match generate(&shared, &owner, (request, tell)).await {
                Ok(made) => answer(&shared, &owner, (made, Detail::Raw)),
                Err(reason) => failure(&reason),
            }
        })
    }))
}

async fn generate(
    shared: &Arc<Shared>,
    owner: &Owner,
    (request, tell): (Generate, jobs::Tell),
) -> Result<Repaired, String> {
    let coder = build::coder(shared, owner)?;
    // What makes no sense here is told before it waits.
    request.check(&coder).map_err(|error| error.to_string())?;
    work(shared, owner, (coder, Order::Generate(Box::new(request)), tell)).await
}
