//! Repairs with a model and a memory, over fakes.

use gaia_protocol::{Event, FinishReason, Task, Usage};

use super::*;
use crate::ServeError;
use crate::coder::Fix;
use crate::fakes::FakeMemory;

pub(super) type Script = Vec<Result<Event, ServeError>>;

pub(super) fn saying(text: &str) -> Script {
    let finish = Event::finish(FinishReason::Stop, Usage::default());
    let prompt = Event::Prompt { tokens: 100, cached_tokens: 0 };
    vec![Ok(prompt), Ok(Event::text(text, 10)), Ok(finish)]
}

pub(super) fn block(search: &str, replace: &str) -> String {
    format!(
        "It was wrong.\nsrc/main.rs\n<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE"
    )
}

/// A project is right when `wrong` is gone from it.
fn builder() -> FakeBuilder {
    FakeBuilder::finding(vec![("wrong", error_at("E0308", "a thing", ("src/main.rs", 1)))])
}

pub(super) fn with_model(model: FakeModel) -> (Coder, Arc<FakeModel>) {
    let (node, model) = node_of(model);
    let (coder, _) = coder(builder());
    (Coder { node, model: Some("m".into()), edits: Edits::Blocks, ..coder }, model)
}

pub(super) fn model(scripts: Vec<Script>) -> FakeModel {
    FakeModel::new("m", ModelKind::Chat).answering_in_turn(scripts)
}

pub(super) fn asked(text: &str, candidates: u32) -> Repair {
    let budget = crate::coder::Budget { candidates, ..crate::coder::Budget::default() };
    Repair { without_model: false, budget, ..request(text) }
}

pub(super) const TEXT: &str = "fn main() {\n    wrong();\n}\n";

#[test]
fn the_best_of_several_answers_is_kept() {
    let scripts = vec![saying("I don't know."), saying(&block("wrong();", "right();"))];
    let (coder, model) = with_model(model(scripts));
    let repaired = run(&coder, asked(TEXT, 2));
    assert!(repaired.success, "{}", repaired.message);
    assert_eq!((repaired.by, repaired.model.as_deref()), (Some(Stage::Model), Some("m")));
    assert_eq!((repaired.spent.prompt_tokens, repaired.spent.completion_tokens), (100, 20));
    assert_eq!(repaired.files["src/main.rs"], "fn main() {\n    right();\n}\n");
    let temperatures: Vec<_> = model
        .tasks()
        .iter()
        .map(|task| match task {
            Task::Chat(task) => task.sampling.temperature,
            _ => None,
        })
        .collect();
    assert_eq!(temperatures, [Some(0.0), Some(0.7)]);
}

#[test]
fn nonsense_is_refused_and_the_model_hears_why() {
    let (coder, model) = with_model(model(vec![
        saying("🦀🦀🦀"),
        saying(&block("absent();", "right();")),
        saying(&block("wrong();", "right();")),
    ]));
    let repaired = run(&coder, asked(TEXT, 1));
    assert!(repaired.success, "{}", repaired.message);
    let prompts: Vec<_> = model
        .tasks()
        .iter()
        .map(|task| match task {
            Task::Chat(task) => task.messages[1].content.clone(),
            _ => String::new(),
        })
        .collect();
    assert!(prompts[0].contains("wrong();") && prompts[0].contains("a thing"));
    assert!(prompts[1].contains("no search/replace block"), "{}", prompts[1]);
    assert!(prompts[2].contains("`absent();`"), "{}", prompts[2]);
}

#[test]
fn a_model_that_only_talks_ends_with_a_clear_message_and_the_given_files() {
    for text in ["No.", ""] {
        let (coder, model) = with_model(model(vec![saying(text)]));
        let repaired = run(&coder, asked(TEXT, 1));
        assert!(!repaired.success && repaired.diff.is_empty());
        assert!(repaired.message.contains("answer was not taken"), "{}", repaired.message);
        assert_eq!(model.started(), 4, "as many rounds as the budget has");
    }
}

#[test]
fn a_model_that_writes_for_ever_is_left_when_the_time_is_over() {
    let silent = FakeModel::new("m", ModelKind::Chat).answering(vec![Ok(Event::text("a", 3))]);
    let (coder, model) = with_model(silent.hanging());
    let repaired = run(&coder, asked(TEXT, 2));
    assert!(
        !repaired.success && repaired.message.contains("still writing"),
        "{}",
        repaired.message
    );
    assert_eq!((repaired.spent.total_ms, repaired.spent.completion_tokens), (300_000, 6));
    assert_eq!((model.cancelled(), coder.node.admission.active()), (2, 0));
}

#[test]
fn tokens_are_given_out_exactly() {
    let (coder, model) = with_model(model(vec![saying("No.")]));
    let mut request = asked(TEXT, 2);
    (request.budget.tokens, request.budget.attempts) = (140, 9);
    let repaired = run(&coder, request);
    let limits: Vec<_> = model
        .tasks()
        .iter()
        .map(|task| match task {
            Task::Chat(task) => task.max_tokens.unwrap_or(u32::MAX),
            _ => u32::MAX,
        })
        .collect();
    assert_eq!(limits, [70, 70, 120, 110, 100, 90, 80, 70], "never more than what is left");
    assert_eq!(repaired.spent.completion_tokens, 80);
    assert!(repaired.message.contains("tokens are used up"), "{}", repaired.message);
}

#[test]
fn a_model_that_fails_or_is_not_there_is_said() {
    let (failing, _) = with_model(model(vec![vec![Err(ServeError::WorkerStopped)]]));
    let repaired = run(&failing, asked(TEXT, 1));
    assert!(repaired.message.contains("The model failed"), "{}", repaired.message);
    let (mut none, _) = with_model(model(vec![saying("a")]));
    none.model = None;
    let repaired = run(&none, asked(TEXT, 1));
    assert!(repaired.message.contains("no coding model"), "{}", repaired.message);
}

#[test]
fn a_prompt_that_is_too_long_is_shortened() {
    let too_long = ServeError::PromptTooLong { message: "too long".into(), param: None };
    let scripts = vec![vec![Err(too_long)], saying(&block("wrong();", "right();"))];
    let (coder, _) = with_model(model(scripts));
    assert!(run(&coder, asked(TEXT, 1)).success);
}

#[test]
fn with_little_room_fewer_answers_are_asked_for() {
    let (coder, model) = with_model(model(vec![saying(&block("wrong();", "right();"))]));
    let permits: Vec<_> = (0..2).map(|_| coder.node.admission.admit().expect("room")).collect();
    assert!(run(&coder, asked(TEXT, 4)).success);
    assert_eq!(model.started(), 2);
    drop(permits);
}

#[test]
fn what_silences_the_compiler_is_refused() {
    let text = "fn main() {\n    wrong();\n}\n\nfn kept() {}\n\n#[test]\nfn it_is() {\n    assert!(true);\n}\n";
    for (answer, reason) in [
        (
            "fn main() { assert!(true); }\n\nfn kept() {}".to_owned(),
            "takes the test code `it_is` away",
        ),
        (
            text.replace("wrong();", "").replace("fn kept() {}\n", ""),
            "takes the function `kept` away",
        ),
        (text.replace("wrong();", concat!("to", "do!();")), "adds `todo`"),
        (
            format!("#!{}(x)]\n{}", "[allow", text.replace("wrong", "right")),
            "adds the attribute `allow`",
        ),
        (
            text.replace("wrong();", "").replace("#[test]", "#[test]\n#[ignore]"),
            "attribute `ignore`",
        ),
        (text.replace("wrong();", "").replace("assert!(true);", ""), "takes an assertion away"),
        (
            text.replace("wrong();", "").replace("assert!(true)", "assert!(1 == 1)"),
            "test code `it_is`",
        ),
        (text.replace("wrong();", "unsafe { f() };"), "adds `unsafe`"),
    ] {
        let whole = format!("src/main.rs\n```rust\n{answer}\n```");
        let (coder, _) = with_model(model(vec![saying(&whole)]));
        let repaired = run(&coder, asked(text, 1));
        assert!(!repaired.success, "{answer}");
        assert!(repaired.message.contains(reason), "{reason}: {}", repaired.message);
        assert_eq!(repaired.spent.builds, 1, "it was not even compiled");
    }
}

#[test]
fn manifests_and_other_files_are_not_touched_without_need() {
    for path in ["Cargo.toml", "build.rs", "sub/build.rs"] {
        let whole = format!("{path}\n```\n[package]\n```\n{}", block("wrong();", "right();"));
        let (coder, _) = with_model(model(vec![saying(&whole)]));
        let mut request = asked(TEXT, 1);
        request.files.insert("Cargo.toml".into(), "[package]\nname = \"a\"\n".into());
        let repaired = run(&coder, request);
        assert!(!repaired.success && repaired.message.contains(path), "{}", repaired.message);
    }
}

#[test]
fn a_remembered_fix_is_tried_and_judged() {
    let fix = |id: &str, before: &str, after: &str| Fix {
        id: id.into(),
        code: Some("E0308".into()),
        before: before.into(),
        after: after.into(),
        explanation: "it helps".into(),
        ..Fix::default()
    };
    let fixes = vec![
        fix("absent", "not here", "a"),
        fix("bad", "wrong();", "wrong ();"),
        fix("good", "    wrong();", "    right();"),
    ];
    let memory = Arc::new(FakeMemory::holding(fixes));
    let (coder, _) = coder(builder());
    let port = Arc::clone(&memory) as Arc<dyn crate::coder::Memory>;
    let coder = Coder { memory: Some(port), ..coder };
    let repaired = run(&coder, Repair { learn: true, ..request(TEXT) });
    assert_eq!(repaired.by, Some(Stage::Memory), "{}", repaired.message);
    assert_eq!(memory.judged(), [("bad".to_owned(), false), ("good".to_owned(), true)]);
    assert!(memory.kept().is_empty(), "what is known is not learned again");
}

#[test]
fn what_a_model_repaired_is_remembered() {
    let memory = Arc::new(FakeMemory::default());
    let (coder, _) = with_model(model(vec![saying(&block("wrong();", "right();"))]));
    let port = Arc::clone(&memory) as Arc<dyn crate::coder::Memory>;
    let coder = Coder { memory: Some(port), ..coder };
    run(&coder, asked(TEXT, 1));
    assert!(memory.kept().is_empty(), "nobody asked for it");
    run(&coder, Repair { learn: true, ..asked(TEXT, 1) });
    let [fix] = &memory.kept()[..] else { panic!("one fix") };
    assert_eq!((fix.before.as_str(), fix.after.as_str()), ("    wrong();", "    right();"));
    assert_eq!((fix.code.as_deref(), fix.explanation.as_str()), (Some("E0308"), "It was wrong"));
}

#[test]
fn failing_tests_go_to_the_model() {
    let (coder, model) = with_model(model(vec![saying(&block("wrong();", "right();"))]));
    let builder = failing("wrong", "adds", "left: 1, right: 2");
    let coder = Coder { builder: Arc::new(builder), ..coder };
    let repaired = run(&coder, asked(TEXT, 1));
    assert!(repaired.success, "{}", repaired.message);
    let Task::Chat(task) = &model.tasks()[0] else { panic!("a conversation") };
    assert!(task.messages[1].content.contains("The test `adds` fails:\n```\nleft: 1, right: 2"));
}
