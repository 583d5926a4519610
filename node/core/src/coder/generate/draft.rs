//! A project made of what a model wrote, before the compiler has seen it.

use super::manifest::Wanted;
use super::plan::Plan;
use super::read::read;
use crate::build::{Crates, Files};

/// Code and dependencies, in the places where the plan has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Draft {
    pub code: Files,
    /// By the folder of a package; the empty one is the whole project.
    pub wanted: Vec<(String, Wanted)>,
    /// The model did not come to its end: parts may be missing.
    pub is_cut: bool,
}

/// Makes a draft of an answer.
///
/// # Errors
/// What is missing, in words for the model.
pub(super) fn draft(plan: &Plan, answer: &str) -> Result<Draft, String> {
    let mut draft = Draft::default();
    let mut nameless: Vec<String> = vec![];
    for file in read(answer) {
        match file.path {
            None => nameless.push(file.text),
            Some(path) if path.ends_with("Cargo.toml") => {
                let folder = folder(&path).to_owned();
                draft.wanted.push((folder, Wanted::read(&file.text)));
            }
            Some(path) => {
                if let Some(place) = plan.place(&path) {
                    draft.code.insert(place, file.text);
                }
            }
        }
    }
    if !draft.code.contains_key(plan.main()) {
        // The longest is the program; the others show how it is called.
        if let Some(text) = nameless.into_iter().max_by_key(String::len) {
            draft.code.insert(plan.main().to_owned(), text);
        }
    }
    take_in_tests(&mut draft.code);
    let missing = plan.needed().iter().find(|path| !draft.code.contains_key(**path));
    match missing {
        None => Ok(draft),
        Some(path) if draft.code.is_empty() => Err(format!(
            "There was no file in your answer: write each behind a line [filename: path], {path} first."
        )),
        Some(path) => Err(format!("The file {path} was missing in your answer: write all files.")),
    }
}

/// Tests in a file that nothing includes go to the end of the file that they are of.
fn take_in_tests(code: &mut Files) {
    let lost = code.keys().filter(|path| path.ends_with("src/tests.rs")).cloned();
    for path in lost.collect::<Vec<_>>() {
        let folder = path.trim_end_matches("tests.rs");
        let roots = ["lib.rs", "main.rs"].map(|name| format!("{folder}{name}"));
        let Some(root) = roots.into_iter().find(|root| code.contains_key(root)) else { continue };
        if code[&root].contains("mod tests") {
            continue;
        }
        let tests = code.remove(&path).unwrap_or_default();
        let text = code.entry(root).or_default();
        text.push('\n');
        text.push_str(&tests);
    }
}

fn folder(path: &str) -> &str {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    folder.rsplit('/').next().unwrap_or_default()
}

impl Draft {
    /// The whole project.
    pub(super) fn project(&self, plan: &Plan) -> Files {
        plan.around(self.code.clone(), &self.wanted)
    }

    /// The same with versions that can be had, for the crates of which these refusals speak.
    pub(super) fn corrected(mut self, refusals: &[String], crates: &Crates) -> Self {
        for (_, wanted) in &mut self.wanted {
            refusals.iter().for_each(|refusal| wanted.correct(refusal, crates));
        }
        self
    }

    /// The same without the crates of which these refusals speak.
    pub(super) fn without_refused(mut self, refusals: &[String]) -> Self {
        for (_, wanted) in &mut self.wanted {
            refusals.iter().for_each(|refusal| wanted.forget(refusal));
        }
        self
    }
}
