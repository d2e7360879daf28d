# SPDX-License-Identifier: GPL-3.0-or-later
# A run over time: what is resident, and how busy each direction of the link is.
load scripts . "/style.gp"
resident = tmp . "/resident"
busy = tmp . "/busy"
set multiplot
set key off
set lmargin at screen 0.09
set rmargin at screen 0.97
set xrange [from : to]
set format x ""
set for [i = 1 : words(starts)] arrow i from real(word(starts, i)), graph 0 to real(word(starts, i)), graph 1 \
	nohead linewidth 0.8 dashtype (4, 4) linecolor rgb "#999999" back
set label 1 job . " under " . manager . ": what is resident, and how busy the link is" at screen 0.53, 0.955 center font ",13" textcolor rgb "#111111"
set for [i = 1 : words(starts)] label 10 + i sprintf(" iteration %d", i - 1) at real(word(starts, i)), graph 1.05 \
	left textcolor rgb "#777777" font ",9"

set tmargin at screen 0.86
set bmargin at screen 0.60
set ylabel "resident, GiB" offset 1, 0
set yrange [0 : hbm * 1.12]
set style fill solid 1 noborder
set arrow 99 from graph 0, first hbm to graph 1, first hbm nohead linewidth 1.2 linecolor rgb "#555555" dashtype (6, 4) front
set label 99 sprintf("device memory: %.2f GiB", hbm) at graph 0.995, first hbm right offset 0, 0.55 textcolor rgb ink font ",9"
plot resident using 1:2 with filledcurves y1=0 linecolor rgb "#b9d6ec", \
	resident using 1:2 with lines linecolor rgb "#2f7fc1" linewidth 1.6
unset label 1
unset for [i = 1 : words(starts)] label 10 + i
unset label 99
unset arrow 99

set yrange [0 : 100]
set ytics 50
set ylabel "to device, %" offset 1, 0
set tmargin at screen 0.54
set bmargin at screen 0.36
plot busy using 1:2 with fillsteps linecolor rgb "#e5a3ac", busy using 1:2 with steps linecolor rgb "#cc6677" linewidth 1

set ylabel "to host, %" offset 1, 0
set tmargin at screen 0.31
set bmargin at screen 0.13
set format x "%g"
set xlabel "time, s; the link's share of busy time in every " . step . " ms, in each direction"
plot busy using 1:3 with fillsteps linecolor rgb "#c391a9", busy using 1:3 with steps linecolor rgb "#882255" linewidth 1
unset multiplot
