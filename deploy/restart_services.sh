#!/bin/sh
# Restarts what runs of MarsShot's services, for install.sh, and starts what had ended by itself: a mended program is of no
# use to a bot that is down. What the owner has stopped stays so. Exit code 1 where what ran does not run any more.
set -eu
systemctl daemon-reload
code=0
for service in marsshot marsshot-dashboard; do
    before=$(systemctl is-active "$service" || true)
    case "$before" in
    active | activating | reloading | failed) ;;
    *) continue ;;
    esac
    if systemctl restart "$service"; then continue; fi
    echo "$service does not start: sudo journalctl -u $service -n 50 says why" >&2
    [ "$before" != active ] || code=1
done
exit "$code"
