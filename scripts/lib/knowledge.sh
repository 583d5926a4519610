# shellcheck shell=bash
# The project's own knowledge bases: made by a node of their own from kb-snapshots/ and from the
# documentation that came with the Rust toolchain, and kept as Qdrant snapshots.

KNOWLEDGE=$GAIA_NODE_HOME/kb-snapshots

install_knowledge() {
  local recipe name
  mkdir -p "$KNOWLEDGE"
  # What a setup left that was killed.
  rm -rf "$KNOWLEDGE"/tmp.*
  for recipe in "$CHECKOUT"/kb-snapshots/*/manifest; do
    name=$(basename "$(dirname "$recipe")")
    make_knowledge "$name" "$(dirname "$recipe")"
  done
}

make_knowledge() {
  local name=$1 recipe=$2 wanted
  wanted="$(find "$recipe" -type f ! -name fixes.jsonl -print0 | sort -z | xargs -0 sha256sum | sha256sum) $(rustc -vV | sha256sum) 1"
  if stamped "knowledge-$name" "$wanted" && [[ -e $KNOWLEDGE/$name.snapshot ]]; then
    note "$name is there"
    return
  fi
  KNOWLEDGE_WORK=$(mktemp -d -p "$KNOWLEDGE")
  start_knowledge_node "$name"
  fill_knowledge "$name" "$recipe" || stop_knowledge_node "the documents of $name could not be read"
  knowledge_node kb --url "$KNOWLEDGE_URL" snapshot "$name" "$KNOWLEDGE_WORK/new.snapshot" >/dev/null ||
    stop_knowledge_node "the snapshot of $name could not be written"
  stop_knowledge_node
  mv "$KNOWLEDGE_WORK/new.snapshot" "$KNOWLEDGE/$name.snapshot"
  rm -rf "$KNOWLEDGE_WORK"
  stamp "knowledge-$name" "$wanted"
  note "$name: $(du -h "$KNOWLEDGE/$name.snapshot" | cut -f 1)"
}

# A port that is free now; a node that finds it taken says so.
start_knowledge_node() {
  KNOWLEDGE_URL=http://127.0.0.1:$((20000 + RANDOM % 20000))
  cat >"$KNOWLEDGE_WORK/node.toml" <<TEXT
[server]
listen = "${KNOWLEDGE_URL#http://}"
[knowledge]
folder = "$KNOWLEDGE_WORK/knowledge"
snapshot_dirs = ["$KNOWLEDGE_WORK"]
[[models]]
name = "all-MiniLM-L6-v2"
kind = "embedding"
path = "models/all-MiniLM-L6-v2.f16.gguf"
app = "apps/embed.wasm"
TEXT
  # It ends with this setup, and does not hold its lock.
  (exec setpriv --pdeathsig TERM "$GAIA_NODE_HOME/bin/gaia-node" start --config "$KNOWLEDGE_WORK/node.toml") \
    >"$KNOWLEDGE_WORK/node.log" 2>&1 {SETUP_LOCK}>&- &
  KNOWLEDGE_NODE=$!
  local tries=0
  until curl --noproxy '*' --silent --fail --output /dev/null "$KNOWLEDGE_URL/ready"; do
    tries=$((tries + 1))
    if ((tries >= 240)) || ! kill -0 "$KNOWLEDGE_NODE" 2>/dev/null; then
      stop_knowledge_node "the node that makes $1 did not start"
    fi
    sleep 0.5
  done
}

# stop_knowledge_node [WHAT-FAILED]
stop_knowledge_node() {
  kill "$KNOWLEDGE_NODE" 2>/dev/null || true
  wait "$KNOWLEDGE_NODE" 2>/dev/null || true
  if (($# == 0)); then return; fi
  tail -n 20 "$KNOWLEDGE_WORK/node.log" >&2
  rm -rf "$KNOWLEDGE_WORK"
  die "$1; the end of its log is above"
}

knowledge_node() {
  "$GAIA_NODE_HOME/bin/gaia-node" "$@"
}

fill_knowledge() {
  local name=$1 recipe=$2 where folder ending prefix place
  while read -r where folder ending prefix; do
    case $where in
      '' | '#'*) continue ;;
      notes) place=$recipe/$folder ;;
      rust-docs) place=$(rustc --print sysroot)/share/doc/rust/html/$folder ;;
      *) die "$recipe/manifest: '$where' is neither notes nor rust-docs" ;;
    esac
    if [[ ! -d $place ]]; then
      note "without $folder: the toolchain came without its documentation (rustup component add rust-docs)"
      continue
    fi
    note "reading $folder"
    ingest_folder "$name" "$place" "$ending" "$prefix" || return
  done <"$recipe/manifest"
}

# Of the folder itself: below it are older editions. `print` and `toc` say all of it once more.
ingest_folder() {
  local name=$1 place=$2 ending=$3 prefix=$4 files
  mapfile -t files < <(find "$place" -maxdepth 1 -type f -name "*.$ending" \
    ! -name print.html ! -name toc.html ! -name 404.html | sort)
  knowledge_node kb --url "$KNOWLEDGE_URL" ingest --collection "$name" --prefix "$prefix" "${files[@]}"
}
