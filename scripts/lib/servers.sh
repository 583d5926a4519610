# shellcheck shell=bash
# The two servers that scripts/bench measures, on ports the system chooses.

SERVER_PATIENCE_SECONDS=120
# Room for the longest prompt and answer of the benchmark in each of llama-server's slots.
PEER_SLOTS=16
PEER_SLOT_TOKENS=1024

# start_node FOLDER: sets NODE_URL and NODE_PID.
start_node() {
  local folder=$1
  cat >"$folder/config.toml" <<TEXT
[server]
[[models]]
name = "chat"
kind = "chat"
path = "$GAIA_NODE_HOME/models/$CHAT_FILE"
app = "$GAIA_NODE_HOME/apps/chat.wasm"
TEXT
  local port
  port=$(free_port)
  "$GAIA_NODE_HOME/bin/gaia-node" start --config "$folder/config.toml" --listen "127.0.0.1:$port" \
    >"$folder/node.log" 2>&1 &
  NODE_PID=$!
  NODE_URL=http://127.0.0.1:$port
  wait_until_ready "the node" "$NODE_URL/ready" "$NODE_PID" "$folder/node.log"
}

# start_peer FOLDER PATH THREADS: PATH may be empty for the private one. Sets PEER_URL and PEER_PID.
start_peer() {
  local folder=$1 program=$2 threads=$3 port private=$GAIA_NODE_HOME/peer
  port=$(free_port)
  local arguments=(
    --model "$GAIA_NODE_HOME/models/$CHAT_FILE" --port "$port" --threads "$threads"
    --parallel "$PEER_SLOTS" --ctx-size "$((PEER_SLOTS * PEER_SLOT_TOKENS))" --no-webui
  )
  if [[ -n $program ]]; then
    "$program" "${arguments[@]}" >"$folder/peer.log" 2>&1 &
    PEER_PID=$!
  else
    # Debian's ggml looks for its CPU modules in the working directory when not installed.
    (cd "$private/backends" && exec "$private/lib/ld-linux-x86-64.so.2" --library-path "$private/lib" \
      "$private/bin/llama-server" "${arguments[@]}") >"$folder/peer.log" 2>&1 &
    PEER_PID=$!
  fi
  PEER_URL=http://127.0.0.1:$port
  wait_until_ready "llama-server" "$PEER_URL/health" "$PEER_PID" "$folder/peer.log"
}

stop_servers() {
  local pid
  for pid in ${NODE_PID:-} ${PEER_PID:-}; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  NODE_PID=
  PEER_PID=
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

wait_until_ready() {
  local name=$1 url=$2 pid=$3 log=$4 started=$SECONDS
  until curl --silent --fail --output /dev/null --max-time 5 "$url"; do
    kill -0 "$pid" 2>/dev/null || die "$name ended while starting: see $log"
    ((SECONDS - started < SERVER_PATIENCE_SECONDS)) || die "$name is not ready after $SERVER_PATIENCE_SECONDS s: see $log"
    sleep 0.2
  done
}
