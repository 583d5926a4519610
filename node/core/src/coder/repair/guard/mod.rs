//! What a repair may not do, whatever the compiler says to it: take away what the user wrote.
//!
//! A compiler is content with code that is gone, and tests that are gone do not fail. So every
//! candidate is compared with the project as it came: items, tests, bodies, attributes that silence.

mod manifest;
mod mounts;
mod test_code;

use std::collections::{BTreeMap, BTreeSet};

use super::state::{Measure, Phase, State, phase_of};
use crate::build::{BuildReport, Files, Origin};
use crate::coder::items::{Item, Scan, What, scan};
use crate::coder::tokens::{Kind, Token};

/// Bodies of fewer tokens may become anything.
const SMALL_BODY_TOKENS: usize = 16;
/// Errors of a report that are looked at.
const ERRORS_MAX: usize = 100;
/// New files of one repair at most.
const NEW_FILES_MAX: usize = 4;

/// What the compiler complained of, and may thus be changed.
#[derive(Clone, Default)]
pub(super) struct Complaints {
    /// Files and lines, counted from 1, that could not even be read. Where names or types do not fit,
    /// tests say what is wanted, and the code under test is at fault.
    lines: Vec<(String, usize, usize)>,
    codes: Vec<String>,
    /// All that was said, as one text.
    words: String,
    /// cargo or the sandbox did not understand the project, or a crate is missing.
    pub(super) manifest: bool,
    /// cargo or the sandbox could not read the manifests.
    unread: bool,
    /// Modules that have no file, and whether any file was not found.
    lost: BTreeSet<String>,
    has_lost_file: bool,
    /// Test code, by file and name, that is wrong itself.
    faults: BTreeSet<(String, String)>,
    /// The tests are as new as the code.
    drafted: bool,
}

impl Complaints {
    /// Of a state; `drafted`: its tests may be wrong, too. It reads the whole of each file with errors.
    pub(super) fn of(state: &State, drafted: bool) -> Self {
        Self { drafted, ..Self::default() }.and(state)
    }

    /// The same with those of one more state.
    #[must_use]
    pub(super) fn and(mut self, state: &State) -> Self {
        self.add(&state.report);
        self.faults.extend(test_code::faults(&state.files, &state.report));
        self
    }

    fn add(&mut self, report: &BuildReport) {
        for error in report.errors().take(ERRORS_MAX) {
            let is_syntax = phase_of(error) == Phase::Syntax;
            for span in
                error.spans.iter().filter(|span| is_syntax && span.origin == Origin::Project)
            {
                let (first, last) = (span.line_start as usize, span.line_end as usize);
                self.lines.push((span.file.clone(), first, last));
            }
            self.codes.extend(error.code.clone());
            self.words.push_str(&error.rendered);
            let children = error.children.iter().map(|child| child.message.as_str());
            let said: String = [error.message.as_str()].into_iter().chain(children).collect();
            let about = ["crate", "edition", "Rust 20", "Cargo.toml", "feature", "derive macro"];
            self.manifest |= about.iter().any(|word| said.contains(word));
            // What is not found in a crate may be hidden by one of its features.
            self.manifest |= matches!(error.code.as_deref(), Some("E0432" | "E0433"));
            let lost = error.message.strip_prefix("file not found for module `");
            self.lost.extend(lost.and_then(|rest| Some(rest.split_once('`')?.0.to_owned())));
            self.has_lost_file |= error.message.starts_with("couldn't read");
        }
        let unread = Measure::of(report).phase == Phase::Manifest;
        self.unread |= unread;
        self.manifest |= unread;
    }

    /// Whether something was said of these lines of a file.
    fn are_about(&self, file: &str, lines: (usize, usize)) -> bool {
        let meets =
            |own: &(String, usize, usize)| own.0 == file && own.1 <= lines.1 && lines.0 <= own.2;
        self.lines.iter().any(meets)
    }

    fn has(&self, codes: &[&str]) -> bool {
        self.codes.iter().any(|code| codes.contains(&code.as_str()))
    }

    fn name(&self, word: &str) -> bool {
        self.words.contains(&format!("`{word}`"))
    }
}

/// Why a candidate must not be taken; nothing if it may.
pub(super) fn objection(given: &Files, new: &Files, complaints: &Complaints) -> Option<String> {
    if let Some(path) = given.keys().find(|path| !new.contains_key(*path)) {
        return Some(format!("it takes the file {path} away"));
    }
    let added: Vec<_> = new.keys().filter(|path| !given.contains_key(*path)).collect();
    if let Some(path) =
        added.iter().find(|path| !path.ends_with(".rs") || path.ends_with("build.rs"))
    {
        return Some(format!("it adds the file {path}: only new modules may be added"));
    }
    if added.len() > NEW_FILES_MAX {
        return Some(format!("it adds {} files; {NEW_FILES_MAX} may be added", added.len()));
    }
    let changed = new.iter().filter_map(|(path, text)| {
        let old = given.get(path).map_or("", String::as_str);
        (old != text).then_some((path.as_str(), (old, text.as_str())))
    });
    let (sources, others): (Vec<_>, Vec<_>) =
        changed.partition(|(path, _)| path.ends_with(".rs") && *path != "build.rs");
    let other = others.into_iter().find_map(|(path, texts)| match path.ends_with("Cargo.toml") {
        true => manifest_objection(path, texts, complaints),
        false => Some(format!("it changes {path}, which is no part of the error")),
    });
    other.or_else(|| sources_objection(&sources, complaints))
}

fn sources_objection(changed: &[(&str, (&str, &str))], complaints: &Complaints) -> Option<String> {
    let scans: Vec<_> = changed.iter().map(|(_, (old, new))| (scan(old), scan(new))).collect();
    let each = changed.iter().zip(&scans).find_map(|((path, texts), (old, new))| {
        source_objection(path, (texts.0, old), (new, complaints))
    });
    each.or_else(|| {
        let (old, new) = (scans.iter().map(|one| &one.0), scans.iter().map(|one| &one.1));
        missing(&declared(old), &declared(new), complaints)
    })
}

/// A manifest is touched where something is said of it, and no further than that needs.
fn manifest_objection(path: &str, texts: (&str, &str), complaints: &Complaints) -> Option<String> {
    if !complaints.manifest {
        return Some(format!("it changes {path}, and no error is about the manifest"));
    }
    manifest::objection(path, texts, !complaints.unread)
}

fn source_objection(
    path: &str,
    old: (&str, &Scan<'_>),
    new: (&Scan<'_>, &Complaints),
) -> Option<String> {
    silenced(old.1, new.0, new.1)
        .or_else(|| mounts::objection(old.1, new.0, new.1))
        .or_else(|| emptied(old.1, new.0))
        .or_else(|| test_code::objection(path, old, new))
        .map(|objection| format!("{path}: it {objection}"))
}

/// Words that end a function without doing its work, or that hide code from the compiler.
fn silenced(old: &Scan<'_>, new: &Scan<'_>, complaints: &Complaints) -> Option<String> {
    for word in ["todo", "unimplemented", "unreachable_unchecked", "transmute", "include", "asm"] {
        if count(new, |tokens| tokens[0].is(word)) > count(old, |tokens| tokens[0].is(word)) {
            return Some(format!("adds `{word}`, which is no repair"));
        }
    }
    for word in ["allow", "ignore", "cfg", "expect", "cfg_attr"] {
        let attribute =
            |tokens: &[Token<'_>]| tokens.len() == 2 && tokens[0].is("[") && tokens[1].is(word);
        if count(new, attribute) > count(old, attribute) {
            return Some(format!("adds the attribute `{word}`, which hides the error"));
        }
    }
    let unsafes = |tokens: &[Token<'_>]| tokens[0].is("unsafe");
    let may = complaints.has(&["E0133", "E0199", "E0200"]);
    (!may && count(new, unsafes) > count(old, unsafes)).then(|| "adds `unsafe`".to_owned())
}

fn count(scan: &Scan<'_>, wanted: impl Fn(&[Token<'_>]) -> bool) -> usize {
    let pairs = scan.tokens.windows(2).filter(|pair| wanted(pair)).count();
    pairs + usize::from(scan.tokens.last().is_some_and(|last| wanted(std::slice::from_ref(last))))
}

/// Functions whose bodies have lost what they did.
fn emptied(old: &Scan<'_>, new: &Scan<'_>) -> Option<String> {
    let mut bodies: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let (works_before, works_now) = (works(old), works(new));
    for item in functions(new) {
        bodies.entry(&item.name).or_default().push(work(&works_now, item));
    }
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for item in functions(old) {
        let nth = seen.entry(&item.name).or_insert(0);
        let now = bodies.get(item.name.as_str()).and_then(|all| all.get(*nth));
        *nth += 1;
        let was = work(&works_before, item);
        if now.is_some_and(|now| was >= SMALL_BODY_TOKENS && now * 2 < was) {
            return Some(format!("takes most of the body of `{}` away", item.name));
        }
    }
    None
}

fn functions<'a>(scan: &'a Scan<'_>) -> impl Iterator<Item = &'a Item> {
    scan.items.iter().filter(|item| matches!(item.what, What::Function | What::Test))
}

/// How many tokens before each do something.
fn works(scan: &Scan<'_>) -> Vec<usize> {
    let mut sum = 0;
    let mut sums = vec![0];
    for token in &scan.tokens {
        sum += usize::from(matches!(token.kind, Kind::Word | Kind::Literal));
        sums.push(sum);
    }
    sums
}

fn work(works: &[usize], item: &Item) -> usize {
    let (start, end) = item.body;
    let at = |place: usize| works.get(place).or(works.last()).copied().unwrap_or(0);
    at(end).saturating_sub(at(start))
}

/// What was declared in the changed files and is not any more. A name that the compiler spoke of may
/// be changed, as long as nothing is missing in number.
fn missing(old: &Declared, new: &Declared, complaints: &Complaints) -> Option<String> {
    let total = |all: &Declared, what| {
        all.iter().filter(|(key, _)| key.0 == what).map(|(_, count)| *count).sum::<usize>()
    };
    let twice = ["E0428", "E0592", "E0201", "E0119", "E0124", "E0415"];
    for ((what, name), was) in old {
        let is = new.get(&(*what, name.clone())).copied().unwrap_or(0);
        if is >= *was || (is > 0 && complaints.has(&twice)) {
            continue;
        }
        let renamed =
            *what != What::Test && complaints.name(name) && total(old, *what) <= total(new, *what);
        if !renamed {
            return Some(format!("it takes the {} `{name}` away", what.name()));
        }
    }
    None
}

/// What is declared, by kind and name, and how often.
type Declared = BTreeMap<(What, String), usize>;

fn declared<'a>(scans: impl Iterator<Item = &'a Scan<'a>>) -> Declared {
    let mut counts = BTreeMap::new();
    for item in scans.flat_map(|scan| &scan.items) {
        *counts.entry((item.what, item.name.clone())).or_insert(0) += 1;
    }
    counts
}
