//! Which way up a photograph is: one number among what a camera writes into a file.

/// How a picture must be turned to be upright.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Lines and columns change places, before anything else.
    pub(crate) transpose: bool,
    /// The last column becomes the first.
    pub(crate) mirror: bool,
    /// The last line becomes the first.
    pub(crate) flip: bool,
}

/// Entries of a directory that are looked at.
const ENTRIES_MAX: usize = 256;

/// The tag that says it.
const ORIENTATION: u16 = 0x0112;

/// What stands before the TIFF structure in a JPEG file.
pub(crate) const NAME: &[u8] = b"Exif\0\0";

/// Reads a TIFF structure.
pub(crate) fn orientation(tiff: &[u8]) -> Option<Turn> {
    turn(number(tiff)?)
}

/// A TIFF structure that says which way up the picture is and nothing else.
pub(crate) fn bare(tiff: &[u8]) -> Option<Vec<u8>> {
    let number = number(tiff).filter(|number| turn(*number).is_some())?;
    let start = &b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"[..];
    Some([start, &number.to_le_bytes()[..], &[0; 6]].concat())
}

fn number(tiff: &[u8]) -> Option<u16> {
    let is_little = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let bytes = tiff.get(4..8)?.try_into().ok()?;
    let start = if is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
    let start = usize::try_from(start).ok()?;
    let count = usize::from(short(start)?).min(ENTRIES_MAX);
    let entries = (0..count).map_while(|index| start.checked_add(2 + 12 * index));
    let mut entries = entries.filter(|entry| short(*entry) == Some(ORIENTATION));
    short(entries.next()?.checked_add(8)?)
}

fn turn(orientation: u16) -> Option<Turn> {
    let (transpose, mirror, flip) = match orientation {
        1 => (false, false, false),
        2 => (false, true, false),
        3 => (false, true, true),
        4 => (false, false, true),
        5 => (true, false, false),
        6 => (true, true, false),
        7 => (true, true, true),
        8 => (true, false, true),
        _ => return None,
    };
    Some(Turn { transpose, mirror, flip })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_orders_of_bytes_are_read() {
        let little = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0";
        let big = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0";
        let quarter = Turn { transpose: true, mirror: true, flip: false };
        assert_eq!((orientation(little), orientation(big)), (Some(quarter), Some(quarter)));
        let bare = bare(big).expect("it says which way up");
        assert_eq!(orientation(&bare), Some(quarter));
    }

    #[test]
    fn nonsense_says_nothing() {
        let good = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0";
        for length in 0..good.len() {
            assert_eq!(orientation(&good[..length]), None);
        }
        assert_eq!(orientation(b"II*\0\xFF\xFF\xFF\xFF"), None);
        let mut ninth = *good;
        ninth[18] = 9;
        assert_eq!(orientation(&ninth), None);
    }
}
