//! How cargo is called.

use super::job::{Job, Profile, Target, Task};

/// cargo with its arguments, and behind `--` those of tests or tools.
pub fn arguments(job: &Job) -> Vec<String> {
    let mut words = vec!["cargo".to_owned(), subcommand(job.task).to_owned()];
    if job.task == Task::Fmt {
        words.push("--all".to_owned());
        return words;
    }
    words.extend(["--offline", "--message-format=json"].map(str::to_owned));
    if job.profile == Profile::Release {
        words.push("--release".to_owned());
    }
    if let Some(triple) = job.target.triple() {
        words.extend(["--target".to_owned(), triple.to_owned()]);
    }
    words.extend(own(job));
    words.extend(features(job));
    if job.task == Task::Test && !job.args.is_empty() {
        words.push("--".to_owned());
        words.extend(job.args.iter().cloned());
    }
    words
}

fn subcommand(task: Task) -> &'static str {
    match task {
        Task::Check => "check",
        Task::Build | Task::Run => "build",
        Task::Test => "test",
        Task::Clippy => "clippy",
        Task::Fmt => "fmt",
        Task::Doc => "doc",
    }
}

fn own(job: &Job) -> Vec<String> {
    match job.task {
        // Every failed test is worth knowing.
        Task::Test => vec!["--no-fail-fast".to_owned()],
        Task::Doc => vec!["--no-deps".to_owned()],
        Task::Check | Task::Clippy if !speaks_of_more(job) => vec![],
        Task::Check | Task::Clippy => vec!["--all-targets".to_owned()],
        Task::Build | Task::Run => {
            program(job).map_or(vec![], |name| vec!["--bin".to_owned(), name])
        }
        Task::Fmt => vec![],
    }
}

/// Whether there may be more than libraries and programs. Where no path and no text, of any member, has
/// one of these words, tests, examples and benches are nothing but the same sources compiled once more:
/// cargo looks for them in folders that are called so, or finds them in a manifest, and `test` is said
/// by each attribute and `cfg` of tests. Macros of other crates say it themselves: such a crate stands
/// among the crates for tests, or is quickcheck.
fn speaks_of_more(job: &Job) -> bool {
    let speaks = |text: &[u8]| {
        let has = |word: &[u8]| text.windows(word.len()).any(|part| part == word);
        MORE.iter().any(|word| has(word.as_bytes()))
    };
    job.project.files().any(|(path, text)| speaks(path.as_str().as_bytes()) || speaks(text))
}

const MORE: [&str; 6] =
    ["test", "example", "bench", "dev-dependencies", "dev_dependencies", "quickcheck"];

/// The program that is meant, if the job or the manifest names one.
pub fn program(job: &Job) -> Option<String> {
    if job.bin.is_some() || job.task != Task::Run {
        return job.bin.clone();
    }
    let manifest = std::str::from_utf8(job.project.file("Cargo.toml")?).ok()?;
    let manifest: toml::Table = manifest.parse().ok()?;
    let name = manifest.get("package")?.get("default-run")?.as_str()?;
    (!name.starts_with('-')).then(|| name.to_owned())
}

fn features(job: &Job) -> Vec<String> {
    let features = &job.features;
    let mut words = vec![];
    if !features.names.is_empty() {
        words.extend(["--features".to_owned(), features.names.join(",")]);
    }
    if !features.default {
        words.push("--no-default-features".to_owned());
    }
    if features.all {
        words.push("--all-features".to_owned());
    }
    words
}

/// What cargo makes that may be given out, below its folder of results, as the shell finds it.
pub fn results(job: &Job) -> String {
    let profile = match job.profile {
        Profile::Debug => "debug",
        Profile::Release => "release",
    };
    let files = match job.task {
        Task::Doc => "doc/*.json".to_owned(),
        _ => format!("{profile}/*"),
    };
    match job.target {
        Target::Native => files,
        Target::Wasm => format!("wasm32-wasip1/{files}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::{Limits, Project};

    fn job(task: Task) -> Job {
        let flat = "[filename: Cargo.toml]\n[package]\nname = \"x\"\ndefault-run = \"y\"\n";
        Job::new(Project::from_flat(flat, &Limits::default()).expect("accepted"), task)
    }

    fn line(job: &Job) -> String {
        arguments(job).join(" ")
    }

    #[test]
    fn each_task_is_a_command() {
        let json = "--offline --message-format=json";
        assert_eq!(line(&job(Task::Check)), format!("cargo check {json}"));
        assert_eq!(line(&job(Task::Run)), format!("cargo build {json} --bin y"));
        assert_eq!(line(&job(Task::Fmt)), "cargo fmt --all");
        assert_eq!(line(&job(Task::Doc)), format!("cargo doc {json} --no-deps"));
    }

    #[test]
    fn tests_and_examples_are_checked_where_there_may_be_some() {
        for (path, text) in [
            ("src/lib.rs", "#[cfg(test)] mod m;"),
            ("src/lib.rs", "#[tokio::test] async fn a() {}"),
            ("m/benches/a.rs", ""),
            ("m/src/deep/mod.rs", "#[cfg(all(test, unix))] mod m;"),
            ("src/lib.rs", "quickcheck::quickcheck! { fn a(_b: u8) -> bool { true } }"),
            ("Cargo.toml", "[[example]]\nname = \"x\"\n"),
            ("Cargo.toml", "[dev-dependencies]\nserde = \"1\"\n"),
        ] {
            let flat = format!(
                "[filename: Cargo.toml]\n[package]\nname = \"x\"\n\n[filename: {path}]\n{text}\n"
            );
            let flat =
                if path == "Cargo.toml" { format!("[filename: {path}]\n{text}\n") } else { flat };
            let project = Project::from_flat(&flat, &Limits::default()).expect("accepted");
            assert!(line(&Job::new(project, Task::Check)).ends_with(" --all-targets"), "{path}");
        }
    }

    #[test]
    fn options_become_words_of_their_own() {
        let mut job = job(Task::Test);
        job.profile = Profile::Release;
        job.target = Target::Wasm;
        job.features.names = vec!["a".to_owned(), "b".to_owned()];
        job.features.default = false;
        job.args = vec!["--nocapture".to_owned()];
        assert_eq!(
            line(&job),
            "cargo test --offline --message-format=json --release --target wasm32-wasip1 \
             --no-fail-fast --features a,b --no-default-features -- --nocapture"
        );
        assert_eq!(results(&job), "wasm32-wasip1/release/*");
        job.task = Task::Doc;
        assert_eq!(results(&job), "wasm32-wasip1/doc/*.json");
    }
}
