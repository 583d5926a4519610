//! What may become of code that only exists for tests. Tests are what the user means: they stay as they
//! are, but for places that could not be read, and for calls that are the test's own mistake.

use std::collections::{BTreeMap, BTreeSet};

use super::{Complaints, ERRORS_MAX, count};
use crate::build::{BuildReport, Files, Origin};
use crate::coder::items::{Item, Scan, What, scan};
use crate::coder::repair::state::{Phase, phase_of};
use crate::coder::tokens::{Kind, Token};

/// Tokens of a test that is compared token by token.
const TOKENS_MAX: usize = 1500;
/// Tokens of an import.
const IMPORT_TOKENS_MAX: usize = 40;

/// Calls that change how a value is handed over, and not which value it is.
const HANDING_OVER: &[&str] =
    &["clone", "to_string", "to_owned", "to_vec", "as_str", "as_ref", "into", "iter", "unwrap"];

const NUMBERS: &[&str] = &[
    "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize", "f32",
    "f64",
];

/// Why a file's tests must not become these.
pub(super) fn objection(
    path: &str,
    old: (&str, &Scan<'_>),
    new: (&Scan<'_>, &Complaints),
) -> Option<String> {
    let ((text, old), (new, complaints)) = (old, new);
    if asserts(old) > asserts(new) {
        return Some("takes an assertion away".to_owned());
    }
    if assert_macros(new) > assert_macros(old) {
        return Some("writes an assertion's macro anew".to_owned());
    }
    let whole = is_for_tests(path);
    let are: BTreeSet<_> = for_tests(new, whole).map(|item| spelled(new, item)).collect();
    let ends: Vec<_> = text.match_indices('\n').map(|(place, _)| place).collect();
    // The line of a byte, counted from 1.
    let line = |byte: usize| 1 + ends.partition_point(|end| *end < byte);
    let touched = for_tests(old, whole).find(|item| {
        let lines = (line(item.bytes.0), line(item.bytes.1));
        !are.contains(&spelled(old, item))
            && !complaints.are_about(path, lines)
            && !may_become(path, (old, item), (new, complaints))
    })?;
    let name = &touched.name;
    Some(match new.items.iter().any(|item| item.name == *name) {
        true => format!("changes the test code `{name}`, where no error is"),
        false => format!("takes the test code `{name}` away"),
    })
}

pub(super) fn is_for_tests(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/")
}

/// Whether a test may be what stands in its place now: as a draft it may expect something else, and
/// where it is wrong itself it may hand values over in another way.
fn may_become(path: &str, old: (&Scan<'_>, &Item), new: (&Scan<'_>, &Complaints)) -> bool {
    let ((old, item), (new, complaints)) = (old, new);
    let mut same = new.items.iter().filter(|own| own.name == item.name && own.what == item.what);
    let (Some(successor), None) = (same.next(), same.next()) else { return false };
    let (was, is) = (tokens_of(old, item), tokens_of(new, successor));
    let is_assert = |token: &&Token<'_>| token.kind == Kind::Word && token.text.contains("assert");
    let asserts = |tokens: &[Token<'_>]| tokens.iter().filter(is_assert).count();
    if complaints.drafted {
        return asserts(is) >= asserts(was);
    }
    let fault = (path.to_owned(), item.name.clone());
    complaints.faults.contains(&fault) && says_the_same(was, is)
}

/// The test code in which the only errors are, and which must be wrong itself: everything of the project
/// that it names is named by another test of its file too, in which there is no error. Of more errors than
/// are looked at nothing can be told.
pub(super) fn faults(files: &Files, report: &BuildReport) -> BTreeSet<(String, String)> {
    let mut sources: BTreeMap<&str, Source<'_>> = BTreeMap::new();
    let mut faulty: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    if report.errors().nth(ERRORS_MAX).is_some() {
        return BTreeSet::new();
    }
    for error in report.errors() {
        let place = error.primary().filter(|span| span.origin == Origin::Project);
        let file = place.and_then(|span| files.get_key_value(&span.file));
        let (Some(span), Some((path, text))) = (place, file) else { return BTreeSet::new() };
        let source = sources.entry(path).or_insert_with(|| Source::of(path, text));
        match source.test_at((span.line_start as usize).saturating_sub(1)) {
            Some(item) if phase_of(error) != Phase::Syntax => {
                faulty.entry(path).or_default().insert(item.name.clone());
            }
            // The code under test is wrong, or nothing can be told.
            _ => return BTreeSet::new(),
        }
    }
    if faulty.is_empty() {
        return BTreeSet::new();
    }
    let declared = declared(files, &sources);
    let with_witness = faulty.into_iter().flat_map(|(path, names)| {
        let names = sources[path].with_witness(&names, &declared).into_iter();
        names.map(|name| (path.to_owned(), name))
    });
    with_witness.collect()
}

/// A file in which there are errors, read once for all of them.
struct Source<'a> {
    text: &'a str,
    found: Scan<'a>,
    /// Where its lines end.
    ends: Vec<usize>,
    is_for_tests: bool,
}

impl<'a> Source<'a> {
    fn of(path: &str, text: &'a str) -> Self {
        let ends = text.match_indices('\n').map(|(place, _)| place).collect();
        Self { text, found: scan(text), ends, is_for_tests: is_for_tests(path) }
    }

    fn tests(&self) -> impl Iterator<Item = &Item> {
        for_tests(&self.found, self.is_for_tests)
    }

    /// The test code that a line, counted from 0, belongs to.
    fn test_at(&self, line: usize) -> Option<&Item> {
        let behind = |line: usize| self.ends.get(line).map_or(self.text.len(), |end| end + 1);
        let start_of = |line: usize| line.checked_sub(1).map_or(0, behind);
        let start = start_of(line);
        let line_of = |byte: usize| self.ends.partition_point(|end| *end < byte);
        self.tests().find(|item| (start_of(line_of(item.bytes.0))..item.bytes.1).contains(&start))
    }

    /// Those of some test code that name nothing which no other test of the file names.
    fn with_witness(&self, names: &BTreeSet<String>, declared: &BTreeSet<String>) -> Vec<String> {
        let mut named: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut known: BTreeSet<&str> = BTreeSet::new();
        for item in self.tests() {
            let words = words(&self.found, item);
            match names.contains(&item.name) {
                true => named.entry(&item.name).or_default().extend(words),
                false => known.extend(words),
            }
        }
        let is_known = |word: &&str| known.contains(word) || !declared.contains(*word);
        let witnessed = named.into_iter().filter(|(_, words)| words.iter().all(is_known));
        witnessed.map(|(name, _)| name.to_owned()).collect()
    }
}

/// Names of what is not for tests alone.
fn declared(files: &Files, sources: &BTreeMap<&str, Source<'_>>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut add = |items: &[Item]| {
        names.extend(items.iter().filter(|item| !item.for_tests).map(|item| item.name.clone()));
    };
    for (path, text) in
        files.iter().filter(|(path, _)| path.ends_with(".rs") && !is_for_tests(path))
    {
        match sources.get(path.as_str()) {
            Some(source) => add(&source.found.items),
            None => add(&scan(text).items),
        }
    }
    names
}

fn words<'a>(found: &'a Scan<'a>, item: &Item) -> Vec<&'a str> {
    let body = found.body(item).iter();
    body.filter(|token| token.kind == Kind::Word).map(|token| token.text).collect()
}

/// What only exists for tests, but for modules and what stands in other items; imports are none.
fn for_tests<'a>(scan: &'a Scan<'_>, whole: bool) -> impl Iterator<Item = &'a Item> {
    let is_for_tests = move |item: &&Item| (whole || item.for_tests) && item.what != What::Module;
    let own = scan.items.iter().filter(is_for_tests);
    let mut behind = 0;
    own.filter(move |item| {
        let outer = item.bytes.0 >= behind;
        behind = behind.max(item.bytes.1);
        outer
    })
}

fn asserts(scan: &Scan<'_>) -> usize {
    count(scan, |tokens| tokens[0].kind == Kind::Word && tokens[0].text.contains("assert"))
}

/// Macros of the project, and names that it imports, by which an assertion may be another one.
fn assert_macros(scan: &Scan<'_>) -> usize {
    let macros = scan.items.iter().filter(|item| item.what == What::Macro);
    let macros = macros.filter(|item| item.name.contains("assert")).count();
    let imported = |tokens: &[Token<'_>]| {
        let is_path = |text: &str| matches!(text, ":" | "as" | "{" | ",");
        tokens.len() == 2 && is_path(tokens[0].text) && {
            let next = tokens[1].text;
            next.starts_with("assert") && tokens[1].kind == Kind::Word
        }
    };
    macros + in_imports(scan).into_iter().map(|part| count_in(part, imported)).sum::<usize>()
}

/// The tokens of each import.
fn in_imports<'a, 'b>(scan: &'a Scan<'b>) -> Vec<&'a [Token<'b>]> {
    let starts = scan.tokens.iter().enumerate().filter(|(_, token)| token.is("use"));
    let import = |(start, _): (usize, _)| {
        let rest = &scan.tokens[start..];
        let end = rest.iter().take(IMPORT_TOKENS_MAX).position(|token| token.is(";"));
        &rest[..end.unwrap_or(0)]
    };
    starts.map(import).collect()
}

fn count_in(tokens: &[Token<'_>], wanted: impl Fn(&[Token<'_>]) -> bool) -> usize {
    tokens.windows(2).filter(|pair| wanted(pair)).count()
}

/// An item's tokens, attributes included.
fn tokens_of<'a, 'b>(scan: &'a Scan<'b>, item: &Item) -> &'a [Token<'b>] {
    let at = |byte: usize| scan.tokens.partition_point(|token| token.start < byte);
    &scan.tokens[at(item.bytes.0)..at(item.bytes.1)]
}

fn spelled(scan: &Scan<'_>, item: &Item) -> String {
    tokens_of(scan, item).iter().map(|token| token.text).collect::<Vec<_>>().join(" ")
}

/// Whether new tokens are the old ones with nothing more than values handed over in another way: a
/// reference taken or not, a copy made, a variable that may change, a number of another type, an
/// import. All words and texts of the old ones are there, in their order.
fn says_the_same(old: &[Token<'_>], new: &[Token<'_>]) -> bool {
    if old.len().max(new.len()) > TOKENS_MAX {
        return false;
    }
    let width = old.len() + 1;
    // Which beginnings of the old ones can be what stands before a place of the new ones.
    let mut reached = vec![false; width * (new.len() + 1)];
    reached[0] = true;
    for at in 0..=new.len() {
        for own in 0..width {
            if !reached[at * width + own] {
                continue;
            }
            if own < old.len() && matches!(old[own].text, "&" | "mut") {
                reached[at * width + own + 1] = true;
            }
            if own < old.len() && at < new.len() && is_same(old[own], (new, at)) {
                reached[(at + 1) * width + own + 1] = true;
            }
            for length in inserted(new, at) {
                reached[(at + length) * width + own] = true;
            }
        }
    }
    reached.last().copied().unwrap_or(false)
}

fn is_same(old: Token<'_>, (new, at): (&[Token<'_>], usize)) -> bool {
    let is = new[at];
    let is_type = |text: &str| NUMBERS.contains(&text);
    let behind_colon = at.checked_sub(1).is_some_and(|before| new[before].is(":"));
    old.text == is.text
        || (behind_colon && is_type(old.text) && is_type(is.text))
        || (old.kind == Kind::Literal
            && number(old.text).is_some_and(|own| number(is.text) == Some(own)))
}

/// What a number is without its type.
fn number(text: &str) -> Option<String> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) || text.starts_with("0x") {
        return None;
    }
    let text = text.replace('_', "");
    let bare = NUMBERS.iter().find_map(|own| text.strip_suffix(own)).unwrap_or(&text);
    let bare = bare.strip_suffix(".0").unwrap_or(bare);
    bare.chars().all(|c| c.is_ascii_digit() || c == '.').then(|| bare.to_owned())
}

/// How many tokens from a place on may be new.
fn inserted(new: &[Token<'_>], at: usize) -> Vec<usize> {
    let mut lengths = vec![];
    let Some(first) = new.get(at) else { return lengths };
    let before = at.checked_sub(1).map(|place| new[place]);
    let behind_value = before.is_some_and(is_value);
    if first.is("mut") || (matches!(first.text, "&" | "*") && before.is_some() && !behind_value) {
        lengths.push(1);
    }
    if let [point, name, open, close, ..] = &new[at..]
        && point.is(".")
        && HANDING_OVER.contains(&name.text)
        && (open.text, close.text) == ("(", ")")
        && behind_value
    {
        lengths.push(4);
    }
    let begins = before.is_some_and(|token| matches!(token.text, "{" | "}" | ";"));
    if first.is("use") && begins {
        let end = new[at..].iter().take(IMPORT_TOKENS_MAX).position(|token| token.is(";"));
        lengths.extend(end.filter(|end| is_plain(&new[at..at + end])).map(|end| end + 1));
    }
    lengths
}

/// An import that gives nothing another name.
fn is_plain(tokens: &[Token<'_>]) -> bool {
    tokens.iter().all(|token| !token.is("as") && !token.text.contains("assert"))
}

/// Whether a value ends here: what follows is a sign between two values.
fn is_value(token: Token<'_>) -> bool {
    const NO_VALUES: &[&str] = &[
        "return", "in", "match", "if", "else", "while", "let", "mut", "move", "break", "ref", "as",
    ];
    match token.kind {
        Kind::Word => !NO_VALUES.contains(&token.text),
        Kind::Literal | Kind::Close => true,
        Kind::Lifetime | Kind::Open => false,
        Kind::Sign => token.is("?"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coder::tokens::tokens;
    use crate::fakes::{error_at, report_of};

    fn same(old: &str, new: &str) -> bool {
        says_the_same(&tokens(old), &tokens(new))
    }

    #[test]
    fn values_may_be_handed_over_in_another_way() {
        let old = "let a = f(x, \"y\"); assert_eq!(a.len(), 5);";
        for new in [
            old,
            "let a = f(&x, \"y\"); assert_eq!(a.len(), 5);",
            "let mut a = f(&mut x, &\"y\"); assert_eq!(a.len(), 5);",
            "let a = f(x.clone(), \"y\".to_string()); assert_eq!(a.len(), 5);",
            "let a = f(x, \"y\").unwrap(); assert_eq!(a.len(), 5usize);",
            "let a = f(x, \"y\"); assert_eq!(*a.iter().len(), 5.0);",
        ] {
            assert!(same(old, new), "{new}");
        }
        assert!(same("{ f(&x); }", "{ use a::B; f(x); }"));
        assert!(same("let a: u32 = 1;", "let a: u64 = 1;"));
    }

    #[test]
    fn nothing_else_may_be_said() {
        let old = "let a = f(x, \"y\"); assert_eq!(a.len(), 5);";
        for new in [
            "let a = f(x, \"z\"); assert_eq!(a.len(), 5);",
            "let a = f(x, \"y\"); assert_eq!(a.len(), 6);",
            "let a = f(x, \"y\"); assert_eq!(a.len(), 50);",
            "let a = f(x, \"y\"); assert_ne!(a.len(), 5);",
            "let a = f(x, \"y\"); assert_eq!(a.len(), a.len());",
            "let a = f(x, \"y\"); assert_eq!(a.len() * 1, 5);",
            "let a = f(x, \"y\"); assert!(true || a.len() == 5);",
            "let a = f(x, \"y\"); if false { assert_eq!(a.len(), 5); }",
            "let a = f(x, \"y\"); return; assert_eq!(a.len(), 5);",
            "let a = f(x, \"y\").unwrap_or_default(); assert_eq!(a.len(), 5);",
            "let a = f(x); assert_eq!(a.len(), 5);",
            "use m::n as f; let a = f(x, \"y\"); assert_eq!(a.len(), 5);",
            "let a = f(x, \"y\"); use m::assert_eq; assert_eq!(a.len(), 5);",
            "let a = f(x, \"y\"); assert_eq!(a & a.len(), 5);",
            "",
        ] {
            assert!(!same(old, new), "{new}");
        }
        let long = "a ".repeat(TOKENS_MAX + 1);
        assert!(!same(&long, &long));
    }

    const TEXT: &str = "pub fn longest(a: &str) -> usize {\n    a.len()\n}\n\n#[cfg(test)]\nmod tests {\n    \
        use super::*;\n\n    #[test]\n    fn one() {\n        assert_eq!(longest(\"a\"), 1);\n    }\n\n    \
        #[test]\n    fn two() {\n        let text = String::new();\n        \
        assert_eq!(longest(text), 0);\n    }\n}\n";

    fn faulty(text: &str, lines: &[u32]) -> Vec<String> {
        let files = Files::from([("src/lib.rs".to_owned(), text.to_owned())]);
        let errors = lines.iter().map(|line| error_at("E0308", "wrong", ("src/lib.rs", *line)));
        faults(&files, &report_of(errors.collect())).into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn a_test_is_at_fault_where_another_one_calls_the_same_without_an_error() {
        assert_eq!(faulty(TEXT, &[17]), ["two"]);
        assert!(faulty(TEXT, &[11, 17]).is_empty(), "both calls fail: what they call may be wrong");
        assert!(faulty(TEXT, &[2, 17]).is_empty(), "the code under test is wrong");
        assert!(
            faulty(&TEXT.replace("longest(\"a\")", "1"), &[17]).is_empty(),
            "nobody else calls it"
        );
        assert!(faulty(TEXT, &[900]).is_empty() && faulty(TEXT, &[]).is_empty());
    }

    #[test]
    fn of_very_many_errors_nothing_is_told() {
        let tests = |count: usize| -> String {
            let test = |at: usize| format!("#[test]\nfn t{at}() {{ go({at}); }}\n");
            (0..count).map(test).collect()
        };
        let lines = |count: usize| (1..=count).map(|at| u32::try_from(at * 2).expect("few"));
        let wrong = |count: usize| {
            let text = format!("{}fn go() {{}}\n#[test]\nfn fine() {{ go(); }}\n", tests(count));
            faulty(&text, &lines(count).collect::<Vec<_>>()).len()
        };
        assert_eq!((wrong(ERRORS_MAX), wrong(ERRORS_MAX + 1)), (ERRORS_MAX, 0));
    }

    fn refused(new: &str, complaints: &Complaints) -> Option<String> {
        objection("src/lib.rs", (TEXT, &scan(TEXT)), (&scan(new), complaints))
    }

    #[test]
    fn only_the_test_at_fault_may_change_and_only_so() {
        let right = TEXT.replace("longest(text)", "longest(&text)");
        let fault = ("src/lib.rs".to_owned(), "two".to_owned());
        let of_two = Complaints { faults: BTreeSet::from([fault]), ..Complaints::default() };
        assert_eq!(refused(&right, &of_two), None);
        assert!(refused(&right, &Complaints::default()).is_some(), "nobody complained of it");
        for cheat in [
            TEXT.replace("longest(text), 0", "0, 0"),
            TEXT.replace("longest(text), 0", "longest(&text), longest(&text)"),
            TEXT.replace("longest(\"a\")", "longest(&\"a\")"),
            TEXT.replace("fn two", "fn twice"),
            TEXT.replace("    #[test]\n    fn two", "    fn two"),
            TEXT.replace("use super::*;", "use super::*;\n    macro_rules! assert_eq { () => {} }"),
            TEXT.replace("use super::*;", "use super::*;\n    use super::my::assert_eq;"),
        ] {
            assert!(refused(&cheat, &of_two).is_some(), "{cheat}");
        }
    }

    #[test]
    fn a_draft_may_expect_something_else_but_nothing_less() {
        let drafted = Complaints { drafted: true, ..Complaints::default() };
        let other = TEXT.replace("longest(text), 0", "longest(&text), 7");
        assert_eq!(refused(&other, &drafted), None);
        for less in [
            TEXT.replace("        assert_eq!(longest(text), 0);\n", ""),
            TEXT.replace("fn two", "fn twice"),
            // One more elsewhere does not make up for it.
            TEXT.replace("assert_eq!(longest(text), 0);", "")
                .replace("fn one() {", "fn one() {\n assert!(true);"),
        ] {
            assert!(refused(&less, &drafted).is_some(), "{less}");
        }
    }
}
