#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# plot.sh DIR [PERCENT] - draw the pictures of a sweep over HBM sizes
#   DIR/sweep.csv -> DIR/{time,stall,traffic,reasons,faults}.{png,svg}; `stall`,
#   `reasons` and `faults` are at PERCENT of the footprint, or the nearest size
#   that was swept (50)
# ZOOM=1.5 scales the PNGs.
set -eu
dir=${1:?usage: plot.sh DIR [PERCENT]}
at=${2:-50}
scripts=$(cd "$(dirname "$0")" && pwd)
csv=$dir/sweep.csv
[ -r "$csv" ] || { echo "plot.sh: $csv is not there; run the sweep first" >&2; exit 2; }
command -v gnuplot >/dev/null || { echo "plot.sh: gnuplot is missing: apt-get install gnuplot-nox" >&2; exit 2; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# One block a curve (the last axis), sorted by time at the smallest size; what
# gnuplot has to know besides goes to vars.  Failed points are left out.
LC_ALL=C awk -F, -v at="$at" -v tmp="$tmp" '
NR == 1 {
	for (i = 1; i <= NF; i++) col[$i] = i
	last = col["status"] - 1
	next
}
# a comma inside quotes is none
/"/ {
	n_ = split($0, part_, "\""); line_ = part_[1]
	for (i = 2; i <= n_; i++) {
		if (i % 2 == 0) gsub(/,/, "\001", part_[i])
		line_ = line_ part_[i]
	}
	$0 = line_
}
{ label = $last; gsub("\001", ",", label) }
!($last in seen) { seen[$last] = 1; name[n++] = label }
$(col["status"]) == "done" {
	foot = $(col["footprint_bytes"])
	x = 100 * $(col["hbm_bytes"]) / foot
	if (low == "" || x < low) low = x
	if (high == "" || x > high) high = x
	t = $(col["iteration_ps"]) / 1e12
	ideal = $(col["ideal_ps"]) / 1e12
	if (t > longest) longest = t
	h2d = $(col["h2d_bytes"]) / 2^30; d2h = $(col["d2h_bytes"]) / 2^30
	if (h2d > most) most = h2d
	if (d2h > most) most = d2h
	k = label
	m = ++count[k]
	px[k, m] = x; pt[k, m] = t; ps[k, m] = $(col["slowdown"]); ph[k, m] = h2d; pd[k, m] = d2h
	if (!(k in lowest) || x < lowest[k]) { lowest[k] = x; height[k] = t }
	off = x > at ? x - at : at - x
	if (!(k in best) || off < best[k]) {
		best[k] = off; bestx[k] = x; point[k] = $1
		split("h2d_demand_bytes h2d_prefetch_bytes d2h_evict_bytes d2h_cpu_bytes", reason, " ")
		for (p = 1; p <= 4; p++) moved[k, p] = $(col[reason[p]]) / 2^30
		split("stall_queue_ps stall_service_ps stall_evict_ps stall_link_ps stall_finish_ps", phase, " ")
		stall = 0
		for (p = 1; p <= 5; p++) stall += part[k, p] = $(col[phase[p]]) / 1e12
		rest[k] = t > stall ? t - stall : 0
	}
}
END {
	if (!longest) { print "plot.sh: no point is done" >"/dev/stderr"; exit 1 }
	unit = longest < 0.1 ? "ms" : "s"; scale = longest < 0.1 ? 1000 : 1
	for (i = 0; i < n; i++) {
		order[i] = i
		style[i] = 0
		if (name[i] == "ideal") height[name[i]] = -1
		else style[i] = ++styles
	}
	for (i = 1; i < n; i++)
		for (j = i; j > 0 && height[name[order[j]]] > height[name[order[j - 1]]]; j--) {
			k = order[j]; order[j] = order[j - 1]; order[j - 1] = k
		}
	for (i = 0; i < n; i++) {
		k = name[i]
		printf "\"%s\"\n", k >(tmp "/curves")
		for (m = 1; m <= count[k]; m++)
			printf "%.4f %.4f %.9g %.6g %.6g %.6g\n", px[k, m], px[k, m] * foot / 100 / 2^30,
				pt[k, m] * scale, ps[k, m], ph[k, m], pd[k, m] >(tmp "/curves")
		printf "\n\n" >(tmp "/curves")
	}
	list = ""
	for (i = 0; i < n; i++)
		if (count[name[order[i]]]) list = list " " order[i]
	# the bars in the order of their own lengths
	for (i = 0; i < n; i++) {
		k = name[i]
		for (p = 1; p <= 5; p++) total[i] += part[k, p]
		total[i] += rest[k]
	}
	for (i = 1; i < n; i++)
		for (j = i; j > 0 && total[order[j]] < total[order[j - 1]]; j--) {
			k = order[j]; order[j] = order[j - 1]; order[j - 1] = k
		}
	for (i = 0; i < n; i++) {
		k = name[order[i]]
		if (!count[k]) continue
		bars++; percent = bestx[k]
		sum = rest[k]
		printf "\"%s\" 0 %.9g", k, sum * scale >(tmp "/bars")
		for (p = 1; p <= 5; p++) {
			sum += part[k, p]
			printf " %.9g", sum * scale >(tmp "/bars")
		}
		printf "\n" >(tmp "/bars")
	}
	# what crosses the link: a curve that moves nothing has no row
	for (i = 0; i < n; i++) {
		k = name[order[i]]
		in_ = moved[k, 1] + moved[k, 2]; out_ = moved[k, 3] + moved[k, 4]
		if (!count[k] || in_ + out_ <= 0) continue
		rows++
		if (in_ > farthest) farthest = in_
		if (out_ > farthest) farthest = out_
		printf "\"%s\" %.6g %.6g %.6g %.6g\n", k, moved[k, 1], in_, -moved[k, 3], -out_ >(tmp "/reasons")
	}
	for (i = 0; i < n; i++)
		if (count[name[order[i]]]) printf "%d %s\n", point[name[order[i]]], name[order[i]] >(tmp "/points")
	for (i = 0; i < n; i++) all = all " " style[i]
	if (!most) most = 1
	printf "curves=\"%s\"; styles=\"%s\"; unit=\"%s\"; floor=%.9g; longest=%.9g; footprint=%.9g; low=%.4f; high=%.4f; most=%.6g; bars=%d; percent=%.4f; rows=%d; farthest=%.6g\n",
		substr(list, 2), substr(all, 2), unit, ideal * scale, longest * scale, foot / 2^30, low, high, most, bars, percent, rows, farthest >(tmp "/vars")
}' "$csv"

job=$(sed -n 's/^.*"job": "\(.*\)",*$/\1/p' "$dir"/points/*.json 2>/dev/null | head -n 1)
job=${job:-$(basename "$dir")}

# Faults of each iteration, out of the summaries: "NAME" F0 F1 ..., the curves that fault.
while read -r point name; do
	awk -v name="$name" '
	/"iterations": \[/ { inside = 1 }
	inside && /"faults":/ { gsub(/[^0-9]/, ""); line = line " " $0; sum += $0 }
	inside && /^\t\t\],?$/ { exit }
	END { if (sum) printf "\"%s\"%s\n", name, line }' "$(printf '%s/points/%04d.json' "$dir" "$point")"
done <"$tmp/points" >"$tmp/faults"

draw() { # PICTURE DATA WIDTH HEIGHT
	local format
	[ -s "$tmp/$2" ] || return 0
	for format in png svg; do
		gnuplot -e "scripts='$scripts'; data='$tmp/$2'; job='${job//\'/}'; format='$format'; zoom=${ZOOM:-1.5}" \
			-e "out='$dir/$1.$format'; width=$3; height=$4" -e "$(cat "$tmp/vars")" \
			"$scripts/sweep-$1.gp"
	done
	echo "$dir/$1.png $dir/$1.svg"
}
draw time curves 860 500
draw stall bars 860 420
draw traffic curves 860 420
draw reasons reasons 860 400
draw faults faults 860 360
