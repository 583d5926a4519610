//! The compile sandbox as a service: who may compile when, and jobs that are asked for later.
//!
//! ```text
//! Service::answer ── a request that waits ─┐
//! Service::begin ── a task in the set ─────┴─ Queue ── permit ── a blocking thread ── Builder::run
//! ```
//!
//! Invariants: a builder's thread holds a permit until its job's last process is dead; whoever goes
//! away takes the job along, for its cancel handle is dropped; every list here has a limit, and who
//! meets it is told so.

mod code;
mod counts;
mod jobs;
mod open;
mod port;
mod queue;
mod service;

pub use code::project_of_code;
pub use jobs::{Done, JobState, Jobs};
pub use open::{Offer, helper, jail, missing, open};
pub use port::OwnersBuilder;
pub use queue::{Full, Permit, Queue, Turn};
pub use service::{Refusal, Service};
