//! The outline of a PDF: headings that name a page.

use std::collections::{BTreeMap, HashSet};

use lopdf::{Dictionary, Document, ObjectId};

use super::targets::Targets;

/// Entries that are looked at.
const ENTRIES_MAX: usize = 20_000;
const LEVEL_MAX: u8 = 8;

/// The first heading of the highest level on each page: its level and words. A page has one place
/// only, so its other headings can't be told from the text between them.
pub fn headings(file: &Document, pages: &BTreeMap<ObjectId, u32>) -> BTreeMap<u32, (u8, String)> {
    let mut found = BTreeMap::<u32, (u8, String)>::new();
    let targets = Targets::new(file);
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
        if let Some((page, heading)) = heading(entry, &targets, pages)
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
    entry: &Dictionary,
    targets: &Targets<'_>,
    pages: &BTreeMap<ObjectId, u32>,
) -> Option<(u32, String)> {
    let file = targets.file();
    let target = match entry.get_deref(b"Dest", file) {
        Ok(target) => target,
        Err(_) => {
            let action = entry.get_deref(b"A", file).ok()?.as_dict().ok()?;
            action.get_deref(b"D", file).ok()?
        }
    };
    let page = targets.page(target)?;
    let title = lopdf::decode_text_string(entry.get_deref(b"Title", file).ok()?).ok()?;
    Some((*pages.get(&page)?, title))
}
