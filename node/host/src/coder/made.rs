//! A project that was repaired or made, as it is kept and given out.

use std::collections::BTreeSet;

use gaia_core::build::Files;
use gaia_core::coder::{Generated, Kind, Repaired};
use gaia_core::knowledge::Citation;
use gaia_sandbox::project::{Limits, Project};
use gaia_sandbox::report::Detail;

/// What a repair or a generation has come to.
#[derive(Debug)]
pub struct Made {
    /// How it ended.
    pub outcome: Repaired,
    /// What was new about it, if it was made from a description.
    pub birth: Option<Birth>,
    /// All its files, also those that are no text; none where nothing was made.
    pub project: Option<Project>,
    /// The files that are not as they came.
    pub changed: BTreeSet<String>,
    /// What its program printed, where it was run.
    pub run_output: Option<String>,
    /// How much of it was asked for.
    pub detail: Detail,
}

/// What is known of a project that was made from a description.
#[derive(Debug)]
pub struct Birth {
    /// Its package's name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The passages that the model was shown.
    pub examples: Vec<Citation>,
}

impl Made {
    /// A repaired project; `given` is what came, and `others` its files that are no text.
    #[must_use]
    pub fn of_repair(outcome: Repaired, (given, others): (&Files, Vec<(String, Vec<u8>)>)) -> Self {
        let is_new = |(path, text): &(&String, &String)| given.get(*path) != Some(*text);
        let changed = outcome.files.iter().filter(is_new).map(|(path, _)| path.clone()).collect();
        let project = project(&outcome.files, others);
        let (run_output, detail) = (None, Detail::default());
        Self { outcome, birth: None, project, changed, run_output, detail }
    }

    /// A project that was made.
    #[must_use]
    pub fn of_generation(generated: Generated) -> Self {
        let Generated { name, kind, examples, outcome } = generated;
        let changed = outcome.files.keys().cloned().collect();
        let project = project(&outcome.files, vec![]);
        let birth = Some(Birth { name, kind, examples });
        Self { outcome, birth, project, changed, run_output: None, detail: Detail::default() }
    }

    /// As one text that is a project again when it is sent back; none where a file is no text.
    #[must_use]
    pub fn flat(&self) -> Option<String> {
        self.project.as_ref().and_then(|project| project.to_flat().ok())
    }

    /// What it takes in memory, about: files, report and history.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let files: usize = self.outcome.files.values().map(String::len).sum();
        let project = self.project.as_ref().map_or(0, Project::bytes);
        let told = serde_json::to_vec(&self.outcome.report).map_or(0, |text| text.len());
        files + project + told + self.outcome.diff.len()
    }
}

/// A repair never adds a path that breaks a rule: the compiler would have refused it.
fn project(files: &Files, others: Vec<(String, Vec<u8>)>) -> Option<Project> {
    if files.is_empty() {
        return None;
    }
    let texts = files.iter().map(|(path, text)| (path.clone(), text.clone().into_bytes()));
    Project::from_bytes(texts.chain(others).collect(), &Limits::default()).ok()
}
