# shellcheck shell=bash
# Python environments of our own, with exactly the pinned packages.

PYTHON_AT_LEAST=3.11

# The first python3 that is new enough and can make environments; nothing when there is none.
python_with_venv() {
  local python
  for python in python3 /usr/bin/python3; do
    if "$python" - "$PYTHON_AT_LEAST" >/dev/null 2>&1 <<'TEXT'; then
import sys, venv, ensurepip
wanted = tuple(int(part) for part in sys.argv[1].split("."))
sys.exit(sys.version_info[:2] < wanted)
TEXT
      printf '%s' "$python"
      return
    fi
  done
}

# python_environment FOLDER REQUIREMENTS: every package by exact version and sha256.
python_environment() {
  local folder=$1 requirements=$2 python name key
  python=$(python_with_venv)
  [[ -n $python ]] || die "no python3 of $PYTHON_AT_LEAST or newer with the modules venv and ensurepip"
  name=python-${folder#"$GAIA_NODE_HOME/"}
  name=${name//\//-}
  key="$folder $("$python" --version) $(sha256_of "$requirements")"
  if stamped "$name" "$key" && "$folder/bin/python" -c '' 2>/dev/null; then return; fi
  note "making the Python environment $folder"
  rm -rf "$folder"
  "$python" -m venv "$folder"
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
    --only-binary :all: --require-hashes --requirement "$requirements" >&2 ||
    die "pip could not install what $requirements names: its message is above"
  stamp "$name" "$key"
}
