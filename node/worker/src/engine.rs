//! From the host's words to the engine's.

use gaia_inference::{CacheType, EngineConfig, EngineKind, FlashAttention, Lora, SplitMode};
use gaia_protocol::{self as protocol, ModelConfig, ModelKind};

/// The engine that serves `model`.
pub fn engine_config(model: &ModelConfig) -> EngineConfig {
    EngineConfig {
        model_path: model.path.clone(),
        kind: match model.kind {
            ModelKind::Chat => EngineKind::Generate,
            ModelKind::Embedding => EngineKind::Embed,
            ModelKind::Rerank => EngineKind::Rank,
        },
        context_tokens: model.context_tokens,
        sequences_max: model.sequences_max,
        queue_max: model.queue_max,
        batch_tokens: model.batch_tokens,
        run_ahead_tokens: model.run_ahead_tokens,
        threads: model.threads,
        gpu_layers: model.gpu_layers,
        gpu_partial: model.gpu_partial,
        main_gpu: model.main_gpu,
        split_mode: split_mode(model.split_mode),
        tensor_split: model.tensor_split.clone(),
        use_mmap: model.use_mmap,
        flash_attention: flash_attention(model.flash_attention),
        cache_type_k: cache_type(model.cache_type_k),
        cache_type_v: cache_type(model.cache_type_v),
        loras: model.loras.iter().map(lora).collect(),
        mmproj_path: model.mmproj_path.clone(),
        picture_tokens_max: model.picture_tokens_max,
        prompt_lookup: model.prompt_lookup,
        draft_path: model.draft_path.clone(),
        context_shift: model.context_shift,
        backends_dir: model.backends_dir.clone(),
    }
}

fn lora(lora: &protocol::LoraConfig) -> Lora {
    Lora { path: lora.path.clone(), scale: lora.scale }
}

fn split_mode(mode: protocol::SplitMode) -> SplitMode {
    match mode {
        protocol::SplitMode::None => SplitMode::None,
        protocol::SplitMode::Layer => SplitMode::Layer,
        protocol::SplitMode::Row => SplitMode::Row,
    }
}

fn flash_attention(choice: protocol::FlashAttention) -> FlashAttention {
    match choice {
        protocol::FlashAttention::Auto => FlashAttention::Auto,
        protocol::FlashAttention::On => FlashAttention::On,
        protocol::FlashAttention::Off => FlashAttention::Off,
    }
}

fn cache_type(choice: protocol::CacheType) -> CacheType {
    match choice {
        protocol::CacheType::F32 => CacheType::F32,
        protocol::CacheType::F16 => CacheType::F16,
        protocol::CacheType::Q8_0 => CacheType::Q8_0,
        protocol::CacheType::Q4_0 => CacheType::Q4_0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_that_are_told_are_the_engines() {
        let engine = gaia_inference::Sampling::default();
        assert_eq!(engine.temperature.to_bits(), protocol::Sampling::TEMPERATURE.to_bits());
        assert_eq!(engine.top_p.to_bits(), protocol::Sampling::TOP_P.to_bits());
    }
}
