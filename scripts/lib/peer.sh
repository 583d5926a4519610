# shellcheck shell=bash
# The benchmark's peer: Debian's own llama-server in a private folder (scripts/bench --peer takes another).

install_peer() {
  local peer=$GAIA_NODE_HOME/peer
  if [[ -x $peer/bin/llama-server ]]; then
    note "already there: $peer"
    return
  fi
  mkdir -p "$DOWNLOADS"
  debian_prefix "$peer" keep_peer llama.cpp-tools
  [[ -n $(find "$peer/backends" -name 'libggml-cpu-*.so' | head -n 1) ]] ||
    die "the llama.cpp package of Debian $DEBIAN_RELEASE holds no CPU backend where it used to"
  note "installed in $peer"
}

keep_peer() {
  local unpacked=$1 into=$2 libraries=$1/usr/lib/x86_64-linux-gnu
  mv "$unpacked"/usr/bin/llama-* "$into/bin/"
  mv "$libraries"/llama/*.so* "$into/lib/"
  mv "$libraries"/ggml/backends* "$into/backends"
}
