//! The heads of a project's items: what a function can call and build, without how.

use std::collections::BTreeSet;

use crate::build::Files;
use crate::coder::items::{Item, Scan, What, scan};
use crate::coder::repair::regions::Region;

/// Lines of a type that are shown.
const TYPE_LINES_MAX: usize = 20;

/// The heads of all items but those of the regions and of tests; where that is too much, those that
/// have one of the names. The file of the first region comes first.
pub(super) fn outline(
    files: &Files,
    regions: &[Region],
    (names, bytes_max): (&BTreeSet<&str>, usize),
) -> String {
    let all = of_files(files, regions, &|_| true);
    if all.len() <= bytes_max {
        return all;
    }
    let mut some = of_files(files, regions, &|name| names.contains(name));
    if some.len() > bytes_max {
        some.truncate(some.floor_char_boundary(bytes_max));
        some.truncate(some.rfind('\n').map_or(0, |end| end + 1));
    }
    some
}

fn of_files(files: &Files, regions: &[Region], wanted: &dyn Fn(&str) -> bool) -> String {
    let first = regions.first().map_or("", |region| region.path.as_str());
    let mut sources: Vec<_> = files.iter().filter(|(path, _)| is_source(path)).collect();
    sources.sort_by_key(|(path, _)| path.as_str() != first);
    let mut all = String::new();
    for (path, text) in sources {
        let own = regions.iter().filter(|region| region.path == *path);
        let hidden: Vec<_> = own.map(|region| region.lines).collect();
        let heads = of_file(text, &hidden, wanted);
        if !heads.is_empty() {
            all.push_str(&format!("// {path}\n{heads}"));
        }
    }
    all
}

fn is_source(path: &str) -> bool {
    let is_test = path.starts_with("tests/") || path.contains("/tests/");
    path.ends_with(".rs") && !is_test
}

fn of_file(text: &str, hidden: &[(usize, usize)], wanted: &dyn Fn(&str) -> bool) -> String {
    let found = scan(text);
    let mut heads: String =
        text.lines().filter(|line| is_import(line)).map(|line| format!("{line}\n")).collect();
    // What is inside of one that is left out, or shown as a whole, is not looked at.
    let mut behind = 0;
    let mut open: Vec<usize> = vec![];
    for item in &found.items {
        while open.last().is_some_and(|end| *end <= item.bytes.0) {
            open.pop();
            heads.push_str("}\n");
        }
        let line = text[..item.bytes.0].matches('\n').count();
        let is_hidden = hidden.iter().any(|lines| (lines.0..lines.1).contains(&line));
        if item.bytes.0 < behind {
            continue;
        }
        if item.for_tests || is_hidden {
            behind = item.bytes.1;
            continue;
        }
        let is_wanted = !open.is_empty() || wanted(&item.name) || item.what == What::Module;
        if !is_wanted {
            behind = item.bytes.1;
            continue;
        }
        heads.push_str(&head(text, &found, (item, open.len())));
        match item.what {
            What::Implementation | What::Module if item.body.0 < item.body.1 => {
                open.push(item.bytes.1);
            }
            _ => behind = item.bytes.1,
        }
    }
    heads.push_str(&"}\n".repeat(open.len()));
    heads
}

fn is_import(line: &str) -> bool {
    line.starts_with("use ") || line.starts_with("pub use ")
}

/// An item up to its body; types whole, for their fields are what others need.
fn head(text: &str, found: &Scan<'_>, (item, depth): (&Item, usize)) -> String {
    let start = text[..item.bytes.0].rfind('\n').map_or(0, |end| end + 1);
    let whole = text.get(start..item.bytes.1).unwrap_or_default();
    if item.what == What::Type {
        let lines: Vec<_> = whole.lines().take(TYPE_LINES_MAX).collect();
        return format!("{}\n", lines.join("\n"));
    }
    let brace = item.body.0.checked_sub(1).and_then(|place| found.tokens.get(place));
    let end = brace.filter(|token| token.is("{")).map_or(item.bytes.1, |token| token.start);
    let head = text.get(start..end).unwrap_or_default();
    let words: Vec<_> = head.split_whitespace().collect();
    let head = words.join(" ");
    let close = match item.what {
        What::Implementation | What::Module if item.body.0 < item.body.1 => " {",
        _ if head.ends_with([';', '}']) => "",
        _ => ";",
    };
    format!("{}{head}{close}\n", "    ".repeat(depth))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "use std::fmt;\n\n/// A stack.\npub struct Stack<T> {\n    items: Vec<T>,\n}\n\n\
        impl<T> Stack<T> {\n    pub fn new() -> Self {\n        Self { items: vec![] }\n    }\n\n    \
        pub fn push(\n        &mut self,\n        item: T,\n    ) {\n        self.items.push(item);\n    \
        }\n}\n\nconst MOST: usize = 3;\n\nmod inner;\n\n#[cfg(test)]\nmod tests {\n    fn helper() {}\n}\n";

    fn files() -> Files {
        let other = "pub fn other(x: u8) -> u8 {\n    x\n}\n";
        Files::from([
            ("src/lib.rs".to_owned(), TEXT.to_owned()),
            ("src/a.rs".to_owned(), other.to_owned()),
            ("tests/t.rs".to_owned(), "fn in_tests() {}".to_owned()),
        ])
    }

    fn region() -> Region {
        let item = Some((What::Function, "new".to_owned()));
        Region { path: "src/lib.rs".into(), lines: (8, 11), item }
    }

    #[test]
    fn heads_are_shown_and_neither_bodies_nor_tests_nor_the_region_itself() {
        let all = outline(&files(), &[region()], (&BTreeSet::new(), 10_000));
        let wanted = "// src/lib.rs\nuse std::fmt;\npub struct Stack<T> {\n    items: Vec<T>,\n}\n\
            impl<T> Stack<T> {\n    pub fn push( &mut self, item: T, );\n}\nconst MOST: usize = 3;\n\
            mod inner;\n// src/a.rs\npub fn other(x: u8) -> u8;\n";
        assert_eq!(all, wanted);
    }

    #[test]
    fn what_is_too_much_is_left_out_by_name_and_then_by_size() {
        let names = BTreeSet::from(["Stack"]);
        let some = outline(&files(), &[region()], (&names, 180));
        assert!(some.contains("pub fn push") && !some.contains("other"), "{some}");
        let few = outline(&files(), &[region()], (&names, 40));
        assert_eq!(few, "// src/lib.rs\nuse std::fmt;\n");
        assert_eq!(outline(&files(), &[region()], (&names, 0)), "");
    }

    #[test]
    fn broken_text_has_heads_too() {
        let broken =
            Files::from([("src/lib.rs".to_owned(), "fn a( { é\nimpl X {\nfn b".to_owned())]);
        assert!(outline(&broken, &[], (&BTreeSet::new(), 100)).len() <= 100);
    }
}
