//! What may become of a manifest: more dependencies and features, another edition, and nothing by which
//! tests are left out, lints are silenced or other files are compiled.

use std::collections::BTreeMap;

use toml::{Table, Value};

/// Bytes of a manifest that is compared.
const MANIFEST_BYTES_MAX: usize = 256 << 10;

const DEPENDENCIES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
/// What decides which code a dependency is.
const LEADING: [&str; 5] = ["path", "package", "workspace", "git", "optional"];
/// Lines that name further packages and programs; in a manifest that can't be read they stay as many.
const NAMING: [&str; 4] = ["members", "[workspace", "[[", "[lib"];

/// Why a manifest must not become this one; `was_read`: cargo understood the old one.
pub(super) fn objection(path: &str, texts: (&str, &str), was_read: bool) -> Option<String> {
    let (old_text, new_text) = texts;
    if old_text.len().max(new_text.len()) > MANIFEST_BYTES_MAX {
        return Some(format!("it changes {path}, which is too long for that"));
    }
    let Ok(new) = new_text.parse::<Table>() else {
        return Some(format!("it makes {path} a text that is no TOML"));
    };
    let reason = match old_text.parse::<Table>() {
        Ok(old) => changed(&old, &new, was_read),
        Err(_) => foreign(old_text, new_text, &new),
    };
    reason.map(|reason| {
        format!("it {reason} in {path}, where it may only add dependencies and features, or change the edition")
    })
}

fn changed(old: &Table, new: &Table, was_read: bool) -> Option<String> {
    dependencies_changed(old, new, was_read)
        .or_else(|| if was_read { feature_lost(old, new) } else { None })
        .or_else(|| difference(&rest(old, was_read), &rest(new, was_read), ""))
}

/// A dependency that is gone, or is another one now. cargo itself may have refused one.
fn dependencies_changed(old: &Table, new: &Table, was_read: bool) -> Option<String> {
    let (old, new) = (dependencies(old), dependencies(new));
    old.into_iter().find_map(|((table, name), was)| {
        let Some(is) = new.get(&(table, name.clone())) else {
            return was_read.then(|| format!("takes the dependency `{name}` away"));
        };
        // A crate of another place is refused: then it comes from the registry.
        let is_brought = |key: &str| key == "git" && !was_read && is.get(key).is_none();
        let differs = |key: &&&str| was.get(**key) != is.get(**key) && !is_brought(key);
        let other = LEADING.iter().find(differs);
        other.map(|key| format!("changes `{key}` of the dependency `{name}`"))
    })
}

/// All dependencies, by table and name.
fn dependencies(manifest: &Table) -> BTreeMap<(String, String), &Value> {
    let mut all = BTreeMap::new();
    for (prefix, holder) in holders(manifest) {
        for table in DEPENDENCIES {
            let Some(Value::Table(own)) = holder.get(table) else { continue };
            all.extend(
                own.iter().map(|(name, value)| ((format!("{prefix}{table}"), name.clone()), value)),
            );
        }
    }
    all
}

/// The tables that hold tables of dependencies: the manifest, its workspace and its targets.
fn holders(manifest: &Table) -> Vec<(String, &Table)> {
    let workspace = manifest.get("workspace").and_then(Value::as_table);
    let targets = manifest.get("target").and_then(Value::as_table);
    let mut all = vec![(String::new(), manifest)];
    all.extend(workspace.map(|table| ("workspace.".to_owned(), table)));
    for (name, target) in targets.into_iter().flatten() {
        all.extend(target.as_table().map(|table| (format!("target.{name}."), table)));
    }
    all
}

/// A feature that is gone or turns on less: code and tests may depend on it.
fn feature_lost(old: &Table, new: &Table) -> Option<String> {
    let features = |manifest: &Table| {
        manifest.get("features").and_then(Value::as_table).cloned().unwrap_or_default()
    };
    let (old, new) = (features(old), features(new));
    old.into_iter().find_map(|(name, was)| {
        let is = new.get(&name).and_then(Value::as_array);
        let was = was.as_array().map(Vec::as_slice).unwrap_or_default();
        let holds = is.is_some_and(|is| was.iter().all(|entry| is.contains(entry)));
        (!holds).then(|| format!("takes from the feature `{name}`"))
    })
}

/// A manifest without what may change in it.
fn rest(manifest: &Table, was_read: bool) -> Table {
    let mut rest = manifest.clone();
    rest.remove("features");
    DEPENDENCIES.iter().for_each(|name| drop(rest.remove(*name)));
    let mut within = |table: &str, names: &[&str]| {
        if let Some(Value::Table(table)) = rest.get_mut(table) {
            names.iter().for_each(|name| drop(table.remove(*name)));
        }
    };
    within("workspace", &["dependencies"]);
    within("package", &["edition"]);
    if !was_read {
        // Without these cargo reads nothing, and none of them decides what is compiled.
        within("package", &["name", "version", "rust-version"]);
    }
    if let Some(Value::Table(targets)) = rest.get_mut("target") {
        for target in targets.iter_mut().filter_map(|(_, target)| target.as_table_mut()) {
            DEPENDENCIES.iter().for_each(|name| drop(target.remove(*name)));
        }
        targets.retain(|_, target| target.as_table().is_none_or(|table| !table.is_empty()));
    }
    let may_be_empty = |name: &str| name == "target" || (name == "package" && !was_read);
    rest.retain(|name, value| {
        !may_be_empty(name) || value.as_table().is_none_or(|table| !table.is_empty())
    });
    rest
}

/// The first thing that differs.
fn difference(old: &Table, new: &Table, prefix: &str) -> Option<String> {
    old.keys().chain(new.keys()).find_map(|key| match (old.get(key), new.get(key)) {
        (Some(Value::Table(old)), Some(Value::Table(new))) => {
            difference(old, new, &format!("{prefix}{key}."))
        }
        (was, is) => (was != is).then(|| format!("changes `{prefix}{key}`")),
    })
}

/// What a manifest that could not be read does not say in any line.
fn foreign(old_text: &str, new_text: &str, new: &Table) -> Option<String> {
    let begin = |text: &str, word: &str| {
        text.lines().filter(|line| squeezed(line).starts_with(word)).count()
    };
    let lost = NAMING.iter().find(|word| begin(old_text, word) > begin(new_text, word));
    if let Some(word) = lost {
        return Some(format!("takes a line that begins with `{word}` away"));
    }
    let lines: Vec<_> = old_text.lines().map(squeezed).collect();
    said(&rest(new, false)).into_iter().find_map(|(key, value)| {
        let wanted = squeezed(&format!("{key}={value}"));
        let stands = |at: usize| starts_with(&lines[at..], &wanted);
        (!(0..lines.len()).any(stands)).then(|| format!("adds `{key}`"))
    })
}

/// The values in a table, and in all tables in it, by their keys.
fn said(table: &Table) -> Vec<(String, String)> {
    let mut all = vec![];
    for (key, value) in table {
        let inner: Vec<_> = match value {
            Value::Table(inner) => vec![inner],
            Value::Array(values) => values.iter().filter_map(Value::as_table).collect(),
            _ => vec![],
        };
        match inner.is_empty() && !value.is_table() {
            true => all.push((key.clone(), value.to_string())),
            false => all.extend(inner.into_iter().flat_map(said)),
        }
    }
    all
}

fn squeezed(text: &str) -> String {
    let kept = text.chars().filter(|c| !c.is_whitespace() && *c != ',');
    kept.map(|c| if c == '\'' { '"' } else { c }).collect()
}

/// Whether lines, one behind the other, begin with a text.
fn starts_with(lines: &[String], mut wanted: &str) -> bool {
    for line in lines {
        match wanted.strip_prefix(line.as_str()) {
            Some(rest) if !rest.is_empty() => wanted = rest,
            Some(_) => return true,
            // What follows on the line is a comment, or nothing that was wanted.
            None => return line.starts_with(wanted),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "[package]\nname = \"a\"\nversion = \"0.1.0\"\nedition = \"2018\"\n\n[lib]\n\
        path = \"src/lib.rs\"\n\n[features]\ndefault = [\"std\"]\nstd = []\n\n[dependencies]\n\
        serde = \"1\"\nown = { path = \"own\" }\n\n[workspace]\nmembers = [\"own\"]\n";

    fn objected(old: (&str, &str), was_read: bool) -> Option<String> {
        let new = OLD.replace(old.0, old.1);
        assert_ne!(new, OLD);
        objection("Cargo.toml", (OLD, &new), was_read)
    }

    #[test]
    fn nothing_may_switch_tests_off_or_lead_elsewhere() {
        for change in [
            ("[lib]", "[lib]\ntest = false"),
            ("[lib]", "[lib]\nharness = false"),
            ("\"src/lib.rs\"", "\"src/empty.rs\""),
            ("edition", "autotests = false\nedition"),
            ("[features]", "[[test]]\nname = \"a\"\npath = \"b.rs\"\n\n[features]"),
            ("[features]", "[lints.rust]\nunused = \"allow\"\n\n[features]"),
            ("[features]", "[profile.test]\ndebug-assertions = false\n\n[features]"),
            ("[features]", "[patch.crates-io]\nserde = { path = \"own\" }\n\n[features]"),
            ("members = [\"own\"]", "members = []"),
            ("path = \"own\"", "path = \"other\""),
            ("path = \"own\"", "path = \"own\", optional = true"),
            ("serde = \"1\"", "serde = { version = \"1\", package = \"other\" }"),
        ] {
            for was_read in [true, false] {
                assert!(objected(change, was_read).is_some(), "{change:?}");
            }
        }
        for change in
            [("serde = \"1\"\n", ""), ("[\"std\"]", "[]"), ("name = \"a\"", "name = \"b\"")]
        {
            assert!(objected(change, true).is_some(), "{change:?}");
            assert_eq!(objected(change, false), None, "cargo may have refused it: {change:?}");
        }
        let objection = objected(("[lib]", "[lib]\ntest = false"), true).expect("refused");
        assert!(objection.contains("`lib.test` in Cargo.toml"), "{objection}");
        assert!(objected(("[lib]", "[lib"), true).expect("refused").contains("no TOML"));
    }

    #[test]
    fn it_may_get_more() {
        for change in [
            ("edition = \"2018\"", "edition = \"2024\""),
            ("edition = \"2018\"\n", ""),
            ("serde = \"1\"", "serde = { version = \"1.0.2\", features = [\"derive\"] }"),
            ("serde = \"1\"", "rand = \"0.8\"\nserde = \"1\""),
            ("std = []", "std = []\nmore = [\"dep:serde\"]"),
            ("[\"std\"]", "[\"std\", \"serde/derive\"]"),
            ("[workspace]", "[dev-dependencies]\nhex = \"1\"\n\n[workspace]"),
            ("[workspace]", "[target.'cfg(unix)'.dependencies]\nlibc = \"1\"\n\n[workspace]"),
            ("[workspace]", "[workspace.dependencies]\nlibc = \"1\"\n\n[workspace]"),
        ] {
            assert_eq!(objected(change, true), None, "{change:?}");
        }
    }

    #[test]
    fn what_could_not_be_read_is_made_readable_and_nothing_else() {
        let broken = OLD.replace("edition = \"2018\"", "edition = \"2018");
        let objected = |new: &str| objection("Cargo.toml", (&broken, new), false);
        assert_eq!(objected(OLD), None);
        assert_eq!(objected(&OLD.replace("serde = \"1\"", "rand = \"0.8\"")), None);
        for bad in [
            OLD.replace("[lib]", "[lib]\ntest = false"),
            OLD.replace("src/lib.rs", "src/lib"),
            OLD.replace("[lib]\npath = \"src/lib.rs\"\n", ""),
            OLD.replace("members = [\"own\"]", ""),
            broken.clone(),
        ] {
            assert!(objected(&bad).is_some(), "{bad}");
        }
        let strange = OLD.replace("serde = \"1\"", "serde = { git = \"https://a.b/c\" }");
        assert_eq!(objection("Cargo.toml", (&strange, OLD), false), None, "git is refused");
        assert!(objection("Cargo.toml", (&strange, OLD), true).is_some());
        assert!(objection("Cargo.toml", (OLD, &strange), false).is_some());
        let nameless = "[package]\nversion = \"1.0.0\"\n";
        let named = "[package]\nname = \"a\"\nversion = \"1.0.0\"\n";
        assert_eq!(objection("Cargo.toml", (nameless, named), false), None);
        assert_eq!(objection("Cargo.toml", ("", named), false), None, "there was nothing");
    }

    #[test]
    fn a_manifest_that_is_too_long_stays() {
        let long = format!("{OLD}# {}", "x".repeat(MANIFEST_BYTES_MAX));
        assert!(objection("Cargo.toml", (OLD, &long), true).expect("refused").contains("too long"));
        let deep = format!("{OLD}[x]\n{}b = 1\n", "a.".repeat(MANIFEST_BYTES_MAX / 4));
        assert!(objection("Cargo.toml", (OLD, &deep), true).expect("refused").contains("no TOML"));
    }
}
