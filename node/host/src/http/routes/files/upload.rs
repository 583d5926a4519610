//! `POST /v1/files`: a form with a file and a purpose, streamed to disk as it comes.

use std::time::Duration;

use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::StatusCode;
use axum::response::Response;
use http_body::Body;
use tokio::time::timeout;

use super::{FileObject, refusal};
use crate::http::error::ApiError;
use crate::http::fields::must_be;
use crate::http::ids::{new_id, now_s};
use crate::http::routes::Shared;
use crate::http::{State, auth, json};
use crate::store::{FileInfo, Files, Owner, StoreError, Upload};

/// OpenAI's purposes for an upload. None of them changes what this node does.
pub const PURPOSES: [&str; 6] =
    ["assistants", "batch", "evals", "fine-tune", "user_data", "vision"];

/// LlamaEdge's clients name none and are told this one.
const PURPOSE: &str = "assistants";

const FILENAME_BYTES_MAX: usize = 255;
/// The form around the file.
const FORM_BYTES_MAX: u64 = 65_536;

/// Takes a file.
pub async fn post(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let owner = auth::owner(&request);
    // Who says beforehand that it is too much need not send it.
    let bytes_max = state.files.bytes_max();
    if request.body().size_hint().lower() > bytes_max + FORM_BYTES_MAX {
        return Err(refusal(StoreError::TooLarge { bytes_max }));
    }
    let form = Multipart::from_request(request, &state).await.map_err(|rejection| {
        let message = "a file comes as multipart/form-data with a boundary";
        ApiError::new(rejection.status(), format!("{message}: {}", rejection.body_text()))
    })?;
    let form = Form { form, patience: state.body_timeout };
    let received = timeout(state.request_timeout, form.receive(&state)).await;
    let parts = received.unwrap_or_else(|_| Err(too_slow()))?;
    let file = parts.keep(owner).await.map_err(refusal)?;
    Ok(json::ok(&FileObject::from(&*file)))
}

/// A form that is being received.
struct Form {
    form: Multipart,
    /// How long the next bytes may take.
    patience: Duration,
}

/// What was in it.
struct Parts {
    upload: Upload,
    filename: String,
    purpose: String,
}

impl Form {
    async fn receive(mut self, state: &State) -> Result<Parts, ApiError> {
        let (mut file, mut purpose) = (None, None);
        let patience = self.patience;
        while let Some(field) = within(patience, self.form.next_field()).await? {
            match field.name() {
                Some("file") if file.is_none() => {
                    file = Some(receive_file(field, &state.files, patience).await?);
                }
                Some("purpose") if purpose.is_none() => {
                    purpose = Some(receive_purpose(field, patience).await?);
                }
                Some(name @ ("file" | "purpose")) => {
                    return Err(ApiError::invalid(name, format!("`{name}` is given twice")));
                }
                name => {
                    let name = name.unwrap_or_default();
                    let message = format!("`{name}` is not a parameter of this route");
                    return Err(ApiError::invalid(name, message).with_code("unknown_parameter"));
                }
            }
        }
        let (upload, filename) =
            file.ok_or_else(|| ApiError::invalid("file", "`file` is missing"))?;
        Ok(Parts { upload, filename, purpose: purpose.unwrap_or_else(|| PURPOSE.into()) })
    }
}

impl Parts {
    async fn keep(self, owner: Owner) -> Result<std::sync::Arc<FileInfo>, StoreError> {
        let Self { upload, filename, purpose } = self;
        let created_at = now_s();
        let describe =
            move |id, bytes| FileInfo { id, owner, filename, purpose, bytes, created_at };
        upload.finish(describe).await
    }
}

async fn receive_file(
    mut field: Field<'_>,
    files: &Files,
    patience: Duration,
) -> Result<(Upload, String), ApiError> {
    let name = field.file_name().unwrap_or_default().to_owned();
    if name.is_empty() || name.len() > FILENAME_BYTES_MAX || name.chars().any(char::is_control) {
        let what = format!("a file with a name of 1 to {FILENAME_BYTES_MAX} printable bytes");
        return Err(must_be("file", &what));
    }
    let mut upload = files.begin(new_id("file-")).await.map_err(refusal)?;
    while let Some(bytes) = within(patience, field.chunk()).await? {
        upload.write(&bytes).await.map_err(refusal)?;
    }
    Ok((upload, name))
}

async fn receive_purpose(mut field: Field<'_>, patience: Duration) -> Result<String, ApiError> {
    let longest = PURPOSES.iter().map(|purpose| purpose.len()).max().unwrap_or_default();
    let mut text = vec![];
    while let Some(bytes) = within(patience, field.chunk()).await? {
        text.extend_from_slice(&bytes);
        if text.len() > longest {
            break;
        }
    }
    let known = PURPOSES.iter().find(|purpose| purpose.as_bytes() == text);
    let wrong = || must_be("purpose", &format!("one of {}", PURPOSES.join(", ")));
    known.map(|purpose| (*purpose).to_owned()).ok_or_else(wrong)
}

/// Waits for the next part of a form.
pub async fn within<T>(
    patience: Duration,
    next: impl Future<Output = Result<T, MultipartError>>,
) -> Result<T, ApiError> {
    match timeout(patience, next).await {
        Err(_) => Err(too_slow()),
        Ok(next) => next.map_err(|error| {
            let message = format!("the form is broken: {}", error.body_text());
            ApiError::new(StatusCode::BAD_REQUEST, message)
        }),
    }
}

/// What a sender hears who is too slow.
pub fn too_slow() -> ApiError {
    let message = "the file took longer than this node waits";
    ApiError::new(StatusCode::REQUEST_TIMEOUT, message).with_code("body_timeout")
}
