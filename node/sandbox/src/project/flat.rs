//! Flat text: Rust Coder's form of a project.
//!
//! A block is a line `[filename: path]` and what follows, up to the next such line. Models write the
//! body bare, or between fences of three backticks with prose behind; both are read tolerantly. What
//! a bare body can't carry (no newline at the end, blank lines around, a line like a header) is
//! printed between fences of four backticks or more, and such a body is read to the letter, up to
//! the first line that is the same fence again. `no-newline` behind the opening fence says that the
//! last line has no end.

use super::error::ProjectError;
use super::files::Files;
use super::limits::Limits;

const HEADER: &str = "[filename:";
const NO_NEWLINE: &str = "no-newline";
/// Fences below this length are models', from it on ours.
const EXACT_FENCE: usize = 4;

pub(super) fn parse(text: &str, limits: &Limits) -> Result<Files, ProjectError> {
    let mut files = Files::new(limits);
    let mut lines = text.split_inclusive('\n').peekable();
    let mut found = next_header(&mut lines);
    if found.is_none() {
        return Err(ProjectError::NoBlock);
    }
    while let Some(header) = found {
        let body = body(&header, &mut lines);
        found = next_header(&mut lines);
        let body = if found.is_none() { body.without_comment() } else { body };
        files.add(header.path, body.text.into_bytes())?;
    }
    Ok(files)
}

struct Header<'a> {
    path: &'a str,
    /// What stands behind the bracket in the same line.
    rest: &'a str,
    /// Blanks before it, which the block's lines have too.
    indent: usize,
}

struct Body {
    text: String,
    exact: bool,
}

type Lines<'a> = std::iter::Peekable<std::str::SplitInclusive<'a, char>>;

fn next_header<'a>(lines: &mut Lines<'a>) -> Option<Header<'a>> {
    lines.find_map(header)
}

fn header(line: &str) -> Option<Header<'_>> {
    let start = line.trim_start_matches([' ', '\t']);
    let (path, rest) = start.strip_prefix(HEADER)?.split_once(']')?;
    Some(Header { path: path.trim(), rest, indent: line.len() - start.len() })
}

fn body(header: &Header<'_>, lines: &mut Lines<'_>) -> Body {
    let behind = (!header.rest.trim().is_empty()).then(|| header.rest.trim_start());
    if behind.is_none() {
        skip_blank_lines_before_fence(lines);
        if let Some(fence) = lines.peek().and_then(|line| fence(line)) {
            lines.next();
            return exact_body(&fence, header.indent, lines);
        }
    }
    let mut block: Vec<&str> = behind.into_iter().collect();
    while let Some(line) = lines.next_if(|line| self::header(line).is_none()) {
        block.push(dedent(line, header.indent));
    }
    Body { text: tolerant(&block), exact: false }
}

/// An exact fence is found behind blank lines too; they stay if there is none, to be trimmed later.
fn skip_blank_lines_before_fence(lines: &mut Lines<'_>) {
    while lines.next_if(|line| line.trim().is_empty()).is_some() {}
}

struct Fence {
    length: usize,
    no_newline: bool,
}

/// An opening fence of ours.
fn fence(line: &str) -> Option<Fence> {
    let line = line.trim();
    let length = backticks(line);
    let no_newline = &line[length..] == NO_NEWLINE;
    // Models write a language behind the fence, and we only our own word or nothing.
    let ours = length >= EXACT_FENCE && (no_newline || line.len() == length);
    ours.then_some(Fence { length, no_newline })
}

fn backticks(line: &str) -> usize {
    line.len() - line.trim_start_matches('`').len()
}

fn exact_body(fence: &Fence, indent: usize, lines: &mut Lines<'_>) -> Body {
    let mut text = String::new();
    for line in lines {
        let line = dedent(line, indent);
        let end = line.trim_end();
        if end.len() == fence.length && backticks(end) == fence.length {
            break;
        }
        text.push_str(line);
    }
    if fence.no_newline && text.ends_with('\n') {
        text.pop();
    }
    Body { text, exact: true }
}

/// Takes off at most so many blanks.
fn dedent(line: &str, indent: usize) -> &str {
    let blanks = line.bytes().take(indent).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    &line[blanks..]
}

/// A body as models write it: within its fences if it has some, without blank lines around.
fn tolerant(block: &[&str]) -> String {
    let text: String = unfenced(block).concat();
    canonical(&text)
}

fn unfenced<'a, 'b>(block: &'a [&'b str]) -> &'a [&'b str] {
    let Some(open) = block.iter().position(|line| !line.trim().is_empty()) else { return &[] };
    if backticks(block[open].trim()) < 3 {
        return &block[open..];
    }
    let inner = &block[open + 1..];
    // The last bare fence closes: a README has fences of its own within.
    let close = inner.iter().rposition(|line| is_bare_fence(line)).unwrap_or(inner.len());
    &inner[..close]
}

fn is_bare_fence(line: &str) -> bool {
    let line = line.trim();
    line.len() >= 3 && backticks(line) == line.len()
}

/// No blank lines at the beginning, one newline at the end.
fn canonical(text: &str) -> String {
    let blank = text.split_inclusive('\n').take_while(|line| line.trim().is_empty());
    let start: usize = blank.map(str::len).sum();
    let kept = text[start..].trim_end();
    if kept.is_empty() { String::new() } else { format!("{kept}\n") }
}

impl Body {
    /// Rust Coder writes the outcome behind the last file; it is not a part of it.
    fn without_comment(self) -> Self {
        if self.exact {
            return self;
        }
        let end = comment_start(&self.text);
        Self { text: canonical(&self.text[..end]), exact: false }
    }
}

/// Where the comment `# Build …` with its notes begins, or the end.
fn comment_start(text: &str) -> usize {
    let mut end = text.len();
    let mut start = text.len();
    for line in text.split_inclusive('\n').rev() {
        start -= line.len();
        let line = line.trim();
        if line.starts_with("# Build succeeded") || line.starts_with("# Build failed") {
            end = start;
        } else if !line.is_empty() && !line.starts_with("# Note") {
            break;
        }
    }
    end
}

pub(super) fn print(files: &Files) -> Result<String, ProjectError> {
    let mut text = String::new();
    for (path, bytes) in files.iter() {
        let Ok(body) = std::str::from_utf8(bytes) else {
            return Err(ProjectError::NotText { path: path.to_string() });
        };
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("{HEADER} {path}]\n"));
        print_body(&mut text, body);
    }
    Ok(text)
}

fn print_body(text: &mut String, body: &str) {
    if is_plain(body) {
        text.push_str(body);
        return;
    }
    let longest = body.lines().map(|line| backticks(line.trim_start())).max().unwrap_or_default();
    let fence = "`".repeat(EXACT_FENCE.max(longest + 1));
    let cut = !body.is_empty() && !body.ends_with('\n');
    let (mark, end) = if cut { (NO_NEWLINE, "\n") } else { ("", "") };
    text.push_str(&format!("{fence}{mark}\n{body}{end}{fence}\n"));
}

/// Whether a body comes back as it is without a fence, also as the last one.
fn is_plain(body: &str) -> bool {
    let headers = body.split_inclusive('\n').any(|line| header(line).is_some());
    let fenced = backticks(body.trim_start()) >= 3;
    !body.is_empty()
        && !headers
        && !fenced
        && comment_start(body) == body.len()
        && canonical(body) == body
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Vec<(String, String)> {
        let files = parse(text, &Limits::default()).expect("accepted");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("accepted");
        files.iter().map(|(path, bytes)| (path.to_string(), text(bytes))).collect()
    }

    fn bodies(text: &str) -> Vec<String> {
        parsed(text).into_iter().map(|(_, body)| body).collect()
    }

    #[test]
    fn text_without_a_block_is_refused() {
        for text in ["", "fn main() {}", "filename: x]", "[filename: x"] {
            assert_eq!(parse(text, &Limits::default()), Err(ProjectError::NoBlock), "{text:?}");
        }
    }

    #[test]
    fn a_path_that_leaves_is_refused() {
        let refused = parse("[filename: ../x]\nhello\n", &Limits::default());
        assert!(matches!(refused, Err(ProjectError::Path { .. })));
        let empty = parse("[filename: ]\nhello\n", &Limits::default());
        assert!(matches!(empty, Err(ProjectError::Path { .. })));
    }

    #[test]
    fn plain_blocks() {
        let text = "Here it is:\n\n[filename: Cargo.toml]\n[package]\nname = \"x\"\n\n[filename: src/main.rs]\nfn main() {}";
        assert_eq!(
            parsed(text),
            [
                ("Cargo.toml".to_owned(), "[package]\nname = \"x\"\n".to_owned()),
                ("src/main.rs".to_owned(), "fn main() {}\n".to_owned())
            ]
        );
    }

    #[test]
    fn indented_blocks() {
        let text =
            "\n    [filename: a]\n    one\n        two\n\n    [filename: b]\n    three\n    ";
        assert_eq!(bodies(text), ["one\n    two\n", "three\n"]);
    }

    #[test]
    fn fenced_blocks_lose_fences_and_prose() {
        let text = "[filename: a]\n```rust\nfn a() {}\n```\nThis does nothing.\n\n[filename: b]\n\n```\nb\n```\n";
        assert_eq!(bodies(text), ["fn a() {}\n", "b\n"]);
        assert_eq!(bodies("[filename: a]\n```rust\nfn a() {}\n"), ["fn a() {}\n"]);
    }

    #[test]
    fn fences_within_a_fence_stay() {
        let text = "[filename: README.md]\n```markdown\n# X\n```bash\ncargo run\n```\nend\n```\n";
        assert_eq!(bodies(text), ["# X\n```bash\ncargo run\n```\nend\n"]);
    }

    #[test]
    fn code_behind_the_header() {
        assert_eq!(bodies("[filename: a] one\ntwo\n"), ["one\ntwo\n"]);
    }

    #[test]
    fn the_outcome_is_no_part_of_the_last_file() {
        assert_eq!(bodies("[filename: a]\nx\n\n# Build succeeded\n"), ["x\n"]);
        assert_eq!(bodies("[filename: a]\nx\n# Build failed\n# Note: why\n"), ["x\n"]);
        assert_eq!(
            bodies("[filename: a]\n# Build it\nx\n# Note: y\n"),
            ["# Build it\nx\n# Note: y\n"]
        );
    }

    fn printed(bodies: &[String]) -> String {
        let mut files = Files::new(&Limits::default());
        for (index, body) in bodies.iter().enumerate() {
            files.add(&format!("f{index}"), body.clone().into_bytes()).expect("accepted");
        }
        print(&files).expect("accepted")
    }

    fn line() -> impl Strategy<Value = String> {
        let known = [
            "[filename: a]",
            "  [filename: x] y",
            "```",
            "````",
            "`````rust",
            "````no-newline",
            "# Build succeeded",
            "# Note",
            "",
            "   ",
            "\r",
            "\t",
        ];
        prop_oneof![proptest::sample::select(known.to_vec()).prop_map(str::to_owned), "\\PC{0,8}"]
    }

    fn text() -> impl Strategy<Value = String> {
        (prop::collection::vec(line(), 0..6), any::<bool>())
            .prop_map(|(lines, end)| lines.join("\n") + if end { "\n" } else { "" })
    }

    proptest! {
        #[test]
        fn what_was_printed_is_read_to_the_letter(files in prop::collection::vec(text(), 1..4)) {
            prop_assert_eq!(bodies(&printed(&files)), files);
        }

        #[test]
        fn an_outcome_behind_what_was_printed_changes_nothing(files in prop::collection::vec(text(), 1..4)) {
            let text = printed(&files) + "\n# Build succeeded\n";
            prop_assert_eq!(bodies(&text), files);
        }

        #[test]
        fn foreign_text_never_panics(text in "(\\[filename: [a-c]?\\]|`{2,5}|\n| |\\PC){0,60}") {
            let _ = parse(&text, &Limits::default());
        }

        #[test]
        fn reading_is_stable(text in "(\\[filename: [a-c]\\]|`{2,5}|\n| |x){0,40}") {
            if let Ok(files) = parse(&text, &Limits::default()) {
                let again = parse(&print(&files).expect("accepted"), &Limits::default());
                prop_assert_eq!(again, Ok(files));
            }
        }
    }
}
