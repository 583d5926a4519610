//! `POST /v1/generate`: a whole project from a description.

use axum::extract::Request;
use axum::response::Response;
use gaia_core::coder::{Budget, Generate, Kind};
use gaia_sandbox::report::Detail;

use super::super::Shared;
use super::deliver::{How, deliver};
use super::{budget, desk};
use crate::coder::{Order, Work};
use crate::http::error::ApiError;
use crate::http::fields::Fields;
use crate::http::knowledge::take_names;
use crate::http::routes::compile::service;
use crate::http::routes::compile::source::detail;
use crate::http::{State, auth, body};
use crate::store::Owner;

/// Makes a project, while the client waits or as a job.
pub async fn post(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let service = service(&state)?;
    let owner = auth::owner(&request);
    let mut fields = body::read_fields(&state, request).await?;
    let how = How::take(&mut fields)?;
    let (generate, detail) = parse(fields, desk::budget(&state, how))?;
    let work = work((&state, &owner), generate)?;
    deliver((service, &owner), (work, detail), how).await
}

/// A generation and its place in the line. What makes no sense is told before it waits.
///
/// # Errors
/// There is no model for it, no place, or a field is wrong.
pub fn work((state, owner): (&State, &Owner), generate: Generate) -> Result<Work, ApiError> {
    let coder = state.coder_for(owner)?;
    generate.check(&coder)?;
    let turn = desk::enter(state, owner)?;
    Ok(Work { order: Order::Generate(Box::new(generate)), coder, turn, run: false })
}

fn parse(mut fields: Fields, most: Budget) -> Result<(Generate, Detail), ApiError> {
    let kind = fields.word("kind", &["bin", "lib", "workspace"])?;
    let generate = Generate {
        description: fields.string("description")?.unwrap_or_default(),
        requirements: fields.string("requirements")?,
        kind: match kind {
            Some("lib") => Kind::Lib,
            Some("workspace") => Kind::Workspace,
            _ => Kind::Bin,
        },
        name: fields.string("name")?,
        tests: fields.maybe_flag("tests")?.unwrap_or(true),
        collections: take_names(&mut fields, "collections")?,
        model: fields.string("model")?,
        budget: budget::take(&mut fields, most)?,
        learn: fields.maybe_flag("learn")?.unwrap_or(true),
    };
    let detail = detail(&mut fields)?;
    fields.finish(&[])?;
    Ok((generate, detail))
}
