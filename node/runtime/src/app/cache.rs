//! Compiled modules on disk.
//!
//! An entry's name is a fingerprint of everything that its content depends on. Its content is the
//! SHA-256 of the compiled module, then the module, so that a damaged entry is seen and made anew.
//! Entries appear by renaming a finished file; a lock file per entry lets one process compile while
//! the others wait.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::AppError;
use crate::ffi::{self, Compiler, Module, ModuleOptions};

/// Changed whenever this file or the compiler's settings change what an entry holds.
const FORMAT: &str = "gaia-aot-2 generic interruptible universal";

const DIGEST_BYTES: usize = 32;

/// What an entry is made from.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) path: &'a Path,
    pub(super) wasm: &'a [u8],
    pub(super) cache_dir: &'a Path,
    pub(super) compiler: &'a Compiler,
    pub(super) options: ModuleOptions,
}

/// The compiled module of `entry`, from the cache if it is there and whole.
pub(super) fn load(entry: &Entry<'_>) -> Result<Module, AppError> {
    std::fs::create_dir_all(entry.cache_dir).map_err(|source| at(entry.cache_dir, source))?;
    hold_fault_handler(entry).map_err(|failure| compile_error(entry, &failure))?;
    find_or_make(entry)
}

/// What keeps the handler is compiled code itself. It is kept, too: compiling reads 50 MiB of LLVM into
/// memory, which no other worker's start needs.
fn hold_fault_handler(entry: &Entry<'_>) -> Result<(), ffi::Failure> {
    ffi::hold_fault_handler(|wasm, options| {
        let compiler = Compiler::new(options).map_err(|failure| failure.to_string())?;
        let compiler = &compiler.ok_or("this WasmEdge has no compiler")?;
        let path = Path::new("the keeper of the fault handler");
        let keeper = Entry { path, wasm, compiler, options, ..*entry };
        find_or_make(&keeper).map_err(|error| error.to_string())
    })
}

fn find_or_make(entry: &Entry<'_>) -> Result<Module, AppError> {
    let key = key(entry);
    let file = entry.cache_dir.join(format!("{key}.aot"));
    if let Some(module) = read(entry, &file) {
        return Ok(module);
    }
    let _lock = lock(&entry.cache_dir.join(format!("{key}.lock")))?;
    // Another process may have finished while this one waited.
    if let Some(module) = read(entry, &file) {
        return Ok(module);
    }
    let compiled = compile(entry, &key)?;
    let module = parse(entry, &compiled)?;
    write(entry.cache_dir, &file, &compiled)?;
    Ok(module)
}

/// Everything that the compiled module depends on. The memory limit is not compiled in.
fn key(entry: &Entry<'_>) -> String {
    let mut hash = Sha256::new();
    for part in [
        FORMAT,
        &ffi::version(),
        std::env::consts::ARCH,
        if entry.options.metered { "metered" } else { "free" },
    ] {
        hash.update(part);
        hash.update([0]);
    }
    hash.update(entry.wasm);
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `None` if there is no entry or it is damaged; both mean compiling.
fn read(entry: &Entry<'_>, file: &Path) -> Option<Module> {
    let bytes = std::fs::read(file).ok()?;
    let module = unseal(&bytes).map(|compiled| parse(entry, compiled));
    if let Some(Ok(module)) = module {
        return Some(module);
    }
    tracing::warn!(file = %file.display(), "a compiled app in the cache is damaged: compiling anew");
    None
}

fn parse(entry: &Entry<'_>, compiled: &[u8]) -> Result<Module, AppError> {
    Module::parse(compiled, entry.options).map_err(|failure| compile_error(entry, &failure))
}

fn compile(entry: &Entry<'_>, key: &str) -> Result<Vec<u8>, AppError> {
    let output = Temporary(entry.cache_dir.join(format!("{key}.{}.wasm", std::process::id())));
    let started = std::time::Instant::now();
    entry
        .compiler
        .compile(entry.wasm, &output.0)
        .map_err(|failure| compile_error(entry, &failure))?;
    let seconds = started.elapsed().as_secs_f32();
    tracing::info!(app = %entry.path.display(), seconds, "compiled ahead of time");
    std::fs::read(&output.0).map_err(|source| at(&output.0, source))
}

/// Writes a whole entry under another name, then renames it.
fn write(directory: &Path, file: &Path, compiled: &[u8]) -> Result<(), AppError> {
    let temporary = Temporary(file.with_extension(format!("{}.tmp", std::process::id())));
    let written = File::create(&temporary.0).and_then(|mut output| {
        output.write_all(&Sha256::digest(compiled))?;
        output.write_all(compiled)?;
        output.sync_all()
    });
    written.map_err(|source| at(&temporary.0, source))?;
    std::fs::rename(&temporary.0, file).map_err(|source| at(directory, source))
}

/// The compiled module inside an entry, if its digest fits.
fn unseal(bytes: &[u8]) -> Option<&[u8]> {
    let (digest, compiled) = bytes.split_at_checked(DIGEST_BYTES)?;
    (Sha256::digest(compiled).as_slice() == digest).then_some(compiled)
}

/// Held until dropped, and freed by the system if this process dies.
fn lock(path: &Path) -> Result<File, AppError> {
    let file = File::create(path).map_err(|source| at(path, source))?;
    file.lock().map_err(|source| at(path, source))?;
    Ok(file)
}

/// A file that is gone when this is dropped.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // Best effort: after a rename there is nothing left to remove.
        drop(std::fs::remove_file(&self.0));
    }
}

fn at(path: &Path, source: std::io::Error) -> AppError {
    AppError::Cache { path: path.to_owned(), source }
}

fn compile_error(entry: &Entry<'_>, failure: &ffi::Failure) -> AppError {
    AppError::Compile { path: entry.path.to_owned(), message: failure.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(compiled: &[u8]) -> Vec<u8> {
        [Sha256::digest(compiled).as_slice(), compiled].concat()
    }

    #[test]
    fn a_changed_or_cut_entry_is_not_unsealed() {
        let mut bytes = sealed(b"machine code");
        assert_eq!(unseal(&bytes), Some(&b"machine code"[..]));
        assert_eq!(unseal(&bytes[..bytes.len() - 1]), None);
        assert_eq!(unseal(&bytes[..10]), None);
        bytes[DIGEST_BYTES] ^= 1;
        assert_eq!(unseal(&bytes), None);
    }

    #[test]
    fn an_entry_appears_whole_and_leaves_no_other_file() {
        let directory = std::env::temp_dir().join(format!("gaia-cache-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a folder");
        let file = directory.join("k.aot");
        write(&directory, &file, b"code").expect("written");
        assert_eq!(unseal(&std::fs::read(&file).expect("read")), Some(&b"code"[..]));
        assert_eq!(std::fs::read_dir(&directory).expect("listed").count(), 1);
        std::fs::remove_dir_all(&directory).expect("removed");
    }
}
