//! HTML: its readable text, a section per heading.
//!
//! The page is read tag by tag and never becomes a tree: nothing recurses, however deep it is nested.

mod open;
mod page;
mod prose;
mod tags;

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{Token, Tokenizer};

use self::page::{Page, Scope};
use super::Source;
use crate::document::Document;
use crate::error::ReadError;

/// Tokens between two looks at the clock.
const TOKENS_PER_LOOK: usize = 4096;

/// Reads a page: its `<main>`, or all of it if that is missing or empty. Its title is its `<title>`,
/// else its first heading, else the file's name.
pub fn read(source: &Source) -> Result<Document, ReadError> {
    let text = source.text()?;
    let mut page = Page::new(&source.limits, Scope::Main);
    follow(source, &text, &mut page)?;
    let has_main = page.has_main();
    match page.finish(source.file_name()) {
        Err(ReadError::Empty) if has_main => {
            let mut page = Page::new(&source.limits, Scope::All);
            follow(source, &text, &mut page)?;
            page.finish(source.file_name())
        }
        answer => answer,
    }
}

fn follow(source: &Source, text: &str, page: &mut Page) -> Result<(), ReadError> {
    let mut emitter = DefaultEmitter::<usize>::new_with_span();
    // Scripts and styles are no markup.
    emitter.naively_switch_states(true);
    let mut lines = Lines { bytes: text.as_bytes(), offset: 0, number: 1 };
    let tokens = Tokenizer::new_with_emitter(text, emitter);
    for (count, Ok(token)) in tokens.enumerate() {
        if count.is_multiple_of(TOKENS_PER_LOOK) {
            source.deadline.check(&source.limits)?;
        }
        see(page, &token, &mut lines)?;
    }
    Ok(())
}

fn see(page: &mut Page, token: &Token<usize>, lines: &mut Lines<'_>) -> Result<(), ReadError> {
    match token {
        Token::StartTag(tag) => {
            page.at_line(lines.of(tag.span.start));
            page.start(tag)
        }
        Token::EndTag(tag) => {
            page.at_line(lines.of(tag.span.start));
            page.end(&String::from_utf8_lossy(&tag.name))
        }
        Token::String(text) => {
            page.at_line(lines.of(text.span.start));
            page.text(&String::from_utf8_lossy(text))
        }
        _ => Ok(()),
    }
}

/// Finds the line of an offset; offsets come in rising order.
struct Lines<'a> {
    bytes: &'a [u8],
    offset: usize,
    number: u32,
}

impl Lines<'_> {
    fn of(&mut self, offset: usize) -> u32 {
        let offset = offset.min(self.bytes.len());
        if offset > self.offset {
            let passed = &self.bytes[self.offset..offset];
            let lines = passed.iter().filter(|byte| **byte == b'\n').count();
            self.number = self.number.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
            self.offset = offset;
        }
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{shown, source};
    use super::*;

    fn page(html: &str) -> Document {
        read(&source("a.html", html.as_bytes())).expect("a page with text")
    }

    /// The sections' headings and texts.
    fn sections(html: &str) -> Vec<String> {
        let show = |section: crate::Section<'_>| {
            let headings = section.headings.join(" > ");
            if headings.is_empty() {
                section.text.into()
            } else {
                format!("{headings}: {}", section.text)
            }
        };
        page(html).sections().map(show).collect()
    }

    #[test]
    fn pages_without_text_are_refused() {
        for html in [
            "",
            "<html><body></body>",
            "<script>x</script>",
            "<nav>a</nav><!-- b -->",
            "<p",
            "&nbsp;",
        ] {
            assert_eq!(read(&source("a.html", html.as_bytes())), Err(ReadError::Empty), "{html}");
        }
    }

    #[test]
    fn what_is_no_text_of_the_page_is_dropped() {
        let html =
            "<head><title>T</title><style>p {}</style><script>if (a < b) {'</p>'}</script></head>
            <body><header><h1>Site</h1></header><nav><ul><li>Home</ul></nav>
            <main><header><h1>Page</h1></header><p>Text<svg><title>s</title><path/></svg> here</p>
            <noscript>on!</noscript></main><footer>2026</footer></body>";
        assert_eq!(sections(html), ["Page: Text here"]);
        assert_eq!(page(html).title(), "T");
    }

    #[test]
    fn what_stands_around_the_main_part_is_dropped() {
        assert_eq!(sections("<h1>S</h1>Skip<main><p>a</main>b<main>c</main>"), ["a\n\nc"]);
        assert_eq!(sections("<h1>S</h1>text<main> </main>more"), ["S: text\n\nmore"]);
        assert_eq!(sections("<pre>x<main>a"), ["a"]);
    }

    #[test]
    fn what_nobody_closed_ends_with_its_parent() {
        assert_eq!(sections("<div><nav>menu<div>x</div></div><p>text"), ["text"]);
        assert_eq!(sections("<h1>A<p>b<ul><li>c<li>d"), ["A: b\n\n- c\n- d"]);
        assert_eq!(sections("a</div></nav></ul>b"), ["ab"]);
        assert_eq!(sections("<pre>a\n  b"), ["```\na\n  b\n```"]);
    }

    #[test]
    fn headings_make_paths_and_white_space_means_nothing() {
        let html =
            "<h1 class=x>A <code>b</code>\n c <a href=#>§</a></h1> one\n <b>two</b>, <i>th</i>ree\n
            <div><h2>B</h2></div><p>four</p><p>five</p><h1></h1>six";
        assert_eq!(sections(html), ["A b c: one two, three", "A b c > B: four\n\nfive\n\nsix"]);
    }

    #[test]
    fn lists_tables_and_code_stay_readable() {
        let list = "<ul><li>a<li>b<ol><li><p>c</p></li><li>d</ol></ul>e";
        assert_eq!(sections(list), ["- a\n- b\n  1. c\n  2. d\n\ne"]);
        let table = "<table><tr><th>K<th>V</tr><tr><td>a<td><p>1</p><p>2</p></tr></table>x";
        assert_eq!(sections(table), ["K | V\na | 1 2\n\nx"]);
        let code = "<p>Use <code>x</code>:</p><pre><code>if a &lt; b {\n    `c`\n}\n</code></pre>y";
        assert_eq!(sections(code), ["Use `x`:\n\n```\nif a < b {\n    `c`\n}\n```\n\ny"]);
        assert_eq!(sections("<pre>```\na</pre>"), ["````\n```\na\n````"]);
        assert_eq!(sections("<img alt='A cat' src=x> sat<br>down"), ["A cat sat\ndown"]);
    }

    #[test]
    fn sections_know_their_lines() {
        let html = "<h1>\nA</h1>\n<p>one\ntwo</p>\n<h2>B</h2>\n\nthree";
        assert_eq!(shown(&page(html)), ["A | 3-4 | one two", "A > B | 7-7 | three"]);
    }
}
