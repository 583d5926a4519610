//! What is refused before anything runs.

use super::Builder;
use super::job::{Job, Task};

/// Well below what a command line takes.
const ARGUMENTS_MAX: usize = 256;

/// Everything that keeps a job from being begun, in words for its author.
pub fn refusals(builder: &Builder, job: &Job) -> Vec<String> {
    let mut refusals = builder.crates.problems(job.project.dependencies());
    refusals.extend(missing_program(builder, job.task));
    refusals.extend(missing_target(builder, job));
    refusals.extend(wrong_words(job));
    refusals
}

fn missing_program(builder: &Builder, task: Task) -> Option<String> {
    let (program, component) = match task {
        Task::Clippy => ("cargo-clippy", "clippy"),
        Task::Fmt => ("cargo-fmt", "rustfmt"),
        _ => return None,
    };
    let missing = !builder.toolchain.has_program(program);
    missing.then(|| {
        format!("this node's toolchain lacks {component}: its operator adds it with rustup component add {component}")
    })
}

fn missing_target(builder: &Builder, job: &Job) -> Option<String> {
    let triple = job.target.triple()?;
    if !builder.toolchain.has_target(triple) {
        return Some(format!(
            "this node's toolchain lacks the target {triple}: its operator adds it with rustup target add {triple}"
        ));
    }
    match (job.task, &builder.wasm) {
        (Task::Test, _) => Some(format!(
            "this node does not run tests for {triple}: build for it, or test natively"
        )),
        (Task::Run, Err(reason)) => Some(format!(
            "this node does not run programs for {triple}: {reason}; build it, with \"programs\": true, and run it yourself"
        )),
        _ => None,
    }
}

/// Words that cargo would take for its own options.
fn wrong_words(job: &Job) -> Option<String> {
    if job.args.len() > ARGUMENTS_MAX {
        return Some(format!("args has more than {ARGUMENTS_MAX} words"));
    }
    let words = job.features.names.iter().chain(&job.bin);
    let mut wrong = words.filter(|word| !is_name(word));
    wrong.next().map(|word| {
        format!("{word:?} is no name of a feature or a program: letters, digits, \"-\", \"_\", \"+\", \".\" and \"/\" make one")
    })
}

fn is_name(word: &str) -> bool {
    let plain = |letter: char| letter.is_alphanumeric() || "-_+./".contains(letter);
    !word.is_empty() && word.len() <= 100 && !word.starts_with('-') && word.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_reach_cargos_command_line() {
        for word in ["", "--config", "a b", "a,b", "a\n", &"x".repeat(101)] {
            assert!(!is_name(word), "{word:?}");
        }
        assert!(is_name("serde/derive"));
    }
}
