#!/bin/sh
# Told: puts Alertmanager's configuration together from the parts whose secrets are there, checks it, and becomes it.
#
# Alertmanager expands no variables and knows no conditional receivers. The same script serves both modes; POSIX sh,
# because the image has nothing else. Arguments are passed on to Alertmanager; alone, `--assemble-only` stops before.
#
#   EDDIE_AM_SECRETS  directory of secret files      (/etc/alertmanager/secrets)
#   EDDIE_AM_RUN      directory for what is made     (/alertmanager/config)
#   EDDIE_AM_BIN      directory of alertmanager and amtool, when they are not on PATH
#   EDDIE_INBOX_URL   where the exporter takes alerts (http://exporter:8503/alerts)
#
# Exit 78: the configuration cannot be made or is not valid; the last lines say why.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
parts=$here/parts
secrets=${EDDIE_AM_SECRETS:-/etc/alertmanager/secrets}
run=${EDDIE_AM_RUN:-/alertmanager/config}
PATH=${EDDIE_AM_BIN:+$EDDIE_AM_BIN:}$PATH

say() { echo "alertmanager/start.sh: $*" >&2; }
die() { say "$*"; exit 78; }

# there NAME: the secret file exists, can be read, and its first line is not empty.
there() { [ -r "$secrets/$1" ] && [ -n "$(value "$1")" ]; }
value() { head -n 1 "$secrets/$1" 2>/dev/null | tr -d '\r'; }

# rows FILE: its lines without comments.
rows() { grep -v '^#' "$parts/$1"; }

# has_all NAME FILE...: all files are there. Some but not all, or one that is empty, is a mistake, and is said.
has_all() {
    name=$1 missing='' found=''
    shift
    for file; do
        if there "$file"; then found=yes; else missing="$missing $file"; fi
        if [ -e "$secrets/$file" ]; then found=yes; fi
    done
    [ -z "$missing" ] && return 0
    if [ -n "$found" ]; then
        say "$name is left out: expected a readable line in each of: $*; missing or empty in $secrets:$missing"
    fi
    return 1
}

# check NAME PATTERN MEANING: a value that goes into the configuration as it is must look like it.
check() {
    there "$1" || return 0
    value "$1" | grep -Eq "^($2)\$" || die "$secrets/$1: expected $3, got '$(value "$1")'; correct the file and start again"
}

# filled: standard input with every @word@ replaced; the values stand inside single quotes in the parts.
filled() {
    script=''
    add() { script="$script
s|@$1@|$(printf '%s' "$2" | sed "s/'/''/g; s/[\\\\&|]/\\\\&/g")|g"; }
    add secrets "$secrets"
    add run "$run"
    add templates "$here/templates"
    for name in telegram_chat_id smtp_smarthost smtp_from smtp_to; do
        add "$name" "$(value "$name")"
    done
    while read -r name default; do
        if there "$name"; then add "$name" "$(value "$name")"; else add "$name" "$default"; fi
    done <<END
$(rows defaults.txt)
END
    sed "$script"
}

people=''  # names, in order
while read -r name matcher needs; do
    # shellcheck disable=SC2086  # a list of file names
    if has_all "$name" $needs; then people="$people $name"; fi
done <<END
$(rows people.txt)
END
check telegram_chat_id '-?[0-9]+' 'a chat id (a whole number)'
check smtp_require_tls 'true|false' 'true or false'
check smtp_smarthost '.+:[0-9]+' 'host:port'

mkdir -p "$run" || die "expected a writable directory in EDDIE_AM_RUN, got $run"
printf '%s\n' "${EDDIE_INBOX_URL:-http://exporter:8503/alerts}" >"$run/inbox_url"

# route RECEIVER [LINE...]: one child route, at the depth of the markers in route.yml; all that match are told.
route() {
    printf '        - receiver: %s\n          continue: true\n' "$1"
    shift
    for line; do printf '          %s\n' "$line"; done
}

deadman=''
if has_all deadman deadman_url; then deadman=deadman; fi

: >"$run/people"
: >"$run/tests"
: >"$run/heartbeat"
for name in $people; do
    matcher=$(rows people.txt | while read -r row matcher _; do [ "$row" = "$name" ] && echo "$matcher"; done || true)
    route "$name" "matchers: ['$matcher']" >>"$run/people"
done
for name in $people $deadman; do
    route "$name" "matchers: ['eddie_notify_test=\"$name\"']" >>"$run/tests"
done
if [ -n "$deadman" ]; then
    route deadman >>"$run/heartbeat"
else
    # Nobody outside listens. So that the Watchdog does not end in the inbox alone, people get it once a day.
    for name in $people; do route "$name" 'repeat_interval: 24h' >>"$run/heartbeat"; done
fi

{
    cat "$parts/global.yml"
    echo
    sed -e "/# @people@/{r $run/people" -e 'd' -e '}' -e "/# @tests@/{r $run/tests" -e 'd' -e '}' \
        -e "/# @heartbeat@/{r $run/heartbeat" -e 'd' -e '}' "$parts/route.yml"
    printf '\nreceivers:\n'
    if there alerts_token; then
        cat "$parts/receivers/inbox.yml"
    else
        say "the inbox is called without a token: $secrets/alerts_token is missing or empty ('make up' makes it)"
        grep -v -e alerts_token -e http_config "$parts/receivers/inbox.yml"
    fi
    for name in ${people:-nobody-is-told} $deadman; do cat "$parts/receivers/$name.yml"; done
} | filled >"$run/alertmanager.yml.new"
rm -f "$run/people" "$run/tests" "$run/heartbeat"

amtool check-config "$run/alertmanager.yml.new" >&2 ||
    die "expected a valid configuration, got the error above; it is in $run/alertmanager.yml.new"
mv "$run/alertmanager.yml.new" "$run/alertmanager.yml"

if [ -n "$people" ]; then
    say "told:$people${deadman:+; heartbeat to deadman_url}"
else
    say "NOBODY IS TOLD: alerts end in the inbox. Put an address into one of slack_url, discord_url, telegram_token and" \
        "telegram_chat_id, pagerduty_key, smtp_smarthost and smtp_from and smtp_to, webhook_url in $secrets; restart."
fi
[ "${1:-}" = --assemble-only ] && exit 0
exec alertmanager --config.file="$run/alertmanager.yml" "@$here/flags" "$@"
