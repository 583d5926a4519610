//! A fix as it is kept, and as it travels between nodes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Asker, PROVEN_BY, SEED};
use crate::coder::Fix;
use crate::knowledge::{PAYLOAD_TEXT, Point, PointId};

/// Bytes of the lines before, and of those after, at most: a fix is about one place.
pub const TEXT_BYTES_MAX: usize = 4096;

const CODE_BYTES_MAX: usize = 64;
const MESSAGE_BYTES_MAX: usize = 1024;
const EXPLANATION_BYTES_MAX: usize = 1024;

/// Bytes of a text that is embedded: small models read no more than about five hundred tokens.
const EMBEDDED_BYTES_MAX: usize = 800;

/// Counts beyond this are no counts of one node's repairs.
const COUNT_MAX: u32 = 1_000_000;

/// A fix and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    #[serde(flatten)]
    pub fix: Fix,
    /// The name of the key that brought it.
    #[serde(default)]
    pub owner: String,
}

/// A fix as one line of an export. Whose it is and whether it is trusted is each node's own matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FixLine {
    /// The error's number or the lint's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The message without what is particular to one project.
    pub message: String,
    /// The lines as they were.
    pub before: String,
    /// The lines as they are.
    pub after: String,
    /// Why, in a sentence or two.
    pub explanation: String,
    /// How often it was tried.
    #[serde(skip_serializing_if = "is_zero")]
    pub used: u32,
    /// How often an error went away by it.
    #[serde(skip_serializing_if = "is_zero")]
    pub helped: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl From<Fix> for FixLine {
    fn from(fix: Fix) -> Self {
        let Fix { code, message, before, after, explanation, used, helped, .. } = fix;
        Self { code, message, before, after, explanation, used, helped }
    }
}

impl From<FixLine> for Fix {
    fn from(line: FixLine) -> Self {
        let FixLine { code, message, before, after, explanation, used, helped } = line;
        Self { code, message, before, after, explanation, used, helped, ..Self::default() }
    }
}

impl Record {
    /// What a point holds; nothing if it is no fix.
    pub fn read(point: &Point) -> Option<Self> {
        point.payload.get("before")?;
        let payload = Value::Object(point.payload.clone());
        let mut record: Self = serde_json::from_value(payload).ok()?;
        record.fix.id = point.id.to_string();
        Some(record)
    }

    pub fn is_shown_to(&self, asker: &Asker) -> bool {
        !self.is_quarantined() || self.owner == asker.owner
    }

    pub fn is_quarantined(&self) -> bool {
        !self.fix.trusted && self.fix.helped < PROVEN_BY
    }

    /// The fix as `asker` may see it, or whole: the name of another key is no matter of his.
    pub fn without_name(mut self, asker: Option<&Asker>) -> Fix {
        let is_known = |asker: &Asker| self.owner == asker.owner || self.owner == SEED;
        if !asker.is_none_or(is_known) {
            self.fix.origin.clear();
        }
        self.fix
    }

    /// The point that holds it.
    pub fn point(&self, vector: Vec<f32>) -> Point {
        let fix = &self.fix;
        let mut payload = match serde_json::to_value(self) {
            Ok(Value::Object(payload)) => payload,
            _ => Map::new(),
        };
        payload.remove("id");
        let text = [fix.code.as_deref().unwrap_or_default(), &fix.message, &fix.before, &fix.after];
        payload.insert(PAYLOAD_TEXT.into(), text.join("\n").into());
        Point { id: id(fix), vector, payload }
    }
}

/// What is embedded of a fix, and of what one is looked for by.
pub fn embedded(message: &str, lines: &str) -> String {
    let mut text = format!("{message}\n{lines}");
    let mut end = text.len().min(EMBEDDED_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

/// The id of a fix: the first bytes of SHA-256 over what it says, as a UUID of version 8.
pub fn id(fix: &Fix) -> PointId {
    let mut hash = Sha256::new();
    let code = fix.code.as_deref().unwrap_or_default();
    for part in [code, &fix.message, &fix.before, &fix.after] {
        // The length keeps `a` + `bc` apart from `ab` + `c`.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hashed(&hash.finalize())
}

fn hashed(digest: &[u8]) -> PointId {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    PointId::Uuid(u128::from_be_bytes(bytes))
}

/// SHA-256 in hexadecimal digits.
pub fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Holds a fix to what one can be: bounded, plain text, a change.
///
/// # Errors
/// The field at fault, and what is wrong with it.
pub fn check(fix: &Fix) -> Result<(), (&'static str, String)> {
    let code = fix.code.as_deref().unwrap_or_default();
    for (field, text, max) in [
        ("code", code, CODE_BYTES_MAX),
        ("message", &fix.message, MESSAGE_BYTES_MAX),
        ("before", &fix.before, TEXT_BYTES_MAX),
        ("after", &fix.after, TEXT_BYTES_MAX),
        ("explanation", &fix.explanation, EXPLANATION_BYTES_MAX),
    ] {
        if text.len() > max {
            return Err((field, format!("has {} bytes: at most {max} are kept", text.len())));
        }
        if let Some(found) = text.chars().find(|found| is_hidden(*found)) {
            return Err((field, format!("holds the character {:?}, which can't be seen", found)));
        }
    }
    for (field, text) in [("message", &fix.message), ("before", &fix.before), ("after", &fix.after)]
    {
        if text.trim().is_empty() {
            return Err((field, "is empty".into()));
        }
    }
    if fix.before == fix.after {
        return Err(("after", "is the same as `before`".into()));
    }
    if fix.helped > fix.used || fix.used > COUNT_MAX {
        let counts = format!("{} of {} times", fix.helped, fix.used);
        return Err(("helped", format!("can't be: {counts}")));
    }
    Ok(())
}

/// Control characters, and those that make text look like other text than it is.
fn is_hidden(character: char) -> bool {
    let control = character.is_control() && !matches!(character, '\n' | '\t');
    let direction = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    control || direction || matches!(character, '\u{200b}'..='\u{200f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fix() -> Fix {
        Fix {
            code: Some("E0382".into()),
            message: "borrow of moved value: `_`".into(),
            before: "let b = a;".into(),
            after: "let b = a.clone();".into(),
            ..Fix::default()
        }
    }

    #[test]
    fn what_can_be_no_fix_is_refused_by_field() {
        let long = "a".repeat(TEXT_BYTES_MAX + 1);
        for (wrong, field) in [
            (Fix { code: Some("E".repeat(65)), ..fix() }, "code"),
            (Fix { message: " ".into(), ..fix() }, "message"),
            (Fix { before: String::new(), ..fix() }, "before"),
            (Fix { before: long.clone(), ..fix() }, "before"),
            (Fix { after: "\n".into(), ..fix() }, "after"),
            (Fix { after: fix().before, ..fix() }, "after"),
            (Fix { after: "a\u{1b}[31m".into(), ..fix() }, "after"),
            (Fix { after: "a\u{202e}b".into(), ..fix() }, "after"),
            (Fix { explanation: "a\0".into(), ..fix() }, "explanation"),
            (Fix { helped: 2, used: 1, ..fix() }, "helped"),
            (Fix { helped: 1, used: u32::MAX, ..fix() }, "helped"),
        ] {
            assert_eq!(check(&wrong).expect_err(field).0, field);
        }
        assert_eq!(check(&fix()), Ok(()));
        assert_eq!(check(&Fix { code: None, after: "let ä\n\t= 1;".into(), ..fix() }), Ok(()));
    }

    #[test]
    fn an_id_is_what_a_fix_says_and_nothing_else() {
        let other = Fix { used: 9, origin: "x".into(), explanation: "y".into(), ..fix() };
        assert_eq!(id(&fix()), id(&other));
        assert_eq!(id(&fix()).to_string().len(), 36);
        let shifted = Fix { message: "ab".into(), before: "c".into(), ..fix() };
        let back = Fix { message: "a".into(), before: "bc".into(), ..fix() };
        assert_ne!(id(&shifted), id(&back));
    }

    #[test]
    fn a_point_holds_a_whole_record() {
        let record = Record { fix: Fix { used: 3, helped: 1, ..fix() }, owner: "ada".into() };
        let point = record.point(vec![1.0]);
        let read = Record::read(&point).expect("a fix");
        assert_eq!(read.fix.id, point.id.to_string());
        assert_eq!(Record { fix: Fix { id: String::new(), ..read.fix }, ..read }, record);
        assert_eq!(Record::read(&Point { payload: Map::new(), ..point }), None);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(embedded("a", "b"), "a\nb");
        let cut = embedded("", &"ä".repeat(1000));
        assert!(cut.len() <= EMBEDDED_BYTES_MAX && cut.ends_with('ä'));
    }
}
