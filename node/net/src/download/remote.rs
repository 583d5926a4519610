//! One try to fetch what is missing of a file.

use reqwest::header::{
    CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, IF_RANGE, LAST_MODIFIED, RANGE,
};
use reqwest::{Response, Url};
use sha2::{Digest, Sha256};

use super::DownloadError;
use super::options::{Options, Progress};
use super::part::{Origin, Part, Validator, hex};
use crate::client::excerpt;
use crate::error::TransportError;
use crate::headers::{encoding, headers, retry_after, text};
use crate::http::{Get, Http, failed};
use crate::target::shown;

/// How much of an error message is read.
const MESSAGE_BYTES_MAX: usize = 8 << 10;

/// Asks for what is missing and appends what comes.
pub(super) async fn attempt(
    http: &Http,
    url: &Url,
    (part, options): (&mut Part, &mut Options),
) -> Result<(), DownloadError> {
    let headers = headers_for(url, part, options)?;
    let get = Get { url: url.clone(), headers, head_timeout: options.idle_timeout };
    let response = http.get(get).await?;
    if let Some(encoding) = encoding(&response) {
        return Err(DownloadError::Encoded { url: shown(url), encoding });
    }
    match begin(url, part, &response).await? {
        Beginning::Arrives(bytes_total) => {
            check_size(url, part, bytes_total).await?;
            Arriving { url, response, bytes_total }.receive(part, options).await
        }
        Beginning::Whole => Ok(()),
        Beginning::Error => Err(refused(url, response, options).await),
    }
}

/// Asks for the rest, if the server can tell whether it is the rest of the same.
fn headers_for(url: &Url, part: &Part, options: &Options) -> Result<HeaderMap, DownloadError> {
    let mut headers = headers(&options.headers)?;
    let Some(validator) = part.validator_for(&key(url)) else { return Ok(headers) };
    let (Validator::Etag(value) | Validator::LastModified(value)) = validator;
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(IF_RANGE, value);
        headers.insert(RANGE, range_from(part.bytes()));
    }
    Ok(headers)
}

fn range_from(offset: u64) -> HeaderValue {
    HeaderValue::try_from(format!("bytes={offset}-")).expect("digits and a dash are a header value")
}

/// What is known of the size of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Total(Option<u64>);

/// What an answer brings.
enum Beginning {
    /// The file or the rest of it.
    Arrives(Total),
    /// Nothing, for all of it is here.
    Whole,
    /// A message.
    Error,
}

/// Makes the part file ready for what the answer brings.
async fn begin(
    url: &Url,
    part: &mut Part,
    response: &Response,
) -> Result<Beginning, DownloadError> {
    match response.status().as_u16() {
        200 => {
            part.restart(origin(url, response)).await?;
            Ok(Beginning::Arrives(Total(length(response))))
        }
        206 => continued(url, part, response).await.map(Beginning::Arrives),
        416 if is_whole(url, part, response) => {
            part.resume();
            Ok(Beginning::Whole)
        }
        416 => {
            // What is here is no beginning of what is there: the next try takes all of it.
            part.restart(None).await?;
            Ok(Beginning::Error)
        }
        _ => Ok(Beginning::Error),
    }
}

/// A server answers 416 only if the file is still the same; this one ends where the part does.
fn is_whole(url: &Url, part: &Part, response: &Response) -> bool {
    let end = format!("bytes */{}", part.bytes());
    part.validator_for(&key(url)).is_some() && text(response, CONTENT_RANGE) == Some(end)
}

/// Takes up what is there, if the answer goes on exactly where it ends.
async fn continued(
    url: &Url,
    part: &mut Part,
    response: &Response,
) -> Result<Total, DownloadError> {
    let range = text(response, CONTENT_RANGE).and_then(|range| parse_range(&range));
    let known = part.validator_for(&key(url)).cloned();
    let now = validator(response);
    let changed =
        now.is_some_and(|now| same_kind(&now, known.as_ref()) && Some(&now) != known.as_ref());
    match range {
        Some((start, total)) if start == part.bytes() && known.is_some() && !changed => {
            part.resume();
            Ok(Total(total.or_else(|| Some(start + length(response)?))))
        }
        _ => {
            part.restart(None).await?;
            let reason = "it sent another part than asked for".into();
            Err(TransportError::Broken { url: shown(url), reason }.into())
        }
    }
}

/// Only an ETag can differ from an ETag.
fn same_kind(one: &Validator, other: Option<&Validator>) -> bool {
    other.is_some_and(|other| std::mem::discriminant(one) == std::mem::discriminant(other))
}

fn origin(url: &Url, response: &Response) -> Option<Origin> {
    Some(Origin { url_sha256: key(url), validator: validator(response)? })
}

/// By what a URL is known again, query and all, without telling its secrets.
fn key(url: &Url) -> String {
    hex(&Sha256::digest(url.as_str()))
}

/// A weak ETag says that two files mean the same, not that they have the same bytes.
fn validator(response: &Response) -> Option<Validator> {
    let etag = text(response, ETAG).filter(|etag| etag.starts_with('"'));
    let date = || text(response, LAST_MODIFIED).map(Validator::LastModified);
    etag.map(Validator::Etag).or_else(date)
}

fn length(response: &Response) -> Option<u64> {
    text(response, CONTENT_LENGTH)?.parse().ok()
}

/// Start and total of `bytes START-END/TOTAL`, where the total may be `*`.
fn parse_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let (start, end): (u64, u64) = (start.parse().ok()?, end.parse().ok()?);
    let total = match total {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    let fits = start <= end && total.is_none_or(|total| end.checked_add(1) == Some(total));
    fits.then_some((start, total))
}

/// Refuses what can't fit before a byte of it comes.
async fn check_size(url: &Url, part: &Part, total: Total) -> Result<(), DownloadError> {
    let Some(total) = total.0 else { return Ok(()) };
    if total > part.bytes_max() {
        part.discard().await;
        return Err(too_large(url, part));
    }
    let (bytes_needed, bytes_free) = (total.saturating_sub(part.bytes()), part.bytes_free()?);
    if bytes_needed > bytes_free {
        let path = part.target().display().to_string();
        return Err(DownloadError::NoRoom { path, bytes_needed, bytes_free });
    }
    Ok(())
}

fn too_large(url: &Url, part: &Part) -> DownloadError {
    DownloadError::TooLarge { source_shown: shown(url), bytes_max: part.bytes_max() }
}

/// An answer whose body is coming.
struct Arriving<'a> {
    url: &'a Url,
    response: Response,
    bytes_total: Total,
}

impl Arriving<'_> {
    async fn receive(
        mut self,
        part: &mut Part,
        options: &mut Options,
    ) -> Result<(), DownloadError> {
        let Total(bytes_total) = self.bytes_total;
        options.report(Progress { bytes: part.bytes(), bytes_total });
        while let Some(piece) = self.piece(options).await? {
            let bytes = part.bytes() + piece.len() as u64;
            if bytes > bytes_total.unwrap_or(u64::MAX).min(part.bytes_max()) {
                part.discard().await;
                return Err(too_large(self.url, part));
            }
            part.write(&piece).await?;
            options.report(Progress { bytes, bytes_total });
        }
        self.check_end(part)
    }

    async fn piece(
        &mut self,
        options: &Options,
    ) -> Result<Option<impl AsRef<[u8]> + std::ops::Deref<Target = [u8]> + use<>>, DownloadError>
    {
        let waited = options.idle_timeout;
        let silent = |_| TransportError::Silent { url: shown(self.url), waited };
        let piece = tokio::time::timeout(waited, self.response.chunk()).await.map_err(silent)?;
        Ok(piece.map_err(|error| failed(self.url, error))?)
    }

    fn check_end(&self, part: &Part) -> Result<(), DownloadError> {
        match self.bytes_total.0.is_none_or(|total| total == part.bytes()) {
            true => Ok(()),
            false => {
                let reason = "it ended too early".into();
                Err(TransportError::Broken { url: shown(self.url), reason }.into())
            }
        }
    }
}

/// The error that the server answered with.
async fn refused(url: &Url, mut response: Response, options: &Options) -> DownloadError {
    let (status, retry_after) = (response.status().as_u16(), retry_after(&response));
    let mut message = vec![];
    // A message that is cut or slow is as good as none; the status is what counts.
    let _ = tokio::time::timeout(options.idle_timeout, async {
        while let Ok(Some(piece)) = response.chunk().await {
            message.extend_from_slice(&piece);
            if message.len() > MESSAGE_BYTES_MAX {
                break;
            }
        }
    })
    .await;
    let excerpt = options.without_secrets(excerpt(&message, &[]));
    DownloadError::Status { url: shown(url), status, excerpt, retry_after }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_are_none_are_refused() {
        for text in [
            "",
            "bytes */10",
            "bytes 5-4/10",
            "bytes 0-3/10",
            "items 0-9/10",
            "bytes 0-18446744073709551615/18446744073709551615",
            "bytes -1-9/10",
        ] {
            assert_eq!(parse_range(text), None, "{text}");
        }
    }

    #[test]
    fn ranges_tell_where_they_begin() {
        assert_eq!(parse_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(parse_range("bytes 5-9/*"), Some((5, None)));
    }
}
