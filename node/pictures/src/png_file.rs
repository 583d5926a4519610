//! PNG.

use zune_png::PngDecoder;
use zune_png::error::PngDecodeErrors;
use zune_png::zune_core::bytestream::ZCursor;
use zune_png::zune_core::colorspace::ColorSpace;
use zune_png::zune_core::options::DecoderOptions;

use crate::shape::Pixels;
use crate::{Limits, PictureError, exif};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1A\n";

/// Bytes of a chunk's length and name, and of the checksum behind it.
const AROUND_BYTES: usize = 12;

/// All that makes the picture. The rest (texts, colour profiles, animations) is packed data of any
/// size, which the decoder would unpack.
const CHUNKS: [&[u8]; 5] = [b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"];

/// Where cameras write.
const EXIF: &[u8] = b"eXIf";

pub(crate) fn decode(file: &[u8], limits: &Limits) -> Result<Pixels, PictureError> {
    let bare = bare(file).ok_or_else(|| no("it is cut off"))?;
    let (width, height) = size(&bare).ok_or_else(|| no("it does not begin with its size"))?;
    limits.check(width, height)?;
    let side = |side: u32| usize::try_from(side).unwrap_or(usize::MAX);
    let options = DecoderOptions::default()
        .set_use_unsafe(false)
        .set_strict_mode(true)
        .png_set_strip_to_8bit(true)
        .set_max_width(side(width))
        .set_max_height(side(height));
    let mut decoder = PngDecoder::new_with_options(ZCursor::new(&bare[..]), options);
    let samples = decoder.decode_raw().map_err(damaged)?;
    let rgb = match decoder.colorspace() {
        Some(ColorSpace::RGB) => samples,
        Some(ColorSpace::RGBA) => {
            on_white(&samples, |[red, green, blue, alpha]| ([red, green, blue], alpha))
        }
        Some(ColorSpace::LumaA) => on_white(&samples, |[gray, alpha]| ([gray; 3], alpha)),
        Some(ColorSpace::Luma) => samples.iter().flat_map(|gray| [*gray; 3]).collect(),
        _ => return Err(no("its colours are unknown")),
    };
    if rgb.len() as u64 != u64::from(width) * u64::from(height) * 3 {
        return Err(no("it has pixels of another kind"));
    }
    let exif = decoder.info().and_then(|info| info.exif.as_ref());
    let turn = exif.and_then(|exif| exif::orientation(exif)).unwrap_or_default();
    Ok(Pixels { width, height, rgb }.turned(turn))
}

/// The file with nothing but the picture in it and which way up that is. `None`: a chunk goes beyond
/// the end.
pub(crate) fn bare(file: &[u8]) -> Option<Vec<u8>> {
    let (header, mut rest) = split_chunk(file.strip_prefix(SIGNATURE)?)?;
    let (mut picture, mut tiff) = (vec![], None);
    loop {
        let (chunk, after) = split_chunk(rest)?;
        let (name, said) = (&chunk[4..8], &chunk[8..chunk.len() - 4]);
        if CHUNKS.contains(&name) {
            picture.extend_from_slice(chunk);
        }
        if name == EXIF && tiff.is_none() {
            tiff = exif::bare(said);
        }
        if name == b"IEND" {
            break;
        }
        rest = after;
    }
    // A decoder need not look for it behind the pixels, where it may have stood.
    let exif = tiff.map(|tiff| new_chunk(EXIF, &tiff)).unwrap_or_default();
    Some([SIGNATURE, header, &exif, &picture].concat())
}

/// The first chunk, and what follows it. `None`: it goes beyond the end.
fn split_chunk(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::try_from(u32::from_be_bytes(*rest.first_chunk::<4>()?)).ok()?;
    rest.split_at_checked(length.checked_add(AROUND_BYTES)?)
}

fn new_chunk(name: &[u8], said: &[u8]) -> Vec<u8> {
    let length = u32::try_from(said.len()).expect("a few bytes");
    let named = [name, said].concat();
    let checksum = crc32fast::hash(&named);
    [&length.to_be_bytes()[..], &named, &checksum.to_be_bytes()].concat()
}

/// Width and height, which stand in the first chunk.
fn size(bare: &[u8]) -> Option<(u32, u32)> {
    let header = bare.get(SIGNATURE.len() + 4..)?.strip_prefix(b"IHDR")?;
    let (width, rest) = header.split_first_chunk::<4>()?;
    let (height, _) = rest.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*width), u32::from_be_bytes(*height)))
}

/// Lays pixels over white; `split` takes one apart into its colour and how opaque it is.
fn on_white<const N: usize>(samples: &[u8], split: fn([u8; N]) -> ([u8; 3], u8)) -> Vec<u8> {
    let (pixels, _) = samples.as_chunks::<N>();
    let blend = |pixel: &[u8; N]| {
        let (colour, alpha) = split(*pixel);
        let alpha = u32::from(alpha);
        colour.map(|part| {
            let part = (u32::from(part) * alpha + 255 * (255 - alpha) + 127) / 255;
            u8::try_from(part).unwrap_or(u8::MAX)
        })
    };
    pixels.iter().flat_map(blend).collect()
}

fn damaged(error: PngDecodeErrors) -> PictureError {
    no(&format!("{error:?}"))
}

fn no(reason: &str) -> PictureError {
    PictureError::Damaged { format: "PNG", reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use zune_png::PngEncoder;
    use zune_png::zune_core::bit_depth::BitDepth;
    use zune_png::zune_core::options::EncoderOptions;

    use super::*;

    const LIMITS: Limits = Limits { bytes_max: 1 << 20, pixels_max: 10_000, area_max: 10_000 };
    const INDEXED: &[u8] = include_bytes!("testdata/indexed.png");
    const GRAY_16: &[u8] = include_bytes!("testdata/gray16.png");
    const GRAY_ALPHA: &[u8] = include_bytes!("testdata/gray_alpha.png");
    const RGBA: &[u8] = include_bytes!("testdata/rgba.png");
    const INTERLACED: &[u8] = include_bytes!("testdata/interlaced.png");
    const TEXT_BOMB: &[u8] = include_bytes!("testdata/text_bomb.png");

    fn gray(width: usize, height: usize) -> Vec<u8> {
        let samples = vec![7; width * height];
        let options = EncoderOptions::new(width, height, ColorSpace::Luma, BitDepth::Eight);
        let mut file = vec![];
        PngEncoder::new(&samples, options).encode(&mut file).expect("as many samples");
        file
    }

    #[test]
    fn every_kind_of_pixel_becomes_red_green_and_blue() {
        for (file, rgb) in [
            (INDEXED, [0, 0, 255, 255, 255, 255]),
            (GRAY_16, [7, 7, 7, 9, 9, 9]),
            (GRAY_ALPHA, [0, 0, 0, 127, 127, 127]),
            (RGBA, [1, 2, 3, 255, 255, 255]),
        ] {
            let decoded = decode(file, &LIMITS).expect("a good file");
            assert_eq!((decoded.width, decoded.height), (2, 1));
            assert_eq!(decoded.rgb, rgb);
        }
        let decoded = decode(INTERLACED, &LIMITS).expect("a good file");
        let reds: Vec<u8> = decoded.rgb.iter().step_by(3).copied().collect();
        assert_eq!((decoded.width, decoded.height, reds), (3, 2, vec![1, 2, 3, 4, 5, 6]));
        assert_eq!(decode(&gray(3, 1), &LIMITS).expect("a good file").rgb, [7; 9]);
    }

    #[test]
    fn a_bomb_is_refused_by_its_header() {
        let mut bomb = gray(1, 1);
        // Width and height stand behind the signature and the first chunk's length and name.
        bomb[16..24].copy_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30]);
        let error = decode(&bomb, &LIMITS).expect_err("refused");
        let limit = LIMITS.pixels_max;
        assert_eq!(error, PictureError::TooManyPixels { width: 30_000, height: 30_000, limit });
        let error = decode(&gray(101, 1), &LIMITS).expect_err("refused");
        assert_eq!(error, PictureError::TooLong { width: 101, height: 1 });
    }

    #[test]
    fn what_is_no_picture_is_not_unpacked() {
        let bare = bare(TEXT_BOMB).expect("whole");
        assert!(TEXT_BOMB.len() > 16_000 && bare.len() < 100, "{}", bare.len());
        assert_eq!(decode(TEXT_BOMB, &LIMITS).expect("a good file").rgb, [9; 3]);
    }

    /// With a chunk before the one at that place.
    fn with_chunk(file: &[u8], place: usize, chunk: &[u8]) -> Vec<u8> {
        let mut rest = &file[SIGNATURE.len()..];
        for _ in 0..place {
            rest = split_chunk(rest).expect("whole").1;
        }
        let (before, after) = file.split_at(file.len() - rest.len());
        [before, chunk, after].concat()
    }

    #[test]
    fn a_photograph_is_turned_upright_and_nothing_else_is_told_of_it() {
        // A quarter to the right, and where it was taken.
        let tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0secret";
        for place in [1, 2] {
            let told = with_chunk(RGBA, place, &new_chunk(EXIF, tiff));
            let upright = decode(&told, &LIMITS).expect("a good file");
            assert_eq!((upright.width, upright.height), (1, 2), "{place}");
            let stripped = bare(&told).expect("whole");
            assert!(!stripped.windows(6).any(|words| words == b"secret"));
            assert_eq!(decode(&stripped, &LIMITS), Ok(upright));
        }
        let nonsense = with_chunk(RGBA, 1, &new_chunk(EXIF, b"II*\0\xFF\xFF\xFF\xFF"));
        assert_eq!(bare(&nonsense).as_deref(), Some(RGBA));
    }

    #[test]
    fn a_chunk_that_promises_more_than_there_is_takes_no_memory() {
        let mut file = RGBA.to_vec();
        // The length of the second chunk.
        file[33..37].copy_from_slice(&[0x7F, 0xFF, 0xFF, 0xFF]);
        assert_eq!(decode(&file, &LIMITS).expect_err("refused"), no("it is cut off"));
    }

    #[test]
    fn a_file_that_is_cut_off_or_changed_anywhere_is_damaged() {
        for whole in [INDEXED, GRAY_16, INTERLACED, RGBA] {
            for length in 0..whole.len() {
                assert!(crate::decode(&whole[..length], &LIMITS).is_err(), "{length}");
            }
            for index in 0..whole.len() {
                for value in [0, 1, 0x7F, 0xFF] {
                    let mut changed = whole.to_vec();
                    changed[index] = value;
                    if let Ok(pixels) = crate::decode(&changed, &LIMITS) {
                        assert_eq!(pixels.rgb.len() as u32, pixels.width * pixels.height * 3);
                    }
                }
            }
        }
    }
}
