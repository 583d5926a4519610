//! Changes of files by places in bytes, made all together or not at all.

use std::collections::BTreeMap;

use crate::build::{Files, Replacement, Suggestion};

/// New text for bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edit {
    pub(super) file: String,
    /// The first byte that is replaced.
    pub(super) start: usize,
    /// The byte behind the last.
    pub(super) end: usize,
    pub(super) text: String,
}

impl Edit {
    pub(super) fn insert(file: &str, place: usize, text: &str) -> Self {
        Self { file: file.to_owned(), start: place, end: place, text: text.to_owned() }
    }

    /// Whether both can be made: they touch other bytes, or are one and the same. Two texts for one
    /// place fit if each is lines of its own, as imports are.
    pub(super) fn fits(&self, other: &Self) -> bool {
        if self.file != other.file || self == other {
            return true;
        }
        let lines = self.text.ends_with('\n') && other.text.ends_with('\n');
        let same_place =
            self.start == other.start && (self.start, other.start) == (self.end, other.end);
        if same_place {
            return lines;
        }
        let (first, second) = if self.start <= other.start { (self, other) } else { (other, self) };
        first.end < second.start || (first.end == second.start && first.start < first.end)
    }
}

impl From<&Replacement> for Edit {
    fn from(replacement: &Replacement) -> Self {
        Self {
            file: replacement.file.clone(),
            start: replacement.byte_start as usize,
            end: replacement.byte_end as usize,
            text: replacement.replacement.clone(),
        }
    }
}

/// The changes that a suggestion lets choose from. The compiler lists the parts of each in the order
/// of their places, one choice after the other: a part that does not come behind its forerunner
/// begins the next choice.
pub(super) fn choices(suggestion: &Suggestion) -> Vec<Vec<Edit>> {
    let mut all: Vec<Vec<Edit>> = vec![];
    for edit in suggestion.replacements.iter().map(Edit::from) {
        let goes_on = all.last().and_then(|choice| choice.last()).is_some_and(|last| {
            last.file != edit.file || (last.end <= edit.start && last.start < edit.start)
        });
        match all.last_mut() {
            Some(choice) if goes_on => choice.push(edit),
            _ => all.push(vec![edit]),
        }
    }
    all
}

/// The files after the changes; nothing if one does not fit, into its file or beside another.
pub(super) fn apply(files: &Files, edits: &[Edit]) -> Option<Files> {
    let mut by_file: BTreeMap<&str, Vec<&Edit>> = BTreeMap::new();
    for edit in edits {
        by_file.entry(&edit.file).or_default().push(edit);
    }
    let mut changed = files.clone();
    for (file, mut edits) in by_file {
        edits.sort();
        edits.dedup();
        let text = changed_text(files.get(file)?, &edits)?;
        changed.insert(file.to_owned(), text);
    }
    Some(changed)
}

/// The text after changes that stand in the order of their places.
fn changed_text(text: &str, edits: &[&Edit]) -> Option<String> {
    if edits.windows(2).any(|pair| !pair[0].fits(pair[1])) {
        return None;
    }
    let mut changed = String::with_capacity(text.len());
    let mut behind = 0;
    for edit in edits {
        text.get(edit.start..edit.end)?;
        changed.push_str(text.get(behind..edit.start)?);
        changed.push_str(&edit.text);
        behind = edit.end;
    }
    changed.push_str(text.get(behind..)?);
    Some(changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::Applicability;

    fn files(text: &str) -> Files {
        Files::from([("a".to_owned(), text.to_owned())])
    }

    fn edit(start: usize, end: usize, text: &str) -> Edit {
        Edit { end, ..Edit::insert("a", start, text) }
    }

    #[test]
    fn changes_are_made_together_whatever_their_order() {
        let changed = apply(&files("let x = 1;"), &[edit(8, 9, "2"), edit(4, 4, "mut ")]);
        assert_eq!(changed.expect("fits")["a"], "let mut x = 2;");
        let touching = apply(&files("abc"), &[edit(0, 1, "x"), edit(1, 2, "y"), edit(2, 2, "z")]);
        assert_eq!(touching.expect("fits")["a"], "xyzc");
        let twice = apply(&files("abc"), &[edit(1, 1, "-"), edit(1, 1, "-")]);
        assert_eq!(twice.expect("one and the same")["a"], "a-bc");
        let imports = apply(&files("abc"), &[edit(0, 0, "y\n"), edit(0, 0, "x\n")]);
        assert_eq!(imports.expect("lines of their own")["a"], "x\ny\nabc");
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        for edits in [
            vec![edit(0, 2, ""), edit(1, 3, "")],
            vec![edit(1, 1, "&"), edit(1, 1, "*")],
            vec![edit(0, 9, "")],
            vec![edit(2, 1, "")],
            vec![edit(4, 5, "")],
            vec![Edit::insert("b", 0, "")],
        ] {
            assert_eq!(apply(&files("abcé"), &edits), None, "{edits:?}");
        }
    }

    #[test]
    fn choices_of_a_suggestion_are_told_apart_by_their_places() {
        let part = |start, end, text: &str| Replacement {
            file: "a".into(),
            byte_start: start,
            byte_end: end,
            line_start: 1,
            column_start: 1,
            replacement: text.into(),
        };
        let of = |replacements| {
            let applicability = Applicability::MaybeIncorrect;
            let suggestion = Suggestion { message: String::new(), applicability, replacements };
            choices(&suggestion).iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(of(vec![part(0, 0, "use a;\n"), part(0, 0, "use b;\n")]), [1, 1]);
        assert_eq!(of(vec![part(0, 0, "("), part(5, 5, ")")]), [2]);
        let (open, close) = (part(0, 0, "("), part(5, 5, ")"));
        assert_eq!(of(vec![open.clone(), close.clone(), open, close]), [2, 2]);
    }
}
