# shellcheck shell=bash
# env.sh: what cargo, the tests and the other scripts need to know.

write_environment() {
  local file=$GAIA_NODE_HOME/env.sh
  {
    echo "# Written by scripts/setup; source it before cargo in the checkout."
    assignment GAIA_NODE_HOME "$GAIA_NODE_HOME"
    assignment WASMEDGE_INCLUDE_DIR "$WASMEDGE_INCLUDE"
    assignment WASMEDGE_LIB_DIR "$WASMEDGE_LIBRARY"
    if [[ -n $WASMEDGE_PREFIX ]]; then
      assignment GAIA_WASMEDGE_PREFIX "$WASMEDGE_PREFIX"
    else
      echo "unset GAIA_WASMEDGE_PREFIX"
    fi
    assignment LIBCLANG_PATH "$(libclang_folder)"
    assignment CARGO_TARGET_DIR "$GAIA_NODE_HOME/target"
    assignment GAIA_TEST_PYTHON "$GAIA_NODE_HOME/clients/python/bin/python"
    assignment GAIA_TEST_NODE_MODULES "$GAIA_NODE_HOME/clients/node_modules"
    assignment GAIA_TEST_BROWSER "$(test_browser)"
  } >"$file.partial"
  mv "$file.partial" "$file"
  # shellcheck source=/dev/null
  . "$file"
}

assignment() { printf 'export %s=%q\n' "$1" "$2"; }
