//! JPEG.

use std::borrow::Cow;

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

/// Marks of parts: the file's beginning and end, the beginning of a scan.
const START: u8 = 0xD8;
const END: u8 = 0xD9;
const SCAN: u8 = 0xDA;

/// Tables of a decoder's, and how often it begins anew.
const QUANTIZATION: u8 = 0xDB;
const RESTARTS: u8 = 0xDD;

/// Names of what a decoder must know of colours.
const JFIF: u8 = 0xE0;
const ADOBE: u8 = 0xEE;

/// Where cameras write.
const EXIF: u8 = 0xE1;

/// The file with nothing but the picture in it and which way up that is: no place, no date, no second
/// picture. `None`: its parts are not what they say.
pub(crate) fn bare(file: &[u8]) -> Option<Vec<u8>> {
    let mut rest = file.strip_prefix(&[0xFF, START])?;
    let mut bare = vec![0xFF, START];
    loop {
        let (mark, after) = mark(rest)?;
        if mark == END {
            bare.extend([0xFF, END]);
            return Some(bare);
        }
        let length = u16::from_be_bytes(*after.first_chunk::<2>()?);
        let (part, after) = after.split_at_checked(length.into())?;
        if let Some(said) = needed(mark, part.get(2..)?) {
            let length = u16::try_from(said.len() + 2).ok()?;
            bare.extend([0xFF, mark]);
            bare.extend(length.to_be_bytes());
            bare.extend_from_slice(&said);
        }
        let (scan, after) = after.split_at(if mark == SCAN { scanned(after) } else { 0 });
        bare.extend_from_slice(scan);
        rest = after;
    }
}

/// What a part says of the picture.
fn needed(mark: u8, said: &[u8]) -> Option<Cow<'_, [u8]>> {
    match mark {
        0xC0..=0xCF | SCAN | QUANTIZATION | RESTARTS => Some(said.into()),
        // A small picture of the picture may follow.
        JFIF => {
            let told = said.get(..12).filter(|told| told.starts_with(b"JFIF\0"))?;
            Some([told, &[0, 0]].concat().into())
        }
        // How the colours were turned: without it they are others.
        ADOBE => said.get(..12).filter(|told| told.starts_with(b"Adobe")).map(Cow::from),
        EXIF => {
            let tiff = exif::bare(said.strip_prefix(exif::NAME)?)?;
            Some([exif::NAME, &tiff].concat().into())
        }
        _ => None,
    }
}

/// The mark that a part begins with, and what follows it.
fn mark(rest: &[u8]) -> Option<(u8, &[u8])> {
    let filled = rest.iter().take_while(|byte| **byte == 0xFF).count();
    let (mark, after) = rest.get(filled..)?.split_first()?;
    // Those below stand for themselves, or in a scan.
    (filled > 0 && *mark >= 0xC0 && !(0xD0..=START).contains(mark)).then_some((*mark, after))
}

/// Bytes of a scan: in it, only some marks can stand, and what fills the room before a mark.
fn scanned(rest: &[u8]) -> usize {
    let ends = |pair: &[u8]| pair[0] == 0xFF && !matches!(pair[1], 0 | 0xD0..=0xD7 | 0xFF);
    rest.windows(2).position(ends).unwrap_or(rest.len())
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
    fn nothing_but_the_picture_stays() {
        let whole = red_and_blue(Some(6));
        let (start, rest) = whole.split_at(2);
        let comment = b"\xFF\xFE\0\x08secret\xFF\xE2\0\x08secret";
        let place = b"\xFF\xE1\0\x0EExif\0\0secret";
        let told = [start, comment, &b"\xFF"[..], place, rest, b"secret"].concat();
        let stripped = bare(&told).expect("a good file");
        assert!(!holds(&stripped, b"secret"));
        assert_eq!(bare(&stripped).as_ref(), Some(&stripped));
        let (told, stripped) = (decode(&told, &LIMITS), decode(&stripped, &LIMITS));
        let (told, stripped) = (told.expect("a good file"), stripped.expect("a good file"));
        assert_eq!((stripped.width, stripped.height), (8, 16));
        assert_eq!(stripped.rgb, told.rgb);
    }

    /// The file with a part more at its beginning.
    fn with(mark: u8, said: &[u8]) -> Vec<u8> {
        let (start, rest) = FILE.split_at(2);
        let length = u16::try_from(said.len() + 2).expect("it is short").to_be_bytes();
        [start, &[0xFF, mark], &length, said, rest].concat()
    }

    fn holds(file: &[u8], words: &[u8]) -> bool {
        file.windows(words.len()).any(|bytes| bytes == words)
    }

    #[test]
    fn what_a_decoder_must_know_of_colours_stays_and_nothing_behind_it() {
        let plain = decode(FILE, &LIMITS).expect("a good file");
        for behind in ["", "secret"] {
            // Its colours are red, green and blue already.
            let adobe = [&b"Adobe\0\x64\0\0\0\0\0"[..], behind.as_bytes()].concat();
            let told = with(ADOBE, &adobe);
            let stripped = bare(&told).expect("a good file");
            assert!(holds(&stripped, &adobe[..12]) && !holds(&stripped, b"secret"));
            let [told, stripped] = [told, stripped].map(|file| decode(&file, &LIMITS));
            let told = told.expect("a good file");
            assert_ne!(told.rgb, plain.rgb);
            assert_eq!(stripped.as_ref(), Ok(&told), "{behind}");
        }
        let told = with(JFIF, b"JFIF\0\x01\x02\0\0\x01\0\x01\x01\x02secret");
        let stripped = bare(&told).expect("a good file");
        let without = with(JFIF, b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0");
        assert_eq!(stripped, without);
    }

    #[test]
    fn a_part_that_is_not_what_its_mark_says_is_left_out() {
        let tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0";
        // No Exif, half of Adobe's, no JFIF, and another height behind the picture's own.
        for (mark, said) in
            [(EXIF, &tiff[..]), (ADOBE, b"Adobe\0\x64"), (JFIF, b"JFXX\0\x10"), (0xDC, b"\0\x40")]
        {
            assert_eq!(bare(&with(mark, said)).as_deref(), Some(FILE), "{mark:x}");
        }
    }

    #[test]
    fn a_scan_goes_on_behind_what_only_fills_room() {
        let scan = b"a\xFF\0b\xFF\xD1c\xFF\xFF\xD2d\xFF\xFF";
        assert_eq!(scanned(&[&scan[..], b"\xD9"].concat()), scan.len() - 1);
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
            assert_eq!(bare(&whole[..length]), None);
        }
        for index in 3..whole.len() {
            for value in [0, 1, 0x7F, 0xFF] {
                let mut changed = whole.clone();
                changed[index] = value;
                drop(bare(&changed));
                if let Ok(pixels) = crate::decode(&changed, &LIMITS) {
                    assert_eq!(pixels.rgb.len() as u32, pixels.width * pixels.height * 3);
                }
            }
        }
    }
}
