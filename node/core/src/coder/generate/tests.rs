//! What becomes of models that write well, badly, nothing, or forever.

use std::sync::{Arc, Mutex};

use gaia_protocol::{ChatTask, Event, FinishReason, ModelKind, Task, Usage};

use super::*;
use crate::build::{BuildError, BuildJob, BuildReport, TestStatus, Verdict};
use crate::coder::samples::test;
use crate::coder::{Budget, Edits, Progress};
use crate::fakes::{
    FakeBuilder, FakeClock, FakeKnowledge, FakeModel, block_on, error_at, node_of, report_of,
};
use crate::{Builder, Node};

const GOOD: &str = "[filename: src/main.rs]\n```rust\nfn main() {\n    println!(\"2\");\n}\n\n\
    #[cfg(test)]\nmod tests {\n    #[test]\n    fn good() {}\n}\n```\n";

fn says(text: &str) -> Vec<Result<Event, ServeError>> {
    let usage = Usage { prompt_tokens: 10, completion_tokens: 20, ..Usage::default() };
    vec![Ok(Event::text(text, 20)), Ok(Event::finish(FinishReason::Stop, usage))]
}

fn writing(answers: &[&str]) -> FakeModel {
    let scripts = answers.iter().map(|text| says(text)).collect();
    FakeModel::new("m", ModelKind::Chat).answering_in_turn(scripts)
}

/// Finds an error where one stands, and runs the tests of the main files.
fn compiling() -> FakeBuilder {
    FakeBuilder::new(|job: &BuildJob| Some(Ok(compiled(job))))
}

fn compiled(job: &BuildJob) -> BuildReport {
    let is_there = |text: &str| job.files.values().any(|file| file.contains(text));
    if is_there("BROKEN") {
        return report_of(vec![error_at("E0425", "broken", ("src/main.rs", 1))]);
    }
    let mains = job.files.iter().filter(|(path, _)| !path.ends_with("tests.rs"));
    let found = mains.filter(|(_, text)| text.contains("#[test]"));
    let tests = found.map(|(path, _)| test(path, TestStatus::Passed)).collect();
    BuildReport { tests, ..report_of(vec![]) }
}

fn coder(node: Node, builder: FakeBuilder) -> Coder {
    let builder: Arc<dyn Builder> = Arc::new(builder);
    let clock = Arc::new(FakeClock::default());
    Coder { node, builder, memory: None, clock, model: Some("m".into()), edits: Edits::Auto }
}

fn wanted() -> Generate {
    let budget = Budget { candidates: 1, ..Budget::default() };
    Generate { description: "Print the primes".into(), tests: true, budget, ..Generate::default() }
}

#[test]
fn a_project_that_the_model_did_not_finish_is_not_said_to_be_whole() {
    let usage = Usage { prompt_tokens: 10, completion_tokens: 20, ..Usage::default() };
    for (reason, is_cut) in [(FinishReason::Length, true), (FinishReason::Stop, false)] {
        let script = vec![Ok(Event::text(GOOD, 20)), Ok(Event::finish(reason, usage))];
        let model = FakeModel::new("m", ModelKind::Chat).answering_in_turn(vec![script]);
        let coder = coder(node_of(model).0, compiling());
        let made = block_on(generate(&coder, wanted(), &|_| ())).expect("an answer");
        assert_eq!(made.outcome.message.contains("parts may be missing"), is_cut);
    }
}

/// What the model was told last.
fn last(task: &ChatTask) -> &str {
    task.messages.last().map_or("", |message| &message.content)
}

fn made(answers: &[&str], request: Generate) -> (Generated, Arc<FakeModel>) {
    let (node, model) = node_of(writing(answers));
    let coder = coder(node, compiling());
    (block_on(generate(&coder, request, &|_| ())).expect("an answer"), model)
}

fn refused(request: Generate) -> CoderError {
    let (node, model) = node_of(writing(&[GOOD]));
    let error = block_on(generate(&coder(node, compiling()), request, &|_| ()));
    assert_eq!(model.started(), 0);
    error.expect_err("refused")
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let long = "a".repeat(9000);
    for (request, wrong) in [
        (Generate { description: " ".into(), ..wanted() }, "description"),
        (Generate { description: long.clone(), ..wanted() }, "description"),
        (Generate { requirements: Some(long.repeat(2)), ..wanted() }, "requirements"),
        (Generate { name: Some("Core".into()), ..wanted() }, "name"),
        (Generate { name: Some("core".into()), ..wanted() }, "name"),
        (Generate { name: Some("../x".into()), ..wanted() }, "name"),
    ] {
        let CoderError::Invalid { param, .. } = refused(request) else { panic!("by name") };
        assert_eq!(param.as_deref(), Some(wrong));
    }
    let error = refused(Generate { model: Some("none".into()), ..wanted() });
    assert!(matches!(error, CoderError::Serve(ServeError::UnknownModel { .. })));
    let error = refused(Generate { collections: vec!["none".into()], ..wanted() });
    assert!(matches!(error, CoderError::Serve(_)));
}

#[test]
fn without_a_coding_model_nothing_is_made() {
    let (node, _) = node_of(writing(&[GOOD]));
    let coder = Coder { model: None, ..coder(node, compiling()) };
    let error = block_on(generate(&coder, wanted(), &|_| ())).expect_err("refused");
    assert_eq!(error, CoderError::NoModel);
}

#[test]
fn nonsense_and_nothing_end_in_a_clear_failure_without_a_program() {
    for (answer, said) in
        [("Sure!", "no file"), ("", "no"), ("[filename: ../x.rs]\nx\n", "no file")]
    {
        let (generated, model) = made(&[answer], wanted());
        let outcome = generated.outcome;
        assert!(!outcome.success && outcome.files.is_empty());
        assert!(outcome.message.contains("wrote no project"), "{}", outcome.message);
        assert!(outcome.message.contains(said), "{}", outcome.message);
        assert_eq!(model.started(), 3, "it is told what was wrong, and asked again");
    }
}

#[test]
fn a_model_that_never_ends_is_stopped_and_what_it_wrote_is_used() {
    let script = vec![Ok(Event::text(GOOD, 20))];
    let model = FakeModel::new("m", ModelKind::Chat).answering(script).hanging();
    let (node, model) = node_of(model);
    let generated = block_on(generate(&coder(node, compiling()), wanted(), &|_| ()));
    let outcome = generated.expect("an answer").outcome;
    assert!(outcome.success, "{}", outcome.message);
    assert_eq!((model.started(), model.cancelled()), (1, 1));
    let silent = FakeModel::new("m", ModelKind::Chat).answering(vec![]).hanging();
    let (node, model) = node_of(silent);
    let generated = block_on(generate(&coder(node, compiling()), wanted(), &|_| ()));
    assert!(!generated.expect("an answer").outcome.success);
    assert_eq!((model.started(), model.cancelled()), (1, 1));
}

#[test]
fn a_model_that_fails_at_once_is_an_error() {
    let model =
        FakeModel::new("m", ModelKind::Chat).answering(vec![Err(ServeError::WorkerStopped)]);
    let (node, _) = node_of(model);
    let error = block_on(generate(&coder(node, compiling()), wanted(), &|_| ())).err();
    assert_eq!(error, Some(CoderError::Serve(ServeError::WorkerStopped)));
}

#[test]
fn a_project_is_code_of_the_model_and_manifests_of_ours() {
    let answer = format!(
        "{GOOD}[filename: Cargo.toml]\n```toml\n[package]\nname = \"evil\"\nbuild = \"x.rs\"\n\
         [dependencies]\nrand = \"0.8\"\n```\n[filename: build.rs]\nfn main() {{}}\n"
    );
    let heard = Mutex::new(vec![]);
    let (node, model) = node_of(writing(&[&answer]));
    let tell = |progress: Progress| heard.lock().expect("nobody panics").push(progress);
    let generated = block_on(generate(&coder(node, compiling()), wanted(), &tell)).expect("made");
    let files = &generated.outcome.files;
    let paths: Vec<_> = files.keys().map(String::as_str).collect();
    assert_eq!(paths, ["Cargo.toml", "README.md", "src/main.rs"]);
    let manifest = "[package]\nname = \"print-primes\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n\
                    [dependencies]\nrand = \"0.8\"\n";
    assert_eq!(files["Cargo.toml"], manifest);
    assert!(generated.outcome.success && generated.outcome.spent.completion_tokens == 20);
    assert_eq!(heard.lock().expect("nobody panics")[0], Progress::Writing { round: 1 });
    let Some(Task::Chat(task)) = model.tasks().pop() else { panic!("it was asked") };
    assert!(task.max_tokens.is_some_and(|tokens| tokens <= 8192));
}

#[test]
fn the_best_of_several_drafts_is_taken() {
    let broken = "[filename: src/main.rs]\nBROKEN\n";
    let budget = Budget { candidates: 2, ..Budget::default() };
    let (generated, model) = made(&[broken, GOOD], Generate { budget, ..wanted() });
    assert!(generated.outcome.success, "{}", generated.outcome.message);
    assert_eq!(model.started(), 2);
}

#[test]
fn crates_that_are_refused_are_told_and_in_the_end_left_out() {
    let refusing = || {
        FakeBuilder::new(|job: &BuildJob| {
            let manifest = job.files.get("Cargo.toml").map(String::as_str).unwrap_or_default();
            let refused = BuildReport {
                verdict: Verdict::Refused,
                notes: vec!["the crate \"sered\" is not available".into()],
                ..report_of(vec![])
            };
            Some(Ok(if manifest.contains("sered") { refused } else { compiled(job) }))
        })
    };
    let answer = format!("{GOOD}[filename: Cargo.toml]\n[dependencies]\nsered = \"1\"\n");
    let (node, model) = node_of(writing(&[&answer]));
    let generated = block_on(generate(&coder(node, refusing()), wanted(), &|_| ()));
    let outcome = generated.expect("made").outcome;
    assert!(outcome.success && !outcome.files["Cargo.toml"].contains("sered"));
    assert_eq!(model.started(), 3);
    let Some(Task::Chat(task)) = model.tasks().pop() else { panic!("it was asked") };
    assert!(last(&task).contains("\"sered\" is not available"));
}

#[test]
fn missing_tests_are_asked_for_and_their_lack_is_told() {
    let bare = "[filename: src/main.rs]\nfn main() { println!(); }\n";
    let module = "```rust\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn good() {}\n}\n```";
    let (generated, _) = made(&[bare, module], wanted());
    let outcome = generated.outcome;
    assert!(outcome.success && outcome.files["src/main.rs"].contains("#[test]"));
    for second in ["I can't.", "```rust\n#[test]\nfn bad() { BROKEN }\n```"] {
        let (generated, _) = made(&[bare, second], wanted());
        let outcome = generated.outcome;
        assert!(!outcome.success && !outcome.files["src/main.rs"].contains("BROKEN"));
        assert!(outcome.message.contains("missing: tests that run"), "{}", outcome.message);
        assert_eq!((outcome.by, outcome.report.notes.len()), (None, 1));
    }
    let (generated, model) = made(&[bare], Generate { tests: false, ..wanted() });
    assert!(generated.outcome.success && model.started() == 1);
}

#[test]
fn a_program_that_is_all_main_is_written_anew_for_its_tests() {
    let bare = "[filename: src/main.rs]\nfn main() { println!(); }\n";
    let (generated, model) = made(&[bare, GOOD], wanted());
    let outcome = generated.outcome;
    assert!(outcome.success, "{}", outcome.message);
    assert_eq!(outcome.files["src/main.rs"].matches("fn main").count(), 1);
    let Some(Task::Chat(task)) = model.tasks().pop() else { panic!("it was asked") };
    assert!(last(&task).contains("Write this file anew"), "{}", last(&task));
}

#[test]
fn of_two_drafts_the_one_with_tests_is_taken() {
    let bare = "[filename: src/main.rs]\nfn main() { println!(); }\n";
    let budget = Budget { candidates: 2, ..Budget::default() };
    let (generated, model) = made(&[bare, GOOD], Generate { budget, ..wanted() });
    assert!(generated.outcome.success, "{}", generated.outcome.message);
    assert_eq!(model.started(), 2);
}

#[test]
fn what_was_left_open_is_asked_for_again_and_in_the_end_no_success() {
    let open = GOOD.replace("println!(\"2\");", concat!("to", "do!();"));
    let (generated, model) = made(&[&open, GOOD], wanted());
    assert!(generated.outcome.success, "{}", generated.outcome.message);
    let Some(Task::Chat(task)) = model.tasks().pop() else { panic!("it was asked") };
    let said = last(&task);
    assert!(said.contains("It lacks the body of `main` in src/main.rs"), "{said}");
    let (generated, model) = made(&[&open], wanted());
    let outcome = generated.outcome;
    assert!(!outcome.success && outcome.files.contains_key("src/main.rs"));
    assert!(outcome.message.contains("It compiles, and its tests pass. What was asked for"));
    assert_eq!((model.started(), outcome.report.notes.len()), (3, 1));
}

#[test]
fn a_draft_in_time_is_not_kept_waiting_by_one_without_an_end() {
    let usage = Usage { prompt_tokens: 10, completion_tokens: 20, ..Usage::default() };
    let whole = vec![Ok(Event::text(GOOD, 20)), Ok(Event::finish(FinishReason::Stop, usage))];
    let endless = vec![Ok(Event::text("[filename: src/main.rs]\n", 5))];
    let model = FakeModel::new("m", ModelKind::Chat).answering_in_turn(vec![whole, endless]);
    let (node, _) = node_of(model.hanging());
    let budget = Budget { candidates: 2, ..Budget::default() };
    let request = Generate { budget, ..wanted() };
    let outcome =
        block_on(generate(&coder(node, compiling()), request, &|_| ())).expect("made").outcome;
    assert!(outcome.success, "{}", outcome.message);
    assert!(outcome.spent.total_ms <= 10_000, "{} ms", outcome.spent.total_ms);
}

#[test]
fn a_crate_in_a_version_that_is_not_there_is_taken_in_one_that_is() {
    let builder = FakeBuilder::new(|job: &BuildJob| {
        let old = job.files.get("Cargo.toml").is_some_and(|text| text.contains("rand = \"0.5\""));
        let notes = vec!["the crate \"rand\" is available here as 0.9.1".into()];
        let refused = BuildReport { verdict: Verdict::Refused, notes, ..report_of(vec![]) };
        Some(Ok(if old { refused } else { compiled(job) }))
    });
    let answer = format!("{GOOD}[filename: Cargo.toml]\n[dependencies]\nrand = \"0.5\"\n");
    let (node, model) = node_of(writing(&[&answer]));
    let coder = coder(node, builder.offering(&[("rand", &["0.9"])]));
    let outcome = block_on(generate(&coder, wanted(), &|_| ())).expect("made").outcome;
    assert!(outcome.success && outcome.files["Cargo.toml"].contains("rand = \"0.9\""));
    assert_eq!(model.started(), 1);
}

#[test]
fn tests_in_a_file_that_nothing_includes_are_taken_in() {
    let answer = "[filename: src/main.rs]\nfn main() { println!(); }\n\n[filename: src/tests.rs]\n\
                  #[cfg(test)]\nmod tests {\n    #[test]\n    fn good() {}\n}\n";
    let (generated, model) = made(&[answer], wanted());
    let files = &generated.outcome.files;
    assert!(files["src/main.rs"].contains("#[test]") && !files.contains_key("src/tests.rs"));
    assert_eq!((generated.outcome.success, model.started()), (true, 1));
    assert_eq!(generated.outcome.message, "It compiles, and its tests pass.");
}

#[test]
fn a_workspace_has_two_packages() {
    let answer = "[filename: my_app/app/src/main.rs]\nfn main() { duo_library::b(); }\n\
                  [filename: library/src/lib.rs]\npub fn b() {}\n#[test]\nfn a() {}\n\
                  [filename: library/Cargo.toml]\n[dependencies]\nrand = \"0.8\"\n";
    let request = Generate { kind: Kind::Workspace, name: Some("duo".into()), ..wanted() };
    let (generated, _) = made(&[answer], request);
    assert!(generated.outcome.success, "{}", generated.outcome.message);
    let files = generated.outcome.files;
    assert!(files["app/Cargo.toml"].contains("duo-library = { path = \"../library\" }"));
    assert!(!files["app/Cargo.toml"].contains("rand"));
    assert!(files["library/Cargo.toml"].contains("rand = \"0.8\""));
    assert!(files["Cargo.toml"].contains("members"));
}

#[test]
fn where_nothing_can_be_compiled_that_is_said() {
    let closed = FakeBuilder::new(|_| Some(Err(BuildError::Unavailable("closed".into()))));
    let (node, _) = node_of(writing(&[GOOD]));
    let error = block_on(generate(&coder(node, closed), wanted(), &|_| ())).err();
    assert!(matches!(error, Some(CoderError::Build(BuildError::Unavailable(_)))));
    let (node, _) = node_of(writing(&[GOOD]));
    let hanging = FakeBuilder::new(|_| None);
    let outcome =
        block_on(generate(&coder(node, hanging), wanted(), &|_| ())).expect("made").outcome;
    assert!(
        !outcome.success && outcome.files.contains_key("src/main.rs"),
        "the best state there is"
    );
}

#[test]
fn a_knowledge_base_that_is_there_is_shown() {
    let (node, model) = node_of(writing(&[GOOD]));
    let node = Node { knowledge: Some(Arc::new(FakeKnowledge::default())), ..node };
    let generated = block_on(generate(&coder(node, compiling()), wanted(), &|_| ()));
    assert!(generated.expect("made").examples.is_empty(), "there is no collection `rust`");
    assert_eq!(model.started(), 1);
}
