# shellcheck shell=bash
# A Rust that compiles for wasm32-wasip1: the one there is, else rustup's, else Debian's. Rustup's is in
# the toolchain of the compile sandbox's jobs; Debian's compiles the node's own apps alone.

WASM_TARGET=wasm32-wasip1
RUSTUP_SECONDS_MAX=180

# Comes before the system packages, for what it finds decides whether Debian's Rust is among them.
find_wasm_target() {
  if rust_has_wasm_target; then
    note "rustc $(rustc --version | cut -d ' ' -f 2) has it"
  elif [[ $USE_RUSTUP != no ]] && add_target_with_rustup; then
    note "added by rustup"
  elif debian_has_wasm_target; then
    note "Debian's $(/usr/bin/rustc --version) has it; jobs of the compile sandbox have it with rustup alone"
  else
    note "Debian's rustc-web will do it"
  fi
}

rust_has_wasm_target() {
  local folder
  folder=$(rustc --print target-libdir --target "$WASM_TARGET" 2>/dev/null) &&
    compgen -G "$folder/libstd-*.rlib" >/dev/null
}

add_target_with_rustup() {
  have rustup && rustup_server_reachable || return 1
  note "asking rustup for it (at most $RUSTUP_SECONDS_MAX s)"
  timeout "$RUSTUP_SECONDS_MAX" rustup target add "$WASM_TARGET" >&2 && rust_has_wasm_target
}

rustup_server_reachable() {
  reachable "${RUSTUP_DIST_SERVER:-https://static.rust-lang.org}/dist/channel-rust-stable.toml.sha256"
}

# As wasm-apps/build looks for it.
debian_has_wasm_target() {
  [[ -x /usr/bin/rustc && -x /usr/bin/cargo && -f /usr/lib/wasm32-wasi/crt1-command.o ]] &&
    compgen -c wasm-ld- >/dev/null &&
    [[ -d $(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library/std ]]
}

missing_for_wasm_target() {
  if ! rust_has_wasm_target && ! debian_has_wasm_target; then
    printf '%s\n' rustc-web cargo-web rust-web-src wasi-libc lld-19
  fi
}

check_wasm_target() {
  rust_has_wasm_target || debian_has_wasm_target ||
    die "no Rust here compiles for $WASM_TARGET: run 'rustup target add $WASM_TARGET' where rustup's servers can be reached"
}
