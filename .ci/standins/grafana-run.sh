#!/bin/bash
# What the entry point of the Grafana image does: GF_*__FILE variables become the content of the file, then the server.
set -e
for name in $(compgen -e | grep '^GF_.*__FILE$'); do
  export "${name%__FILE}=$(<"${!name}")"
  unset "$name"
done
[ -d "$GF_PATHS_PLUGINS" ] || mkdir "$GF_PATHS_PLUGINS"
export HOME="$GF_PATHS_HOME"
exec grafana server --homepath="$GF_PATHS_HOME" --config="$GF_PATHS_CONFIG" --packaging=docker "$@" \
  cfg:default.log.mode=console cfg:default.paths.data="$GF_PATHS_DATA" cfg:default.paths.logs="$GF_PATHS_LOGS" \
  cfg:default.paths.plugins="$GF_PATHS_PLUGINS" cfg:default.paths.provisioning="$GF_PATHS_PROVISIONING"
