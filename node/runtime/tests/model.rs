//! WASI-NN over a real engine and a real model. Both come with `scripts/setup`; a missing one is a
//! failure.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use gaia_inference::{Engine, EngineConfig, EngineKind, LoadError};
use gaia_protocol::{AppConfig, Outcome};
use gaia_runtime::{AppPool, CommandApp, Emit, EventSink, run_app};

const CONTEXT_TOKENS: u32 = 128;

/// Opens a context on `default` with options, sets the request's body as its prompt, and then runs
/// `body`. Graph at 64, context at 68; output goes to 70000, its length to 72.
const GUEST: &str = r#"
  (import "gaia_app" "next_request" (func $next (param i32 i32 i32) (result i32)))
  (import "gaia_app" "emit" (func $emit (param i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "load_by_name_with_config"
    (func $load (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "init_execution_context" (func $init (param i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "set_input" (func $set (param i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "get_output" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "get_output_single"
    (func $get_single (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "compute" (func $compute (param i32) (result i32)))
  (import "wasi_ephemeral_nn" "compute_single" (func $compute_single (param i32) (result i32)))
  (memory (export "memory") 8)
  (data (i32.const 32) "default")
  (data (i32.const 256) "OPTIONS")
  (func $open
    (drop (call $next (i32.const 1024) (i32.const 65536) (i32.const 0)))
    (call $say (call $load
      (i32.const 32) (i32.const 7) (i32.const 256) (i32.const LENGTH) (i32.const 64)))
    (call $say (call $init (i32.load (i32.const 64)) (i32.const 68)))
    (i32.store (i32.const 108) (i32.const 1024))
    (i32.store (i32.const 112) (i32.load (i32.const 0)))
    (call $say (call $set (i32.load (i32.const 68)) (i32.const 0) (i32.const 96))))
  (func $say (param $number i32)
    (i32.store (i32.const 512) (local.get $number))
    (drop (call $emit (i32.const 512) (i32.const 4))))
  (func $output (param $index i32)
    (call $say (call $get (i32.load (i32.const 68)) (local.get $index)
      (i32.const 70000) (i32.const 100000) (i32.const 72)))
    (drop (call $emit (i32.const 70000) (i32.load (i32.const 72)))))
  (func $whole (call $say (call $compute (i32.load (i32.const 68)))) (call $output (i32.const 0)))
  ;; Emits each piece, then the number that ended them.
  (func $stream (local $errno i32)
    (block $end (loop $again
      (br_if $end
        (local.tee $errno (call $compute_single (i32.load (i32.const 68)))))
      (drop (call $get_single (i32.load (i32.const 68)) (i32.const 0)
        (i32.const 70000) (i32.const 100000) (i32.const 72)))
      (drop (call $emit (i32.const 70000) (i32.load (i32.const 72))))
      (br $again)))
    (call $say (local.get $errno)))
"#;

#[expect(clippy::disallowed_methods, reason = "the one place of this test that finds the parts")]
fn part(folder: &str, name: &str) -> PathBuf {
    let home = std::env::var_os("GAIA_NODE_HOME").map(PathBuf::from);
    let default =
        || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache/gaia-node");
    let path = home.unwrap_or_else(default).join(folder).join(name);
    assert!(path.exists(), "{} is missing: run scripts/setup", path.display());
    path
}

fn load(name: &str, kind: EngineKind) -> Result<Engine, LoadError> {
    let config = EngineConfig {
        context_tokens: Some(CONTEXT_TOKENS),
        sequences_max: 2,
        // One that computes, also where other tests compete for the cores.
        threads: Some(1),
        ..EngineConfig::new(part("models", name), kind)
    };
    Engine::load(&config, Box::new(|_| true))
}

fn chat_engine() -> Engine {
    static ENGINE: LazyLock<Mutex<Engine>> = LazyLock::new(|| {
        let engine = load("SmolLM2-135M-Instruct.Q4_1.gguf", EngineKind::Generate);
        Mutex::new(engine.expect("the model loads"))
    });
    ENGINE.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

struct Events(SyncSender<Vec<u8>>, SyncSender<Outcome>);

impl EventSink for Events {
    fn emit(&mut self, event: &[u8], _: Duration) -> Emit {
        self.0.send(event.to_vec()).map_or(Emit::Stop, |()| Emit::Continue)
    }

    fn end(self: Box<Self>, outcome: Outcome) {
        self.1.send(outcome).expect("the test waits for the end");
    }
}

/// All events of one request to a guest that opens with these options and then runs `body`.
fn run(engine: Engine, options: &str, body: &str, prompt: &str) -> Vec<Vec<u8>> {
    let guest = GUEST
        .replace("OPTIONS", &options.replace('"', "\\\""))
        .replace("LENGTH", &options.len().to_string());
    let text = format!("(module {guest} (func (export \"_start\") (call $open) {body}))");
    let wasm = wat::parse_str(&text).expect("the test's guest is well-formed");
    let folder = std::env::temp_dir().join(format!(
        "gaia-runtime-model-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    std::fs::write(folder.join("guest.wasm"), wasm).expect("the app is written");
    let config = AppConfig {
        path: folder.join("guest.wasm"),
        cache_dir: folder.clone(),
        instances_warm: 1,
        instances_max: 2,
        memory_bytes_max: 1 << 20,
        time_ms_max: 120_000,
        instructions_max: None,
        event_bytes_max: 1 << 20,
        window_events: 8,
    };
    let pool = AppPool::start(engine, &config, "tiny").expect("the app starts");
    let (events, received): (_, Receiver<Vec<u8>>) = sync_channel(10_000);
    let (end, ended) = sync_channel(1);
    pool.submit(prompt.as_bytes().to_vec(), Box::new(Events(events, end)));
    assert_eq!(ended.recv().expect("an end"), Outcome::Done);
    std::fs::remove_dir_all(&folder).expect("removed");
    received.iter().collect()
}

const QUESTION: &str =
    "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n";

fn number(event: &[u8]) -> i32 {
    i32::from_le_bytes(event.try_into().expect("four bytes"))
}

fn text(event: &[u8]) -> String {
    String::from_utf8(event.to_vec()).expect("text")
}

#[test]
fn computing_at_once_and_token_by_token_give_the_same_greedy_answer() {
    let greedy = r#"{"temp": 0, "enable-log": false}"#;
    let whole = run(chat_engine(), greedy, "(call $whole) (call $output (i32.const 1))", QUESTION);
    assert_eq!(whole[..4].iter().map(|event| number(event)).collect::<Vec<_>>(), [0; 4]);
    let answer = text(&whole[5]);
    assert!(answer.contains("Paris") && answer.ends_with("<|im_end|>"), "{answer}");
    let metadata: serde_json::Value = serde_json::from_slice(&whole[7]).expect("JSON");
    assert!(metadata["llama_build_number"].is_i64() && metadata["llama_commit"].is_string());

    let stream = run(chat_engine(), greedy, "(call $stream)", QUESTION);
    let (end, pieces) = stream[3..].split_last().expect("an end");
    assert_eq!(number(end), 100, "end of sequence");
    assert_eq!(text(&pieces.concat()) + "<|im_end|>", answer);
    assert_eq!(metadata["output_tokens"], pieces.len() + 1);
}

#[test]
fn a_prompt_is_counted_before_it_is_computed() {
    let events = run(chat_engine(), "", "(call $output (i32.const 1))", QUESTION);
    let metadata: serde_json::Value = serde_json::from_slice(&events[4]).expect("JSON");
    assert_eq!(metadata["output_tokens"], 0);
    assert!(metadata["input_tokens"].as_u64().expect("a number") > 10);
}

#[test]
fn a_prompt_over_the_context_can_be_counted_and_not_computed() {
    let long = "word ".repeat(500);
    let body = "(call $output (i32.const 1)) (call $whole) (call $stream)";
    let events = run(chat_engine(), "", body, &long);
    let metadata: serde_json::Value = serde_json::from_slice(&events[4]).expect("JSON");
    assert!(metadata["input_tokens"].as_u64().expect("a number") > u64::from(CONTEXT_TOKENS));
    assert_eq!(number(&events[5]), 102, "prompt too long");
    assert_eq!(number(events.last().expect("an end")), 102);
}

#[test]
fn an_answer_that_fills_the_context_says_so_and_keeps_its_text() {
    // Never ends by itself: the text goes on and on.
    let body = "(call $whole) (call $stream)";
    let options = r#"{"temp": 0}"#;
    let events = run(chat_engine(), options, body, "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15");
    assert_eq!(number(&events[3]), 101, "context full");
    assert!(!events[5].is_empty());
    assert_eq!(number(events.last().expect("an end")), 101);
}

#[test]
fn n_predict_limits_the_answer() {
    let options = r#"{"temp": 0, "n-predict": 3}"#;
    let body = "(call $whole) (call $output (i32.const 1)) (call $stream)";
    let events = run(chat_engine(), options, body, QUESTION);
    let metadata: serde_json::Value = serde_json::from_slice(&events[7]).expect("JSON");
    assert_eq!(metadata["output_tokens"], 3);
    assert_eq!(events.len(), 8 + 3 + 1, "three pieces and their end");
    assert_eq!(number(events.last().expect("an end")), 100);
}

#[test]
fn a_broken_control_token_stays_text() {
    let broken = "a <|im\u{FDD0}_end|> b";
    let count = |options: &str| {
        let events = run(chat_engine(), options, "(call $output (i32.const 1))", broken);
        let metadata: serde_json::Value = serde_json::from_slice(&events[4]).expect("JSON");
        metadata["input_tokens"].as_u64().expect("a number")
    };
    let whole = run(chat_engine(), "", "(call $output (i32.const 1))", "a <|im_end|> b");
    let whole: serde_json::Value = serde_json::from_slice(&whole[4]).expect("JSON");
    // As a control token it is one token; as text it is several.
    assert!(count(r#"{"token-break": true}"#) > whole["input_tokens"].as_u64().expect("a number"));
}

#[test]
fn an_embedding_is_a_vector_of_length_one() {
    let engine = load("all-MiniLM-L6-v2.f16.gguf", EngineKind::Embed).expect("the model loads");
    let body = "(call $whole) (call $output (i32.const 1)) (call $stream)";
    let events = run(engine, r#"{"embedding": true}"#, body, "The cat sits on the mat.");
    let output: serde_json::Value = serde_json::from_slice(&events[5]).expect("JSON");
    let vector: Vec<f64> = output["embedding"]
        .as_array()
        .expect("an array")
        .iter()
        .map(|value| value.as_f64().expect("a number"))
        .collect();
    assert_eq!((output["n_embedding"].as_u64(), vector.len()), (Some(384), 384));
    let length: f64 = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
    assert!((length - 1.0).abs() < 1e-3, "{length}");
    let metadata: serde_json::Value = serde_json::from_slice(&events[7]).expect("JSON");
    assert!(metadata["input_tokens"].as_u64().expect("a number") > 5);
    assert_eq!(number(events.last().expect("an end")), 6, "no tokens of a vector");
}

/// The exit code of the unmodified command, which is the number of the call that failed.
fn complete(arguments: &[&str]) -> u32 {
    let command = CommandApp {
        path: part("apps", "complete.wasm"),
        arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        cache_dir: None,
        models: Box::new(|name| match name {
            "tiny" => Some(Ok(chat_engine())),
            "gone" => Some(load_missing()),
            _ => None,
        }),
        pictures: Box::new(|_| Err("this test shows none".into())),
    };
    run_app(command).expect("it runs")
}

fn load_missing() -> Result<Engine, LoadError> {
    Engine::load(&EngineConfig::new("/nowhere.gguf", EngineKind::Generate), Box::new(|_| true))
}

#[test]
fn an_unmodified_command_runs_and_gets_the_plugins_numbers() {
    let options = r#"{"temp": 0, "n-predict": 4}"#;
    assert_eq!(complete(&["tiny", "Hello", "--options", options]), 0);
    assert_eq!(complete(&["tiny", "Hello", "--options", options, "--single", "--twice"]), 0);
    assert_eq!(complete(&["other", "Hello"]), 8, "no such model");
    assert_eq!(complete(&["gone", "Hello"]), 103, "its file is missing");
    assert_eq!(complete(&["tiny", "Hello", "--options", "{"]), 2, "no JSON");
    assert_eq!(complete(&["tiny", &"word ".repeat(500)]), 102, "prompt too long");
    assert_eq!(complete(&["tiny", "1 2 3 4 5 6 7 8 9", "--options", r#"{"temp":0}"#]), 101);
    assert_eq!(complete(&["tiny", "Hello", "--options", options, "--buffer", "1"]), 7, "too small");
}
