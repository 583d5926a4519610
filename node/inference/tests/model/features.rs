//! Shared beginnings, constraints, probabilities and guesses with the real model.

use gaia_inference::Constraint;

use super::*;

const SCHEMA: &str = r#"{"type": "object", "additionalProperties": false,
    "properties": {"city": {"type": "string", "maxLength": 20}, "size": {"type": "integer"},
        "kind": {"enum": ["town", "village"]}, "tags": {"type": "array", "maxItems": 2,
        "items": {"type": "string", "maxLength": 8}}},
    "required": ["city", "size", "kind", "tags"]}"#;

fn constrained(constraint: Constraint, tokens_max: u32) -> GenerateOptions {
    GenerateOptions { constraint: Some(constraint), ..greedy(tokens_max) }
}

fn refused(engine: &Engine, constraint: Constraint) -> String {
    match engine.generate(prompt(engine, "Hi"), constrained(constraint, 5)) {
        Err(AdmitError::BadConstraint(reason)) => reason,
        Err(other) => panic!("refused for another reason: {other}"),
        Ok(_) => panic!("it was taken"),
    }
}

#[test]
fn what_no_answer_could_obey_is_refused_with_the_keyword() {
    let engine = load(&chat_config());
    let reason = refused(&engine, Constraint::JsonSchema(r#"{"type": "nothing"}"#.into()));
    assert!(reason.contains("nothing"), "{reason}");
    let not = r#"{"not": {"type": "string"}}"#;
    let reason = refused(&engine, Constraint::JsonSchema(not.into()));
    assert!(reason.contains("not"), "{reason}");
    let never = r#"{"type": "integer", "minimum": 5, "maximum": 3}"#;
    let reason = refused(&engine, Constraint::JsonSchema(never.into()));
    assert!(reason.contains("minimum"), "{reason}");
    assert!(refused(&engine, Constraint::Lark("start: (".into())).contains("1"));
    assert!(refused(&engine, Constraint::Gbnf("root ::= nowhere".into())).contains("nowhere"));
}

#[test]
fn an_answer_obeys_its_schema_and_what_is_certain_takes_fewer_steps() {
    let engine = load(&chat_config());
    let before = engine.stats();
    let constraint = Constraint::JsonSchema(SCHEMA.into());
    let (text, end) = ask(&engine, "Describe a place as JSON.", constrained(constraint, 200));
    assert!(matches!(end, Step::EndOfGeneration(_)), "{end:?}: {text}");
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let keys: Vec<&str> =
        value.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, ["city", "size", "kind", "tags"]);
    assert!(["town", "village"].contains(&value["kind"].as_str().expect("a string")));
    let after = engine.stats();
    let generated = after.generated_tokens - before.generated_tokens;
    let steps = after.decode_steps - before.decode_steps;
    assert!(steps + 5 < generated, "{steps} steps for {generated} tokens");
    assert!(after.draft_accepted > before.draft_accepted);
}

#[test]
fn grammars_of_both_kinds_are_obeyed() {
    let engine = load(&chat_config());
    let gbnf = Constraint::Gbnf("root ::= item{3}\nitem ::= \"- \" [a-z]+ \"\" \"\\n\"".into());
    let (text, _) = ask(&engine, "List three animals.", constrained(gbnf, 60));
    let is_item = |line: &str| {
        let word = line.strip_prefix("- ").unwrap_or_default();
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase())
    };
    assert!(text.lines().count() == 3 && text.lines().all(is_item), "{text:?}");
    let lark = Constraint::Lark("start: \"yes\" | \"no\"".into());
    let (text, end) = ask(&engine, "Is water wet?", constrained(lark, 20));
    assert!(["yes", "no"].contains(&text.as_str()), "{text:?}");
    assert!(matches!(end, Step::EndOfGeneration(_)));
}

#[test]
fn a_prompt_seen_before_costs_nothing_and_answers_the_same() {
    let engine = load(&chat_config());
    let question = format!("{} What is the capital of France?", "Think well. ".repeat(20));
    let first = ask(&engine, &question, greedy(12));
    let computed = engine.stats().prompt_tokens;
    let generation = engine.generate(prompt(&engine, &question), greedy(12)).expect("admitted");
    let counted = generation.cached_tokens();
    assert_eq!(counted, 0, "nothing is known before the first step");
    let second = collect(&engine, generation);
    assert_eq!(first, second);
    let stats = engine.stats();
    assert_eq!((stats.cache_hits, stats.prompt_tokens - computed), (1, 1));
    assert!(stats.cached_tokens > 60, "{}", stats.cached_tokens);
}

#[test]
fn prompts_that_come_together_share_their_beginning_and_answer_as_alone() {
    let engine = load(&chat_config());
    let shared = "You know all about the towns of Europe and their rivers. ".repeat(16);
    let questions: Vec<String> =
        ["Paris", "Rome", "Berlin"].map(|city| format!("{shared}What is {city}?")).into();
    let together: Vec<_> = questions
        .iter()
        .map(|question| {
            engine.generate(prompt(&engine, question), greedy(16)).expect("there is room")
        })
        .collect();
    let together: Vec<_> = together.into_iter().map(|answer| collect(&engine, answer).0).collect();
    let stats = engine.stats();
    assert!(stats.cache_hits >= 2, "{stats:?}");
    assert!(stats.prompt_tokens < 450, "{stats:?}");
    for (question, answer) in questions.iter().zip(&together) {
        let other = load_apart(question);
        // Another batch may round another way; a wrong cache would give another text altogether.
        let same = answer.chars().zip(other.chars()).take_while(|(left, right)| left == right);
        assert!(same.count() >= 12, "{answer:?} and {other:?}");
    }

    fn load_apart(question: &str) -> String {
        let config = EngineConfig { sequences_max: 1, ..chat_config() };
        let engine = Engine::load(&config, Box::new(|_| true)).expect("it loads");
        ask(&engine, question, greedy(16)).0
    }
}

#[test]
fn log_probabilities_are_those_of_the_choice_and_sum_to_one_at_most() {
    let engine = load(&chat_config());
    let options = GenerateOptions { scores: Some(5), ..greedy(4) };
    let question = prompt(&engine, "What is the capital of France?");
    let mut generation = engine.generate(question, options).expect("admitted");
    for _ in 0..4 {
        let step = generation.next_timeout(PATIENCE).expect("computes").expect("in time");
        let Step::Token(token) = step else { panic!("{step:?}") };
        let scores = generation.scores().expect("asked for");
        assert_eq!((scores.token, scores.top[0]), (token, (token, scores.logprob)));
        assert!(scores.top.windows(2).all(|pair| pair[0].1 >= pair[1].1));
        let sum: f32 = scores.top.iter().map(|(_, logprob)| logprob.exp()).sum();
        assert!(sum > 0.1 && sum <= 1.001, "{sum}");
    }
}

#[test]
fn a_prompt_is_scored_without_an_answer() {
    let engine = load(&chat_config());
    let options = GenerateOptions { scores: Some(1), scores_prompt: true, ..greedy(0) };
    let tokens = prompt(&engine, &"The capital of France is Paris. ".repeat(12));
    let mut generation = engine.generate(tokens.clone(), options).expect("admitted");
    let step = generation.next_timeout(PATIENCE).expect("computes");
    assert_eq!(step, Some(Step::LimitReached));
    let scored: Vec<Token> = generation.prompt_scores().iter().map(|score| score.token).collect();
    assert_eq!(scored, tokens[1..]);
    let last = &generation.prompt_scores()[tokens.len() - 12];
    assert!(last.logprob > -1.0, "the eleventh repetition is no surprise: {last:?}");
}

#[test]
fn a_bias_forbids_and_an_ignored_end_goes_on() {
    let engine = load(&chat_config());
    let (plain, _) = ask(&engine, "What is the capital of France?", greedy(30));
    let paris = engine.tokenize(" Paris", TokenizeOptions::default()).expect("short")[0];
    let mut options = greedy(30);
    options.sampling.logit_bias = vec![(paris, -100.0)];
    let (other, _) = ask(&engine, "What is the capital of France?", options);
    assert!(plain.contains(" Paris") && !other.contains(" Paris"), "{other}");
    let mut options = greedy(40);
    options.sampling.ignore_end = true;
    let (_, end) = ask(&engine, "What is the capital of France?", options);
    assert_eq!(end, Step::LimitReached);
    let mut options = constrained(Constraint::Lark("start: \"yes\" | \"no\"".into()), 20);
    options.sampling.ignore_end = true;
    let (text, end) = ask(&engine, "Is water wet?", options);
    assert!(["yes", "no"].contains(&text.as_str()), "{text:?}");
    assert!(matches!(end, Step::EndOfGeneration(_)), "a grammar's end is the answer's: {end:?}");
}

#[test]
fn guesses_from_the_text_save_steps_and_change_nothing() {
    let text = "one two three four five six seven eight nine ten eleven twelve ".repeat(6);
    let answer = |prompt_lookup| {
        let engine = load(&EngineConfig { prompt_lookup, ..chat_config() });
        let options = TokenizeOptions { add_special: true, parse_special: true };
        let tokens = engine.tokenize(&text, options).expect("short");
        let answer = collect(&engine, engine.generate(tokens, greedy(60)).expect("admitted"));
        (answer, engine.stats())
    };
    let (plain, without) = answer(false);
    let (guessed, with) = answer(true);
    assert_eq!(plain, guessed);
    assert!(with.decode_steps + 10 < without.decode_steps, "{with:?} {without:?}");
    assert_eq!(without.draft_tokens, 0);
}

#[test]
fn measuring_what_guesses_cost_leaves_no_trace() {
    let question = "What is the capital of France?";
    let told = ask(&load(&chat_config()), question, greedy(20));
    let engine = Engine::load(&chat_config(), Box::new(|_| true)).expect("it loads");
    assert_eq!(ask(&engine, question, greedy(20)), told);
    let stats = engine.stats();
    assert_eq!(stats.cached_tokens, 0, "{stats:?}");
    assert!(stats.generated_tokens <= 20, "{stats:?}");
}

#[test]
fn a_full_context_goes_on_if_it_may() {
    let config = EngineConfig { context_tokens: Some(64), context_shift: true, ..chat_config() };
    let engine = load(&config);
    let mut options = greedy(150);
    options.sampling.ignore_end = true;
    assert_eq!(ask(&engine, "Count.", options).1, Step::LimitReached);
}

#[test]
fn a_draft_model_saves_steps_and_changes_nothing() {
    let answer = |draft_path| {
        let base = EngineConfig { prompt_lookup: false, sequences_max: 4, ..chat_config() };
        let engine = load(&EngineConfig { draft_path, ..base });
        let answer = ask(&engine, "What is the capital of France?", greedy(40));
        (answer, engine.stats())
    };
    let (plain, without) = answer(None);
    // The model itself: it guesses what it will say.
    let (drafted, with) = answer(Some(chat_config().model_path));
    assert_eq!(plain, drafted);
    assert!(with.decode_steps < without.decode_steps, "{with:?} {without:?}");
    assert!(with.draft_accepted * 10 >= with.draft_tokens * 8, "{with:?}");
}

#[test]
fn a_draft_model_of_another_vocabulary_is_refused() {
    let draft_path = Some(model("all-MiniLM-L6-v2.f16.gguf"));
    let config = EngineConfig { draft_path, ..chat_config() };
    let error = Engine::load(&config, Box::new(|_| true)).err().expect("refused");
    assert!(error.to_string().contains("all-MiniLM"), "{error}");
}
