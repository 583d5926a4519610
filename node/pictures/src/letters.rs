//! Base64, as pictures come in.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use crate::{Limits, PictureError};

/// Some clients leave the padding out.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The file that Base64's letters stand for. Their padding may be left out.
///
/// # Errors
/// They are none, or too many, which is said before memory is taken for them.
pub fn from_base64(letters: &str, limits: &Limits) -> Result<Vec<u8>, PictureError> {
    let bytes = letters.len() / 4 * 3;
    // Two bytes of the last four letters may be none.
    if bytes.saturating_sub(2) > limits.bytes_max {
        return Err(PictureError::TooManyBytes { bytes, limit: limits.bytes_max });
    }
    LENIENT.decode(letters).map_err(|error| PictureError::NotBase64 { reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_read_with_and_without_padding_and_within_the_limit() {
        let limits = Limits { bytes_max: 4, ..Limits::default() };
        for letters in ["cGljdA==", "cGljdA"] {
            assert_eq!(from_base64(letters, &limits).as_deref(), Ok(&b"pict"[..]));
        }
        let error = from_base64("cGljdHVyZQ==", &limits).expect_err("refused");
        assert_eq!(error, PictureError::TooManyBytes { bytes: 9, limit: 4 });
        let error = from_base64("c*==", &limits).expect_err("refused");
        assert!(error.to_string().starts_with("it is not Base64: "), "{error}");
    }
}
