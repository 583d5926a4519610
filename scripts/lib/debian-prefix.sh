# shellcheck shell=bash
# Programs of a newer Debian release in a private folder, with the C library they were built for.
#
# The packages come through apt with sources, lists and cache of their own; apt checks signatures
# and checksums and resumes downloads. They are unpacked, never installed: the system's packages,
# lists and library path stay untouched. Programs run through the folder's own loader
# (`private_program`); the folder must never be on LD_LIBRARY_PATH.

DEBIAN_RELEASE=forky

# debian_prefix FOLDER KEPT_FUNCTION PACKAGE…: downloads the packages with all they depend on, and
# calls KEPT_FUNCTION UNPACKED FOLDER.partial to move what is to be kept, before the final rename.
debian_prefix() {
  local folder=$1 kept=$2 unpacked=$1.unpacked
  shift 2
  prepare_private_apt
  note "downloading $* of Debian $DEBIAN_RELEASE and what they need, signatures checked by apt"
  private_apt --quiet update >&2
  drop_damaged_archives "$@"
  private_apt --quiet --yes --download-only install "$@" >&2
  rm -rf "$unpacked" "$folder.partial"
  mkdir -p "$unpacked" "$folder.partial/lib" "$folder.partial/bin"
  unpack_closure "$unpacked" "$@"
  move_libraries "$unpacked" "$folder.partial/lib"
  "$kept" "$unpacked" "$folder.partial"
  replace_folder "$folder.partial" "$folder"
  rm -rf "$unpacked"
  private_apt clean
}

# private_program FOLDER PROGRAM [ARGUMENT…]
private_program() {
  local folder=$1 program=$2
  shift 2
  "$folder/lib/ld-linux-x86-64.so.2" --library-path "$folder/lib" "$folder/bin/$program" "$@"
}

prepare_private_apt() {
  if ! have apt-get || ! have dpkg-deb; then
    die "this system has no apt to fetch Debian's packages with: install WasmEdge $WASMEDGE_VERSION and set WASMEDGE_DIR to its folder"
  fi
  local apt=$DOWNLOADS/apt keyring mirror
  keyring=$(debian_keyring) || die "no Debian archive keyring: install the package debian-archive-keyring"
  mirror=$(debian_mirror)
  mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
  : >"$apt/status"
  printf 'deb [signed-by=%s arch=amd64] %s %s main\n' "$keyring" "$mirror" "$DEBIAN_RELEASE" \
    >"$apt/sources.list"
}

debian_keyring() {
  local file
  for file in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
    if [[ -r $file ]]; then
      printf '%s' "$file"
      return
    fi
  done
  return 1
}

# The mirror that the user names, else the one this system already uses for Debian.
debian_mirror() {
  local site
  # shellcheck disable=SC2016  # apt-get expands it
  site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null |
    sed 's|/$||' | grep -E '^(https?|mirror\+file)://.*/debian$' | head -n 1 || true)
  site=${GAIA_DEBIAN_MIRROR:-$site}
  [[ -n $site ]] || die "apt's sources name no Debian mirror: set GAIA_DEBIAN_MIRROR to one's address"
  printf '%s' "$site"
}

private_apt() { private_apt_tool apt-get "$@"; }

private_apt_tool() {
  local tool=$1 apt=$DOWNLOADS/apt
  shift
  local options=(
    -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null
    -o Dir::State="$apt/state" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache"
    -o Acquire::AllowInsecureRepositories=false -o APT::Get::AllowUnauthenticated=false
    -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o Acquire::Languages=none
    -o Acquire::Retries=3 -o APT::Install-Recommends=false -o Dpkg::Use-Pty=0
  )
  # apt as root hands downloads to a user who may not see a folder in root's home.
  if is_root; then options+=(-o APT::Sandbox::User=root); fi
  "$tool" "${options[@]}" "$@"
}

# One line a package: name, version, architecture; the named ones and all they depend on.
closure() {
  private_apt --quiet --quiet --yes --simulate install "$@" |
    sed -nE 's/^Inst ([^ :]+)[^ ]* \(([^ ]+) .*\[([a-z0-9]+)\]\).*/\1 \2 \3/p'
}

archive_of() { printf '%s' "$DOWNLOADS/apt/cache/archives/$1_${2//:/%3a}_$3.deb"; }

# apt checks what it downloads, but believes what already lies in its cache.
drop_damaged_archives() {
  local name version architecture archive expected
  while read -r name version architecture; do
    archive=$(archive_of "$name" "$version" "$architecture")
    if [[ ! -e $archive ]]; then continue; fi
    expected=$(private_apt_tool apt-cache show "$name=$version" | sed -n 's/^SHA256: //p' | head -n 1)
    if [[ $(sha256_of "$archive") != "$expected" ]]; then
      note "$(basename "$archive") is damaged: downloading it again"
      rm "$archive"
    fi
  done < <(closure "$@")
}

unpack_closure() {
  local unpacked=$1 name version architecture archive
  shift
  while read -r name version architecture; do
    archive=$(archive_of "$name" "$version" "$architecture")
    dpkg-deb -x "$archive" "$unpacked" || die "could not unpack $archive"
  done < <(closure "$@")
}

move_libraries() {
  local unpacked=$1 into=$2 folder
  for folder in "$unpacked"/{usr/lib,lib}/x86_64-linux-gnu; do
    [[ -d $folder ]] || continue
    find "$folder" -maxdepth 1 -name '*.so*' \( -type f -o -type l \) -exec mv -t "$into" {} +
  done
  find "$into" -xtype l -delete
  [[ -x $into/ld-linux-x86-64.so.2 ]] || die "the unpacked packages hold no loader: Debian $DEBIAN_RELEASE has changed its layout"
}
