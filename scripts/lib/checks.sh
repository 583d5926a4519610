# shellcheck shell=bash
# The checks of scripts/test. Each runs to its end even when another failed.

FAILED=()
PASSED=0

# check NAME FUNCTION
check() {
  local name=$1 started=$SECONDS
  say "==> $name"
  # A subshell of its own keeps `set -e` alive, which a condition would switch off.
  set +e
  (set -e && cd "$CHECKOUT" && "$2")
  local status=$?
  set -e
  if ((status == 0)); then
    PASSED=$((PASSED + 1))
    say "    $name: passed in $((SECONDS - started)) s"
  else
    FAILED+=("$name")
    say "    $name: FAILED after $((SECONDS - started)) s"
  fi
}

finish() {
  if ((${#FAILED[@]} > 0)); then
    local names
    names=$(printf ', %s' "${FAILED[@]}")
    die "scripts/test: ${#FAILED[@]} of $((PASSED + ${#FAILED[@]})) steps failed after $SECONDS s: ${names:2}"
  fi
  say "scripts/test: all $PASSED steps passed in $SECONDS s"
}

check_format() {
  cargo fmt --all --check
  (cd wasm-apps && cargo fmt --all --check)
}

check_shell() {
  shellcheck scripts/setup scripts/run scripts/test scripts/bench .ci/run scripts/lib/*.sh
  shellcheck wasm-apps/build
  scripts/lib/test-setup.sh
}

check_clippy() {
  cargo clippy --workspace --all-targets --locked -- -D warnings
  (cd wasm-apps && cargo clippy --workspace --all-targets --locked -- -D warnings)
}

# Not its advisories: their list is a git repository that a build machine may not reach.
check_dependencies() {
  local manifest
  for manifest in Cargo.toml wasm-apps/Cargo.toml; do
    "$GAIA_NODE_HOME/tools/bin/cargo-deny" --log-level error --locked --manifest-path "$manifest" \
      --config deny.toml check licenses bans sources
  done
}

# The end-to-end tests start them.
build_binaries() { cargo build --workspace --bins --locked; }

test_workspace() { cargo test --workspace --locked --no-fail-fast; }

test_wasm_apps() { (cd wasm-apps && cargo test --workspace --locked --no-fail-fast); }
