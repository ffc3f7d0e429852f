#!/bin/bash
# update: the newest program of the repository. rollback: the program before the last update; once more: back again.
# Only the program changes: book, settings, keys, model and log stay as they are. `marsshot update`, `marsshot rollback`.
set -euo pipefail
main() {
    cd "$(dirname "$0")/.."
    local before after previous=refs/marsshot/previous
    before=$(git rev-parse HEAD)
    case "${1-update}" in
    update)
        git fetch --quiet
        after=$(git rev-parse '@{upstream}')
        if git merge-base --is-ancestor "$after" "$before"; then
            echo "MarsShot is as new as the repository: $(version)"
            return
        fi
        if ! git merge-base --is-ancestor "$before" "$after"; then
            echo "this checkout has commits that the repository has not; nothing has been changed" >&2
            exit 1
        fi
        ;;
    rollback)
        if ! after=$(git rev-parse --quiet --verify "$previous"); then
            echo "there was no update yet, so there is nothing to go back to" >&2
            exit 1
        fi
        ;;
    *)
        echo "usage: marsshot update | marsshot rollback" >&2
        exit 2
        ;;
    esac
    echo "from $(version)"
    # Refuses where a file that somebody changed here would be overwritten.
    git reset --quiet --keep "$after"
    if ! deploy/install.sh; then
        git reset --quiet --keep "$before"
        echo "that could not be installed; the program is again $(version). If the service does not run:" \
            "sudo $PWD/deploy/install.sh" >&2
        exit 1
    fi
    git update-ref "$previous" "$before"
    echo "to $(version). Back: sudo marsshot rollback"
}

version() {
    sed -n 's/^VERSION = "\(.*\)"/\1/p' marsshot/core/version.py | tr '\n' ' '
    git log -1 --format='(%h, %cs)'
}

# In one piece, since the script itself is among what changes.
main "$@"
exit
