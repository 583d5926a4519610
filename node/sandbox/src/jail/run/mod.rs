//! One job from start to end, on the caller's thread.

mod end;
mod output;
mod start;
mod watch;

use std::fs;
use std::path::Path;

use super::cancel::Cancel;
use super::cgroup::{self, Places};
use super::command::Command;
use super::error::StartError;
use super::layer::{Layer, Report};
use super::outcome::Outcome;
use super::probe;
use super::settings::Settings;
use super::wire::Landlock;

/// Runs jobs. One for the node; `run` may be called from as many threads as jobs shall run at once.
#[derive(Clone, Debug)]
pub struct Jail {
    settings: Settings,
    places: Places,
}

impl Jail {
    /// Looks for the programs and the cgroups, removes what a killed node has left, and, in a cgroup
    /// of v2 that holds nobody but this process and its children, moves these one group down, so
    /// that jobs can have limited groups beside them.
    ///
    /// # Errors
    /// The helper or bubblewrap is missing, or the settings name users that there can't be.
    pub fn new(settings: Settings) -> Result<Self, StartError> {
        settings.validate()?;
        present("bubblewrap", &settings.bwrap, "install the package `bubblewrap`, 0.8 or newer")?;
        present("the jail's helper", &settings.helper, "install `gaia-jail` beside `gaia-node`")?;
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let mut places = Places::parse(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"));
        cgroup::sweep(&places);
        cgroup::prepare(&mut places);
        Ok(Self { settings, places })
    }

    /// Runs one command to its end, and cleans up. A cancelled job ends within milliseconds.
    ///
    /// # Errors
    /// Nothing of the command has run: it is invalid, what goes in does not fit, or a layer that the
    /// settings don't do without can't be enforced.
    pub fn run(&self, command: &Command, cancel: &Cancel) -> Result<Outcome, StartError> {
        let accepted = self.settings.accepted.contains(&Layer::Landlock);
        let landlock = if accepted { Landlock::Accepted } else { Landlock::Required };
        self.run_with(command, cancel, landlock).map(|ran| ran.outcome)
    }

    /// Tries every layer with short jobs of our own, and says which held. Takes less than a second on
    /// an idle machine.
    pub fn probe(&self) -> Report {
        probe::probe(self)
    }

    /// The same jail for trials: no layer is required, so that each can be looked at.
    pub(crate) fn lenient(&self) -> Self {
        let settings = Settings { accepted: Layer::ALL.to_vec(), ..self.settings.clone() };
        Self { settings, places: self.places.clone() }
    }

    pub(crate) fn run_with(
        &self,
        command: &Command,
        cancel: &Cancel,
        landlock: Landlock,
    ) -> Result<Ran, StartError> {
        command.validate()?;
        let job = start::start(self, command, landlock)?;
        let watched = watch::watch(job, &command.limits, cancel)?;
        end::end(watched, command)
    }
}

/// An outcome, with what only trials want to know.
pub(crate) struct Ran {
    pub outcome: Outcome,
    /// Layers that could not be had, and why.
    pub missing: Vec<(Layer, String)>,
    /// Does the kernel know all of Landlock's rules?
    pub landlock_whole: bool,
    /// The user that the job ran as, if not ours.
    pub uid: Option<u32>,
}

fn present(what: &'static str, path: &Path, fix: &'static str) -> Result<(), StartError> {
    if path.is_file() {
        return Ok(());
    }
    Err(StartError::Absent { what, path: path.to_owned(), fix })
}
