# SPDX-License-Identifier: GPL-3.0-or-later
# Slowdown of UVM against overcommit, one curve an order and compute, and what was published.
# Called with `data` (blocks of "overcommit slowdown", first those of ours, then the published).
load scripts . "/style.gp"
set title "UVM: slowdown when the job is larger than the memory" offset 0, 0.6
set xlabel "job, % of device memory"
set ylabel "slowdown over the ideal (log scale)"
set logscale y 10
set xrange [85:405]
set format y "%g"
plot for [k = 0:ours - 1] data index k using 1:2 with linespoints linestyle (k / 3) * 2 + 1 \
		dashtype k % 3 + 1 pointtype 4 + k / 3 title columnheader(1), \
	data index ours using 1:2 with points linestyle 8 pointtype 3 pointsize 2 title columnheader(1)
