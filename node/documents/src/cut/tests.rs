use super::*;
use crate::document::{Form, Unit};
use crate::measure::{Measure, pieces};
use crate::reader::Limits;
use crate::writer::Writer;

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

fn chunker(tokens_max: usize, overlap_tokens: usize) -> Chunker {
    // Words are counted, and none is spent on edges: so tests say what a chunk holds.
    Chunker { tokens_max: tokens_max + EDGE_TOKENS, overlap_tokens }
}

/// A document of `# heading` lines and text.
fn document(text: &str, form: Form) -> Document {
    let mut writer = Writer::new(Unit::Line, form, &Limits::default());
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let level = line.len() - line.trim_start_matches('#').len();
        let done = match u8::try_from(level) {
            Ok(level @ 1..) if form != Form::Code => {
                writer.heading(level, &line[level.into()..], number)
            }
            _ => writer.text(line, number),
        };
        done.expect("within limits");
    }
    writer.finish("a test").expect("some text")
}

fn texts(chunks: &[Chunk]) -> Vec<&str> {
    chunks.iter().map(|chunk| chunk.text.as_str()).collect()
}

fn cut_words(text: &str, chunker: Chunker) -> Vec<Chunk> {
    cut(&document(text, Form::Markdown), &chunker, &words)
}

#[test]
fn a_limit_of_nothing_still_ends() {
    let document = document("some text 🦀é", Form::Prose);
    for tokens_max in [0, 1, EDGE_TOKENS, EDGE_TOKENS + 1] {
        for overlap_tokens in [0, 1, usize::MAX] {
            let bytes = |text: &str| text.len();
            let chunks = cut(&document, &Chunker { tokens_max, overlap_tokens }, &bytes);
            assert!(chunks.iter().all(|chunk| chunk.text.chars().count() == 1), "{chunks:?}");
            assert_eq!(texts(&chunks).concat(), "sometext🦀é");
        }
    }
}

#[test]
fn a_long_word_is_cut_between_characters() {
    let chunks =
        cut(&document("äöüäöü", Form::Prose), &chunker(4, 0), &|text: &str| text.len());
    assert_eq!(texts(&chunks), ["äö", "üä", "öü"]);
}

#[test]
fn sentences_stay_whole_where_half_a_chunk_is_full() {
    let text = "One two three four. Five six\nseven eight. Nine.";
    assert_eq!(
        texts(&cut_words(text, chunker(6, 0))),
        ["One two three four.", "Five six\nseven eight. Nine."]
    );
}

#[test]
fn paragraphs_go_before_sentences() {
    let text = "One two. Three.\n\nFour. Five six seven.";
    assert_eq!(
        texts(&cut_words(text, chunker(5, 0))),
        ["One two. Three.", "Four. Five six seven."]
    );
}

#[test]
fn the_number_of_an_item_ends_no_sentence() {
    let text = "1. one two\n2. three four\n3. five six";
    assert_eq!(
        texts(&cut_words(text, chunker(5, 0))),
        ["1. one two", "2. three four", "3. five six"]
    );
}

#[test]
fn an_overlap_starts_with_a_sentence() {
    let text = "One two. Three four. Five six. Seven eight.";
    assert_eq!(
        texts(&cut_words(text, chunker(6, 3))),
        ["One two. Three four. Five six.", "Five six. Seven eight."]
    );
}

#[test]
fn an_overlap_without_sentences_starts_with_a_word() {
    assert_eq!(texts(&cut_words("a b c d e f", chunker(4, 2))), ["a b c d", "c d e f"]);
    assert_eq!(
        texts(&cut_words("a b c d e f", chunker(4, 9))),
        ["a b c d", "c d e f"],
        "half at most"
    );
}

#[test]
fn code_is_cut_by_lines() {
    let text = "fn a() {\n    x;\n    y;\n}\n\nfn b() {\n    z;\n}\n";
    let chunks = cut(&document(text, Form::Code), &chunker(6, 0), &words);
    assert_eq!(texts(&chunks), ["fn a() {\n    x;\n    y;\n}", "fn b() {\n    z;\n}"]);
}

#[test]
fn code_between_fences_stays_whole_where_it_fits() {
    let text = "One.\n\n```\na\n\nb\n\nc\n```\n\nTwo three. Four five.";
    assert_eq!(
        texts(&cut_words(text, chunker(5, 0))),
        ["One.", "```\na\n\nb\n\nc\n```", "Two three. Four five."]
    );
    let long = "```\na b\nc d\ne f\ng h\n```";
    assert_eq!(texts(&cut_words(long, chunker(5, 0))), ["```\na b\nc d", "e f\ng h\n```"]);
}

#[test]
fn sections_are_not_mixed() {
    let text = "# A\none two three\n# B\nfour five six\n";
    let chunks = cut_words(text, chunker(8, 2));
    assert_eq!(texts(&chunks), ["one two three", "four five six"]);
    assert_eq!(chunks[1].headings, ["B"]);
    assert_eq!(chunks[1].embedded_text(), "B\nfour five six");
    assert_eq!((chunks[1].position.first, chunks[1].ordinal), (4, 1));
}

#[test]
fn small_neighbours_share_a_chunk_under_their_parent() {
    let text = "# A\n## B\nb\n## C\nc\n## D\nd\n# E\ne\n";
    let chunks = cut_words(text, chunker(60, 0));
    assert_eq!(texts(&chunks), ["B\nb\n\nC\nc\n\nD\nd", "e"]);
    assert_eq!(
        (&chunks[0].headings[..], &chunks[1].headings[..]),
        (&["A".to_owned()][..], &["E".to_owned()][..])
    );
    assert_eq!((chunks[0].position.first, chunks[0].position.last), (2, 7));
    assert_eq!(chunks[0].embedded_text(), "A\nB\nb\n\nC\nc\n\nD\nd");
}

#[test]
fn long_headings_leave_half_to_the_text() {
    let text = "# a a a a a a\n## b b b\nc c c c\n";
    let chunks = cut_words(text, chunker(11, 0));
    assert_eq!(chunks[0].headings, ["b b b"]);
    let chunks = cut_words(text, chunker(4, 0));
    assert!(chunks[0].headings.is_empty());
}

#[test]
fn headings_take_their_tokens_from_the_text() {
    let text = "# A b c\none two three four\n";
    assert_eq!(texts(&cut_words(text, chunker(6, 0))), ["one two three four"]);
    let text = "# A b\none two three. Four five six.\n";
    assert_eq!(texts(&cut_words(text, chunker(5, 0))), ["one two three.", "Four five six."]);
}

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }

    fn text(&mut self) -> String {
        const PARTS: &[&str] = &[
            "word",
            " ",
            "\n",
            "\n\n",
            ". ",
            "# ",
            "## ",
            "### ",
            "```\n",
            "~~~",
            "é",
            "🦀",
            "。",
            "12. ",
            "averyveryverylongwordwithoutanyend",
            "\t",
            "- item",
            "> ",
            "    ",
            "fn main() {}\n",
            "!",
        ];
        let count = self.below(200) + 1;
        (0..count).map(|_| PARTS[self.below(PARTS.len())]).chain(["end"]).collect()
    }
}

fn solid(text: &str) -> String {
    text.split_whitespace().collect()
}

/// Every chunk keeps the limit, counted anew for the text that is embedded.
#[test]
fn chunks_keep_the_limit_and_lose_nothing() {
    let mut dice = Dice(7);
    for round in 0..400 {
        let form = [Form::Prose, Form::Markdown, Form::Code][round % 3];
        let document = document(&dice.text(), form);
        let chunker = Chunker {
            tokens_max: dice.below(60) + EDGE_TOKENS + 4,
            overlap_tokens: dice.below(20),
        };
        let bytes = |text: &str| text.len();
        let chunks = cut(&document, &chunker, &bytes);
        for chunk in &chunks {
            let embedded = bytes(&chunk.embedded_text());
            assert!(embedded <= chunker.tokens_max, "round {round}: {chunk:?} has {embedded}");
        }
        assert_eq!(chunks, cut(&document, &chunker, &bytes), "the same again");
        let plain = Chunker { overlap_tokens: 0, ..chunker };
        let all: String =
            cut(&document, &plain, &bytes).iter().map(|chunk| solid(&chunk.text)).collect();
        let mut rest = all.as_str();
        for section in document.sections() {
            let text = solid(section.text);
            let at = rest
                .find(&text)
                .unwrap_or_else(|| panic!("round {round}: {text} is lost in {rest}"));
            rest = &rest[at + text.len()..];
        }
    }
}

#[test]
fn places_of_tokens_cut_as_counting_does() {
    let mut dice = Dice(11);
    for _ in 0..50 {
        let document = document(&dice.text(), Form::Markdown);
        let mut measure = Measure::new(document.text());
        for piece in pieces(document.text(), 64) {
            let tokens: Vec<_> = piece.split_whitespace().collect();
            measure.add(piece, &tokens);
        }
        let chunks = cut(&document, &chunker(12, 3), &measure);
        assert!(chunks.iter().all(|chunk| words(&chunk.embedded_text()) <= 12 + EDGE_TOKENS));
    }
}

#[test]
fn a_huge_line_is_cut_in_little_time() {
    let text = "x".repeat(4 << 20);
    let document = document(&text, Form::Prose);
    let mut measure = Measure::new(document.text());
    for piece in pieces(document.text(), 16 << 10) {
        let tokens: Vec<_> = piece.as_bytes().chunks(4).collect();
        measure.add(piece, &tokens);
    }
    let chunks = cut(&document, &Chunker::default(), &measure);
    assert_eq!(chunks.iter().map(|chunk| chunk.position.last).max(), Some(1));
    assert!(chunks.len() > 2000, "{}", chunks.len());
}
