# SPDX-License-Identifier: GPL-3.0-or-later
# What crosses the link in an iteration, in each direction, against HBM size.
load scripts . "/style.gp"
set multiplot
set xlabel "device memory, % of the footprint"
set xrange [low - 2 : high + 2]
set yrange [0 : most * 1.05]
set tmargin at screen 0.86
set bmargin at screen 0.14
set label 1 job . ": bytes over the link in an iteration" at screen 0.5, 0.95 center \
	font ",13" textcolor rgb "#111111"
do for [side = 0 : 1] {
	set lmargin at screen (side ? 0.44 : 0.08)
	set rmargin at screen (side ? 0.78 : 0.42)
	set title (side ? "to the host" : "to the device") font ",11" offset 0, -0.4
	if (side) { unset label 1; set format y "" } else { unset key; set ylabel "GiB" }
	if (side) { unset ylabel; set key at screen 0.99, 0.5 right center vertical maxcols 1 Left reverse }
	plot for [k in curves] data index int(k) using 1:(side ? $6 : $5) with linespoints \
		linestyle style_of(int(word(styles, int(k) + 1))) title columnheader(1)
}
unset multiplot
