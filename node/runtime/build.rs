//! Links this crate's tests against WasmEdge and llama.cpp, and tells `worker` how to do the same.

#![expect(clippy::disallowed_methods, reason = "cargo speaks to build scripts in the environment")]

include!("link.rs");

fn main() {
    let llama_libraries =
        std::env::var("DEP_GAIA_INFERENCE_LIB_DIR").expect("set by gaia-inference");
    println!("cargo::metadata=llama_lib_dir={llama_libraries}");
    link_arguments(&llama_libraries);
}
