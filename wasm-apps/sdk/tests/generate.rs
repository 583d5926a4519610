//! Answers from beginning to end, with a scripted model.

use gaia_app_sdk::testing::{Recorder, Script, ScriptedGraph};
use gaia_app_sdk::{
    Channel, Errno, ErrorCode, Event, Events, Failure, FinishReason, Flow, GenerateJob,
    GenerateOptions, Input, Model, Plain, Sampling, Speaker, TokenLogprob, Usage, generate,
    push_text,
};

const CONTEXT_TOKENS: u32 = 10;

struct Run {
    result: Result<Flow, Failure>,
    events: Vec<Event>,
    inputs: Vec<(usize, String)>,
}

struct Ask<'a> {
    prompt: Input,
    echo: bool,
    speaker: &'a mut dyn Speaker,
    options: GenerateOptions,
    stop: Vec<String>,
    recorder: Recorder,
}

impl Default for Ask<'static> {
    fn default() -> Self {
        let (options, recorder) = (GenerateOptions::default(), Recorder::default());
        // Plain has no size: nothing is leaked.
        let speaker = Box::leak(Box::new(Plain));
        Self { prompt: "two words".into(), echo: false, speaker, options, stop: vec![], recorder }
    }
}

fn run(script: Script, ask: Ask<'_>) -> Run {
    let graph = ScriptedGraph::new(script);
    let mut session = Model::new(graph.clone()).session().expect("opens");
    let mut events = Events::new(ask.recorder);
    let job = GenerateJob {
        prompt: &ask.prompt,
        echo: ask.echo.then_some(&ask.prompt),
        options: ask.options,
        stop: &ask.stop,
        context_tokens: CONTEXT_TOKENS,
        param: "messages",
        grammar_param: "response_format",
    };
    let result = generate(&mut session, &job, ask.speaker, &mut events);
    Run { result, events: events.into_sink().events, inputs: graph.inputs() }
}

fn delta(text: &str, tokens: u32) -> Event {
    Event::text(text, tokens)
}

fn finish(reason: FinishReason, completion_tokens: u32) -> Event {
    let usage = Usage { prompt_tokens: 2, completion_tokens, cached_tokens: 1, ..Usage::default() };
    Event::finish(reason, usage)
}

fn stopped(by: &str, completion_tokens: u32) -> Event {
    let mut event = finish(FinishReason::Stop, completion_tokens);
    let Event::Finish { stop_string, .. } = &mut event else { unreachable!("it is the end") };
    *stop_string = Some(by.into());
    event
}

const PROMPT: Event = Event::Prompt { tokens: 2, cached_tokens: 1 };

#[test]
fn a_prompt_over_the_context_is_refused_with_both_numbers() {
    let prompt = "word ".repeat(10);
    for prompt_tokens_max in [5, 100] {
        let script = Script { prompt_tokens_max, ..Script::answer(&["no"]) };
        let run = run(script, Ask { prompt: Input::Text(prompt.clone()), ..Ask::default() });
        let failure = run.result.expect_err("too long");
        assert_eq!(failure.code, ErrorCode::PromptTooLong);
        assert_eq!(failure.param.as_deref(), Some("messages"));
        assert!(failure.message.contains("has 10 tokens"), "{failure}");
        assert!(failure.message.contains("holds 10 for"), "{failure}");
        assert_eq!(run.events, []);
    }
}

#[test]
fn a_full_queue_is_overload() {
    let at_once = Script { set_input_errno: Some(Errno::Busy), ..Script::default() };
    let at_first_step = Script { end: Errno::Busy, ..Script::default() };
    for script in [at_once, at_first_step] {
        let run = run(script, Ask::default());
        let failure = run.result.expect_err("busy");
        assert_eq!((failure.code, failure.param), (ErrorCode::Overloaded, None));
        assert_eq!(run.events, [], "the refusal must be the first event");
    }
}

#[test]
fn an_engine_that_fails_midway_is_an_error_and_no_finish() {
    let script = Script { end: Errno::RuntimeError, ..Script::answer(&["a"]) };
    let run = run(script, Ask::default());
    assert_eq!(run.result.expect_err("failed").code, ErrorCode::Internal);
    assert_eq!(run.events, [PROMPT, delta("a", 1)]);
}

#[test]
fn a_client_that_went_away_stops_the_work() {
    for stop_after in 1..=4 {
        let recorder = Recorder { stop_after: Some(stop_after), ..Recorder::default() };
        let ask = Ask { recorder, ..Ask::default() };
        let run = run(Script::answer(&["a", "b"]), ask);
        assert_eq!(run.result, Ok(Flow::Stop));
        assert_eq!(run.events.len(), stop_after);
    }
}

#[test]
fn every_token_is_a_delta_and_the_end_token_counts() {
    let run = run(Script::answer(&["Hi", " there", "!"]), Ask::default());
    assert_eq!(run.result, Ok(Flow::Continue));
    let expected =
        [PROMPT, delta("Hi", 1), delta(" there", 1), delta("!", 1), finish(FinishReason::Stop, 4)];
    assert_eq!(run.events, expected);
}

#[test]
fn max_tokens_and_a_full_context_end_by_length() {
    let options = GenerateOptions { tokens_max: Some(2), ..GenerateOptions::default() };
    let ask = Ask { options, ..Ask::default() };
    let limited = run(Script::answer(&["a", "b", "c"]), ask);
    assert_eq!(
        limited.events,
        [PROMPT, delta("a", 1), delta("b", 1), finish(FinishReason::Length, 2)]
    );
    let script = Script { end: Errno::ContextFull, ..Script::answer(&["a"]) };
    let full = run(script, Ask::default());
    assert_eq!(full.events, [PROMPT, delta("a", 1), finish(FinishReason::Length, 1)]);
}

#[test]
fn zero_tokens_are_an_answer_too() {
    let options = GenerateOptions { tokens_max: Some(0), ..GenerateOptions::default() };
    let run = run(Script::answer(&["a"]), Ask { options, ..Ask::default() });
    assert_eq!(run.events, [PROMPT, finish(FinishReason::Length, 0)]);
}

#[test]
fn a_stop_string_across_tokens_ends_the_answer_and_is_not_in_it() {
    let ask = Ask { stop: vec!["END".into()], ..Ask::default() };
    let run = run(Script::answer(&["one E", "N", "D two", "never"]), ask);
    assert_eq!(run.events, [PROMPT, delta("one ", 1), stopped("END", 3)]);
}

#[test]
fn a_stop_string_in_the_last_allowed_token_is_a_stop() {
    let options = GenerateOptions { tokens_max: Some(1), ..GenerateOptions::default() };
    let ask = Ask { stop: vec!["!".into()], options, ..Ask::default() };
    let run = run(Script::answer(&["Hi!"]), ask);
    assert_eq!(run.events, [PROMPT, delta("Hi", 1), stopped("!", 1)]);
}

#[test]
fn text_held_back_for_a_stop_string_comes_at_the_end() {
    let ask = Ask { stop: vec!["END".into()], ..Ask::default() };
    let run = run(Script::answer(&["the E", "N"]), ask);
    assert_eq!(
        run.events,
        [PROMPT, delta("the ", 1), delta("EN", 2), finish(FinishReason::Stop, 3)]
    );
}

#[test]
fn characters_cut_by_tokens_arrive_whole() {
    let script =
        Script { pieces: vec![b"\xF0\x9F".into(), b"\x98\x80".into()], ..Script::default() };
    let run = run(script, Ask::default());
    assert_eq!(run.events, [PROMPT, delta("\u{1F600}", 2), finish(FinishReason::Stop, 3)]);
}

#[test]
fn the_engine_gets_the_options_it_knows_and_no_others() {
    let sampling = Sampling { temperature: Some(0.7), seed: Some(7), ..Sampling::default() };
    let options = GenerateOptions { token_break: true, ..GenerateOptions::new(&sampling, Some(5)) };
    let run = run(Script::default(), Ask { options, ..Ask::default() });
    let expected = r#"{"n-predict":5,"temp":0.7,"seed":7,"token-break":true}"#;
    assert_eq!(run.inputs, [(1, expected.to_owned()), (0, "two words".to_owned())]);
}

/// What the events tell as the tokens of their content.
fn scored(events: &[Event]) -> Vec<(&str, Vec<String>)> {
    let spelled = |scored: &TokenLogprob| String::from_utf8_lossy(&scored.token.bytes).into_owned();
    let content = events.iter().filter_map(|event| match event {
        Event::Delta { text, channel: Channel::Content, logprobs, .. } => {
            Some((text.as_str(), logprobs.iter().map(spelled).collect()))
        }
        _ => None,
    });
    content.collect()
}

fn with_logprobs() -> GenerateOptions {
    GenerateOptions { logprobs: Some(0), ..GenerateOptions::default() }
}

#[test]
fn every_token_s_probability_comes_with_its_text_held_back_or_not() {
    let ask = Ask { stop: vec!["END".into()], options: with_logprobs(), ..Ask::default() };
    let run = run(Script::answer(&["a", " E", "N", " b"]), ask);
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let expected = [("a", words(&["a"])), (" ", words(&[" E"])), ("EN b", words(&["N", " b"]))];
    assert_eq!(scored(&run.events), expected);
}

/// Drops everything up to a bar, as thoughts, and holds the last character back.
#[derive(Default)]
struct Thinker {
    held: String,
    has_thought: bool,
}

impl Speaker for Thinker {
    fn say(&mut self, text: &str, events: &mut Vec<Event>) {
        self.held.push_str(text);
        if let Some((thought, rest)) = self.held.clone().split_once("| ") {
            push_text(events, Channel::Reasoning, thought);
            self.held = rest.to_owned();
            self.has_thought = true;
        }
        if self.has_thought && self.held.len() > 1 {
            let rest = self.held.split_off(self.held.len() - 1);
            push_text(events, Channel::Content, &std::mem::replace(&mut self.held, rest));
        }
    }

    fn finish(&mut self, reason: FinishReason, events: &mut Vec<Event>) -> FinishReason {
        push_text(events, Channel::Content, &self.held);
        reason
    }
}

#[test]
fn thoughts_and_marks_have_no_probabilities_and_their_tokens_are_counted() {
    let mut speaker = Thinker::default();
    let ask = Ask { speaker: &mut speaker, options: with_logprobs(), ..Ask::default() };
    let run = run(Script::answer(&["hm", "hm", "|", " ", "It", " is", "!"]), ask);
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let expected =
        [("I", words(&["It"])), ("t i", words(&[" is"])), ("s", vec![]), ("!", words(&["!"]))];
    assert_eq!(scored(&run.events), expected);
    let Some(Event::Finish { usage, .. }) = run.events.last() else { panic!("{:?}", run.events) };
    assert_eq!((usage.completion_tokens, usage.reasoning_tokens), (8, 4));
}

#[test]
fn an_echo_is_the_prompt_with_its_probabilities_be_it_text_or_tokens() {
    for (prompt, text, first) in
        [("two words".into(), "two words", "two"), (Input::Tokens(vec![7, 8]), "78", "7")]
    {
        let options = GenerateOptions {
            prompt_logprobs: true,
            tokens_max: Some(0),
            ..GenerateOptions::default()
        };
        let run = run(Script::default(), Ask { prompt, echo: true, options, ..Ask::default() });
        let Event::Delta { text: said, logprobs, .. } = &run.events[1] else { panic!("no echo") };
        assert_eq!((said.as_str(), logprobs.len()), (text, 2));
        assert_eq!(logprobs[0].token.bytes, first.as_bytes());
        assert_eq!((logprobs[0].logprob, logprobs[1].logprob), (None, Some(-1.0)));
        assert_eq!(run.events[2], finish(FinishReason::Length, 0));
    }
}

#[test]
fn a_grammar_that_the_engine_refuses_is_the_request_s_fault_in_the_engine_s_words() {
    let script = Script { refusal: Some("line 1: no rule".into()), ..Script::default() };
    let run = run(script, Ask::default());
    let failure = run.result.expect_err("refused");
    assert_eq!(failure.code, ErrorCode::InvalidRequest);
    assert_eq!(failure.param.as_deref(), Some("response_format"));
    assert!(failure.message.contains("line 1: no rule"), "{failure}");
    assert_eq!(run.events, []);
}
