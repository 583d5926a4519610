//! The outline of a PDF: headings that name a page.

use std::collections::{BTreeMap, HashSet};

use lopdf::{Dictionary, Document, Object, ObjectId};

/// Entries that are looked at.
const ENTRIES_MAX: usize = 20_000;
const LEVEL_MAX: u8 = 8;

/// The first heading of the highest level on each page: its level and words. A page has one place
/// only, so its other headings can't be told from the text between them.
pub fn headings(file: &Document, pages: &BTreeMap<ObjectId, u32>) -> BTreeMap<u32, (u8, String)> {
    let mut found = BTreeMap::<u32, (u8, String)>::new();
    let mut seen = HashSet::new();
    // Entries that are to be looked at, the next one last.
    let mut next: Vec<(ObjectId, u8)> = first(file).map(|id| (id, 1)).into_iter().collect();
    while let Some((id, level)) = next.pop() {
        if seen.len() >= ENTRIES_MAX || !seen.insert(id) {
            continue;
        }
        let Ok(entry) = file.get_dictionary(id) else { continue };
        next.extend(link(entry, b"Next").map(|id| (id, level)));
        next.extend(link(entry, b"First").map(|id| (id, (level + 1).min(LEVEL_MAX))));
        if let Some((page, heading)) = heading(file, entry, pages)
            && found.get(&page).is_none_or(|(above, _)| level < *above)
        {
            found.insert(page, (level, heading));
        }
    }
    found
}

fn first(file: &Document) -> Option<ObjectId> {
    let outline = file.catalog().ok()?.get_deref(b"Outlines", file).ok()?;
    link(outline.as_dict().ok()?, b"First")
}

fn link(entry: &Dictionary, key: &[u8]) -> Option<ObjectId> {
    entry.get(key).ok()?.as_reference().ok()
}

fn heading(
    file: &Document,
    entry: &Dictionary,
    pages: &BTreeMap<ObjectId, u32>,
) -> Option<(u32, String)> {
    let target = match entry.get_deref(b"Dest", file) {
        Ok(target) => target,
        Err(_) => {
            let action = entry.get_deref(b"A", file).ok()?.as_dict().ok()?;
            action.get_deref(b"D", file).ok()?
        }
    };
    let page = named(file, target)?.as_array().ok()?.first()?.as_reference().ok()?;
    let title = lopdf::decode_text_string(entry.get_deref(b"Title", file).ok()?).ok()?;
    Some((*pages.get(&page)?, title))
}

/// The target itself, where it is called by a name of the old kind; others have a tree of names.
fn named<'a>(file: &'a Document, target: &'a Object) -> Option<&'a Object> {
    let name = match target {
        Object::Name(name) => name,
        target => return Some(target),
    };
    let targets = file.catalog().ok()?.get_deref(b"Dests", file).ok()?.as_dict().ok()?;
    match targets.get_deref(name, file).ok()? {
        Object::Dictionary(target) => target.get_deref(b"D", file).ok(),
        target => Some(target),
    }
}
