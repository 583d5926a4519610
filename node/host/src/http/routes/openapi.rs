//! `GET /openapi.json`: what all routes take and answer.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;

use super::Shared;
use crate::http::State;
use crate::http::error::ApiError;
use crate::http::json;
use crate::http::openapi::{Document, Operation, Routes, Schema, Tag};
use crate::http::query::Query;

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// These routes, and one that describes them and itself.
pub fn described(routes: Routes, state: &Arc<State>) -> Router<Arc<State>> {
    let own = operation();
    let operations = routes.operations().iter().chain([&own]);
    let document = Arc::new(Document::new(operations, state.auth.has_keys()));
    let get = move |axum::extract::State(state): Shared, request: Request| {
        let document = Arc::clone(&document);
        async move {
            let configured = state.public_url.clone();
            let address = configured.unwrap_or_else(|| address(request.headers()));
            get(&document, &address, &request)
        }
    };
    routes.route(own, get).into_router()
}

fn operation() -> Operation {
    Operation::get("/openapi.json", "openapi")
        .tag(Tag::Node)
        .says("What all routes take and answer, as an OpenAPI document.")
        .query("only", Schema::text(), "Names of operations or tags, with commas between them.")
        .answers(Schema::open())
        .for_everyone()
}

fn get(document: &Document, address: &str, request: &Request) -> Result<Response, ApiError> {
    let mut query = Query::parse(request.uri())?;
    let only = query.take("only").unwrap_or_default();
    query.finish()?;
    let only: Vec<_> = only.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let described = document.of(address, &only).map_err(|unknown| {
        let message = format!("`only`: no operation and no tag is called {unknown:?}");
        ApiError::invalid("only", message)
    })?;
    let mut response = json::ok(&described);
    // The address in it is the asker's own word for this node.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// How the client calls this node; where it gives no plain name, the place that the document is from.
fn address(headers: &HeaderMap) -> String {
    let is_plain = |host: &&str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        !host.is_empty() && host.bytes().all(fits)
    };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).filter(is_plain);
    let is_https = headers.get(FORWARDED_PROTO).is_some_and(|scheme| scheme == "https");
    let scheme = if is_https { "https" } else { "http" };
    host.map_or_else(|| "/".to_owned(), |host| format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().cloned();
        pairs.map(|(name, value)| (name, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_host_that_is_no_name_is_not_repeated() {
        for host in ["", "x/y", "x y", "<b>", "user@x", "x?y"] {
            assert_eq!(address(&headers(&[(header::HOST, host)])), "/");
        }
        assert_eq!(address(&HeaderMap::new()), "/");
    }

    #[test]
    fn the_address_is_the_clients_word_for_the_node() {
        let host = (header::HOST, "gaia.example:8080");
        assert_eq!(address(&headers(std::slice::from_ref(&host))), "http://gaia.example:8080");
        let proxied = [host, (FORWARDED_PROTO, "https")];
        assert_eq!(address(&headers(&proxied)), "https://gaia.example:8080");
    }
}
