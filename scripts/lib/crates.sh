# shellcheck shell=bash
# Crates for the compile sandbox: fetched by config/crates.toml, and common sets of them compiled.
#
#   $CRATES/sources      one folder a crate and version, as `cargo vendor` makes it
#   $CRATES/index.json   which versions there are and what each needs
#   $CRATES/config.toml  for the CARGO_HOME of somebody who wants all of them at once
#   $CRATES/prebuilt     what cargo made of the sets; prebuilt/units.json says whose each file is
#
# Fetching runs no code of any crate. Compiling does, so it happens without network and with nothing of
# the machine but its compiler; sources, results and cargo's home lie at the paths that they have in
# jobs, for cargo looks at paths when it asks whether something is fresh.

CRATES=$GAIA_NODE_HOME/crates
CRATES_LIST=$CHECKOUT/config/crates.toml

install_crates() {
  mkdir -p "$CRATES"
  build_crates_tool
  fetch_crates
  prebuild_crates
}

build_crates_tool() {
  (cd "$CHECKOUT" && cargo build --quiet --locked --package gaia-sandbox --bin gaia-crates) ||
    die "cargo could not build gaia-crates: its message is above"
  CRATES_TOOL=$CARGO_TARGET_DIR/debug/gaia-crates
}

fetch_crates() {
  local work=$CRATES/fetch wanted
  mkdir -p "$work"
  "$CRATES_TOOL" manifest "$CRATES_LIST" >"$work/Cargo.toml.partial"
  wanted="$(sha256_of "$work/Cargo.toml.partial") $(cargo --version) 3"
  if stamped crates "$wanted" && [[ -d $CRATES/sources && -e $CRATES/index.json ]]; then
    note "$(find "$CRATES/sources" -mindepth 1 -maxdepth 1 | wc -l) crates are there"
    return
  fi
  mv "$work/Cargo.toml.partial" "$work/Cargo.toml"
  : >"$work/lib.rs"
  note "fetching the crates of $CRATES_LIST"
  vendor_crates "$work"
  "$CRATES_TOOL" index "$work/metadata.json" >"$CRATES/index.json.partial"
  replace_folder "$work/sources" "$CRATES/sources"
  mv "$CRATES/index.json.partial" "$CRATES/index.json"
  write_crates_config
  stamp crates "$wanted"
  note "$(find "$CRATES/sources" -mindepth 1 -maxdepth 1 | wc -l) crates fetched"
}

# What was downloaded before an interruption is in cargo's own cache.
vendor_crates() {
  local work=$1
  rm -rf "$work/sources" "$work/Cargo.lock"
  (cd "$work" && cargo generate-lockfile --quiet && cargo metadata --locked --format-version 1 --quiet >metadata.json &&
    cargo vendor --locked --versioned-dirs --quiet sources >/dev/null) ||
    die "cargo could not fetch the crates of $CRATES_LIST: its message is above"
  shorten_foreign_crates "$work/sources"
  join_features "$work/sources"
  chmod -R a+rX "$work/sources"
  find "$work/sources" -type f -exec chmod a-w {} +
}

# Libraries for Windows are half of all bytes, and no job compiles for Windows; cargo wants no more
# than to know of them.
shorten_foreign_crates() {
  local folder
  for folder in "$1"/windows* "$1"/winapi*; do
    find "$folder" -type f ! -path "$folder/Cargo.toml" ! -path "$folder/src/lib.rs" \
      ! -path "$folder/build.rs" ! -name .cargo-checksum.json -delete
    find "$folder" -type d -empty -delete
    sed -i 's/"files":{[^}]*}/"files":{}/' "$folder/.cargo-checksum.json"
  done
}

# What the list says of features that are on together is written into the crates' manifests.
join_features() {
  local name folder
  for name in $("$CRATES_TOOL" together "$CRATES_LIST"); do
    for folder in "$1/$name"-[0-9]*; do
      "$CRATES_TOOL" together "$CRATES_LIST" "$name" "$folder/Cargo.toml" >"$folder/Cargo.toml.partial" ||
        die "the manifest of $folder can't be changed"
      mv "$folder/Cargo.toml.partial" "$folder/Cargo.toml"
      sed -i 's/"Cargo.toml":"[0-9a-f]*",\?//' "$folder/.cargo-checksum.json"
    done
  done
}

write_crates_config() {
  cat >"$CRATES/config.toml" <<TEXT
[source.crates-io]
replace-with = "gaia"

[source.gaia]
directory = "$CRATES/sources"

[net]
offline = true
TEXT
}

prebuild_crates() {
  local job=$CRATES/job wanted number=0
  wanted="$(sha256_of "$CRATES/index.json") $(sha256_of "$CRATES_LIST") $(rustc -vV | sha256sum) 3"
  if stamped crates-prebuilt "$wanted" && [[ -e $CRATES/prebuilt/units.json ]]; then
    note "common sets are compiled"
    return
  fi
  have bwrap || die "bubblewrap is missing: install it by apt-get install bubblewrap, and run this again"
  local refusal
  if ! refusal=$(bwrap --unshare-user --unshare-all --ro-bind / / true 2>&1); then
    if [[ $PURPOSE == test ]]; then die "tests compile in jails, and bubblewrap can't make one here: $refusal"; fi
    note "left out: bubblewrap can't make a jail here ($refusal)"
    note "the node starts without its compile service; 'gaia-node sandbox check' says what to do about it"
    return
  fi
  start_prebuild "$job"
  while "$CRATES_TOOL" set "$CRATES_LIST" "$number" >"$job/project/Cargo.toml" 2>/dev/null; do
    compile_set "$job" "$number"
    number=$((number + 1))
  done
  finish_prebuild "$job"
  stamp crates-prebuilt "$wanted"
  note "$number sets compiled, $(du -sh "$CRATES/prebuilt" | cut -f 1)"
}

# What an interrupted run compiled of the same sources stays.
start_prebuild() {
  local job=$1 wanted
  wanted="$(sha256_of "$CRATES/index.json") $(rustc -vV | sha256sum) 3"
  if [[ $(cat "$job/inputs" 2>/dev/null) != "$wanted" ]]; then
    rm -rf "$job"
    mkdir -p "$job"
    "$CRATES_TOOL" sources "$CRATES/index.json" >"$job/links.sh"
    (cd "$job" && sh ./links.sh)
    printf '%s' "$wanted" >"$job/inputs"
  fi
  mkdir -p "$job/project"
  : >"$job/project/lib.rs"
  : >"$job/messages.json"
}

compile_set() {
  local job=$1 number=$2 command
  note "set $number: $(sed -n 's/.* package = "\([^"]*\)".*/\1/p' "$job/project/Cargo.toml" | tr '\n' ' ')"
  rm -f "$job/project/Cargo.lock"
  for command in check build; do
    confined_cargo "$job" "$command" --quiet --message-format json-render-diagnostics >>"$job/messages.json" ||
      die "set $number of $CRATES_LIST does not compile: cargo's message is above"
  done
}

# confined_cargo JOB ARGUMENT…: sees the system's libraries, the toolchain, the crates and its folder.
confined_cargo() {
  local job=$1 toolchain folder binds=()
  shift
  toolchain=$(rustc --print sysroot)
  for folder in /usr /bin /sbin /lib /lib32 /lib64 /etc/alternatives /etc/ld.so.cache; do
    if [[ -L $folder ]]; then
      binds+=(--symlink "$(readlink "$folder")" "$folder")
    elif [[ -e $folder ]]; then
      binds+=(--ro-bind "$folder" "$folder")
    fi
  done
  bwrap --unshare-user --unshare-all --die-with-parent --new-session --cap-drop ALL --clearenv \
    "${binds[@]}" --ro-bind "$toolchain" /rust --ro-bind "$CRATES" /crates --bind "$job" /job \
    --proc /proc --dev /dev --tmpfs /tmp --chdir /job/project \
    --setenv PATH /rust/bin:/usr/bin:/bin --setenv HOME /job --setenv CARGO_HOME /job/cargo \
    --setenv CARGO_TARGET_DIR /job/target --setenv CARGO_INCREMENTAL 0 \
    cargo "$@" </dev/null
}

finish_prebuild() {
  local job=$1 result=$1/prebuilt
  rm -rf "$result"
  mkdir -p "$result"
  rustc -vV >"$job/compiler"
  "$CRATES_TOOL" prebuilt "$job/compiler" "$job/messages.json" "$job/target/debug" >"$job/units.json"
  mkdir "$result/debug"
  mv "$job/target/debug/deps" "$job/target/debug/build" "$job/target/debug/.fingerprint" "$result/debug"
  mv "$job/units.json" "$job/target/.rustc_info.json" "$result"
  chmod -R a+rX "$result"
  find "$result" -type f -exec chmod a-w {} +
  replace_folder "$result" "$CRATES/prebuilt"
  rm -rf "$job"
}
