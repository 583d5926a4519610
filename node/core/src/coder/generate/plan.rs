//! What of a project is ours: its name, its folders, its manifests and its README.

use super::manifest::Wanted;
use super::spec::{Generate, Kind, is_name};
use crate::build::Files;

const PACKAGE: &str = include_str!("templates/package.toml");
const WORKSPACE: &str = include_str!("templates/workspace.toml");
const README: &str = include_str!("templates/README.md");

/// Words of a description that make a name.
const NAME_WORDS: usize = 3;

/// Folders above a file at most.
const DEPTH_MAX: usize = 6;

/// How a project is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub name: String,
    pub kind: Kind,
    readme: String,
}

impl Plan {
    pub(super) fn of(request: &Generate) -> Self {
        let name = request.name.clone().unwrap_or_else(|| named_after(&request.description));
        let mut about = request.description.trim().to_owned();
        let requirements = request.requirements.as_deref().unwrap_or_default().trim();
        if !requirements.is_empty() {
            about.push_str("\n\n## Requirements\n\n");
            about.push_str(requirements);
        }
        let command = if request.kind == Kind::Lib { "cargo doc --open" } else { "cargo run" };
        let readme = README.replace("{name}", &name).replace("{use}", command);
        Self { name, kind: request.kind, readme: readme.replace("{description}", &about) }
    }

    /// The file without which there is no project, and which a block without a name is taken for.
    pub(super) fn main(&self) -> &'static str {
        match self.kind {
            Kind::Bin => "src/main.rs",
            Kind::Lib => "src/lib.rs",
            Kind::Workspace => "app/src/main.rs",
        }
    }

    /// All files without which there is no project.
    pub(super) fn needed(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Bin => &["src/main.rs"],
            Kind::Lib => &["src/lib.rs"],
            Kind::Workspace => &["app/src/main.rs", "library/src/lib.rs"],
        }
    }

    /// How the library is named in code.
    pub(super) fn library(&self) -> String {
        match self.kind {
            Kind::Workspace => format!("{}_library", self.name.replace('-', "_")),
            _ => self.name.replace('-', "_"),
        }
    }

    /// The path under which a model's file is taken, if it is code where this project has code.
    pub(super) fn place(&self, path: &str) -> Option<String> {
        let path = path.trim().trim_start_matches("./");
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '.');
        let parts: Vec<_> = path.split('/').collect();
        let is_good = path.ends_with(".rs")
            && path.chars().all(is_plain)
            && parts.len() <= DEPTH_MAX
            && parts.iter().all(|part| !part.is_empty() && !part.starts_with('.'));
        if !is_good {
            return None;
        }
        let folders: &[&[&str]] = match self.kind {
            Kind::Workspace => &[
                &["app", "src"],
                &["app", "tests"],
                &["library", "src"],
                &["library", "tests"],
                &["library", "examples"],
            ],
            _ => &[&["src"], &["tests"], &["examples"]],
        };
        let begins = |parts: &[&str]| folders.iter().any(|folder| parts.starts_with(folder));
        // Models like to put the project's own folder before everything.
        let rest = parts.get(1..).filter(|rest| !begins(&parts) && begins(rest));
        let kept = rest.unwrap_or(&parts);
        begins(kept).then(|| kept.join("/"))
    }

    /// The whole project around a model's code.
    pub(super) fn around(&self, code: Files, wanted: &[(String, Wanted)]) -> Files {
        let mut files = code;
        files.insert("README.md".into(), self.readme.clone());
        let of = |folder: &str| {
            let own = wanted.iter().filter(|(of, _)| of == folder || of.is_empty());
            own.fold(Wanted::default(), |all, (_, wanted)| all.with(wanted))
        };
        let package = |name: &str| PACKAGE.replace("{name}", name);
        match self.kind {
            Kind::Bin | Kind::Lib => {
                let text = package(&self.name) + &of("").to_toml();
                files.insert("Cargo.toml".into(), text);
            }
            Kind::Workspace => {
                let library = format!("{}-library", self.name);
                let link = format!("{library} = {{ path = \"../library\" }}");
                let app = package(&self.name) + &of("app").to_toml_with(&link);
                files.insert("Cargo.toml".into(), WORKSPACE.to_owned());
                files.insert("app/Cargo.toml".into(), app);
                let text = package(&library) + &of("library").to_toml();
                files.insert("library/Cargo.toml".into(), text);
            }
        }
        files
    }
}

fn named_after(description: &str) -> String {
    let lower = description.to_ascii_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric());
    let telling = words.filter(|word| word.len() > 2 && !FILLERS.contains(word));
    let name: Vec<_> = telling.take(NAME_WORDS).collect();
    let name: String = name.join("-").chars().take(30).collect();
    let name = name.trim_end_matches('-').to_owned();
    if is_name(&name) { name } else { "project".to_owned() }
}

/// Words that say nothing of a project.
const FILLERS: [&str; 14] = [
    "the", "and", "for", "that", "with", "which", "write", "make", "create", "build", "rust",
    "program", "please", "simple",
];
