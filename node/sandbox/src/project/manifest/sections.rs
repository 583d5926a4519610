//! The tables of a manifest.

use toml::de::{DeTable, DeValue};

use super::dependencies::{self, Dependency, DependencyKind};
use super::source::{Checked, Entry, Source, entries};

/// Checks one manifest and gives what it takes from the registry.
pub(super) fn check(source: &Source<'_>) -> Checked<Vec<Dependency>> {
    let table = source.parse()?;
    let mut found = vec![];
    for (name, entry) in entries("", table.get_ref()) {
        found.extend(section(source, name, &entry)?);
    }
    Ok(found)
}

fn section(source: &Source<'_>, name: &str, entry: &Entry<'_, '_>) -> Checked<Vec<Dependency>> {
    if let Some(kind) = DependencyKind::of_table(name) {
        return dependencies::check(source, kind, entry);
    }
    match name {
        "package" => package(source, entry)?,
        "lib" | "bin" | "example" | "test" | "bench" => targets(source, entry)?,
        "profile" => profile(source, entry)?,
        "target" => return platforms(source, entry),
        "workspace" => return workspace(source, entry),
        "features" | "lints" | "badges" => {}
        _ => return Err(source.refused(entry, reason(name))),
    }
    Ok(vec![])
}

/// Why a table at the top is refused.
fn reason(name: &str) -> &'static str {
    match name {
        "patch" | "replace" => "dependencies come from the crates of this node alone",
        "cargo-features" => "unstable features of cargo are off",
        "project" => "write [package] instead",
        "source"
        | "registry"
        | "registries"
        | "build"
        | "env"
        | "alias"
        | "net"
        | "http"
        | "unstable"
        | "install"
        | "term"
        | "paths"
        | "credential-alias"
        | "doc"
        | "cargo-new"
        | "future-incompat-report"
        | "resolver"
        | "cache"
        | "include" => "that belongs to cargo's own settings, which a project may not bring",
        _ => "no manifest has such a key",
    }
}

fn package(source: &Source<'_>, entry: &Entry<'_, '_>) -> Checked<()> {
    for (name, entry) in entries("package", source.table(entry)?) {
        match name {
            "build" => build_script(source, &entry)?,
            "workspace" => drop(source.inside(&entry)?),
            "links" => return Err(source.refused(&entry, "a job has no native library to link")),
            _ => {}
        }
    }
    Ok(())
}

fn build_script(source: &Source<'_>, entry: &Entry<'_, '_>) -> Checked<()> {
    if matches!(entry.get(), DeValue::Boolean(_)) {
        return Ok(());
    }
    source.list(entry)?.iter().try_for_each(|item| source.inside(item).map(drop))
}

/// `[lib]`, or a list such as `[[bin]]`.
fn targets(source: &Source<'_>, entry: &Entry<'_, '_>) -> Checked<()> {
    for target in source.list(entry)? {
        for (name, entry) in entries(&target.place, source.table(&target)?) {
            if name == "path" {
                source.inside(&entry)?;
            }
        }
    }
    Ok(())
}

/// Any setting that is one of numbers and words; none that reaches the compiler's command line.
fn profile(source: &Source<'_>, entry: &Entry<'_, '_>) -> Checked<()> {
    if let DeValue::Table(table) = entry.get() {
        return entries(&entry.place, table).try_for_each(|(name, entry)| match name {
            "rustflags" | "codegen-backend" => {
                Err(source.refused(&entry, "arguments of the compiler are the node's to choose"))
            }
            _ => profile(source, &entry),
        });
    }
    for item in source.list(entry)? {
        if item.get().as_str().is_some_and(|text| text.trim_start().starts_with('-')) {
            return Err(source.refused(&item, "it reads like an argument of the compiler"));
        }
    }
    Ok(())
}

/// `[target.'cfg(unix)'.dependencies]` and the like, and nothing else of a platform.
fn platforms(source: &Source<'_>, entry: &Entry<'_, '_>) -> Checked<Vec<Dependency>> {
    let mut found = vec![];
    for (_, platform) in entries("target", source.table(entry)?) {
        for (name, entry) in entries(&platform.place, source.table(&platform)?) {
            let Some(kind) = DependencyKind::of_table(name) else {
                let reason = "a platform has dependencies in a manifest, and nothing else";
                return Err(source.refused(&entry, reason));
            };
            found.extend(dependencies::check(source, kind, &entry)?);
        }
    }
    Ok(found)
}

fn workspace(source: &Source<'_>, entry: &Entry<'_, '_>) -> Checked<Vec<Dependency>> {
    let table: &DeTable<'_> = source.table(entry)?;
    let mut found = vec![];
    for (name, entry) in entries("workspace", table) {
        match name {
            "members" | "exclude" | "default-members" => {
                source.list(&entry)?.iter().try_for_each(|item| source.inside(item).map(drop))?;
            }
            "dependencies" => {
                found = dependencies::check(source, DependencyKind::Normal, &entry)?;
            }
            _ => {}
        }
    }
    Ok(found)
}
