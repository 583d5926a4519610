# shellcheck shell=bash
# A real browser for the tests of the node's pages: Chromium, or Chrome, which is the same to them.
#
# The user's own is taken: GAIA_TEST_BROWSER, or the first of these on PATH. Where there is none, Debian's
# chromium-headless-shell comes with the system packages: the smallest, for it draws no windows.

BROWSERS=(chromium-headless-shell google-chrome-stable google-chrome chromium)
BROWSER_PATIENCE_S=120

# Prints nothing if there is none.
test_browser() {
  local name
  for name in ${GAIA_TEST_BROWSER:+"$GAIA_TEST_BROWSER"} "${BROWSERS[@]}"; do
    if have "$name"; then
      command -v "$name"
      return
    fi
  done
}

check_chosen_browser() {
  if [[ -n ${GAIA_TEST_BROWSER:-} ]] && ! have "$GAIA_TEST_BROWSER"; then
    die "GAIA_TEST_BROWSER is '$GAIA_TEST_BROWSER', which is no program: give the path of a Chromium or Chrome, or unset it"
  fi
}

missing_browser() {
  [[ -z $(test_browser) ]] || return 0
  note "the tests open the node's pages in a browser, and none is on PATH (${BROWSERS[*]}): Debian's chromium-headless-shell, 100 MB to download and 300 MB on disk, unless GAIA_TEST_BROWSER names another"
  echo chromium-headless-shell
}

# A program of that name may only say where the browser is to be had, or lack a library.
check_browser() {
  local program profile said
  program=$(test_browser)
  profile=$(mktemp -d)
  # Without its sandbox, which root can't have: what it opens is this text.
  said=$(timeout "$BROWSER_PATIENCE_S" "$program" --headless --no-sandbox --user-data-dir="$profile" \
    --dump-dom 'data:text/html,<p>opened' 2>&1 </dev/null || true)
  rm -rf "$profile"
  [[ $said == *'<p>opened</p>'* ]] ||
    die "the browser $program can't open a page: set GAIA_TEST_BROWSER to a Chromium or Chrome that can. It said: $(tail -c 1000 <<<"$said")"
  note "$program: $("$program" --version 2>/dev/null || true)"
}
