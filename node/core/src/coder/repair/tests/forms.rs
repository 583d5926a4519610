//! In which form a model is asked for its changes.

use gaia_protocol::{ChatTask, Task};

use super::model::{Script, TEXT, asked, block, model, saying, with_model};
use super::*;
use crate::coder::Budget;
use crate::fakes::error_at;

fn with_edits(edits: Edits, scripts: Vec<Script>) -> (Coder, Arc<FakeModel>) {
    let (coder, model) = with_model(model(scripts));
    (Coder { edits, ..coder }, model)
}

fn anew(code: &str) -> Script {
    saying(&format!("It was wrong.\n```rust\n{code}\n```\n"))
}

fn tasks(model: &FakeModel) -> Vec<ChatTask> {
    let chat = |task| match task {
        Task::Chat(task) => Some(task),
        _ => None,
    };
    model.tasks().into_iter().filter_map(chat).collect()
}

/// Whether each round asked for an item, and not for blocks.
fn in_regions(model: &FakeModel) -> Vec<bool> {
    tasks(model).iter().map(|task| !task.stop.is_empty()).collect()
}

#[test]
fn a_small_model_writes_the_item_anew_and_nothing_else_changes() {
    let text = format!("//! Kept.\n{TEXT}\nfn other() -> u8 {{ 1 }}\n");
    let scripts = vec![anew("fn main() {\n    right();\n}\n\nfn other() -> u8 { 2 }")];
    let (coder, model) = with_edits(Edits::Auto, scripts);
    let builder =
        FakeBuilder::finding(vec![("wrong", error_at("E0308", "a thing", ("src/main.rs", 3)))]);
    let coder = Coder { builder: Arc::new(builder), ..coder };
    let repaired = run(&coder, asked(&text, 1));
    assert!(repaired.success, "{}", repaired.message);
    assert_eq!(repaired.files["src/main.rs"], text.replace("wrong", "right"));
    assert!(repaired.message.contains("It was wrong"), "{}", repaired.message);
    let [task] = &tasks(&model)[..] else { panic!("one round") };
    let said = &task.messages[1].content;
    for part in [
        "lines 2 to 4",
        "fn main() {\n    wrong();\n}",
        "a thing",
        "fn other() -> u8;",
        "all of `main`",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(task.max_tokens.is_some_and(|tokens| tokens < 400), "{:?}", task.max_tokens);
}

#[test]
fn what_is_no_such_item_is_told_and_another_form_is_tried() {
    let scripts = vec![
        saying("I don't know."),
        anew("fn start() {}"),
        saying(&block("wrong();", "right();")),
    ];
    let (coder, model) = with_edits(Edits::Auto, scripts);
    let repaired = run(&coder, asked(TEXT, 1));
    assert!(repaired.success, "{}", repaired.message);
    assert_eq!(in_regions(&model), [true, true, false]);
    let said: Vec<_> = tasks(&model).iter().map(|task| task.messages[1].content.clone()).collect();
    assert!(said[1].contains("no block of code"), "{}", said[1]);
    assert!(said[2].contains("has no function `main`"), "{}", said[2]);
}

#[test]
fn the_form_that_the_config_names_stays() {
    for (edits, regions) in [(Edits::Regions, true), (Edits::Blocks, false)] {
        let (coder, model) = with_edits(edits, vec![saying("No.")]);
        assert!(!run(&coder, asked(TEXT, 1)).success);
        assert_eq!(in_regions(&model), [regions; 4]);
    }
}

#[test]
fn where_there_is_no_item_blocks_are_asked_for() {
    let (coder, model) = with_edits(Edits::Auto, vec![saying("No.")]);
    let elsewhere = error_at("E0463", "can't find crate", ("Cargo.toml", 1));
    let builder = FakeBuilder::finding(vec![("wrong", elsewhere)]);
    let coder = Coder { builder: Arc::new(builder), ..coder };
    assert!(
        !run(
            &coder,
            Repair { budget: Budget { attempts: 1, ..Budget::default() }, ..asked(TEXT, 1) }
        )
        .success
    );
    assert_eq!(in_regions(&model).first(), Some(&false));
}

#[test]
fn what_silences_is_refused_in_this_form_too() {
    for (code, reason) in [
        (concat!("fn main() {\n    to", "do!();\n}"), "adds `todo`"),
        ("fn main() {\n    unsafe { right() }\n}", "adds `unsafe`"),
        (concat!("#[al", "low(x)]\nfn main() {\n    right();\n}"), "adds the attribute `allow`"),
    ] {
        let (coder, _) = with_edits(Edits::Regions, vec![anew(code)]);
        let repaired = run(&coder, asked(TEXT, 1));
        assert!(!repaired.success && repaired.message.contains(reason), "{}", repaired.message);
        assert_eq!(repaired.spent.builds, 1, "it was not even compiled");
    }
}

#[test]
fn where_tests_fail_after_a_rule_the_model_sees_what_came() {
    let replacement = crate::build::Replacement {
        file: "src/main.rs".into(),
        byte_start: 16,
        byte_end: 21,
        line_start: 2,
        column_start: 5,
        replacement: "guess".into(),
    };
    let suggestion = Suggestion {
        message: "try this".into(),
        applicability: Applicability::MachineApplicable,
        replacements: vec![replacement],
    };
    let error = error_at("E0308", "a thing", ("src/main.rs", 2));
    let error = Diagnostic { suggestions: vec![suggestion], ..error };
    let builder = FakeBuilder::new(move |job| {
        let text = &job.files["src/main.rs"];
        let failing = crate::build::Verdict::TestFailure;
        Some(Ok(match () {
            () if text.contains("wrong") => report_of(vec![error.clone()]),
            () if text.contains("guess") => {
                crate::build::BuildReport { verdict: failing, ..report_of(vec![]) }
            }
            () => report_of(vec![]),
        }))
    });
    let (coder, model) =
        with_edits(Edits::Auto, vec![saying("No."), anew("fn main() {\n    right();\n}")]);
    let coder = Coder { builder: Arc::new(builder), ..coder };
    let repaired = run(&coder, asked(TEXT, 1));
    assert!(repaired.success, "{}", repaired.message);
    let said: Vec<_> = tasks(&model).iter().map(|task| task.messages[1].content.clone()).collect();
    assert!(said[0].contains("wrong();") && said[0].contains("a thing"), "{}", said[0]);
    assert!(said[1].contains("guess();"), "{}", said[1]);
}

#[test]
fn only_the_tests_of_a_draft_may_expect_something_else() {
    let text = "fn go() -> u8 {\n    2\n}\n\n#[cfg(test)]\nmod tests {\n    use super::*;\n\n    \
                #[test]\n    fn goes() {\n        assert_eq!(go(), 1);\n    }\n}\n";
    for drafted in [true, false] {
        let (coder, model) =
            with_edits(Edits::Auto, vec![anew("fn goes() {\n    assert_eq!(go(), 2);\n}")]);
        let coder = Coder {
            builder: Arc::new(failing("go(), 1", "tests::goes", "left: 2, right: 1")),
            ..coder
        };
        let repaired = run(&coder, Repair { drafted, ..asked(text, 1) });
        assert_eq!(repaired.success, drafted, "{}", repaired.message);
        let said = &tasks(&model)[0].messages[1].content;
        assert!(said.contains("left: 2, right: 1") && said.contains("fn go()"), "{said}");
        if drafted {
            let wanted = text.replace("go(), 1", "go(), 2");
            assert_eq!(repaired.files["src/main.rs"], wanted, "the attribute stays");
        }
    }
}
