//! A whole collection that comes from elsewhere.

use std::fmt;

use super::{CollectionSpec, Point, Reply};

/// Points that come one batch after the other.
pub trait Batches: Send {
    /// The next points; none: all have come. It is not called again after that, nor after an error.
    fn next(&mut self) -> Reply<'_, Vec<Point>>;
}

/// A collection to make of points that come in batches.
pub struct Import {
    /// Its name.
    pub collection: String,
    /// What its points are.
    pub spec: CollectionSpec,
    /// Whether it may take the place of one that is there; otherwise that is an error.
    pub replaces: bool,
    /// Its points, each id once.
    pub points: Box<dyn Batches>,
}

impl fmt::Debug for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { collection, spec, replaces, .. } = self;
        let mut debug = f.debug_struct("Import");
        debug.field("collection", collection).field("spec", spec).field("replaces", replaces);
        debug.finish_non_exhaustive()
    }
}
