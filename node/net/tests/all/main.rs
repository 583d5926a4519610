//! What the room does against a server that does everything wrong that servers do.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;
mod download;
mod support;
