//! What a file may still take, and what unpacking a stream took of it.

use lopdf::{DecompressError, Dictionary, Error, Object, Stream};

use crate::error::ReadError;
use crate::reader::Limits;

/// Filters of a stream. Files have one, or two where the first undoes a spelling as text.
const FILTERS_MAX: usize = 2;
/// What a stream costs beside its own bytes if it fails or leaves nothing: nobody can tell how much was
/// unpacked before.
const LOST_BYTES: usize = 64 << 10;
/// A stream this small can't have unpacked to more than that: it is simply empty.
const EMPTY_BYTES: usize = 64;

/// Bytes that may still be taken.
pub struct Budget {
    left: usize,
}

/// Why there is no content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It takes more than the budget has.
    Exceeded,
    TooManyFilters,
    Damaged,
}

impl Failure {
    /// What the file's owner is told.
    pub fn refusal(self, limits: &Limits) -> ReadError {
        let damaged = |why: &str| ReadError::DamagedPdf { why: why.into() };
        match self {
            Self::Exceeded => ReadError::Bomb { unpacked_bytes_max: limits.unpacked_bytes_max },
            Self::TooManyFilters => damaged("a page has more than two filters, one upon the other"),
            Self::Damaged => damaged("a page can't be unpacked"),
        }
    }
}

impl Budget {
    pub fn new(bytes: usize) -> Self {
        Self { left: bytes }
    }

    /// Bytes that are left.
    pub fn left(&self) -> usize {
        self.left
    }

    pub fn take(&mut self, bytes: usize) -> Result<(), Failure> {
        self.left = self.left.checked_sub(bytes).ok_or(Failure::Exceeded)?;
        Ok(())
    }

    /// Unpacks a stream. Each filter costs what went in or came out, whichever is more: one may make
    /// much of little, and the next nothing of much.
    pub fn unpack(&mut self, stream: &Stream) -> Result<Vec<u8>, Failure> {
        match stream.filters().unwrap_or_default().len() {
            0 | 1 => self.undo(stream),
            FILTERS_MAX => {
                let between = self.undo(&layer(stream, 0, stream.content.clone()))?;
                self.undo(&layer(stream, 1, between))
            }
            _ => Err(Failure::TooManyFilters),
        }
    }

    /// Undoes the only filter of a stream, if it has one.
    fn undo(&mut self, stream: &Stream) -> Result<Vec<u8>, Failure> {
        let packed = stream.content.len();
        let unpacked =
            stream.get_plain_content_with_limit(self.left).map_err(|error| match error {
                Error::Decompress(DecompressError::MemoryLimitExceeded { .. }) => Failure::Exceeded,
                _ => Failure::Damaged,
            });
        let cost = match &unpacked {
            Ok(bytes) if !bytes.is_empty() || packed <= EMPTY_BYTES => bytes.len().max(packed),
            Ok(_) | Err(_) => packed.saturating_add(LOST_BYTES),
        };
        self.take(cost)?;
        unpacked
    }
}

/// A stream with one of another's filters alone.
fn layer(stream: &Stream, index: usize, content: Vec<u8>) -> Stream {
    let mut alone = Dictionary::new();
    let filter = stream.dict.get(b"Filter").and_then(Object::as_array);
    if let Some(filter) = filter.ok().and_then(|filters| filters.get(index)) {
        alone.set("Filter", filter.clone());
    }
    let settings = match stream.dict.get(b"DecodeParms").ok() {
        Some(Object::Array(settings)) => settings.get(index),
        settings => settings,
    };
    if let Some(settings) = settings {
        alone.set("DecodeParms", settings.clone());
    }
    Stream::new(alone, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(filters: &[&str], content: &[u8]) -> Stream {
        let filters: Vec<Object> = filters.iter().map(|name| (*name).into()).collect();
        let mut dictionary = Dictionary::new();
        dictionary.set("Filter", filters);
        Stream::new(dictionary, content.to_vec())
    }

    fn packed(content: &[u8]) -> Vec<u8> {
        let mut stream = Stream::new(Dictionary::new(), content.to_vec());
        stream.compress().expect("content can be packed");
        stream.content
    }

    /// What unpacking takes of a budget of one MiB.
    fn cost(stream: &Stream) -> (Result<Vec<u8>, Failure>, usize) {
        let mut budget = Budget::new(1 << 20);
        (budget.unpack(stream), (1 << 20) - budget.left())
    }

    #[test]
    fn what_unpacks_to_nothing_is_paid_for() {
        let blanks = packed(&[b' '; 300_000]);
        let (nothing, bytes) = cost(&stream(&["FlateDecode", "ASCIIHexDecode"], &blanks));
        assert_eq!(nothing, Ok(vec![]));
        assert!(bytes >= 600_000, "{bytes}");
        let (one, bytes) = cost(&stream(
            &["FlateDecode", "ASCIIHexDecode"],
            &packed(&[&[b' '; 300_000][..], b"41"].concat()),
        ));
        assert_eq!(one, Ok(b"A".to_vec()));
        assert!(bytes >= 600_000, "{bytes}");
        assert_eq!(cost(&stream(&["ASCIIHexDecode"], &[b' '; 1000])).1, 1000 + LOST_BYTES);
        assert_eq!(cost(&stream(&["ASCIIHexDecode"], b" ")), (Ok(vec![]), 1));
    }

    #[test]
    fn what_fails_is_paid_for() {
        let wrong = cost(&stream(&["ASCIIHexDecode"], b"41 wrong"));
        assert_eq!(wrong, (Err(Failure::Damaged), 8 + LOST_BYTES));
        let unknown = cost(&stream(&["SomeDecode"], b"x"));
        assert_eq!(unknown, (Err(Failure::Damaged), 1 + LOST_BYTES));
    }

    #[test]
    fn the_budget_is_a_limit_of_every_filter() {
        let large = packed(&vec![b' '; 2 << 20]);
        for filters in [&["FlateDecode"][..], &["FlateDecode", "ASCIIHexDecode"]] {
            assert_eq!(cost(&stream(filters, &large)).0, Err(Failure::Exceeded));
        }
        let twice = stream(&["FlateDecode", "FlateDecode"], &packed(&large));
        assert_eq!(cost(&twice).0, Err(Failure::Exceeded));
        let thrice = stream(&["ASCIIHexDecode"; 3], b"");
        assert_eq!(cost(&thrice), (Err(Failure::TooManyFilters), 0));
    }

    #[test]
    fn each_filter_keeps_its_settings() {
        // The rows of a picture's filter: the first byte says how the others were packed.
        let rows = packed(&[[0, b'4', b'8'], [2, 0, 1]].concat().repeat(50));
        let mut two = stream(&["FlateDecode", "ASCIIHexDecode"], &rows);
        let mut settings = Dictionary::new();
        settings.set("Predictor", 15);
        settings.set("Columns", 2);
        two.dict.set("DecodeParms", vec![Object::Dictionary(settings), Object::Null]);
        assert_eq!(cost(&two).0, Ok(b"HI".repeat(50)));
    }
}
