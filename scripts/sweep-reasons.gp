# SPDX-License-Identifier: GPL-3.0-or-later
# What crosses the link in an iteration at one HBM size, by direction and reason.
load scripts . "/style.gp"
set title sprintf("%s: what crosses the link with %.0f %% of the footprint", job, percent) offset 0, 0.6
set xlabel "GiB in an iteration"
set label 1 "to the host" at graph 0.25, graph 1.03 center textcolor rgb ink
set label 2 "to the device" at graph 0.75, graph 1.03 center textcolor rgb ink
set grid noytics xtics linetype 1 linewidth 0.5 linecolor rgb "#e2e2e2"
set border 1
set ytics scale 0
set yrange [-0.6 : rows - 0.4]
set xrange [-farthest * 1.06 : farthest * 1.06]
# a distance has no sign: both sides count from the middle
step = farthest > 40 ? 10 : farthest > 16 ? 5 : farthest > 6 ? 2 : farthest > 2.5 ? 1 : 0.25
set xtics ("0" 0)
set for [i = -40 : 40] xtics add (sprintf("%g", abs(i * step)) i * step)
set arrow 1 from 0, graph 0 to 0, graph 1 nohead linewidth 1 linecolor rgb "#888888" front
set style fill solid 1 noborder
array name[4] = ["evicted", "touched by the CPU", "a kernel waited for it", "ahead of the touch"]
stats data using (abs($5 - $4)) nooutput # where the CPU touches nothing, the key is silent about it
array colour[4] = ["#882255", "#ddcc77", "#cc6677", "#2f7fc1"]
plot data using (0):0:(0):4:($0 - 0.36):($0 + 0.36):ytic(1) with boxxyerror linecolor rgb colour[1] title name[1], \
	data using 4:0:4:5:($0 - 0.36):($0 + 0.36) with boxxyerror linecolor rgb colour[2] title (STATS_max > 0 ? name[2] : ""), \
	data using (0):0:(0):2:($0 - 0.36):($0 + 0.36) with boxxyerror linecolor rgb colour[3] title name[3], \
	data using 2:0:2:3:($0 - 0.36):($0 + 0.36) with boxxyerror linecolor rgb colour[4] title name[4]
