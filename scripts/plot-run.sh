#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# plot-run.sh DIR - draw the pictures of one run over time
#   DIR/{iterations,series,tensors}.csv -> DIR/{memory,tensors}.{png,svg}
# ZOOM=1.5 scales the PNGs.
set -eu
dir=${1:?usage: plot-run.sh DIR}
scripts=$(cd "$(dirname "$0")" && pwd)
for f in iterations series tensors; do
	[ -r "$dir/$f.csv" ] || { echo "plot-run.sh: $dir/$f.csv is not there: gmemsim run ... -o $dir" >&2; exit 2; }
done
command -v gnuplot >/dev/null || { echo "plot-run.sh: gnuplot is missing: apt-get install gnuplot-nox" >&2; exit 2; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# A value of summary.json, the first of its name.
value() {
	sed -n "s/^.*\"$1\": \"\{0,1\}\([^\",]*\)\"\{0,1\},*$/\1/p" "$dir/summary.json" | head -n 1
}
devices=$(value count)
hbm=$(awk -v b="$(value hbm_usable_bytes)" -v n="${devices:-1}" 'BEGIN { printf "%.6g", b * n / 2^30 }')
manager=$(value type)
prefetcher=$(value prefetcher)
[ "$manager" != gmem ] || manager=$(value variant)
[ -z "$prefetcher" ] || [ "$prefetcher" = auto ] || manager="$manager, prefetcher $prefetcher"
job=$(value job)

# Seconds from the first iteration on.  Counters of the link are brought to equal steps.
awk -F, -v tmp="$tmp" -v devices="${devices:-1}" '
FILENAME ~ /iterations.csv$/ {
	if (FNR == 1) next
	if (FNR == 2) zero = $2
	starts = starts sprintf(" %.6g", ($2 - zero) / 1e12)
	to = ($2 + $3 - zero) / 1e12
	next
}
FNR == 1 {
	for (i = 1; i <= NF; i++) col[$i] = i
	step = nice(to / 250)
	next
}
# 1, 2 or 5 times a power of ten, at least @x
function nice(x,   p) {
	p = 10 ^ int(log(x) / log(10) - (x < 1))
	return x <= p ? p : x <= 2 * p ? 2 * p : x <= 5 * p ? 5 * p : 10 * p
}
function share(x) { return x < 0 ? 0 : x > 100 ? 100 : x }
{
	t = ($1 - zero) / 1e12; in_ = $(col["h2d_busy_ps"]) / 1e12; out_ = $(col["d2h_busy_ps"]) / 1e12
	if (t >= 0) printf "%.9g %.6g\n", t, $(col["hbm_bytes"]) / 2^30 >(tmp "/resident")
	for (; edge <= t; edge += step) {
		f = t > last ? (edge - last) / (t - last) : 1
		a = lin + f * (in_ - lin); b = lout + f * (out_ - lout)
		if (edge > 0) printf "%.9g %.4g %.4g\n", edge - step, share(100 * (a - ea) / step / devices), share(100 * (b - eb) / step / devices) >(tmp "/busy")
		ea = a; eb = b
	}
	last = t; lin = in_; lout = out_
}
END {
	if (edge) printf "%.9g 0 0\n", edge - step >(tmp "/busy")
	printf "from=0; to=%.9g; starts=\"%s\"; step=\"%g\"\n", to, substr(starts, 2), step * 1000 >(tmp "/vars")
	printf "%.0f %.9g\n", zero, to >(tmp "/span")
}' "$dir/iterations.csv" "$dir/series.csv"

# Names may hold commas: columns are counted from the end.  Largest kinds first.
read -r zero to <"$tmp/span"
awk -F, -v zero="$zero" -v to="$to" -v tmp="$tmp" '
NR == 1 || $(NF - 6) == 0 { next }
{
	born = ($(NF - 1) - zero) / 1e12; died = ($NF - zero) / 1e12; low = $(NF - 2)
	if (died <= 0 || born >= to) next
	n++; kind[n] = $(NF - 7); b[n] = born < 0 ? 0 : born; d[n] = died > to ? to : died
	va[n] = low; size[n] = $(NF - 6)
	area[kind[n]] += (d[n] - b[n]) * size[n]
	if (n == 1 || low < base) base = low
}
END {
	for (k in area) kinds[++m] = k
	for (i = 2; i <= m; i++)
		for (j = i; j > 1 && area[kinds[j]] > area[kinds[j - 1]]; j--) { k = kinds[j]; kinds[j] = kinds[j - 1]; kinds[j - 1] = k }
	for (j = 1; j <= m; j++) {
		printf "\"%s\"\n", kinds[j] >(tmp "/tensors")
		for (i = 1; i <= n; i++) {
			if (kind[i] != kinds[j]) continue
			y = (va[i] - base) / 2^30; h = size[i] / 2^30
			if (y + h > top) top = y + h
			printf "%.9g %.9g %.9g %.9g\n", b[i], d[i], y, y + h >(tmp "/tensors")
		}
		printf "\n\n" >(tmp "/tensors")
		list = list " " kinds[j]
	}
	printf "; kinds=\"%s\"; top=%.6g\n", substr(list, 2), top >(tmp "/more")
}' "$dir/tensors.csv"

draw() { # PICTURE WIDTH HEIGHT
	local format
	for format in png svg; do
		gnuplot -e "scripts='$scripts'; tmp='$tmp'; job='${job//\'/}'; manager='${manager//\'/}'; format='$format'; zoom=${ZOOM:-1.5}" \
			-e "out='$dir/$1.$format'; width=$2; height=$3; hbm=$hbm" \
			-e "$(cat "$tmp/vars" "$tmp/more" | tr -d '\n')" "$scripts/run-$1.gp"
	done
	echo "$dir/$1.png $dir/$1.svg"
}
draw memory 860 520
draw tensors 860 480
