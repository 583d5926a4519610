//! Scores, with heads made here: no registry carries a reranker of the small model's size.

#[path = "../../../../tests/src/reranker.rs"]
mod reranker;

use std::path::Path;

use reranker::{Head, POOL_FIRST, POOL_SCORE, RANK_WIDTH, random_weights};

use super::*;

/// A folder for one test's files, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gaia-rank-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the temporary folder is writable");
        Self(path)
    }

    fn model(&self, head: &Head) -> PathBuf {
        reranker::reranker(&model("all-MiniLM-L6-v2.f16.gguf"), &self.0, head)
    }

    /// A reranker whose score is the sum of the first token's numbers, so weighted.
    fn weighing(&self, weights: Vec<f32>) -> EngineConfig {
        ranking(&self.model(&Head { pooling: POOL_SCORE, weights, ..Head::default() }))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn ranking(path: &Path) -> EngineConfig {
    EngineConfig::new(path, EngineKind::Rank)
}

/// The tokens of a pair, as the engine says that they are put together.
fn pair(engine: &Engine, query: &str, document: &str) -> Vec<Token> {
    let options = TokenizeOptions { add_special: false, parse_special: false };
    let text = |text: &str| engine.tokenize(text, options).expect("it is short");
    let form = engine.info().pair.clone().expect("it is a reranker");
    [form.before, text(query), form.between, text(document), form.after].concat()
}

fn compute(engine: &Engine, pairs: &[Vec<Token>]) -> Vec<Vec<f32>> {
    let start = |tokens: &Vec<Token>| engine.embed(tokens.clone()).expect("admitted");
    let pending: Vec<_> = pairs.iter().map(start).collect();
    let wait = |mut pending: gaia_inference::PendingEmbedding| {
        pending.wait_timeout(PATIENCE).expect("computes").expect("in time")
    };
    pending.into_iter().map(wait).collect()
}

const QUERY: &str = "Where do cats sleep?";
const DOCUMENTS: [&str; 4] = [
    "Cats sleep on mats, in boxes and on warm keyboards.",
    "Interest rates rose.",
    "A dog barks at the moon, and the moon does not mind it at all, for it is far away.",
    "mat",
];

fn pairs(engine: &Engine) -> Vec<Vec<Token>> {
    DOCUMENTS.iter().map(|document| pair(engine, QUERY, document)).collect()
}

#[test]
fn scores_are_what_the_head_makes_of_the_first_token() {
    let folder = Folder::new("head");
    // The numbers of the first token, made one long, by the model without a head.
    let (pairs, directions) = {
        let pooled = folder.model(&Head { pooling: POOL_FIRST, ..Head::default() });
        let ranker = load(&folder.weighing(random_weights(1)));
        let pairs = pairs(&ranker);
        drop(ranker);
        let engine = load(&EngineConfig::new(pooled, EngineKind::Embed));
        (pairs.clone(), compute(&engine, &pairs))
    };
    // A head that takes the first number alone tells how long they were.
    let mut first = vec![0.0; RANK_WIDTH];
    first[0] = 1.0;
    let firsts = compute(&load(&folder.weighing(first)), &pairs);
    let weights = random_weights(7);
    let scores = compute(&load(&folder.weighing(weights.clone())), &pairs);
    for ((direction, first), score) in directions.iter().zip(firsts).zip(scores) {
        let length = first[0] / direction[0];
        let wanted: f32 = direction.iter().zip(&weights).map(|(a, b)| a * b * length).sum();
        assert_eq!(score.len(), 1);
        assert!((score[0] - wanted).abs() < 0.02 * wanted.abs().max(1.0), "{score:?} {wanted}");
    }
}

#[test]
fn scores_are_the_same_together_and_alone() {
    let folder = Folder::new("batch");
    let engine = load(&folder.weighing(random_weights(3)));
    let alone: Vec<_> =
        pairs(&engine).into_iter().map(|pair| compute(&engine, &[pair]).remove(0)).collect();
    let many: Vec<_> = pairs(&engine).into_iter().cycle().take(50).collect();
    let together = compute(&engine, &many);
    for (together, alone) in together.iter().zip(alone.iter().cycle()) {
        assert!((together[0] - alone[0]).abs() < 0.01, "{together:?} {alone:?}");
    }
    let spread = alone.iter().map(|score| score[0]).fold(f32::MIN, f32::max)
        - alone.iter().map(|score| score[0]).fold(f32::MAX, f32::min);
    assert!(spread > 0.05, "the scores tell the documents apart: {alone:?}");
    let long = vec![Token(1000); 600];
    assert!(matches!(engine.embed(long), Err(AdmitError::PromptTooLong { .. })));
    let text = engine.generate(vec![Token(1000)], GenerateOptions::default());
    assert!(matches!(text, Err(AdmitError::WrongKind(_))));
}

#[test]
fn a_pair_has_the_marks_of_its_vocabulary_or_a_template() {
    let folder = Folder::new("form");
    let weights = random_weights(1);
    let form = |template| {
        let head = Head { pooling: POOL_SCORE, weights: weights.clone(), template, bias: 0.5 };
        load(&ranking(&folder.model(&head))).info().pair.clone().expect("it is a reranker")
    };
    let plain = form(None);
    // This file says to end a text with a mark, and llama.cpp parts two texts of BERT's by another one.
    assert_eq!(plain.before, [Token(101)]);
    assert_eq!((plain.between, plain.after), (vec![Token(102); 2], vec![Token(102)]));
    assert_eq!((plain.template, plain.gives_probability), (None, false));
    assert_eq!(form(Some("{query} {document}")).template.as_deref(), Some("{query} {document}"));
}

#[test]
fn what_is_no_reranker_is_refused_and_so_is_one_loaded_for_vectors() {
    let folder = Folder::new("refused");
    let refused = |config: &EngineConfig| {
        Engine::load(config, Box::new(|_| true)).err().expect("refused").to_string()
    };
    let embeds = ranking(&model("all-MiniLM-L6-v2.f16.gguf"));
    assert!(refused(&embeds).contains("no head that scores"), "{}", refused(&embeds));
    let chats = EngineConfig { kind: EngineKind::Rank, ..chat_config() };
    assert!(refused(&chats).contains("no head that scores"), "{}", refused(&chats));
    let three = folder.weighing([1, 2, 3].map(random_weights).concat());
    assert!(refused(&three).contains("gives 3 numbers"), "{}", refused(&three));
    let template = Some("{query} {documents}");
    let weights = random_weights(2);
    let told = Head { pooling: POOL_SCORE, weights, template, ..Head::default() };
    let told = ranking(&folder.model(&told));
    assert!(refused(&told).contains("lacks {query} or {document}"), "{}", refused(&told));
    let ranker = folder.weighing(random_weights(1));
    let as_vectors = EngineConfig { kind: EngineKind::Embed, ..ranker.clone() };
    assert!(refused(&as_vectors).contains("\"rerank\""), "{}", refused(&as_vectors));
    let seeing = EngineConfig { mmproj_path: Some(ranker.model_path.clone()), ..ranker.clone() };
    assert!(refused(&seeing).contains("mmproj_path"), "{}", refused(&seeing));
    assert_eq!(gaia_inference::kind_of(&ranker.model_path).expect("a model"), EngineKind::Rank);
}
