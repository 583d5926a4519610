# shellcheck shell=bash
# Files by URL: resumed where the server can, whole or not there at all.

CURL_SERVER_CANNOT_RESUME=33
CURL_HTTP_ERROR=22

# download URL FILE SHA256 (may be empty): keeps FILE when it came from this very URL and digest.
download() {
  local url=$1 file=$2 sha256=$3
  if [[ -f $file ]] && origin_is "$file" "$url $sha256"; then return; fi
  if ! origin_is "$file.partial" "$url $sha256"; then rm -f "$file.partial"; fi
  printf '%s' "$url $sha256" >"$file.partial.origin"
  note "downloading $url"
  if ! is_whole "$file.partial" "$sha256"; then fetch_rest "$url" "$file.partial"; fi
  check_download "$url" "$file.partial" "$sha256"
  mv "$file.partial" "$file"
  mv "$file.partial.origin" "$file.origin"
}

origin_is() { [[ $(cat "$1.origin" 2>/dev/null || true) == "$2" ]]; }

is_whole() { [[ -n $2 && -f $1 && $(sha256_of "$1") == "$2" ]]; }

# An HTTP error while resuming is most often "range not satisfiable": the file has changed or was
# complete already. Then, as where the server cannot resume, one attempt from the start decides.
fetch_rest() {
  local url=$1 partial=$2 status=0 had=0
  had=$(stat -c %s "$partial" 2>/dev/null || echo 0)
  if ((had > 0)); then note "resuming at $had bytes"; fi
  curl_into "$url" "$partial" || status=$?
  if ((had > 0)) && [[ $status -eq $CURL_SERVER_CANNOT_RESUME || $status -eq $CURL_HTTP_ERROR ]]; then
    note "the server did not resume: once more, from the start"
    rm -f "$partial"
    status=0
    curl_into "$url" "$partial" || status=$?
  fi
  ((status == 0)) ||
    die "could not download $url (curl's status $status, its message is above); run this again to resume"
}

curl_into() {
  curl --fail --location --continue-at - --retry 5 --retry-delay 2 --connect-timeout 20 \
    --speed-limit 1000 --speed-time 60 --progress-bar --output "$2" "$1"
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
