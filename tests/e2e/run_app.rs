//! Unmodified WASI-NN commands under `gaia-node run-app`.

use std::process::{Command, Output};

use gaia_tests::{app, binary, chat_model};

fn run(arguments: &[&str]) -> Output {
    let model = format!("smol={}", chat_model().display());
    Command::new(binary("gaia-node"))
        .arg("run-app")
        .arg(app("complete"))
        .args(["--model", &model, "--"])
        .args(arguments)
        .output()
        .expect("it runs")
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

#[test]
fn compute_and_compute_single_say_the_same() {
    let prompt = "The capital of France is";
    let options = r#"{"temp":0,"n-predict":8}"#;
    let whole = text(&run(&["compute", "smol", prompt, options]));
    let single = text(&run(&["stream", "smol", prompt, options]));
    assert!(whole.contains("Paris"), "{whole}");
    assert_eq!(whole.trim(), single.trim());
}

#[test]
fn errors_have_their_documented_codes() {
    let long = "word ".repeat(20_000);
    let cases: [(&[&str], i32); 4] = [
        (&["compute", "no-such-model", "Hi", "{}"], 103),
        (&["compute", "smol", &long, "{}"], 102),
        (&["context-full", "smol", "Count:", r#"{"temp":0}"#], 101),
        (&["buffer-too-small", "smol", "Hi", r#"{"temp":0,"n-predict":8}"#], 7),
    ];
    for (arguments, code) in cases {
        let output = run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{}: {said}", arguments[0]);
    }
    let twice = text(&run(&[
        "input-twice",
        "smol",
        "The capital of France is",
        r#"{"temp":0,"n-predict":8}"#,
    ]));
    assert!(twice.contains("Paris"), "the second input counts: {twice}");
}
