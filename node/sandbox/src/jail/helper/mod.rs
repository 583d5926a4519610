//! The program `gaia-jail`: one thread, started anew for each job.

mod bwrap;
mod enter;
mod launch;
mod privileges;
mod stage;
mod trial;

use std::process::ExitCode;

/// Runs one of the helper's parts.
pub fn main(mut arguments: impl Iterator<Item = String>) -> ExitCode {
    match arguments.next().as_deref() {
        Some("launch") => launch::main(),
        Some("enter") => enter::main(arguments),
        Some("probe") => trial::main(arguments),
        _ => {
            eprintln!(
                "gaia-jail is started by gaia-node for each job; it is no command for people"
            );
            ExitCode::from(2)
        }
    }
}

/// Says on which step something failed.
trait Attempt<T> {
    fn attempt(self, what: &str) -> Result<T, String>;
}

impl<T, E: std::fmt::Display> Attempt<T> for Result<T, E> {
    fn attempt(self, what: &str) -> Result<T, String> {
        self.map_err(|error| format!("{what}: {error}"))
    }
}
