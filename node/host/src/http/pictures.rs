//! Pictures in requests: where one may stand, and how its file becomes pixels.
//!
//! A picture comes inside the request and from nowhere else: this node fetches nothing for a stranger.
//! It is decoded when its model is known to take pictures, on threads for that, a few at a time; and it
//! counts among the pictures in the node until its request ends. To a model that another server holds goes
//! the file itself, after it was decoded for a trial, and without all that is no part of the picture.

mod gallery;

use gaia_protocol::PICTURES_MAX;

pub use self::gallery::Gallery;
use super::error::ApiError;
use super::fields::must_be;

const KINDS: &str = "a picture of the type \"image/png\" or \"image/jpeg\"";

/// A picture that is not decoded.
#[derive(Debug)]
struct Encoded {
    /// The field that holds it.
    param: String,
    base64: String,
}

/// The pictures of a request, in the order of their numbers.
#[derive(Debug, Default)]
pub struct Pictures(Vec<Encoded>);

impl Pictures {
    /// Adds the picture that an address of the kind `data:` holds; its number.
    pub fn add_url(&mut self, param: &str, url: &str) -> Result<usize, ApiError> {
        if ["http://", "https://"].iter().any(|scheme| starts_with(url, scheme)) {
            let message = format!(
                "`{param}` is an address, and this node fetches nothing: send the picture itself, as \
                 \"data:image/png;base64,…\""
            );
            return Err(ApiError::invalid(param, message));
        }
        let wrong =
            || must_be(param, "\"data:image/png;base64,…\" or \"data:image/jpeg;base64,…\"");
        let rest = url.get(5..).filter(|_| starts_with(url, "data:")).ok_or_else(wrong)?;
        let (kind, base64) = rest.split_once(',').ok_or_else(wrong)?;
        let kind = kind.strip_suffix(";base64").ok_or_else(wrong)?;
        self.add(param, kind, base64)
    }

    /// Adds the picture of a type; its number.
    pub fn add(&mut self, param: &str, kind: &str, base64: &str) -> Result<usize, ApiError> {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !["image/png", "image/jpeg", "image/jpg"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(kind))
        {
            return Err(must_be(param, KINDS));
        }
        if self.0.len() == PICTURES_MAX {
            return Err(too_many(param, PICTURES_MAX));
        }
        self.0.push(Encoded { param: param.to_owned(), base64: base64.to_owned() });
        Ok(self.0.len() - 1)
    }

    /// The field of the first one.
    pub fn first(&self) -> Option<&str> {
        self.0.first().map(|picture| picture.param.as_str())
    }
}

fn starts_with(url: &str, scheme: &str) -> bool {
    url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

fn too_many(param: &str, limit: usize) -> ApiError {
    let message = format!("`{param}` is one picture too many: a request may hold {limit}");
    ApiError::invalid(param, message)
}

#[cfg(test)]
mod tests {
    use gaia_protocol::Picture;

    use super::*;
    use crate::config::PicturesConfig;

    /// One red pixel.
    const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";

    fn url() -> String {
        format!("data:image/png;base64,{PIXEL}")
    }

    async fn decode(config: PicturesConfig, urls: &[&str]) -> Result<Vec<Picture>, ApiError> {
        let mut pictures = Pictures::default();
        for (index, url) in urls.iter().enumerate() {
            pictures.add_url(&format!("p[{index}]"), url)?;
        }
        Gallery::new(config).decode(pictures, 1).await
    }

    #[test]
    fn what_is_no_picture_inside_the_request_is_refused() {
        for (url, words) in [
            ("https://example.org/a.png", "fetches nothing"),
            ("HTTP://example.org/a.png", "fetches nothing"),
            ("file:///etc/passwd", "must be"),
            ("data:", "must be"),
            ("data:image/png,aGk=", "must be"),
            ("data:image/gif;base64,aGk=", "image/jpeg"),
            ("data:text/html;base64,aGk=", "image/jpeg"),
            ("é", "must be"),
        ] {
            let error = Pictures::default().add_url("a.url", url).expect_err(url);
            assert_eq!((error.param.as_deref(), error.status.as_u16()), (Some("a.url"), 400));
            assert!(error.message.contains(words), "{}", error.message);
        }
    }

    #[tokio::test]
    async fn what_can_not_be_read_is_refused_by_its_field() {
        let config = PicturesConfig { pixels_max: 0, ..PicturesConfig::default() };
        let small = PicturesConfig { bytes_max: 10, ..PicturesConfig::default() };
        let usual = PicturesConfig::default();
        let url = url();
        for (config, url, status, words) in [
            (usual, "data:image/png;base64,!!", 400, "not Base64"),
            (usual, "data:image/png;base64,aGVsbG8=", 400, "neither a PNG nor a JPEG"),
            (usual, "data:image/png;base64,iVBORw0KGgo=", 400, "PNG file can't be read"),
            (usual, "data:image/jpeg;base64,/9j/", 400, "JPEG file can't be read"),
            (config, url.as_str(), 413, "1 × 1 pixels; 0 are allowed"),
            (small, url.as_str(), 413, "10 are allowed"),
        ] {
            let error = decode(config, &[url]).await.expect_err(words);
            assert_eq!((error.param.as_deref(), error.status.as_u16()), (Some("p[0]"), status));
            assert!(error.message.contains(words), "{}", error.message);
        }
    }

    #[tokio::test]
    async fn more_than_a_request_may_hold_is_refused_by_the_first_too_many() {
        let url = url();
        let config = PicturesConfig { per_request_max: 2, ..PicturesConfig::default() };
        let error = decode(config, &[url.as_str(); 3]).await.expect_err("refused");
        assert_eq!(error.param.as_deref(), Some("p[2]"));
        let error = decode(config, &[url.as_str(); PICTURES_MAX + 1]).await.expect_err("refused");
        assert!(error.message.contains("one picture too many"), "{}", error.message);
        assert_eq!(decode(config, &[url.as_str(); 2]).await.expect("two").len(), 2);
    }

    #[tokio::test]
    async fn another_server_is_sent_what_was_checked_under_its_true_type() {
        let pack = async |url: String| {
            let mut pictures = Pictures::default();
            pictures.add_url("p", &url)?;
            Gallery::new(PicturesConfig::default()).pack(pictures, 1).await
        };
        let packed = pack(format!("DATA:image/jpeg;base64,{}", PIXEL.trim_end_matches('=')));
        assert_eq!(packed.await.expect("a picture")[0].as_str(), url());
        let error = pack(url().replace("AAAA", "BBBB")).await.expect_err("damaged");
        assert_eq!((error.param.as_deref(), error.status.as_u16()), (Some("p"), 400));
    }

    #[tokio::test]
    async fn a_full_node_is_overloaded_until_a_request_ends() {
        let gallery = Gallery::new(PicturesConfig { at_once_max: 3, ..PicturesConfig::default() });
        let pictures = |count: usize| {
            let mut pictures = Pictures::default();
            (0..count).for_each(|_| {
                pictures.add_url("p", &url()).expect("a picture");
            });
            pictures
        };
        let held = gallery.decode(pictures(1), 2).await.expect("room for two copies");
        assert_eq!((held[0].width(), held[0].rgb()), (1, &[255, 0, 0][..]));
        let error = gallery.decode(pictures(2), 1).await.expect_err("room for one");
        assert_eq!(error.status.as_u16(), 429);
        drop(held);
        assert_eq!(gallery.decode(pictures(2), 1).await.expect("room again").len(), 2);
    }
}
