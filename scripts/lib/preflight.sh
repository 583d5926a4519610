# shellcheck shell=bash
# Refuses early, by name, what cannot work later.

check_system() {
  check_platform
  check_rust
  check_wasmedge_dir
  check_backends
  if [[ $PURPOSE == test ]]; then check_chosen_browser; fi
  check_disk
}

check_platform() {
  local platform
  platform="$(uname -s) $(uname -m)"
  [[ $platform == 'Linux x86_64' ]] ||
    die "this system is $platform; the node is built and tested on Linux x86_64 only"
}

check_rust() {
  local wanted found
  wanted=$(sed -nE 's/^rust-version = "([0-9.]+)"/\1/p' "$CHECKOUT/Cargo.toml")
  [[ -n $wanted ]] || die "$CHECKOUT/Cargo.toml names no rust-version"
  if ! have cargo || ! have rustc; then
    die "no Rust toolchain found: install Rust $wanted or newer (https://rustup.rs) and run this again"
  fi
  found=$(rustc --version | cut -d ' ' -f 2)
  version_at_least "$found" "$wanted" ||
    die "Rust $found is too old: $wanted or newer is needed ('rustup update stable' brings it)"
  note "Linux x86_64, Rust $found"
}

# Only what is still to be made counts: a second run on a full disk must work.
check_disk() {
  local needed free folder=$GAIA_NODE_HOME
  needed=$(needed_mebibytes)
  free=$(df --output=avail --block-size=1M "$folder" | tail -n 1 | tr -d ' ')
  ((free >= needed)) ||
    die "$folder has $free MiB free, but about $needed MiB are needed: make room, or choose another place with GAIA_NODE_HOME"
  note "$free MiB free in $folder, at most $needed MiB still needed"
}

# Estimated from the sizes of the parts, rounded up.
needed_mebibytes() {
  local sum=50
  add_unless() { if [[ ! -e $GAIA_NODE_HOME/$1 ]]; then sum=$((sum + $2)); fi; }
  add_unless wasmedge/bin/wasmedge 650
  add_unless "models/$CHAT_FILE" 350
  add_unless "models/$EMBEDDING_FILE" 500
  if [[ $WITH_CODER == yes ]]; then add_unless "models/$CODER_FILE" $((CODER_MEBIBYTES + 100)); fi
  add_unless apps/chat.wasm 700
  add_unless crates/index.json 1500
  add_unless crates/prebuilt/units.json 3500
  local backend
  for backend in "${BACKENDS[@]}"; do add_unless "gpu/libggml-$backend.so" 1500; done
  case $PURPOSE in
    test)
      add_unless target/debug/gaia-worker 7000
      add_unless clients 180
      add_unless tools/bin/cargo-deny 500
      ;;
    bench | run) add_unless bin/gaia-worker 2500 ;;
  esac
  if [[ $PURPOSE == bench ]]; then add_unless peer/bin/llama-server 250; fi
  printf '%s' "$sum"
}
