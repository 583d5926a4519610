//! Repairs that leave code out, which the compiler is content with.

use super::model::{asked, model, saying, with_model};
use super::*;
use crate::build::TestStatus;

/// What the model's `answer` makes of a project, whose tests are the given ones before and after.
fn repaired(
    text: &str,
    answer: &str,
    tests: [&'static [(&'static str, TestStatus)]; 2],
) -> Repaired {
    let (coder, _) =
        with_model(model(vec![saying(&format!("src/main.rs\n```rust\n{answer}\n```"))]));
    let given = text.to_owned();
    let builder = FakeBuilder::new(move |job| {
        let is_given = job.files["src/main.rs"] == given;
        Some(Ok(tested(tests[usize::from(!is_given)])))
    });
    run(&Coder { builder: Arc::new(builder), ..coder }, asked(text, 1))
}

#[test]
fn a_module_with_failing_tests_is_not_cut_off() {
    use TestStatus::Failed;
    let text = "#[cfg(test)]\nmod tests;\n\nfn go() -> u8 {\n    1\n}\n";
    let tests: [&[_]; 2] = [&[("tests::goes", Failed)], &[]];
    let repaired = repaired(text, &text.replace("mod tests;", "mod tests {}"), tests);
    assert!(!repaired.success && repaired.diff.is_empty(), "{}", repaired.message);
    assert!(repaired.message.contains("module `tests`"), "{}", repaired.message);
    assert_eq!(repaired.spent.builds, 1, "it was not even compiled");
}

#[test]
fn where_a_test_is_not_run_any_more_nothing_is_repaired() {
    use TestStatus::{Failed, Passed};
    let (text, answer) = ("fn go() -> u8 {\n    1\n}\n", "fn go() -> u8 {\n    2\n}\n");
    let before: &[_] = &[("goes", Failed), ("src/main.rs - go (line 3)", Passed)];
    let gone = repaired(text, answer, [before, &[("src/main.rs - go (line 4)", Passed)]]);
    assert!(!gone.success && gone.diff.is_empty(), "{}", gone.message);
    let said = gone.attempts.iter().any(|one| one.output.contains("the test goes is not run"));
    assert!(said, "{:?}", gone.attempts);
    let after: &[_] = &[("goes", Passed), ("src/main.rs - go (line 4)", Passed)];
    assert!(repaired(text, answer, [before, after]).success);
}
