//! The crates that a builder has.

use std::collections::BTreeMap;

/// Crates by their names, as a manifest spells them.
pub type Crates = BTreeMap<String, Offer>;

/// One crate as projects may depend on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Version requirements that can be met, the one to prefer last. There is at least one.
    pub requirements: Vec<String>,
}

impl Offer {
    /// One that can be had under these requirements; none: it can't be had.
    #[must_use]
    pub fn of(requirements: Vec<String>) -> Option<Self> {
        (!requirements.is_empty()).then_some(Self { requirements })
    }

    /// The requirement to prefer.
    #[must_use]
    pub fn newest(&self) -> &str {
        self.requirements.last().map_or("*", String::as_str)
    }
}
