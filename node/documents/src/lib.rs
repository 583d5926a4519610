//! Foreign documents: read as text with headings, and cut into passages for a knowledge base.

#![forbid(unsafe_code)]

mod measure;
mod split;

pub use measure::{Count, Measure, pieces};
pub use split::{Markup, Splitter};
