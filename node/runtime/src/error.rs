//! Why an app can't be used.

use std::path::PathBuf;

/// Why an app could not be loaded or started. All of them are the operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The file can't be read.
    #[error("reading the app {path}: {source}")]
    Read {
        /// The app.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is larger than any app should be.
    #[error("the app {path} has {bytes} bytes; an app may have {limit}")]
    TooLarge {
        /// The app.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The most allowed.
        limit: u64,
    },
    /// The file is not valid WebAssembly.
    #[error("the app {path} is not a valid WebAssembly module: {message}")]
    Invalid {
        /// The app.
        path: PathBuf,
        /// WasmEdge's words.
        message: String,
    },
    /// The app imports something that the node does not offer.
    #[error("the app {path} imports {import}, which the node does not offer: {hint}")]
    ForeignImport {
        /// The app.
        path: PathBuf,
        /// Module and name.
        import: String,
        /// What is offered instead.
        hint: &'static str,
    },
    /// The app has no `_start`.
    #[error(
        "the app {path} exports no function _start: build it as a command, with a main function"
    )]
    NoStart {
        /// The app.
        path: PathBuf,
    },
    /// The app asks for more memory than the config allows.
    #[error(
        "the app {path} starts with {needed_bytes} bytes of memory, over memory_bytes_max = {limit_bytes}"
    )]
    Memory {
        /// The app.
        path: PathBuf,
        /// What its module declares.
        needed_bytes: u64,
        /// `memory_bytes_max`.
        limit_bytes: u64,
    },
    /// A limit in the config makes no sense.
    #[error("{field}: {message}")]
    Config {
        /// The key in the app's config.
        field: &'static str,
        /// What it must be.
        message: String,
    },
    /// The cache of compiled apps can't be used.
    #[error("the folder for compiled apps (cache_dir), at {path}: {source}")]
    Cache {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Compiling ahead of time failed.
    #[error("compiling the app {path} ahead of time: {message}")]
    Compile {
        /// The app.
        path: PathBuf,
        /// WasmEdge's words.
        message: String,
    },
    /// A thread or another object of the system could not be made.
    #[error("{attempt}: {source}")]
    System {
        /// What was attempted.
        attempt: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// The first instance did not get as far as waiting for a request.
    #[error("the app {path} did not get ready for a request: {message}")]
    NotReady {
        /// The app.
        path: PathBuf,
        /// How it ended instead.
        message: String,
    },
}
