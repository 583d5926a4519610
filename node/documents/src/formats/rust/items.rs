//! Items among tokens: where each ends, and what it is called.

use std::ops::Range;

use proc_macro2::{Delimiter, Group, TokenTree};

/// An item.
pub struct Item {
    /// What it is called; none for uses, inner attributes and macro calls. `Type as Trait` for the
    /// implementation of a trait.
    pub name: Option<String>,
    pub kind: Kind,
    /// Where its keyword or a qualifier before it stands, behind documentation and attributes.
    pub keyword: usize,
    /// Its bytes, attributes included.
    pub place: Range<usize>,
    /// Its braces.
    pub body: Option<Group>,
}

/// Whether there are items inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Module,
    Trait,
    Impl,
    /// None, or none of its own: one section.
    Whole,
}

/// Keywords of items that end with a semicolon, whatever braces come before.
const STATEMENTS: &[&str] = &["const", "static", "type", "use"];
const ITEMS: &[&str] = &["fn", "struct", "enum", "union", "trait", "impl", "mod", "macro_rules"];
const QUALIFIERS: &[&str] =
    &["pub", "unsafe", "async", "extern", "default", "auto", "safe", "macro", "crate"];

/// The next item and the tokens behind it; `None` at the end.
pub fn next(tokens: &[TokenTree]) -> Option<(Item, &[TokenTree])> {
    let start = place(tokens.first()?).start;
    let attributes = attributes(tokens);
    let (item, rest) = match attributes {
        // Documentation of the module itself.
        Attributes::Inner(count) => (unnamed(tokens, count), count),
        Attributes::Outer(count) => named(tokens, count),
    };
    let end = place(&tokens[rest - 1]).end;
    Some((Item { place: start..end, ..item }, &tokens[rest..]))
}

/// How many tokens the attributes take with which an item starts.
enum Attributes {
    Inner(usize),
    Outer(usize),
}

fn attributes(tokens: &[TokenTree]) -> Attributes {
    let mut count = 0;
    loop {
        match &tokens[count..] {
            [hash, bang, TokenTree::Group(_), ..] if is(hash, '#') && is(bang, '!') => {
                return Attributes::Inner(count + 3);
            }
            [hash, TokenTree::Group(_), ..] if is(hash, '#') => count += 2,
            _ => return Attributes::Outer(count),
        }
    }
}

/// The item whose attributes take `skip` tokens, and how many tokens it has.
fn named(tokens: &[TokenTree], skip: usize) -> (Item, usize) {
    let keyword = keyword(&tokens[skip..]).map(|index| skip + index);
    let word = keyword.map(|index| tokens[index].to_string()).unwrap_or_default();
    let count = skip + length(&tokens[skip..], STATEMENTS.contains(&word.as_str())).max(1);
    let count = count.min(tokens.len());
    let mut item = unnamed(tokens, skip.min(tokens.len() - 1));
    if let Some(TokenTree::Group(body)) = tokens.get(count - 1) {
        item.body = Some(body.clone()).filter(|body| body.delimiter() == Delimiter::Brace);
    }
    if let Some(index) = keyword.filter(|index| *index < count) {
        let after = &tokens[index + 1..count];
        (item.name, item.kind) = match word.as_str() {
            "impl" => (implemented(after), Kind::Impl),
            "mod" => (first_word(after).filter(|_| item.body.is_some()), Kind::Module),
            "trait" => (first_word(after), Kind::Trait),
            "use" => (None, Kind::Whole),
            _ => (first_word(after), Kind::Whole),
        };
    }
    (item, count)
}

fn unnamed(tokens: &[TokenTree], keyword: usize) -> Item {
    let keyword = tokens.get(keyword).map_or(0, |token| place(token).start);
    Item { name: None, kind: Kind::Whole, keyword, place: 0..0, body: None }
}

/// Where the word stands that says what the item is.
fn keyword(tokens: &[TokenTree]) -> Option<usize> {
    for (index, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Ident(word) => {
                let word = word.to_string();
                let next = tokens.get(index + 1);
                match word.as_str() {
                    "const"
                        if next.is_some_and(|next| {
                            is_word(next, &["fn", "unsafe", "async", "extern"])
                        }) => {}
                    word if ITEMS.contains(&word) || STATEMENTS.contains(&word) => {
                        return Some(index);
                    }
                    word if QUALIFIERS.contains(&word) => {}
                    _ => return None,
                }
            }
            // `pub(crate)`, `extern "C"`.
            TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => {}
            TokenTree::Literal(_) => {}
            _ => return None,
        }
    }
    None
}

/// How many tokens an item has that starts here.
fn length(tokens: &[TokenTree], statement: bool) -> usize {
    for (index, token) in tokens.iter().enumerate() {
        let ends = match token {
            TokenTree::Punct(punct) => punct.as_char() == ';',
            TokenTree::Group(group) => {
                let braces = group.delimiter() == Delimiter::Brace;
                braces && !statement && !is_argument(tokens, index)
            }
            _ => false,
        };
        if ends {
            return index + 1;
        }
    }
    tokens.len()
}

/// Whether braces are a constant among generic arguments, `Foo<{ N }>`, and no body.
fn is_argument(tokens: &[TokenTree], index: usize) -> bool {
    let before = index.checked_sub(1).map(|before| &tokens[before]);
    let after = tokens.get(index + 1);
    let follows = |mark| after.is_some_and(|after| is(after, mark));
    before.is_some_and(|before| {
        is(before, '<') || (is(before, ',') && (follows('>') || follows(',')))
    })
}

/// The first name behind the keyword: `macro_rules! name`, `static mut NAME`.
fn first_word(tokens: &[TokenTree]) -> Option<String> {
    let words = tokens.iter().filter(|token| !is(token, '!') && !is_word(token, &["mut"]));
    match words.into_iter().next()? {
        TokenTree::Ident(word) => Some(word.to_string()),
        _ => None,
    }
}

/// `Type` or `Type as Trait`, each by its last name.
fn implemented(tokens: &[TokenTree]) -> Option<String> {
    let (mut depth, mut names, mut last) = (0_usize, vec![], None);
    for (index, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '<' => depth += 1,
            TokenTree::Punct(punct) if punct.as_char() == '>' => {
                let arrow = index > 0 && is(&tokens[index - 1], '-');
                depth = if arrow { depth } else { depth.saturating_sub(1) };
            }
            TokenTree::Ident(word) if depth == 0 => match word.to_string().as_str() {
                "where" => break,
                "for" if tokens.get(index + 1).is_some_and(|next| is(next, '<')) => {}
                "for" => names.extend(last.take()),
                "dyn" | "mut" | "const" | "unsafe" => {}
                // Of `Box<..>` or `a::b::C` the last; of `A + B` the first.
                word if !follows_plus(tokens, index) => last = Some(word.to_owned()),
                _ => {}
            },
            _ => {}
        }
    }
    let of = last.unwrap_or_else(|| "_".into());
    Some(names.pop().map_or(of.clone(), |implemented| format!("{of} as {implemented}")))
}

fn follows_plus(tokens: &[TokenTree], index: usize) -> bool {
    index > 0 && is(&tokens[index - 1], '+')
}

fn place(token: &TokenTree) -> Range<usize> {
    token.span().byte_range()
}

fn is(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

fn is_word(token: &TokenTree, words: &[&str]) -> bool {
    matches!(token, TokenTree::Ident(word) if words.iter().any(|other| *word == other))
}
