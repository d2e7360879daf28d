# SPDX-License-Identifier: GPL-3.0-or-later
# Iteration times of the G10 paper's figures: simulated against published.
# Called with `folder` (cells.dat is there) and what style.gp wants.
load scripts . "/style.gp"
set title "iteration times of the G10 paper, by our models of its systems" offset 0, 0.4
set xlabel "published, s (log scale)"
set ylabel "simulated, s (log scale)"
set grid xtics ytics linetype 1 linewidth 0.5 linecolor rgb "#e2e2e2"
set logscale xy
set size ratio -1
set xrange [4:700]
set yrange [4:700]
set label 1 "the line is equality, the grey band 3 %" at graph 0.04, 0.95 textcolor rgb ink
data = folder . "/cells.dat"
plot "+" using 1:($1 * 0.97):($1 * 1.03) with filledcurves linecolor rgb "#d5d5d5" notitle, \
	x with lines linestyle floor_ls notitle, \
	for [k = 0:6] data index k using 1:2 with points \
	linestyle (k == 0 ? 12 : int(word("3 5 1 6 8 9", k))) linewidth 1.5 title columnheader(1)
