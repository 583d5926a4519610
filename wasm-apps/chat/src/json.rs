//! `tojson` as Hugging Face's chat templates expect it: Python's `json.dumps`, no HTML escapes.

use std::io::{self, Write};

use minijinja::value::Kwargs;
use minijinja::{Error, ErrorKind, Value};
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// The filter. Keyword arguments: `indent` or `separators` (of items, and of keys and values),
/// `ensure_ascii`, `sort_keys`.
pub fn tojson(value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let ensure_ascii: Option<bool> = options.get("ensure_ascii")?;
    let sort_keys: Option<bool> = options.get("sort_keys")?;
    let separators: Option<Vec<String>> = options.get("separators")?;
    options.assert_all_used()?;
    let layout = Layout::of(indent, separators)?;
    let json = match sort_keys {
        Some(true) => write(&sorted(serde_json::to_value(value).map_err(failed)?), &layout)?,
        _ => write(value, &layout)?,
    };
    Ok(if ensure_ascii == Some(true) { escape_non_ascii(&json) } else { json })
}

fn sorted(mut value: serde_json::Value) -> serde_json::Value {
    value.sort_all_objects();
    value
}

/// How the parts are set apart.
enum Layout {
    Lines { spaces: usize },
    Row { items: String, keys: String },
}

impl Layout {
    fn of(indent: Option<usize>, separators: Option<Vec<String>>) -> Result<Self, Error> {
        let wrong = |message: &'static str| Err(Error::new(ErrorKind::InvalidOperation, message));
        match (indent, separators.as_deref()) {
            (Some(spaces), None) => Ok(Self::Lines { spaces }),
            // Python's defaults: a space behind comma and colon.
            (None, None) => Ok(Self::Row { items: ", ".into(), keys: ": ".into() }),
            (None, Some([items, keys])) => {
                Ok(Self::Row { items: items.clone(), keys: keys.clone() })
            }
            (Some(_), Some(_)) => wrong("tojson takes either indent or separators"),
            (None, Some(_)) => wrong("tojson: separators are two texts"),
        }
    }
}

fn write(value: &impl Serialize, layout: &Layout) -> Result<String, Error> {
    let mut json = Vec::new();
    match layout {
        Layout::Lines { spaces } => {
            let spaces = " ".repeat((*spaces).min(16));
            let formatter = PrettyFormatter::with_indent(spaces.as_bytes());
            value.serialize(&mut Serializer::with_formatter(&mut json, formatter))
        }
        Layout::Row { items, keys } => {
            value.serialize(&mut Serializer::with_formatter(&mut json, Row { items, keys }))
        }
    }
    .map_err(failed)?;
    Ok(String::from_utf8(json).expect("serde_json writes UTF-8"))
}

fn failed(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::BadSerialization, "tojson").with_source(error)
}

fn escape_non_ascii(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            escaped.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            escaped.push_str(&format!("\\u{unit:04x}"));
        }
    }
    escaped
}

/// All in one line.
struct Row<'a> {
    items: &'a str,
    keys: &'a str,
}

impl Row<'_> {
    fn separate<W: ?Sized + Write>(&self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(self.items.as_bytes()) }
    }
}

impl Formatter for Row<'_> {
    fn begin_array_value<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        self.separate(w, first)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        self.separate(w, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(self.keys.as_bytes())
    }
}
