#!/bin/bash
# update: the newest program of the repository. rollback: the program before the last update; once more: back again.
# Only the program changes: book, settings, keys, model and log stay as they are. `marsshot update`, `marsshot rollback`.
set -euo pipefail
previous=refs/marsshot/previous
unfinished=refs/marsshot/unfinished # the program before a change that a power cut, say, has broken off
main() {
    cd "$(dirname "$0")/.."
    exec 9>.git/marsshot.lock
    flock --nonblock 9 || refuse "another update is under way; nothing has been changed"
    local here before after running
    here=$(git rev-parse HEAD)
    before=$(known "$unfinished" || echo "$here")
    case "${1-update}" in
    update)
        # Without the lock: what git tidies up in the background would hold it on.
        git fetch --quiet 9>&- || refuse "the repository could not be reached; nothing has been changed"
        after=$(known '@{upstream}') ||
            refuse "this checkout follows no branch of the repository; nothing has been changed"
        if git merge-base --is-ancestor "$after" "$here"; then
            if ! known "$unfinished" >/dev/null; then
                echo "MarsShot is as new as the repository: $(version)"
                return
            fi
            after=$here
        elif ! git merge-base --is-ancestor "$here" "$after"; then
            refuse "this checkout has commits that the repository has not; nothing has been changed"
        fi
        ;;
    rollback)
        after=$(known "$unfinished" || known "$previous") ||
            refuse "there was no update yet, so there is nothing to go back to"
        ;;
    *)
        echo "usage: marsshot update | marsshot rollback" >&2
        exit 2
        ;;
    esac
    echo "from $(version)"
    running=$(running_services)
    # Ctrl-C or a connection that breaks ends install.sh, and not the way back.
    trap : INT TERM HUP
    git update-ref "$unfinished" "$before"
    if ! take "$after"; then
        git update-ref -d "$unfinished"
        refuse "a file of the program was changed here and would be overwritten; nothing has been changed"
    fi
    if ! deploy/install.sh; then
        go_back "$before" "$running"
        exit 1
    fi
    git update-ref -d "$unfinished"
    [ "$before" = "$after" ] || git update-ref "$previous" "$before"
    echo "to $(version). Back: sudo marsshot rollback"
}

# Take that program. Refuses where a file that somebody changed here would be overwritten; git takes a file for changed
# whose rights install.sh has set since git last looked, hence the look.
take() {
    git update-index -q --refresh >/dev/null || true
    git reset --quiet --keep "$1"
}

# Put the program before, its packages and what ran of it back.
go_back() {
    take "$1"
    if deploy/install.sh >/dev/null; then
        git update-ref -d "$unfinished"
        say "that could not be installed; the program is again $(version)"
    else
        say "that could not be installed; the program is again $(version), but not what it needs:" \
            "type sudo $PWD/deploy/install.sh once network and disk are well"
    fi
    # A service whose new program refused to start has ended, and nothing else starts it.
    local service
    for service in $2; do
        systemctl start "$service" || say "$service does not run: sudo journalctl -u $service -n 50 says why"
    done
}

running_services() {
    local service
    for service in marsshot marsshot-dashboard; do
        if systemctl is-active --quiet "$service" 2>/dev/null; then echo "$service"; fi
    done
}

known() {
    git rev-parse --quiet --verify "$1"
}

# Where nobody reads any more (a connection that broke), the work goes on.
say() {
    echo "$@" >&2 || true
}

refuse() {
    say "$@"
    exit 1
}

version() {
    sed -n 's/^VERSION = "\(.*\)"/\1/p' marsshot/core/version.py | tr '\n' ' '
    git log -1 --format='(%h, %cs)'
}

# In one piece, since the script itself is among what changes.
main "$@"
exit
