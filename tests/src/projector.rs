//! A projector of random numbers for the small chat model: no registry carries a trained one of its
//! size. It sees nothing, but what it makes of a picture follows from each of its pixels.

use std::path::{Path, PathBuf};

/// Numbers of the small chat model's rows.
pub const MODEL_WIDTH: u64 = 576;

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
}

/// Writes a projector that makes rows of `width` numbers.
///
/// # Panics
/// The folder is not writable.
#[must_use]
pub fn projector(folder: &Path, kind: Kind, width: u64) -> PathBuf {
    let path = folder.join(format!("mmproj-{kind:?}-{width}.gguf"));
    std::fs::write(&path, file(kind, width)).expect("the folder is writable");
    path
}

fn file(kind: Kind, width: u64) -> Vec<u8> {
    let tensors = tensors(kind, width);
    let keys = keys(kind, width);
    let mut head = [
        b"GGUF".to_vec(),
        3_u32.to_le_bytes().to_vec(),
        (tensors.len() as u64).to_le_bytes().to_vec(),
        (keys.len() as u64).to_le_bytes().to_vec(),
        keys.concat(),
    ]
    .concat();
    let mut offset = 0_u64;
    for (name, shape) in &tensors {
        head.extend(text(name));
        head.extend((shape.len() as u32).to_le_bytes());
        head.extend(shape.iter().flat_map(|side| side.to_le_bytes()));
        head.extend(0_u32.to_le_bytes());
        head.extend(offset.to_le_bytes());
        offset += (shape.iter().product::<u64>() * 4).next_multiple_of(32);
    }
    head.resize(head.len().next_multiple_of(32), 0);
    let mut random = 7_u32;
    for (name, shape) in &tensors {
        let is_norm = name.contains("ln") && name.ends_with("weight") || name.contains("norm");
        for _ in 0..shape.iter().product::<u64>() {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let number = (random >> 8) as f32 / (1 << 24) as f32 * 0.4 - 0.2;
            head.extend((number + if is_norm { 1.0 } else { 0.0 }).to_le_bytes());
        }
        head.resize(head.len().next_multiple_of(32), 0);
    }
    head
}

fn keys(kind: Kind, width: u64) -> Vec<Vec<u8>> {
    let number = |key: &str, value: u64| {
        [text(key), 4_u32.to_le_bytes().to_vec(), (value as u32).to_le_bytes().to_vec()].concat()
    };
    let flag = |key: &str| [text(key), 7_u32.to_le_bytes().to_vec(), vec![1]].concat();
    let word =
        |key: &str, value: &str| [text(key), 8_u32.to_le_bytes().to_vec(), text(value)].concat();
    let halves = |key: &str| {
        let list = [9_u32, 6].map(u32::to_le_bytes).concat();
        let numbers = [0.5_f32; 3].map(f32::to_le_bytes).concat();
        [text(key), list, 3_u64.to_le_bytes().to_vec(), numbers].concat()
    };
    let epsilon = 1e-5_f32.to_le_bytes().to_vec();
    vec![
        word("general.architecture", "clip"),
        word("clip.projector_type", if kind == Kind::Llava { "mlp" } else { "gemma3" }),
        flag("clip.has_vision_encoder"),
        flag("clip.use_gelu"),
        number("clip.vision.embedding_length", WIDTH),
        number("clip.vision.attention.head_count", 2),
        number("clip.vision.feed_forward_length", 2 * WIDTH),
        number("clip.vision.block_count", 2),
        number("clip.vision.projection_dim", width),
        number("clip.vision.image_size", SIDE),
        number("clip.vision.patch_size", PATCH),
        number("clip.vision.projector.scale_factor", 2),
        [text("clip.vision.attention.layer_norm_epsilon"), 6_u32.to_le_bytes().to_vec(), epsilon]
            .concat(),
        halves("clip.vision.image_mean"),
        halves("clip.vision.image_std"),
    ]
}

fn tensors(kind: Kind, width: u64) -> Vec<(String, Vec<u64>)> {
    let mut tensors: Vec<(String, Vec<u64>)> = vec![
        ("v.patch_embd.weight".into(), vec![PATCH, PATCH, 3, WIDTH]),
        ("v.position_embd.weight".into(), vec![WIDTH, PATCHES]),
    ];
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
            tensors.push((format!("v.blk.{block}.{name}"), shape));
        }
    }
    let ends = match kind {
        Kind::Llava => vec![
            ("mm.0.weight", vec![WIDTH, INNER]),
            ("mm.0.bias", vec![INNER]),
            ("mm.2.weight", vec![INNER, width]),
            ("mm.2.bias", vec![width]),
        ],
        Kind::Gemma => vec![
            ("mm.input_projection.weight", vec![width, WIDTH]),
            ("mm.soft_emb_norm.weight", vec![WIDTH]),
        ],
    };
    tensors.extend(ends.into_iter().map(|(name, shape)| (name.to_owned(), shape)));
    tensors
}

/// A string as GGUF has it.
fn text(text: &str) -> Vec<u8> {
    [(text.len() as u64).to_le_bytes().to_vec(), text.as_bytes().to_vec()].concat()
}
