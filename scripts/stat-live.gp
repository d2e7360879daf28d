# SPDX-License-Identifier: GPL-3.0-or-later
# Live memory over time, stacked by what tensors are.
load scripts . "/style.gp"
set title job . ": memory that is alive" offset 0, 0.4
set xlabel "time at full residency, s"
set ylabel "alive, " . unit offset 1, 0
set xrange [0 : to]
set yrange [0 : top * 1.05]
set style fill solid 1 noborder
names = "weight gradient optimizer activation workspace input kv_cache other"
kind_of(k) = (sum [i = 1 : words(names)] (word(names, i) eq k ? i : 0))
array colour[8] = ["#332288", "#cc6677", "#88ccee", "#44aa99", "#ddcc77", "#882255", "#117733", "#999999"]
n = words(columns)
# the highest first: each covers the lower part of the one before
plot for [i = 1 : n] tmp . "/live" using 1:(column(int(word(columns, n + 1 - i)))) with fillsteps \
	linecolor rgb colour[kind_of(word(kinds, n + 1 - i))] title word(kinds, n + 1 - i)
