//! Links the worker against WasmEdge and llama.cpp.

#![expect(clippy::disallowed_methods, reason = "cargo speaks to build scripts in the environment")]

include!("../runtime/link.rs");

fn main() {
    link_arguments(&std::env::var("DEP_GAIA_RUNTIME_LLAMA_LIB_DIR").expect("set by gaia-runtime"));
}
