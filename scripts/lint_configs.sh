#!/bin/sh
# Each configuration, judged by its own program's checker; `make lint` calls it after ruff and mypy.
#
# A tool is the one its variable names ($PROMTOOL, $AMTOOL, $HAPROXY, $YAMLLINT, $SHELLCHECK, $HADOLINT, $DOCKER), else
# the one of the virtual environment, of .tools/bin, of PATH. One that is nowhere is said and counted, so that "clean"
# never means "not looked at".
# Exit 0: nothing found in what was looked at; 1: something found; 2: EDDIE_LINT_ALL=1 and a tool is missing.
set -u
cd "$(dirname "$0")/.." || exit 1

passed=0 failed=0 skipped=0
PATH=${EDDIE_VENV:-$PWD/.venv}/bin:${EDDIE_TOOLS:-$PWD/.tools}/bin:$PATH
export PATH
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

# tool NAME: path of a program, empty when it is nowhere.
tool() {
    eval "chosen=\${$(echo "$1" | tr '[:lower:]' '[:upper:]'):-}"
    command -v "${chosen:-$1}" || true
}

# check WHAT TOOL ARGUMENT...: run one check, quiet when it is content; the tool is looked up here.
check() {
    what=$1 program=$(tool "$2") name=$2
    shift 2
    if [ -z "$program" ]; then
        echo "skipped  $what: no $name found"
        skipped=$((skipped + 1))
    elif said=$("$program" "$@" 2>&1); then
        echo "ok       $what"
        passed=$((passed + 1))
    else
        printf 'FAILED   %s\n%s\n' "$what" "$said"
        failed=$((failed + 1))
    fi
}

prometheus() {
    # A copy, because the read token that prometheus.yml names is made by `make up`; the user's local/ is theirs.
    cp -R prometheus "$scratch/prometheus" && mkdir -p "$scratch/prometheus/secrets"
    rm -rf "$scratch/prometheus/local"
    echo token >"$scratch/prometheus/secrets/read_token"
    version=$(promtool=$(tool promtool) && "${promtool:-false}" --version 2>&1)
    case $version in
        *'version 2.'*) sed -i '/# from 2[.]43$/d' "$scratch/prometheus/prometheus.yml" ;;
    esac
    check 'promtool check config' promtool check config --lint=all --lint-fatal "$scratch/prometheus/prometheus.yml"
    check 'promtool check rules' promtool check rules --lint=all --lint-fatal prometheus/rules/*/*.yml
    case $version in
        *'version 2.'*)
            echo 'skipped  promtool test rules: promtool 3 is needed, 2 counts one sample more in each window'
            skipped=$((skipped + 1)) ;;
        *) check 'promtool test rules' promtool test rules prometheus/tests/*_test.yml ;;
    esac
}

# What the exporter exposes, as promtool's linter judges it (exit 3 on a finding).
exposition() {
    if [ -z "$(tool promtool)" ]; then
        echo 'skipped  promtool check metrics: no promtool found'
        skipped=$((skipped + 1))
    elif ! python scripts/sample_scrape.py >"$scratch/scrape"; then
        echo 'FAILED   promtool check metrics: scripts/sample_scrape.py printed no scrape'
        failed=$((failed + 1))
    else
        # shellcheck disable=SC2016  # the inner shell expands them
        check 'promtool check metrics' sh -c '"$1" check metrics <"$2"' sh "$(tool promtool)" "$scratch/scrape"
    fi
}

# assembled NAME: Alertmanager's configuration from the secret files in $scratch/NAME.
assembled() {
    if [ -z "$(tool amtool)" ]; then
        echo "skipped  amtool check-config ($1): no amtool found"
        skipped=$((skipped + 1))
        return
    fi
    mkdir -p "$scratch/bin" && ln -sf "$(tool amtool)" "$scratch/bin/amtool"
    check "amtool check-config ($1)" env EDDIE_AM_SECRETS="$scratch/$1" EDDIE_AM_RUN="$scratch/am-$1" \
        EDDIE_AM_BIN="$scratch/bin" sh alertmanager/start.sh --assemble-only
    check "yamllint ($1)" yamllint -d '{extends: relaxed, rules: {line-length: disable}}' "$scratch/am-$1/alertmanager.yml"
}

alertmanager() {
    mkdir "$scratch/nobody" "$scratch/everybody"
    for name in slack_url discord_url webhook_url deadman_url; do echo http://127.0.0.1:9/ >"$scratch/everybody/$name"; done
    for name in alerts_token telegram_token pagerduty_key smtp_from smtp_to; do echo x@example.org >"$scratch/everybody/$name"; done
    echo 1 >"$scratch/everybody/telegram_chat_id"
    echo 127.0.0.1:25 >"$scratch/everybody/smtp_smarthost"
    assembled nobody
    assembled everybody
}

# Files of ours: tracked or new, never what git ignores.
ours() { git ls-files --cached --others --exclude-standard "$@"; }

# shells: every script that a POSIX shell or bash runs, by its name or its first line.
shells() {
    ours | while read -r file; do
        case $file in
            *.sh) echo "$file" ;;
            *.*) ;;
            *) if [ -f "$file" ] && head -n 1 "$file" | grep -qE '^#!.*\b(sh|bash)$'; then echo "$file"; fi ;;
        esac
    done
}

prometheus
exposition
alertmanager
# shellcheck disable=SC2046  # file names of ours have no spaces
{
    check 'yamllint' yamllint --strict $(ours '*.yml' '*.yaml' .yamllint)
    check 'shellcheck' shellcheck $(shells)
    check 'hadolint' hadolint $(ours '*Dockerfile')
}
check 'haproxy -c' haproxy -c -q -f docker-proxy/haproxy.cfg
if [ -n "$(tool docker)" ] && ! "$(tool docker)" compose version >/dev/null 2>&1; then
    echo 'skipped  docker compose config: docker has no compose plugin'
    skipped=$((skipped + 1))
else
    check 'docker compose config' docker compose -f compose.yaml config -q
fi

echo "configurations: $passed clean, $failed with findings, $skipped not looked at"
[ "$failed" = 0 ] || exit 1
[ "$skipped" = 0 ] || [ "${EDDIE_LINT_ALL:-}" != 1 ] || exit 2
