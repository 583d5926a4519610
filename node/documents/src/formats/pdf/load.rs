//! Loads a PDF's objects, within a budget for all of them.
//!
//! `lopdf` bounds what one stream unpacks to, and a file may hold thousands that hold objects. So each
//! is unpacked here, as it is loaded, and what it takes is counted. Encrypted files are loaded another
//! way, where nothing can be counted: they are refused, also those that open without a password.

use std::cell::Cell;

use lopdf::{DecompressError, Document, Error, LoadOptions, Object, ObjectId, Stream};

use super::budget::{Budget, Failure};
use crate::error::ReadError;
use crate::formats::Source;

/// Bytes that all streams of objects may unpack to. Objects take twenty times the memory of their
/// text; a book of a thousand pages has ten megabytes of them.
const OBJECT_BYTES_MAX: usize = 32 << 20;

thread_local! {
    /// What this thread's file may still unpack, if nothing went beyond. The filter is a plain
    /// function: it has no other way to count.
    static BYTES_LEFT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The objects of a file, images left out.
pub fn load(source: &Source) -> Result<Document, ReadError> {
    if names_encryption(&source.bytes) {
        return Err(ReadError::Encrypted);
    }
    let file = load_once(source, false)?;
    if file.page_iter().next().is_some() {
        return Ok(file);
    }
    // Its table of objects may be wrong where the objects are right.
    source.deadline.check(&source.limits)?;
    load_once(source, true)
}

fn load_once(source: &Source, force_reconstruct: bool) -> Result<Document, ReadError> {
    let bytes_max = source.limits.unpacked_bytes_max.min(OBJECT_BYTES_MAX);
    BYTES_LEFT.set(Some(bytes_max));
    let options = LoadOptions {
        filter: Some(keep),
        max_decompressed_size: Some(bytes_max),
        force_reconstruct,
        ..LoadOptions::default()
    };
    let file = Document::load_mem_with_options(&source.bytes, options);
    match file {
        _ if BYTES_LEFT.take().is_none() => Err(bomb(bytes_max)),
        Err(Error::Decompress(DecompressError::MemoryLimitExceeded { .. })) => Err(bomb(bytes_max)),
        Err(error) => Err(ReadError::DamagedPdf { why: error.to_string() }),
        Ok(file) => Ok(file),
    }
}

fn bomb(unpacked_bytes_max: usize) -> ReadError {
    ReadError::Bomb { unpacked_bytes_max }
}

/// Keeps an object, if it is no image. One that holds others is unpacked before they are read.
fn keep(id: ObjectId, object: &mut Object) -> Option<(ObjectId, Object)> {
    // Of objects that other objects held, the answer is taken; these are never streams. Of all
    // others only whether there is one: so the stream is not copied.
    let Object::Stream(stream) = object else { return Some((id, object.clone())) };
    let kind = stream.dict.get(b"Subtype").and_then(Object::as_name);
    if kind.ok() == Some(b"Image") {
        return None;
    }
    if stream.dict.has_type(b"ObjStm") && !is_within_budget(stream) {
        return None;
    }
    Some((id, Object::Null))
}

/// Counts what a stream of objects unpacks to; false if it is damaged or beyond the budget, which
/// then is gone.
fn is_within_budget(stream: &Stream) -> bool {
    let Some(left) = BYTES_LEFT.get() else { return false };
    let mut budget = Budget::new(left);
    let unpacked = budget.unpack(stream);
    let exceeded = matches!(unpacked, Err(Failure::Exceeded));
    BYTES_LEFT.set((!exceeded).then(|| budget.left()));
    unpacked.is_ok()
}

/// Whether the file names encryption anywhere outside of its packed streams.
fn names_encryption(bytes: &[u8]) -> bool {
    const NAME: &[u8] = b"Encrypt";
    let starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    starts.into_iter().any(|(start, _)| {
        let mut rest = &bytes[start + 1..];
        NAME.iter().all(|wanted| next(&mut rest) == Some(*wanted))
            && !rest.first().is_some_and(u8::is_ascii_alphanumeric)
    })
}

/// The next character of a name, which may be written `#45`.
fn next(rest: &mut &[u8]) -> Option<u8> {
    let (char, after) = match rest {
        [b'#', high, low, after @ ..] => {
            let digit = |byte: &u8| char::from(*byte).to_digit(16);
            let code = digit(high)? * 16 + digit(low)?;
            (u8::try_from(code).ok()?, after)
        }
        [char, after @ ..] => (*char, after),
        [] => return None,
    };
    *rest = after;
    Some(char)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encryption_is_seen_however_it_is_written() {
        for bytes in [&b"<</Encrypt 3 0 R"[..], b"/#45ncryp#74<<", b"//Encrypt"] {
            assert!(names_encryption(bytes));
        }
        for bytes in [&b"/EncryptMetadata"[..], b"Encrypt", b"/Encryp", b"/#4", b"/#zzncrypt"] {
            assert!(!names_encryption(bytes));
        }
    }
}
