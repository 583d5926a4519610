//! `POST /v1/fixes/import`: fixes of other nodes.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use gaia_core::coder::fixes::{Imported, SEED};
use serde_json::{Value, json};

use super::{guard, keeper};
use crate::coder::{Import, read_fixes};
use crate::http::error::ApiError;
use crate::http::fields::{Fields, missing, must_be};
use crate::http::routes::Shared;
use crate::http::{auth, body, json};

/// Characters of an origin's name.
const ORIGIN_CHARS_MAX: usize = 64;

/// Takes fixes over; those that can be none are told by their line, and the others come in.
pub async fn post(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let asker = state.asker(&auth::owner(&request));
    let manages = guard::verdict(&state, request.headers());
    let import = parse(body::read_fields(&state, request).await?, state.coding.config.fixes_max)?;
    if let (Err(_), false) = (manages, asker.trusted) {
        let message = "importing fixes takes a key with `admin = true`, or one that coder.trusted_keys \
                       of the node's config names";
        return Err(ApiError::new(StatusCode::FORBIDDEN, message).with_code("admin_only"));
    }
    let done = keeper(&state)?.import(asker, import).await?;
    Ok(json::ok(&wire(&done)))
}

fn parse(mut fields: Fields, fixes_max: usize) -> Result<Import, ApiError> {
    let lines = fields.string("lines")?;
    let origin = fields.string("origin")?;
    let trusted = fields.flag("trusted")?;
    fields.finish(&[])?;
    let origin = origin.ok_or_else(|| missing("origin"))?;
    if !is_origin(&origin) {
        let what = format!(
            "1 to {ORIGIN_CHARS_MAX} letters, digits, `.`, `_` and `-`, and not {SEED:?}: where the \
             fixes come from, such as a file's name"
        );
        return Err(must_be("origin", &what));
    }
    let lines = lines.ok_or_else(|| missing("lines"))?;
    let fixes = read_fixes(&lines, fixes_max);
    let fixes = fixes.map_err(|error| ApiError::invalid("lines", format!("`lines`: {error}")))?;
    Ok(Import { origin, trusted, fixes })
}

fn is_origin(origin: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=ORIGIN_CHARS_MAX).contains(&origin.len()) && origin.chars().all(is_plain) && origin != SEED
}

fn wire(done: &Imported) -> Value {
    let refused = |one: &gaia_core::coder::fixes::NotTaken| json!({"fix": one.place + 1, "reason": one.reason});
    json!({
        "imported": done.new,
        "known": done.known,
        "refused_count": done.refused_count,
        "refused": done.refused.iter().map(refused).collect::<Vec<_>>(),
    })
}
