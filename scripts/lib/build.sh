# shellcheck shell=bash
# The wasm apps and the binaries, built from the checkout.

build_wasm_apps() {
  check_wasm_target
  local arguments=(--out "$GAIA_NODE_HOME/apps")
  if [[ $PURPOSE == test ]]; then arguments+=(--fixtures); fi
  CARGO_TARGET_DIR=$GAIA_NODE_HOME/target-wasm "$CHECKOUT/wasm-apps/build" "${arguments[@]}" >&2
}

# llama.cpp's build script hard-links its libraries into cargo's folders. The links dangle, and when
# it has to run again it fails on them: without this, every change of a setting it watches would.
drop_dangling_libraries() {
  if [[ -d $CARGO_TARGET_DIR ]]; then
    find "$CARGO_TARGET_DIR" -maxdepth 3 -name 'lib*.so' -xtype l -delete
  fi
}

# The whole workspace, as the tests build it: for a part of it cargo would choose other features of
# shared crates, and build llama.cpp once more. cargo decides what is to be built anew; the messages say where the build scripts put things.
install_binaries() {
  local messages=$GAIA_NODE_HOME/build-messages.json built=$CARGO_TARGET_DIR/debug
  local arguments=(--locked --workspace --bins)
  if [[ $PROFILE == release ]]; then
    arguments+=(--release)
    built=$CARGO_TARGET_DIR/release
  fi
  (cd "$CHECKOUT" && cargo build "${arguments[@]}" --message-format json-render-diagnostics) >"$messages" ||
    die "cargo could not build the node: its message is above"
  install_llama_libraries "$(build_folder "$messages" llama-cpp-sys-2)"
  install_file "$built/gaia-worker" "$GAIA_NODE_HOME/bin"
  install_file "$built/gaia-jail" "$GAIA_NODE_HOME/bin"
  install_file "$built/gaia-node" "$GAIA_NODE_HOME/bin"
  rm "$messages"
  "$GAIA_NODE_HOME/bin/gaia-node" version >&2 || die "$GAIA_NODE_HOME/bin/gaia-node was built but does not run"
}

# build_folder MESSAGES CRATE: the OUT_DIR of the crate's build script.
build_folder() {
  "$(python_with_venv)" - "$1" "$2" <<'TEXT'
import json, sys
messages, crate = sys.argv[1:]
for line in open(messages, encoding="utf-8"):
    message = json.loads(line)
    if message["reason"] == "build-script-executed" and f"/{crate}@" in message["package_id"].replace("#", "/"):
        print(message["out_dir"])
        break
else:
    sys.exit(f"cargo's messages name no build folder of {crate}")
TEXT
}

# By SONAME for the worker's run path ($ORIGIN/../lib), and the modules ggml picks from at start.
install_llama_libraries() {
  local built=$1 file
  for file in "$built"/lib/lib{llama,mtmd,ggml}*.so*; do
    install_file "$file" "$GAIA_NODE_HOME/lib"
  done
  for file in "$built"/backends/*.so; do
    install_file "$file" "$GAIA_NODE_HOME/lib/ggml"
  done
}

# install_file FILE FOLDER: renamed into place, so that a running node keeps what it has mapped.
install_file() {
  local target
  target=$2/$(basename "$1")
  mkdir -p "$2"
  if cmp --silent "$1" "$target"; then return; fi
  cp --no-dereference --preserve=mode "$1" "$target.partial"
  mv -T "$target.partial" "$target"
}
