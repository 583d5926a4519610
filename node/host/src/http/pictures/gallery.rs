//! Makes of a request's pictures what a model is shown.

use std::sync::Arc;

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gaia_core::ServeError;
use gaia_pictures::{Bare, Decoded, Limits, PictureError};
use gaia_protocol::{Picture, PictureUrl};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use super::{Encoded, Pictures, too_many};
use crate::config::PicturesConfig;
use crate::http::error::ApiError;

/// Pictures that are decoded at once: each takes memory for all its pixels, and a core.
const DECODING_MAX: usize = 2;

/// Makes pixels of pictures.
pub struct Gallery {
    config: PicturesConfig,
    /// Pictures in the node.
    places: Arc<Semaphore>,
    decoding: Arc<Semaphore>,
}

impl Gallery {
    /// Nothing in it yet.
    pub fn new(config: PicturesConfig) -> Self {
        let places = Arc::new(Semaphore::new(config.at_once_max));
        Self { config, places, decoding: Arc::new(Semaphore::new(DECODING_MAX)) }
    }

    /// Decodes the pictures of a request for so many answers.
    ///
    /// # Errors
    /// Too many, or one can't be read: each by its field. Too many in the node: overloaded.
    pub async fn decode(&self, pictures: Pictures, choices: u32) -> Result<Vec<Picture>, ApiError> {
        self.make(pictures, choices, pixels).await
    }

    /// Makes of the pictures of a request what another server may be sent, for so many answers.
    ///
    /// # Errors
    /// As [`Gallery::decode`].
    pub async fn pack(
        &self,
        pictures: Pictures,
        choices: u32,
    ) -> Result<Vec<PictureUrl>, ApiError> {
        self.make(pictures, choices, url).await
    }

    async fn make<T: Send + 'static>(
        &self,
        pictures: Pictures,
        choices: u32,
        make: Make<T>,
    ) -> Result<Vec<T>, ApiError> {
        let limit = self.config.per_request_max;
        if let Some(over) = pictures.0.get(limit) {
            return Err(too_many(&over.param, limit));
        }
        if pictures.0.is_empty() {
            return Ok(vec![]);
        }
        let place = Arc::new(self.places(pictures.0.len(), choices)?);
        let mut made = vec![];
        for picture in pictures.0 {
            made.push(self.make_one(picture, Arc::clone(&place), make).await?);
        }
        Ok(made)
    }

    /// Each answer has its own copy of the pictures on its way.
    fn places(&self, pictures: usize, choices: u32) -> Result<OwnedSemaphorePermit, ServeError> {
        let copies = pictures.saturating_mul(choices as usize).min(self.config.at_once_max);
        let copies = u32::try_from(copies).unwrap_or(u32::MAX);
        let places = Arc::clone(&self.places).try_acquire_many_owned(copies);
        places.map_err(|_| ServeError::overloaded())
    }

    async fn make_one<T: Send + 'static>(
        &self,
        picture: Encoded,
        place: Arc<OwnedSemaphorePermit>,
        make: Make<T>,
    ) -> Result<T, ApiError> {
        let Encoded { param, base64 } = picture;
        let (bytes_max, pixels_max) = (self.config.bytes_max, self.config.pixels_max);
        let limits = Limits { bytes_max, pixels_max, ..Limits::default() };
        let turn = Arc::clone(&self.decoding).acquire_owned().await;
        let turn = turn.map_err(|_| ServeError::overloaded())?;
        // The turn ends with the work, which goes on when nobody waits for it any more.
        let work = move || {
            let file = gaia_pictures::from_base64(&base64, &limits);
            let made = file.and_then(|file| make(&file, &limits, place));
            (made, turn).0
        };
        let made = spawn_blocking(work).await;
        made.unwrap_or_else(|_| Err(gave_up())).map_err(|error| unread(&error, &param))
    }
}

/// Makes of a file what a model is shown.
type Make<T> = fn(&[u8], &Limits, Arc<OwnedSemaphorePermit>) -> Result<T, PictureError>;

fn pixels(
    file: &[u8],
    limits: &Limits,
    place: Arc<OwnedSemaphorePermit>,
) -> Result<Picture, PictureError> {
    let decoded = gaia_pictures::decode(file, limits)?;
    let Decoded { width, height, rgb } = decoded;
    let pixels = Pixels { rgb, _place: place };
    Picture::new(width, height, Arc::new(pixels)).ok_or_else(gave_up)
}

fn url(
    file: &[u8],
    limits: &Limits,
    place: Arc<OwnedSemaphorePermit>,
) -> Result<PictureUrl, PictureError> {
    let Bare { media_type, file } = gaia_pictures::bare(file, limits)?;
    let url = format!("data:{media_type};base64,{}", STANDARD.encode(file));
    Ok(PictureUrl::new(Arc::new(Url { url, _place: place })))
}

fn gave_up() -> PictureError {
    PictureError::Damaged { format: "picture", reason: "its decoder gave up".into() }
}

/// Pixels, and their place among the pictures in the node.
struct Pixels {
    rgb: Vec<u8>,
    _place: Arc<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Pixels {
    fn as_ref(&self) -> &[u8] {
        &self.rgb
    }
}

/// An address that holds a picture, and its place among the pictures in the node.
struct Url {
    url: String,
    _place: Arc<OwnedSemaphorePermit>,
}

impl AsRef<str> for Url {
    fn as_ref(&self) -> &str {
        &self.url
    }
}

fn unread(error: &PictureError, param: &str) -> ApiError {
    use PictureError::{TooManyBytes, TooManyPixels};
    let refused = ApiError::invalid(param, format!("`{param}` holds no picture to read: {error}"));
    match error {
        TooManyBytes { .. } | TooManyPixels { .. } => {
            ApiError { status: StatusCode::PAYLOAD_TOO_LARGE, ..refused }
                .with_code("picture_too_large")
        }
        _ => refused.with_code("invalid_picture"),
    }
}
