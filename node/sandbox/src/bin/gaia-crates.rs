//! Setup's hand for the catalog: writes manifests for cargo, and indexes of what cargo made.
//!
//! Each command reads the files it is given and writes to standard output; `scripts/lib/crates.sh`
//! says in which order.
#![forbid(unsafe_code)]

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use gaia_sandbox::catalog::{self, Catalog, Index, JobLayout, Prebuilt};
use gaia_sandbox::project::{FileMap, Limits, Project};

const USAGE: &str = "usage:
  gaia-crates manifest LIST                        a manifest that depends on every listed crate
  gaia-crates index METADATA                       the index, from cargo metadata of that manifest
  gaia-crates set LIST NUMBER                      the manifest of a prebuilt set; fails behind the last
  gaia-crates together LIST                        names of crates with features that are on together
  gaia-crates together LIST NAME MANIFEST          such a crate's manifest, changed
  gaia-crates sources INDEX                        a script that links all sources into a job's folder
  gaia-crates prebuilt COMPILER MESSAGES FOLDER    the index of what was compiled in FOLDER
  gaia-crates job LIST INDEX PREBUILT MANIFEST     a script that makes a job's folder for a project";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let text = match arguments[..] {
        ["manifest", list] => catalog::fetch_manifest(&read_list(list)?),
        ["index", metadata] => serde_json::to_string(&Index::from_metadata(&read(metadata)?)?)?,
        ["set", list, number] => set(list, number)?,
        ["together", list] => names_together(&read_list(list)?),
        ["together", list, name, manifest] => together(list, name, manifest)?,
        ["sources", index] => JobLayout::of_everything(&read_index(index)?).script(),
        ["prebuilt", compiler, messages, folder] => prebuilt(compiler, messages, folder)?,
        ["job", list, index, prebuilt, manifest] => job([list, index, prebuilt, manifest])?,
        _ => bail!(USAGE),
    };
    std::io::stdout().write_all(text.as_bytes()).context("could not write the answer")
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("could not read {path}"))
}

fn read_list(path: &str) -> Result<Catalog> {
    Catalog::parse(&read(path)?).with_context(|| format!("{path} can't be used"))
}

fn read_index(path: &str) -> Result<Index> {
    Index::parse(&read(path)?).with_context(|| format!("{path} can't be used"))
}

fn set(list: &str, number: &str) -> Result<String> {
    let number: usize = number.parse().with_context(|| format!("{number} is no number"))?;
    let manifest = catalog::set_manifests(&read_list(list)?).into_iter().nth(number);
    manifest.with_context(|| format!("there is no set {number}"))
}

fn names_together(list: &Catalog) -> String {
    list.together().map(|(name, _)| format!("{name}\n")).collect()
}

fn together(list: &str, name: &str, manifest: &str) -> Result<String> {
    let list = read_list(list)?;
    let features = list.together().find(|(own, _)| *own == name).map(|(_, features)| features);
    let features = features.with_context(|| format!("{name} has no features together"))?;
    Ok(catalog::with_features_together(&read(manifest)?, features)?)
}

fn prebuilt(compiler: &str, messages: &str, folder: &str) -> Result<String> {
    let mut entries = vec![];
    for part in [".fingerprint", "build", "deps"] {
        entries.extend(names(folder, part)?);
    }
    let prebuilt = Prebuilt::collect(read(compiler)?.trim(), &read(messages)?, &entries);
    Ok(serde_json::to_string(&prebuilt)?)
}

fn names(folder: &str, part: &str) -> Result<Vec<String>> {
    let path = Path::new(folder).join(part);
    let entries =
        fs::read_dir(&path).with_context(|| format!("could not list {}", path.display()))?;
    let mut names = vec![];
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        // Lists of source files, which cargo asks for in the project's own crates alone.
        if !name.ends_with(".d") {
            names.push(format!("{part}/{name}"));
        }
    }
    Ok(names)
}

fn job([list, index, prebuilt, manifest]: [&str; 4]) -> Result<String> {
    let map = FileMap(vec![("Cargo.toml".to_owned(), read(manifest)?)]);
    let project = Project::from_map(map, &Limits::default())?;
    let index = read_index(index)?;
    let problems = read_list(list)?.problems(project.dependencies(), &index);
    if let Some(problem) = problems.first() {
        bail!("{problem}");
    }
    let prebuilt = Prebuilt::parse(&read(prebuilt)?)?;
    Ok(JobLayout::of(&project, &index, Some(&prebuilt)).script())
}
