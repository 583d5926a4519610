//! The containers that are open around a place of a page.

use std::collections::HashMap;

use super::tags;

/// Open containers, the outermost first.
#[derive(Default)]
pub struct Open {
    names: Vec<String>,
    /// How many are open of each name.
    counts: HashMap<String, usize>,
    /// The text is left out while more containers are open than this.
    left_out: Option<usize>,
    /// Items so far of each open list: `None` where they have no numbers.
    lists: Vec<Option<u32>>,
}

impl Open {
    pub fn depth(&self) -> usize {
        self.names.len()
    }

    pub fn has(&self, name: &str) -> bool {
        self.counts.get(name).is_some_and(|count| *count > 0)
    }

    /// Whether the text here is left out.
    pub fn left_out(&self) -> bool {
        self.left_out.is_some()
    }

    pub fn in_list(&self) -> bool {
        !self.lists.is_empty()
    }

    /// Spaces before a line here.
    pub fn indent(&self) -> usize {
        2 * self.lists.len().saturating_sub(1)
    }

    pub fn push(&mut self, name: &str) {
        if self.left_out.is_none() && tags::is_left_out(name, |name| self.has(name)) {
            self.left_out = Some(self.names.len());
        }
        match name {
            "ul" | "menu" => self.lists.push(None),
            "ol" => self.lists.push(Some(0)),
            _ => {}
        }
        self.names.push(name.to_owned());
        *self.counts.entry(name.to_owned()).or_default() += 1;
    }

    /// Closes the innermost container of this name and all inside it; false if there is none. So
    /// each container is passed once, whatever the page does.
    pub fn close(&mut self, name: &str) -> bool {
        if !self.has(name) {
            return false;
        }
        while let Some(open) = self.names.pop() {
            if let Some(count) = self.counts.get_mut(&open) {
                *count -= 1;
            }
            if matches!(open.as_str(), "ul" | "ol" | "menu") {
                self.lists.pop();
            }
            if open == name {
                break;
            }
        }
        self.left_out = self.left_out.filter(|depth| self.names.len() > *depth);
        true
    }

    /// The mark of the next item of the innermost list.
    pub fn item(&mut self) -> String {
        match self.lists.last_mut() {
            Some(Some(number)) => {
                *number = number.saturating_add(1);
                format!("{number}.")
            }
            _ => "-".into(),
        }
    }
}
