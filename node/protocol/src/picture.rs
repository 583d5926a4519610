//! Pictures of a request. They travel beside its JSON, and no guest sees them: it says where in the
//! prompt they stand.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::frame::FrameError;

/// Pictures of one request at most.
pub const PICTURES_MAX: usize = 32;

/// Stands on both sides of a picture's number where the picture is to be read, in a prompt whose
/// options say [`PICTURE_OPTION`].
///
/// U+FDD1 is a Unicode noncharacter, "for internal use", so no real text holds it. Whoever renders a
/// prompt takes it out of every text of a client first.
pub const PICTURE_MARK: char = '\u{FDD1}';

/// The key in the GGML options JSON that turns [`PICTURE_MARK`] on. The stock plugin ignores it.
pub const PICTURE_OPTION: &str = "pictures";

/// Where a picture stands in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureSpot {
    /// Byte of the content before which it stands.
    pub at: usize,
    /// Its number among the request's pictures, from 0.
    pub number: usize,
}

/// Bytes that whoever made them may keep an eye on.
type Bytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// A decoded picture. Clones share it.
#[derive(Clone)]
pub struct Picture {
    width: u32,
    height: u32,
    rgb: Bytes,
}

impl Picture {
    /// A picture of three bytes for each pixel, line by line. `None`: there are more or fewer, or none.
    #[must_use]
    pub fn new(width: u32, height: u32, rgb: Bytes) -> Option<Self> {
        let bytes = (*rgb).as_ref().len() as u64;
        let pixels = u64::from(width) * u64::from(height);
        let fits = bytes > 0 && Some(bytes) == pixels.checked_mul(3);
        fits.then_some(Self { width, height, rgb })
    }

    /// Pixels of a line.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Lines.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Red, green and blue of each pixel.
    #[must_use]
    pub fn rgb(&self) -> &[u8] {
        (*self.rgb).as_ref()
    }

    /// What a frame carries.
    pub(crate) fn payload(&self) -> Vec<u8> {
        [&self.width.to_le_bytes()[..], &self.height.to_le_bytes(), self.rgb()].concat()
    }

    /// The picture of a frame.
    pub(crate) fn parse(payload: Vec<u8>) -> Result<Self, FrameError> {
        let length = payload.len();
        let read = || {
            let (width, rest) = payload.split_first_chunk::<4>()?;
            let (height, _) = rest.split_first_chunk::<4>()?;
            Some((u32::from_le_bytes(*width), u32::from_le_bytes(*height)))
        };
        let picture = read().and_then(|(width, height)| {
            Self::new(width, height, Arc::new(Tail { payload, start: SIZE_BYTES }))
        });
        picture.ok_or(FrameError::Picture(length))
    }
}

/// A picture as the address that holds it (`data:image/png;base64,…`), for a model that another server
/// holds. Clones share it.
#[derive(Clone)]
pub struct PictureUrl(Arc<dyn AsRef<str> + Send + Sync>);

impl PictureUrl {
    /// A picture whose address somebody may keep an eye on.
    #[must_use]
    pub fn new(url: Arc<dyn AsRef<str> + Send + Sync>) -> Self {
        Self(url)
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        (*self.0).as_ref()
    }
}

impl PartialEq for PictureUrl {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl fmt::Debug for PictureUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PictureUrl({} bytes)", self.as_str().len())
    }
}

/// Bytes of width and height before the pixels.
const SIZE_BYTES: usize = 8;

/// The end of a payload, which is not copied.
struct Tail {
    payload: Vec<u8>,
    start: usize,
}

impl AsRef<[u8]> for Tail {
    fn as_ref(&self) -> &[u8] {
        &self.payload[self.start..]
    }
}

impl PartialEq for Picture {
    fn eq(&self, other: &Self) -> bool {
        let size = |picture: &Self| (picture.width, picture.height);
        size(self) == size(other) && self.rgb() == other.rgb()
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Picture({} × {})", self.width, self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_as_many_bytes_as_its_size_says() {
        for (width, height, bytes) in [(1, 1, 2), (1, 1, 4), (0, 7, 0), (u32::MAX, u32::MAX, 3)] {
            assert_eq!(Picture::new(width, height, Arc::new(vec![0; bytes])), None);
        }
        assert!(Picture::new(2, 1, Arc::new(vec![0; 6])).is_some());
    }

    #[test]
    fn payloads_that_are_no_pictures_are_refused() {
        let picture = Picture::new(2, 1, Arc::new(vec![9; 6])).expect("six bytes");
        let payload = picture.payload();
        for length in [0, 7, 8, payload.len() - 1] {
            let refused = Picture::parse(payload[..length].to_vec());
            assert!(matches!(refused, Err(FrameError::Picture(_))), "{length}");
        }
        assert_eq!(Picture::parse(payload).expect("whole"), picture);
    }
}
