//! Files of modules stay part of the project, under the conditions that they had. A project whose module
//! became an empty one compiles, and the tests in its file never fail again.

use std::collections::BTreeMap;

use super::Complaints;
use crate::coder::items::Scan;
use crate::coder::tokens::{Kind, Token};

/// Tokens of one attribute that are compared.
const ATTRIBUTE_TOKENS_MAX: usize = 64;
/// Of the brackets around a declaration, so many are told apart by their modules' names.
const AROUND_MAX: usize = 8;

/// Why a file's declarations of modules must not become these.
pub(super) fn objection(old: &Scan<'_>, new: &Scan<'_>, complaints: &Complaints) -> Option<String> {
    cut_off(old, new, complaints).or_else(|| reconditioned(old, new, complaints))
}

/// A module whose file is not read any more.
fn cut_off(old: &Scan<'_>, new: &Scan<'_>, complaints: &Complaints) -> Option<String> {
    let (was, is) = (Declared::of(old), Declared::of(new));
    let by_name = was.is_broken;
    let (was, is) = (was.counts(by_name), is.counts(by_name));
    was.iter().find_map(|(place, count)| {
        let left = is.get(place).copied().unwrap_or(0);
        let name = &place.name;
        let may = complaints.lost.contains(name) || (left > 0 && complaints.has(&["E0428"]));
        (left < *count && !may)
            .then(|| format!("cuts the file of the module `{name}` off: `mod {name};` must stay"))
    })
}

/// Attributes that decide which file a module is, or whether something is compiled at all.
fn reconditioned(old: &Scan<'_>, new: &Scan<'_>, complaints: &Complaints) -> Option<String> {
    for word in ["path", "cfg", "cfg_attr"] {
        let (was, is) = (attributes(old, word), attributes(new, word));
        let own = |text: &str| was.get(text).copied().unwrap_or(0);
        let is_new = is.iter().any(|(text, count)| text != "cfg(test)" && own(text) < *count);
        if is_new && !(word == "path" && complaints.has_lost_file) {
            return Some(format!("writes an attribute `{word}`, which may leave code out"));
        }
    }
    None
}

/// The attributes that begin with a word, by their text, and how often each stands there.
fn attributes(scan: &Scan<'_>, word: &str) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for (place, token) in scan.tokens.iter().enumerate().filter(|(_, token)| token.is("#")) {
        let rest = &scan.tokens[place + 1..];
        let rest = &rest[usize::from(rest.first().is_some_and(|token| token.is("!")))..];
        let [open, first, ..] = rest else { continue };
        if token.kind == Kind::Sign && open.is("[") && first.is(word) {
            *all.entry(spelled(&rest[1..])).or_insert(0) += 1;
        }
    }
    all
}

/// The tokens up to the bracket that closes the attribute.
fn spelled(tokens: &[Token<'_>]) -> String {
    let mut depth = 0usize;
    let mut text = String::new();
    for token in tokens.iter().take(ATTRIBUTE_TOKENS_MAX) {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close if depth == 0 => break,
            Kind::Close => depth -= 1,
            _ => {}
        }
        text.push_str(token.text);
    }
    text
}

/// Where a module is declared whose text is another file's.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    name: String,
    /// The modules around it; nothing for a bracket that is none.
    around: Vec<String>,
    /// All brackets around it: what a macro holds may never be compiled.
    depth: usize,
}

struct Declared {
    places: Vec<Place>,
    /// Its brackets don't match: what stands inside of what can't be told.
    is_broken: bool,
}

impl Declared {
    fn of(scan: &Scan<'_>) -> Self {
        let mut found = Self { places: vec![], is_broken: false };
        let mut around: Vec<&str> = vec![];
        for (at, token) in scan.tokens.iter().enumerate() {
            let before = |back: usize| at.checked_sub(back).map(|place| scan.tokens[place]);
            match token.kind {
                Kind::Open => {
                    let is_module = before(2).is_some_and(|token| token.is("mod"));
                    let name = before(1).filter(|_| is_module && token.is("{"));
                    around.push(name.map_or("", |name| name.text));
                }
                Kind::Close => found.is_broken |= around.pop().is_none(),
                Kind::Word if before(1).is_some_and(|token| token.is("mod")) => {
                    let next = scan.tokens.get(at + 1);
                    if next.is_none_or(|next| !next.is("{")) {
                        found.places.push(Place::of(token.text, &around));
                    }
                }
                _ => {}
            }
        }
        found.is_broken |= !around.is_empty();
        found
    }

    fn counts(self, by_name: bool) -> BTreeMap<Place, usize> {
        let mut counts = BTreeMap::new();
        for place in self.places {
            let place = if by_name { Place::of(&place.name, &[]) } else { place };
            *counts.entry(place).or_insert(0) += 1;
        }
        counts
    }
}

impl Place {
    fn of(name: &str, around: &[&str]) -> Self {
        let names = around.iter().rev().take(AROUND_MAX).map(|name| (*name).to_owned());
        Self { name: name.to_owned(), around: names.collect(), depth: around.len() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::coder::items::scan;

    const TEXT: &str =
        "mod parser;\n#[cfg(test)]\nmod tests;\nmod a {\n    mod b;\n}\nfn go() {}\n";

    fn objected(old: &str, new: &str) -> Option<String> {
        objection(&scan(old), &scan(new), &Complaints::default())
    }

    #[test]
    fn a_module_keeps_its_file() {
        for (old, new) in [
            ("mod tests;", "mod tests {}"),
            ("mod parser;", "mod parser { pub fn parse() {} }"),
            ("mod parser;", "#[path = \"parser2.rs\"]\nmod parser;"),
            ("mod parser;", "mod inner { pub mod parser; }\nuse inner::parser;"),
            ("mod parser;", "macro_rules! unused { () => { mod parser; } }"),
            ("mod parser;", "nothing! { mod parser; }"),
            ("mod parser;", "// mod parser;"),
            ("mod b;", ""),
            ("#[cfg(test)]", "#[cfg(any())]"),
            ("#[cfg(test)]", "#[cfg_attr(all(), path = \"empty.rs\")]\n#[cfg(test)]"),
        ] {
            let text = TEXT.replace(old, new);
            assert!(objected(TEXT, &text).is_some(), "{text}");
        }
    }

    #[test]
    fn what_is_no_declaration_may_change() {
        for (old, new) in [
            ("fn go() {}", "fn go(path: usize) -> u8 { files[path]; [path, cfg] }"),
            ("mod parser;", "pub mod parser;\nmod more;"),
            ("fn go() {}", "#[cfg(test)]\nmod more_tests { }\nfn go() {}"),
        ] {
            let text = TEXT.replace(old, new);
            assert_eq!(objected(TEXT, &text), None, "{text}");
        }
        assert_eq!(objected("fn a() {\nmod b;\n", "fn a() {}\nmod b;\n"), None, "it was broken");
    }

    #[test]
    fn a_module_whose_file_is_missing_may_become_another() {
        let lost = BTreeSet::from(["parser".to_owned()]);
        let complaints = Complaints { lost, ..Complaints::default() };
        let text = TEXT.replace("mod parser;", "mod parse;");
        assert_eq!(objection(&scan(TEXT), &scan(&text), &complaints), None);
        let text = TEXT.replace("mod tests;", "mod tests {}");
        assert!(objection(&scan(TEXT), &scan(&text), &complaints).is_some());
    }
}
