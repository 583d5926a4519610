//! Adapters, made here: no registry carries one for the small model.

use std::path::{Path, PathBuf};

use gaia_inference::Lora;

use super::*;

const WIDTH: u64 = 576;
const RANK: u64 = 4;

/// An adapter of one matrix of the first layer, whose numbers are of this size.
fn adapter(name: &str, size: f32) -> PathBuf {
    let tensor = |which: &str, shape: [u64; 2], offset: u64| {
        let name = format!("blk.0.attn_output.weight.lora_{which}");
        let shape = shape.map(u64::to_le_bytes).concat();
        let (f32_type, offset) = (0_u32.to_le_bytes().to_vec(), offset.to_le_bytes().to_vec());
        [string(&name), 2_u32.to_le_bytes().to_vec(), shape, f32_type, offset].concat()
    };
    let text = |key: &str, value: &str| {
        [string(key), 8_u32.to_le_bytes().to_vec(), string(value)].concat()
    };
    let number = [string("adapter.lora.alpha"), 6_u32.to_le_bytes().to_vec()].concat();
    let mut file = [
        b"GGUF".to_vec(),
        3_u32.to_le_bytes().to_vec(),
        2_u64.to_le_bytes().to_vec(),
        4_u64.to_le_bytes().to_vec(),
        text("general.type", "adapter"),
        text("general.architecture", "llama"),
        text("adapter.type", "lora"),
        [number, 4_f32.to_le_bytes().to_vec()].concat(),
        tensor("a", [WIDTH, RANK], 0),
        tensor("b", [RANK, WIDTH], WIDTH * RANK * 4),
    ]
    .concat();
    file.resize(file.len().next_multiple_of(32), 0);
    let numbers =
        (0..2 * WIDTH * RANK).map(|index| ((index * 37 % 101) as f32 / 50.0 - 1.0) * size);
    file.extend(numbers.flat_map(f32::to_le_bytes));
    let path = std::env::temp_dir().join(format!("gaia-lora-{}-{name}.gguf", std::process::id()));
    std::fs::write(&path, file).expect("the temporary folder is writable");
    path
}

fn string(text: &str) -> Vec<u8> {
    [(text.len() as u64).to_le_bytes().to_vec(), text.as_bytes().to_vec()].concat()
}

fn with(path: &Path, scale: f32) -> EngineConfig {
    let loras = vec![Lora { path: path.to_path_buf(), scale }];
    EngineConfig { loras, sequences_max: 2, ..chat_config() }
}

fn refused(path: &Path) -> String {
    let error = Engine::load(&with(path, 1.0), Box::new(|_| true)).err().expect("refused");
    assert!(error.to_string().contains(&*path.to_string_lossy()), "{error}");
    error.to_string()
}

#[test]
fn what_is_no_adapter_is_refused_with_its_name() {
    refused(Path::new("/nowhere/adapter.gguf"));
    assert!(refused(&model("SmolLM2-135M-Instruct.Q4_1.gguf")).contains("adapter"));
    let path = adapter("cut", 1.0);
    let whole = std::fs::read(&path).expect("just written");
    std::fs::write(&path, &whole[..whole.len() / 2]).expect("writable");
    assert!(refused(&path).contains("bytes"));
    std::fs::remove_file(path).expect("just written");
}

#[test]
fn an_adapter_changes_the_answer_as_much_as_its_scale_says() {
    let path = adapter("strong", 3.0);
    let question = "What is the capital of France?";
    let (plain, _) = ask(&load(&chat_config()), question, greedy(12));
    let (without, _) = ask(&load(&with(&path, 0.0)), question, greedy(12));
    let (strong, _) = ask(&load(&with(&path, 1.0)), question, greedy(12));
    std::fs::remove_file(path).expect("just written");
    assert_eq!(plain, without);
    assert_ne!(plain, strong);
}
