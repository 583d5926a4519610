//! A manifest with the places of its keys.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::project::error::{ManifestFault, ManifestProblem, excerpt};

/// One manifest's text and surroundings.
pub(super) struct Source<'a> {
    pub path: &'a str,
    /// Where the manifest is, without a slash at the end; empty for the top.
    pub folder: &'a str,
    pub text: &'a str,
    /// The folders of all manifests.
    pub folders: &'a BTreeSet<&'a str>,
}

/// A key's value, and the key with the tables around it, as in `dependencies.serde.path`.
pub(super) struct Entry<'t, 'i> {
    pub place: String,
    pub value: &'t Spanned<DeValue<'i>>,
}

pub(super) type Checked<T> = Result<T, ManifestProblem>;

/// The entries of a table in it.
pub(super) fn entries<'t, 'i>(
    place: &str,
    table: &'t DeTable<'i>,
) -> impl Iterator<Item = (&'t str, Entry<'t, 'i>)> {
    let dot = if place.is_empty() { "" } else { "." };
    table.iter().map(move |(key, value)| {
        let place = excerpt(&format!("{place}{dot}{}", key.get_ref()));
        (key.get_ref().as_ref(), Entry { place, value })
    })
}

impl<'t, 'i> Entry<'t, 'i> {
    pub fn get(&self) -> &'t DeValue<'i> {
        self.value.get_ref()
    }
}

impl Source<'_> {
    pub fn parse(&self) -> Checked<Spanned<DeTable<'_>>> {
        DeTable::parse(self.text).map_err(|error| {
            let message = excerpt(error.message());
            self.problem(error.span().unwrap_or(0..0), ManifestFault::Syntax { message })
        })
    }

    pub fn problem(&self, span: Range<usize>, fault: ManifestFault) -> ManifestProblem {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        ManifestProblem { path: self.path.to_owned(), line, fault }
    }

    pub fn refused(&self, entry: &Entry<'_, '_>, reason: &'static str) -> ManifestProblem {
        let fault = ManifestFault::Refused { place: entry.place.clone(), reason };
        self.problem(entry.value.span(), fault)
    }

    pub fn table<'t, 'i>(&self, entry: &Entry<'t, 'i>) -> Checked<&'t DeTable<'i>> {
        entry.get().as_table().ok_or_else(|| self.wrong(entry, "a table"))
    }

    pub fn text<'t>(&self, entry: &Entry<'t, '_>) -> Checked<&'t str> {
        entry.get().as_str().ok_or_else(|| self.wrong(entry, "a text"))
    }

    /// A list of texts, or one text.
    pub fn texts<'t, 'i>(&self, entry: &Entry<'t, 'i>) -> Checked<Vec<Entry<'t, 'i>>> {
        let list = self.list(entry)?;
        list.iter().try_for_each(|item| self.text(item).map(|_| ()))?;
        Ok(list)
    }

    /// The members of a list, or the value itself where there is none.
    pub fn list<'t, 'i>(&self, entry: &Entry<'t, 'i>) -> Checked<Vec<Entry<'t, 'i>>> {
        let place = || entry.place.clone();
        match entry.get() {
            DeValue::Array(items) => {
                Ok(items.iter().map(|value| Entry { place: place(), value }).collect())
            }
            _ => Ok(vec![Entry { place: place(), value: entry.value }]),
        }
    }

    pub fn wrong(&self, entry: &Entry<'_, '_>, wanted: &'static str) -> ManifestProblem {
        let fault = ManifestFault::WrongType { place: entry.place.clone(), wanted };
        self.problem(entry.value.span(), fault)
    }

    /// A path from the manifest's folder; gives it from the project's top.
    pub fn inside(&self, entry: &Entry<'_, '_>) -> Checked<String> {
        let path = self.text(entry)?;
        resolve(self.folder, path).ok_or_else(|| {
            let fault = ManifestFault::Outside { place: entry.place.clone(), path: excerpt(path) };
            self.problem(entry.value.span(), fault)
        })
    }
}

/// Follows a path from a folder. None if it leaves the project at any step.
fn resolve(folder: &str, path: &str) -> Option<String> {
    if path.starts_with('/') || path.contains(['\\', ':']) || path.contains(char::is_control) {
        return None;
    }
    let mut names: Vec<&str> = folder.split('/').filter(|name| !name.is_empty()).collect();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()?),
            name => names.push(name),
        }
    }
    Some(names.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_followed_and_never_leave() {
        assert_eq!(resolve("a/b", "../c"), Some("a/c".to_owned()));
        assert_eq!(resolve("a", "./x//y/"), Some("a/x/y".to_owned()));
        assert_eq!(resolve("a", ".."), Some(String::new()));
        for (folder, path) in [
            ("", ".."),
            ("a", "../.."),
            ("a", "../../a"),
            ("", "/x"),
            ("", "a\\b"),
            ("", "C:/x"),
            ("", "\0"),
        ] {
            assert_eq!(resolve(folder, path), None, "{folder:?} {path:?}");
        }
    }
}
