//! `[admin]`: which files the admin API may load, so that it can't be used to look around.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use toml::{Table, Value};

use super::paths::Places;
use super::reader::{Problem, Reader};

/// How a GGUF file begins.
const MAGIC: &[u8] = b"GGUF";

/// Keys that the admin API never takes: they name code that runs outside the sandbox.
const REFUSED: &[&str] = &["backends_dir"];

/// Where the files of models and apps lie that the admin API may load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminConfig {
    /// Folders of GGUF files.
    pub model_dirs: Vec<PathBuf>,
    /// Folders of wasm apps.
    pub app_dirs: Vec<PathBuf>,
}

/// A model's keys as a request gives them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Keys and their values.
    pub set: Table,
    /// Keys that go back to their defaults.
    pub reset: Vec<String>,
}

impl Changes {
    /// The keys of `table` with the changes.
    #[must_use]
    pub fn apply(&self, mut table: Table) -> Table {
        for key in &self.reset {
            table.remove(key);
        }
        table.extend(self.set.clone());
        table
    }
}

impl AdminConfig {
    pub(super) fn read(mut table: Reader<'_>, places: &Places) -> Self {
        let mut folders = |key: &str, default: &str| -> Vec<PathBuf> {
            let written: Vec<PathBuf> = table.value(key, vec![default.into()]);
            if written.iter().any(|folder| goes_up(folder)) {
                table.wrong(key, "write the folders without `..`");
            }
            written.iter().map(|folder| places.resolve(folder)).collect()
        };
        let model_dirs = folders("model_dirs", "models");
        let app_dirs = folders("app_dirs", "apps");
        table.finish();
        Self { model_dirs, app_dirs }
    }

    /// What is wrong with the files that the keys of a model name. Reads the first bytes of those
    /// inside the folders and looks at nothing outside them.
    #[must_use]
    pub fn check(&self, given: &Table, places: &Places) -> Vec<Problem> {
        let mut problems = vec![];
        let mut note = |key: String, result: Result<(), String>| {
            problems.extend(result.err().map(|message| Problem { key, message }));
        };
        for key in REFUSED.iter().filter(|key| given.contains_key(**key)) {
            note((*key).into(), Err("can be set in the config file alone".into()));
        }
        for (key, path) in models(given) {
            note(key, self.check_model(&places.resolve(Path::new(path))));
        }
        if let Some(app) = given.get("app").and_then(Value::as_str) {
            note("app".into(), self.check_app(&places.resolve(Path::new(app))));
        }
        problems
    }

    fn check_model(&self, path: &Path) -> Result<(), String> {
        within(path, &self.model_dirs, "admin.model_dirs")?;
        let mut start = [0; MAGIC.len()];
        let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
        match read {
            Ok(()) if start == MAGIC => Ok(()),
            _ => Err("is no GGUF file".into()),
        }
    }

    fn check_app(&self, path: &Path) -> Result<(), String> {
        within(path, &self.app_dirs, "admin.app_dirs")
    }
}

/// The paths of GGUF files among a model's keys. What is no path is the reader's to complain of.
fn models(given: &Table) -> Vec<(String, &str)> {
    let named = |key: &str| Some((key.to_owned(), given.get(key)?.as_str()?));
    let mut models: Vec<_> =
        ["path", "draft_path", "mmproj_path"].into_iter().filter_map(named).collect();
    let loras = given.get("loras").and_then(Value::as_array).into_iter().flatten();
    for (index, lora) in loras.enumerate() {
        let path = lora.get("path").and_then(Value::as_str);
        models.extend(path.map(|path| (format!("loras[{index}].path"), path)));
    }
    models
}

/// Whether a file lies in one of the folders, by its name: a link there was put there on purpose.
fn within(path: &Path, folders: &[PathBuf], key: &str) -> Result<(), String> {
    let holds = |folder: &PathBuf| {
        path.starts_with(folder)
            || folder.canonicalize().is_ok_and(|folder| path.starts_with(folder))
    };
    if goes_up(path) || !folders.iter().any(holds) {
        return Err(format!("lies in none of the folders of {key} in the config"));
    }
    match path.metadata() {
        // Only of a file it is known that reading it comes to an end.
        Ok(found) if found.is_file() => Ok(()),
        _ => Err("there is no such file".into()),
    }
}

fn goes_up(path: &Path) -> bool {
    path.components().any(|part| part == Component::ParentDir)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        let home = std::env::temp_dir().join(format!("gaia-admin-{}", std::process::id()));
        Places { node_home: home, user_home: "/home/ada".into(), config_folder: "/etc".into() }
    }

    fn complaints(text: &str) -> Vec<(String, String)> {
        let places = places();
        let mut problems = vec![];
        let admin = AdminConfig::read(Reader::new("", Table::new(), &mut problems), &places);
        let given = text.parse().expect("TOML");
        let found = admin.check(&given, &places).into_iter();
        found.map(|problem| (problem.key, problem.message)).collect()
    }

    #[test]
    fn files_elsewhere_are_refused_whether_they_exist_or_not() {
        let told: Vec<_> = ["/etc/passwd", "/no/such", "models/../../etc/passwd", "../x", "apps/x"]
            .into_iter()
            .map(|path| complaints(&format!("path = {path:?}")).remove(0))
            .collect();
        for (key, message) in told {
            assert_eq!(key, "path");
            assert!(message.contains("admin.model_dirs"), "{message}");
        }
    }

    #[test]
    fn every_path_is_looked_at_and_code_is_refused() {
        let found = complaints(
            "path = \"/a\"\ndraft_path = \"/b\"\nmmproj_path = \"/f\"\nloras = [{ path = \"/c\" }]\napp = \"/d\"\n\
             backends_dir = \"/e\"\n",
        );
        let keys: Vec<_> = found.iter().map(|(key, _)| key.as_str()).collect();
        let named = ["backends_dir", "path", "draft_path", "mmproj_path", "loras[0].path", "app"];
        assert_eq!(keys, named);
    }

    #[test]
    fn a_file_inside_must_be_there_and_a_gguf() {
        let folder = places().node_home.join("models");
        std::fs::create_dir_all(&folder).expect("the temporary folder is writable");
        std::fs::write(folder.join("good.gguf"), b"GGUF and more").expect("writable");
        std::fs::write(folder.join("bad.gguf"), b"GG").expect("writable");
        let said = |name: &str| complaints(&format!("path = \"models/{name}\""));
        assert_eq!(said("good.gguf"), []);
        assert_eq!(said("bad.gguf")[0].1, "is no GGUF file");
        assert_eq!(said("none.gguf")[0].1, "there is no such file");
        assert_eq!(said("")[0].1, "there is no such file");
        std::fs::remove_dir_all(places().node_home).expect("it is ours");
    }
}
