# shellcheck shell=bash
# The SDKs of PyPI and npm that tests/clients drive, pinned with digests: openai, anthropic,
# langchain-openai, litellm and mcp for Python, openai and @modelcontextprotocol/client for Node.js;
# and a validator of OpenAPI documents. playwright-core moves the browser (the last line of versions that
# runs on Debian 12's Node.js), axe-core judges what it shows.

install_clients() {
  local folder=$GAIA_NODE_HOME/clients pins=$CHECKOUT/scripts/lib/pins
  mkdir -p "$folder"
  python_environment "$folder/python" "$pins/clients.txt"
  install_node_modules "$folder" "$pins/npm"
  note "in $folder"
}

install_node_modules() {
  local folder=$1 pins=$2 key
  key=$(sha256_of "$pins/package-lock.json")
  if stamped clients-npm "$key" && [[ -d $folder/node_modules/openai ]]; then return; fi
  cp "$pins/package.json" "$pins/package-lock.json" "$folder/"
  npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error >&2 ||
    die "npm could not install the clients: its message is above"
  stamp clients-npm "$key"
}
