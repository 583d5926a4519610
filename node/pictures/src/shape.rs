//! Turns pictures and makes them smaller.

use crate::exif::Turn;

/// Red, green and blue of each pixel, line by line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pixels {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) rgb: Vec<u8>,
}

impl Pixels {
    fn at(&self, x: u32, y: u32) -> &[u8] {
        let at = (y as usize * self.width as usize + x as usize) * 3;
        &self.rgb[at..at + 3]
    }

    /// The picture turned upright.
    pub(crate) fn turned(self, turn: Turn) -> Self {
        if turn == Turn::default() {
            return self;
        }
        let (width, height) =
            if turn.transpose { (self.height, self.width) } else { (self.width, self.height) };
        let mut rgb = Vec::with_capacity(self.rgb.len());
        for y in 0..height {
            for x in 0..width {
                let x = if turn.mirror { width - 1 - x } else { x };
                let y = if turn.flip { height - 1 - y } else { y };
                let (x, y) = if turn.transpose { (y, x) } else { (x, y) };
                rgb.extend_from_slice(self.at(x, y));
            }
        }
        Self { width, height, rgb }
    }

    /// The picture with so many pixels at most, or one line of them, each the mean of those that it stands for.
    pub(crate) fn reduced(self, area_max: u64) -> Self {
        let area = u64::from(self.width) * u64::from(self.height);
        if area <= area_max.max(1) {
            return self;
        }
        let (width, height) = size_within(self.width, self.height, area_max);
        let columns: Vec<_> = spans(self.width, width).collect();
        let mut rgb = Vec::with_capacity(width as usize * height as usize * 3);
        for lines in spans(self.height, height) {
            for columns in &columns {
                rgb.extend(self.mean(columns.clone(), lines.clone()));
            }
        }
        Self { width, height, rgb }
    }

    fn mean(&self, columns: std::ops::Range<u32>, lines: std::ops::Range<u32>) -> [u8; 3] {
        let count = u64::from(columns.end - columns.start) * u64::from(lines.end - lines.start);
        let mut sums = [0_u64; 3];
        for y in lines {
            for x in columns.clone() {
                let pixel = self.at(x, y);
                sums.iter_mut().zip(pixel).for_each(|(sum, part)| *sum += u64::from(*part));
            }
        }
        sums.map(|sum| u8::try_from((sum + count / 2) / count).unwrap_or(u8::MAX))
    }
}

/// The largest size of the same shape with no more than so many pixels.
fn size_within(width: u32, height: u32, area_max: u64) -> (u32, u32) {
    #[expect(clippy::cast_precision_loss, reason = "a ratio of sizes far below 2^52")]
    let ratio = (area_max as f64 / (f64::from(width) * f64::from(height))).sqrt();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a size"
    )]
    let side = |side: u32| ((f64::from(side) * ratio) as u32).clamp(1, side);
    (side(width), side(height))
}

/// Cuts a side into as many spans, of which none is empty.
fn spans(from: u32, to: u32) -> impl Iterator<Item = std::ops::Range<u32>> {
    let edge = move |index: u32| {
        let edge = u64::from(from) * u64::from(index) / u64::from(to);
        u32::try_from(edge).unwrap_or(from)
    };
    (0..to).map(move |index| edge(index)..edge(index + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels(width: u32, height: u32) -> Pixels {
        let bytes = (0..width * height).flat_map(|index| [(index % 251) as u8; 3]);
        Pixels { width, height, rgb: bytes.collect() }
    }

    #[test]
    fn a_pixel_becomes_the_mean_of_those_it_stands_for() {
        let rgb = [[0; 3], [10; 3], [20; 3], [31; 3]].concat();
        let reduced = Pixels { width: 4, height: 1, rgb }.reduced(2);
        assert_eq!((reduced.width, reduced.height), (2, 1));
        assert_eq!(reduced.rgb, [5, 5, 5, 26, 26, 26]);
    }

    #[test]
    fn no_size_is_too_odd() {
        for (width, height, area_max) in
            [(1, 1, 0), (1, 300, 7), (300, 1, 7), (33, 17, 100), (200, 2, 1), (97, 89, 8632)]
        {
            let reduced = pixels(width, height).reduced(area_max);
            let area = u64::from(reduced.width) * u64::from(reduced.height);
            assert!(area <= area_max.max(u64::from(width.max(height))), "{width} {height}");
            assert_eq!(reduced.rgb.len() as u64, area * 3);
        }
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        assert_eq!(pixels(4, 5).reduced(20), pixels(4, 5));
    }
}
