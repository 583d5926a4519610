//! Small real files, and what is read from them.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use gaia_documents::{Chunker, Document, Limits, cut, read};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files").join(name)
}

fn document(name: &str) -> Document {
    let bytes = std::fs::read(file(name)).expect("the file is in the repository");
    read(name, bytes, &Limits::default()).expect("the file can be read")
}

fn shown(document: &Document) -> String {
    let mut shown = format!("title: {}\n", document.title());
    for section in document.sections() {
        let (place, headings) = (section.position, section.headings.join(" › "));
        let _ =
            write!(shown, "\n== {headings} [{}-{}]\n{}\n", place.first, place.last, section.text);
    }
    shown
}

#[track_caller]
fn is_golden(name: &str) {
    let read = shown(&document(name));
    let golden = file(&format!("{name}.golden"));
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    assert_eq!(read, expected, "{} differs; what was read:\n{read}", golden.display());
}

#[test]
fn markdown() {
    is_golden("guide.md");
}

#[test]
fn html() {
    is_golden("page.html");
}

#[test]
fn rust() {
    is_golden("shape.rs");
}

#[test]
fn pdf() {
    is_golden("letter.pdf");
}

#[test]
fn text() {
    is_golden("notes.txt");
}

#[test]
fn chunks_of_a_guide() {
    let words = |text: &str| text.split_whitespace().count();
    let chunker = Chunker { tokens_max: 40, overlap_tokens: 8 };
    let chunks = cut(&document("guide.md"), &chunker, &words);
    let shown: Vec<_> = chunks.iter().map(gaia_documents::Chunk::embedded_text).collect();
    let expected = std::fs::read_to_string(file("guide.md.chunks")).unwrap_or_default();
    assert_eq!(shown.join("\n----\n") + "\n", expected);
    assert!(shown.iter().all(|chunk| words(chunk) <= 40));
}
