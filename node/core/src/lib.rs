//! The domain: what the node does, without saying how.
//!
//! Ports ([`Model`], [`Knowledge`]) are what the use cases need from the outside world; the rooms around implement
//! them. Use cases ([`chat`], [`complete`], [`embed`], [`rerank`], [`tokenize`], [`knowledge::retrieve`],
//! [`knowledge::converse`]) choose a model, take a
//! permit and turn a task into an answer. No I/O, no engine and no HTTP is named here.
//!
//! Invariants: a permit lives exactly as long as its answer; dropping an answer cancels the task; an
//! answer that reaches a use case's caller kept the order of events, whatever the app did.
#![forbid(unsafe_code)]

mod admission;
mod agent;
mod answer;
mod answers;
pub mod build;
mod chat;
pub mod coder;
mod complete;
mod completion;
mod embed;
mod error;
#[cfg(any(test, feature = "fakes"))]
pub mod fakes;
pub mod knowledge;
mod model;
mod models;
mod order;
mod rerank;
mod tally;
mod tokenize;

pub use admission::{Admission, Permit};
pub use answer::Answer;
pub use answers::Answers;
pub use build::Builder;
pub use chat::{chat, chat_choices};
pub use complete::complete;
pub use completion::{CompletedCall, Completion, Gathering};
pub use embed::{Embeddings, embed};
pub use error::ServeError;
pub use knowledge::{Knowledge, KnowledgeError};
pub use model::{EventStream, Model, ModelReport, ModelStatus, ReportFuture};
pub use models::{Models, NameTaken, Node, Served};
pub use rerank::{Ranking, rerank};
pub use tally::Tally;
pub use tokenize::{estimate, tokenize};
