#!/usr/bin/env bash
# Tests of the set-up itself, with what it refuses first. Part of scripts/test; needs no network.
set -euo pipefail

library=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"; if [[ -n ${server:-} ]]; then kill "$server"; fi' EXIT
failures=0

main() {
  refuses "--for takes one of" "$library/../setup" --for lunch
  refuses "unknown argument" "$library/../setup" --fro run
  refuses "--model takes NAME=PATH" "$library/../setup" --model nameless
  refuses "MiB free, but about" part 'df() { echo Avail; echo 7; }; check_disk'
  refuses "no Rust toolchain found" part 'have() { false; }; check_rust'
  refuses "is too old" part 'rustc() { echo "rustc 1.2.3 (old)"; }; check_rust'
  refuses "tested on Linux x86_64 only" part 'uname() { echo Plan9; }; check_platform'
  refuses "holds no WasmEdge 0.17.x (no include" part 'WASMEDGE_DIR=/nowhere; check_wasmedge_dir'
  refuses "needs root" part 'missing_packages() { echo x; }; is_root() { false; }; install_system_packages'
  refuses "Debian and its relatives only" part 'missing_packages() { echo x; }; have() { false; }; install_system_packages'
  refuses "cannot read" part 'install_given_model mine /nowhere.gguf'
  refuses "not a GGUF" part 'install_given_model mine /etc/passwd'
  refuses "not a sha256" part 'install_given_model mine /etc/passwd#sha256=12'
  models_of_the_user
  downloads
  report
}

# part CODE: runs it with the set-up's parts loaded and a home of its own.
part() {
  GAIA_NODE_HOME=$scratch/home bash -c '
    for part in common options preflight system-packages python debian-prefix wasmedge wasm-target \
      download models; do . "$0/$part.sh"; done
    lock_home; mkdir -p "$MODELS/downloaded"; eval "$1"' "$library" "$1"
}

models_of_the_user() {
  printf 'GGUF and so on' >"$scratch/mine.gguf"
  local digest
  digest=$(sha256sum "$scratch/mine.gguf" | cut -d ' ' -f 1)
  accepts "a file of the user's" part "install_given_model mine '$scratch/mine.gguf#sha256=$digest'"
  refuses "you gave" part "install_given_model mine '$scratch/mine.gguf#sha256=${digest//[0-9]/a}'"
  accepts "is linked, not copied" test "$(readlink -f "$scratch/home/models/mine.gguf")" = "$scratch/mine.gguf"
  accepts "takes a default's place" part "install_given_model all-MiniLM-L6-v2 '$scratch/mine.gguf'
    default_model \"\$EMBEDDING_FILE\" \"\$EMBEDDING_SHA256\" false"
  rm "$scratch/mine.gguf"
  refuses "which is gone" part "default_model \"\$EMBEDDING_FILE\" \"\$EMBEDDING_SHA256\" false"
  accepts "a damaged default is made again" part "echo junk >\"\$MODELS/x.gguf\"
    maker() { echo whole >\"\$1\"; }
    default_model x.gguf \"\$(echo whole | sha256sum | cut -d ' ' -f 1)\" maker && grep -q whole \"\$MODELS/x.gguf\""
  refuses "where 12 is expected" part "maker() { echo half >\"\$1\"; }; default_model y.gguf 12 maker"
}

downloads() {
  mkdir "$scratch/served"
  (printf GGUF && head -c 300000 /dev/urandom) >"$scratch/served/whole.gguf"
  head -c 1000 /dev/zero >"$scratch/served/zeros.gguf"
  python3 "$library/test-server.py" "$scratch/served" >"$scratch/port" &
  server=$!
  until [[ -s $scratch/port ]]; do sleep 0.05; done
  local url digest partial=$scratch/home/models/downloaded/net.gguf.partial
  url=http://127.0.0.1:$(cat "$scratch/port")
  digest=$(sha256sum "$scratch/served/whole.gguf" | cut -d ' ' -f 1)
  refuses "could not download" part "download $url/none.gguf \$MODELS/downloaded/none.gguf ''"
  refuses "could not download" part "download $url/cut/whole.gguf \$MODELS/downloaded/cut.gguf ''"
  refuses "is not a GGUF" part "install_given_model zeros $url/zeros.gguf"
  refuses "damaged or foreign" part "install_given_model net $url/whole.gguf#sha256=${digest//[0-9]/a}"
  printf '%s' "$url/whole.gguf $digest" >"$partial.origin"
  head -c 200000 "$scratch/served/whole.gguf" >"$partial"
  says "resuming at 200000 bytes" part "install_given_model net $url/whole.gguf#sha256=$digest"
  accepts "the resumed file is whole" cmp "$scratch/served/whole.gguf" "${partial%.partial}"
  rm "${partial%.partial}"
  printf '%s' "$url/fixed/whole.gguf " >"$partial.origin"
  head -c 200000 "$scratch/served/whole.gguf" >"$partial"
  says "the server did not resume" part "install_given_model net $url/fixed/whole.gguf"
  accepts "the file fetched anew is whole" cmp "$scratch/served/whole.gguf" "${partial%.partial}"
}

# says TEXT COMMAND…: succeeds, and what it says holds the text.
says() {
  local text=$1 output
  shift
  if ! output=$("$@" 2>&1); then fail "failed: $* said: $output"; fi
  [[ $output == *"$text"* ]] || fail "'$text' is missing where $* said: $output"
}

refuses() {
  local text=$1 output
  shift
  if output=$("$@" 2>&1 </dev/null); then fail "not refused ($text): $*"; fi
  [[ $output == *"$text"* ]] || fail "'$text' is missing where $* said: $output"
}

accepts() {
  local what=$1 output
  shift
  output=$("$@" 2>&1 </dev/null) || fail "$what: $* said: $output"
}

fail() {
  failures=$((failures + 1))
  printf 'FAILED: %s\n' "$*" >&2
}

report() {
  if ((failures > 0)); then
    printf 'set-up tests: %s failed\n' "$failures" >&2
    exit 1
  fi
  echo "set-up tests: all passed" >&2
}

main "$@"
