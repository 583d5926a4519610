# shellcheck shell=bash
# What the caller of scripts/setup asks for.

PURPOSE=run
PROFILE=release
USE_RUSTUP=${GAIA_NO_RUSTUP:+no}
GIVEN_MODELS=()
WITH_CODER=no
BACKENDS=()

usage() {
  cat <<'TEXT'
usage: scripts/setup [--for run|test|bench] [--profile release|dev] [--no-rustup]
                     [--backend vulkan|cuda]… [--coder] [--model NAME=PATH-or-URL[#sha256=DIGEST]]…

Finds or installs all that a Gaia node needs, under ${GAIA_NODE_HOME:-~/.cache/gaia-node}.
Run it as often as you like: what is there stays, what was interrupted resumes.

  --for run      what scripts/run needs (the default): WasmEdge, models, wasm apps, the binaries
  --for test     what scripts/test needs: no installed binaries, but a browser and the client libraries
  --for bench    what scripts/bench needs: as run, and llama-server to compare with
  --profile      how the binaries are built (release is the default)
  --backend      compiles a backend for GPUs too: vulkan for those of all makers, cuda for NVIDIA's
                 with their toolkit. Once asked for, it is kept up with the sources
  --coder        the model for coding too: Qwen2.5-Coder-1.5B-Instruct, 1.1 GB
  --no-rustup    do not ask rustup's servers for the wasm32-wasip1 target
  --model        a GGUF model: a file of yours is used where it lies, a URL is downloaded once.
                 The names SmolLM2-135M-Instruct, all-MiniLM-L6-v2 and Qwen2.5-Coder-1.5B-Instruct
                 replace those that are fetched.
TEXT
}

read_options() {
  local backend
  while (($# > 0)); do
    case $1 in
      --for) PURPOSE=$(one_of "$1" "${2:-}" run test bench) ;;
      --profile) PROFILE=$(one_of "$1" "${2:-}" release dev) ;;
      --backend)
        backend=$(one_of "$1" "${2:-}" vulkan cuda)
        add_backend "$backend"
        ;;
      --model) GIVEN_MODELS+=("$(model_option "${2:-}")") ;;
      --no-rustup) USE_RUSTUP=no ;;
      --coder) WITH_CODER=yes ;;
      -h | --help) usage && exit 0 ;;
      *) die "unknown argument '$1'; scripts/setup --help shows what there is" ;;
    esac
    case $1 in
      --no-rustup | --coder) shift ;;
      *) shift 2 ;;
    esac
  done
  # The tests run it on a software driver.
  if [[ $PURPOSE == test ]]; then add_backend vulkan; fi
}

add_backend() {
  if [[ " ${BACKENDS[*]} " != *" $1 "* ]]; then BACKENDS+=("$1"); fi
}

one_of() {
  local option=$1 value=$2 allowed
  shift 2
  for allowed in "$@"; do
    if [[ $value == "$allowed" ]]; then
      printf '%s' "$value"
      return
    fi
  done
  die "$option takes one of: $*; got '$value'"
}

model_option() {
  [[ $1 =~ ^[A-Za-z0-9][A-Za-z0-9._-]*=.+$ ]] ||
    die "--model takes NAME=PATH or NAME=URL, the name of letters, digits and ._-; got '$1'"
  printf '%s' "$1"
}
