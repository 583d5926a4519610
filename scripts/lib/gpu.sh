# shellcheck shell=bash
# Backends for GPUs: one more module beside ggml's modules for processors, which the worker loads
# when it is there. Nothing else of the node changes.
#
# A module is built from the very llama.cpp sources that cargo builds the node from, and so fits its
# libggml-base. A build that is interrupted goes on where it was.

GPU_MODULES=$GAIA_NODE_HOME/gpu
VULKAN_TOOLS=$GAIA_NODE_HOME/vulkan

# Builds what is not there yet, and puts it where the binaries look. The tests name the module's
# place themselves: a node must not get a backend only because the tests ran.
install_backends() {
  local backend
  for backend in "${BACKENDS[@]}"; do
    build_backend "$backend"
    if [[ $PURPOSE != test ]]; then
      install_file "$(backend_module "$backend")" "$GAIA_NODE_HOME/lib/ggml"
    fi
  done
}

backend_module() { printf '%s' "$GPU_MODULES/libggml-$1.so"; }

# A module that lies beside the others was asked for before. One of older sources does not fit: it is
# built anew with the rest.
keep_installed_backends() {
  local backend
  if [[ $PURPOSE == test ]]; then return; fi
  for backend in vulkan cuda; do
    if [[ -e $GAIA_NODE_HOME/lib/ggml/libggml-$backend.so ]]; then add_backend "$backend"; fi
  done
}

# Refuses before the first download what would fail after the last.
check_backends() {
  local backend
  for backend in "${BACKENDS[@]}"; do
    if [[ $backend == cuda && -z $(cuda_compiler) ]]; then
      die "--backend cuda needs NVIDIA's compiler nvcc, which is neither on PATH nor in /usr/local/cuda/bin: install the CUDA toolkit (12 or newer) and run this again, or choose --backend vulkan, which needs the driver alone"
    fi
  done
}

build_backend() {
  local backend=$1 sources key build=$GPU_MODULES/build-$1
  sources=$(llama_sources)
  local flags=() tools
  mapfile -t flags < <(common_flags && "$backend"_flags)
  tools=$("$backend"_tools)
  key="$(basename "$sources") $(c++ -dumpfullversion) $tools $(printf '%s' "${flags[*]}" | sha256sum | cut -c 1-16)"
  if stamped "ggml-$backend" "$key" && [[ -e $(backend_module "$backend") ]]; then
    note "ggml-$backend of $(basename "$sources") is there"
    return
  fi
  note "compiling ggml-$backend of $(basename "$sources"); interrupted, it goes on where it was"
  mkdir -p "$GPU_MODULES"
  cmake -G Ninja -S "$sources/llama.cpp" -B "$build" "${flags[@]}" >"$GPU_MODULES/configure-$backend.log" 2>&1 ||
    die "cmake could not configure ggml-$backend: see $GPU_MODULES/configure-$backend.log"
  cmake --build "$build" --target "ggml-$backend" >&2 ||
    die "ggml-$backend could not be compiled: the compiler's message is above"
  install_file "$build/bin/libggml-$backend.so" "$GPU_MODULES"
  stamp "ggml-$backend" "$key"
  rm -rf "$build"
}

# The unpacked crate that Cargo.lock names; cargo fetches it first if it must.
llama_sources() {
  local metadata
  metadata=$(cd "$CHECKOUT" && cargo metadata --locked --format-version 1) ||
    die "cargo could not fetch the node's dependencies: its message is above"
  "$(python_with_venv)" -c '
import json, os, sys
packages = json.load(sys.stdin)["packages"]
print(*{os.path.dirname(p["manifest_path"]) for p in packages if p["name"] == "llama-cpp-sys-2"})
' <<<"$metadata"
}

# As the crate configures the rest of llama.cpp: shared libraries, modules, no code for this
# processor alone. Without run paths: the worker has loaded libggml-base before any module.
common_flags() {
  local name
  for name in TESTS EXAMPLES SERVER TOOLS APP COMMON; do echo "-DLLAMA_BUILD_$name=OFF"; done
  printf '%s\n' -DLLAMA_CURL=OFF -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON \
    -DGGML_BACKEND_DL=ON -DGGML_NATIVE=OFF -DGGML_CPU=OFF -DGGML_OPENMP=OFF -DGGML_CCACHE=OFF \
    -DCMAKE_SKIP_RPATH=ON
}

# Debian 12's headers are older than ggml's sources, and its shader compiler knows neither
# cooperative matrices nor integer dot products, which today's GPUs compute with.
vulkan_tools() {
  if [[ ! -x $VULKAN_TOOLS/glslc ]]; then
    debian_prefix "$VULKAN_TOOLS" keep_vulkan glslc libvulkan-dev spirv-headers
  fi
  "$VULKAN_TOOLS/glslc" --version | sed -n 1p | tr ' ' '-'
}

keep_vulkan() {
  local unpacked=$1 into=$2 name
  mkdir -p "$into/include" "$into/share" "$into/link"
  for name in vulkan vk_video spirv; do mv "$unpacked/usr/include/$name" "$into/include/"; done
  mv "$unpacked/usr/share/cmake" "$into/share/"
  mv "$unpacked/usr/bin/glslc" "$into/bin/"
  ln -s ../lib/libvulkan.so.1 "$into/link/libvulkan.so"
  # shellcheck disable=SC2016  # the wrapper expands it
  printf '%s\n' '#!/bin/sh' 'here=${0%/*}' \
    'exec "$here/lib/ld-linux-x86-64.so.2" --library-path "$here/lib" "$here/bin/glslc" "$@"' >"$into/glslc"
  chmod +x "$into/glslc"
}

vulkan_flags() {
  printf '%s\n' -DGGML_VULKAN=ON "-DVulkan_INCLUDE_DIR=$VULKAN_TOOLS/include" \
    "-DVulkan_LIBRARY=$VULKAN_TOOLS/link/libvulkan.so" \
    "-DVulkan_GLSLC_EXECUTABLE=$VULKAN_TOOLS/glslc" \
    "-DSPIRV-Headers_DIR=$VULKAN_TOOLS/share/cmake/SPIRV-Headers"
}

cuda_compiler() {
  local compiler
  compiler=$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)
  if [[ -x $compiler ]]; then printf '%s' "$compiler"; fi
}

cuda_tools() { "$(cuda_compiler)" --version | sed -nE 's/.*release ([0-9.]+),.*/nvcc-\1/p'; }

# For the GPUs of this machine; where there is none, ggml's own list of architectures. The toolkit's
# libraries need not be on the system's path.
cuda_flags() {
  local toolkit architectures
  toolkit=$(dirname "$(dirname "$(realpath "$(cuda_compiler)")")")
  printf '%s\n' -DGGML_CUDA=ON -DGGML_CUDA_NCCL=OFF "-DCMAKE_CUDA_COMPILER=$(cuda_compiler)" \
    "-DCUDAToolkit_ROOT=$toolkit" "-DCMAKE_MODULE_LINKER_FLAGS=-Wl,-rpath,$toolkit/lib64"
  architectures=$(cuda_architectures)
  if [[ -n $architectures ]]; then echo "-DCMAKE_CUDA_ARCHITECTURES=$architectures"; fi
}

# Such as `86-real;90-real`.
cuda_architectures() {
  have nvidia-smi || return 0
  nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null |
    sed -nE 's/^([0-9]+)\.([0-9]+)$/\1\2-real/p' | sort -u | paste -sd ';'
}
