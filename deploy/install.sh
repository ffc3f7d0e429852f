#!/bin/bash
# Sets MarsShot up as a service on Debian 12 or 13, Ubuntu 24.04 or another Linux with systemd and one of the Pythons that
# find_python.sh names. Run as root from the checkout in /opt/marsshot; running it again brings the service up to what is
# checked out (`marsshot update` fetches and does it) and leaves settings, keys and book alone.
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
python=$(PATH=/usr/bin:/usr/local/bin:$PATH deploy/find_python.sh) || exit 2

umask 022
# root's umask may keep what git writes to itself. What belongs to the program is for all to read; a config.yaml that
# somebody filled in here, and whatever else lies here, stays as it is.
git ls-files -z -- ':!config.yaml' | xargs -0 chmod go+r
git ls-files -z | xargs -0 -n 1 dirname -z | sort -zu | xargs -0 chmod go+rx
id marsshot >/dev/null 2>&1 || useradd --system --home-dir /var/lib/marsshot --shell /usr/sbin/nologin marsshot
install -d -m 0700 -o marsshot -g marsshot /var/lib/marsshot
install -d -m 0750 -o root -g marsshot /etc/marsshot

# A .venv that broke with an upgrade of the system (another Python there, or none) is made anew.
if ! deploy/find_python.sh .venv/bin/python >/dev/null 2>&1; then
    rm -rf .venv
    "$python" -m venv .venv
fi
if ! runuser -u marsshot -- .venv/bin/python -c ""; then
    echo "the user marsshot may not run $(readlink -f .venv/bin/python): install a Python for everybody" \
        "(apt-get install python3 python3-venv), delete $program/.venv, and run this again" >&2
    exit 2
fi
# With what the dashboard needs, so that its service only has to be switched on.
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dashboard.txt
git ls-files -z -- '*.py' ':!tests' ':!benchmarks' | xargs -0 .venv/bin/python -m compileall -q

[ -e /var/lib/marsshot/config.yaml ] || install -m 0600 -o marsshot -g marsshot config.yaml /var/lib/marsshot/config.yaml
[ -e /etc/marsshot/keys ] || install -m 0640 -o root -g marsshot deploy/keys.example /etc/marsshot/keys
install -m 0755 deploy/marsshot /usr/local/bin/marsshot
install -m 0644 deploy/marsshot.service deploy/marsshot-dashboard.service /etc/systemd/system/
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl try-restart marsshot marsshot-dashboard
fi
echo "MarsShot is installed. Next: docs/guide.md, docs/guide.fr.md"
