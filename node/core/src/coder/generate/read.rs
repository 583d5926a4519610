//! Files out of what a model writes.
//!
//! It was asked for a line `[filename: path]` and a fence of code for each file. What models write
//! instead is read too: a path behind the fence's language, in a line of its own before the fence, or in
//! a comment on the first line; bodies without a fence; a fence that is never closed. One block without
//! any path is the main file.

/// Files of one answer at most, and bytes of one.
const FILES_MAX: usize = 64;
const FILE_BYTES_MAX: usize = 256 << 10;

const HEADER: &str = "[filename:";

/// Characters of a line before a fence in which a path is looked for.
const TITLE_CHARS_MAX: usize = 120;

/// A file as the model wrote it; its path is foreign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// Nothing: no path was given.
    pub path: Option<String>,
    pub text: String,
}

/// Reads an answer; the later of two files of one path counts, unless it is the first one's tests.
pub(super) fn read(answer: &str) -> Vec<Written> {
    let mut reader = Reader::default();
    for line in answer.lines() {
        reader.take(line);
    }
    reader.close();
    reader.files
}

#[derive(Default)]
struct Reader {
    files: Vec<Written>,
    /// The path that the next body belongs to.
    path: Option<String>,
    open: Option<Open>,
}

/// A body that is being read.
struct Open {
    path: Option<String>,
    /// The fence that closes it; a body behind a header may have none.
    fence: Option<usize>,
    text: String,
}

impl Reader {
    fn take(&mut self, line: &str) {
        if let Some(path) = header(line) {
            self.close();
            self.path = Some(path);
            return;
        }
        match (&mut self.open, fence(line)) {
            (Some(Open { fence: Some(open), .. }), Some((length, ""))) if length >= *open => {
                self.close();
            }
            (Some(open), None) => open.push(line),
            // A fence within a body that has one is a part of it.
            (Some(open @ Open { fence: Some(_), .. }), Some(_)) => open.push(line),
            (_, Some((length, info))) => self.begin(length, info),
            (None, None) => self.note(line),
        }
    }

    fn begin(&mut self, length: usize, info: &str) {
        // What stood between a header and its fence was talk.
        if let Some(Open { path, fence: None, .. }) = self.open.take() {
            self.path = path;
        }
        let own = info.split([' ', ':', '=', ',', '"', '{', '}']).find_map(path_of);
        let path = own.or(self.path.take());
        let path = path.or_else(|| info.starts_with("toml").then(|| "Cargo.toml".to_owned()));
        self.open = Some(Open { path, fence: Some(length), text: String::new() });
        self.path = None;
    }

    /// A line between bodies: a title, the start of a body without a fence, or talk.
    fn note(&mut self, line: &str) {
        if self.path.is_some() && !line.trim().is_empty() && !is_title(line) {
            // Behind a header without a fence comes the body itself.
            let path = self.path.take();
            let mut open = Open { path, fence: None, text: String::new() };
            open.push(line);
            self.open = Some(open);
        } else if line.chars().count() <= TITLE_CHARS_MAX && is_title(line) {
            self.path = line.split_whitespace().find_map(path_of).or(self.path.take());
        }
    }

    fn close(&mut self) {
        let Some(Open { path, text, .. }) = self.open.take() else { return };
        if text.trim().is_empty() || self.files.len() >= FILES_MAX {
            return;
        }
        let path = path.or_else(|| text.lines().next().and_then(commented_path));
        let same = self.files.iter_mut().find(|file| path.is_some() && file.path == path);
        if let Some(file) = same.filter(|file| are_tests_of(&text, &file.text)) {
            file.text.push('\n');
            file.text.push_str(&text);
            return;
        }
        self.files.retain(|file| path.is_none() || file.path != path);
        self.files.push(Written { path, text });
    }
}

impl Open {
    fn push(&mut self, line: &str) {
        if self.text.len() + line.len() < FILE_BYTES_MAX {
            self.text.push_str(line);
            self.text.push('\n');
        }
    }
}

/// Whether a text is the tests of a file and not all of it again.
fn are_tests_of(text: &str, file: &str) -> bool {
    let is_tests = |text: &str| text.trim_start().starts_with("#[cfg(test)]");
    is_tests(text) && !is_tests(file) && !file.contains("#[cfg(test)]")
}

fn header(line: &str) -> Option<String> {
    let path = line.trim_start().strip_prefix(HEADER)?.split(']').next()?;
    Some(path.trim().trim_matches('`').to_owned())
}

/// A fence's backticks and what stands behind them.
fn fence(line: &str) -> Option<(usize, &str)> {
    let line = line.trim();
    let length = line.len() - line.trim_start_matches('`').len();
    (length >= 3).then(|| (length, line[length..].trim()))
}

/// A line that names a file: `### src/main.rs`, `**src/main.rs**`, `File: src/main.rs`.
fn is_title(line: &str) -> bool {
    let mut paths = line.split_whitespace().filter_map(path_of);
    paths.next().is_some() && paths.next().is_none()
}

fn commented_path(line: &str) -> Option<String> {
    let line = line.trim();
    let comment = line.strip_prefix("//").or(line.strip_prefix('#'))?;
    let mut words = comment.split_whitespace();
    let path = words.find_map(path_of)?;
    words.next().is_none().then_some(path)
}

/// A path, if a word is one of a file of a project.
fn path_of(word: &str) -> Option<String> {
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '.');
    let word = word.trim_end_matches('.');
    let ends = [".rs", ".toml"].iter().any(|end| word.len() > end.len() && word.ends_with(end));
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-/.".contains(c);
    (ends && word.chars().all(is_plain)).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(answer: &str) -> Vec<(Option<String>, String)> {
        read(answer).into_iter().map(|file| (file.path, file.text)).collect()
    }

    fn one(path: &str, text: &str) -> Vec<(Option<String>, String)> {
        vec![(Some(path.to_owned()), text.to_owned())]
    }

    #[test]
    fn answers_without_a_file_have_none() {
        for answer in
            ["", "Sure! Here is the code:", "```\n```", "[filename: src/main.rs]", "```rust\n\n"]
        {
            assert!(files(answer).is_empty(), "{answer:?}");
        }
    }

    #[test]
    fn a_path_is_found_wherever_models_put_it() {
        let body = "fn main() {}\n";
        for answer in [
            "[filename: src/main.rs]\n```rust\nfn main() {}\n```",
            "[filename: src/main.rs]\nfn main() {}",
            "[filename: src/main.rs]\nHere it is:\n```rust\nfn main() {}\n```",
            "    [filename: src/main.rs]\n\n```\nfn main() {}\n```\nThat is it.",
            "```rust src/main.rs\nfn main() {}\n```",
            "```rust:src/main.rs\nfn main() {}\n```",
            "```rust title=\"src/main.rs\"\nfn main() {}\n```",
            "### `src/main.rs`\n\n```rust\nfn main() {}\n```",
            "**src/main.rs**:\n```rust\nfn main() {}\n",
            "File: src/main.rs\n```\nfn main() {}\n```",
        ] {
            assert_eq!(files(answer), one("src/main.rs", body), "{answer}");
        }
        let commented = "```rust\n// src/main.rs\nfn main() {}\n```";
        assert_eq!(files(commented), one("src/main.rs", "// src/main.rs\nfn main() {}\n"));
    }

    #[test]
    fn a_block_without_a_path_keeps_none_and_toml_is_a_manifest() {
        let answer = "Here:\n```rust\nfn main() {}\n```\n```toml\n[dependencies]\n```";
        let manifest = (Some("Cargo.toml".to_owned()), "[dependencies]\n".to_owned());
        assert_eq!(files(answer), [(None, "fn main() {}\n".to_owned()), manifest]);
    }

    #[test]
    fn the_later_of_two_counts_and_fences_within_stay() {
        let answer = "[filename: a.rs]\n````\n/// ```\n/// x\n/// ```\n```\nfn a() {}\n````\n\
                      [filename: b.rs]\nold\n[filename: b.rs]\nnew\n";
        let found = files(answer);
        assert_eq!(found[0].1, "/// ```\n/// x\n/// ```\n```\nfn a() {}\n");
        assert_eq!(found[1..], one("b.rs", "new\n"));
        let tests = "[filename: a.rs]\nfn a() {}\n[filename: a.rs]\n#[cfg(test)]\nmod tests {}\n";
        assert_eq!(files(tests), one("a.rs", "fn a() {}\n\n#[cfg(test)]\nmod tests {}\n"));
    }

    #[test]
    fn what_is_too_much_is_left_out() {
        let many: String = (0..100).map(|n| format!("[filename: {n}.rs]\nx\n")).collect();
        assert_eq!(read(&many).len(), FILES_MAX);
        let long = format!("[filename: a.rs]\n{}", "x\n".repeat(FILE_BYTES_MAX));
        assert!(read(&long)[0].text.len() <= FILE_BYTES_MAX);
    }
}
