//! Tells dependents where the llama.cpp libraries and the loadable ggml backends were built.

#![expect(clippy::disallowed_methods, reason = "cargo speaks to build scripts in the environment")]

use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let backends = PathBuf::from(
        std::env::var("DEP_LLAMA_BACKENDS_DIR")
            .expect("llama-cpp-sys-2 is built with dynamic-backends and says where they are"),
    );
    let libraries = backends.with_file_name("lib");
    println!("cargo::metadata=lib_dir={}", libraries.display());
    println!("cargo::rustc-env=GAIA_BUILD_BACKENDS_DIR={}", backends.display());
}
