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

const PROMPT: &str =
    "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n";
const GREEDY: &str = r#"{"temp":0,"n-predict":12}"#;

#[test]
fn compute_and_compute_single_say_the_same() {
    let whole = text(&run(&["smol", PROMPT, "--options", GREEDY]));
    let single = text(&run(&["smol", PROMPT, "--options", GREEDY, "--single"]));
    let twice = text(&run(&["smol", PROMPT, "--options", GREEDY, "--twice"]));
    assert!(whole.contains("Paris"), "{whole}");
    assert_eq!(whole, twice, "a second input starts anew");
    // As in the stock plugin, the piece that ends a generation is in the whole text alone.
    let (answer, end) = whole.trim().split_at(single.trim().len());
    assert_eq!((answer, end), (single.trim(), "<|im_end|>"));
}

#[test]
fn errors_have_their_documented_codes() {
    let long = "word ".repeat(20_000);
    let endless = r#"{"temp":0,"repeat-penalty":1.0}"#;
    let almost_full = format!("{} Count: one, two,", "word ".repeat(4000));
    let cases: [(&[&str], i32); 4] = [
        (&["no-such-model", "Hi"], 8),
        (&["smol", &long], 102),
        (&["smol", &almost_full, "--single", "--options", endless], 101),
        (&["smol", "Hi", "--options", GREEDY, "--buffer", "2"], 7),
    ];
    for (arguments, code) in cases {
        let output = run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{code}: {said}");
    }
}
