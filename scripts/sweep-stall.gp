# SPDX-License-Identifier: GPL-3.0-or-later
# Where an iteration's time goes at one HBM size: a bar a policy.
load scripts . "/style.gp"
set title sprintf("%s: where the time goes with %.0f %% of the footprint", job, percent) offset 0, 0.6
set xlabel "iteration, " . unit
set grid noytics xtics linetype 1 linewidth 0.5 linecolor rgb "#e2e2e2"
set border 1
set ytics scale 0
set yrange [-0.6 : bars - 0.4]
set xrange [0 : *]
set style fill solid 1 noborder
array name[6] = ["kernels", "waiting to be served", "driver, CPU, messages", \
	"waiting for room", "copies, waiting for links", "mapping, answer, replay"]
array colour[6] = ["#d0d0d0", "#ddcc77", "#cc6677", "#882255", "#2f7fc1", "#44aa99"]
plot for [p = 1 : 6] data index 0 using (column(p + 1)):0:(column(p + 1)):(column(p + 2)):($0 - 0.36):($0 + 0.36):ytic(1) \
	with boxxyerror linecolor rgb colour[p] title name[p]
