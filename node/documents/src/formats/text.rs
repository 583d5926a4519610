//! Plain text: Unicode in its encodings, one section.

use super::Source;
use crate::document::{Document, Form, Unit};
use crate::error::ReadError;
use crate::kind;
use crate::writer::Writer;

/// Reads plain text; its title is the file's name.
pub fn read(source: &Source) -> Result<Document, ReadError> {
    whole(source, &source.text()?, Form::Prose)
}

/// A text without structure as a document.
pub fn whole(source: &Source, text: &str, form: Form) -> Result<Document, ReadError> {
    let mut writer = Writer::new(Unit::Line, form, &source.limits);
    writer.lines(text, 1)?;
    writer.finish(source.file_name())
}

/// Text from bytes: UTF-8 with or without its mark, UTF-16 with its mark. Lines end with `\n` then.
pub fn decode(bytes: &[u8]) -> Result<String, ReadError> {
    let text = match bytes {
        [0xff, 0xfe, 0, 0, ..] => return Err(kind::binary()),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes)?,
        bytes => utf8(bytes)?,
    };
    let text = if text.contains('\r') { unix_lines(&text) } else { text };
    // What some programs end a text with is no reason to refuse it.
    let text = text.trim_end_matches(['\0', '\u{1a}']);
    if text.contains('\0') { Err(kind::binary()) } else { Ok(text.to_owned()) }
}

fn utf8(bytes: &[u8]) -> Result<String, ReadError> {
    let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(body) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) if body.contains(&0) => Err(kind::binary()),
        Err(error) => {
            let offset = error.valid_up_to() + (bytes.len() - body.len());
            Err(ReadError::NotUnicode { offset })
        }
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, ReadError> {
    let (units, rest) = bytes.as_chunks::<2>();
    let wrong = |at: usize| ReadError::NotUnicode { offset: 2 + 2 * at };
    if !rest.is_empty() {
        return Err(wrong(units.len()));
    }
    let (mut text, mut at) = (String::with_capacity(bytes.len()), 0);
    for char in char::decode_utf16(units.iter().map(|pair| unit(*pair))) {
        let char = char.map_err(|_| wrong(at))?;
        at += char.len_utf16();
        text.push(char);
    }
    Ok(text)
}

fn unix_lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{shown, source};
    use super::*;

    #[test]
    fn what_is_not_unicode_is_refused_with_the_place() {
        let latin = decode(b"Stra\xdfe").expect_err("Latin-1 is no Unicode");
        assert_eq!(latin, ReadError::NotUnicode { offset: 4 });
        assert!(latin.to_string().contains("iconv"));
        assert_eq!(decode(b"\xef\xbb\xbfa\xff"), Err(ReadError::NotUnicode { offset: 4 }));
        assert_eq!(decode(b"\xff\xfea\0b"), Err(ReadError::NotUnicode { offset: 4 }));
        assert_eq!(decode(b"\xff\xfea\0\0\xd8"), Err(ReadError::NotUnicode { offset: 4 }));
    }

    #[test]
    fn what_is_no_text_is_refused() {
        for bytes in [&b"a\0b"[..], b"\xff\xfe\0\0a\0\0\0", b"\x80\0\x01"] {
            assert_eq!(decode(bytes), Err(kind::binary()), "{bytes:?}");
        }
        for bytes in [&b""[..], b" \n\t\r\n", b"\xef\xbb\xbf", b"\xff\xfe"] {
            assert_eq!(read(&source("a.txt", bytes)), Err(ReadError::Empty), "{bytes:?}");
        }
    }

    #[test]
    fn every_mark_of_unicode_is_understood() {
        for bytes in [
            &"\u{feff}Grüße 🦀"[..].as_bytes(),
            &"Grüße 🦀".as_bytes(),
            &&"\u{feff}Grüße 🦀".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()[..],
            &&"\u{feff}Grüße 🦀".encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>()[..],
        ] {
            assert_eq!(decode(bytes).as_deref(), Ok("Grüße 🦀"));
        }
    }

    #[test]
    fn a_text_is_one_section_with_its_lines() {
        let document = read(&source("a/b.txt", b"\r\n\r\n  one\rtwo\r\n\n")).expect("a text");
        assert_eq!(document.title(), "b.txt");
        assert_eq!(shown(&document), [" | 3-4 |   one\ntwo"]);
    }

    #[test]
    fn a_text_longer_than_allowed_is_refused() {
        let mut source = source("a.txt", b"one two");
        source.limits.text_bytes_max = 6;
        assert_eq!(read(&source), Err(ReadError::TooMuchText { text_bytes_max: 6 }));
    }
}
