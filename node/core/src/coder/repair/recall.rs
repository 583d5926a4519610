//! The second stage: fixes that helped before, where their lines stand here too, by other names perhaps.

use std::collections::BTreeMap;

use super::edit::{Edit, apply};
use super::workshop::{Candidate, Tried, Workshop};
use crate::build::Files;
use crate::coder::clock::before;
use crate::coder::tokens::{Kind, Token, tokens};
use crate::coder::{Fix, Stage, Symptom};

/// Errors of a state for which fixes are looked for.
const ERRORS_MAX: usize = 4;
/// Fixes for one error.
const FIXES_MAX: usize = 5;
/// Tokens of a fix at most: a longer one is no small change.
const FIX_TOKENS_MAX: usize = 400;
/// Lines around an error where the lines of a fix may begin.
const NEAR_LINES: usize = 40;

/// The fixes that may help with a state's errors, the best first. A memory that fails says so in a
/// remark and is done without.
pub(super) async fn similar(shop: &mut Workshop<'_>, from: usize) -> Vec<(Fix, Option<Files>)> {
    let Some(memory) = shop.coder.memory.clone() else { return vec![] };
    let state = &shop.states[from];
    let symptoms: Vec<_> = state
        .report
        .errors()
        .take(ERRORS_MAX)
        .map(|error| {
            let place = error.primary().map(|span| (span.file.clone(), span.line_start as usize));
            let text = place.as_ref().and_then(|(file, _)| state.files.get(file));
            (Symptom::of(error, text.map(String::as_str)), place)
        })
        .collect();
    let mut all: Vec<(Fix, Option<Files>)> = vec![];
    for (symptom, place) in symptoms {
        let clock = &shop.coder.clock;
        let asked = before(clock.until(shop.deadline()), memory.similar(symptom, FIXES_MAX)).await;
        match asked {
            None => break,
            Some(Err(error)) => {
                shop.remark(format!("The memory of fixes did not help: {error}."));
                break;
            }
            Some(Ok(fixes)) => {
                let files = &shop.states[from].files;
                for fix in fixes.into_iter().take(FIXES_MAX) {
                    if all.iter().all(|(own, _)| own.id != fix.id) {
                        let changed = place.as_ref().and_then(|place| applied(files, place, &fix));
                        all.push((fix, changed));
                    }
                }
            }
        }
    }
    all
}

/// Tries the fixes that fit, and tells the memory which of them helped.
pub(super) async fn recall(shop: &mut Workshop<'_>, from: usize) {
    let fixes = similar(shop, from).await;
    let fits = |(fix, files): (Fix, Option<Files>)| {
        let reason = match fix.explanation.trim() {
            "" => format!("as in an earlier fix of {}", fix.code.as_deref().unwrap_or("this")),
            words => words.to_owned(),
        };
        Some((fix.id, Candidate { files: files?, stage: Stage::Memory, reason }))
    };
    let (ids, candidates): (Vec<_>, Vec<_>) = fixes.into_iter().filter_map(fits).unzip();
    let tried = shop.try_all(from, candidates).await;
    let Some(memory) = shop.coder.memory.clone() else { return };
    for (id, tried) in ids.iter().zip(tried) {
        let helped = match tried {
            Tried::Kept(_) => true,
            Tried::Worse(_) | Tried::Refused(_) => false,
            Tried::Known | Tried::Late => continue,
        };
        if let Err(error) = memory.judge(id, helped).await {
            shop.remark(format!("The memory of fixes was not told: {error}."));
        }
    }
}

/// The files with a fix made near a place, if its lines stand there.
fn applied(files: &Files, place: &(String, usize), fix: &Fix) -> Option<Files> {
    let (file, line) = place;
    let text = files.get(file)?;
    let near = bytes_near(text, *line);
    let (start, end, after) = exact(text, near, fix).or_else(|| renamed(text, near, fix))?;
    let edit = Edit { file: file.clone(), start, end, text: after };
    apply(files, &[edit])
}

/// The bytes of the lines near a line.
fn bytes_near(text: &str, line: usize) -> (usize, usize) {
    let mut starts = vec![0];
    starts.extend(text.match_indices('\n').map(|(place, _)| place + 1));
    let at = |line: usize| starts.get(line).copied().unwrap_or(text.len());
    (at(line.saturating_sub(NEAR_LINES + 1)), at(line.saturating_add(NEAR_LINES)))
}

/// The lines as they are in the fix; they stand near once.
fn exact(text: &str, near: (usize, usize), fix: &Fix) -> Option<(usize, usize, String)> {
    let before = fix.before.trim();
    if before.is_empty() {
        return None;
    }
    let part = text.get(near.0..near.1)?;
    let mut hits = part.match_indices(before);
    let (place, _) = hits.next().filter(|_| hits.next().is_none())?;
    let start = near.0 + place;
    Some((start, start + before.len(), fix.after.trim().to_owned()))
}

/// The same tokens by other names. Each name of the fix stands for one name here; keywords and signs
/// stand for themselves.
fn renamed(text: &str, near: (usize, usize), fix: &Fix) -> Option<(usize, usize, String)> {
    let (wanted, after) = (tokens(&fix.before), tokens(&fix.after));
    if wanted.is_empty() || wanted.len() > FIX_TOKENS_MAX || after.len() > FIX_TOKENS_MAX {
        return None;
    }
    let own = tokens(text);
    let first = own.partition_point(|token| token.start < near.0);
    let last = own.partition_point(|token| token.start < near.1);
    let mut hits = own.get(first..last)?.windows(wanted.len()).filter_map(|window| {
        let names = names(&wanted, window)?;
        Some((window[0].start, window[window.len() - 1].end(), names))
    });
    let (start, end, names) = hits.next()?;
    if hits.next().is_some() || exchanges_literals((&wanted, &after), &names) {
        return None;
    }
    Some((start, end, rewritten(&fix.after, &after, &names)))
}

/// What each name and literal of a fix is here; nothing if the tokens differ otherwise.
fn names<'a>(wanted: &[Token<'a>], own: &[Token<'a>]) -> Option<BTreeMap<&'a str, &'a str>> {
    let mut names = BTreeMap::new();
    let mut taken = BTreeMap::new();
    let mut known = 0;
    for (wanted, own) in wanted.iter().zip(own) {
        if wanted.kind != own.kind {
            return None;
        }
        known += usize::from(wanted.text == own.text && wanted.kind == Kind::Word);
        let is_fixed = match wanted.kind {
            Kind::Word => is_keyword(wanted.text) || is_keyword(own.text),
            Kind::Literal | Kind::Lifetime => false,
            Kind::Open | Kind::Close | Kind::Sign => true,
        };
        let fits = match is_fixed {
            true => wanted.text == own.text,
            false => {
                *names.entry(wanted.text).or_insert(own.text) == own.text
                    && (wanted.kind == Kind::Literal
                        || *taken.entry(own.text).or_insert(wanted.text) == wanted.text)
            }
        };
        if !fits {
            return None;
        }
    }
    // A fix of which not one word stands here says nothing about this place.
    (known > 0).then_some(names)
}

/// Whether a literal that is another one here would be lost for one that is the fix's own: what stands
/// for `"5"` where it becomes `5`, nobody knows.
fn exchanges_literals(
    (before, after): (&[Token<'_>], &[Token<'_>]),
    names: &BTreeMap<&str, &str>,
) -> bool {
    let only = |own: &[Token<'_>], other: &[Token<'_>], text: &str| {
        own.iter().any(|token| token.kind == Kind::Literal && token.is(text))
            && other.iter().all(|token| !token.is(text))
    };
    let brings = after.iter().any(|token| only(after, before, token.text));
    brings && names.iter().any(|(wanted, own)| only(before, after, wanted) && wanted != own)
}

fn rewritten(text: &str, tokens: &[Token<'_>], names: &BTreeMap<&str, &str>) -> String {
    let mut all = String::new();
    let mut behind = tokens.first().map_or(0, |token| token.start);
    for token in tokens {
        all.push_str(&text[behind..token.start]);
        all.push_str(names.get(token.text).unwrap_or(&token.text));
        behind = token.end();
    }
    all
}

fn is_keyword(word: &str) -> bool {
    const KEYWORDS: &[&str] = &[
        "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum",
        "extern", "fn", "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut",
        "pub", "ref", "return", "self", "Self", "static", "struct", "super", "trait", "type",
        "unsafe", "use", "where", "while", "derive", "Some", "None", "Ok", "Err", "clone", "iter",
    ];
    KEYWORDS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fix(before: &str, after: &str) -> Fix {
        Fix { before: before.into(), after: after.into(), ..Fix::default() }
    }

    fn with(text: &str, fix: &Fix) -> Option<String> {
        let files = Files::from([("a.rs".to_owned(), text.to_owned())]);
        applied(&files, &("a.rs".to_owned(), 1), fix).map(|files| files["a.rs"].clone())
    }

    #[test]
    fn lines_are_found_as_they_are_or_by_other_names() {
        let fix = fix("let total = items.sum();", "let total: u64 = items.sum();");
        let exact = with("fn f() {\n    let total = items.sum();\n}", &fix);
        assert_eq!(exact.as_deref(), Some("fn f() {\n    let total: u64 = items.sum();\n}"));
        let renamed = with("  let all = numbers . sum();", &fix);
        assert_eq!(renamed.as_deref(), Some("  let all: u64 = numbers.sum();"));
    }

    #[test]
    fn what_does_not_fit_once_is_left_alone() {
        let sum = fix("let total = items.sum();", "let total: u64 = items.sum();");
        for text in
            ["let a = b.product(1);", "let a = b.sum(); let c = d.sum();", "let a = b.sum()?;", ""]
        {
            assert_eq!(with(text, &sum), None, "{text}");
        }
        assert_eq!(with("swap(a, a);", &fix("swap(x, y);", "swap(y, x);")), None);
        assert_eq!(with("a(b)", &fix("x(y)", "x(&y)")), None, "no word is the same");
        assert_eq!(with("a", &fix("", "b")), None);
        let quoted = fix("f(\"hello);", "f(\"hello\");");
        assert_eq!(with("f(\"Hello, World!\"", &quoted), None, "the text is no other one");
        let number = fix("f(\"5\")", "f(5)");
        assert_eq!(with("f(\"7\")", &number), None);
        assert_eq!(with("  f( \"5\" )", &number).as_deref(), Some("  f(5)"));
    }
}
