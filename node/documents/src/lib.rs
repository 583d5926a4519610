//! Foreign documents: read as text with headings, and cut into passages for a knowledge base.
//!
//! - `reader`: from a name and bytes to a [`Document`], under limits and a deadline
//! - `formats`: one file per kind of document
//! - `document`: what every reader makes: a title and sections, and where they stood in the source
//! - `cut`: from a document to [`Chunk`]s that fit an embedding model
//! - `measure`: how many tokens a part of a text has, by the model's own tokenizer
//! - `split`: a text cut where its sentences and headings end, without more structure
//! - `walk`: the files of a folder that may be read
//! - `id`: ids by content
//!
//! Invariants: everything read is hostile. A reader answers with a document or an error that says what
//! to do; it does not panic, recurse by the depth of its input, or write more than its limits allow.
//! The same bytes give the same document, chunks and ids on every machine.

#![forbid(unsafe_code)]

mod cut;
mod document;
mod error;
mod formats;
mod id;
mod kind;
mod measure;
mod reader;
mod split;
mod walk;
mod writer;

pub use cut::{Chunk, Chunker, cut};
pub use document::{Document, Position, Section, Unit};
pub use error::ReadError;
pub use id::{chunk_id, document_hash};
pub use kind::Kind;
pub use measure::{Count, Measure, pieces};
pub use reader::{Limits, Reader, read};
pub use split::{Markup, Splitter};
pub use walk::{Entry, Reason, Rules, WalkError, walk};
