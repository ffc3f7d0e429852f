#!/bin/bash
# Sets MarsShot up as a service on Debian 12 or another Linux with systemd and Python 3.11. Run as root from the checkout
# in /opt/marsshot; running it again brings program and service up to date and leaves settings, keys and book alone.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$PWD
if [ "$program" != /opt/marsshot ]; then
    echo "the checkout must be /opt/marsshot, this one is $program" >&2
    exit 2
fi
if [ "$(id -u)" != 0 ]; then
    echo "run this as root: sudo deploy/install.sh" >&2
    exit 2
fi
# The system's own first: one in root's home (pyenv) is out of the bot's reach.
python=$(PATH=/usr/bin:/usr/local/bin:$PATH command -v python3.11 || true)
if [ -z "$python" ]; then
    echo "Python 3.11 is missing: apt-get install python3.11 python3.11-venv" >&2
    exit 2
fi

umask 022
# root's umask may keep what git writes to itself. What belongs to the program is for all to read; a config.yaml that
# somebody filled in here, and whatever else lies here, stays as it is.
git ls-files -z -- ':!config.yaml' | xargs -0 chmod go+r
git ls-files -z | xargs -0 -n 1 dirname -z | sort -zu | xargs -0 chmod go+rx
id marsshot >/dev/null 2>&1 || useradd --system --home-dir /var/lib/marsshot --shell /usr/sbin/nologin marsshot
install -d -m 0700 -o marsshot -g marsshot /var/lib/marsshot
install -d -m 0750 -o root -g marsshot /etc/marsshot

[ -x .venv/bin/python ] || "$python" -m venv .venv
if ! runuser -u marsshot -- .venv/bin/python -c ""; then
    echo "the user marsshot may not run $(readlink -f .venv/bin/python): install Python 3.11 for everybody" \
        "(apt-get install python3.11 python3.11-venv), delete $program/.venv, and run this again" >&2
    exit 2
fi
.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
.venv/bin/python -m compileall -q ./*.py marsshot embedded_market

[ -e /var/lib/marsshot/config.yaml ] || install -m 0600 -o marsshot -g marsshot config.yaml /var/lib/marsshot/config.yaml
[ -e /etc/marsshot/keys ] || install -m 0640 -o root -g marsshot deploy/keys.example /etc/marsshot/keys
install -m 0755 deploy/marsshot /usr/local/bin/marsshot
install -m 0644 deploy/marsshot.service deploy/marsshot-dashboard.service /etc/systemd/system/
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl try-restart marsshot marsshot-dashboard
fi
echo "MarsShot is installed. Next: docs/guide.md, docs/guide.fr.md"
