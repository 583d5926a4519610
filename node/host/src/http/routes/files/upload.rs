//! `POST /v1/files`: a form with a file and a purpose, streamed to disk as it comes.

use axum::extract::multipart::Field;
use axum::extract::{Multipart, Request};
use axum::response::Response;
use http_body::Body;
use tokio::time::timeout;

use super::form::{self, FORM_BYTES_MAX, Patience, too_slow};
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
    let (form, patience) = form::open(request, state.body_timeout).await?;
    let form = Form { form, patience };
    let received = timeout(state.request_timeout, form.receive(&state)).await;
    let parts = received.unwrap_or_else(|_| Err(too_slow()))?;
    let file = parts.keep(owner).await.map_err(refusal)?;
    Ok(json::ok(&FileObject::from(&*file)))
}

/// A form that is being received.
struct Form {
    form: Multipart,
    patience: Patience,
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
        let patience = &self.patience;
        while let Some(field) = patience.within(self.form.next_field()).await? {
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
    patience: &Patience,
) -> Result<(Upload, String), ApiError> {
    let name = field.file_name().unwrap_or_default().to_owned();
    if name.is_empty() || name.len() > FILENAME_BYTES_MAX || name.chars().any(char::is_control) {
        let what = format!("a file with a name of 1 to {FILENAME_BYTES_MAX} printable bytes");
        return Err(must_be("file", &what));
    }
    let mut upload = files.begin(new_id("file-")).await.map_err(refusal)?;
    while let Some(bytes) = patience.within(field.chunk()).await? {
        upload.write(&bytes).await.map_err(refusal)?;
    }
    Ok((upload, name))
}

async fn receive_purpose(mut field: Field<'_>, patience: &Patience) -> Result<String, ApiError> {
    let longest = PURPOSES.iter().map(|purpose| purpose.len()).max().unwrap_or_default();
    let mut text = vec![];
    while let Some(bytes) = patience.within(field.chunk()).await? {
        text.extend_from_slice(&bytes);
        if text.len() > longest {
            break;
        }
    }
    let known = PURPOSES.iter().find(|purpose| purpose.as_bytes() == text);
    let wrong = || must_be("purpose", &format!("one of {}", PURPOSES.join(", ")));
    known.map(|purpose| (*purpose).to_owned()).ok_or_else(wrong)
}
