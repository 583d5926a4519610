//! Archives as people make them, and as those make them who mean harm.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod hostile;
mod jsonl;
mod round;
mod snapshot;
mod support;
