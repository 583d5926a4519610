//! Files made to hurt the reader: each gets an answer.

use std::time::Duration;

use gaia_documents::{Document, Limits, ReadError, read};

/// Deep enough to overflow any stack that recursion would use.
const DEEP: usize = 100_000;
const NAMES: [&str; 5] = ["a.txt", "a.md", "a.html", "a.rs", "a.pdf"];

fn answer(name: &str, bytes: impl Into<Vec<u8>>) -> Result<Document, ReadError> {
    // Time enough on a busy machine: what is tested is that an answer comes at all.
    let limits = Limits { time_max: Duration::from_secs(120), ..Limits::default() };
    let answer = read(name, bytes.into(), &limits);
    assert!(!matches!(answer, Err(ReadError::ReaderFailed)), "the reader of {name} failed");
    answer
}

fn nested(open: &str, close: &str) -> String {
    format!("{}text{}", open.repeat(DEEP), close.repeat(DEEP))
}

#[test]
fn html_nested_without_end_is_read() {
    for (open, close) in [
        ("<div>", "</div>"),
        ("<div>", ""),
        ("<ul><li>", "</ul>"),
        ("<table><tr><td>", "</table>"),
        ("<b><i>", "</i></b>"),
        ("<blockquote>", "</p>"),
        ("<section><h2>", "</h2></section>"),
    ] {
        let answer = answer("a.html", nested(open, close));
        let text = answer.expect("there is a text inside").text().to_owned();
        assert!(text.contains("text"), "{open}");
    }
}

#[test]
fn tags_left_open_are_closed_in_one_go() {
    let html = format!("<nav>{}{}text", "<div>".repeat(DEEP), "</nav><section></nav>".repeat(DEEP));
    assert!(answer("a.html", html).is_ok());
    assert!(answer("a.html", "<a ".repeat(DEEP)).is_err());
    assert!(answer("a.html", format!("x<a {}", "b=c ".repeat(DEEP))).is_ok());
}

#[test]
fn markdown_nested_without_end_is_read() {
    for (open, close) in [
        ("> ", ""),
        ("- ", ""),
        ("[", "]"),
        ("*", "*"),
        ("**_", "_**"),
        ("![", "](x)"),
        ("`", ""),
        ("<b>", ""),
        ("# ", ""),
        ("a\n# b\n", ""),
        ("|-", "|"),
        ("[a]: <", ""),
        ("~~~\n", ""),
        ("1. ", ""),
    ] {
        let limits = Limits { time_max: Duration::from_secs(20), ..Limits::default() };
        let answer = read("a.md", nested(open, close).into_bytes(), &limits);
        assert!(!matches!(answer, Err(ReadError::ReaderFailed)), "{open}");
    }
}

#[test]
fn rust_nested_without_end_is_read() {
    for (open, close) in [
        ("(", ")"),
        ("{", "}"),
        ("mod a {", "}"),
        ("impl A { fn f() {", "}}"),
        ("A<", ">"),
        ("!", ""),
        ("/*", "*/"),
        ("#[a]", ""),
        ("r#\"", "\"#"),
        ("fn f() -> ", ""),
        ("(", ""),
        ("'", ""),
    ] {
        assert!(answer("a.rs", nested(open, close)).is_ok(), "{open}");
    }
}

#[test]
fn huge_lines_are_read() {
    let line = "word ".repeat(1 << 20);
    for name in ["a.txt", "a.md", "a.html", "a.rs"] {
        assert!(answer(name, line.clone()).is_ok(), "{name}");
        assert!(answer(name, "x".repeat(4 << 20)).is_ok(), "{name}");
        assert!(answer(name, "\n".repeat(1 << 20) + "end").is_ok(), "{name}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    for name in ["a.txt", "a.md", "a.html", "a.rs"] {
        assert_eq!(
            answer(name, b"ok \xff\xfe"),
            Err(ReadError::NotUnicode { offset: 3 }),
            "{name}"
        );
        assert!(matches!(answer(name, b"a\0b"), Err(ReadError::Unsupported { .. })), "{name}");
        assert_eq!(answer(name, b""), Err(ReadError::Empty), "{name}");
    }
    assert!(matches!(answer("a.pdf", b""), Err(ReadError::DamagedPdf { .. })));
}

#[test]
fn noise_gets_an_answer() {
    let mut state = 1_u64;
    let mut byte = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    for round in 0..200 {
        let name = NAMES[round % NAMES.len()];
        let head: &[u8] = if name == "a.pdf" { b"%PDF-1.7\n" } else { b"" };
        let alphabet = b"<>[](){}#*`-_~|!/\\\"'= \n\tabc&;:.0123";
        let noise = (0..2000).map(|_| alphabet[usize::from(byte()) % alphabet.len()]);
        let _ = answer(name, head.iter().copied().chain(noise).collect::<Vec<_>>());
    }
}

#[test]
fn truncated_files_get_an_answer() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files");
    for name in ["guide.md", "page.html", "shape.rs", "letter.pdf", "notes.txt"] {
        let whole = std::fs::read(folder.join(name)).expect("the file is in the repository");
        for end in (0..whole.len()).step_by(37) {
            let _ = answer(name, &whole[..end]);
        }
    }
}

#[test]
fn limits_have_their_answers() {
    let limits = Limits { sections_max: 10, text_bytes_max: 1000, ..Limits::default() };
    let read = |name: &str, text: String| read(name, text.into_bytes(), &limits).map(drop);
    let sections = Err(ReadError::TooManySections { sections_max: 10 });
    assert_eq!(read("a.md", "# a\nb\n".repeat(11)), sections);
    assert_eq!(read("a.html", "<h1>a</h1>b".repeat(11)), sections);
    assert_eq!(read("a.rs", "fn a() {}\n".repeat(11)), sections);
    let text = Err(ReadError::TooMuchText { text_bytes_max: 1000 });
    for name in ["a.txt", "a.md", "a.html", "a.rs"] {
        assert_eq!(read(name, "word ".repeat(300)), text, "{name}");
    }
}
