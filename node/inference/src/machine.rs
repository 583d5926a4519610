//! What can be said without loading a model.

use std::path::{Path, PathBuf};

use crate::{Device, EngineConfig, EngineKind, LoadError, backends, ffi, file};

/// What this machine can compute with.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// Where ggml's backends were looked for.
    pub backends_dir: PathBuf,
    /// The devices found.
    pub devices: Vec<Device>,
    /// The processor's features that the chosen CPU backend uses, such as `AVX2 AVX512`.
    pub cpu_features: String,
    /// llama.cpp's version.
    pub llama_version: String,
}

/// Looks for backends in `backends_dir`, or where an [`EngineConfig`] without one would.
///
/// # Errors
/// [`LoadError::NoBackend`].
pub fn machine(backends_dir: Option<PathBuf>) -> Result<Machine, LoadError> {
    let config = EngineConfig { backends_dir, ..EngineConfig::new("", EngineKind::Generate) };
    ffi::install_log();
    let backends_dir = backends::folder(&config);
    ffi::load_backends(&backends_dir)?;
    Ok(Machine {
        backends_dir,
        devices: ffi::devices(),
        cpu_features: ffi::cpu_features(),
        llama_version: ffi::llama_version(),
    })
}

/// What a model file is for. An embedding model's header says how vectors are pooled, a reranker's that a
/// score is made of them.
///
/// # Errors
/// The file can't be read or is no GGUF.
pub fn kind_of(path: &Path) -> Result<EngineKind, LoadError> {
    ffi::install_log();
    file::check(path)?;
    let header = ffi::Header::read(path)?;
    Ok(match header.pooling {
        ffi::Pooling::Absent => EngineKind::Generate,
        ffi::Pooling::Vector => EngineKind::Embed,
        ffi::Pooling::Score => EngineKind::Rank,
    })
}
