# shellcheck shell=bash
# Tools of the checks that no package carries.

CARGO_DENY_VERSION=0.20.2

# Three minutes of one core, once. Built elsewhere than the node: it shares nothing with it.
install_cargo_deny() {
  local tools=$GAIA_NODE_HOME/tools
  if [[ $("$tools/bin/cargo-deny" --version 2>/dev/null) == "cargo-deny $CARGO_DENY_VERSION" ]]; then
    note "cargo-deny $CARGO_DENY_VERSION is there"
    return
  fi
  note "building cargo-deny $CARGO_DENY_VERSION"
  CARGO_TARGET_DIR=$tools/target cargo install cargo-deny --quiet --locked --force \
    --version "$CARGO_DENY_VERSION" --root "$tools" >&2 ||
    die "cargo could not install cargo-deny $CARGO_DENY_VERSION: its message is above"
  rm -rf "$tools/target"
}
