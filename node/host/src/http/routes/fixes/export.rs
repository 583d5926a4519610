//! `GET /v1/fixes/export`: fixes as JSON lines, for other nodes.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures_util::stream;
use gaia_core::ServeError;
use gaia_core::coder::fixes::{Asker, FixLine, FixPage, FixStore};

use super::{PAGE_MAX, keeper, reader};
use crate::http::error::ApiError;
use crate::http::query::Query;
use crate::http::routes::Shared;

/// One fix a line; page by page, so that a large memory takes no more of the node's than a small one.
pub async fn get(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    Query::parse(request.uri())?.finish()?;
    let store = keeper(&state)?.store().await?;
    let pages = Pages { store, reader: reader(&state, &request) };
    let first = pages.one(None).await?;
    let lines = stream::unfold((pages, Some(Ok(first))), |(pages, page)| async move {
        let page: Result<FixPage, ServeError> = page?;
        let Ok(page) = page else {
            tracing::error!("an export of fixes broke off");
            return None;
        };
        let next = match &page.next {
            Some(next) => Some(pages.one(Some(next)).await),
            None => None,
        };
        Some((Ok::<_, Infallible>(lines(page)), (pages, next)))
    });
    let mut response = Response::new(Body::from_stream(lines));
    let kind = HeaderValue::from_static("application/jsonl");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

struct Pages {
    store: FixStore,
    reader: Option<Asker>,
}

impl Pages {
    async fn one(&self, from: Option<&str>) -> Result<FixPage, ServeError> {
        self.store.list(self.reader.as_ref(), from, PAGE_MAX).await
    }
}

fn lines(page: FixPage) -> Bytes {
    let mut text = String::new();
    for fix in page.fixes {
        let line = serde_json::to_string(&FixLine::from(fix));
        text += &line.expect("a fix has string keys only");
        text.push('\n');
    }
    text.into()
}
