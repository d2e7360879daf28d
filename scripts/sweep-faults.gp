# SPDX-License-Identifier: GPL-3.0-or-later
# Faults of each iteration at one HBM size: a row a policy, a point an iteration.
load scripts . "/style.gp"
stats data using 2 nooutput
rows = STATS_records
iterations = int(system(sprintf("awk '{ sub(/^\"[^\"]*\" /, \"\"); print NF; exit }' '%s'", data)))
set title sprintf("%s: faults of each iteration with %.0f %% of the footprint", job, percent) offset 0, 0.6
set xlabel "faults served (log scale); uvm counts pages of 4 KiB, gmem its units"
set logscale x 10
# no fault at all has no logarithm: a place of its own, left of 1
none = 0.3
set format x "%.0s%c"
set xtics add ("0" none)
set mxtics 1
set grid xtics ytics linetype 1 linewidth 0.5 linecolor rgb "#e2e2e2"
set border 1
set ytics scale 0
set yrange [-0.6 : rows - 0.4]
set xrange [none * 0.8 : *]
array colour[6] = ["#999999", "#d9730d", "#2f7fc1", "#117733", "#882255", "#ddcc77"]
array shape[6] = [6, 7, 5, 9, 13, 11]
shown = iterations < 6 ? iterations : 6
plot for [i = 1 : shown] data using (column(i + 1) > 0 ? column(i + 1) : none):0:ytic(1) with points \
	pointtype shape[i] pointsize 1.2 linewidth 1.6 linecolor rgb colour[i] title sprintf("iteration %d", i - 1)
