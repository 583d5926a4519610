//! The places of a PDF that have names.

use std::collections::{HashMap, HashSet};

use lopdf::{Document, Object, ObjectId};

/// Names, and parts of their tree, that are looked at.
const NAMES_MAX: usize = 200_000;

/// The page of each name.
pub struct Targets<'a> {
    file: &'a Document,
    pages: HashMap<&'a [u8], ObjectId>,
    looks_left: usize,
}

impl<'a> Targets<'a> {
    pub fn new(file: &'a Document) -> Self {
        let mut targets = Self { file, pages: HashMap::new(), looks_left: NAMES_MAX };
        // The old way: a dictionary. The new one: a tree.
        targets.read_dictionary();
        targets.read_tree();
        targets
    }

    pub fn file(&self) -> &'a Document {
        self.file
    }

    /// The page that a target is on: `[page /Fit]`, a name, or a dictionary with one of them.
    pub fn page(&self, target: &Object) -> Option<ObjectId> {
        match target {
            Object::Name(name) | Object::String(name, _) => {
                self.pages.get(name.as_slice()).copied()
            }
            target => page_of(self.file, target),
        }
    }

    fn read_dictionary(&mut self) -> Option<()> {
        let names = self.file.catalog().ok()?.get_deref(b"Dests", self.file).ok()?;
        for (name, target) in names.as_dict().ok()?.iter().take(self.looks_left) {
            self.keep(name, target);
        }
        Some(())
    }

    fn read_tree(&mut self) -> Option<()> {
        let names = self.file.catalog().ok()?.get_deref(b"Names", self.file).ok()?;
        let root = names.as_dict().ok()?.get(b"Dests").ok()?;
        let (mut next, mut seen) = (vec![root], HashSet::new());
        while let Some(node) = next.pop() {
            self.looks_left = self.looks_left.checked_sub(1)?;
            let Ok((id, node)) = self.file.dereference(node) else { continue };
            let Ok(node) = node.as_dict() else { continue };
            if id.is_some_and(|id| !seen.insert(id)) {
                continue;
            }
            let part = |key| node.get_deref(key, self.file).and_then(Object::as_array).ok();
            next.extend(part(b"Kids").into_iter().flatten().take(self.looks_left));
            let names = part(b"Names").map_or(&[][..], Vec::as_slice);
            for [name, target] in names.as_chunks().0 {
                self.looks_left = self.looks_left.checked_sub(1)?;
                if let Ok(name) = name.as_str() {
                    self.keep(name, target);
                }
            }
        }
        Some(())
    }

    fn keep(&mut self, name: &'a [u8], target: &'a Object) {
        if let Some(page) = page_of(self.file, target) {
            self.pages.insert(name, page);
        }
    }
}

fn page_of(file: &Document, target: &Object) -> Option<ObjectId> {
    let target = file.dereference(target).ok()?.1;
    let target = match target {
        Object::Dictionary(target) => target.get_deref(b"D", file).ok()?,
        target => target,
    };
    target.as_array().ok()?.first()?.as_reference().ok()
}
