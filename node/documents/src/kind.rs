//! Which kind of document a file is: by its content where that is certain, else by its name's ending.

use crate::error::ReadError;

/// A kind of document that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text without structure; every text whose ending is not known, too.
    Text,
    /// Markdown (CommonMark).
    Markdown,
    /// HTML.
    Html,
    /// PDF.
    Pdf,
    /// Rust source.
    Rust,
}

const KINDS: &[(Kind, &[&str])] = &[
    (Kind::Text, &["txt", "text", "log"]),
    (Kind::Markdown, &["md", "markdown", "mdown", "mkd"]),
    (Kind::Html, &["html", "htm", "xhtml"]),
    (Kind::Pdf, &["pdf"]),
    (Kind::Rust, &["rs"]),
];

const OFFICE: &str = "save it as PDF or HTML";
const IMAGE: &str = "only text is read: run a text recognition over it and save the text";
const ARCHIVE: &str = "unpack it and give the folder";
const BINARY: &str = "only text, Markdown, HTML, PDF and Rust source are read";

/// Endings of files that are no text, and what to do.
const OTHERS: &[(&str, &[&str])] = &[
    (OFFICE, &["doc", "docx", "odt", "ppt", "pptx", "odp", "xls", "xlsx", "ods", "rtf", "epub"]),
    (IMAGE, &["png", "jpg", "jpeg", "gif", "webp", "bmp", "tif", "tiff", "ico", "svg", "heic"]),
    (ARCHIVE, &["zip", "gz", "tgz", "tar", "xz", "bz2", "zst", "7z", "rar", "jar", "crate"]),
    (
        BINARY,
        &[
            "exe",
            "dll",
            "so",
            "dylib",
            "a",
            "o",
            "rlib",
            "rmeta",
            "wasm",
            "class",
            "pyc",
            "bin",
            "gguf",
            "safetensors",
            "onnx",
            "db",
            "sqlite",
            "mp3",
            "mp4",
            "ogg",
            "wav",
            "flac",
            "mkv",
            "mov",
            "webm",
            "ttf",
            "otf",
            "woff",
            "woff2",
            "snapshot",
        ],
    ),
];

/// How files begin that are no text, and what they are.
const SIGNATURES: &[(&[u8], &str, &str)] = &[
    (b"PK\x03\x04", "a ZIP archive or an office document", "unpack it, or save it as PDF or HTML"),
    (b"\x1f\x8b", "a gzip archive", ARCHIVE),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", ARCHIVE),
    (b"\x89PNG", "an image", IMAGE),
    (b"\xff\xd8\xff", "an image", IMAGE),
    (b"GIF8", "an image", IMAGE),
    (b"\x7fELF", "a program", BINARY),
    (b"\0asm", "a program", BINARY),
    (b"\xd0\xcf\x11\xe0", "an old office document", OFFICE),
    (b"{\\rtf", "a rich text", OFFICE),
];

/// Where the header of a PDF may start, by what readers accept.
const PDF_HEADER_WITHIN: usize = 1024;

impl Kind {
    /// The kind of a file by its name alone; `None` if the ending says nothing.
    ///
    /// # Errors
    ///
    /// `Unsupported` if the ending is that of a file without text.
    pub fn of_name(name: &str) -> Result<Option<Self>, ReadError> {
        let Some(ending) = ending(name) else { return Ok(None) };
        let is = |endings: &[&str]| endings.contains(&ending.as_str());
        if let Some((advice, _)) = OTHERS.iter().find(|(_, endings)| is(endings)) {
            let what = format!("a .{ending} file");
            return Err(ReadError::Unsupported { what, advice });
        }
        Ok(KINDS.iter().find(|(_, endings)| is(endings)).map(|(kind, _)| *kind))
    }

    /// The kind of a file by its name and content. A PDF is known by its header; HTML without an
    /// ending by its first tag.
    ///
    /// # Errors
    ///
    /// `Unsupported` if name or content are those of a file without text.
    pub fn of(name: &str, bytes: &[u8]) -> Result<Self, ReadError> {
        if is_pdf(bytes) {
            return Ok(Self::Pdf);
        }
        check_signature(bytes)?;
        match Self::of_name(name)? {
            Some(Self::Pdf) => Err(ReadError::DamagedPdf { why: "it has no PDF header".into() }),
            Some(kind) => Ok(kind),
            None if is_html(bytes) => Ok(Self::Html),
            None => Ok(Self::Text),
        }
    }
}

fn ending(name: &str) -> Option<String> {
    let name = name.rsplit(['/', '\\']).next()?;
    let (stem, ending) = name.rsplit_once('.')?;
    (!stem.is_empty()).then(|| ending.to_ascii_lowercase())
}

fn is_pdf(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(PDF_HEADER_WITHIN)];
    let at = head.windows(5).position(|window| window == b"%PDF-");
    // A text about PDF may name the header; before a real one stands hardly anything.
    at.is_some_and(|at| at == 0 || !head[..at].iter().any(u8::is_ascii_alphabetic))
}

fn is_html(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let head = bytes[..bytes.len().min(16)].to_ascii_lowercase();
    head.starts_with(b"<!doctype html") || head.starts_with(b"<html")
}

fn check_signature(bytes: &[u8]) -> Result<(), ReadError> {
    let found = SIGNATURES.iter().find(|(start, _, _)| bytes.starts_with(start));
    found.map_or(Ok(()), |(_, what, advice)| {
        Err(ReadError::Unsupported { what: (*what).into(), advice })
    })
}

/// What a file is that has zero bytes where text has none.
pub(crate) fn binary() -> ReadError {
    ReadError::Unsupported { what: "a binary file".into(), advice: BINARY }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_refused_with_what_to_do() {
        let refused = |name: &str, bytes: &[u8]| match Kind::of(name, bytes) {
            Err(error) => error.to_string(),
            Ok(kind) => panic!("{name} is {kind:?}"),
        };
        assert!(refused("a/b.DOCX", b"").contains("save it as PDF"));
        assert!(refused("notes.txt", b"PK\x03\x04...").contains("ZIP"));
        assert!(refused("photo.jpeg", b"").contains("text recognition"));
        assert!(refused("report.pdf", b"hello").contains("no PDF header"));
        assert!(refused("x", b"\x7fELF").contains("program"));
    }

    #[test]
    fn content_goes_before_the_name() {
        assert_eq!(Kind::of("scan.txt", b"%PDF-1.4\n"), Ok(Kind::Pdf));
        assert_eq!(Kind::of("scan", b"\r\n\0%PDF-1.4\n"), Ok(Kind::Pdf));
        assert_eq!(Kind::of("about.txt", b"A file starts with %PDF-1.4"), Ok(Kind::Text));
        assert_eq!(Kind::of("page", b"\xef\xbb\xbf \n<!DOCTYPE HTML>"), Ok(Kind::Html));
    }

    #[test]
    fn endings_are_read_in_any_case() {
        assert_eq!(Kind::of("src/lib.rs", b"fn f() {}"), Ok(Kind::Rust));
        assert_eq!(Kind::of("README.MD", b"# a"), Ok(Kind::Markdown));
        assert_eq!(Kind::of("x.y\\i.HtM", b"# a"), Ok(Kind::Html));
        assert_eq!(Kind::of(".rs", b"a"), Ok(Kind::Text));
        assert_eq!(Kind::of("Makefile", b"all:"), Ok(Kind::Text));
        assert_eq!(Kind::of("v1.2/notes", b"all"), Ok(Kind::Text));
    }
}
