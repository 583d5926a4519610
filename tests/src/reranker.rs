//! A reranker made of the small embedding model: no registry carries a trained one of its size. Its head
//! weighs the numbers of a pair's first token, so what it should say can be computed.

use std::path::{Path, PathBuf};

use super::gguf::Gguf;

/// Numbers of the embedding model's rows.
pub const RANK_WIDTH: usize = 384;

/// What comes out for a text: llama.cpp's pooling types.
pub const POOL_FIRST: u32 = 2;
/// As above.
pub const POOL_SCORE: u32 = 4;

/// What is changed in the embedding model.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// What comes out for a text.
    pub pooling: u32,
    /// The weights of the head, a row of [`RANK_WIDTH`] for each score; none: no head.
    pub weights: Vec<f32>,
    /// Added to each score.
    pub bias: f32,
    /// The template of a pair.
    pub template: Option<&'static str>,
}

/// Weights that look random and are always the same.
#[must_use]
pub fn random_weights(seed: u32) -> Vec<f32> {
    let mut random = seed;
    let mut number = || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..RANK_WIDTH).map(|_| number()).collect()
}

/// Writes the embedding model with another head.
///
/// # Panics
/// The folder is not writable, or the model is no GGUF file of the kind that setup makes.
#[must_use]
pub fn reranker(model: &Path, folder: &Path, head: &Head) -> PathBuf {
    let name = head.weights.iter().fold(head.pooling, |sum, w| sum.rotate_left(5) ^ w.to_bits());
    let path = folder.join(format!("rank-{name:08x}-{}.gguf", u8::from(head.template.is_some())));
    let mut file = Gguf::default();
    file.copy_but(model, "bert.pooling_type");
    file.number("bert.pooling_type", head.pooling.into());
    if let Some(template) = head.template {
        file.word("tokenizer.chat_template.rerank", template);
    }
    let scores = head.weights.len() / RANK_WIDTH;
    if scores > 1 {
        let labels: Vec<String> = (0..scores).map(|label| label.to_string()).collect();
        file.words("bert.classifier.output_labels", &labels);
    }
    if scores > 0 {
        let shape = [RANK_WIDTH as u64, scores as u64];
        file.tensor_of("cls.output.weight", &shape, &head.weights);
        file.tensor_of("cls.output.bias", &shape[1..], &vec![head.bias; scores]);
    }
    file.write(&path);
    path
}
