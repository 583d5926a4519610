//! A reranker made of the small embedding model: no registry carries a trained one of its size. Its head
//! weighs the numbers of a pair's first token, so what it should say can be computed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Numbers of the embedding model's rows.
pub const RANK_WIDTH: usize = 384;

const UINT32: u32 = 4;
const FLOAT32: u32 = 0;
const TEXT: u32 = 8;
const LIST: u32 = 9;
const ALIGNMENT: usize = 32;

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
    let file = std::fs::read(model).expect("the embedding model");
    std::fs::write(&path, with_head(&file, head)).expect("the folder is writable");
    path
}

fn with_head(file: &[u8], head: &Head) -> Vec<u8> {
    let mut reader = Reader { file, at: 8 };
    let (tensors, keys) = (reader.number(8), reader.number(8));
    let mut values: HashMap<String, (usize, usize)> = HashMap::new();
    let keys_start = reader.at;
    for _ in 0..keys {
        let name = reader.text();
        let kind = reader.number(4) as u32;
        let start = reader.at;
        reader.skip(kind);
        values.insert(name, (start, reader.at));
    }
    let keys_end = reader.at;
    let mut data_bytes = 0;
    for _ in 0..tensors {
        let (_, sides) = (reader.text(), reader.number(4));
        reader.at += 8 * sides as usize + 4;
        data_bytes = data_bytes.max(reader.number(8));
    }
    let infos = &file[keys_end..reader.at];
    let data = &file[reader.at.next_multiple_of(ALIGNMENT)..];
    assert!(data_bytes < data.len() as u64, "the tensors lie behind the header");

    let scores = head.weights.len() / RANK_WIDTH;
    let more = new_keys(head, scores);
    let (more_infos, more_data) = new_tensors(head, scores, data.len());
    let mut old = file[keys_start..keys_end].to_vec();
    let (pooling, _) = values["bert.pooling_type"];
    old[pooling - keys_start..][..4].copy_from_slice(&head.pooling.to_le_bytes());
    let mut new = [
        file[..8].to_vec(),
        (tensors + more_infos.len() as u64).to_le_bytes().to_vec(),
        (keys + more.len() as u64).to_le_bytes().to_vec(),
        old,
        more.concat(),
        infos.to_vec(),
        more_infos.concat(),
    ]
    .concat();
    new.resize(new.len().next_multiple_of(ALIGNMENT), 0);
    new.extend(data);
    new.resize(new.len().next_multiple_of(ALIGNMENT), 0);
    new.extend(more_data);
    new
}

fn new_keys(head: &Head, scores: usize) -> Vec<Vec<u8>> {
    let word = |key: &str, value: &str| [text(key), bytes(TEXT), text(value)].concat();
    let mut keys: Vec<_> =
        head.template.iter().map(|value| word("tokenizer.chat_template.rerank", value)).collect();
    if scores > 1 {
        let labels: Vec<u8> = (0..scores).flat_map(|label| text(&label.to_string())).collect();
        let count = (scores as u64).to_le_bytes().to_vec();
        let list = [bytes(LIST), bytes(TEXT), count, labels].concat();
        keys.push([text("bert.classifier.output_labels"), list].concat());
    }
    keys
}

/// What the header says of the head's tensors, and their numbers.
fn new_tensors(head: &Head, scores: usize, start: usize) -> (Vec<Vec<u8>>, Vec<u8>) {
    let (mut infos, mut data) = (vec![], vec![]);
    let start = start.next_multiple_of(ALIGNMENT);
    let tensors = [
        ("cls.output.weight", vec![RANK_WIDTH, scores], head.weights.clone()),
        ("cls.output.bias", vec![scores], vec![head.bias; scores]),
    ];
    for (name, sides, numbers) in tensors.into_iter().filter(|_| scores > 0) {
        let offset = (start + data.len()) as u64;
        let shape: Vec<u8> = sides.iter().flat_map(|side| (*side as u64).to_le_bytes()).collect();
        let sides = bytes(sides.len() as u32);
        let place = offset.to_le_bytes().to_vec();
        infos.push([text(name), sides, shape, bytes(FLOAT32), place].concat());
        data.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        data.resize(data.len().next_multiple_of(ALIGNMENT), 0);
    }
    (infos, data)
}

/// Reads a GGUF file's header.
struct Reader<'a> {
    file: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn number(&mut self, bytes: usize) -> u64 {
        let mut number = [0; 8];
        number[..bytes].copy_from_slice(&self.file[self.at..self.at + bytes]);
        self.at += bytes;
        u64::from_le_bytes(number)
    }

    fn text(&mut self) -> String {
        let length = self.number(8) as usize;
        let text = String::from_utf8_lossy(&self.file[self.at..self.at + length]).into_owned();
        self.at += length;
        text
    }

    fn skip(&mut self, kind: u32) {
        match kind {
            TEXT => drop(self.text()),
            LIST => {
                let (kind, count) = (self.number(4) as u32, self.number(8));
                (0..count).for_each(|_| self.skip(kind));
            }
            0 | 1 | 7 => self.at += 1,
            2 | 3 => self.at += 2,
            UINT32 | 5 | 6 => self.at += 4,
            _ => self.at += 8,
        }
    }
}

fn bytes(number: u32) -> Vec<u8> {
    number.to_le_bytes().to_vec()
}

/// A string as GGUF has it.
fn text(text: &str) -> Vec<u8> {
    [(text.len() as u64).to_le_bytes().to_vec(), text.as_bytes().to_vec()].concat()
}
