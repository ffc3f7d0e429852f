#!/bin/sh
# What the container runs, and the command in it: `docker compose exec marsshot marsshot status`.
#   run          the bot in the mode of config.yaml; in demo mode the whole job, as `make run` does
#   dashboard    the page in a browser
#   health       whether all is well, for Docker's health check
#   NAME.py ...  that script; anything else is one of main.py's commands
set -eu
program=$(dirname "$(dirname "$(readlink -f "$0")")")
at_rest=${TMPDIR:-/tmp}/marsshot_at_rest

child=""
stopping=""
resting=""
# shellcheck disable=SC2329 # the trap below calls it
stop() {
    stopping=yes
    exec 2>/dev/null # or the shell would tell that the stop has ended its child
    [ -z "$child" ] || kill -TERM "$child" 2>/dev/null || true
    [ -z "$resting" ] || exit 0
}

# Run it, hand a stop on to it, and return its exit code once it has ended; one that a stop has ended did as it was told.
step() {
    "$@" &
    child=$!
    code=0
    wait "$child" || code=$?
    while kill -0 "$child" 2>/dev/null; do # a signal ended the wait, and not the child
        code=0
        wait "$child" || code=$?
    done
    child=""
    if [ -n "$stopping" ]; then
        [ "$code" != 143 ] || code=0 # 128 + SIGTERM
        exit "$code"
    fi
    return "$code"
}

script() {
    name=$1
    shift
    step python "$program/$name" "$@"
}

# Stay, so that what there is can be looked at and Docker does not begin anew: rest HEALTH TEXT. The health check ends with
# that code from now on, whatever heartbeat is still young.
rest() {
    echo "$1" >"$at_rest"
    echo "$2"
    resting=yes
    step sleep infinity
}

run() {
    mode=$(sed -n "s/^mode: *[\"']\{0,1\}\([a-z]*\).*/\1/p" config.yaml 2>/dev/null || true)
    code=0
    if [ "$mode" = demo ]; then
        { script build_csv.py && script train_model.py && script main.py run; } || code=$?
        if [ "$code" = 0 ]; then
            rest 0 "The demo is over; its results: http://127.0.0.1:8377. Once more: docker compose restart marsshot"
        fi
    else
        script main.py run || code=$?
    fi
    return "$code"
}

# What Docker starts anew when it has ended. Where settings, keys or a file are wrong (2) a new start mends nothing: it
# stays, has told why once, and the health check tells that it does nothing.
service() {
    trap stop TERM INT
    rm -f "$at_rest"
    code=0
    "$@" || code=$?
    if [ "$code" = 2 ]; then
        rest 1 "Mend that (keys stand in deploy/keys), then: docker compose up -d --force-recreate" # a restart alone keeps the old keys
    fi
    exit "$code"
}

# On the machine around it the file may be its owner's alone; who owns it there, the program here cannot tell.
if [ -e config.yaml ] && [ ! -r config.yaml ] && [ "${1-run}" != health ]; then
    echo "The container's user ($(id -u)) may not read config.yaml. Beside compose.yaml type: chmod a+r config.yaml" \
        "(or, where a key stands in it: sudo chown $(id -u) config.yaml)" >&2
fi

case "${1-run}" in
run) service run ;;
dashboard)
    shift
    service script dashboard.py --host 0.0.0.0 --published-on 127.0.0.1 "$@"
    ;;
health)
    [ ! -e "$at_rest" ] || exit "$(cat "$at_rest")"
    exec python -m marsshot.monitoring.health_check
    ;;
*.py)
    name=$1
    shift
    exec python "$program/$name" "$@"
    ;;
*) exec python "$program/main.py" "$@" ;;
esac
