# SPDX-License-Identifier: GPL-3.0-or-later
# Idle periods: how long a tensor waits between two touches, and how large it is.
load scripts . "/style.gp"
set title job . ": idle periods of tensors, between two touches" offset 0, 0.4
set xlabel "idle for, s"
set ylabel "tensor, MiB" offset 1, 0
set logscale xy
set yrange [0.001 : *]
set format x "%g"
set format y "%g"
set grid xtics ytics linetype 1 linewidth 0.5 linecolor rgb "#e2e2e2"
names = "weight gradient optimizer activation workspace input kv_cache other"
kind_of(k) = (sum [i = 1 : words(names)] (word(names, i) eq k ? i : 0))
array colour[8] = ["#332288", "#cc6677", "#88ccee", "#44aa99", "#ddcc77", "#882255", "#117733", "#999999"]
array shape[8] = [5, 9, 7, 6, 13, 11, 4, 1]
plot for [k = 1 : words(idle_kinds)] tmp . "/idle" index (k - 1) using 1:2 with points \
	pointtype shape[kind_of(word(idle_kinds, k))] pointsize 0.6 \
	linecolor rgb colour[kind_of(word(idle_kinds, k))] title word(idle_kinds, k)
