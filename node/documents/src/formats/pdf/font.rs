//! What a font's codes mean, and how wide they are.

use std::collections::HashMap;

use lopdf::{Dictionary, Document, Encoding, Object, Stream};

use super::budget::{Budget, Failure};
use super::cmap;

/// Bytes that a font's map of characters may unpack to; those of large Asian fonts have 200 kB.
const MAP_BYTES_MAX: usize = 4 << 20;
/// Widths that a font may name; one that names more has only the first of them.
const WIDTHS_MAX: usize = 65_536;
/// What a font takes in memory: by itself, for a width, and for a glyph that its encoding names.
const FONT_BYTES: usize = 1 << 10;
const WIDTH_BYTES: usize = 20;
const GLYPH_BYTES: usize = 48;
/// Width of a character of which nothing is said, in heights of the text.
const WIDTH: f32 = 0.5;
/// The same for fonts with codes of two bytes, by the standard.
const WIDTH_OF_TWO_BYTES: f32 = 1.0;

/// A font, as far as its text is concerned.
pub struct Font<'a> {
    /// None if nobody can say which characters the codes are.
    encoding: Option<Encoding<'a>>,
    two_bytes: bool,
    widths: HashMap<u16, f32>,
    width: f32,
}

/// A decoded string.
pub struct Shown {
    pub text: String,
    /// In heights of the text.
    pub width: f32,
    pub codes: u16,
    /// Codes that are spaces of one byte; these can be made wider.
    pub spaces: u16,
}

impl<'a> Font<'a> {
    /// Reads a font. It is `plain` that `lopdf` gets where it must not see the font's own map.
    pub fn new(
        file: &'a Document,
        font: &'a Dictionary,
        plain: &'a Dictionary,
        budget: &mut Budget,
    ) -> Result<Self, Failure> {
        budget.take(FONT_BYTES)?;
        let two_bytes = get(file, font, b"Subtype").and_then(|name| name.as_name().ok());
        let two_bytes = two_bytes == Some(b"Type0");
        let mut encoding = mapped(file, font, budget)?;
        if encoding.is_none() {
            budget.take(glyphs(file, font).unwrap_or(0).saturating_mul(GLYPH_BYTES))?;
            let font = if asks_for_map(file, font) { plain } else { font };
            encoding = self::encoding(file, font, two_bytes);
        }
        let width = if two_bytes { WIDTH_OF_TWO_BYTES } else { WIDTH };
        let mut new = Self { encoding, two_bytes, widths: HashMap::new(), width };
        if two_bytes {
            new.read_wide(file, font)
        } else {
            new.read_widths(file, font)
        };
        budget.take(new.widths.len() * WIDTH_BYTES)?;
        Ok(new)
    }

    /// Decodes a string that is drawn, or a part of it: one code may be 256 characters, and the string as
    /// long as the page.
    pub fn show(&self, codes: &[u8]) -> Shown {
        let mut text = String::new();
        if let Some(encoding) = &self.encoding {
            // What was decoded before a mistake stays.
            let _ = encoding.write_to_string(codes, &mut text);
        }
        let count = if self.two_bytes { codes.len() / 2 } else { codes.len() };
        let spaces = codes.iter().filter(|code| **code == b' ' && !self.two_bytes).count();
        let short = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        Shown { text, width: self.measure(codes), codes: short(count), spaces: short(spaces) }
    }

    fn measure(&self, codes: &[u8]) -> f32 {
        let width = |code: u16| self.widths.get(&code).copied().unwrap_or(self.width);
        if self.two_bytes {
            codes.as_chunks::<2>().0.iter().map(|code| width(u16::from_be_bytes(*code))).sum()
        } else {
            codes.iter().map(|code| width(u16::from(*code))).sum()
        }
    }

    /// `/FirstChar 32 /Widths [278 ..]`
    fn read_widths(&mut self, file: &Document, font: &Dictionary) -> Option<()> {
        let first = get(file, font, b"FirstChar")?.as_i64().ok()?;
        let widths = get(file, font, b"Widths")?.as_array().ok()?;
        for (code, width) in (first..=255).zip(widths) {
            if let (Ok(code), Some(width)) = (u16::try_from(code), number(file, width)) {
                self.widths.insert(code, width / 1000.0);
            }
        }
        Some(())
    }

    /// `/DescendantFonts [<< /DW 1000 /W [1 [500 600] 10 20 300] >>]`
    fn read_wide(&mut self, file: &Document, font: &Dictionary) -> Option<()> {
        let fonts = get(file, font, b"DescendantFonts")?.as_array().ok()?;
        let font = file.dereference(fonts.first()?).ok()?.1.as_dict().ok()?;
        if let Some(width) = get(file, font, b"DW").and_then(|width| number(file, width)) {
            self.width = width / 1000.0;
        }
        let mut left = WIDTHS_MAX;
        let mut rest = get(file, font, b"W")?.as_array().ok()?.as_slice();
        while let [first, second, after @ ..] = rest {
            let first = u16::try_from(first.as_i64().ok()?).ok()?;
            rest = match file.dereference(second).ok()?.1 {
                Object::Array(widths) => {
                    let widths = widths.iter().map(|width| number(file, width));
                    left = self.keep((first..=u16::MAX).zip(widths), left)?;
                    after
                }
                last => {
                    let (width, after) = after.split_first()?;
                    let last = u16::try_from(last.as_i64().ok()?).ok()?;
                    let width = number(file, width);
                    left = self.keep((first..=last).map(|code| (code, width)), left)?;
                    after
                }
            };
        }
        Some(())
    }

    /// Keeps widths, `left` of them at most; says how many more may follow. Repeated ranges cost time.
    fn keep(
        &mut self,
        widths: impl Iterator<Item = (u16, Option<f32>)>,
        left: usize,
    ) -> Option<usize> {
        let mut left = left;
        for (code, width) in widths {
            left = left.checked_sub(1)?;
            if let Some(width) = width {
                self.widths.insert(code, width / 1000.0);
            }
        }
        Some(left)
    }
}

/// The font's own map from codes to characters: it knows ligatures and subsets.
fn mapped(
    file: &Document,
    font: &Dictionary,
    budget: &mut Budget,
) -> Result<Option<Encoding<'static>>, Failure> {
    let Some((map, bytes)) = map(file, font) else { return Ok(None) };
    budget.take(bytes)?;
    let mut alone = Dictionary::new();
    alone.set("Type", "Font");
    alone.set("ToUnicode", Stream::new(Dictionary::new(), map));
    Ok(match alone.get_font_encoding_with_limit(file, MAP_BYTES_MAX) {
        Ok(Encoding::UnicodeMapEncoding(map)) => Some(Encoding::UnicodeMapEncoding(map)),
        _ => None,
    })
}

/// The text of that map, and what it will take in memory; None if it is unreadable or too large.
fn map(file: &Document, font: &Dictionary) -> Option<(Vec<u8>, usize)> {
    let map = get(file, font, b"ToUnicode")?.as_stream().ok()?;
    let map = Budget::new(MAP_BYTES_MAX).unpack(map).ok()?;
    let bytes = cmap::bytes(&map)?;
    Some((map, bytes))
}

/// Whether `lopdf` would read the font's own map to know its encoding.
fn asks_for_map(file: &Document, font: &Dictionary) -> bool {
    let identity = |name: &[u8]| matches!(name, b"Identity-H" | b"Identity-V");
    let asks = match get(file, font, b"Encoding") {
        None => true,
        Some(Object::Dictionary(encoding)) => {
            encoding.get(b"BaseEncoding").and_then(Object::as_name).is_ok_and(identity)
        }
        Some(encoding) => encoding.as_name().is_ok_and(identity),
    };
    asks && font.has_type(b"Font")
}

/// Glyphs that the font's encoding names.
fn glyphs(file: &Document, font: &Dictionary) -> Option<usize> {
    let encoding = get(file, font, b"Encoding")?.as_dict().ok()?;
    Some(encoding.get(b"Differences").ok()?.as_array().ok()?.len())
}

/// A font of which nothing is said but that it is one.
pub fn plain() -> Dictionary {
    let mut plain = Dictionary::new();
    plain.set("Type", "Font");
    plain
}

fn encoding<'a>(file: &'a Document, font: &'a Dictionary, two_bytes: bool) -> Option<Encoding<'a>> {
    let encoding = font.get_font_encoding_with_limit(file, MAP_BYTES_MAX).ok()?;
    // What is left where the map is missing: bytes that mean nothing.
    let guessed = two_bytes && !matches!(encoding, Encoding::SimpleEncoding(_));
    Some(encoding).filter(|_| !guessed)
}

fn get<'a>(file: &'a Document, dictionary: &'a Dictionary, key: &[u8]) -> Option<&'a Object> {
    dictionary.get_deref(key, file).ok()
}

fn number(file: &Document, object: &Object) -> Option<f32> {
    let number = file.dereference(object).ok()?.1.as_float().ok()?;
    Some(number).filter(|number| number.is_finite())
}
