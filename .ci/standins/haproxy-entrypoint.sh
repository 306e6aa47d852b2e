#!/bin/sh
# What the entry point of the haproxy image does: flags alone mean haproxy, and haproxy runs as a master in the foreground.
set -e
[ "${1#-}" = "$1" ] || set -- haproxy "$@"
if [ "$1" = haproxy ]; then
  shift
  set -- haproxy -W -db "$@"
fi
exec "$@"
