# shellcheck shell=bash
# Words every step uses: messages, stamps, checksums, downloads and the lock.
#
# A step is a function called through `step`. It first looks whether its result is already there,
# makes it beside its final place otherwise, and renames it at the end: an interrupted setup leaves
# whole results and leftovers that the next one resumes or replaces, never half a result.

set -euo pipefail

CHECKOUT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
GAIA_NODE_HOME=$(realpath -m "${GAIA_NODE_HOME:-$HOME/.cache/gaia-node}")
DOWNLOADS=$GAIA_NODE_HOME/downloads
export GAIA_NODE_HOME

say() { printf '%s\n' "$*" >&2; }

note() { say "    $*"; }

# Ends the script. The text says what is wrong, with which thing, and what to do.
die() {
  say "error: $*"
  exit "$EXPLAINED"
}

# A command that fails without a word of ours still ends with the step's name.
EXPLAINED=2
CURRENT_STEP=
trap 'explain_exit $?' EXIT

explain_exit() {
  if [[ $1 -ne 0 && $1 -ne $EXPLAINED && -n $CURRENT_STEP ]]; then
    say "error: the step '$CURRENT_STEP' failed (status $1); what it said is above. Run this again to resume."
  fi
}

# step NAME WHY FUNCTION [ARGUMENT…]
step() {
  local name=$1 why=$2 started=$SECONDS
  shift 2
  CURRENT_STEP=$name
  say "==> $name: $why"
  "$@"
  local seconds=$((SECONDS - started))
  if ((seconds > 1)); then note "took $seconds s"; fi
}

have() { command -v "$1" >/dev/null 2>&1; }

is_root() { [[ $(id -u) -eq 0 ]]; }

# version_at_least FOUND WANTED
version_at_least() {
  [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]
}

sha256_of() { sha256sum "$1" | cut -d ' ' -f 1; }

# Stamps say that a step's result was made from these very inputs.
stamped() { [[ $(cat "$GAIA_NODE_HOME/stamps/$1" 2>/dev/null || true) == "$2" ]]; }

stamp() {
  mkdir -p "$GAIA_NODE_HOME/stamps"
  printf '%s' "$2" >"$GAIA_NODE_HOME/stamps/$1.partial"
  mv "$GAIA_NODE_HOME/stamps/$1.partial" "$GAIA_NODE_HOME/stamps/$1"
}

# What identifies a file without reading all of it: changed content changes one of these.
file_identity() { stat -L -c '%n %s %Y' "$1"; }

# replace_folder NEW OLD: OLD is whole before and after, but for the instant between two renames.
replace_folder() {
  rm -rf "$2.replaced"
  if [[ -e $2 ]]; then mv -T "$2" "$2.replaced"; fi
  mv -T "$1" "$2"
  rm -rf "$2.replaced"
}

# reachable URL: within a few seconds, without downloading it.
reachable() {
  have curl && curl --silent --fail --location --head --connect-timeout 4 --max-time 8 \
    --output /dev/null "$1"
}

# One setup at a time for one GAIA_NODE_HOME; the lock ends with the process.
lock_home() {
  mkdir -p "$GAIA_NODE_HOME" 2>/dev/null ||
    die "cannot create $GAIA_NODE_HOME: choose another place with GAIA_NODE_HOME"
  [[ -w $GAIA_NODE_HOME ]] || die "cannot write to $GAIA_NODE_HOME: choose another place with GAIA_NODE_HOME"
  mkdir -p "$DOWNLOADS"
  exec {SETUP_LOCK}>"$GAIA_NODE_HOME/setup.lock"
  if ! flock --nonblock "$SETUP_LOCK"; then
    say "waiting for another setup in $GAIA_NODE_HOME to end"
    flock "$SETUP_LOCK"
  fi
}
