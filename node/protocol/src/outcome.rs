//! How a request's instance ended.

use serde::{Deserialize, Serialize};

/// How the instance that served a request ended. Only [`Outcome::Done`] promises that the guest
/// emitted a last event; after any other, the host tells the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The guest returned.
    Done,
    /// The host cancelled it.
    Cancelled,
    /// The guest exited with a code other than 0.
    Exit {
        /// The exit code.
        code: u32,
    },
    /// The guest trapped.
    Trap {
        /// WasmEdge's words.
        message: String,
    },
    /// `time_ms_max` was used up.
    TimeLimit,
    /// `instructions_max` was used up.
    InstructionLimit,
    /// All instances are busy.
    Overloaded,
    /// The worker is draining and takes nothing new.
    Draining,
    /// The instance could not be made or the engine stopped.
    Failed {
        /// What was attempted and why it failed.
        message: String,
    },
}
