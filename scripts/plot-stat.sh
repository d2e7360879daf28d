#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# plot-stat.sh DIR [TITLE] - draw what `gmemsim trace stat --csv DIR` wrote
#   DIR/{live,idle}.csv -> DIR/{live,idle}.{png,svg}
# ZOOM=1.5 scales the PNGs.
set -eu
dir=${1:?usage: plot-stat.sh DIR [TITLE]}
job=${2:-$(basename "$dir")}
scripts=$(cd "$(dirname "$0")" && pwd)
for f in live idle; do
	[ -r "$dir/$f.csv" ] || { echo "plot-stat.sh: $dir/$f.csv is not there: gmemsim trace stat --csv $dir FILE" >&2; exit 2; }
done
command -v gnuplot >/dev/null || { echo "plot-stat.sh: gnuplot is missing: apt-get install gnuplot-nox" >&2; exit 2; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# Seconds, and memory stacked: what stays lowest, a column a kind that occurs.  The
# file is read twice: the unit goes by the most.
LC_ALL=C awk -F, -v tmp="$tmp" '
FNR == 1 {
	if (NR == 1) next
	for (i = 3; i <= NF; i++) col[$i] = i
	n = split("weight optimizer gradient activation workspace input kv_cache other", order, " ")
	unit = most < 2^29 ? "MiB" : "GiB"
	one = most < 2^29 ? 2^20 : 2^30
	next
}
NR == FNR { if ($2 > most) most = $2; next }
{
	line = $1 / 1e12
	sum = 0
	for (k = 1; k <= n; k++) {
		if ($(col[order[k]]) > most / 1000) used[k] = 1
		sum += $(col[order[k]]) / one
		line = line " " sum
	}
	print line >(tmp "/live")
	to = $1 / 1e12
}
END {
	for (k = 1; k <= n; k++) if (used[k]) { columns = columns " " k + 1; kinds = kinds " " order[k] }
	printf "to = %g; top = %g; unit = \"%s\"; columns = \"%s\"; kinds = \"%s\"\n", to, most / one, unit, columns, kinds >(tmp "/vars")
}' "$dir/live.csv" "$dir/live.csv"
grep -q 'columns = " ' "$tmp/vars" || { echo "plot-stat.sh: $dir/live.csv tells of no tensor" >&2; exit 2; }

# A block a kind: how long, how much; zeros have no logarithm.
LC_ALL=C awk -F, -v tmp="$tmp" '
NR > 1 && $5 > $4 && $3 > 0 {
	if (!($2 in seen)) { seen[$2] = 1; name[++n] = $2 }
	rows[$2] = rows[$2] ($5 - $4) / 1e12 " " $3 / 2^20 "\n"
}
END {
	for (k = 1; k <= n; k++) { printf "%s\n\n", rows[name[k]] >(tmp "/idle"); list = list " " name[k] }
	printf "idle_kinds = \"%s\"\n", list >(tmp "/vars_idle")
}' "$dir/idle.csv"

draw() {
	local name=$1 format
	for format in png svg; do
		gnuplot -e "scripts='$scripts'; tmp='$tmp'; format='$format'; out='$dir/$name.$format'; width=900; height=$2; zoom=${ZOOM:-1.5}; job='$job'; load tmp.'/vars'; load tmp.'/vars_idle'" \
			"$scripts/stat-$name.gp"
	done
	echo "$dir/$name.png"
}
draw live 420
if grep -q '"..*"' "$tmp/vars_idle"; then
	draw idle 480
fi
