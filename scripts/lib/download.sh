# shellcheck shell=bash
# Files by URL: resumed where the server can, whole or not there at all.

# download URL FILE SHA256 (may be empty): keeps FILE when it came from this very URL and digest.
download() {
  local url=$1 file=$2 sha256=$3 status
  if [[ -f $file ]] && origin_is "$file" "$url $sha256"; then return; fi
  if ! origin_is "$file.partial" "$url $sha256"; then rm -f "$file.partial"; fi
  printf '%s' "$url $sha256" >"$file.partial.origin"
  note "downloading $url"
  if ! is_whole "$file.partial" "$sha256"; then
    status=$(fetch_rest "$url" "$file.partial")
    finish_download "$url" "$file.partial" "$status"
  fi
  check_download "$url" "$file.partial" "$sha256"
  mv "$file.partial" "$file"
  mv "$file.partial.origin" "$file.origin"
}

origin_is() { [[ $(cat "$1.origin" 2>/dev/null || true) == "$2" ]]; }

is_whole() { [[ -n $2 && -f $1 && $(sha256_of "$1") == "$2" ]]; }

# Prints the HTTP status, or 000 with curl's own message on stderr.
fetch_rest() {
  curl --fail --location --continue-at - --retry 5 --retry-delay 2 --connect-timeout 20 \
    --speed-limit 1000 --speed-time 60 --progress-bar --write-out '%{http_code}' --output "$2" "$1" || true
}

# 416: nothing follows what is there. 33 and the like: the server cannot resume, so from the start.
finish_download() {
  local url=$1 partial=$2 status=$3
  case $status in
    200 | 206) ;;
    416) note "nothing more to download" ;;
    *) die "could not download $url (status $status); run this again to resume at $(stat -c %s "$partial" 2>/dev/null || echo 0) bytes" ;;
  esac
}

check_download() {
  local url=$1 partial=$2 sha256=$3 found
  found=$(sha256_of "$partial")
  if [[ -z $sha256 ]]; then
    note "no sha256 was given to check it against; it is $found (append #sha256=$found to pin it)"
  elif [[ $found != "$sha256" ]]; then
    rm -f "$partial"
    die "$url has sha256 $found, not $sha256: the damaged or foreign file was removed"
  fi
}
