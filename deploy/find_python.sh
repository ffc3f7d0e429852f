#!/bin/sh
# Prints the newest Python of this machine that MarsShot runs on; else it says what to install, with exit code 1.
# With an argument, that Python or none. Which ones it runs on stands in pyproject.toml.
set -eu
settings=$(dirname "$0")/../pyproject.toml
oldest_first=$(sed -n 's/^pythons = \[\(.*\)\]$/\1/p' "$settings" | tr -d '",')
newest_first=""
for version in $oldest_first; do newest_first="$version $newest_first"; done

# A Python without ensurepip (Debian packages it apart) makes no virtual environment.
examine='import sys, venv; print("%d.%d" % sys.version_info[:2]); import ensurepip'
bare=""
found() {
    version=$("$1" -c "$examine" 2>/dev/null) && complete=yes || complete=no
    case " $newest_first" in
    *" ${version:-none} "*) ;;
    *) return 1 ;;
    esac
    if [ "$complete" = no ]; then
        bare=$version
        return 1
    fi
    command -v "$1"
}

if [ $# -gt 0 ]; then
    found "$1" && exit
else
    for version in $newest_first; do
        found "python$version" && exit
    done
    found python3 && exit
    found python && exit
fi

needed=$(echo "$oldest_first" | sed 's/ /, /g; s/\(.*\), /\1 or /')
if [ -n "$bare" ]; then
    echo "Python $bare is here, but not what makes its virtual environment: apt-get install python$bare-venv" >&2
else
    echo "MarsShot needs Python $needed${1:+, and $1 is none of them}. Debian 12 or newer, Ubuntu 24.04 or newer:" \
        "apt-get install python3 python3-venv; macOS: brew install python" >&2
fi
exit 1
