//! The sandbox: what strangers send is compiled and run here, and can't hurt the machine.
//!
//! `jail` runs one command over one job directory behind every layer of defence that the kernel
//! offers, and says what happened. Invariants: a job that ended has left no process, mount, cgroup
//! or file; a layer that can't be enforced is named and stops the job unless the settings accept
//! that; whatever a job writes is hostile until it is read back within a limit. `unsafe` stands in
//! `jail::ffi` alone.

#![deny(unsafe_code)]

pub mod jail;
