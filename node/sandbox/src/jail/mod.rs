//! Runs one command over one job directory inside a hardened sandbox and returns what happened.
//!
//! Processes, from the outside in:
//!
//! ```text
//! node ── the thread in `Jail::run`: polls output, clocks and limits
//!   └─ gaia-jail launch ── mounts, drops its uid, stays until all below is dead
//!        └─ bwrap ── namespaces, read-only system, no capabilities, seccomp filter
//!             └─ pid 1 of the job (bwrap's reaper)
//!                  └─ gaia-jail enter ── rlimits, Landlock; becomes the command
//! ```
//!
//! The job's writable folders are one sized tmpfs in a mount namespace of its own, so a job that is
//! dead leaves nothing behind, whatever it did. The node holds a descriptor of it to put files in
//! and to read results, after the last process is gone, without following links.
//!
//! The policy stands in `policy.rs`.

mod cancel;
mod cgroup;
mod command;
mod control;
mod error;
#[expect(unsafe_code, reason = "system calls that no safe wrapper has")]
mod ffi;
mod files;
pub mod helper;
mod landlock;
mod layer;
mod outcome;
pub mod policy;
mod probe;
mod run;
mod seccomp;
mod settings;
mod trials;
mod wire;

pub use cancel::{Cancel, CancelHandle};
pub use command::{Access, Bind, Collect, Command, CopyIn, File, Limits};
pub use error::StartError;
pub use layer::{Layer, LayerReport, Report, State};
pub use outcome::{CollectError, Collected, Ending, Notes, Outcome, Output};
pub use run::Jail;
pub use settings::Settings;
