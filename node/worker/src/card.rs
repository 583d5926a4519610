//! What the worker tells the host about its model.

use gaia_inference::{Engine, EngineInfo, Token};
use gaia_protocol::{Device, GuestModel, ModelCard, ModelConfig, PairForm};

/// The card of a loaded model.
pub fn card(config: &ModelConfig, engine: &Engine) -> ModelCard {
    let info = engine.info();
    ModelCard {
        name: config.name.clone(),
        kind: config.kind,
        architecture: info.architecture.clone(),
        description: info.description.clone(),
        size_bytes: info.size_bytes,
        parameters: info.parameters,
        context_tokens: info.context_tokens,
        context_train_tokens: info.context_train_tokens,
        embedding_dimension: info.embedding_dimension,
        vocabulary_tokens: info.vocabulary_tokens,
        sequences_max: config.sequences_max,
        queue_max: config.queue_max,
        threads: info.threads,
        gpu_layers: info.gpu_layers,
        gpu_memory_bytes: info.gpu_memory_bytes,
        devices: devices(info),
        llama_build: format!("llama.cpp {}", info.llama_version),
        takes_pictures: info.takes_pictures,
        picture_tokens_max: config.picture_tokens_max,
        guest: guest(&config.name, info),
    }
}

fn guest(name: &str, info: &EngineInfo) -> GuestModel {
    GuestModel {
        name: name.to_owned(),
        context_tokens: info.context_tokens,
        chat_template: info.chat_template.clone(),
        bos_token: info.bos_token.clone(),
        eos_token: info.eos_token.clone(),
        adds_bos: info.adds_bos,
        fill_tokens: info.fill_tokens.clone(),
        control_tokens: info.control_tokens.clone(),
        pair: info.pair.as_ref().map(pair),
    }
}

fn pair(form: &gaia_inference::PairForm) -> PairForm {
    let ids = |tokens: &[Token]| tokens.iter().map(|token| token.0.cast_unsigned()).collect();
    PairForm {
        before: ids(&form.before),
        between: ids(&form.between),
        after: ids(&form.after),
        template: form.template.clone(),
        gives_probability: form.gives_probability,
    }
}

/// The devices found; the processor with the features that its backend uses.
pub fn devices(info: &EngineInfo) -> Vec<Device> {
    let describe = |device: &gaia_inference::Device| {
        if device.is_gpu() {
            return device.description.clone();
        }
        format!("{} ({})", device.description.trim(), info.cpu_features)
    };
    let convert = |device: &gaia_inference::Device| Device {
        name: device.name.clone(),
        description: describe(device),
        memory_free_bytes: device.memory_free_bytes,
        memory_total_bytes: device.memory_total_bytes,
        layers: device.layers,
        memory_used_bytes: device.memory_used_bytes,
    };
    info.devices.iter().map(convert).collect()
}
