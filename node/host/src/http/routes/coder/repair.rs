//! `POST /v1/repair`: a project that does not compile, or whose tests fail, is mended.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use gaia_core::coder::{Budget, Goal, Repair};
use gaia_sandbox::project::{Project, ProjectError};
use gaia_sandbox::report::Detail;
use serde_json::{Value, json};

use super::super::Shared;
use super::deliver::{How, deliver};
use super::{budget, desk};
use crate::coder::{Order, Work};
use crate::compile::OwnersBuilder;
use crate::http::error::ApiError;
use crate::http::fields::{Fields, must_be};
use crate::http::routes::compile::service;
use crate::http::routes::compile::source::{Source, detail};
use crate::http::sse::{self, Frame};
use crate::http::{State, auth, body, json};
use crate::store::Owner;

/// Bytes of a description.
const DESCRIPTION_BYTES_MAX: usize = 8 << 10;

/// Repairs a project, while the client waits or as a job.
pub async fn post(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let service = service(&state)?;
    let owner = auth::owner(&request);
    let mut fields = body::read_fields(&state, request).await?;
    let how = How::take(&mut fields)?;
    let Wanted { source, repair, detail } = Wanted::parse(fields, desk::budget(&state, how))?;
    let project = match source.read().await? {
        Ok(project) => project,
        Err(error) => return Ok(at_once(&refused(&error), how)),
    };
    let work = work((&state, &owner), &project, repair)?;
    deliver((service, &owner), (work, detail), how).await
}

/// A repair and its place in the line.
///
/// # Errors
/// There is no place.
pub fn work(
    (state, owner): (&State, &Owner),
    project: &Project,
    repair: Repair,
) -> Result<Work, ApiError> {
    let service = service(state)?;
    let turn = desk::enter(state, owner)?;
    let (builder, files) = OwnersBuilder::of_project(service.clone(), owner.clone(), project);
    let others = builder.others().to_vec();
    let coder = state.coder_with(owner, Arc::new(builder));
    let order = Order::Repair(Box::new(Repair { files, ..repair }), others);
    Ok(Work { order, coder, turn, run: false })
}

/// What needs no work is answered as it is, in the form that the client reads.
fn at_once(answer: &Value, how: How) -> Response {
    match how {
        How::Streamed => sse::of_body(sse::wire(Frame::named("result", answer)).into()),
        How::Whole | How::Later => json::ok(answer),
    }
}

/// A project that breaks a rule is an answer, as it is for `/v1/compile`.
fn refused(error: &ProjectError) -> Value {
    let message = format!("The project is refused: {error}");
    json!({
        "object": "repair", "success": false, "message": message, "by": null, "model": null,
        "changed": [], "files": {}, "diff": "", "combined_text": null, "attempts": [],
        "report": {"verdict": "refused", "lines": [], "notes": [error.to_string()]},
    })
}

/// A valid request.
struct Wanted {
    source: Source,
    repair: Repair,
    detail: Detail,
}

impl Wanted {
    fn parse(mut fields: Fields, most: Budget) -> Result<Self, ApiError> {
        let source = Source::take(&mut fields)?;
        let description = description(&mut fields)?;
        let goal = match fields.word("goal", &["check", "test"])? {
            Some("check") => Goal::Check,
            _ => Goal::Test,
        };
        let repair = Repair {
            description,
            goal,
            model: fields.string("model")?,
            without_model: fields.flag("without_model")?,
            budget: budget::take(&mut fields, most)?,
            learn: fields.maybe_flag("learn")?.unwrap_or(true),
            ..Repair::default()
        };
        let detail = detail(&mut fields)?;
        fields.finish(&[])?;
        Ok(Self { source, repair, detail })
    }
}

fn description(fields: &mut Fields) -> Result<Option<String>, ApiError> {
    let description = fields.string("description")?;
    if description.as_ref().is_some_and(|text| text.len() > DESCRIPTION_BYTES_MAX) {
        let what = format!("a string of at most {DESCRIPTION_BYTES_MAX} bytes");
        return Err(must_be("description", &what));
    }
    Ok(description)
}
