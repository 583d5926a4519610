# shellcheck shell=bash
# WasmEdge 0.17: the user's own, else Debian's where the system's release has it, else by WasmEdge's
# own installer, else Debian's newer packages in a private prefix.
#
# Sets WASMEDGE_INCLUDE, WASMEDGE_LIBRARY and, for the private prefix alone, WASMEDGE_PREFIX.

WASMEDGE_SERIES=0.17
WASMEDGE_VERSION=0.17.1
WASMEDGE_INSTALLER=${WASMEDGE_INSTALLER:-https://raw.githubusercontent.com/WasmEdge/WasmEdge/$WASMEDGE_VERSION/utils/install_v2.sh}
INSTALLER_SECONDS_MAX=600
WASMEDGE_INCLUDE=
WASMEDGE_LIBRARY=
WASMEDGE_PREFIX=

install_wasmedge() {
  if find_wasmedge || run_wasmedge_installer; then
    note "WasmEdge $(header_version "$WASMEDGE_INCLUDE") in $WASMEDGE_LIBRARY"
    return
  fi
  debian_prefix "$GAIA_NODE_HOME/wasmedge" keep_wasmedge libwasmedge-dev wasmedge
  use_private_wasmedge ||
    die "Debian $DEBIAN_RELEASE's WasmEdge does not run or is not $WASMEDGE_SERIES.x: install WasmEdge $WASMEDGE_VERSION and set WASMEDGE_DIR to its folder"
  note "WasmEdge $(header_version "$WASMEDGE_INCLUDE") in $WASMEDGE_LIBRARY"
}

# True when the system's apt is the way: then its packages join the one apt command.
missing_for_wasmedge() {
  if find_wasmedge >/dev/null 2>&1 || ! have apt-cache; then return; fi
  local candidate
  candidate=$(apt-cache policy libwasmedge-dev 2>/dev/null | sed -nE 's/^ *Candidate: //p')
  if [[ $candidate == "$WASMEDGE_SERIES".* ]]; then
    printf '%s\n' libwasmedge-dev wasmedge
  elif [[ -z $(debian_keyring) ]]; then
    echo debian-archive-keyring
  fi
}

# What the user names is used or refused, never passed over.
check_wasmedge_dir() {
  if [[ -n ${WASMEDGE_DIR:-} ]] && ! use_wasmedge "$WASMEDGE_DIR"; then
    die "WASMEDGE_DIR=$WASMEDGE_DIR holds no WasmEdge $WASMEDGE_SERIES.x ($(what_is_wrong "$WASMEDGE_DIR")): correct it, or unset it to let setup find or install one"
  fi
}

find_wasmedge() {
  if [[ -n ${WASMEDGE_DIR:-} ]]; then
    use_wasmedge "$WASMEDGE_DIR"
    return
  fi
  local folder
  for folder in "$HOME/.wasmedge" /usr/local "$GAIA_NODE_HOME/wasmedge-installer" /usr; do
    if use_wasmedge "$folder"; then return; fi
  done
  use_private_wasmedge
}

use_wasmedge() {
  local library
  is_series "$(header_version "$1/include")" || return 1
  library=$(library_folder "$1") || return 1
  is_series "$(library_version "$library/libwasmedge.so")" || return 1
  WASMEDGE_INCLUDE=$1/include
  WASMEDGE_LIBRARY=$library
}

header_version() {
  sed -nE 's/^#define WASMEDGE_VERSION "([^"]+)".*/\1/p' "$1/wasmedge/version.h" 2>/dev/null || true
}

is_series() { [[ $1 == "$WASMEDGE_SERIES".* ]]; }

library_folder() {
  local folder
  for folder in "$1/lib" "$1/lib64" "$1/lib/x86_64-linux-gnu"; do
    if [[ -e $folder/libwasmedge.so ]]; then
      printf '%s' "$folder"
      return
    fi
  done
  return 1
}

# What the library says of itself, which also shows that this system can load it.
library_version() {
  python3 - "$1" 2>/dev/null <<'TEXT' || true
import ctypes, sys
version = ctypes.CDLL(sys.argv[1]).WasmEdge_VersionGet
version.restype = ctypes.c_char_p
print(version().decode())
TEXT
}

what_is_wrong() {
  local version
  version=$(header_version "$1/include")
  if [[ -z $version ]]; then
    printf 'no include/wasmedge/version.h'
  elif ! is_series "$version"; then
    printf 'its version is %s' "$version"
  elif ! library_folder "$1" >/dev/null; then
    printf 'no lib/libwasmedge.so'
  else
    printf 'its libwasmedge.so cannot be loaded by python3 here, or is of another version'
  fi
}

# The installer comes from WasmEdge's release tag over HTTPS. It adds lines to the shell start-up
# files of $__HOME__: an empty one keeps it out of the user's. It links by absolute paths, so what
# it makes cannot be renamed; `find_wasmedge` asks the library itself, which half a one does not survive.
run_wasmedge_installer() {
  reachable "$WASMEDGE_INSTALLER" || { note "WasmEdge's installer cannot be reached" && return 1; }
  local folder=$GAIA_NODE_HOME/wasmedge-installer script=$DOWNLOADS/wasmedge-installer.sh home
  note "running WasmEdge's own installer for $WASMEDGE_VERSION (at most $INSTALLER_SECONDS_MAX s)"
  curl --silent --show-error --fail --location --max-time 60 --output "$script" "$WASMEDGE_INSTALLER" || return 1
  home=$(mktemp -d)
  rm -rf "$folder"
  __HOME__=$home SHELL=/bin/sh timeout "$INSTALLER_SECONDS_MAX" \
    bash "$script" -v "$WASMEDGE_VERSION" -p "$folder" </dev/null >&2 || true
  rm -rf "$home"
  use_wasmedge "$folder" || { note "WasmEdge's installer did not bring a WasmEdge that runs here" && return 1; }
}

use_private_wasmedge() {
  local folder=$GAIA_NODE_HOME/wasmedge
  is_series "$(header_version "$folder/include")" && [[ -e $folder/link/libwasmedge.so ]] &&
    private_program "$folder" wasmedge --version 2>/dev/null | grep -qF " $WASMEDGE_SERIES." || return 1
  WASMEDGE_INCLUDE=$folder/include
  WASMEDGE_LIBRARY=$folder/link
  WASMEDGE_PREFIX=$folder
}

# The linker must see libwasmedge alone: next to the private C library it would take that one too.
keep_wasmedge() {
  local unpacked=$1 into=$2
  mkdir -p "$into/include" "$into/link"
  mv "$unpacked/usr/include/wasmedge" "$into/include/"
  mv "$unpacked/usr/bin/wasmedge" "$into/bin/"
  ln -s ../lib/libwasmedge.so.0 "$into/link/libwasmedge.so"
}
