//! Foreign pictures decoded to pixels.
//!
//! | part | duty |
//! |---|---|
//! | [`decode`] | PNG or JPEG to red, green and blue, upright, not larger than a model can use |
//! | [`from_base64`] | the file that letters stand for |
//! | [`bare`] | the file of a good picture, for other servers, with nothing else in it |
//! | `png_file`, `jpeg_file` | one format each |
//! | `exif` | which way up a photograph is |
//! | `shape` | turning, and reducing by averages |
//!
//! Invariants: what is too large is refused by its header, before memory is taken for it; no picture is
//! looked up anywhere; the code that reads foreign bytes runs without `unsafe`.
#![forbid(unsafe_code)]

mod exif;
mod jpeg_file;
mod letters;
mod png_file;
mod shape;

pub use letters::from_base64;
use shape::Pixels;

/// What a picture may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes_max: usize,
    /// Pixels of the file.
    pub pixels_max: u64,
    /// Pixels of what is handed out, more or less: a larger picture is reduced.
    pub area_max: u64,
}

impl Default for Limits {
    /// Ten MiB and sixteen million pixels, of which models of today look at four million at most.
    fn default() -> Self {
        Self { bytes_max: 10 << 20, pixels_max: 1 << 24, area_max: 1 << 22 }
    }
}

/// A longer picture is no picture, and a projector could make a line without height of it.
pub const RATIO_MAX: u32 = 100;

/// A decoded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Pixels of a line.
    pub width: u32,
    /// Lines.
    pub height: u32,
    /// Red, green and blue of each pixel, line by line.
    pub rgb: Vec<u8>,
}

/// Why a picture is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// The file is too long.
    #[error("the picture has {bytes} bytes; {limit} are allowed: send a smaller one")]
    TooManyBytes {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// It has too many pixels.
    #[error("the picture has {width} × {height} pixels; {limit} are allowed: send a smaller one")]
    TooManyPixels {
        /// Pixels of a line.
        width: u32,
        /// Lines.
        height: u32,
        /// The limit.
        limit: u64,
    },
    /// It is a line.
    #[error(
        "the picture has {width} × {height} pixels; a side may be {RATIO_MAX} times the other at most"
    )]
    TooLong {
        /// Pixels of a line.
        width: u32,
        /// Lines.
        height: u32,
    },
    /// What should be Base64 is something else.
    #[error("it is not Base64: {reason}")]
    NotBase64 {
        /// Where it goes wrong.
        reason: String,
    },
    /// It is something else.
    #[error("this is neither a PNG nor a JPEG file")]
    Unknown,
    /// It is damaged, or of a kind that is not read.
    #[error("this {format} file can't be read: {reason}")]
    Damaged {
        /// The format.
        format: &'static str,
        /// The decoder's words.
        reason: String,
    },
}

/// Decodes a PNG or JPEG file; which of the two, its first bytes say. What is transparent becomes
/// white, a photograph is turned upright, and what is larger than a model can use is reduced.
///
/// Takes about as much memory as eight bytes per pixel, and a second of time for every twenty million
/// pixels.
///
/// # Errors
/// See [`PictureError`].
pub fn decode(file: &[u8], limits: &Limits) -> Result<Decoded, PictureError> {
    if file.len() > limits.bytes_max {
        return Err(PictureError::TooManyBytes { bytes: file.len(), limit: limits.bytes_max });
    }
    let (format, read): (_, Read) = match file {
        [0x89, b'P', b'N', b'G', ..] => ("PNG", png_file::decode),
        [0xFF, 0xD8, 0xFF, ..] => ("JPEG", jpeg_file::decode),
        _ => return Err(PictureError::Unknown),
    };
    // A decoder that panics has met a file that its authors did not think of.
    let pixels = std::panic::catch_unwind(|| read(file, limits)).unwrap_or_else(|_| {
        Err(PictureError::Damaged { format, reason: "the decoder gave up".into() })
    })?;
    let Pixels { width, height, rgb } = pixels.reduced(limits.area_max);
    Ok(Decoded { width, height, rgb })
}

/// A file that could be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bare {
    /// Its type, as `image/png`.
    pub media_type: &'static str,
    /// The file.
    pub file: Vec<u8>,
}

/// Takes all out of a PNG or JPEG file that is no part of the picture, such as where and when it was
/// taken, and looks whether what is left can be decoded.
///
/// # Errors
/// See [`PictureError`].
pub fn bare(file: &[u8], limits: &Limits) -> Result<Bare, PictureError> {
    if file.len() > limits.bytes_max {
        return Err(PictureError::TooManyBytes { bytes: file.len(), limit: limits.bytes_max });
    }
    let (format, media_type, bare) = match file {
        [0x89, b'P', b'N', b'G', ..] => ("PNG", "image/png", png_file::bare(file)),
        [0xFF, 0xD8, 0xFF, ..] => ("JPEG", "image/jpeg", jpeg_file::bare(file)),
        _ => return Err(PictureError::Unknown),
    };
    let cut_off = || PictureError::Damaged { format, reason: "it is cut off, or not whole".into() };
    let file = bare.ok_or_else(cut_off)?;
    decode(&file, limits).map(|_| Bare { media_type, file })
}

/// Reads one format.
type Read = fn(&[u8], &Limits) -> Result<Pixels, PictureError>;

impl Limits {
    /// Looks at a size before memory is taken for it.
    fn check(&self, width: u32, height: u32) -> Result<(), PictureError> {
        if width == 0 || height == 0 {
            return Err(PictureError::TooLong { width, height });
        }
        if u64::from(width) * u64::from(height) > self.pixels_max {
            return Err(PictureError::TooManyPixels { width, height, limit: self.pixels_max });
        }
        if width.max(height) / width.min(height) > RATIO_MAX {
            return Err(PictureError::TooLong { width, height });
        }
        Ok(())
    }
}
