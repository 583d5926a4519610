//! BM25 for tests: words are runs of letters and digits, their numbers are hashes.

use std::collections::BTreeMap;
use std::sync::Arc;

use gaia_knowledge::server::Bm25;

/// Words of a text on average.
const WORDS_MEAN: f32 = 8.0;

/// BM25 with k = 1.2 and b = 0.75.
pub fn bm25() -> Bm25 {
    let query = |text: &str| counts(text).into_keys().map(|word| (word, 1.0)).unzip();
    Bm25 { document: Arc::new(document), query: Arc::new(query) }
}

fn document(text: &str) -> (Vec<u32>, Vec<f32>) {
    let counts = counts(text);
    let words: f32 = counts.values().sum();
    let length = 1.2 * (0.25 + 0.75 * words / WORDS_MEAN);
    counts.into_iter().map(|(word, count)| (word, count * 2.2 / (count + length))).unzip()
}

fn counts(text: &str) -> BTreeMap<u32, f32> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut counts = BTreeMap::new();
    for word in words {
        *counts.entry(number(&word.to_lowercase())).or_default() += 1.0;
    }
    counts
}

fn number(word: &str) -> u32 {
    word.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
