//! The files of a project, in one of the forms in which they come.

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gaia_sandbox::project::{Edition, FileMap, Limits, Project, ProjectError};
use gaia_sandbox::report::Detail;
use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::compile::project_of_code;
use crate::http::error::ApiError;
use crate::http::fields::{Fields, missing, must_be};

/// A project that is not looked into yet.
pub enum Source {
    /// `files`: an object of paths and texts.
    Files(FileMap),
    /// `code`: flat text, or one source file.
    Code(String, Edition),
    /// `archive`: a zip or tar.gz file.
    Archive(Vec<u8>),
}

impl Source {
    /// Takes `files`, `code` or `archive`, and `edition`.
    ///
    /// # Errors
    /// None or several of them are there, or one has the wrong type.
    pub fn take(fields: &mut Fields) -> Result<Self, ApiError> {
        let edition = edition(fields)?;
        let code = fields.string("code")?;
        if edition.is_some() && code.is_none() {
            let message = "`edition` goes with `code` alone: a manifest says its own";
            return Err(ApiError::invalid(&fields.at("edition"), message));
        }
        match (Self::take_packed(fields)?, code) {
            (Some(packed), None) => Ok(packed),
            (None, Some(code)) => Ok(Self::Code(code, edition.unwrap_or_default())),
            (None, None) => Err(ApiError {
                message: "send one of `files`, `code` and `archive`".to_owned(),
                ..missing(&fields.at("files"))
            }),
            (Some(_), Some(_)) => Err(several(fields)),
        }
    }

    /// Takes `files` or `archive`, if one of them is there.
    ///
    /// # Errors
    /// Both are there, or one has the wrong type.
    pub fn take_packed(fields: &mut Fields) -> Result<Option<Self>, ApiError> {
        match (fields.take("files"), fields.string("archive")?) {
            (Some(files), None) => {
                Ok(Some(Self::Files(FileMap(texts(&fields.at("files"), files)?))))
            }
            (None, Some(archive)) => {
                let wrong = |_| must_be(&fields.at("archive"), "a zip or tar.gz file in base64");
                Ok(Some(STANDARD.decode(archive.trim()).map(Self::Archive).map_err(wrong)?))
            }
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(several(fields)),
        }
    }

    /// Looks into it, on a thread for that: archives are unpacked.
    ///
    /// # Errors
    /// The node ends.
    pub async fn read(self) -> Result<Result<Project, ProjectError>, ApiError> {
        let read = spawn_blocking(move || self.project()).await;
        read.map_err(|_| {
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the project could not be read")
        })
    }

    fn project(self) -> Result<Project, ProjectError> {
        let limits = Limits::default();
        match self {
            Self::Files(files) => Project::from_map(files, &limits),
            Self::Code(code, edition) => project_of_code(code, edition),
            Self::Archive(bytes) if bytes.starts_with(b"PK") => Project::from_zip(&bytes, &limits),
            Self::Archive(bytes) => Project::from_tar_gz(&bytes, &limits),
        }
    }
}

fn several(fields: &Fields) -> ApiError {
    let message = "send only one of `files`, `code` and `archive`";
    ApiError::invalid(&fields.at("files"), message)
}

/// An object of paths and texts, in its order.
///
/// # Errors
/// It is none.
pub fn texts(param: &str, files: Value) -> Result<Vec<(String, String)>, ApiError> {
    let Value::Object(map) = files else {
        return Err(must_be(param, "an object of paths and texts"));
    };
    let text = |(path, value)| match value {
        Value::String(text) => Ok((path, text)),
        _ => Err(must_be(&format!("{param}.{path}"), "a string")),
    };
    map.into_iter().map(text).collect()
}

fn edition(fields: &mut Fields) -> Result<Option<Edition>, ApiError> {
    let word = fields.word("edition", &["2015", "2018", "2021", "2024"])?;
    Ok(word.map(|word| match word {
        "2015" => Edition::E2015,
        "2018" => Edition::E2018,
        "2021" => Edition::E2021,
        _ => Edition::E2024,
    }))
}

/// How much of an answer is wanted.
///
/// # Errors
/// It is none of the words for that.
pub fn detail(fields: &mut Fields) -> Result<Detail, ApiError> {
    Ok(match fields.word("detail", &["summary", "evidence", "raw"])? {
        Some("summary") => Detail::Summary,
        Some("raw") => Detail::Raw,
        _ => Detail::Evidence,
    })
}
