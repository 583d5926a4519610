//! An app: a wasm file, checked, compiled once, parsed once, shared by all instances.

mod cache;
mod imports;

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::AppError;
use crate::ffi::{self, Compiler, Mode, Module, ModuleOptions, PAGE_BYTES};

/// Bytes of a wasm file at most. The largest Rust command seen has 10 MB.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// How an app is to be loaded.
pub(crate) struct LoadOptions<'a> {
    /// The wasm file.
    pub(crate) path: &'a Path,
    /// Where compiled modules are kept; `None`: interpret.
    pub(crate) cache_dir: Option<&'a Path>,
    /// Count instructions.
    pub(crate) metered: bool,
    /// Linear memory of one instance.
    pub(crate) memory_bytes_max: u64,
}

/// A loaded app.
pub(crate) struct App {
    pub(crate) path: PathBuf,
    pub(crate) module: Module,
}

impl App {
    /// Loads, checks and compiles.
    pub(crate) fn load(options: &LoadOptions<'_>) -> Result<Self, AppError> {
        let path = options.path;
        let wasm = read(path)?;
        let plain = module_options(options, Mode::Interpreter)?;
        let invalid = |failure: ffi::Failure| AppError::Invalid {
            path: path.to_owned(),
            message: failure.to_string(),
        };
        let parsed = Module::parse(&wasm, plain).map_err(invalid)?;
        check(path, &parsed)?;
        let Some(cache_dir) = options.cache_dir else {
            return Ok(Self { path: path.to_owned(), module: parsed });
        };
        let compiled = ModuleOptions { mode: Mode::Aot, ..plain };
        let Some(compiler) = Compiler::new(compiled).map_err(invalid)? else {
            tracing::warn!(app = %path.display(), "this WasmEdge has no compiler: the app is interpreted, which is slow");
            return Ok(Self { path: path.to_owned(), module: parsed });
        };
        let module = cache::load(&cache::Entry {
            path,
            wasm: &wasm,
            cache_dir,
            compiler: &compiler,
            options: compiled,
        })?;
        Ok(Self { path: path.to_owned(), module })
    }

    /// The app's name for its own arguments and for logs: the file's name without its ending.
    pub(crate) fn name(&self) -> String {
        let stem = self.path.file_stem().unwrap_or(self.path.as_os_str());
        stem.to_string_lossy().into_owned()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, AppError> {
    let failed = |source| AppError::Read { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    let length = bytes.len() as u64;
    if length > FILE_BYTES_MAX {
        let bytes = std::fs::metadata(path).map_or(length, |metadata| metadata.len());
        return Err(AppError::TooLarge { path: path.to_owned(), bytes, limit: FILE_BYTES_MAX });
    }
    Ok(bytes)
}

fn module_options(options: &LoadOptions<'_>, mode: Mode) -> Result<ModuleOptions, AppError> {
    let pages = options.memory_bytes_max / PAGE_BYTES;
    if pages == 0 {
        return Err(AppError::Config {
            field: "memory_bytes_max",
            message: format!(
                "must be at least one page of {PAGE_BYTES} bytes, not {}",
                options.memory_bytes_max
            ),
        });
    }
    Ok(ModuleOptions { mode, metered: options.metered, memory_pages_max: pages.min(65_536) })
}

fn check(path: &Path, module: &Module) -> Result<(), AppError> {
    if let Some((import, hint)) = module.imports().iter().find_map(imports::refuse) {
        let import = format!("{}.{}", import.module, import.name);
        return Err(AppError::ForeignImport { path: path.to_owned(), import, hint });
    }
    let (functions, memories) = module.exports();
    if !functions.iter().any(|name| name == "_start") {
        return Err(AppError::NoStart { path: path.to_owned() });
    }
    let limit = module.options().memory_pages_max;
    match memories.into_iter().max() {
        Some(pages) if pages > limit => Err(AppError::Memory {
            path: path.to_owned(),
            needed_bytes: pages.saturating_mul(PAGE_BYTES),
            limit_bytes: limit * PAGE_BYTES,
        }),
        _ => Ok(()),
    }
}
