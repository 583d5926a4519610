//! What a Rust text declares, found without a parser, for it may be broken.

use super::tokens::{Kind, Token, tokens};

/// Tokens between an item's keyword and its body at most: broken texts have items without an end.
const HEAD_TOKENS_MAX: usize = 2000;

/// What is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    Function,
    Test,
    /// A struct, enum, union, trait or type alias.
    Type,
    /// A constant or static.
    Value,
    Macro,
    Module,
    Implementation,
}

impl What {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Test => "test",
            Self::Type => "type",
            Self::Value => "constant",
            Self::Macro => "macro",
            Self::Module => "module",
            Self::Implementation => "implementation of",
        }
    }
}

/// One declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) what: What,
    /// Its name; for an implementation, the type's.
    pub(super) name: String,
    /// Whether it only exists for tests.
    pub(super) for_tests: bool,
    /// Its first byte, attributes included, and the byte behind its last.
    pub(super) bytes: (usize, usize),
    /// The tokens of what stands in its braces, if it has any, without these.
    pub(super) body: (usize, usize),
}

impl Item {
    /// Whether it has a body in its text, be it empty; a trait declares functions without.
    pub(super) fn is_written(&self, text: &str) -> bool {
        self.body.0 < self.body.1
            || text.get(..self.bytes.1).is_some_and(|text| text.ends_with('}'))
    }
}

/// A text's tokens and what they declare.
pub(super) struct Scan<'a> {
    pub(super) tokens: Vec<Token<'a>>,
    pub(super) items: Vec<Item>,
}

impl Scan<'_> {
    pub(super) fn body(&self, item: &Item) -> &[Token<'_>] {
        self.tokens.get(item.body.0..item.body.1).unwrap_or_default()
    }
}

/// Reads a text.
pub(super) fn scan(text: &str) -> Scan<'_> {
    let tokens = tokens(text);
    let partners = partners(&tokens);
    let mut scanner = Scanner { tokens: &tokens, partners, items: vec![] };
    scanner.all();
    let items = scanner.items;
    Scan { tokens, items }
}

struct Scanner<'a> {
    tokens: &'a [Token<'a>],
    /// For an opening brace, the token that closes it.
    partners: Vec<usize>,
    items: Vec<Item>,
}

/// For each opening brace the token that closes it, or the end.
fn partners(tokens: &[Token<'_>]) -> Vec<usize> {
    let mut partners = vec![tokens.len(); tokens.len()];
    let mut open = vec![];
    for (place, token) in tokens.iter().enumerate() {
        match token.text {
            "{" if token.kind == Kind::Open => open.push(place),
            "}" if token.kind == Kind::Close => {
                if let Some(start) = open.pop() {
                    partners[start] = place;
                }
            }
            _ => {}
        }
    }
    partners
}

/// Attributes that stand before an item.
#[derive(Default)]
struct Attributes {
    start: Option<usize>,
    is_test: bool,
    for_tests: bool,
}

impl Scanner<'_> {
    fn all(&mut self) {
        let mut attributes = Attributes::default();
        // The places up to which everything is for tests.
        let mut tests_until = 0;
        let mut place = 0;
        while place < self.tokens.len() {
            if self.tokens[place].is("#") && self.is_at(place + 1, "[") {
                place = self.attribute(place, &mut attributes);
                continue;
            }
            if let Some(mut item) = self.item(place, &attributes) {
                item.for_tests |= place < tests_until;
                if item.for_tests {
                    tests_until = tests_until.max(item.body.1);
                }
                self.items.push(item);
            }
            if !is_prefix(self.tokens[place].text) {
                attributes = Attributes::default();
            }
            place += 1;
        }
    }

    fn is_at(&self, place: usize, text: &str) -> bool {
        self.tokens.get(place).is_some_and(|token| token.is(text))
    }

    /// Takes an attribute; the place behind it.
    fn attribute(&self, start: usize, attributes: &mut Attributes) -> usize {
        let mut depth = 0usize;
        let mut place = start + 1;
        let mut words = vec![];
        while let Some(token) = self.tokens.get(place) {
            match token.text {
                "[" => depth += 1,
                "]" => depth -= 1,
                _ if token.kind == Kind::Word => words.push(token.text),
                _ => {}
            }
            place += 1;
            if depth == 0 {
                break;
            }
        }
        attributes.start.get_or_insert(self.tokens[start].start);
        attributes.for_tests |= words == ["cfg", "test"];
        let is_path = words.len() <= 2 || words[1] == "test";
        attributes.is_test |= matches!(words.first(), Some(&("test" | "rstest" | "test_case")))
            || (is_path && words.get(1) == Some(&"test") && words[0] != "cfg");
        place
    }

    fn item(&self, place: usize, attributes: &Attributes) -> Option<Item> {
        let token = &self.tokens[place];
        if token.kind != Kind::Word {
            return None;
        }
        let what = match token.text {
            "fn" if attributes.is_test => What::Test,
            "fn" => What::Function,
            "struct" | "enum" | "union" | "trait" | "type" => What::Type,
            "const" | "static" => What::Value,
            "macro_rules" => What::Macro,
            "mod" => What::Module,
            "impl" if self.starts_item(place) => What::Implementation,
            _ => return None,
        };
        let name = match what {
            What::Implementation => self.implemented(place)?,
            What::Macro => self.name(place + 2)?,
            _ => self.name(place + 1 + usize::from(self.is_at(place + 1, "mut")))?,
        };
        let (body, end) = self.body(place);
        let start = attributes.start.unwrap_or(token.start);
        let for_tests = attributes.for_tests || attributes.is_test;
        Some(Item { what, name, for_tests, bytes: (start, end), body })
    }

    /// An `impl` in a type is none.
    fn starts_item(&self, place: usize) -> bool {
        let before = place.checked_sub(1).and_then(|place| self.tokens.get(place));
        before
            .is_none_or(|token| matches!(token.text, "}" | ";" | "]" | "unsafe" | "default" | "{"))
    }

    fn name(&self, place: usize) -> Option<String> {
        let token = self.tokens.get(place).filter(|token| token.kind == Kind::Word)?;
        let is_name = !matches!(token.text, "fn" | "unsafe" | "extern" | "async");
        is_name.then(|| token.text.to_owned())
    }

    /// The name of the type that an `impl` is for: the last word before its parameters.
    fn implemented(&self, place: usize) -> Option<String> {
        let mut depth = 0i64;
        let mut name = None;
        for token in self.tokens.get(place + 1..)?.iter().take(HEAD_TOKENS_MAX) {
            match token.text {
                "<" => depth += 1,
                ">" => depth -= 1,
                "{" | "where" if depth <= 0 => break,
                "for" if depth <= 0 => name = None,
                _ if depth <= 0 && token.kind == Kind::Word => name = Some(token.text.to_owned()),
                _ => {}
            }
        }
        name
    }

    /// The tokens in an item's braces, and the byte behind the item.
    fn body(&self, place: usize) -> ((usize, usize), usize) {
        let mut depth = 0i64;
        let last = self.tokens.len().min(place + HEAD_TOKENS_MAX);
        for at in place..last {
            let token = &self.tokens[at];
            match (token.kind, token.text) {
                (Kind::Open, "{") if depth <= 0 => {
                    let close = self.partners[at];
                    let last = self.tokens.get(close).or(self.tokens.last());
                    return ((at + 1, close), last.map_or(0, Token::end));
                }
                (Kind::Sign, ";") if depth <= 0 => return ((at, at), token.end()),
                (Kind::Open, _) => depth += 1,
                (Kind::Close, _) => depth -= 1,
                _ => {}
            }
        }
        ((last, last), self.tokens[last - 1].end())
    }
}

/// Words that stand between an item's attributes and its keyword.
fn is_prefix(text: &str) -> bool {
    matches!(
        text,
        "pub"
            | "("
            | ")"
            | "crate"
            | "super"
            | "in"
            | "self"
            | "async"
            | "const"
            | "unsafe"
            | "extern"
            | "default"
    ) || text.starts_with('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<(What, String, bool)> {
        let items = scan(text).items;
        items.into_iter().map(|item| (item.what, item.name, item.for_tests)).collect()
    }

    #[test]
    fn functions_tests_types_and_modules_are_found() {
        let text = "
            pub struct Point<T> { x: T }
            impl<T: Copy> fmt::Display for Point<T> where T: fmt::Debug { fn fmt(&self) {} }
            pub(crate) async fn go(f: impl Fn() -> u8) {}
            const N: usize = { 3 };
            macro_rules! m { () => { } }
            #[cfg(test)]
            mod tests { use super::*; fn helper() {} #[test] #[should_panic] fn one() {} }
            #[tokio::test(flavor = \"x\")]
            async fn two() {}
            #[cfg(feature = \"test\")]
            fn three() {}
            #[derive(Debug)] enum E { A }";
        let wanted = [
            (What::Type, "Point", false),
            (What::Implementation, "Point", false),
            (What::Function, "fmt", false),
            (What::Function, "go", false),
            (What::Value, "N", false),
            (What::Macro, "m", false),
            (What::Module, "tests", true),
            (What::Function, "helper", true),
            (What::Test, "one", true),
            (What::Test, "two", true),
            (What::Function, "three", false),
            (What::Type, "E", false),
        ];
        let wanted = wanted.map(|(what, name, tests)| (what, name.to_owned(), tests));
        assert_eq!(names(text), wanted);
    }

    #[test]
    fn broken_text_has_items_too() {
        let found = names("fn a( { \n fn b() { \"x \n } fn c( } struct");
        let functions: Vec<_> = found.iter().map(|(_, name, _)| name.as_str()).collect();
        assert_eq!(functions, ["a", "b", "c"]);
    }

    #[test]
    fn bodies_are_between_the_braces() {
        let text = "fn a(x: [u8; 3]) -> u8 { x[0] } trait T { fn b(); }";
        let scan = scan(text);
        let body = |place: usize| scan.body(&scan.items[place]).len();
        assert_eq!((body(0), body(1), body(2)), (4, 5, 0));
        let (start, end) = scan.items[0].bytes;
        assert_eq!(&text[start..end], "fn a(x: [u8; 3]) -> u8 { x[0] }");
    }
}
