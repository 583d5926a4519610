# shellcheck shell=bash
# Tools of the system: looked for by what they do, installed by apt in one command.

install_system_packages() {
  local missing
  mapfile -t missing < <(missing_packages)
  if ((${#missing[@]} == 0)); then
    note "all there"
    return
  fi
  have apt-get ||
    die "missing: ${missing[*]} (Debian's names). Setup installs them on Debian and its relatives only: install their like by this system's own means and run this again"
  local command=(apt-get install --yes --no-install-recommends "${missing[@]}")
  is_root ||
    die "${#missing[@]} system packages are missing. This one command needs root; run it, then this again:
    sudo ${command[*]}"
  note "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get --quiet --simulate install "${missing[@]}" >/dev/null 2>&1 || apt-get --quiet update >&2
  "${command[@]}" --quiet -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 >&2 ||
    die "apt could not install ${missing[*]}: its message is above"
}

# One Debian package name a line.
missing_packages() {
  have c++ || echo g++
  have cmake || echo cmake
  have ninja || echo ninja-build
  have curl || echo curl
  have bwrap || echo bubblewrap
  [[ -e /etc/ssl/certs/ca-certificates.crt ]] || echo ca-certificates
  [[ -n $(python_with_venv) ]] || echo python3-venv
  [[ -n $(libclang_folder) ]] || libclang_package
  # Namespaces and mounts around compile jobs, for a user without rights too.
  have bwrap || echo bubblewrap
  missing_for_wasmedge
  missing_for_wasm_target
  missing_for_backends
  if [[ $PURPOSE == test ]]; then missing_for_tests; fi
}

missing_for_tests() {
  have git || echo git
  have shellcheck || echo shellcheck
  have node || echo nodejs
  have npm || echo npm
  missing_browser
  has_file '/usr/share/vulkan/icd.d/lvp_icd*.json' || echo mesa-vulkan-drivers
}

# The loader is all that Vulkan needs of the system, beside the GPU's driver.
missing_for_backends() {
  if [[ " ${BACKENDS[*]} " == *" vulkan "* ]]; then
    has_file '/usr/lib/*/libvulkan.so.1' || has_file '/usr/lib*/libvulkan.so.1' || echo libvulkan1
  fi
}

has_file() { compgen -G "$1" >/dev/null; }

# libclang reads C headers for bindgen. 19 is what the project is tested with; any from 14 on will do.
libclang_folder() {
  local folder
  for folder in "${LIBCLANG_PATH:-}" /usr/lib/llvm-19/lib $(newest_first /usr/lib/llvm-*/lib); do
    if is_libclang "$folder"; then
      printf '%s' "$folder"
      return
    fi
  done
}

newest_first() { printf '%s\n' "$@" | sort -Vr; }

# The library alone is not enough: bindgen also needs the compiler's own headers.
is_libclang() {
  compgen -G "$1/libclang.so*" >/dev/null || compgen -G "$1/libclang-*.so*" >/dev/null || return 1
  [[ $1 != */llvm-*/lib ]] || compgen -G "$1/clang/*/include/stddef.h" >/dev/null
}

libclang_package() {
  have apt-cache || { echo libclang-dev && return; }
  local names
  names=$(apt-cache search --names-only '^libclang-[0-9]+-dev$' | cut -d ' ' -f 1 | sort -V)
  if grep -qx libclang-19-dev <<<"$names"; then
    echo libclang-19-dev
  else
    tail -n 1 <<<"${names:-libclang-dev}"
  fi
}
