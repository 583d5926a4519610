//! Code as people and models send it.

use gaia_sandbox::project::{Edition, Limits, Project, ProjectError, SingleFile};

/// A project from flat text, or from one source file.
///
/// # Errors
/// It breaks a rule, which is named.
pub fn project_of_code(code: String, edition: Edition) -> Result<Project, ProjectError> {
    let limits = Limits::default();
    match Project::from_flat(&code, &limits) {
        Err(ProjectError::NoBlock) => {
            Project::from_source(SingleFile { source: code, edition }, &limits)
        }
        other => other,
    }
}
