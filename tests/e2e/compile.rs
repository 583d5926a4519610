//! Rust projects over HTTP: real cargo in the real jail.

use std::thread;
use std::time::{Duration, Instant};

use gaia_tests::{Client, Node, NodeOptions, Request, Response, wait_until};
use serde_json::{Value, json};

const HELLO: &str = "fn main() { println!(\"Hello, World!\"); }";
const SLEEPER: &str = "fn main() { std::thread::sleep(std::time::Duration::from_secs(50)); }";
const MANIFEST: &str = "[package]\nname = \"p\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";

fn compile(client: &Client, request: &Value) -> Value {
    let answer = client.post("/v1/compile", request);
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

fn delete(client: &Client, path: &str) -> Response {
    client.send(&Request { method: "DELETE", path, headers: &[], body: b"" })
}

fn node() -> Node {
    Node::start(&NodeOptions::default())
}

fn node_with(compile: &str) -> Node {
    Node::start(&NodeOptions { more: format!("[compile]\n{compile}\n"), ..Default::default() })
}

#[test]
fn a_program_is_checked_built_and_run() {
    let node = node();
    let client = node.client();
    for command in ["check", "build", "clippy", "doc"] {
        let answer = compile(&client, &json!({"code": HELLO, "command": command}));
        assert_eq!(answer["verdict"], "ok", "{command}: {answer:#}");
    }
    let program = "use std::io::Read; fn main() { let mut s = String::new(); \
        std::io::stdin().read_to_string(&mut s).unwrap(); \
        println!(\"{s} {:?}\", std::env::args().nth(1)); std::process::exit(3) }";
    let run = json!({"code": program, "command": "run", "stdin": "in", "args": ["--check"]});
    let answer = compile(&client, &run);
    assert_eq!(answer["verdict"], "runtime_failure", "{answer:#}");
    assert_eq!(answer["stdout"], "in Some(\"--check\")\n");
    assert_eq!(answer["exit_code"], 3);
    let answer = compile(&client, &json!({"code": HELLO, "command": "build", "programs": true}));
    assert_eq!(answer["programs"][0]["name"], "debug/project", "{answer:#}");
    let answer = compile(&client, &json!({"code": "fn main(){let x=1;}", "command": "fmt"}));
    assert_eq!(answer["files"]["src/main.rs"], "fn main() {\n    let x = 1;\n}\n");
}

#[test]
fn errors_are_data() {
    let node = node();
    let client = node.client();
    let wrong = "fn main() {\n    let x: u32 = \"a\";\n}\n";
    let answer = compile(&client, &json!({"code": wrong, "explain": true}));
    assert_eq!(answer["verdict"], "compile_error", "{answer:#}");
    let error = &answer["diagnostics"][0];
    assert_eq!(error["code"], "E0308");
    assert_eq!(error["spans"][0]["file"], "src/main.rs");
    assert_eq!(error["spans"][0]["line_start"], 2);
    assert!(answer["explanations"]["E0308"].as_str().is_some_and(|text| text.contains("type")));
    let summary = compile(&client, &json!({"code": wrong, "detail": "summary"}));
    assert!(summary["diagnostics"].is_null());
    assert_eq!(summary["lines"][0], "src/main.rs:2: error[E0308]: mismatched types");
}

#[test]
fn a_failed_test_is_named() {
    let node = node();
    let lib = "#[test] fn good() {}\n#[test] fn bad() { assert_eq!(1, 2); }";
    let files = json!({"Cargo.toml": MANIFEST, "src/lib.rs": lib});
    let answer = compile(&node.client(), &json!({"files": files, "command": "test"}));
    assert_eq!(answer["verdict"], "test_failure", "{answer:#}");
    assert_eq!(answer["tests"][0]["name"], "bad");
    assert!(answer["tests"][0]["output"].as_str().is_some_and(|text| text.contains("left: 1")));
    assert_eq!(answer["tally"]["tests_passed"], 1);
}

#[test]
fn what_is_refused_is_named() {
    let node = node();
    let client = node.client();
    let with = |manifest: &str| json!({"files": {"Cargo.toml": manifest, "src/lib.rs": ""}});
    let sered = compile(&client, &with(&format!("{MANIFEST}[dependencies]\nsered = \"1\"\n")));
    assert_eq!(sered["verdict"], "refused");
    let reason = sered["reasons"][0].as_str().expect("a reason");
    assert!(reason.contains("\"sered\"") && reason.contains("serde"), "{reason}");
    let git = format!("{MANIFEST}[dependencies]\nx = {{ git = \"https://example.org/x\" }}\n");
    assert_eq!(compile(&client, &with(&git))["verdict"], "refused");
    let outside = json!({"files": {"Cargo.toml": MANIFEST, "../x": ""}});
    assert_eq!(compile(&client, &outside)["verdict"], "refused");
    for (body, param) in [
        (json!({}), "files"),
        (json!({"code": HELLO, "files": {}}), "files"),
        (json!({"code": HELLO, "command": "publish"}), "command"),
        (json!({"code": HELLO, "compile_time_ms": 0}), "compile_time_ms"),
        (json!({"archive": "%"}), "archive"),
        (json!({"code": HELLO, "artifacts": ["all"]}), "artifacts"),
        (json!({"code": HELLO, "artifacts": ["rustdoc_json"]}), "artifacts"),
        (json!({"code": HELLO, "more": 1}), "more"),
    ] {
        let answer = client.post("/v1/compile", &body);
        assert_eq!((answer.status, &answer.json()["error"]["param"]), (400, &json!(param)));
    }
    let wasm = json!({"code": HELLO, "command": "test", "target": "wasm32-wasip1"});
    let answer = compile(&client, &wasm);
    assert_eq!(answer["verdict"], "refused");
    assert!(answer["reasons"][0].as_str().is_some_and(|reason| reason.contains("wasm32-wasip1")));
}

#[test]
fn documentation_is_given_out_as_json() {
    let node = node_with("program_bytes_max = 400000");
    let manifest = format!("{MANIFEST}[dependencies]\nserde_json = \"1\"\n");
    let document = |source: &str| {
        let files = json!({"Cargo.toml": manifest, "src/lib.rs": source});
        let request = json!({"files": files, "command": "doc", "artifacts": ["rustdoc_json"]});
        compile(&node.client(), &request)
    };
    let answer = document("//! Adds.\n\n/// One more.\npub fn add(a: u8) -> u8 { a + 1 }\n");
    assert_eq!(answer["verdict"], "ok", "{answer:#}");
    assert_eq!(answer["rustdoc_json"][0]["name"], "doc/p.json");
    assert!(answer["rustdoc_json"][0]["bytes"].as_u64() > Some(100));
    let large = (0..2000).map(|number| format!("/// More.\npub fn f{number}() {{}}\n"));
    let answer = document(&large.collect::<String>());
    assert!(answer["rustdoc_json"].is_null());
    assert!(
        answer["notes"][0].as_str().is_some_and(|note| note.contains("doc/p.json")),
        "{answer:#}"
    );
    assert!(node.metric("gaia_compile_jobs_total", "verdict=\"ok\"") >= 2.0);
    assert!(node.metric("gaia_compile_job_seconds_count", "command=\"doc\"") >= 2.0);
}

#[test]
fn listed_crates_are_there() {
    let node = node();
    let main = "#[derive(serde::Serialize)] struct A { b: u8 }\n\
        fn main() { println!(\"{}\", serde_json::to_string(&A { b: 1 }).unwrap()); }";
    let manifest = format!(
        "{MANIFEST}[dependencies]\nserde = {{ version = \"1\", features = [\"derive\"] }}\nserde_json = \"1\"\n"
    );
    let files = json!({"Cargo.toml": manifest, "src/main.rs": main});
    let answer = compile(&node.client(), &json!({"files": files, "command": "run"}));
    assert_eq!(answer["verdict"], "ok", "{answer:#}");
    assert_eq!(answer["stdout"], "{\"b\":1}\n");
    assert!(answer["crates"]["fresh"].as_u64() > Some(0), "{answer:#}");
}

#[test]
fn rust_coders_shapes_are_kept() {
    let node = node();
    let client = node.client();
    let post = |code: &str| {
        let answer = client.post("/compile", &json!({"code": code}));
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    };
    let flat = format!(
        "    [filename: Cargo.toml]\n    {}\n\n    [filename: src/main.rs]\n    {HELLO}\n",
        MANIFEST.replace('\n', "\n    ")
    );
    let good = json!({
        "success": true, "files": ["Cargo.toml", "src/main.rs"],
        "build_output": "Build successful", "run_output": "Hello, World!\n",
    });
    assert_eq!(post(&flat), good);
    let bad = post("fn main() {\n    missing();\n}\n");
    assert_eq!(bad["success"], false);
    assert!(bad["build_output"].as_str().is_some_and(|text| text.contains("error[E0425]")));
    assert_eq!(bad["error_details"]["error_location"], "src/main.rs:2:5");
    let missing = client.post("/compile", &json!({}));
    assert_eq!(missing.status, 400);
    assert_eq!(missing.json(), json!({"detail": "Missing 'code' field"}));
}

#[test]
fn time_is_limited() {
    let node = node();
    let client = node.client();
    let begun = Instant::now();
    let run = json!({"code": SLEEPER, "command": "run", "run_time_ms": 1000});
    assert_eq!(compile(&client, &run)["verdict"], "timeout");
    let endless = "fn main() { loop { std::thread::yield_now() } }";
    let files = json!({"Cargo.toml": MANIFEST, "src/lib.rs": "", "build.rs": endless});
    let build = json!({"files": files, "command": "build", "compile_time_ms": 2000});
    assert_eq!(compile(&client, &build)["verdict"], "timeout");
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_job_is_told_step_by_step_and_can_be_ended() {
    let node = node_with("at_once = 1\nwaiting_max = 1");
    let client = node.client();
    let sleeper = json!({"code": SLEEPER, "command": "run", "run_time_ms": 50_000});
    let begin = |request: &Value| client.post("/v1/jobs", request);
    let first = begin(&sleeper);
    assert_eq!(first.status, 202, "{}", first.body);
    let path = format!("/v1/jobs/{}", first.json()["id"].as_str().expect("an id"));
    let state = |path: &str| client.get(path).json()["state"].clone();
    wait_until("it runs", || state(&path) == "running");
    let second = begin(&json!({"code": HELLO, "command": "run"}));
    let second = format!("/v1/jobs/{}", second.json()["id"].as_str().expect("an id"));
    assert_eq!(state(&second), "queued");
    let full = client.post("/v1/compile", &json!({"code": HELLO}));
    assert_eq!(full.status, 429, "{}", full.body);
    assert!(full.header("retry-after").is_some());
    assert_eq!(delete(&client, &path).status, 200);
    assert_eq!(client.get(&path).status, 404);
    let events = client.get(&format!("{second}/events")).body;
    let last = events.lines().rfind(|line| line.starts_with("data: ")).expect("a result");
    let last: Value = serde_json::from_str(&last[6..]).expect("JSON");
    assert_eq!((&last["state"], &last["result"]["verdict"]), (&json!("done"), &json!("ok")));
    assert_eq!(last["result"]["stdout"], "Hello, World!\n");
}

#[test]
fn who_hangs_up_takes_the_job_along() {
    let node = node_with("at_once = 1\nwaiting_max = 1");
    let client = node.client();
    let sleeper = json!({"code": SLEEPER, "command": "run", "run_time_ms": 50_000}).to_string();
    let mut connection = client.connect();
    let head = format!(
        "POST /v1/compile HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        sleeper.len()
    );
    std::io::Write::write_all(&mut connection, (head + &sleeper).as_bytes()).expect("it reads");
    thread::sleep(Duration::from_secs(3));
    drop(connection);
    let begun = Instant::now();
    let answer = compile(&client, &json!({"code": HELLO, "command": "run"}));
    assert_eq!(answer["verdict"], "ok");
    assert!(begun.elapsed() < Duration::from_secs(20), "the place was free");
}

#[test]
fn eight_at_once_get_their_own_answers() {
    let node = node();
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let client = node.client();
            let code = format!("fn main() {{ println!(\"number {number}\"); }}");
            thread::spawn(move || compile(&client, &json!({"code": code, "command": "run"})))
        })
        .collect();
    for (number, thread) in threads.into_iter().enumerate() {
        let answer = thread.join().expect("an answer");
        assert_eq!(answer["stdout"], format!("number {number}\n"), "{answer:#}");
    }
}

#[test]
fn a_closed_sandbox_says_why() {
    let node = node_with("bwrap = \"/nowhere/bwrap\"");
    let client = node.client();
    for path in ["/v1/compile", "/v1/jobs"] {
        let answer = client.post(path, &json!({"code": HELLO}));
        assert_eq!(answer.status, 503);
        let error = &answer.json()["error"];
        assert_eq!(error["code"], "compile_closed");
        assert!(error["message"].as_str().is_some_and(|text| text.contains("bubblewrap")));
    }
    assert_eq!(client.post("/compile", &json!({"code": HELLO})).status, 503);
    assert!(node.log().contains("the compile sandbox is closed"));
}
