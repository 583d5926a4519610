//! Documents of the knowledge bases by their addresses.

use gaia_core::ServeError;
use gaia_core::knowledge::{Filter, Point, Scan};
use serde_json::Value;

use super::Shared;

/// Points of a page while a document is put together.
const PAGE: usize = 500;
/// Points of a document at most: a book has some thousands.
const POINTS_MAX: usize = 2000;

/// Where a document can be read.
pub fn uri(collection: &str, document: &str) -> String {
    format!("knowledge://{collection}/{}", encoded(document))
}

/// The collection and the document of an address; without a document, the collection is meant.
pub fn parse(uri: &str) -> Option<(&str, Option<String>)> {
    let rest = uri.strip_prefix("knowledge://")?;
    match rest.split_once('/') {
        Some((collection, "")) => Some((collection, None)),
        Some((collection, document)) => Some((collection, Some(decoded(document)?))),
        None => Some((rest, None)),
    }
}

/// A document's passages in their order, with their headings.
///
/// # Errors
/// The knowledge base's own.
pub async fn read(
    shared: &Shared,
    collection: &str,
    document: &str,
) -> Result<Option<String>, ServeError> {
    let knowledge = shared.parts.node.knowledge()?;
    let mut scan = Scan {
        collection: collection.to_owned(),
        filter: Some(Filter::text("document", document)),
        limit: PAGE,
        ..Scan::default()
    };
    let mut points = vec![];
    while points.len() < POINTS_MAX {
        let page = knowledge.scan(scan.clone()).await?;
        points.extend(page.points);
        match page.next {
            Some(next) => scan.after = Some(next),
            None => break,
        }
    }
    points.sort_by_key(|point| point.payload.get("ordinal").and_then(Value::as_u64));
    Ok((!points.is_empty()).then(|| joined(&points)))
}

fn joined(points: &[Point]) -> String {
    let mut text = String::new();
    let mut last_heading = "";
    for point in points {
        let heading = point.payload.get("heading").and_then(Value::as_str).unwrap_or_default();
        if heading != last_heading {
            text += &format!("# {heading}\n\n");
            last_heading = heading;
        }
        text += point.text();
        text += "\n\n";
    }
    text
}

/// All but letters, digits and what paths are made of is written in hexadecimal digits.
fn encoded(text: &str) -> String {
    let mut path = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'/' => {
                path.push(char::from(byte));
            }
            other => path += &format!("%{other:02X}"),
        }
    }
    path
}

fn decoded(path: &str) -> Option<String> {
    let mut bytes = vec![];
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        let digits = (byte == b'%').then(|| [rest.next(), rest.next()]);
        match digits {
            None => bytes.push(byte),
            Some([Some(high), Some(low)]) => {
                let digits = [high, low];
                let digits = std::str::from_utf8(&digits).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
            }
            Some(_) => return None,
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_was_written() {
        for name in ["book/ch04.md", "a b?#%é", "https://doc.rust-lang.org/x?y=1"] {
            let uri = uri("rust", name);
            assert!(uri.is_ascii() && !uri.contains([' ', '?', '#']), "{uri}");
            assert_eq!(parse(&uri), Some(("rust", Some(name.to_owned()))));
        }
        assert_eq!(parse("knowledge://rust"), Some(("rust", None)));
        assert_eq!(parse("knowledge://rust/"), Some(("rust", None)));
        for wrong in [
            "log://a",
            "knowledge:/rust",
            "knowledge://rust/%",
            "knowledge://rust/%zz",
            "knowledge://r/%ff",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
