//! What is refused before anything runs.

use super::Builder;
use super::job::{Job, Task};

/// Well below what a command line takes.
const ARGUMENTS_MAX: usize = 256;
/// Linux hands a program no longer word than this with the zero behind it.
const ARGUMENT_BYTES_MAX: usize = (128 << 10) - 1;
/// Of all together, each with a zero behind it: the jail takes 512 KiB with cargo's own words and the
/// environment.
const ARGUMENTS_BYTES_MAX: usize = 384 << 10;

/// Names of features, which become one word of cargo's.
const FEATURES_MAX: usize = 1000;

/// Everything that keeps a job from being begun, in words for its author.
pub fn refusals(builder: &Builder, job: &Job) -> Vec<String> {
    let mut refusals = builder.crates.problems(job.project.dependencies());
    refusals.extend(missing_program(builder, job.task));
    refusals.extend(missing_target(builder, job));
    refusals.extend(wrong_arguments(&job.args));
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

/// Arguments that no program can be given.
fn wrong_arguments(args: &[String]) -> Option<String> {
    if args.len() > ARGUMENTS_MAX {
        return Some(format!("args has more than {ARGUMENTS_MAX} words"));
    }
    for (place, word) in args.iter().enumerate() {
        if word.contains('\0') {
            return Some(format!(
                "args[{place}] has a NUL byte, which no program can be given: take it out"
            ));
        }
        if word.len() > ARGUMENT_BYTES_MAX {
            return Some(format!(
                "args[{place}] has {} bytes, {ARGUMENT_BYTES_MAX} at most: pass the rest in stdin or in a file",
                word.len()
            ));
        }
    }
    let bytes: usize = args.iter().map(|word| word.len() + 1).sum();
    (bytes > ARGUMENTS_BYTES_MAX).then(|| {
        format!("args has {bytes} bytes, {ARGUMENTS_BYTES_MAX} at most: pass the rest in stdin or in a file")
    })
}

/// Words that cargo would take for its own options.
fn wrong_words(job: &Job) -> Option<String> {
    if job.features.names.len() > FEATURES_MAX {
        return Some(format!("features has more than {FEATURES_MAX} names"));
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

    #[test]
    fn only_what_a_program_can_be_given_is_begun() {
        let word = |bytes: usize| "x".repeat(bytes);
        let refused = |args: &[String]| wrong_arguments(args).expect("refused");
        assert_eq!(wrong_arguments(&[word(ARGUMENT_BYTES_MAX), word(0), word(9)]), None);
        assert!(refused(&[word(1), "a\0b".to_owned()]).starts_with("args[1] has a NUL byte"));
        let long = refused(&[word(ARGUMENT_BYTES_MAX + 1)]);
        assert!(long.starts_with("args[0] has 131072 bytes"), "{long}");
        let much = refused(&[word(99_999), word(99_999), word(99_999), word(99_999)]);
        assert!(much.starts_with("args has 400000 bytes"), "{much}");
        assert!(refused(&vec![String::new(); ARGUMENTS_MAX + 1]).contains("more than 256"));
        let bytes = ARGUMENTS_BYTES_MAX / ARGUMENTS_MAX - 1;
        assert_eq!(wrong_arguments(&vec![word(bytes); ARGUMENTS_MAX]), None);
    }
}
