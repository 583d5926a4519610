//! Where a job finds crates, and what was compiled of them.
//!
//! cargo takes a compiled crate for fresh if its sources have the path that they had. So these paths
//! are the same in every job and in setup, whatever the paths of the machine are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::index::{Index, Package};
use super::prebuilt::Prebuilt;
use crate::project::Project;

/// Where `GAIA_NODE_HOME/crates` is bound, read-only.
pub const CRATES: &str = "/crates";
/// The job's own folder, writable.
pub const JOB: &str = "/job";
/// The project's folder, within the job's.
pub const PROJECT: &str = "project";
/// cargo's home, within the job's folder.
const HOME: &str = "cargo";
/// Links to the sources that a job can reach, within the job's folder.
const SOURCES: &str = "crates";
/// What cargo makes, within the job's folder.
pub const TARGET: &str = "target";
/// The profile's folder of what setup compiled: `check` and `build` as cargo does them by default.
const PROFILE: &str = "debug";
/// What cargo asked the compiler about itself. It asks anew where the compiler is another one.
const COMPILER: &str = ".rustc_info.json";

/// Files and links in a job's folder, beside the project's own files in [`PROJECT`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobLayout {
    /// Paths below [`JOB`], and what the files hold.
    pub files: Vec<(String, String)>,
    /// Paths below [`JOB`], and what they link to.
    pub links: BTreeMap<String, String>,
}

impl JobLayout {
    /// What a project needs beside its own files. `prebuilt` is left out where it does not fit: another
    /// compiler, another target or profile.
    pub fn of(project: &Project, index: &Index, prebuilt: Option<&Prebuilt>) -> Self {
        Self::reaching(&index.reachable(project.dependencies()), prebuilt)
    }

    /// What setup needs to compile the prebuilt sets: all sources, and nothing compiled.
    pub fn of_everything(index: &Index) -> Self {
        Self::reaching(&index.packages().iter().collect::<Vec<_>>(), None)
    }

    fn reaching(packages: &[&Package], prebuilt: Option<&Prebuilt>) -> Self {
        let mut links: BTreeMap<_, _> =
            packages.iter().map(|package| source_link(package)).collect();
        let entries = prebuilt.map(|prebuilt| prebuilt.entries(packages)).unwrap_or_default();
        links.extend(entries.into_iter().map(target_link));
        if prebuilt.is_some() {
            links.insert(format!("{TARGET}/{COMPILER}"), format!("{CRATES}/prebuilt/{COMPILER}"));
        }
        Self { files: vec![(format!("{HOME}/config.toml"), config())], links }
    }

    /// What cargo's environment has to say, beside `PATH`.
    pub fn environment() -> Vec<(&'static str, String)> {
        vec![
            ("CARGO_HOME", format!("{JOB}/{HOME}")),
            ("CARGO_TARGET_DIR", format!("{JOB}/{TARGET}")),
            // A job compiles once: notes for the next time cost time.
            ("CARGO_INCREMENTAL", "0".to_owned()),
            ("CARGO_NET_OFFLINE", "true".to_owned()),
            ("CARGO_TERM_COLOR", "never".to_owned()),
            ("HOME", JOB.to_owned()),
        ]
    }

    /// A shell script that makes the files and links in the current folder.
    pub fn script(&self) -> String {
        let mut text = "set -eu\n".to_owned();
        for folder in self.folders() {
            line(&mut text, format_args!("mkdir -p '{folder}'"));
        }
        for (path, content) in &self.files {
            line(&mut text, format_args!("cat >'{path}' <<'TEXT'\n{content}TEXT"));
        }
        for (folder, targets) in self.links_by_folder() {
            // Well below what a command line takes, two hundred bytes each.
            for targets in targets.chunks(500) {
                line(&mut text, format_args!("ln -s {} '{folder}'", targets.join(" ")));
            }
        }
        text
    }

    fn folders(&self) -> BTreeSet<&str> {
        let paths = self.files.iter().map(|(path, _)| path).chain(self.links.keys());
        paths.filter_map(|path| path.rsplit_once('/')).map(|(folder, _)| folder).collect()
    }

    /// Links keep the last name of what they link to.
    fn links_by_folder(&self) -> BTreeMap<&str, Vec<String>> {
        let mut folders: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (path, target) in &self.links {
            let folder = path.rsplit_once('/').map_or(".", |(folder, _)| folder);
            folders.entry(folder).or_default().push(format!("'{target}'"));
        }
        folders
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes any text");
}

fn source_link(package: &Package) -> (String, String) {
    let folder = package.folder();
    (format!("{SOURCES}/{folder}"), format!("{CRATES}/sources/{folder}"))
}

fn target_link(entry: &str) -> (String, String) {
    (format!("{TARGET}/{PROFILE}/{entry}"), format!("{CRATES}/prebuilt/{PROFILE}/{entry}"))
}

/// cargo's settings: crates come from the links, and from nowhere else. Macros that are optimized a
/// little save a program with derives a third of its time, and are compiled already, mostly.
fn config() -> String {
    format!(
        "[profile.dev.build-override]\nopt-level = 1\n\n[source.crates-io]\nreplace-with = \"here\"\n\n[source.here]\ndirectory = \"{JOB}/{SOURCES}\"\n\n[net]\noffline = true\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Limits;

    fn layout(manifest: &str) -> JobLayout {
        let index = Index::of(&[("a", "1.0.0", &[1]), ("b", "2.0.0", &[]), ("c", "1.0.0", &[])]);
        let message = r#"{"reason":"compiler-artifact","package_id":"registry+x#b@2.0.0","target":{"name":"b"}}"#;
        let prebuilt =
            Prebuilt::collect("rustc", message, &["deps/libb-0123456789abcdef.rmeta".to_owned()]);
        let flat = format!("[filename: Cargo.toml]\n{manifest}\n");
        let project = Project::from_flat(&flat, &Limits::default()).expect("accepted");
        JobLayout::of(&project, &index, Some(&prebuilt))
    }

    #[test]
    fn a_job_sees_what_its_project_can_reach() {
        let links: Vec<_> = layout("[dependencies]\na = \"1\"").links.into_iter().collect();
        let link = |path: &str, target: &str| (path.to_owned(), target.to_owned());
        assert_eq!(
            links,
            [
                link("crates/a-1.0.0", "/crates/sources/a-1.0.0"),
                link("crates/b-2.0.0", "/crates/sources/b-2.0.0"),
                link("target/.rustc_info.json", "/crates/prebuilt/.rustc_info.json"),
                link(
                    "target/debug/deps/libb-0123456789abcdef.rmeta",
                    "/crates/prebuilt/debug/deps/libb-0123456789abcdef.rmeta"
                ),
            ]
        );
    }

    #[test]
    fn a_project_without_dependencies_sees_no_crates() {
        let layout = layout("[package]\nname = \"x\"");
        assert_eq!(layout.links.len(), 1);
        let (path, text) = &layout.files[0];
        assert_eq!(path, "cargo/config.toml");
        assert!(text.parse::<toml::Table>().is_ok());
    }

    #[test]
    fn the_script_makes_folders_files_and_links() {
        let script = layout("[dependencies]\na = \"1\"").script();
        assert!(script.contains("mkdir -p 'target/debug/deps'\n"));
        assert!(
            script.contains("ln -s '/crates/sources/a-1.0.0' '/crates/sources/b-2.0.0' 'crates'\n")
        );
        assert!(script.contains("cat >'cargo/config.toml' <<'TEXT'\n"));
    }
}
