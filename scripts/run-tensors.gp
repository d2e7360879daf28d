# SPDX-License-Identifier: GPL-3.0-or-later
# Lives of tensors: each a box from its birth to its end, where it lies, as tall as it is large.
load scripts . "/style.gp"
set title job . " under " . manager . ": lives of tensors" offset 0, 0.6
set xlabel "time, s"
set ylabel "address, GiB from the lowest"
set xrange [from : to]
set yrange [0 : top * 1.01]
set style fill solid 1 noborder
set for [i = 1 : words(starts)] arrow i from real(word(starts, i)), graph 0 to real(word(starts, i)), graph 1 \
	nohead linewidth 0.8 dashtype (4, 4) linecolor rgb "#555555" front
set for [i = 1 : words(starts)] label 10 + i sprintf(" iteration %d", i - 1) at real(word(starts, i)), graph 1.025 \
	left textcolor rgb "#777777" font ",9"
names = "weight gradient optimizer activation workspace input kv_cache other"
kind_of(k) = (sum [i = 1 : words(names)] (word(names, i) eq k ? i : 0))
array colour[8] = ["#332288", "#cc6677", "#88ccee", "#44aa99", "#ddcc77", "#882255", "#117733", "#999999"]
plot for [k = 1 : words(kinds)] tmp . "/tensors" index (k - 1) using 1:3:1:2:3:4 with boxxyerror \
	linecolor rgb colour[kind_of(word(kinds, k))] title word(kinds, k)
