//! Hostile programs in the jail: each ends as it should, the next job is not affected, and nothing
//! of it is left: no process, mount, cgroup or file.
//!
//! As root every layer is required, so a missing one fails the tests. One job runs at a time, for
//! what is left is looked for on the whole machine.

mod attempts;
mod cargo;
mod clocks;
mod ending;
mod files;
mod harness;
mod limits;
mod others;
mod users;
