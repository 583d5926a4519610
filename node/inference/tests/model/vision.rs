//! Pictures, with projectors made here: no registry carries one for the small model.

#[path = "../../../../tests/src/projector.rs"]
mod projector;

use std::path::{Path, PathBuf};

use gaia_inference::{LookError, Prompt, Sight, TokenScores};
use projector::{Kind, LINES_WIDTH, MODEL_WIDTH};

use super::*;

/// A folder for one test's files, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gaia-vision-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the temporary folder is writable");
        Self(path)
    }

    fn projector(&self, kind: Kind) -> EngineConfig {
        with(&projector::projector(&self.0, kind, MODEL_WIDTH))
    }

    /// A model that counts the lines and columns of pictures.
    fn lines(&self, batch_tokens: u32) -> EngineConfig {
        let model_path = projector::lines_model(&self.0, &chat_config().model_path);
        let mmproj = projector::projector(&self.0, Kind::Qwen, LINES_WIDTH);
        EngineConfig { model_path, batch_tokens, ..with(&mmproj) }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn with(mmproj: &Path) -> EngineConfig {
    let mmproj_path = Some(mmproj.to_path_buf());
    EngineConfig { mmproj_path, sequences_max: 2, ..chat_config() }
}

/// A picture of this size whose pixels follow from the seed.
fn picture(engine: &Engine, (width, height): (u32, u32), seed: u32) -> Sight {
    let byte = |index: u32| (index.wrapping_mul(seed.wrapping_mul(31) + 7) >> 3) as u8;
    let rgb: Vec<u8> = (0..width * height * 3).map(byte).collect();
    engine.look(width, height, &rgb).expect("a picture")
}

/// A question about pictures.
fn about(engine: &Engine, pictures: &[Sight], question: &str) -> Prompt {
    let text = |text: &str| {
        let options = TokenizeOptions { add_special: false, parse_special: true };
        engine.tokenize(text, options).expect("it is short")
    };
    let mut prompt = Prompt::default();
    prompt.push(&text("<|im_start|>user\n"));
    pictures.iter().for_each(|picture| prompt.push_picture(picture));
    prompt.push(&text(&format!("{question}<|im_end|>\n<|im_start|>assistant\n")));
    prompt
}

/// The text of an answer, and the scores of its tokens.
fn answer(engine: &Engine, prompt: &Prompt) -> (String, Vec<TokenScores>, u32) {
    let options = GenerateOptions { scores: Some(5), ..greedy(12) };
    let mut generation = engine.generate(prompt.clone(), options).expect("it is admitted");
    let (mut bytes, mut scores) = (vec![], vec![]);
    loop {
        let step = generation.next_timeout(PATIENCE).expect("it computes").expect("in time");
        let Step::Token(token) = step else { break };
        bytes.extend(engine.piece(token));
        scores.extend(generation.scores().cloned());
    }
    (String::from_utf8_lossy(&bytes).into_owned(), scores, generation.cached_tokens())
}

fn refused(config: &EngineConfig, path: &Path) -> String {
    let error = Engine::load(config, Box::new(|_| true)).err().expect("refused").to_string();
    assert!(error.starts_with("mmproj_path: "), "{error}");
    assert!(error.contains(&*path.to_string_lossy()), "{error}");
    error
}

#[test]
fn what_is_no_projector_of_the_model_is_refused_with_its_file() {
    let folder = Folder::new("refused");
    let nowhere = Path::new("/nowhere/mmproj.gguf");
    refused(&with(nowhere), nowhere);
    let other = model("SmolLM2-135M-Instruct.Q4_1.gguf");
    refused(&with(&other), &other);
    let narrow = projector::projector(&folder.0, Kind::Llava, 512);
    let error = refused(&with(&narrow), &narrow);
    assert!(error.contains("576") && error.contains("512"), "{error}");
    let whole = std::fs::read(&narrow).expect("just written");
    std::fs::write(&narrow, &whole[..whole.len() / 2]).expect("writable");
    assert!(refused(&with(&narrow), &narrow).contains("bytes"));
    let embeds = EngineConfig { kind: EngineKind::Embed, ..with(nowhere) };
    let error = Engine::load(&embeds, Box::new(|_| true)).err().expect("refused");
    assert!(error.to_string().contains("mmproj_path"), "{error}");
}

#[test]
fn a_projector_whose_rows_depend_on_the_prompt_is_refused() {
    let folder = Folder::new("bound");
    for (kind, why) in [("deepseek4v", "where that stands"), ("hunyuanvl", "counts the pictures")] {
        let path = projector::projector(&folder.0, Kind::Called(kind), MODEL_WIDTH);
        let error = refused(&with(&path), &path);
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn a_model_without_a_projector_is_blind() {
    let engine = load(&chat_config());
    assert!(!engine.info().takes_pictures);
    assert_eq!(engine.look(1, 1, &[0; 3]).err(), Some(LookError::Blind));
}

#[test]
fn what_makes_no_prompt_is_refused() {
    let folder = Folder::new("prompts");
    let engine = load(&folder.projector(Kind::Llava));
    let refused = engine.look(2, 2, &[0; 11]).err();
    assert_eq!(refused, Some(LookError::Size { width: 2, height: 2, bytes: 11 }));
    let sight = picture(&engine, (8, 8), 1);
    let mut last = Prompt::default();
    last.push_picture(&sight);
    let refused = engine.generate(last, greedy(1)).err();
    assert!(matches!(refused, Some(AdmitError::BadOptions(_))), "{refused:?}");
    let long = about(&engine, &vec![sight.clone(); 32], "?");
    let refused = engine.generate(long, greedy(1)).err();
    assert!(matches!(refused, Some(AdmitError::PromptTooLong { tokens, .. }) if tokens > 512));
    let mut stray = about(&engine, &[sight], "?");
    stray.push(&[Token(-1), Token(5)]);
    assert_eq!(engine.generate(stray, greedy(1)).err(), Some(AdmitError::BadToken(-1)));
}

#[test]
fn an_answer_follows_from_the_picture() {
    let folder = Folder::new("answers");
    for kind in [Kind::Llava, Kind::Gemma] {
        let engine = load(&folder.projector(kind));
        assert!(engine.info().takes_pictures);
        let sights = [1, 2].map(|seed| picture(&engine, (97, 61), seed));
        let [one, two] = sights.map(|sight| about(&engine, &[sight], "What is this?"));
        let rows = if kind == Kind::Llava { 16 } else { 4 };
        assert!(one.len() > rows + 8, "{}", one.len());
        let (text, scores, cached) = answer(&engine, &one);
        assert_eq!(cached, 0);
        // The same again, from the cache and from a picture cut anew: as many tokens, as likely.
        let again = about(&engine, &[picture(&engine, (97, 61), 1)], "What is this?");
        let (same, same_scores, cached) = answer(&engine, &again);
        assert_eq!((same, cached as usize), (text.clone(), one.len() - 1));
        assert!((same_scores[0].logprob - scores[0].logprob).abs() < 0.05);
        let (other, other_scores, cached) = answer(&engine, &two);
        assert!(cached < 16, "{cached}: another picture is not the same");
        assert_ne!(scores[0].logprob, other_scores[0].logprob, "{text:?} {other:?}");
        let stats = engine.stats();
        assert!(stats.pictures >= 2, "{stats:?}");
    }
}

#[test]
fn text_alone_is_answered_as_without_a_projector() {
    let question = "What is the capital of France?";
    let plain = ask(&load(&chat_config()), question, greedy(24));
    let folder = Folder::new("text");
    let engine = load(&folder.projector(Kind::Llava));
    assert_eq!(ask(&engine, question, greedy(24)), plain);
    answer(&engine, &about(&engine, &[picture(&engine, (30, 30), 3)], "And this?"));
    assert_eq!(ask(&engine, question, greedy(24)), plain);
}

#[test]
fn a_stream_goes_on_while_pictures_are_read_and_a_cancelled_one_frees_its_place() {
    let folder = Folder::new("streams");
    let engine = load(&folder.projector(Kind::Llava));
    let question = "Write five sentences about Rome.";
    let alone = ask(&engine, question, greedy(40));
    let running = engine.generate(prompt(&engine, question), greedy(40)).expect("there is room");
    let sight = |seed| picture(&engine, (64, 64), seed);
    let cancelled = about(&engine, &[sight(8), sight(9), sight(10)], "What is this?");
    drop(engine.generate(cancelled, greedy(40)).expect("there is room"));
    let seen = about(&engine, &[sight(4), sight(5)], "What is this?");
    let beside = engine.generate(seen.clone(), greedy(12)).expect("there is room");
    let together = collect(&engine, running);
    collect(&engine, beside);
    assert_eq!(together.0[..20], alone.0[..20]);
    wait_until("nothing runs", || engine.stats().active == 0 && engine.stats().queued == 0);
    answer(&engine, &seen);
}

/// How llama.cpp's own way of reading pictures (`mtmd_helper_eval_chunks`, at once and in pieces) begins
/// its answer about the first of the pictures below: tokens, and how likely each is.
const REFERENCE: [(i32, f32); 4] =
    [(28062, -7.674_123), (25395, -7.308_852), (41782, -7.860_878), (18864, -7.554_701)];

#[test]
fn lines_and_columns_of_a_picture_are_counted_apart() {
    let folder = Folder::new("lines");
    let engine = load(&folder.lines(512));
    let words = about(&engine, &[], "What is this?").len();
    let [wide, high] = [(280, 140), (140, 280)].map(|size| picture(&engine, size, 1));
    let [one, same, other, turned] =
        [wide.clone(), picture(&engine, (280, 140), 1), picture(&engine, (280, 140), 2), high]
            .map(|sight| about(&engine, &[sight], "What is this?"));
    assert!(one.len() >= words + 50 && one.len() == turned.len(), "{}", one.len());
    let (text, scores, cached) = answer(&engine, &one);
    assert_eq!(cached, 0);
    for ((token, logprob), score) in REFERENCE.into_iter().zip(&scores) {
        let is_near = (score.logprob - logprob).abs() < 0.02;
        assert!(score.token == Token(token) && is_near, "{logprob} {score:?}");
    }
    let (again, same_scores, cached) = answer(&engine, &same);
    assert_eq!((again, cached as usize), (text, one.len() - 1));
    assert_near(&scores, &same_scores);
    for prompt in [&other, &turned] {
        let (_, differing, cached) = answer(&engine, prompt);
        assert!((cached as usize) < one.len() - 50, "{cached}: another picture is not the same");
        assert_ne!(scores[0].logprob, differing[0].logprob);
    }
    // Two of them, and words behind each.
    let both = about(&engine, &[wide.clone(), wide], "Are they the same?");
    let (text, scores, _) = answer(&engine, &both);
    let (again, same_scores, cached) = answer(&engine, &both);
    assert_eq!((again, cached as usize), (text, both.len() - 1));
    assert_near(&scores, &same_scores);
}

#[test]
fn a_large_picture_takes_no_more_of_the_context_than_is_allowed() {
    let folder = Folder::new("limit");
    let rows = |picture_tokens_max| {
        let engine = load(&EngineConfig { picture_tokens_max, ..folder.lines(512) });
        let prompt = |sights: &[Sight]| about(&engine, sights, "What is this?");
        let sight = picture(&engine, (420, 420), 1);
        // The words and the marks around a picture, without its nine rows.
        let small = prompt(&[picture(&engine, (84, 84), 1)]).len() - 9;
        let seen = prompt(&[sight]);
        answer(&engine, &seen);
        seen.len() - small
    };
    assert_eq!(rows(None), 225);
    let few = rows(Some(64));
    assert!((32..=64).contains(&few), "{few}");
    // It makes eight at least.
    let config = EngineConfig { picture_tokens_max: Some(7), ..folder.lines(512) };
    let mmproj = config.mmproj_path.clone().expect("it has one");
    assert!(refused(&config, &mmproj).contains("picture_tokens_max = 7"));
}

#[test]
fn a_picture_with_lines_is_read_in_pieces_as_at_once() {
    let folder = Folder::new("pieces");
    let read = |batch_tokens| {
        let engine = load(&folder.lines(batch_tokens));
        let sights = [(280, 140), (84, 196)].map(|size| picture(&engine, size, 1));
        answer(&engine, &about(&engine, &sights, "What are these?"))
    };
    let (text, scores, _) = read(512);
    let (same, same_scores, _) = read(16);
    assert_eq!(same, text);
    assert_near(&scores, &same_scores);
}

#[test]
fn pictures_with_lines_and_texts_are_read_side_by_side() {
    let folder = Folder::new("beside");
    let engine = load(&folder.lines(64));
    let sight = |seed| picture(&engine, (280, 280), seed);
    let [text, seen] = [
        about(&engine, &[], "Write five sentences about Rome."),
        about(&engine, &[sight(4), sight(5)], "What is this?"),
    ];
    let alone = [&text, &seen].map(|prompt| answer(&engine, prompt).0);
    let start =
        |prompt: &Prompt| engine.generate(prompt.clone(), greedy(12)).expect("there is room");
    let cancelled = about(&engine, &[sight(8), sight(9)], "What is this?");
    let running = start(&text);
    drop(start(&cancelled));
    let beside = start(&seen);
    let together = [running, beside].map(|generation| collect(&engine, generation).0);
    // Another batch size runs other kernels, whose rounding may flip a near tie.
    let beginning = |text: &String| text.chars().take(4).collect::<String>();
    assert_eq!(together.each_ref().map(beginning), alone.each_ref().map(beginning));
    wait_until("nothing runs", || engine.stats().active == 0 && engine.stats().queued == 0);
    assert_eq!(beginning(&answer(&engine, &seen).0), beginning(&alone[1]));
}

/// As likely, within what rounding allows.
fn assert_near(left: &[TokenScores], right: &[TokenScores]) {
    assert!(!left.is_empty() && left.len() == right.len());
    for (left, right) in left.iter().zip(right) {
        assert!((left.logprob - right.logprob).abs() < 0.05, "{left:?} {right:?}");
    }
}
