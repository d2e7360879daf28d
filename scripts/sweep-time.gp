# SPDX-License-Identifier: GPL-3.0-or-later
# Iteration time against HBM size, one curve a policy, the ideal as the floor.
load scripts . "/style.gp"
set title job . ": time of an iteration when memory is short" offset 0, 0.6
set xlabel "device memory, % of the job's footprint"
set x2label sprintf("GiB (footprint %.1f GiB)", footprint) textcolor rgb ink offset 0, -0.4
set ylabel "iteration, " . unit . " (log scale)"
set xrange [low - 2 : high + 2]
set x2range [(low - 2) * footprint / 100 : (high + 2) * footprint / 100]
set x2tics textcolor rgb ink
set border 15
# On a log scale a factor is a distance, so the lower curves stay apart; the
# second axis tells the same as slowdown.
set logscale y 2
set logscale y2 2
set yrange [floor * 0.87 : longest * 1.15]
set y2range [0.87 : longest * 1.15 / floor]
set ytics 2
set y2tics 2 format "%gx" textcolor rgb ink
set y2label "slowdown over the ideal" textcolor rgb ink
plot for [k in curves] data index int(k) using 1:3 with linespoints \
	linestyle style_of(int(word(styles, int(k) + 1))) title columnheader(1)
