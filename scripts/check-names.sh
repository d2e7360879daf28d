#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# check-names.sh - no special cases: sim/, models/ and kernel-core/ know no network by name
#
# Comments may tell what something was measured on; code and strings may not.
# traces/ may, since its generator builds networks, and so may tests.
set -eu
cd "$(dirname "$0")/.."
find sim models kernel-core -maxdepth 1 -name '*.[ch]' | sort | xargs -r awk '
# The line without comments; `comment` says whether one goes on in the next line.
function code(s,    i, c, two, quote, out) {
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1); two = substr(s, i, 2)
		if (comment) {
			if (two == "*/") { comment = 0; i++ }
		} else if (quote == "" && two == "/*") { comment = 1; i++
		} else if (quote == "" && two == "//") { break
		} else {
			if (quote != "" && c == "\\") { out = out c; c = substr(s, ++i, 1) }
			else if (c == quote) quote = ""
			else if (quote == "" && (c == "\"" || c == "\047")) quote = c
			out = out c
		}
	}
	return out
}
BEGIN {
	names = "(^|[^a-z])(bert|gpt-?[0-9]|llama|vit([^a-z]|$)|resnet|inception|senet|dlrm|vgg|alexnet|mobilenet)"
}
FNR == 1 { comment = 0 }
{
	line = code($0)
	if (tolower(line) ~ names) {
		print FILENAME ":" FNR ": names a network: " line
		bad = 1
	}
}
END { exit bad }' >&2 || exit 1
