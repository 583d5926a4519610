//! One source file, and the manifest that is made for it.

use serde::{Deserialize, Serialize};

use super::error::ProjectError;
use super::files::Files;
use super::limits::Limits;

/// An edition of Rust.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Edition {
    /// Rust 2015.
    #[serde(rename = "2015")]
    E2015,
    /// Rust 2018.
    #[serde(rename = "2018")]
    E2018,
    /// Rust 2021.
    #[serde(rename = "2021")]
    E2021,
    /// Rust 2024.
    #[default]
    #[serde(rename = "2024")]
    E2024,
}

impl Edition {
    /// As manifests write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::E2015 => "2015",
            Self::E2018 => "2018",
            Self::E2021 => "2021",
            Self::E2024 => "2024",
        }
    }
}

/// One source file without a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SingleFile {
    /// Rust code.
    pub source: String,
    /// What the manifest will say.
    pub edition: Edition,
}

impl SingleFile {
    pub(super) fn into_files(self, limits: &Limits) -> Result<Files, ProjectError> {
        let path = if has_main(&self.source) { "src/main.rs" } else { "src/lib.rs" };
        let edition = self.edition.as_str();
        let manifest = format!(
            "[package]\nname = \"project\"\nversion = \"0.1.0\"\nedition = \"{edition}\"\n\n[dependencies]\n"
        );
        let mut files = Files::new(limits);
        files.add("Cargo.toml", manifest.into_bytes())?;
        files.add(path, self.source.into_bytes())?;
        Ok(files)
    }
}

/// Whether a file has a function `main` at its top, or says that it is a program without one.
fn has_main(source: &str) -> bool {
    let mut tokens = Tokens { rest: source };
    let (mut depth, mut before) = (0_usize, "");
    while let Some(token) = tokens.next_token() {
        match token {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            "main" if depth == 0 && before == "fn" => return true,
            "no_main" => return true,
            _ => {}
        }
        before = token;
    }
    false
}

/// Words and braces of Rust code, without comments and literals: enough to find a function.
struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    fn next_token(&mut self) -> Option<&'a str> {
        loop {
            self.rest = self.rest.trim_start();
            let first = self.rest.chars().next()?;
            let token = self.cut(token_bytes(self.rest, first));
            if first == '{' || first == '}' || (is_word(first) && !token.contains(['"', '\''])) {
                return Some(token);
            }
        }
    }

    fn cut(&mut self, bytes: usize) -> &'a str {
        let (token, rest) = self.rest.split_at(bytes.min(self.rest.len()));
        self.rest = rest;
        token
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn token_bytes(text: &str, first: char) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return comment_bytes(text);
    }
    match first {
        '"' => string_bytes(text),
        '\'' => quote_bytes(text),
        _ if is_word(first) => word_bytes(text),
        _ => first.len_utf8(),
    }
}

/// Comments nest.
fn comment_bytes(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
        } else {
            at += 1;
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn string_bytes(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A character in quotes, or the mark of a lifetime alone.
fn quote_bytes(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match (characters.next(), characters.next()) {
        (Some((_, '\\')), Some(_)) => {
            characters.find(|(_, letter)| *letter == '\'').map_or(text.len(), |(at, _)| at + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

/// A word, or a raw string with the word before it.
fn word_bytes(text: &str) -> usize {
    let word = text.find(|letter| !is_word(letter)).unwrap_or(text.len());
    if !matches!(&text[..word], "r" | "br" | "cr") {
        return word;
    }
    let rest = &text[word..];
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    if !rest[hashes..].starts_with('"') {
        return word;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let inner = &rest[hashes + 1..];
    inner.find(&end).map_or(text.len(), |at| word + hashes + 1 + at + end.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_main_at_the_top_makes_a_program() {
        for source in [
            "fn main() {}",
            "#[tokio::main]\nasync fn main() {}",
            "mod a {} pub fn main<>() {}",
            "use x::{a, b};\nfn main(){}",
            "#![no_main]",
            "const A: char = '{'; fn main() {}",
            "fn a<'a>(x: &'a str) {} fn main() {}",
            "const S: &str = r#\"{\"#; fn main() {}",
        ] {
            assert!(has_main(source), "{source}");
        }
    }

    #[test]
    fn another_main_makes_none() {
        for source in [
            "",
            "fn domain() {}",
            "// fn main() {}",
            "/* /* */ fn main() {} */",
            "mod a { fn main() {} }",
            "const A: &str = \"fn main() {}\";",
            "const A: &str = r##\"\"# fn main() {}\"##;",
            "fn mainly() {}",
            "/// fn main()\nfn a() {}",
        ] {
            assert!(!has_main(source), "{source}");
        }
    }

    #[test]
    fn files_are_made_around_the_source() {
        let single = SingleFile { source: "pub fn a() {}".to_owned(), edition: Edition::E2021 };
        let files = single.into_files(&Limits::default()).expect("accepted");
        let manifest =
            String::from_utf8_lossy(files.get("Cargo.toml").expect("accepted")).into_owned();
        assert!(manifest.contains("edition = \"2021\""));
        assert!(files.get("src/lib.rs").is_some());
    }

    proptest! {
        #[test]
        fn foreign_code_never_panics(source in "(fn main|r#*\"|/\\*|\\*/|//|'|\"|\\\\|\\{|\\}|é|\n|\\PC){0,40}") {
            has_main(&source);
        }
    }
}
