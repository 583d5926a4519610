//! Rust text as tokens, also where it is broken: what can't be told apart is taken as it comes.

/// A raw string that is longer counts as one without an end: looking for it would take too long in a
/// text of many beginnings.
const RAW_STRING_BYTES_MAX: usize = 64 << 10;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a keyword.
    Word,
    /// `'a`
    Lifetime,
    /// A string, a character or a number.
    Literal,
    /// One of `( [ {`
    Open,
    /// One of `) ] }`
    Close,
    /// Any other sign.
    Sign,
}

/// One token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// Its first byte.
    pub(super) start: usize,
}

impl Token<'_> {
    /// The byte behind it.
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    pub(super) fn is(&self, text: &str) -> bool {
        self.text == text
    }
}

/// The tokens of a text, comments left out. A string without an end is taken to end with its line.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut lexer = Lexer { text, place: 0, strings_end_with_lines: false, open_end: false };
    let all = lexer.all();
    if !lexer.open_end {
        return all;
    }
    Lexer { text, place: 0, strings_end_with_lines: true, open_end: false }.all()
}

struct Lexer<'a> {
    text: &'a str,
    place: usize,
    strings_end_with_lines: bool,
    /// A string had no end.
    open_end: bool,
}

impl<'a> Lexer<'a> {
    fn all(&mut self) -> Vec<Token<'a>> {
        let mut all = vec![];
        while let Some(first) = self.rest().chars().next() {
            let start = self.place;
            let kind = self.step(first);
            // Every step takes at least one character: this ends.
            self.place = self.place.max(start + first.len_utf8()).min(self.text.len());
            while !self.text.is_char_boundary(self.place) {
                self.place += 1;
            }
            if let Some(kind) = kind {
                all.push(Token { kind, text: &self.text[start..self.place], start });
            }
        }
        all
    }

    fn rest(&self) -> &'a str {
        &self.text[self.place..]
    }

    fn step(&mut self, first: char) -> Option<Kind> {
        let rest = self.rest();
        if first.is_whitespace() {
            self.take_while(char::is_whitespace);
            return None;
        }
        if rest.starts_with("//") {
            self.place += rest.find('\n').unwrap_or(rest.len());
            return None;
        }
        if rest.starts_with("/*") {
            self.block_comment();
            return None;
        }
        Some(match first {
            '"' => self.string(1),
            '\'' => self.quote(),
            '(' | '[' | '{' => Kind::Open,
            ')' | ']' | '}' => Kind::Close,
            '0'..='9' => self.number(),
            _ if is_word(first) => self.word(),
            _ => Kind::Sign,
        })
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.place += rest.find(|character| !wanted(character)).unwrap_or(rest.len());
    }

    fn block_comment(&mut self) {
        let bytes = self.text.as_bytes();
        let mut depth = 0usize;
        while self.place < bytes.len() {
            match &bytes[self.place..] {
                [b'/', b'*', ..] => (depth, self.place) = (depth + 1, self.place + 2),
                [b'*', b'/', ..] => (depth, self.place) = (depth - 1, self.place + 2),
                _ => self.place += 1,
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// A string that begins so many bytes from here.
    fn string(&mut self, offset: usize) -> Kind {
        let bytes = self.text.as_bytes();
        self.place += offset;
        while let Some(byte) = bytes.get(self.place) {
            match byte {
                b'\\' => self.place += 2,
                b'"' => {
                    self.place += 1;
                    return Kind::Literal;
                }
                b'\n' if self.strings_end_with_lines => return Kind::Literal,
                _ => self.place += 1,
            }
        }
        self.open_end = true;
        Kind::Literal
    }

    /// A raw string, from its number signs on; nothing if it is none.
    fn raw_string(&mut self, offset: usize) -> Option<Kind> {
        let rest = self.rest().get(offset..)?;
        let signs = rest.bytes().take_while(|byte| *byte == b'#').count();
        let body = rest.get(signs..)?.strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(signs.min(255)));
        let near = &body[..body.floor_char_boundary(RAW_STRING_BYTES_MAX)];
        match near.find(&end) {
            Some(length) => self.place += offset + signs + 1 + length + end.len(),
            None => {
                let line = body.find('\n').filter(|_| self.strings_end_with_lines);
                self.open_end = true;
                self.place += offset + signs + 1 + line.unwrap_or(body.len());
            }
        }
        Some(Kind::Literal)
    }

    /// A character or a lifetime.
    fn quote(&mut self) -> Kind {
        let mut inside = self.rest()[1..].chars();
        match (inside.next(), inside.next()) {
            (Some('\\'), _) => {
                let rest = &self.rest()[2..];
                let skip = rest.chars().next().map_or(0, char::len_utf8);
                let end = rest[skip..].find(['\'', '\n']).map_or(0, |end| end + 1);
                self.place += 2 + skip + end;
                Kind::Literal
            }
            (Some(character), Some('\'')) => {
                self.place += character.len_utf8() + 2;
                Kind::Literal
            }
            (Some(character), _) if is_word(character) => {
                self.place += 1;
                self.take_while(is_word);
                Kind::Lifetime
            }
            _ => Kind::Sign,
        }
    }

    fn number(&mut self) -> Kind {
        self.take_while(is_word);
        let mut behind = self.rest().chars();
        if behind.next() == Some('.') && behind.next().is_some_and(|next| next.is_ascii_digit()) {
            self.place += 1;
            self.take_while(is_word);
        }
        Kind::Literal
    }

    fn word(&mut self) -> Kind {
        let rest = self.rest();
        for (prefix, is_raw) in
            [("br", true), ("cr", true), ("r", true), ("b", false), ("c", false)]
        {
            let Some(behind) = rest.strip_prefix(prefix) else { continue };
            if is_raw && let Some(kind) = self.raw_string(prefix.len()) {
                return kind;
            }
            if !is_raw && behind.starts_with('"') {
                return self.string(prefix.len() + 1);
            }
        }
        if rest.starts_with("r#") {
            self.place += 2;
        }
        self.take_while(is_word);
        Kind::Word
    }
}

pub(super) fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        tokens(text).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn strings_characters_and_comments_hide_what_is_in_them() {
        assert_eq!(texts("a /* { /* } */ */ b // {\nc"), ["a", "b", "c"]);
        assert_eq!(texts(r#"f("a\"{", '{', '\'', 'x: &'a str)"#).len(), 14);
        assert_eq!(
            texts("r#\"a\"}\"# br\"x\" b\"y\" r#fn"),
            ["r#\"a\"}\"#", "br\"x\"", "b\"y\"", "r#fn"]
        );
        assert_eq!(texts("1.0..2 x.0 1.max(2)").len(), 13);
    }

    #[test]
    fn a_string_without_an_end_ends_with_its_line() {
        assert_eq!(texts("f(\"a);\ng()"), ["f", "(", "\"a);", "g", "(", ")"]);
        assert_eq!(texts("a \"").len(), 2);
    }

    #[test]
    fn anything_at_all_has_tokens_that_stand_in_it() {
        let pieces =
            ["'", "\"", "r#", "\\", "é", "/*", "*/", "{", "b'", "\n", "1.", "'a", "\u{1F600}"];
        let mut state = 7usize;
        for _ in 0..2000 {
            let mut text = String::new();
            for _ in 0..12 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                text.push_str(pieces[(state >> 33) % pieces.len()]);
            }
            let mut behind = 0;
            for token in tokens(&text) {
                assert!(token.start >= behind && !token.text.is_empty(), "{text:?}");
                behind = token.end();
            }
        }
    }
}
