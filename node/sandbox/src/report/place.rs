//! Whose file a message speaks of.

use gaia_core::build::Origin;

use super::text::{plain, shortened};

/// Bytes of a path in a message at most.
const PATH_BYTES_MAX: usize = 300;

/// Where things are in the job, as the compiler sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The project's folder.
    pub project: String,
    /// cargo's folder of results.
    pub target: String,
    /// Folders of sources of crates.
    pub crates: Vec<String>,
}

impl Default for Places {
    /// The paths of [`crate::catalog::layout`].
    fn default() -> Self {
        use crate::catalog::layout::{CRATES, JOB, PROJECT, TARGET};
        Self {
            project: format!("{JOB}/{PROJECT}"),
            target: format!("{JOB}/{TARGET}"),
            crates: vec![format!("{JOB}/crates"), format!("{CRATES}/sources")],
        }
    }
}

impl Places {
    /// Whose a file is, and its path without the job's folders.
    pub fn of(&self, file: &str) -> (Origin, String) {
        let (origin, path) = self.sort(file);
        (origin, shortened(plain(path), PATH_BYTES_MAX))
    }

    fn sort<'a>(&self, file: &'a str) -> (Origin, &'a str) {
        if let Some(path) = below(file, &self.project) {
            return (Origin::Project, path);
        }
        if let Some(path) = below(file, &self.target) {
            return (Origin::Generated, path);
        }
        if let Some(path) = self.crates.iter().find_map(|folder| below(file, folder)) {
            return (Origin::Dependency, path);
        }
        if let Some(path) = file.strip_prefix("/rustc/").and_then(|rest| rest.split_once('/')) {
            return (Origin::Toolchain, path.1);
        }
        match file {
            _ if file.starts_with('/') => (Origin::Toolchain, file),
            _ if file.starts_with('<') || file.is_empty() => (Origin::Generated, file),
            _ => (Origin::Project, file),
        }
    }

    /// The path of a result below the folder of results. None if it is not there.
    pub fn result(&self, file: &str) -> Option<String> {
        let path = below(file, &self.target)?;
        let plain = path.split('/').all(|name| !name.is_empty() && name != "." && name != "..");
        (plain && path.len() <= PATH_BYTES_MAX && !path.contains(char::is_control))
            .then(|| path.to_owned())
    }
}

fn below<'a>(file: &'a str, folder: &str) -> Option<&'a str> {
    file.strip_prefix(folder)?.strip_prefix('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_sorted_by_their_place() {
        let places = Places::default();
        let of = |file| places.of(file);
        assert_eq!(of("src/main.rs"), (Origin::Project, "src/main.rs".to_owned()));
        assert_eq!(of("/job/project/a/src/lib.rs"), (Origin::Project, "a/src/lib.rs".to_owned()));
        assert_eq!(
            of("/job/crates/serde-1.0.0/src/lib.rs"),
            (Origin::Dependency, "serde-1.0.0/src/lib.rs".to_owned())
        );
        assert_eq!(
            of("/rustc/0123/library/core/src/x.rs"),
            (Origin::Toolchain, "library/core/src/x.rs".to_owned())
        );
        assert_eq!(of("/job/target/debug/build/a-1/out/x.rs").0, Origin::Generated);
        assert_eq!(of("<anon>").0, Origin::Generated);
        assert_eq!(of("/job/projects/x").0, Origin::Toolchain);
    }

    #[test]
    fn results_outside_the_folder_are_not_named() {
        let places = Places::default();
        assert_eq!(places.result("/job/target/debug/a"), Some("debug/a".to_owned()));
        for file in [
            "/etc/passwd",
            "/job/target/../../etc/passwd",
            "/job/target",
            "debug/a",
            "/job/target//a",
            "/job/target/a\n",
        ] {
            assert_eq!(places.result(file), None, "{file}");
        }
    }
}
