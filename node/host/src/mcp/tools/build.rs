//! What the tools that compile share: from a client's code to the compiler's report.

use std::sync::Arc;

use gaia_core::build::{BuildJob, BuildReport, Command, Files};
use gaia_core::coder::Coder;
use gaia_sandbox::project::Edition;
use tokio::task::spawn_blocking;

use crate::compile::{Offer, OwnersBuilder, Service, project_of_code};
use crate::mcp::Shared;
use crate::store::Owner;

/// What is to be done with a client's code.
pub struct Order {
    /// Whose it is.
    pub owner: Owner,
    /// One file, or several in the flat form.
    pub code: String,
    /// What to do.
    pub command: Command,
    /// What the program reads.
    pub stdin: String,
}

/// Does it. An error is the reason, for the client.
pub async fn build(shared: &Arc<Shared>, order: Order) -> Result<BuildReport, String> {
    let Order { owner, code, command, stdin } = order;
    let (coder, files) = coder_of(shared, &owner, code).await?;
    let job = BuildJob { files, command, stdin, explain: false };
    coder.builder.run(job).await.map_err(|error| error.to_string())
}

/// What the use cases work with, for a client's code, and the texts of that.
pub async fn coder_of(
    shared: &Arc<Shared>,
    owner: &Owner,
    code: String,
) -> Result<(Coder, Files), String> {
    let service = service(shared)?;
    let project = spawn_blocking(move || project_of_code(code, Edition::default())).await;
    let project = project.map_err(|_| "the project could not be read".to_owned())?;
    let project = project.map_err(|error| format!("argument `code`: {error}"))?;
    let (builder, files) = OwnersBuilder::of_project(Arc::clone(service), owner.clone(), &project);
    Ok(((shared.parts.coders)(owner, Arc::new(builder)), files))
}

/// The same without code.
pub fn coder(shared: &Arc<Shared>, owner: &Owner) -> Result<Coder, String> {
    let builder = OwnersBuilder::new(Arc::clone(service(shared)?), owner.clone());
    Ok((shared.parts.coders)(owner, Arc::new(builder)))
}

fn service(shared: &Shared) -> Result<&Arc<Service>, String> {
    match &shared.parts.compile {
        Offer::Open(service) => Ok(service),
        Offer::Closed(reason) => Err(reason.clone()),
    }
}
