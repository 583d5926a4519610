//! A point of a collection, and the passage of text that it stands for.

use serde_json::{Map, Value};

/// The payload field that holds a point's text, as all of Gaia's knowledge bases name it.
pub const PAYLOAD_TEXT: &str = "source";

/// Digits of the largest number; what is longer is a UUID without its dashes.
const NUMBER_DIGITS_MAX: usize = 20;

/// A point's name: a number or a UUID, as Qdrant has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PointId {
    /// A number.
    Number(u64),
    /// The 128 bits of a UUID.
    Uuid(u128),
}

/// One text, its vector, and what is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Its name within the collection.
    pub id: PointId,
    /// Its vector.
    pub vector: Vec<f32>,
    /// What is known of it; its text is the field [`PAYLOAD_TEXT`].
    pub payload: Map<String, Value>,
}

impl Point {
    /// Its text; empty if it has none.
    #[must_use]
    pub fn text(&self) -> &str {
        text(&self.payload)
    }
}

/// A text that answers a query.
#[derive(Clone, Debug, PartialEq)]
pub struct Passage {
    /// The collection it was found in.
    pub collection: String,
    /// The point's name there.
    pub id: PointId,
    /// How well it fits; what it means depends on how it was found.
    pub score: f32,
    /// How near its vector is to the question's, where that was looked at: by cosine -1 to 1, by a
    /// distance d it is 1 / (1 + d).
    pub similarity: Option<f32>,
    /// The point's payload.
    pub payload: Map<String, Value>,
}

impl Passage {
    /// Its text; empty if it has none.
    #[must_use]
    pub fn text(&self) -> &str {
        text(&self.payload)
    }

    /// The document it is from, if the payload says.
    #[must_use]
    pub fn document(&self) -> Option<&str> {
        self.payload.get("document").and_then(Value::as_str)
    }

    /// The headings it stands under, if the payload says.
    #[must_use]
    pub fn heading(&self) -> Option<&str> {
        self.payload.get("heading").and_then(Value::as_str)
    }
}

fn text(payload: &Map<String, Value>) -> &str {
    payload.get(PAYLOAD_TEXT).and_then(Value::as_str).unwrap_or_default()
}

impl std::fmt::Display for PointId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Uuid(bits) => {
                let hex = format!("{bits:032x}");
                let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
                f.write_str(&parts.join("-"))
            }
        }
    }
}

impl std::str::FromStr for PointId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let failed = || format!("{text:?} is no id of a point: give a number or a UUID");
        if text.len() <= NUMBER_DIGITS_MAX && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().map(Self::Number).map_err(|_| failed());
        }
        let hex: String = text.chars().filter(|c| *c != '-').collect();
        if hex.len() != 32 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(failed());
        }
        u128::from_str_radix(&hex, 16).map(Self::Uuid).map_err(|_| failed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_and_read_back() {
        for id in [
            PointId::Number(0),
            PointId::Number(u64::MAX),
            PointId::Uuid(1),
            PointId::Uuid(u128::MAX),
        ] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for text in [
            "",
            "-1",
            "x",
            "00000000-0000-0000-0000-00000000000g",
            "+00000000000000000000000000000001",
        ] {
            assert!(text.parse::<PointId>().is_err(), "{text}");
        }
    }
}
