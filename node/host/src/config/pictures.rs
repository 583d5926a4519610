//! `[pictures]`: what requests may show a model.

use gaia_pictures::Limits;
use gaia_protocol::PICTURES_MAX;

use super::reader::Reader;

/// Limits on the pictures of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PicturesConfig {
    /// Pictures of one request; with more it is answered 400.
    pub per_request_max: usize,
    /// Bytes of one file; a larger one is answered 413.
    pub bytes_max: usize,
    /// Pixels of one file; a larger one is answered 413.
    pub pixels_max: u64,
    /// Pictures in the node at once; a request with more is answered 429.
    pub at_once_max: usize,
}

impl Default for PicturesConfig {
    fn default() -> Self {
        let Limits { bytes_max, pixels_max, .. } = Limits::default();
        Self { per_request_max: 8, bytes_max, pixels_max, at_once_max: 64 }
    }
}

impl PicturesConfig {
    pub(super) fn read(mut table: Reader<'_>) -> Self {
        let default = Self::default();
        let read = Self {
            per_request_max: table.within(
                "per_request_max",
                default.per_request_max,
                0..=PICTURES_MAX,
            ),
            bytes_max: table.within("bytes_max", default.bytes_max, 1..=32 << 20),
            pixels_max: table.within("pixels_max", default.pixels_max, 1..=100_000_000),
            at_once_max: table.within("at_once_max", default.at_once_max, 1..=1024),
        };
        if read.per_request_max > read.at_once_max {
            table.wrong("per_request_max", "must not be above at_once_max");
        }
        table.finish();
        read
    }
}
