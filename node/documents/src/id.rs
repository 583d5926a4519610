//! Ids by content: the same text is the same point, whoever reads it, wherever and in which order.

use sha2::{Digest, Sha256};

/// The hash of a document's bytes: SHA-256 in 64 hexadecimal digits. A document whose hash is known
/// needs no reading.
#[must_use]
pub fn document_hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The id of a chunk: a UUID made of the SHA-256 of its source's name and its text.
///
/// It depends on nothing else: not on the collection, the place in the document or the headings. So
/// the same text twice in one document is one id, and a chunk that a change of the document did not
/// touch keeps its id. In another source the same text is another id: each can be deleted alone.
///
/// The bits are those of RFC 9562, version 8, which is UUIDv5 with a hash of one's own choice:
/// `sha256(source's bytes as u64, big-endian ‖ source ‖ text)`, its first 16 bytes.
#[must_use]
pub fn chunk_id(source: &str, text: &str) -> String {
    let mut hash = Sha256::new();
    // The length keeps `a` + `bc` apart from `ab` + `c`.
    hash.update((source.len() as u64).to_be_bytes());
    hash.update(source);
    hash.update(text);
    let mut id = [0; 16];
    id.copy_from_slice(&hash.finalize()[..16]);
    id[6] = (id[6] & 0x0f) | 0x80;
    id[8] = (id[8] & 0x3f) | 0x80;
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_that_never_change() {
        let id = chunk_id("guide.md", "Some text");
        assert_eq!(id, chunk_id("guide.md", "Some text"));
        assert_eq!(id.len(), 36);
        assert_eq!((&id[14..15], id.matches('-').count()), ("8", 4));
        assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"));
    }

    #[test]
    fn source_and_text_are_kept_apart() {
        assert_ne!(chunk_id("a", "bc"), chunk_id("ab", "c"));
        assert_ne!(chunk_id("a", "b"), chunk_id("c", "b"));
    }

    #[test]
    fn a_document_has_the_hash_of_its_bytes() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(document_hash(b""), empty);
    }
}
