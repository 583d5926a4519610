//! Pictures between the tokens of a text. Pure.
//!
//! A projector turns a picture into rows of numbers, and the model reads each row as it would a token.
//! In a list of tokens [`CELL`] stands for every row, and a [`Spot`] says which picture they are of.

use crate::Token;
use crate::prefix::common_tokens;

/// Stands where a row of a picture is: no token of any vocabulary.
pub(crate) const CELL: Token = Token(-1);

/// Tells pictures apart: two have the same key only if they look the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// SHA-256 of size and pixels.
    pub(crate) pixels: [u8; 32],
    /// Some projectors cut a picture into parts.
    pub(crate) part: u32,
}

/// Where a picture stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    /// Index of its first cell.
    pub(crate) start: usize,
    /// Its rows.
    pub(crate) cells: usize,
    /// Positions that it takes: fewer than rows where a model counts lines and columns apart.
    pub(crate) places: usize,
    /// Which picture it is.
    pub(crate) key: Key,
}

impl Spot {
    /// Index of what follows it.
    pub(crate) fn end(&self) -> usize {
        self.start + self.cells
    }
}

/// Tokens with the pictures between them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading<'a> {
    /// The tokens, and [`CELL`] for each row of a picture.
    pub(crate) tokens: &'a [Token],
    /// The pictures, by their places.
    pub(crate) spots: &'a [Spot],
}

impl Reading<'_> {
    /// Length of the longest common beginning. A picture is common as a whole or not at all.
    pub(crate) fn common(self, other: Reading<'_>) -> usize {
        let tokens = common_tokens(self.tokens, other.tokens);
        let pairs = self.spots.iter().zip(other.spots);
        let same = pairs.take_while(|(left, right)| left == right).count();
        let differing = [self.spots.get(same), other.spots.get(same)];
        let first = differing.into_iter().flatten().map(|spot| spot.start).min();
        self.cut(first.map_or(tokens, |start| start.min(tokens)))
    }

    /// At most so many, and no picture in part.
    pub(crate) fn cut(self, tokens: usize) -> usize {
        let inside = self.spots.iter().find(|spot| spot.start < tokens && tokens < spot.end());
        inside.map_or(tokens, |spot| spot.start)
    }

    /// The position of what stands at an index; of a picture's cells, that of the first.
    pub(crate) fn position(self, index: usize) -> usize {
        let before = self.spots.iter().take_while(|spot| spot.start < index);
        before.fold(index, |position, spot| match index < spot.end() {
            true => position - (index - spot.start),
            false => position + spot.places - spot.cells,
        })
    }

    /// The first picture that does not end before an index.
    pub(crate) fn next_spot(self, index: usize) -> Option<(usize, Spot)> {
        let mut spots = self.spots.iter().copied().enumerate();
        spots.find(|(_, spot)| spot.end() > index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SKY: Key = Key { pixels: [1; 32], part: 0 };
    const SEA: Key = Key { pixels: [2; 32], part: 0 };

    /// Token 7, a picture of four cells, and tokens 8 and 9.
    fn text(key: Key) -> (Vec<Token>, [Spot; 1]) {
        let mut tokens = vec![Token(7)];
        tokens.extend([CELL; 4]);
        tokens.extend([Token(8), Token(9)]);
        (tokens, [Spot { start: 1, cells: 4, places: 2, key }])
    }

    fn common(left: &(Vec<Token>, [Spot; 1]), right: &(Vec<Token>, [Spot; 1])) -> usize {
        let reading = |(tokens, spots)| Reading { tokens, spots };
        reading((&left.0[..], &left.1[..])).common(reading((&right.0[..], &right.1[..])))
    }

    #[test]
    fn another_picture_ends_what_is_common() {
        assert_eq!(common(&text(SKY), &text(SEA)), 1);
        assert_eq!(common(&text(SKY), &text(Key { part: 1, ..SKY })), 1);
        assert_eq!(common(&text(SKY), &text(SKY)), 7);
        let mut later = text(SKY);
        later.0[6] = Token(5);
        assert_eq!(common(&text(SKY), &later), 6);
    }

    #[test]
    fn a_picture_is_not_like_the_lack_of_one() {
        let (tokens, spots) = text(SKY);
        let plain = [Token(7), Token(8), Token(9)];
        let with = Reading { tokens: &tokens, spots: &spots };
        assert_eq!(with.common(Reading { tokens: &plain, spots: &[] }), 1);
        // Cells without a picture are what no prompt can hold, and are equal to none.
        assert_eq!(with.common(Reading { tokens: &tokens, spots: &[] }), 1);
    }

    #[test]
    fn half_a_picture_is_none() {
        let (tokens, spots) = text(SKY);
        let reading = Reading { tokens: &tokens, spots: &spots };
        let cuts: Vec<usize> = (0..=7).map(|tokens| reading.cut(tokens)).collect();
        assert_eq!(cuts, [0, 1, 1, 1, 1, 5, 6, 7]);
        let half = Reading { tokens: &tokens[..3], spots: &spots };
        assert_eq!(reading.common(half), 1);
    }

    #[test]
    fn positions_behind_a_picture_count_its_places() {
        let (tokens, spots) = text(SKY);
        let reading = Reading { tokens: &tokens, spots: &spots };
        let positions: Vec<usize> = (0..=7).map(|index| reading.position(index)).collect();
        assert_eq!(positions, [0, 1, 1, 1, 1, 3, 4, 5]);
        assert_eq!(reading.next_spot(4).map(|(number, _)| number), Some(0));
        assert_eq!(reading.next_spot(5), None);
    }
}
