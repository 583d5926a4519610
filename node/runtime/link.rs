// Shared by the build scripts of every package with a binary or test that links libwasmedge.
//
// `scripts/setup` may keep WasmEdge in a private prefix together with the C library it was built
// for. A program that links it then needs that prefix's loader and run path; the prefix is never
// put on LD_LIBRARY_PATH, where it would break every other program.

/// Prints the linker arguments: run paths, and the private loader where the prefix has one.
fn link_arguments(llama_libraries: &str) {
    println!("cargo::rerun-if-env-changed=GAIA_WASMEDGE_PREFIX");
    println!("cargo::rerun-if-env-changed=WASMEDGE_LIB_DIR");
    let mut run_path = vec!["$ORIGIN/../lib".to_owned(), llama_libraries.to_owned()];
    match std::env::var("GAIA_WASMEDGE_PREFIX") {
        Ok(prefix) => {
            let loader = format!("{prefix}/lib/ld-linux-x86-64.so.2");
            println!("cargo::rustc-link-arg=-Wl,--dynamic-linker={loader}");
            println!("cargo::rustc-link-arg=-Wl,--allow-shlib-undefined");
            run_path.push(format!("{prefix}/lib"));
        }
        Err(_) => run_path.extend(std::env::var("WASMEDGE_LIB_DIR")),
    }
    println!("cargo::rustc-link-arg=-Wl,--disable-new-dtags,-rpath,{}", run_path.join(":"));
}
