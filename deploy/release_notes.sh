#!/bin/sh
# Prints what CHANGELOG.md says of the version that a tag names: deploy/release_notes.sh v1.2.0. Exit code 1 where the tag
# is not the version in marsshot/core/version.py, or CHANGELOG.md says nothing of it.
set -eu
cd "$(dirname "$0")/.."
tagged=${1#v}
version=$(sed -n 's/^VERSION = "\(.*\)"$/\1/p' marsshot/core/version.py)
if [ "$tagged" != "$version" ]; then
    echo "the tag says $tagged, marsshot/core/version.py says $version" >&2
    exit 1
fi
notes=$(awk -v version="$version" '/^## /{ inside = ($2 == version); next } inside' CHANGELOG.md)
if [ -z "$notes" ]; then
    echo "CHANGELOG.md has no section ## $version" >&2
    exit 1
fi
echo "$notes"
