//! Pictures to show.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zune_png::PngEncoder;
use zune_png::zune_core::bit_depth::BitDepth;
use zune_png::zune_core::colorspace::ColorSpace;
use zune_png::zune_core::options::EncoderOptions;

/// A PNG file of a pattern that follows from the seed.
///
/// # Panics
/// It has no pixels.
#[must_use]
pub fn png(width: u32, height: u32, seed: u8) -> Vec<u8> {
    let pixel = |index: u32| {
        let (x, y) = (index % width, index / width);
        let byte = |value: u32| (value % 256) as u8;
        [byte(x * 7).wrapping_mul(seed), byte(y * 5).wrapping_add(seed), seed]
    };
    let pixels: Vec<u8> = (0..width * height).flat_map(pixel).collect();
    let (columns, lines) = (width as usize, height as usize);
    let options = EncoderOptions::new(columns, lines, ColorSpace::RGB, BitDepth::Eight);
    let mut file = vec![];
    PngEncoder::new(&pixels, options).encode(&mut file).expect("a file in memory");
    file
}

/// A file's bytes as letters.
#[must_use]
pub fn base64(file: &[u8]) -> String {
    STANDARD.encode(file)
}

/// A PNG file as an address that holds it.
#[must_use]
pub fn data_url(file: &[u8]) -> String {
    format!("data:image/png;base64,{}", base64(file))
}
