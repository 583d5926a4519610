//! Repairing, generating, explaining and scoring: the real compiler in the real jail, and a model that
//! is too small to write code.

use gaia_tests::{Client, Node, NodeOptions, wait_until};
use serde_json::{Value, json};

const MANIFEST: &str = "[package]\nname = \"p\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";

fn post(client: &Client, path: &str, request: &Value) -> Value {
    let answer = client.post(path, request);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json()
}

/// Every line four blanks to the right, as Rust Coder's own examples have it.
fn indented(flat: &str) -> String {
    flat.lines().map(|line| format!("    {line}\n")).collect()
}

#[test]
fn hello_world_without_its_parenthesis_is_repaired_and_comes_back_as_a_project() {
    let node = Node::start(&NodeOptions::default());
    let client = node.client();
    let mut whole = String::new();
    // The second is Rust Coder's own example.
    for end in [";", " // Missing closing parenthesis"] {
        let broken = format!("fn main() {{\n    println!(\"Hello, World!\"{end}\n}}");
        let flat =
            format!("[filename: Cargo.toml]\n{MANIFEST}\n[filename: src/main.rs]\n{broken}\n");
        let code = indented(&flat);
        let request = json!({"code": code, "description": "Says hello", "max_attempts": 1});
        let fixed = post(&client, "/compile-and-fix", &request);
        assert_eq!(fixed["success"], true, "{fixed:#}");
        assert_eq!(fixed["message"], "Code fixed and compiled successfully");
        assert_eq!(
            (&fixed["run_output"], &fixed["build_success"]),
            (&json!("Hello, World!\n"), &json!(true))
        );
        assert_eq!(fixed["files"]["Cargo.toml"], MANIFEST, "the manifest stays as it was");
        whole = fixed["combined_text"].as_str().expect("a project").to_owned();
    }
    let again = post(&client, "/compile", &json!({"code": whole}));
    assert_eq!(
        (&again["success"], &again["run_output"]),
        (&json!(true), &json!("Hello, World!\n"))
    );
}

#[test]
fn a_library_is_repaired_without_a_model_and_as_a_job_can_be_taken_home() {
    let node = Node::start(&NodeOptions::default());
    let client = node.client();
    let lib = "pub fn longest(words: &[String]) -> String {\n    let best = String::new();\n    \
               for word in words {\n        if word.len() > best.len() {\n            \
               best = word.clone();\n        }\n    }\n    best\n}\n\n#[test]\nfn finds() {\n    \
               assert_eq!(longest(&[\"a\".into(), \"bcd\".into()]), \"bcd\");\n}\n";
    let request = json!({
        "files": {"Cargo.toml": MANIFEST, "src/lib.rs": lib}, "without_model": true, "background": true,
    });
    let begun = client.post("/v1/repair", &request);
    assert_eq!(begun.status, 202, "{}", begun.body);
    let id = begun.json()["id"].as_str().expect("an id").to_owned();
    let events = client.get(&format!("/v1/jobs/{id}/events")).body;
    let last = events.lines().rfind(|line| line.starts_with("data: ")).expect("a result");
    let last: Value = serde_json::from_str(&last[6..]).expect("JSON");
    let result = &last["result"];
    assert_eq!((&last["state"], &result["success"]), (&json!("done"), &json!(true)), "{last:#}");
    assert_eq!(
        (&result["by"], &result["changed"]),
        (&json!("suggestions"), &json!(["src/lib.rs"]))
    );
    assert!(result["diff"].as_str().is_some_and(|diff| diff.contains("+    let mut best")));
    let file = client.get(&format!("/v1/jobs/{id}/files/src/lib.rs"));
    assert!(file.body.contains("let mut best"), "{}", file.body);
    assert_eq!(client.get(&format!("/project/{id}")).json()["status"], "completed");
    assert_eq!(client.get(&format!("/v1/jobs/{id}/files/src/../../x")).status, 404);
}

#[test]
fn a_crate_that_the_manifest_lacks_is_added_in_a_version_that_is_there() {
    let node = Node::start(&NodeOptions::default());
    let main = "fn main() {\n    println!(\"{}\", hex::encode(\"a\"));\n}\n";
    let request = json!({
        "files": {"Cargo.toml": MANIFEST, "src/main.rs": main}, "without_model": true, "learn": false,
    });
    let repaired = post(&node.client(), "/v1/repair", &request);
    assert_eq!(repaired["success"], true, "{repaired:#}");
    let manifest = repaired["files"]["Cargo.toml"].as_str().expect("it changed");
    assert_eq!(manifest, format!("{MANIFEST}\n[dependencies]\nhex = \"0.4\"\n"));
}

#[test]
fn a_test_that_is_wrong_itself_is_mended_and_asserts_the_same() {
    let node = Node::start(&NodeOptions::default());
    let client = node.client();
    let lib = "pub fn size(text: &str) -> usize {\n    text.len()\n}\n\n#[cfg(test)]\nmod tests {\n    \
               use super::*;\n\n    #[test]\n    fn short() {\n        assert_eq!(size(\"a\"), 1);\n    }\n\n    \
               #[test]\n    fn long() {\n        let text = \"abc\".repeat(2);\n        \
               assert_eq!(size(text), 6);\n    }\n}\n";
    let repaired = |lib: &str| {
        let files = json!({"Cargo.toml": MANIFEST, "src/lib.rs": lib});
        let request = json!({"files": files, "without_model": true, "learn": false});
        post(&client, "/v1/repair", &request)
    };
    let own_fault = repaired(lib);
    assert_eq!(own_fault["success"], true, "{own_fault:#}");
    let text = own_fault["files"]["src/lib.rs"].as_str().expect("it changed");
    assert_eq!(text, lib.replace("size(text)", "size(&text)"));
    // Nobody else calls it: what is called may be wrong, and the test right.
    let unknown = repaired(&lib.replace("size(\"a\")", "1"));
    assert_eq!(unknown["success"], false, "{unknown:#}");
    assert_eq!(unknown["changed"], json!([]));
}

#[test]
fn twenty_repairs_at_once_all_come_back() {
    let node = Node::start(&NodeOptions::default());
    let one = |number: u32| {
        let code = format!("fn main() {{\n    println!(\"{number}\";\n}}\n");
        let request = json!({"code": code, "without_model": true, "learn": false});
        post(&node.client(), "/v1/repair", &request)
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..20).map(|number| scope.spawn(move || one(number))).collect();
        for (number, repaired) in all.into_iter().enumerate() {
            let repaired = repaired.join().expect("an answer");
            assert_eq!(repaired["success"], true, "{repaired:#}");
            let text = repaired["files"]["src/main.rs"].as_str().expect("it changed");
            assert!(text.contains(&format!("println!(\"{number}\");")), "{text}");
        }
    });
}

#[test]
fn who_hangs_up_takes_the_repair_along() {
    let node = Node::start(&NodeOptions::default());
    let lib =
        "#[test]\nfn sleeps() {\n    std::thread::sleep(std::time::Duration::from_secs(50));\n}\n";
    let body = json!({"files": {"Cargo.toml": MANIFEST, "src/lib.rs": lib}}).to_string();
    let mut connection = node.client().connect();
    let head = format!(
        "POST /v1/repair HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    std::io::Write::write_all(&mut connection, (head + &body).as_bytes()).expect("it reads");
    let running = || node.metric("gaia_compile_jobs_running", "");
    wait_until("its tests run", || running() > 0.0);
    drop(connection);
    let ended = || node.metric("gaia_compile_jobs_total", "verdict=\"cancelled\"");
    wait_until("its job is ended and does not end by itself", || ended() > 0.0);
    wait_until("its place is free", || running() == 0.0);
}

#[test]
fn two_candidates_are_scored_in_their_order() {
    let node = Node::start(&NodeOptions::default());
    let request = json!({
        "candidates": [
            {"code": "pub fn sum(a: u8, b: u8) -> u8 { a + b }"},
            {"code": "pub fn sum(a: u8, b: u8) -> u8 { a - b }"},
            {"code": "pub fn sum("},
        ],
        "tests": {"tests/sum.rs": "#[test] fn sums() { assert_eq!(project::sum(3, 2), 5); }\n"},
    });
    let answer = post(&node.client(), "/v1/score", &request);
    let score = |place: usize| answer["results"][place]["score"].as_f64().expect("a number");
    assert!((score(0) - 1.0).abs() < 1e-6, "{answer:#}");
    assert!((score(1) - 0.6).abs() < 1e-6, "{answer:#}");
    assert!(score(2).abs() < 1e-6, "{answer:#}");
    assert_eq!(answer["results"][2]["verdict"], "compile_error");
}

#[test]
fn an_error_is_explained_by_the_compiler_and_a_small_model_makes_no_program() {
    let node = Node::start(&NodeOptions::default());
    let client = node.client();
    let request = json!({"code": "fn main() { let x: u8 = \"a\"; }", "without_model": true});
    let explained = post(&client, "/v1/explain", &request);
    assert_eq!(explained["codes"], json!(["E0308"]), "{explained:#}");
    assert!(explained["answer"].as_str().is_some_and(|text| text.contains("## E0308")));
    let request = json!({
        "description": "Add numbers", "model": "chat", "tokens": 128, "attempts": 1, "candidates": 1,
    });
    let made = post(&client, "/v1/generate", &request);
    let is_honest = made["success"] == json!(true) || made["message"].is_string();
    assert!(is_honest && made["report"]["verdict"].is_string(), "{made:#}");
    let closed = client.post("/v1/generate", &json!({"description": "Add numbers"}));
    assert_eq!((closed.status, &closed.json()["error"]["code"]), (503, &json!("no_coding_model")));
}
