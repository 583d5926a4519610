//! A form as it is read: piece by piece, each within its time, and nothing is held that is no piece.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::multipart::MultipartError;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::StatusCode;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::timeout;

use crate::http::error::ApiError;

/// Bytes that are read at most before a piece is found in them, and what a form may have around a file.
pub const FORM_BYTES_MAX: u64 = 65_536;

/// Times that a reader is stopped to look at what it has: it may read once more before it looks.
const LOOKS: u32 = 2;

/// What [`Patience::held`] is when too much came.
const TOO_MUCH: u64 = u64::MAX;

/// How the pieces of a form are waited for.
pub struct Patience {
    /// How long the next piece may take.
    time: Duration,
    /// Bytes that came since the last piece.
    held: Arc<AtomicU64>,
}

/// The form of a request, whose next piece may take so long.
pub async fn open(request: Request, time: Duration) -> Result<(Multipart, Patience), ApiError> {
    let held = Arc::new(AtomicU64::new(0));
    let patience = Patience { time, held: Arc::clone(&held) };
    let request = request.map(|inner| Body::new(Metered { inner, held, looks: 0 }));
    let form = Multipart::from_request(request, &()).await.map_err(|rejection| {
        let message = "a file comes as multipart/form-data with a boundary";
        ApiError::new(rejection.status(), format!("{message}: {}", rejection.body_text()))
    })?;
    Ok((form, patience))
}

impl Patience {
    /// Waits for the next piece of the form.
    pub async fn within<T>(
        &self,
        next: impl Future<Output = Result<T, MultipartError>>,
    ) -> Result<T, ApiError> {
        let next = timeout(self.time, next).await.map_err(|_| too_slow())?;
        let held = self.held.swap(0, Ordering::Relaxed);
        next.map_err(|error| match held {
            TOO_MUCH => shapeless(),
            _ => {
                let message = format!("the form is broken: {}", error.body_text());
                ApiError::new(StatusCode::BAD_REQUEST, message)
            }
        })
    }
}

/// What a sender hears who is too slow.
pub fn too_slow() -> ApiError {
    let message = "the file took longer than this node waits";
    ApiError::new(StatusCode::REQUEST_TIMEOUT, message).with_code("body_timeout")
}

/// What a sender hears in whose bytes no field is found.
fn shapeless() -> ApiError {
    let message = format!(
        "{FORM_BYTES_MAX} bytes of the form hold no field: put the boundary that content-type names \
         before each field, and no more than a few lines of headers behind it"
    );
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, message).with_code("form_too_large")
}

/// A body whose reader holds all that came since the last piece.
struct Metered {
    inner: Body,
    held: Arc<AtomicU64>,
    /// How often its reader was stopped since then.
    looks: u32,
}

/// More came than can belong to no piece.
#[derive(Debug, thiserror::Error)]
#[error("no field is found in it")]
struct Shapeless;

impl HttpBody for Metered {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let body = self.get_mut();
        if body.held.load(Ordering::Relaxed) > FORM_BYTES_MAX {
            // The form's reader takes all that is there before it looks for a piece.
            if body.looks < LOOKS {
                body.looks += 1;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            body.held.store(TOO_MUCH, Ordering::Relaxed);
            return Poll::Ready(Some(Err(Box::new(Shapeless))));
        }
        body.looks = 0;
        let frame = ready!(Pin::new(&mut body.inner).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            body.held.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::AtomicUsize;

    use axum::http::header;
    use futures_util::{StreamExt, stream};

    use super::*;

    const HEAD: &str =
        "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
    const TAIL: &str = "\r\n--b--\r\n";
    const LARGE: usize = 10 * 65_536;

    fn form(body: Body) -> Request {
        let kind = "multipart/form-data; boundary=b";
        let request = Request::post("/").header(header::CONTENT_TYPE, kind).body(body);
        request.expect("a request")
    }

    /// The bytes of all pieces of all fields.
    async fn read(body: Body) -> Result<usize, ApiError> {
        let (mut form, patience) = open(form(body), Duration::from_secs(60)).await?;
        let mut count = 0;
        while let Some(mut field) = patience.within(form.next_field()).await? {
            while let Some(bytes) = patience.within(field.chunk()).await? {
                count += bytes.len();
            }
        }
        Ok(count)
    }

    #[tokio::test]
    async fn bytes_without_a_field_are_refused_before_they_fill_the_memory() {
        let behind_a_field = format!("{HEAD}text\r\n--b\r\nx: ");
        for start in ["", "--b", "--b\r\n", "--b\r\nx: ", &behind_a_field] {
            let came = Arc::new(AtomicUsize::new(0));
            let (start, count) = (Bytes::from(start.to_owned()), Arc::clone(&came));
            let rest = stream::repeat_with(move || {
                count.fetch_add(1, Ordering::Relaxed);
                Bytes::from_static(&[b'x'; 1024])
            });
            let pieces = stream::iter([start.clone()]).chain(rest).map(Ok::<_, Infallible>);
            let error = read(Body::from_stream(pieces)).await.expect_err("refused");
            let is_broken = error.status == StatusCode::BAD_REQUEST;
            assert!(is_broken || error.status == StatusCode::PAYLOAD_TOO_LARGE, "{error:?}");
            assert!(came.load(Ordering::Relaxed) <= 4 * 66, "{start:?}");
        }
    }

    #[tokio::test]
    async fn a_large_file_comes_whole_in_whatever_pieces() {
        let whole = [HEAD.as_bytes(), &vec![b'x'; LARGE], TAIL.as_bytes()].concat();
        for size in [1000, 65_536, 65_537, whole.len()] {
            let pieces: Vec<_> =
                whole.chunks(size).map(|piece| Ok::<_, Infallible>(piece.to_vec())).collect();
            let body = Body::from_stream(stream::iter(pieces));
            assert_eq!(read(body).await.expect("good"), LARGE, "{size}");
        }
    }
}
