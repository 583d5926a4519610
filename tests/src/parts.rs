//! Where the real parts are. A missing one fails the test that needs it.

use std::path::{Path, PathBuf};

/// `GAIA_NODE_HOME`, where `scripts/setup` keeps what it builds and fetches.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "scripts/test tells the tests by environment")]
pub fn home() -> PathBuf {
    let default = || {
        let home = std::env::var_os("HOME").expect("HOME is set");
        Path::new(&home).join(".cache/gaia-node")
    };
    std::env::var_os("GAIA_NODE_HOME").map_or_else(default, PathBuf::from)
}

/// The small chat model.
#[must_use]
pub fn chat_model() -> PathBuf {
    present(home().join("models/SmolLM2-135M-Instruct.Q4_1.gguf"))
}

/// The embedding model.
#[must_use]
pub fn embedding_model() -> PathBuf {
    present(home().join("models/all-MiniLM-L6-v2.f16.gguf"))
}

/// A wasm app by name.
#[must_use]
pub fn app(name: &str) -> PathBuf {
    present(home().join("apps").join(name).with_extension("wasm"))
}

/// One of the workspace's binaries, from the build that this test belongs to.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a process knows its own file");
    let profile = test.parent().and_then(Path::parent).expect("target/PROFILE/deps/TEST");
    present(profile.join(name))
}

fn present(path: PathBuf) -> PathBuf {
    assert!(path.exists(), "{} is missing: run scripts/test, which makes it", path.display());
    path
}
