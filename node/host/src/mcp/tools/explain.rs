//! `explain_error`: what a compiler's error means, from the compiler itself and the knowledge base.

use std::sync::Arc;

use gaia_core::coder::{self, Asked, Explain, Explained, Subject};
use rmcp::model::{CallToolResult, JsonObject, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::search::{Told, told};
use super::{Entry, Work, arguments, build, looks_only};
use crate::mcp::Shared;
use crate::mcp::answer::{self, Answer, failure, fit};
use crate::store::Owner;

const DESCRIPTION: &str = "Explains an error of the Rust compiler to a learner: the compiler's own \
    explanation and passages of the Rust books. `error` is a number such as E0382, or the compiler's \
    message as it was printed.";

const ERROR_BYTES_MAX: usize = 16 << 10;
const EXPLANATION_BYTES_MAX: usize = 4000;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    error: String,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    codes: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    explanation: String,
    passages: Vec<Told>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// The tool.
pub fn entry() -> Entry {
    let tool = Tool::new("explain_error", DESCRIPTION, arguments::schema::<Arguments>())
        .with_raw_output_schema(answer::schema::<Output>())
        .with_annotations(looks_only("Explain a compiler error"));
    Entry { tool, begin }
}

fn begin(shared: &Arc<Shared>, owner: &Owner, given: JsonObject) -> Result<Work, String> {
    let Arguments { error } = arguments::parse(given)?;
    arguments::text("error", &error, ERROR_BYTES_MAX)?;
    let (shared, owner) = (Arc::clone(shared), owner.clone());
    Ok(Box::new(move |tell| {
        Box::pin(async move {
            tell.step("looking it up");
            explain(&shared, &owner, error).await
        })
    }))
}

/// The client is a model already: none of the node's own is asked.
async fn explain(shared: &Arc<Shared>, owner: &Owner, error: String) -> CallToolResult {
    let coder = match build::coder(shared, owner) {
        Ok(coder) => coder,
        Err(reason) => return failure(&reason),
    };
    let subject = Subject::Said(Asked { code: None, text: error });
    let request = Explain { subject, without_model: true, ..Explain::default() };
    match coder::explain(&coder, request).await {
        Ok(explained) => tell(explained),
        Err(error) => failure(&error.to_string()),
    }
}

fn tell(explained: Explained) -> CallToolResult {
    let Explained { codes, explanations, citations, text, .. } = explained;
    let notes: Vec<_> =
        explained.notes.into_iter().filter(|note| !note.contains(NO_MODEL)).collect();
    if explanations.is_empty() && citations.is_empty() {
        let notes = notes.join("; ");
        return failure(&format!("argument `error`: nothing is known about it ({notes})"));
    }
    let explanation = explanations.into_values().collect::<Vec<_>>().join("\n\n");
    let data = Output {
        codes,
        explanation: fit(explanation.trim(), EXPLANATION_BYTES_MAX),
        passages: citations.iter().map(|citation| told(&citation.passage)).collect(),
        notes,
    };
    Answer::new(text, &data).into_result()
}

/// That no model of the node speaks is what was asked for.
const NO_MODEL: &str = "no model answers";
