//! Links the worker against WasmEdge and llama.cpp.

include!("../runtime/link.rs");

fn main() {
    link_arguments(&std::env::var("DEP_GAIA_RUNTIME_LLAMA_LIB_DIR").expect("set by gaia-runtime"));
}
