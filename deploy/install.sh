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
install -d -m 0750 -o root -g marsshot /etc/marsshot
# The keys are for root and the bot alone, whatever an older install.sh has made of them; only then comes somebody else
# into the bot's group, which may read what the bot writes.
[ -e /etc/marsshot/keys ] || install -m 0600 deploy/keys.example /etc/marsshot/keys
chown marsshot:root /etc/marsshot/keys
chmod 0600 /etc/marsshot/keys
[ -e /var/lib/marsshot ] || install -d -m 0700 -o marsshot -g marsshot /var/lib/marsshot
[ -e /var/lib/marsshot/config.yaml ] || install -m 0600 -o marsshot -g marsshot config.yaml /var/lib/marsshot/config.yaml
chmod 0600 /var/lib/marsshot/config.yaml
id marsshot-dashboard >/dev/null 2>&1 || useradd --system --gid marsshot --no-user-group \
    --home-dir /var/lib/marsshot-dashboard --shell /usr/sbin/nologin marsshot-dashboard
install -d -m 0750 -o marsshot -g marsshot /var/lib/marsshot
# The one folder of the bot's that the dashboard writes to: PAUSE, SELL_ALL.
install -d -m 0770 -o marsshot -g marsshot /var/lib/marsshot/control
install -d -m 0700 -o marsshot-dashboard -g marsshot /var/lib/marsshot-dashboard
if [ -f /var/lib/marsshot/dashboard.token ] && [ ! -e /var/lib/marsshot-dashboard/token ]; then
    install -m 0600 -o marsshot-dashboard -g marsshot /var/lib/marsshot/dashboard.token /var/lib/marsshot-dashboard/token
    rm /var/lib/marsshot/dashboard.token
fi
# What an older version has written for its owner alone.
runuser -u marsshot -- find /var/lib/marsshot -maxdepth 1 -type f \
    \( -name '*.csv' -o -name '*.json' -o -name '*.html' -o -name '*.log' \) -exec chmod g+r {} +

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

install -m 0755 deploy/marsshot /usr/local/bin/marsshot
install -m 0644 deploy/*.service deploy/*.timer /etc/systemd/system/
if [ -d /run/systemd/system ]; then
    deploy/restart_services.sh
fi
echo "MarsShot is installed. Next: docs/guide.md, docs/guide.fr.md"
