use gaia_protocol::Picture;

use super::super::fake::{BOS, FakeModel, SEP, Script};
use super::*;
use crate::port::{Halt, Patience, PictureReader, Pictures};

/// Waits for ever.
struct Patient;

impl Patience for Patient {
    fn check(&self) -> Result<(), Halt> {
        Ok(())
    }
}

/// Was told to stop.
struct Cancelled;

impl Patience for Cancelled {
    fn check(&self) -> Result<(), Halt> {
        Err(Halt::Errno(Errno::RuntimeError))
    }
}

fn context(model: Arc<FakeModel>) -> Context {
    Context::new(model, Options::default())
}

fn prompted(model: Arc<FakeModel>, prompt: &str) -> Context {
    let mut context = context(model);
    context.set_prompt(prompt.as_bytes(), NONE).expect("a prompt");
    context
}

fn metadata(context: &Context) -> (u64, u64) {
    let value: serde_json::Value = serde_json::from_slice(&context.metadata()).expect("JSON");
    let field = |name: &str| value[name].as_u64().expect("a number");
    (field("input_tokens"), field("output_tokens"))
}

/// Single mode until it ends: the pieces, and the end.
fn stream(context: &mut Context) -> (Vec<String>, Errno) {
    let mut pieces = Vec::new();
    loop {
        match context.compute_single(&Patient) {
            Ok(()) => pieces.push(String::from_utf8_lossy(context.last_piece()).into_owned()),
            Err(Halt::Errno(errno)) => return (pieces, errno),
            Err(Halt::End) => panic!("nobody ended this guest"),
        }
    }
}

#[test]
fn computing_without_input_is_an_invalid_argument() {
    let mut context = context(FakeModel::says("hi"));
    assert_eq!(context.compute(&Patient), Err(Halt::Errno(Errno::InvalidArgument)));
    assert_eq!(context.compute_single(&Patient), Err(Halt::Errno(Errno::InvalidArgument)));
    assert_eq!(context.output(), b"");
    assert_eq!(context.last_piece(), b"");
    assert_eq!(metadata(&context), (0, 0));
}

#[test]
fn a_prompt_that_is_no_text_is_an_invalid_encoding_and_leaves_no_input() {
    let mut context = prompted(FakeModel::says("hi"), "ok");
    context.set_prompt(b"again", NONE).expect("a prompt");
    assert_eq!(context.set_prompt(b"\xff", NONE), Err(Errno::InvalidEncoding));
}

#[test]
fn compute_gives_the_whole_answer_with_its_end() {
    let mut context = prompted(FakeModel::says("hello"), "abc");
    assert_eq!(metadata(&context), (4, 0), "three characters and the begin of sequence");
    context.compute(&Patient).expect("computes");
    assert_eq!(context.output(), b"hello<end>");
    assert_eq!(metadata(&context), (4, 6));
}

#[test]
fn computing_again_starts_over() {
    let mut context = prompted(FakeModel::says("hello"), "abc");
    context.compute(&Patient).expect("computes");
    context.compute(&Patient).expect("computes");
    assert_eq!(context.output(), b"hello<end>");
}

#[test]
fn single_mode_gives_token_by_token_and_the_end_piece_after_the_end() {
    let mut context = prompted(FakeModel::says("hi"), "abc");
    let (pieces, end) = stream(&mut context);
    assert_eq!((pieces, end), (vec!["h".into(), "i".into()], Errno::EndOfSequence));
    assert_eq!(context.last_piece(), b"<end>");
    assert_eq!(context.output(), b"hi<end>");
    assert_eq!(metadata(&context), (4, 3));
    context.finish_single();
    assert_eq!(context.last_piece(), b"");
    assert_eq!(metadata(&context), (4, 0));
}

#[test]
fn setting_the_input_again_starts_over_but_keeps_the_last_output_readable() {
    let mut context = prompted(FakeModel::says("hi"), "abc");
    context.compute_single(&Patient).expect("a token");
    context.set_prompt(b"other", NONE).expect("a prompt");
    assert_eq!(context.last_piece(), b"h");
    assert_eq!(stream(&mut context).0, ["h", "i"]);
}

#[test]
fn a_full_context_is_told_in_both_modes() {
    let script = Script::Steps(vec![Step::Token(97), Step::ContextFull]);
    let mut context = prompted(FakeModel::chat(script), "abc");
    assert_eq!(context.compute(&Patient), Err(Halt::Errno(Errno::ContextFull)));
    assert_eq!(context.output(), b"a");
    assert_eq!(stream(&mut context), (vec!["a".into()], Errno::ContextFull));
}

#[test]
fn a_prompt_too_long_fails_computing_and_not_counting() {
    let mut context = prompted(FakeModel::chat(Script::Refuses(Errno::PromptTooLong)), "abc");
    assert_eq!(metadata(&context), (4, 0));
    assert_eq!(context.compute(&Patient), Err(Halt::Errno(Errno::PromptTooLong)));
    assert_eq!(context.compute_single(&Patient), Err(Halt::Errno(Errno::PromptTooLong)));
}

#[test]
fn a_full_queue_is_busy_and_can_be_tried_again() {
    let mut context = prompted(FakeModel::chat(Script::Refuses(Errno::Busy)), "abc");
    assert_eq!(context.compute_single(&Patient), Err(Halt::Errno(Errno::Busy)));
    assert_eq!(context.compute_single(&Patient), Err(Halt::Errno(Errno::Busy)));
}

#[test]
fn n_predict_holds_in_both_modes() {
    let mut context = prompted(FakeModel::says("hello"), "abc");
    context.set_options(br#"{"n-predict": 2}"#).expect("options");
    context.compute(&Patient).expect("computes");
    assert_eq!(context.output(), b"he");
    assert_eq!(stream(&mut context), (vec!["h".into(), "e".into()], Errno::EndOfSequence));
    context.set_options(br#"{"n-predict": 0}"#).expect("options");
    context.compute(&Patient).expect("computes nothing");
    assert_eq!(context.output(), b"");
}

#[test]
fn a_reverse_prompt_ends_the_answer_and_is_part_of_it() {
    let mut context = prompted(FakeModel::says("one\nUSER: two"), "abc");
    context.set_options(br#"{"reverse-prompt": "USER:"}"#).expect("options");
    context.compute(&Patient).expect("computes");
    assert_eq!(context.output(), b"one\nUSER:");
    let (pieces, end) = stream(&mut context);
    assert_eq!((pieces.concat().as_str(), end), ("one\nUSER", Errno::EndOfSequence));
}

#[test]
fn bad_options_leave_the_old_ones() {
    let mut context = prompted(FakeModel::says("hello"), "abc");
    context.set_options(br#"{"n-predict": 1}"#).expect("options");
    assert_eq!(context.set_options(b"{"), Err(Errno::InvalidEncoding));
    assert_eq!(context.set_options(br#"{"n-predict": "2"}"#), Err(Errno::InvalidArgument));
    context.compute(&Patient).expect("computes");
    assert_eq!(context.output(), b"h");
}

#[test]
fn a_cancelled_request_computes_no_more() {
    let mut context = prompted(FakeModel::chat(Script::Silent), "abc");
    assert_eq!(context.compute_single(&Cancelled), Err(Halt::Errno(Errno::RuntimeError)));
    assert!(context.answer.is_none(), "the sequence must be free");
}

#[test]
fn an_embedding_is_submitted_with_its_input_and_read_after_computing() {
    let model = FakeModel::embedder(Script::Steps(vec![]));
    let mut context = prompted(Arc::clone(&model), "ab");
    assert_eq!(model.embedded.lock().expect("no panic")[..], [vec![BOS, 97, 98, SEP]]);
    context.compute(&Patient).expect("computes");
    assert_eq!(
        String::from_utf8_lossy(context.output()),
        r#"{"n_embedding": 2, "embedding": [0.6000000238,-0.8000000119]}"#
    );
    assert_eq!(metadata(&context), (4, 0));
    context.compute(&Patient).expect("computes again");
    assert_eq!(model.embedded.lock().expect("no panic").len(), 2);
    assert_eq!(
        context.compute_single(&Patient),
        Err(Halt::Errno(Errno::UnsupportedOperation)),
        "there is no single token of a vector"
    );
}

#[test]
fn an_embedding_that_is_refused_says_so_when_computed() {
    let mut context = prompted(FakeModel::embedder(Script::Refuses(Errno::PromptTooLong)), "ab");
    assert_eq!(context.compute(&Patient), Err(Halt::Errno(Errno::PromptTooLong)));
}

#[test]
fn token_breaks_cut_the_prompt_only_when_asked_for() {
    let broken = "<|im\u{FDD0}_end|>";
    let mut context = prompted(FakeModel::says("x"), broken);
    assert_eq!(context.input.len(), 1 + broken.chars().count());
    context.set_options(br#"{"token-break": true}"#).expect("options");
    context.set_prompt(broken.as_bytes(), NONE).expect("a prompt");
    let expected: Vec<Token> =
        std::iter::once(BOS).chain("<|im_end|>".chars().map(|c| c as Token)).collect();
    assert_eq!(context.input, expected);
}

#[test]
fn a_broken_text_is_still_framed_as_a_whole() {
    let mut context = context(FakeModel::embedder(Script::Steps(vec![])));
    context.set_options(br#"{"token-break": true}"#).expect("options");
    context.set_prompt("a\u{FDD0}b".as_bytes(), NONE).expect("a prompt");
    assert_eq!(context.input, [BOS, 97, 98, SEP]);
}

#[test]
fn tokens_that_are_none_are_refused_with_the_reason() {
    let mut context = context(FakeModel::says("hi"));
    assert_eq!(context.set_tokens(&[1, 0, 0]), Err(Errno::InvalidArgument));
    assert_eq!(context.set_tokens(&(-1_i32).to_le_bytes()), Err(Errno::InvalidArgument));
    let metadata = String::from_utf8(context.metadata()).expect("text");
    assert!(metadata.contains(r#""error": "-1 is not a token of this model""#), "{metadata}");
}

#[test]
fn a_prompt_may_come_as_tokens_and_its_tokens_can_be_read() {
    let mut context = context(FakeModel::says("hi"));
    let tokens = [BOS, 'a' as i32].map(i32::to_le_bytes).concat();
    context.set_tokens(&tokens).expect("tokens of the model");
    let mut expected = vec![1, 0, 0, 0, 1, 0, 0, 0, 1];
    expected.extend([b'a', 0, 0, 0, 1, 0, 0, 0, b'a']);
    assert_eq!(context.input_tokens(), expected);
    assert_eq!(stream(&mut context).0, ["h", "i"]);
}

#[test]
fn probabilities_come_with_their_tokens_and_only_if_asked_for() {
    let mut context = prompted(FakeModel::says("hi"), "x");
    context.compute_single(&Patient).expect("a token");
    assert_eq!(context.logprob(), b"");
    context.set_options(br#"{"logprobs": 1, "prompt-logprobs": true}"#).expect("options");
    context.set_prompt(b"x", NONE).expect("a prompt");
    context.compute_single(&Patient).expect("a token");
    let expected =
        r#"{"token":{"id":104,"bytes":[104]},"logprob":-0.5,"top":[[{"id":1,"bytes":[1]},-1.0]]}"#;
    assert_eq!(String::from_utf8_lossy(context.logprob()), expected);
    assert!(context.prompt_logprobs().starts_with(b"[{\"token\""));
    let metadata = String::from_utf8(context.metadata()).expect("text");
    assert!(metadata.contains(r#""cached_tokens": 3"#), "{metadata}");
}

#[test]
fn the_reason_of_a_refusal_is_told_until_the_next_input() {
    let mut context = prompted(FakeModel::chat(Script::Refuses(Errno::InvalidArgument)), "x");
    let refused = Err(Halt::Errno(Errno::InvalidArgument));
    assert_eq!(context.compute_single(&Patient), refused);
    let told = |context: &Context| {
        String::from_utf8(context.metadata()).expect("text").contains("the script says so")
    };
    assert!(told(&context));
    context.set_prompt(b"y", NONE).expect("a prompt");
    assert!(!told(&context));
}

/// A prompt without pictures.
const NONE: Pictures<'_> = Pictures::Beside(&[]);

const RED: [u8; 3] = [255, 0, 0];

/// Two pictures of one and two pixels.
fn pictures() -> Vec<Picture> {
    let picture = |pixels: u32| Picture::new(pixels, 1, Arc::new(RED.repeat(pixels as usize)));
    [1, 2].map(|pixels| picture(pixels).expect("as many bytes")).to_vec()
}

fn seeing(model: Arc<FakeModel>) -> Context {
    let mut context = context(model);
    context.set_options(br#"{"pictures": true, "token-break": true}"#).expect("options");
    context
}

#[test]
fn pictures_stand_where_their_numbers_do_and_count() {
    let model = FakeModel::says("hi");
    let mut context = seeing(Arc::clone(&model));
    let prompt = "a\u{FDD1}1\u{FDD1}<\u{FDD0}s>\u{FDD1}0\u{FDD1}b";
    context.set_prompt(prompt.as_bytes(), Pictures::Beside(&pictures())).expect("a prompt");
    // The beginning, five characters, and three pixels.
    assert_eq!(metadata(&context), (1 + 5 + 3, 0));
    assert_eq!(stream(&mut context).0, ["h", "i"]);
    assert_eq!(model.scenes(), ["\u{1}a[2]<s>[1]b"]);
    context.set_prompt(b"x", Pictures::Beside(&pictures())).expect("a prompt");
    assert_eq!(metadata(&context).0, 2);
}

#[test]
fn marks_are_text_to_whoever_does_not_ask_for_pictures() {
    let mut context = context(FakeModel::says("x"));
    context
        .set_prompt("\u{FDD1}0\u{FDD1}".as_bytes(), Pictures::Beside(&pictures()))
        .expect("a prompt");
    assert_eq!(metadata(&context), (1 + 3, 0));
}

#[test]
fn marks_without_a_picture_are_refused_with_the_reason() {
    for (prompt, reason) in [
        ("a\u{FDD1}", "alone"),
        ("a\u{FDD1}0", "alone"),
        ("\u{FDD1}0\u{FDD1}\u{FDD1}1", "alone"),
        ("\u{FDD1}2\u{FDD1}", "there is no picture \\\"2\\\""),
        ("\u{FDD1}-1\u{FDD1}", "there is no picture"),
        ("\u{FDD1}\u{FDD1}", "there is no picture"),
    ] {
        let mut context = seeing(FakeModel::says("x"));
        let refused = context.set_prompt(prompt.as_bytes(), Pictures::Beside(&pictures()));
        assert_eq!(refused, Err(Errno::InvalidArgument), "{prompt:?}");
        let metadata = String::from_utf8(context.metadata()).expect("text");
        assert!(metadata.contains(reason), "{metadata}");
    }
}

#[test]
fn a_model_without_a_projector_says_so() {
    let mut context = seeing(FakeModel::embedder(Script::Silent));
    let refused = context.set_prompt("\u{FDD1}0\u{FDD1}".as_bytes(), Pictures::Beside(&pictures()));
    assert_eq!(refused, Err(Errno::InvalidArgument));
    let metadata = String::from_utf8(context.metadata()).expect("text");
    assert!(metadata.contains("takes no pictures"), "{metadata}");
}

/// Reads `A` as a picture of a pixel, `BB` as one of two, and nothing else.
fn reader() -> PictureReader {
    Box::new(|letters| match letters {
        "A" | "BB" => Ok(pictures()[letters.len() - 1].clone()),
        _ => Err("it is not Base64".into()),
    })
}

#[test]
fn pictures_of_commands_stand_in_their_prompts() {
    let reader = reader();
    let model = FakeModel::says("hi");
    let mut context = context(Arc::clone(&model));
    let prompt = r#"a<img src="data:image/png;base64,BB">b<img src="data:image/jpeg;base64,A">"#;
    context.set_prompt(prompt.as_bytes(), Pictures::Within(&reader)).expect("a prompt");
    assert_eq!(metadata(&context), (1 + 2 + 3, 0));
    assert_eq!(stream(&mut context).0, ["h", "i"]);
    assert_eq!(model.scenes(), ["\u{1}a[2]b[1]"]);
    for text in
        [r#"<img src="a.png">"#, r#"<img src="data:image/png;base64,BB"#, "\u{FDD1}0\u{FDD1}"]
    {
        context.set_prompt(text.as_bytes(), Pictures::Within(&reader)).expect("a prompt");
        assert_eq!(metadata(&context).0, 1 + text.chars().count() as u64, "{text}");
    }
}

#[test]
fn a_picture_in_a_prompt_that_cant_be_read_is_an_invalid_argument() {
    let reader = reader();
    let tag = r#"<img src="data:image/png;base64,A">"#;
    for (prompt, reason) in
        [(tag.replace('A', "C"), "it is not Base64"), (tag.repeat(33), "32 pictures at most")]
    {
        let mut context = context(FakeModel::says("x"));
        let refused = context.set_prompt(prompt.as_bytes(), Pictures::Within(&reader));
        assert_eq!(refused, Err(Errno::InvalidArgument));
        let metadata = String::from_utf8(context.metadata()).expect("text");
        assert!(metadata.contains(reason), "{metadata}");
    }
    let mut blind = context(FakeModel::embedder(Script::Silent));
    let refused = blind.set_prompt(tag.as_bytes(), Pictures::Within(&reader));
    assert_eq!(refused, Err(Errno::InvalidArgument), "as the stock plugin without a projector");
}
