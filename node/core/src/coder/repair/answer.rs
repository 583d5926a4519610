//! What a model wrote, as changes of files: search/replace blocks, or whole files in fences.
//!
//! A block is applied exactly, or refused with a reason that the model can learn from. Nothing is
//! guessed but blanks: at the ends of lines, and the indentation of a block as a whole.

use crate::build::Files;

/// Changes of one answer at most.
const CHANGES_MAX: usize = 32;
/// Lines of one block's search part at most.
const SEARCH_LINES_MAX: usize = 400;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// These lines become those.
    Block { path: Option<String>, search: Vec<String>, replace: Vec<String> },
    /// The file is this now.
    Whole { path: Option<String>, text: String },
}

/// What an answer says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) changes: Vec<Change>,
    /// What stands outside of blocks and files.
    pub(super) words: String,
    /// It ends in the middle of a block.
    pub(super) is_cut: bool,
}

/// Where the reader is.
enum Place {
    Outside,
    Fence { path: Option<String>, lines: Vec<String>, marks: String },
    Search { lines: Vec<String> },
    Replace { search: Vec<String>, lines: Vec<String> },
}

/// Reads an answer.
pub(super) fn read(text: &str) -> Answered {
    let mut reader = Reader { place: Place::Outside, path: None, answered: Answered::default() };
    for line in text.lines() {
        if reader.answered.changes.len() < CHANGES_MAX {
            reader.take(line);
        }
    }
    reader.answered.is_cut = !matches!(reader.place, Place::Outside);
    reader.answered
}

struct Reader {
    place: Place,
    /// The file that was named last.
    path: Option<String>,
    answered: Answered,
}

impl Reader {
    fn take(&mut self, line: &str) {
        self.place = match std::mem::replace(&mut self.place, Place::Outside) {
            Place::Outside => self.outside(line),
            Place::Fence { path, lines, marks } => self.in_fence(line, (path, lines, marks)),
            Place::Search { mut lines } => {
                if is_mark(line, '=') {
                    Place::Replace { search: lines, lines: vec![] }
                } else {
                    lines.push(line.to_owned());
                    Place::Search { lines }
                }
            }
            Place::Replace { search, mut lines } => {
                if is_mark(line, '>') {
                    let path = self.path.clone();
                    self.answered.changes.push(Change::Block { path, search, replace: lines });
                    Place::Outside
                } else {
                    lines.push(line.to_owned());
                    Place::Replace { search, lines }
                }
            }
        };
    }

    fn outside(&mut self, line: &str) -> Place {
        if is_mark(line, '<') {
            return Place::Search { lines: vec![] };
        }
        let trimmed = line.trim_start();
        if let Some(behind) = trimmed.strip_prefix("```") {
            let named = behind.split([' ', ':']).find_map(path_in);
            if behind.trim().is_empty() && self.answered.changes.last().is_some_and(is_block) {
                // The end of a fence around a block.
                return Place::Outside;
            }
            let path = named.or_else(|| self.path.clone());
            let ticks = trimmed.chars().take_while(|tick| *tick == '`').count();
            return Place::Fence { path, lines: vec![], marks: "`".repeat(ticks) };
        }
        match path_in(line) {
            Some(path) => self.path = Some(path),
            None => {
                self.answered.words.push_str(line);
                self.answered.words.push('\n');
            }
        }
        Place::Outside
    }

    fn in_fence(&mut self, line: &str, fence: (Option<String>, Vec<String>, String)) -> Place {
        let (mut path, mut lines, marks) = fence;
        if is_mark(line, '<') {
            // The fence is around a block, with or without a path above it.
            self.path = lines.iter().rev().find_map(|line| path_in(line)).or(path);
            return Place::Search { lines: vec![] };
        }
        if line.trim() == marks {
            let mut text = lines.join("\n");
            text.push('\n');
            self.answered.changes.push(Change::Whole { path, text });
            self.path = None;
            return Place::Outside;
        }
        let comment = line.trim().strip_prefix("//").filter(|_| lines.is_empty());
        if let Some(named) = comment.and_then(path_in) {
            path = Some(named);
        } else {
            lines.push(line.to_owned());
        }
        Place::Fence { path, lines, marks }
    }
}

fn is_block(change: &Change) -> bool {
    matches!(change, Change::Block { .. })
}

/// A line of at least five of these signs, with or without a word behind them.
fn is_mark(line: &str, sign: char) -> bool {
    let trimmed = line.trim();
    let signs = trimmed.chars().take_while(|own| *own == sign).count();
    let word = trimmed[signs * sign.len_utf8()..].trim();
    signs >= 5
        && matches!(word, "" | "SEARCH" | "REPLACE" | "ORIGINAL" | "UPDATED" | "search" | "replace")
}

/// The file that a line names, if it names one and says nothing else.
fn path_in(line: &str) -> Option<String> {
    let line = line.trim().trim_matches(['#', '*', '`', ':', '[', ']', ' ']);
    let labels = ["filename:", "File:", "file:", "path:", "Path:", "Filename:"];
    let named = labels.iter().find_map(|label| line.strip_prefix(label)).unwrap_or(line);
    let path = named.trim().trim_matches(['*', '`', '"', ' ']).trim_start_matches("./");
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    let is_file = path.ends_with(".rs") || path.ends_with("Cargo.toml");
    let inside =
        !path.starts_with('/') && !path.split('/').any(|part| part.is_empty() || part == "..");
    (is_file && inside && path.len() < 200 && path.bytes().all(plain)).then(|| path.to_owned())
}

/// The files after all changes of an answer.
///
/// # Errors
/// Why a change can't be made: none is then.
pub(super) fn apply(files: &Files, answered: &Answered) -> Result<Files, String> {
    if answered.changes.is_empty() {
        return Err(match answered.is_cut {
            true => "the answer ends before its first change is complete: write shorter".into(),
            false => "the answer has no search/replace block and no file".into(),
        });
    }
    let mut changed = files.clone();
    for change in &answered.changes {
        match change {
            Change::Block { path, search, replace } => {
                block(&mut changed, path.as_deref(), (search, replace))?;
            }
            Change::Whole { path, text } => whole(&mut changed, path.as_deref(), text)?,
        }
    }
    match changed == *files {
        true => Err("the answer changes nothing".into()),
        false => Ok(changed),
    }
}

fn whole(files: &mut Files, path: Option<&str>, text: &str) -> Result<(), String> {
    let mut sources = files.keys().filter(|path| path.ends_with(".rs"));
    let only = sources.next().filter(|_| sources.next().is_none());
    let path = path.or(only.map(String::as_str));
    let path = path.ok_or("a file in the answer has no path above it")?.to_owned();
    files.insert(path, text.to_owned());
    Ok(())
}

fn block(
    files: &mut Files,
    path: Option<&str>,
    change: (&[String], &[String]),
) -> Result<(), String> {
    let (search, replace) = change;
    if search.len() > SEARCH_LINES_MAX {
        return Err(format!("a SEARCH part has more than {SEARCH_LINES_MAX} lines"));
    }
    if search.iter().all(|line| line.trim().is_empty()) {
        return Err("a SEARCH part is empty: it must hold the lines that are to be replaced".into());
    }
    let named = path.filter(|path| files.contains_key(*path)).map(str::to_owned);
    let holds = |path: &&String| found(&files[*path], search).is_ok();
    let path = match named {
        Some(path) => path,
        None => files.keys().find(holds).cloned().ok_or_else(|| {
            let path = path.unwrap_or("any file");
            format!("the lines of a SEARCH part do not stand in {path}: copy them as they are")
        })?,
    };
    let text = &files[&path];
    let hit = found(text, search).map_err(|reason| format!("{path}: {reason}"))?;
    let changed = replaced(text, &hit, replace);
    files.insert(path, changed);
    Ok(())
}

/// Where the lines of a search part stand.
struct Hit {
    first: usize,
    count: usize,
    /// Blanks that the file has before each line and the search part has not, or the other way.
    indent: Indent,
}

enum Indent {
    Same,
    More(String),
    Less(String),
}

fn found(text: &str, search: &[String]) -> Result<Hit, String> {
    let lines: Vec<_> = text.lines().collect();
    let start = search.iter().take_while(|line| line.trim().is_empty()).count();
    let end = search.len() - search.iter().rev().take_while(|line| line.trim().is_empty()).count();
    let wanted = &search[start..end];
    let exact = |own: &str, wanted: &str| own.trim_end() == wanted.trim_end();
    let loose = |own: &str, wanted: &str| own.trim() == wanted.trim();
    for same in [&exact as &dyn Fn(&str, &str) -> bool, &loose] {
        let fits = |window: &[&str]| window.iter().zip(wanted).all(|(own, line)| same(own, line));
        let mut hits = lines.windows(wanted.len()).enumerate().filter(|(_, window)| fits(window));
        let Some((first, window)) = hits.next() else { continue };
        if hits.next().is_some() {
            return Err(
                "the lines of a SEARCH part stand there more than once: give more of them".into()
            );
        }
        let Some(indent) = indent(window, wanted) else { continue };
        return Ok(Hit { first, count: wanted.len(), indent });
    }
    let first = wanted.first().map_or("", |line| line.trim());
    Err(format!("the lines of a SEARCH part do not stand there as they are written: `{first}` …"))
}

/// By how much a block is indented otherwise, if it is by the same for all lines.
fn indent(own: &[&str], wanted: &[String]) -> Option<Indent> {
    let blanks = |line: &str| line[..line.len() - line.trim_start().len()].to_owned();
    let pairs = own.iter().zip(wanted).filter(|(own, _)| !own.trim().is_empty());
    let mut pairs = pairs.map(|(own, wanted)| (blanks(own), blanks(wanted)));
    let (own, written) = pairs.next()?;
    if own == written {
        return pairs.all(|(own, written)| own == written).then_some(Indent::Same);
    }
    if let Some(more) = own.strip_suffix(&written) {
        let fits = pairs.all(|(own, written)| own == format!("{more}{written}"));
        return fits.then(|| Indent::More(more.to_owned()));
    }
    let less = written.strip_suffix(&own)?;
    let fits = pairs.all(|(own, written)| written == format!("{less}{own}"));
    fits.then(|| Indent::Less(less.to_owned()))
}

fn replaced(text: &str, hit: &Hit, replace: &[String]) -> String {
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let mut changed: String = lines[..hit.first].concat();
    for line in replace {
        match &hit.indent {
            Indent::More(more) if !line.trim().is_empty() => changed.push_str(more),
            _ => {}
        }
        let line = match &hit.indent {
            Indent::Less(less) => line.strip_prefix(less.as_str()).unwrap_or(line.trim_start()),
            _ => line,
        };
        changed.push_str(line);
        changed.push('\n');
    }
    let rest = &lines[hit.first + hit.count..];
    if rest.is_empty() && !text.ends_with('\n') && !replace.is_empty() {
        changed.pop();
    }
    changed.push_str(&rest.concat());
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        let main =
            "fn main() {\n    let x = 1;\n    go(x);\n}\n\nfn go(x: u8) {\n    let y = x;\n}\n";
        Files::from([
            ("src/main.rs".to_owned(), main.to_owned()),
            ("Cargo.toml".to_owned(), "[package]\n".to_owned()),
        ])
    }

    fn changed(answer: &str) -> Result<String, String> {
        apply(&files(), &read(answer)).map(|files| files["src/main.rs"].clone())
    }

    fn with(search: &str, replace: &str) -> String {
        format!(
            "Here:\nsrc/main.rs\n<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\nDone."
        )
    }

    #[test]
    fn blocks_are_applied_in_all_clothes() {
        let wanted = files()["src/main.rs"].replace("let x = 1;", "let x = 2;");
        let block = "<<<<<<< SEARCH\n    let x = 1;\n=======\n    let x = 2;\n>>>>>>> REPLACE";
        for answer in [
            format!("src/main.rs\n{block}"),
            format!("**src/main.rs**\n```rust\n{block}\n```\nThat is it."),
            format!("```rust\nsrc/main.rs\n{block}\n```"),
            format!("```src/main.rs\n{block}\n```"),
            format!("### File: `src/main.rs`\n{block}"),
            block.to_owned(),
            with("let x = 1;  ", "let x = 2;"),
            with("        let x = 1;", "        let x = 2;"),
        ] {
            assert_eq!(changed(&answer).as_ref(), Ok(&wanted), "{answer}");
        }
    }

    #[test]
    fn whole_files_are_taken_with_their_path_or_as_the_only_one() {
        for answer in [
            "src/main.rs\n```rust\nfn main() {}\n```",
            "```rust\n// src/main.rs\nfn main() {}\n```",
            "```rust:src/main.rs\nfn main() {}\n```\n",
            "[filename: src/main.rs]\n```\nfn main() {}\n```",
            "Sure!\n```rust\nfn main() {}\n```",
        ] {
            assert_eq!(changed(answer).as_deref(), Ok("fn main() {}\n"), "{answer}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_reason() {
        for (answer, reason) in [
            (String::new(), "no search/replace block"),
            ("I can't.".into(), "no search/replace block"),
            ("src/main.rs\n<<<<<<< SEARCH\n    let x".into(), "write shorter"),
            (with("let z = 1;", "a"), "do not stand there as they are written: `let z = 1;`"),
            (with("}", "a"), "more than once"),
            (with("", "a"), "is empty"),
            (with("    let x = 1;", "    let x = 1;"), "changes nothing"),
            (with("    let x = 1;\ngo(x);", "a"), "do not stand there"),
        ] {
            let refused = changed(&answer).expect_err(&answer);
            assert!(refused.contains(reason), "{refused}");
        }
        let outside = "../x.rs\n```rust\na\n```\n/etc/x.rs\n```rust\nb\n```";
        let paths: Vec<_> = read(outside).changes;
        let none = |change: &Change| matches!(change, Change::Whole { path: None, .. });
        assert!(paths.iter().all(none), "{paths:?}");
    }

    #[test]
    fn the_rest_of_the_file_stays_byte_for_byte() {
        let crlf = Files::from([("a.rs".to_owned(), "a\r\nb\r\nc".to_owned())]);
        let answer = read("a.rs\n<<<<<<< SEARCH\nc\n=======\nd\n>>>>>>> REPLACE");
        assert_eq!(apply(&crlf, &answer).expect("fits")["a.rs"], "a\r\nb\r\nd");
        let gone = read("a.rs\n<<<<<<< SEARCH\nb\n=======\n>>>>>>> REPLACE");
        assert_eq!(apply(&crlf, &gone).expect("fits")["a.rs"], "a\r\nc");
    }

    #[test]
    fn any_text_at_all_is_read_and_never_panics() {
        let pieces = [
            "```",
            "```rust\n",
            "\n",
            "<<<<<<< SEARCH\n",
            "=======\n",
            ">>>>>>> REPLACE\n",
            "src/main.rs\n",
            "fn main() {\n",
            "    let x = 1;\n",
            "é",
            "`",
            "//",
            " ",
            "[filename: ",
        ];
        let mut state = 3usize;
        for _ in 0..4000 {
            let mut text = String::new();
            for _ in 0..14 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                text.push_str(pieces[(state >> 33) % pieces.len()]);
            }
            if let Ok(files) = apply(&files(), &read(&text)) {
                assert!(files.len() <= 3, "{text:?}");
            }
        }
        let long = "<<<<<<< SEARCH\n".repeat(100_000);
        assert!(read(&long).is_cut);
    }
}
