//! The node's own pages, `/` and `/docs`, compiled into the binary with all they need.
//!
//! They show what models and documents say, which is hostile. So a page loads nothing from elsewhere,
//! runs no script but its own files and is in nobody's frame; and its scripts make text of what they
//! show, never markup. The pages themselves need no key: they hold nothing, and send the key that a
//! person enters there.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::http::error::ApiError;
use crate::http::openapi::{Operation, Routes, Schema, Tag};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// A file of the pages.
struct File {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
}

const PAGE: File = File { name: "", kind: HTML, text: include_str!("../../../page/index.html") };
const DOCS: File = File { name: "", kind: HTML, text: include_str!("../../../page/docs.html") };

/// What the pages load.
const FILES: [File; 7] = [
    File {
        name: "style.css",
        kind: "text/css; charset=utf-8",
        text: include_str!("../../../page/style.css"),
    },
    File { name: "main.js", kind: SCRIPT, text: include_str!("../../../page/main.js") },
    File { name: "common.js", kind: SCRIPT, text: include_str!("../../../page/common.js") },
    File { name: "markdown.js", kind: SCRIPT, text: include_str!("../../../page/markdown.js") },
    File { name: "chat.js", kind: SCRIPT, text: include_str!("../../../page/chat.js") },
    File { name: "rust.js", kind: SCRIPT, text: include_str!("../../../page/rust.js") },
    File { name: "docs.js", kind: SCRIPT, text: include_str!("../../../page/docs.js") },
];

/// Whether this path is a page's, or a file's of one.
pub fn is_page(path: &str) -> bool {
    matches!(path, "/" | "/docs") || path.starts_with("/page/")
}

/// The routes.
pub fn routes() -> Routes {
    let html = |path, id| {
        Operation::get(path, id)
            .tag(Tag::Node)
            .answers_in("text/html", Schema::text())
            .for_everyone()
    };
    let file = Operation::get("/page/{name}", "page_file")
        .tag(Tag::Node)
        .says("A file that a page loads.")
        .segment("name", "The file's name.")
        .answers_in("text/javascript", Schema::text())
        .for_everyone();
    let page = html("/", "page").says("A page for people: chat, Rust, search, models.");
    let docs = html("/docs", "docs").says("All routes as a page, to be tried there.");
    Routes::default()
        .route(page, async || answer(&PAGE))
        .route(docs, async || answer(&DOCS))
        .route(file, get)
}

async fn get(Path(name): Path<String>) -> Result<Response, ApiError> {
    let found = FILES.iter().find(|file| file.name == name);
    let missing = || {
        let error = ApiError::new(StatusCode::NOT_FOUND, "the node's pages have no such file");
        error.with_code("file_not_found")
    };
    found.map(answer).ok_or_else(missing)
}

fn answer(file: &File) -> Response {
    let mut response = Response::new(Body::from(file.text));
    let headers: [(HeaderName, &'static str); 5] = [
        (header::CONTENT_TYPE, file.kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // A newer node has newer files.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
    response.headers_mut().extend(headers);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_nothing_that_their_policy_forbids() {
        for file in FILES.iter().chain([&PAGE, &DOCS]) {
            for forbidden in ["<style", " style=", " onclick=", " onload=", "javascript:", "eval("]
            {
                assert!(!file.text.contains(forbidden), "{forbidden} in {:?}", file.name);
            }
            // What is hostile never becomes markup.
            for door in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "://"] {
                assert!(!file.text.contains(door), "{door} in {:?}", file.name);
            }
        }
    }

    #[test]
    fn pages_load_what_there_is() {
        let all = FILES.iter().chain([&PAGE, &DOCS]);
        let texts: Vec<_> = all.map(|file| file.text).collect();
        for file in &FILES {
            let names = [format!("\"/page/{}\"", file.name), format!("\"./{}\"", file.name)];
            let is_named = |text: &&str| names.iter().any(|name| text.contains(name.as_str()));
            assert!(texts.iter().any(is_named), "nobody loads {}", file.name);
        }
        for name in texts.iter().flat_map(|text| text.split("\"/page/").skip(1)) {
            let name = name.split('"').next().unwrap_or_default();
            assert!(FILES.iter().any(|file| file.name == name), "{name} is not there");
        }
    }
}
