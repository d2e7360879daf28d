#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Print the header that tells the program its version and commit: from git in a
# checkout, from VERSION in an unpacked archive (git fills the second line in).
set -eu
cd "$(dirname "$0")/.."
{ read -r version; read -r commit; } <VERSION
case $commit in *Format*) commit=unknown ;; esac
if [ -e .git ] && command -v git >/dev/null; then
	commit=$(git describe --always --dirty --exclude='*' 2>/dev/null || echo "$commit")
fi
printf '#define GS_VERSION "%s"\n#define GS_COMMIT "%s"\n' "$version" "$commit"
