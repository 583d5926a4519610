//! JPEG.

use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::shape::Pixels;
use crate::{Limits, PictureError, exif};

/// Each is a pass over all pixels, and costs a file a few bytes.
const SCANS_MAX: usize = 64;

pub(crate) fn decode(file: &[u8], limits: &Limits) -> Result<Pixels, PictureError> {
    let options = DecoderOptions::default()
        .set_use_unsafe(false)
        .jpeg_set_out_colorspace(ColorSpace::RGB)
        .jpeg_set_max_scans(SCANS_MAX)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX));
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file), options);
    decoder.decode_headers().map_err(damaged)?;
    let size = decoder.dimensions();
    let size = size.and_then(|(width, height)| {
        Some((u32::try_from(width).ok()?, u32::try_from(height).ok()?))
    });
    let (width, height) = size.ok_or_else(|| no("it does not say how large it is"))?;
    limits.check(width, height)?;
    let rgb = decoder.decode().map_err(damaged)?;
    if rgb.len() as u64 != u64::from(width) * u64::from(height) * 3 {
        return Err(no("it has pixels of another kind"));
    }
    let turn = decoder.exif().and_then(|exif| exif::orientation(exif)).unwrap_or_default();
    Ok(Pixels { width, height, rgb }.turned(turn))
}

fn damaged(error: DecodeErrors) -> PictureError {
    no(&error.to_string())
}

fn no(reason: &str) -> PictureError {
    PictureError::Damaged { format: "JPEG", reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { bytes_max: 1 << 20, pixels_max: 128, area_max: 128 };

    /// Two blocks of eight by eight pixels, a red one and to the right of it a blue one.
    const FILE: &[u8] = include_bytes!("testdata/red_and_blue.jpg");

    fn red_and_blue(orientation: Option<u8>) -> Vec<u8> {
        let Some(orientation) = orientation else { return FILE.to_vec() };
        let (start, rest) = FILE.split_at(2);
        let tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0";
        let exif = [&b"\xFF\xE1\0\x22Exif\0\0"[..], tiff, &[orientation, 0, 0, 0], &[0; 4]];
        [start, &exif.concat(), rest].concat()
    }

    fn pixel(pixels: &Pixels, x: usize, y: usize) -> [bool; 3] {
        let at = (y * pixels.width as usize + x) * 3;
        [0, 1, 2].map(|part| pixels.rgb[at + part] > 127)
    }

    const RED: [bool; 3] = [true, false, false];
    const BLUE: [bool; 3] = [false, false, true];

    #[test]
    fn a_photograph_is_turned_upright() {
        let lying = decode(&red_and_blue(None), &LIMITS).expect("a good file");
        assert_eq!((lying.width, lying.height), (16, 8));
        assert_eq!((pixel(&lying, 0, 0), pixel(&lying, 15, 7)), (RED, BLUE));
        let mirrored = decode(&red_and_blue(Some(2)), &LIMITS).expect("a good file");
        assert_eq!((pixel(&mirrored, 0, 0), pixel(&mirrored, 15, 7)), (BLUE, RED));
        let upright = decode(&red_and_blue(Some(6)), &LIMITS).expect("a good file");
        assert_eq!((upright.width, upright.height), (8, 16));
        assert_eq!((pixel(&upright, 0, 0), pixel(&upright, 7, 15)), (RED, BLUE));
        let upside = decode(&red_and_blue(Some(8)), &LIMITS).expect("a good file");
        assert_eq!((pixel(&upside, 0, 0), pixel(&upside, 7, 15)), (BLUE, RED));
    }

    #[test]
    fn what_is_too_large_is_refused_by_its_header() {
        let limits = Limits { pixels_max: 127, ..LIMITS };
        let error = decode(&red_and_blue(None), &limits).expect_err("refused");
        assert_eq!(error, PictureError::TooManyPixels { width: 16, height: 8, limit: 127 });
    }

    #[test]
    fn a_file_that_is_cut_off_or_changed_makes_a_whole_picture_or_none() {
        let whole = red_and_blue(Some(6));
        for length in 3..whole.len() {
            drop(crate::decode(&whole[..length], &LIMITS));
        }
        for index in 3..whole.len() {
            for value in [0, 1, 0x7F, 0xFF] {
                let mut changed = whole.clone();
                changed[index] = value;
                if let Ok(pixels) = crate::decode(&changed, &LIMITS) {
                    assert_eq!(pixels.rgb.len() as u32, pixels.width * pixels.height * 3);
                }
            }
        }
    }
}
