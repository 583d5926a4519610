//! The engine with the real small models. They come with `scripts/setup`; a missing one is a failure.

mod features;
#[path = "../../../../tests/src/gguf.rs"]
mod gguf;
mod lora;
mod rank;
mod vision;

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use gaia_inference::{
    AdmitError, ComputeError, Engine, EngineConfig, EngineKind, GenerateOptions, Generation,
    LoadError, Sampling, Step, Token, TokenizeError, TokenizeOptions, Tuning,
};

const PATIENCE: Duration = Duration::from_secs(60);

#[expect(clippy::disallowed_methods, reason = "the one place of this test that finds the models")]
fn model(name: &str) -> PathBuf {
    let home = std::env::var_os("GAIA_NODE_HOME").map(PathBuf::from);
    let default =
        || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache/gaia-node");
    let path = home.unwrap_or_else(default).join("models").join(name);
    assert!(path.exists(), "{} is missing: run scripts/setup", path.display());
    path
}

fn chat_config() -> EngineConfig {
    let path = model("SmolLM2-135M-Instruct.Q4_1.gguf");
    EngineConfig { context_tokens: Some(512), ..EngineConfig::new(path, EngineKind::Generate) }
}

/// An engine that has the processor to itself: two at once wait for each other at every barrier of
/// their threads and take twenty times as long.
struct Alone {
    engine: Engine,
    _turn: MutexGuard<'static, ()>,
}

impl Deref for Alone {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

fn load(config: &EngineConfig) -> Alone {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    // What is measured beside other tests says nothing.
    let tuning = Tuning { guess_percent: Some(20), ..Tuning::default() };
    let engine = Engine::load_tuned(config, &tuning, Box::new(|_| true)).expect("it loads");
    Alone { engine, _turn: turn }
}

fn prompt(engine: &Engine, question: &str) -> Vec<Token> {
    let text = format!("<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n");
    let options = TokenizeOptions { add_special: true, parse_special: true };
    engine.tokenize(&text, options).expect("it is short")
}

fn greedy(tokens_max: u32) -> GenerateOptions {
    let sampling = Sampling { temperature: 0.0, ..Sampling::default() };
    GenerateOptions { sampling, tokens_max: Some(tokens_max), ..GenerateOptions::default() }
}

/// Text and last step.
fn collect(engine: &Engine, mut generation: Generation) -> (String, Step) {
    let mut bytes = vec![];
    loop {
        match generation.next_timeout(PATIENCE).expect("it computes").expect("in time") {
            Step::Token(token) => bytes.extend(engine.piece(token)),
            last => return (String::from_utf8_lossy(&bytes).into_owned(), last),
        }
    }
}

fn ask(engine: &Engine, question: &str, options: GenerateOptions) -> (String, Step) {
    let generation = engine.generate(prompt(engine, question), options).expect("it is admitted");
    collect(engine, generation)
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_question_is_answered_and_greedily_always_the_same() {
    let engine = load(&chat_config());
    let (answer, end) = ask(&engine, "What is the capital of France?", greedy(60));
    assert!(answer.contains("Paris"), "{answer}");
    assert!(matches!(end, Step::EndOfGeneration(_)), "{end:?}");
    assert_eq!(ask(&engine, "What is the capital of France?", greedy(60)).0, answer);
}

#[test]
fn the_same_seed_gives_the_same_text() {
    let engine = load(&chat_config());
    let story = |seed| {
        let sampling = Sampling { temperature: 1.0, seed: Some(seed), ..Sampling::default() };
        ask(
            &engine,
            "Tell me a story.",
            GenerateOptions { sampling, tokens_max: Some(40), ..GenerateOptions::default() },
        )
        .0
    };
    assert_eq!(story(1), story(1));
    assert_ne!(story(1), story(2));
}

#[test]
fn sixteen_at_once_answer_as_alone() {
    let engine = load(&chat_config());
    let cities = ["Paris", "Rome", "Berlin", "Madrid", "Vienna", "Lisbon", "Athens", "Dublin"];
    let questions: Vec<String> = (0..16)
        .map(|i| format!("Write {} sentences about {}.", i / 8 + 1, cities[i % 8]))
        .collect();
    let alone: Vec<_> = questions.iter().map(|q| ask(&engine, q, greedy(24))).collect();
    let started: Vec<_> = questions
        .iter()
        .map(|q| engine.generate(prompt(&engine, q), greedy(24)).expect("there is room"))
        .collect();
    let threads: Vec<_> = started
        .into_iter()
        .map(|generation| {
            let engine = Engine::clone(&engine);
            thread::spawn(move || collect(&engine, generation))
        })
        .collect();
    let together: Vec<_> = threads.into_iter().map(|t| t.join().expect("no panic")).collect();
    let same = alone.iter().zip(&together).filter(|(a, b)| a == b).count();
    eprintln!("{same} of 16 answers are the same alone and together");
    // Another batch size runs other kernels, whose rounding may flip a near tie.
    assert!(same >= 13, "only {same} of 16 are the same:\n{alone:#?}\n{together:#?}");
}

#[test]
fn a_dropped_generation_frees_its_sequence() {
    let engine = load(&chat_config());
    let mut generation =
        engine.generate(prompt(&engine, "Count to one thousand."), greedy(400)).expect("admitted");
    generation.next_timeout(PATIENCE).expect("it computes").expect("in time");
    assert_eq!(engine.stats().active, 1);
    drop(generation);
    wait_until("the sequence is free", || engine.stats().active == 0);
    assert_eq!(engine.stats().cancelled, 1);
}

#[test]
fn no_more_is_computed_than_run_ahead() {
    let config = EngineConfig { run_ahead_tokens: 4, ..chat_config() };
    let engine = load(&config);
    let generation =
        engine.generate(prompt(&engine, "Count to one thousand."), greedy(400)).expect("admitted");
    wait_until("the queue is full", || engine.stats().generated_tokens >= 4);
    thread::sleep(Duration::from_millis(200));
    assert_eq!(engine.stats().generated_tokens, 4, "the sequence is paused");
    let (_, end) = collect(&engine, generation);
    assert!(end.is_final(), "and goes on when its reader does");
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let config = EngineConfig { sequences_max: 1, queue_max: 1, ..chat_config() };
    let engine = load(&config);
    let long = vec![prompt(&engine, "x")[0]; 512];
    let refused = engine.generate(long, greedy(1)).err();
    assert_eq!(refused, Some(AdmitError::PromptTooLong { tokens: 512, limit: 511 }));
    assert_eq!(engine.generate(vec![], greedy(1)).err(), Some(AdmitError::EmptyPrompt));
    let foreign = engine.generate(vec![Token(1 << 30)], greedy(1)).err();
    assert_eq!(foreign, Some(AdmitError::BadToken(1 << 30)));
    assert!(matches!(engine.embed(prompt(&engine, "x")), Err(AdmitError::WrongKind(_))));
    let start = || engine.generate(prompt(&engine, "Count to one thousand."), greedy(400));
    let (_first, _second) = (start().expect("runs"), start().expect("waits"));
    assert_eq!(start().err(), Some(AdmitError::QueueFull { limit: 1 }));
}

#[test]
fn limit_and_context_end_an_answer() {
    let config = EngineConfig { context_tokens: Some(64), ..chat_config() };
    let engine = load(&config);
    let count = "Count to one thousand, in words.";
    let (_, end) = ask(&engine, count, greedy(5));
    assert_eq!(end, Step::LimitReached);
    let before = engine.stats().generated_tokens;
    assert_eq!(ask(&engine, count, greedy(1000)).1, Step::ContextFull);
    let tokens = prompt(&engine, count).len() as u64 + engine.stats().generated_tokens - before;
    assert_eq!(tokens, u64::from(engine.info().context_tokens.min(64)));
}

#[test]
fn files_that_are_no_models_are_refused_with_the_reason() {
    let folder = std::env::temp_dir().join(format!("gaia-files-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("writable");
    let whole = std::fs::read(model("SmolLM2-135M-Instruct.Q4_1.gguf")).expect("readable");
    let mut wild = whole[..64 << 10].to_vec();
    wild[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    let mut version = whole[..64 << 10].to_vec();
    version[4] = 99;
    let cases: Vec<(&str, &[u8])> = vec![
        ("empty", b""),
        ("text", b"This is no model."),
        ("header", &whole[..1000]),
        ("half", &whole[..whole.len() / 2]),
        ("wild", &wild),
        ("version", &version),
    ];
    for (name, bytes) in cases {
        let path = folder.join(name);
        std::fs::write(&path, bytes).expect("writable");
        let config = EngineConfig::new(&path, EngineKind::Generate);
        let error = Engine::load(&config, Box::new(|_| true)).err().expect("it is refused");
        let truncated = matches!(error, LoadError::Truncated { .. });
        assert_eq!(truncated, name == "half", "{name}: {error}");
        assert!(error.to_string().contains(name), "{error}");
    }
    let nowhere = EngineConfig::new(folder.join("nowhere"), EngineKind::Generate);
    let error = Engine::load(&nowhere, Box::new(|_| true)).err();
    assert!(matches!(error, Some(LoadError::Unreadable { .. })), "{error:?}");
    std::fs::remove_dir_all(&folder).expect("ours");
}

#[test]
fn settings_out_of_range_are_refused() {
    let wrong = [
        EngineConfig { sequences_max: 0, ..chat_config() },
        EngineConfig { sequences_max: 257, ..chat_config() },
        EngineConfig { threads: Some(10_000), ..chat_config() },
        EngineConfig { context_tokens: Some(1 << 30), ..chat_config() },
        EngineConfig { run_ahead_tokens: 0, ..chat_config() },
    ];
    for config in wrong {
        let error = Engine::load(&config, Box::new(|_| true)).err();
        assert!(matches!(error, Some(LoadError::Config(_))), "{error:?}");
    }
    let huge = EngineConfig { context_tokens: Some(8192), sequences_max: 256, ..chat_config() };
    let error = Engine::load(&huge, Box::new(|_| true)).err();
    assert!(matches!(error, Some(LoadError::NotEnoughMemory { .. })), "{error:?}");
}

#[test]
fn vectors_are_the_same_together_and_alone() {
    let path = model("all-MiniLM-L6-v2.f16.gguf");
    let engine = load(&EngineConfig::new(path, EngineKind::Embed));
    let options = TokenizeOptions { add_special: true, parse_special: false };
    let texts: Vec<String> = (1..40).map(|i| format!("Text {i}: {}", "word ".repeat(i))).collect();
    let start = |text: &String| {
        let tokens = engine.tokenize(text, options).expect("short");
        engine.embed(tokens).expect("admitted")
    };
    let pending: Vec<_> = texts.iter().map(start).collect();
    for (text, mut pending) in texts.iter().zip(pending) {
        let together = pending.wait_timeout(PATIENCE).expect("computes").expect("in time");
        let alone = start(text).wait_timeout(PATIENCE).expect("computes").expect("in time");
        let cosine: f32 = together.iter().zip(&alone).map(|(a, b)| a * b).sum();
        assert!(cosine > 0.999, "{cosine} for {text}");
    }
    let long = vec![engine.tokenize("word", options).expect("short")[1]; 10_000];
    assert!(matches!(engine.embed(long), Err(AdmitError::PromptTooLong { .. })));
}

#[test]
fn an_engine_that_goes_ends_what_it_computed() {
    let engine = load(&EngineConfig { sequences_max: 1, ..chat_config() });
    let start = || engine.generate(prompt(&engine, "Count to one thousand."), greedy(400));
    let generations = [start().expect("runs"), start().expect("waits")];
    drop(engine);
    for mut generation in generations {
        let end = loop {
            match generation.next_timeout(PATIENCE) {
                Ok(step) => assert!(matches!(step, Some(Step::Token(_))), "{step:?}"),
                Err(error) => break error,
            }
        };
        assert_eq!(end, ComputeError::Stopped);
    }
}

#[test]
fn a_final_step_is_given_again() {
    let engine = load(&chat_config());
    let mut generation = engine.generate(prompt(&engine, "Hello."), greedy(1)).expect("admitted");
    let mut next = || generation.next_timeout(PATIENCE).expect("it computes").expect("in time");
    assert!(matches!(next(), Step::Token(_)));
    assert_eq!((next(), next()), (Step::LimitReached, Step::LimitReached));
}

#[test]
fn a_long_text_of_any_kind_is_tokenized_and_a_hopeless_one_refused() {
    let options = TokenizeOptions { add_special: true, parse_special: true };
    let paths = [
        EngineConfig::new(model("SmolLM2-135M-Instruct.Q4_1.gguf"), EngineKind::Generate),
        EngineConfig::new(model("all-MiniLM-L6-v2.f16.gguf"), EngineKind::Embed),
    ];
    for config in paths {
        let engine = load(&EngineConfig { context_tokens: Some(256), ..config });
        for pattern in ["a", " ", "1", "\n", "'", "é", "😀", "<|im_end|>", "\u{0}", "word "] {
            let text = pattern.repeat((1 << 18) / pattern.len());
            let tokens = engine.tokenize(&text, options).expect("it is no hopeless one");
            assert!(tokens.len() <= text.len() + 8, "{pattern:?}");
        }
        let hopeless = engine.tokenize(&"a".repeat(64 << 20), options);
        assert!(matches!(hopeless, Err(TokenizeError::TooLong { .. })), "{hopeless:?}");
    }
}

#[test]
fn loading_can_be_cancelled() {
    let error = Engine::load(&chat_config(), Box::new(|_| false)).err();
    assert!(matches!(error, Some(LoadError::Cancelled)), "{error:?}");
}

#[test]
fn a_model_loaded_for_the_other_use_is_refused() {
    let bert = EngineConfig::new(model("all-MiniLM-L6-v2.f16.gguf"), EngineKind::Generate);
    let chat = EngineConfig { kind: EngineKind::Embed, ..chat_config() };
    let long = EngineConfig { context_tokens: Some(4096), kind: EngineKind::Embed, ..bert.clone() };
    let load = |config| Engine::load(config, Box::new(|_| true)).err().expect("it is refused");
    assert!(matches!(load(&bert), LoadError::Refused { .. }));
    assert!(matches!(load(&chat), LoadError::Refused { .. }));
    assert!(load(&long).to_string().contains("512"), "a learned place has an end");
}

#[test]
fn a_folder_without_backends_is_named_unless_the_process_has_them() {
    let folder = std::env::temp_dir().join(format!("gaia-no-backends-{}", std::process::id()));
    let config = EngineConfig { backends_dir: Some(folder.clone()), ..chat_config() };
    match Engine::load(&config, Box::new(|_| true)) {
        Ok(engine) => assert!(!engine.info().cpu_variant.is_empty(), "another test loaded them"),
        Err(error) => assert!(error.to_string().contains(&*folder.to_string_lossy()), "{error}"),
    }
}
