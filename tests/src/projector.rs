//! Projectors of random numbers: no registry carries trained ones for small models. They see nothing,
//! but what they make of a picture follows from each of its pixels.

use std::path::{Path, PathBuf};

use super::gguf::Gguf;

/// Numbers of the small chat model's rows.
pub const MODEL_WIDTH: u64 = 576;

/// Numbers of a row of [`lines_model`].
pub const LINES_WIDTH: u64 = 64;

const WIDTH: u64 = 32;
const INNER: u64 = 48;
const SIDE: u64 = 56;
const PATCH: u64 = 14;
const PATCHES: u64 = (SIDE / PATCH) * (SIDE / PATCH);

/// How a projector's rows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// LLaVA's: sixteen rows, read one after another.
    Llava,
    /// Gemma 3's: four rows that see each other, between two marks.
    Gemma,
    /// Qwen2-VL's, for [`lines_model`]: a row for each 28 × 28 pixels, between two marks; lines and
    /// columns are counted apart.
    Qwen,
    /// One that says to be of another kind, and is LLaVA's.
    Called(&'static str),
}

/// Writes a projector that makes rows of `width` numbers.
///
/// # Panics
/// The folder is not writable.
#[must_use]
pub fn projector(folder: &Path, kind: Kind, width: u64) -> PathBuf {
    let path = folder.join(format!("mmproj-{}-{width}.gguf", name(kind)));
    let mut file = Gguf::default();
    keys(&mut file, kind, width);
    blocks(&mut file, kind);
    ends(&mut file, kind, width);
    file.write(&path);
    path
}

/// Writes a text model of Qwen2-VL's kind, which counts the lines and columns of pictures (M-RoPE):
/// random numbers with the vocabulary and the template of another model. It says nothing of sense.
///
/// # Panics
/// The folder is not writable, or the other model is missing.
#[must_use]
pub fn lines_model(folder: &Path, vocabulary: &Path) -> PathBuf {
    const VOCABULARY: u64 = 49_152;
    let path = folder.join("lines.gguf");
    let mut file = Gguf::default();
    file.word("general.architecture", "qwen2vl");
    file.word("general.name", "lines");
    for (key, value) in [
        ("context_length", 2048),
        ("embedding_length", LINES_WIDTH),
        ("block_count", 2),
        ("feed_forward_length", 2 * LINES_WIDTH),
        ("attention.head_count", 2),
        ("attention.head_count_kv", 1),
    ] {
        file.number(&format!("qwen2vl.{key}"), value);
    }
    file.fraction("qwen2vl.attention.layer_norm_rms_epsilon", 1e-5);
    // Halves of a head's 32 numbers: for time, line, column, and nothing.
    file.numbers("qwen2vl.rope.dimension_sections", &[4, 6, 6, 0]);
    file.copy(vocabulary, "tokenizer.");
    let (width, head, inner) = (LINES_WIDTH, LINES_WIDTH / 2, 2 * LINES_WIDTH);
    file.tensor("token_embd.weight", &[width, VOCABULARY]);
    file.tensor("output.weight", &[width, VOCABULARY]);
    file.tensor("output_norm.weight", &[width]);
    for block in 0..2 {
        for (name, shape) in [
            ("attn_norm", vec![width]),
            ("attn_q", vec![width, width]),
            ("attn_k", vec![width, head]),
            ("attn_v", vec![width, head]),
            ("attn_output", vec![width, width]),
            ("ffn_norm", vec![width]),
            ("ffn_gate", vec![width, inner]),
            ("ffn_up", vec![width, inner]),
            ("ffn_down", vec![inner, width]),
        ] {
            file.tensor(&format!("blk.{block}.{name}.weight"), &shape);
        }
    }
    file.write(&path);
    path
}

/// What llama.cpp calls it.
fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Llava => "mlp",
        Kind::Gemma => "gemma3",
        Kind::Qwen => "qwen2vl_merger",
        Kind::Called(name) => name,
    }
}

fn keys(file: &mut Gguf, kind: Kind, width: u64) {
    file.word("general.architecture", "clip");
    file.word("clip.projector_type", name(kind));
    file.flag("clip.has_vision_encoder");
    file.flag("clip.use_gelu");
    for (key, value) in [
        ("embedding_length", WIDTH),
        ("attention.head_count", 2),
        ("feed_forward_length", 2 * WIDTH),
        ("block_count", 2),
        ("projection_dim", width),
        ("image_size", SIDE),
        ("patch_size", PATCH),
        ("projector.scale_factor", 2),
    ] {
        file.number(&format!("clip.vision.{key}"), value);
    }
    file.fraction("clip.vision.attention.layer_norm_epsilon", 1e-5);
    file.fractions("clip.vision.image_mean", &[0.5; 3]);
    file.fractions("clip.vision.image_std", &[0.5; 3]);
}

fn blocks(file: &mut Gguf, kind: Kind) {
    file.tensor("v.patch_embd.weight", &[PATCH, PATCH, 3, WIDTH]);
    if kind == Kind::Qwen {
        // For the second of two pictures of a film.
        file.tensor("v.patch_embd.weight.1", &[PATCH, PATCH, 3, WIDTH]);
    } else {
        file.tensor("v.position_embd.weight", &[WIDTH, PATCHES]);
    }
    for block in 0..2 {
        for (name, shape) in [
            ("attn_q.weight", vec![WIDTH, WIDTH]),
            ("attn_k.weight", vec![WIDTH, WIDTH]),
            ("attn_v.weight", vec![WIDTH, WIDTH]),
            ("attn_out.weight", vec![WIDTH, WIDTH]),
            ("ln1.weight", vec![WIDTH]),
            ("ln1.bias", vec![WIDTH]),
            ("ln2.weight", vec![WIDTH]),
            ("ln2.bias", vec![WIDTH]),
            ("ffn_up.weight", vec![WIDTH, 2 * WIDTH]),
            ("ffn_down.weight", vec![2 * WIDTH, WIDTH]),
        ] {
            file.tensor(&format!("v.blk.{block}.{name}"), &shape);
        }
        for name in ["attn_q", "attn_k", "attn_v"].into_iter().filter(|_| kind == Kind::Qwen) {
            file.tensor(&format!("v.blk.{block}.{name}.bias"), &[WIDTH]);
        }
    }
}

fn ends(file: &mut Gguf, kind: Kind, width: u64) {
    if kind == Kind::Gemma {
        file.tensor("mm.input_projection.weight", &[width, WIDTH]);
        file.tensor("mm.soft_emb_norm.weight", &[WIDTH]);
        return;
    }
    // Qwen's reads four patches as one.
    let read = if kind == Kind::Qwen { 4 * WIDTH } else { WIDTH };
    file.tensor("mm.0.weight", &[read, INNER]);
    file.tensor("mm.0.bias", &[INNER]);
    file.tensor("mm.2.weight", &[INNER, width]);
    file.tensor("mm.2.bias", &[width]);
}
