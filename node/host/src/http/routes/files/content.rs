//! A file's bytes.

use std::io;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures_util::stream;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::{find, refusal, unknown};
use crate::http::error::ApiError;
use crate::http::routes::Shared;
use crate::http::{State, auth};
use crate::store::FileInfo;

/// As much as is read at once.
const CHUNK_BYTES: usize = 65_536;

/// The bytes, as OpenAI's clients take them.
pub async fn content(
    axum::extract::State(state): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let file = find(&state, &auth::owner(&request), &id)?;
    respond(&state, &file, "application/octet-stream").await
}

/// The bytes as a browser saves them, under the file's own name.
pub async fn download(
    axum::extract::State(state): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let file = find(&state, &auth::owner(&request), &id)?;
    let mut response = respond(&state, &file, kind(&file.filename)).await?;
    let name = attachment(&file.filename);
    let name = HeaderValue::from_str(&name).expect("letters, digits and percent signs alone");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    Ok(response)
}

async fn respond(state: &State, file: &FileInfo, kind: &'static str) -> Result<Response, ApiError> {
    let content = match state.files.read(file).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(unknown(&file.id)),
        content => content.map_err(|error| refusal(error.into()))?,
    };
    let mut response = Response::new(body(content));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(file.bytes));
    // A browser shall not guess that a user's file is a page.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// A file's bytes as they are read.
pub fn body(file: File) -> Body {
    Body::from_stream(stream::unfold(file, next))
}

async fn next(mut file: File) -> Option<(io::Result<Bytes>, File)> {
    let mut chunk = Vec::with_capacity(CHUNK_BYTES);
    match file.read_buf(&mut chunk).await {
        Ok(0) => None,
        Ok(_) => Some((Ok(chunk.into()), file)),
        Err(error) => Some((Err(error), file)),
    }
}

/// LlamaEdge's table.
fn kind(filename: &str) -> &'static str {
    let ending = filename.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    match ending.as_deref() {
        Some("txt") => "text/plain; charset=utf-8",
        Some("md") => "text/markdown; charset=utf-8",
        Some("json") => "application/json",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("wav") => "audio/wav",
        Some("mp3") => "audio/mpeg",
        Some("mp4") => "video/mp4",
        _ => "application/octet-stream",
    }
}

/// A foreign name as RFC 6266 and RFC 8187 carry it.
pub fn attachment(filename: &str) -> String {
    let letter = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => char::from(byte).into(),
        _ => format!("%{byte:02X}"),
    };
    let name: String = filename.bytes().map(letter).collect();
    format!("attachment; filename*=UTF-8''{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_name_can_not_break_out_of_its_header() {
        let said = attachment("ä\"; filename=\"x\r\ny.md");
        assert_eq!(said, "attachment; filename*=UTF-8''%C3%A4%22%3B%20filename%3D%22x%0D%0Ay.md");
        assert!(HeaderValue::from_str(&said).is_ok());
    }
}
